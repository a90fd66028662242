# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hashes in both directions: Dovecot verifies what we make, and we verify what it makes."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts import (
    libcrypt,
    passwords,
    schemes,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.errors import Hidden
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.model import Secret

IMAGE = "localhost/groupware-mailserver-ready"
CHECKOUT = Path(__file__).parents[2]
PLACE = "/collections/ansible_collections/groupware/mailserver"
LABEL = "groupware.mailserver.test-bed"

# One start of a container and one exec serve many calls of doveadm.
INSIDE = """
import json, subprocess, sys
from concurrent.futures import ThreadPoolExecutor

def call(arguments):
    done = subprocess.run(["doveadm", "pw", *arguments], capture_output=True)
    return done.returncode, done.stdout.decode("utf-8", "replace")

with ThreadPoolExecutor(4) as pool:
    json.dump(list(pool.map(call, json.load(sys.stdin))), sys.stdout)
"""

PASSWORDS = [
    "secret",
    "pässwörd ☃ 🦉",
    "e\u0301 is not \u00e9",
    'it\'s "quoted"',
    "100%d %s %u %{x} {{ x }}",
    "back\\slash\\n",
    " blanks  at both ends ",
    "tab\there",
    "{SSHA256}looks like a hash",
    "$6$dollar$`id`; #",
    "-p",
    "x" * 72,
    "ü" * 36,
    "y" * 73,
    "ü" * 255 + "z",
]
EXPENSIVE = ("ARGON2ID", "ARGON2I", "ARGON2")
# A scheme of Dovecot that we do not verify: such a hash is replaced when the password is known.
NOT_VERIFIED = {"CRAM-MD5", "HMAC-MD5", "DIGEST-MD5", "OTP", "PLAIN-MD4", "PLAIN-TRUNC"}


# The same code, with the Python and the libraries of the host.
ON_THE_HOST = """
import json, sys
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts import passwords
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.model import Secret

pairs = json.load(sys.stdin)
wishes = [Secret(plain, None, stored[1:stored.find("}")]) for plain, stored in pairs]
made = [passwords.hashed(wish) for wish in wishes]
json.dump([[passwords.matches(*pair) for pair in pairs], made], sys.stdout)
"""


@dataclass
class Doveadm:
    """doveadm pw, and the Python, of one release of Debian."""

    container: str

    def python(self, program: str, given: Sequence[Sequence[str]]) -> Any:
        """What a program of the host's Python answers, in JSON."""
        done = subprocess.run(
            ["podman", "exec", "-i", self.container, "python3", "-c", program],
            input=json.dumps(given),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=300,
        )
        return json.loads(done.stdout)

    def _calls(self, calls: Sequence[Sequence[str]]) -> list[tuple[int, str]]:
        return [(int(code), str(out)) for code, out in self.python(INSIDE, calls)]

    def verdicts(self, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        """Whether each (password, hash) fits."""
        calls = [["-t", stored, "-p", plain] for plain, stored in pairs]
        return [code == 0 and "(verified)" in out for code, out in self._calls(calls)]

    def hashes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        """What doveadm makes of each (password, scheme); empty where it refuses."""
        calls = [["-s", scheme, "-p", plain] for plain, scheme in pairs]
        return [out.removesuffix("\n") if code == 0 else "" for code, out in self._calls(calls)]

    def schemes(self) -> set[str]:
        ((_code, out),) = self._calls([["-l"]])
        return set(out.split())


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def doveadm(request: pytest.FixtureRequest) -> Iterator[Doveadm]:
    name = f"doveadm-{request.param}-{os.getpid()}"
    image = f"{IMAGE}:{request.param}"
    there = subprocess.run(["podman", "image", "exists", image], check=False).returncode == 0
    assert there, f"{image} is missing: make image-ready"
    # doveadm pw needs no service and so no systemd; gone by itself if the tests are killed.
    start = ["podman", "run", "-d", "--rm", "--name", name, "--label", LABEL, "--network", "none"]
    code = ["-v", f"{CHECKOUT}/plugins:{PLACE}/plugins:ro", "-e", "PYTHONPATH=/collections"]
    subprocess.run([*start, *code, image, "sleep", "600"], check=True)
    yield Doveadm(name)
    subprocess.run(["podman", "rm", "-f", "-t", "0", name], check=True)


def taken(scheme: str) -> list[str]:
    """The passwords that we take for a scheme; few for one that takes long or is not ours."""
    longest = {"BLF-CRYPT": 72, "SHA512-CRYPT": 511, "SHA256-CRYPT": 511}.get(scheme, 1024)
    fitting = [plain for plain in PASSWORDS if len(plain.encode()) <= longest]
    if scheme in EXPENSIVE:
        return fitting[:2]
    return fitting if scheme in passwords.SCHEMES else fitting[1::4]


@pytest.fixture(scope="module")
def ours() -> list[tuple[str, str]]:
    """(password, hash) of every scheme that we make."""
    wishes = [(plain, scheme) for scheme in passwords.SCHEMES for plain in taken(scheme)]
    return [(plain, passwords.hashed(Secret(plain, None, scheme))) for plain, scheme in wishes]


def test_dovecot_verifies_what_we_make(doveadm: Doveadm, ours: list[tuple[str, str]]):
    refused = [pair for pair, fits in zip(ours, doveadm.verdicts(ours)) if not fits]
    assert not refused
    assert len(ours) > 60


def test_the_python_of_the_host_makes_and_verifies_the_same(
    doveadm: Doveadm, ours: list[tuple[str, str]]
):
    pairs = [
        next(pair for pair in ours if pair[1].startswith(f"{{{s}}}")) for s in passwords.SCHEMES
    ]
    verified, made = doveadm.python(ON_THE_HOST, pairs)
    assert verified == [True] * len(pairs)
    assert [passwords.matches(pair[0], stored) for pair, stored in zip(pairs, made)] == verified
    assert [len(stored) for stored in made] == [len(stored) for _plain, stored in pairs]


def test_dovecot_refuses_another_password(doveadm: Doveadm, ours: list[tuple[str, str]]):
    others = [(f"!{plain}", stored) for plain, stored in ours if len(plain) < 70][::3]
    assert not any(doveadm.verdicts(others))
    assert {stored.partition("}")[0][1:] for _plain, stored in others} == set(passwords.SCHEMES)


def test_we_verify_what_dovecot_makes(doveadm: Doveadm):
    wishes = [
        (plain, scheme)
        for scheme in sorted(doveadm.schemes() - NOT_VERIFIED)
        for plain in taken(scheme)
    ]
    made = [(plain, stored) for (plain, _scheme), stored in zip(wishes, doveadm.hashes(wishes))]
    assert not [pair for pair in made if not passwords.matches(*pair)]
    # DES looks at 8 characters only, so the other password begins differently.
    assert not [pair for pair in made[::3] if passwords.matches(f"!{pair[0]}", pair[1])]


def test_every_scheme_of_dovecot_is_verified_or_named_as_not(doveadm: Doveadm):
    assert doveadm.schemes() - NOT_VERIFIED <= set(schemes._VERIFY)
    assert doveadm.schemes() >= NOT_VERIFIED | set(passwords.SCHEMES)


def test_what_dovecot_makes_is_taken_as_a_finished_hash(doveadm: Doveadm):
    names = sorted(doveadm.schemes() & set(passwords.KNOWN_HASHES))
    made = doveadm.hashes([("secret", name) for name in names])
    assert [passwords.ready_hash(stored) for stored in made] == made


def spellings() -> Iterator[str]:
    """Hashes of "secret" as people and programs have written them, right and wrong."""
    for scheme, algorithm in {
        "MD5": "md5",
        "LDAP-MD5": "md5",
        "SHA1": "sha1",
        "SHA512": "sha512",
        "SHA384": "sha384",
    }.items():
        yield from written(scheme, hashlib.new(algorithm, b"secret").digest())
    for scheme, algorithm in {"SMD5": "md5", "SSHA256": "sha256"}.items():
        for salt in (b"", b"salt", b"a longer salt than usual"):
            yield from written(scheme, hashlib.new(algorithm, b"secret" + salt).digest() + salt)
    made = libcrypt.crypt("secret", "$6$saltstring") or ""
    for scheme in ("SHA512-CRYPT", "SHA256-CRYPT", "CRYPT", "ARGON2ID", "BLF-CRYPT", "NO-SUCH"):
        yield f"{{{scheme}}}{made}"
    for setting in ("$1$salt", "ab", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.", "$y$j9T$saltsalt$"):
        yield f"{{CRYPT}}{libcrypt.crypt('secret', setting)}"
    yield from ("{PLAIN}secret", "{clear}secret", "{PLAIN.HEX}736563726574", "{PLAIN}", "secret")


def written(scheme: str, raw: bytes) -> Iterator[str]:
    in_base64 = base64.b64encode(raw).decode()
    yield f"{{{scheme}}}{in_base64}"
    yield f"{{{scheme.lower()}}}{in_base64}"
    yield f"{{{scheme}}}{in_base64.rstrip('=')}"
    yield f"{{{scheme}}}{in_base64[:-4]}"
    yield f"{{{scheme}}}{raw.hex()}"
    yield f"{{{scheme}}}{raw.hex().upper()}"
    yield f"{{{scheme}.hex}}{raw.hex().upper()}"
    yield f"{{{scheme}.B64}}{in_base64}"
    yield f"{{{scheme}.BASE64}}{in_base64}"


def test_we_keep_just_what_dovecot_verifies(doveadm: Doveadm):
    wish = Secret("secret", None, "SSHA256")
    pairs = [("secret", stored) for stored in dict.fromkeys(spellings())]
    theirs = doveadm.verdicts(pairs)
    mine = [passwords.Keyring().holds(wish, stored) for _plain, stored in pairs]
    assert [pairs[n][1] for n in range(len(pairs)) if mine[n] != theirs[n]] == []
    assert theirs.count(True) > 40
    assert theirs.count(False) > 20


def test_what_we_refuse_as_too_long_dovecot_refuses_or_cuts(doveadm: Doveadm):
    for scheme in ("SHA512-CRYPT", "SHA256-CRYPT"):
        # What it makes then is no hash, but it does not say so.
        assert doveadm.hashes([("x" * 512, scheme)]) == [f"{{{scheme}}}*0"]
        with pytest.raises(Hidden):
            passwords.suits("x" * 512, scheme)
    (stored,) = doveadm.hashes([("x" * 73, "BLF-CRYPT")])
    assert doveadm.verdicts([("x" * 72, stored)]) == [True]
    with pytest.raises(Hidden):
        passwords.suits("x" * 73, "BLF-CRYPT")
