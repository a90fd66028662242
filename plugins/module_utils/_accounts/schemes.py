# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dovecot's password schemes: how a hash is made and verified, how strong it is and what it costs.

SHA-CRYPT, BLF-CRYPT and all of {CRYPT} go to crypt(3) as they do in Dovecot; where a host has none
that can be called, passlib and bcrypt do the same.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import importlib
import re
import secrets
from functools import partial
from typing import Any, Callable, NamedTuple

from . import libcrypt
from .errors import MissingLibrary

BCRYPT_BYTES = 72  # more of a password is not looked at

_CRYPT_ROUNDS = 5000  # Dovecot's own default; passlib's is 656,000
_PBKDF2_ROUNDS = 5000
_BLOWFISH_COST = 10
_ARGON2_PASSES = 3
_ARGON2_MEMORY = 65536  # KiB
_SALT_BYTES = 8
_SALT_LETTERS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BLOWFISH_LETTERS = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_AS_BLOWFISH = str.maketrans(_BASE64, _BLOWFISH_LETTERS)


def _library(module: str, package: str, scheme: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingLibrary(module.partition(".")[0], package, scheme) from None


def _passlib(scheme: str) -> Any:
    return _library("passlib.hash", "python3-passlib", scheme)


def _bcrypt() -> Any:
    return _library("bcrypt", "python3-bcrypt", "BLF-CRYPT")


def _argon2() -> Any:
    return _library("argon2", "python3-argon2", "ARGON2ID")


# Making


def _salt_text() -> str:
    return "".join(secrets.choice(_SALT_LETTERS) for _letter in range(16))


def _salted_digest(algorithm: str) -> Callable[[str], str]:
    new = getattr(hashlib, algorithm)

    def make(plain: str) -> str:
        salt = secrets.token_bytes(_SALT_BYTES)
        digest: bytes = new(plain.encode() + salt).digest()
        return binascii.b2a_base64(digest + salt, newline=False).decode("ascii")

    return make


def _crypted(plain: str, setting: str) -> str:
    made = libcrypt.crypt(plain, setting)
    if made is None:
        raise ValueError("crypt(3) refuses this password")
    return made


def _sha_crypt(letter: str, name: str) -> Callable[[str], str]:
    def make(plain: str) -> str:
        salt = _salt_text()
        if libcrypt.available():
            return _crypted(plain, f"${letter}${salt}$")
        handler = getattr(_passlib(name.upper().replace("_", "-")), name)
        return str(handler.using(rounds=_CRYPT_ROUNDS, salt=salt).hash(plain))

    return make


def _blowfish(plain: str) -> str:
    if libcrypt.available():
        salt = base64.b64encode(secrets.token_bytes(16)).decode("ascii")[:22]
        return _crypted(plain, f"$2y${_BLOWFISH_COST}${salt.translate(_AS_BLOWFISH)}")
    library = _bcrypt()
    made = library.hashpw(plain.encode(), library.gensalt(_BLOWFISH_COST)).decode("ascii")
    return f"$2y${made[4:]}"


def _argon2id(plain: str) -> str:
    # All of it said: the defaults of argon2-cffi differ between the releases.
    hasher = _argon2().PasswordHasher(
        time_cost=_ARGON2_PASSES,
        memory_cost=_ARGON2_MEMORY,
        parallelism=1,
        hash_len=32,
        salt_len=16,
    )
    return str(hasher.hash(plain))


def _pbkdf2(plain: str) -> str:
    return _pbkdf2_with(plain, _salt_text(), _PBKDF2_ROUNDS)


def _pbkdf2_with(plain: str, salt: str, rounds: int) -> str:
    digest = hashlib.pbkdf2_hmac("sha1", plain.encode(), salt.encode(), rounds)
    return f"$1${salt}${rounds}${digest.hex()}"


class Scheme(NamedTuple):
    """How new hashes are made."""

    make: Callable[[str], str]
    length: int  # of what is stored, with its prefix
    work: int  # see Cost


SCHEMES = {
    "SHA512-CRYPT": Scheme(_sha_crypt("6", "sha512_crypt"), 120, _CRYPT_ROUNDS),
    "SHA256-CRYPT": Scheme(_sha_crypt("5", "sha256_crypt"), 77, _CRYPT_ROUNDS),
    "SSHA512": Scheme(_salted_digest("sha512"), 105, 1),
    "SSHA256": Scheme(_salted_digest("sha256"), 65, 1),
    "BLF-CRYPT": Scheme(_blowfish, 71, 1 << _BLOWFISH_COST),
    "ARGON2ID": Scheme(_argon2id, 107, _ARGON2_PASSES * _ARGON2_MEMORY),
    "PBKDF2": Scheme(_pbkdf2, 73, _PBKDF2_ROUNDS),
}


# Verifying


def _decoded(text: str) -> bytes:
    """Strict base64, as Dovecot wants it: padded, and nothing else in it."""
    raw = binascii.a2b_base64(text)
    # What is no base64 is passed over there (strict_mode came with Python 3.11).
    if len(text) != (len(raw) + 2) // 3 * 4:
        raise ValueError("not base64")
    return raw


def _salted(algorithm: str) -> Callable[[str, str], bool]:
    new = _algorithm(algorithm)
    size = new().digest_size

    def verify(plain: str, rest: str) -> bool:
        raw = _decoded(rest)
        made = new(plain.encode() + raw[size:]).digest()
        return len(raw) > size and hmac.compare_digest(made, raw[:size])

    return verify


def _unsalted(algorithm: str) -> Callable[[str, str], bool]:
    new = _algorithm(algorithm)
    size = new().digest_size

    def verify(plain: str, rest: str) -> bool:
        raw = bytes.fromhex(rest) if len(rest) == 2 * size else _decoded(rest)
        return hmac.compare_digest(new(plain.encode()).digest(), raw)

    return verify


def _algorithm(name: str) -> Any:
    # MD5 only verifies here what is already there.
    return partial(hashlib.md5, usedforsecurity=False) if name == "md5" else getattr(hashlib, name)


def _clear(plain: str, rest: str) -> bool:
    return hmac.compare_digest(plain.encode(), rest.encode())


def _pbkdf2_matches(plain: str, rest: str) -> bool:
    _empty, _one, salt, rounds, digest = rest.split("$")
    made = _pbkdf2_with(plain, salt, int(rounds)).rpartition("$")[2]
    return hmac.compare_digest(made.encode(), digest.lower().encode())


def _scram(algorithm: str) -> Callable[[str, str], bool]:
    """RFC 5802 3: StoredKey = H(HMAC(SaltedPassword, "Client Key"))."""

    def verify(plain: str, rest: str) -> bool:
        rounds, salt, stored, _server = rest.split(",")
        salted = hashlib.pbkdf2_hmac(algorithm, plain.encode(), _decoded(salt), int(rounds))
        client = hmac.new(salted, b"Client Key", algorithm).digest()
        made = hashlib.new(algorithm, client).digest()
        return hmac.compare_digest(made, _decoded(stored))

    return verify


def _argon2_matches(plain: str, rest: str) -> bool:
    library = _argon2()
    try:
        return bool(library.PasswordHasher().verify(rest, plain))
    except library.exceptions.InvalidHash:
        return False
    except library.exceptions.VerificationError as error:
        if str(error) == library.low_level.error_to_str(_ARGON2_NO_MEMORY):
            raise MemoryError("for ARGON2ID") from None
        return False


_ARGON2_NO_MEMORY = -22  # ARGON2_MEMORY_ALLOCATION_ERROR of argon2.h


def _crypt_matches(plain: str, rest: str) -> bool:
    if not _CRYPT_SETTING.match(rest) or len(plain.encode()) > libcrypt.PASSWORD_BYTES:
        return False
    if not libcrypt.available():
        return _library_matches(plain, rest)
    made = libcrypt.crypt(plain, rest)
    return made is not None and hmac.compare_digest(made, rest)


_CRYPT_SETTING = re.compile(r"\$[0-9a-z]+\$[\x21-\x7e]+|[./0-9A-Za-z]{13}\Z")
_PASSLIB = {"6": "sha512_crypt", "5": "sha256_crypt", "1": "md5_crypt", "": "des_crypt"}


def _library_matches(plain: str, rest: str) -> bool:
    """crypt(3) without crypt(3)."""
    kind = rest.split("$")[1] if rest.startswith("$") else ""
    if kind.startswith("2"):
        return bool(_bcrypt().checkpw(plain.encode()[:BCRYPT_BYTES], f"$2b${rest[4:]}".encode()))
    if kind not in _PASSLIB:
        return False
    return bool(getattr(_passlib("CRYPT"), _PASSLIB[kind]).verify(plain, rest))


def _blowfish_matches(plain: str, rest: str) -> bool:
    """Of all that crypt(3) knows, Dovecot takes nothing else under this name."""
    return rest.startswith("$2") and _crypt_matches(plain, rest)


def _md5(plain: str, rest: str) -> bool:
    """{MD5} is Dovecot's MD5-CRYPT or tine's plain digest."""
    return (_crypt_matches if rest.startswith("$1$") else _unsalted("md5"))(plain, rest)


_DIGESTS: dict[str, Callable[[str, str], bool]] = {
    "SSHA512": _salted("sha512"),
    "SSHA384": _salted("sha384"),
    "SSHA256": _salted("sha256"),
    "SSHA": _salted("sha1"),
    "SSHA1": _salted("sha1"),
    "SMD5": _salted("md5"),
    "SHA512": _unsalted("sha512"),
    "SHA384": _unsalted("sha384"),
    "SHA256": _unsalted("sha256"),
    "SHA1": _unsalted("sha1"),
    "SHA": _unsalted("sha1"),
    "PLAIN-MD5": _unsalted("md5"),
    "LDAP-MD5": _unsalted("md5"),
}
_READABLE = ("PLAIN", "CLEARTEXT", "CLEAR")
_CRYPTS = ("CRYPT", "SHA512-CRYPT", "SHA256-CRYPT", "BLF-CRYPT", "MD5-CRYPT", "DES-CRYPT")
_ARGON2 = ("ARGON2ID", "ARGON2I", "ARGON2")
_VERIFY: dict[str, Callable[[str, str], bool]] = {
    **_DIGESTS,
    **dict.fromkeys(_READABLE, _clear),
    **dict.fromkeys(_CRYPTS, _crypt_matches),
    "MD5": _md5,
    "BLF-CRYPT": _blowfish_matches,
    **dict.fromkeys(_ARGON2, _argon2_matches),
    "PBKDF2": _pbkdf2_matches,
    "SCRAM-SHA-1": _scram("sha1"),
    "SCRAM-SHA-256": _scram("sha256"),
}
_SLOW = frozenset(_VERIFY) - frozenset(_DIGESTS) - frozenset((*_READABLE, "MD5"))
# tine makes these, and no Dovecot knows them: nobody can log in with one.
_UNUSABLE = frozenset(("SSHA1", "SSHA384", "SHA384"))
_QUICK = {name: _VERIFY[name] for name in frozenset(_VERIFY) - _SLOW - _UNUSABLE}


def verifies(plain: str, stored: str) -> bool:
    """Whether a stored hash was made from this password; what cannot be verified does not match."""
    try:
        scheme, rest = _parsed(stored)
        return _VERIFY[scheme](plain, rest)
    except (ValueError, KeyError):
        return False


def usable(stored: str) -> bool:
    """Whether a Dovecot knows the scheme of a stored hash."""
    return _parsed(stored)[0] not in _UNUSABLE


def quick_verdict(plain: str, stored: str) -> bool | None:
    """verifies() for what takes microseconds and is usable; None for the rest."""
    end = stored.find("}")
    verify = _QUICK.get(stored[1:end])
    if verify is None or stored[0] != "{":
        return None
    try:
        return verify(plain, stored[end + 1 :])
    except ValueError:
        return False


def slow(stored: str) -> bool:
    """Whether it takes more than microseconds to verify this hash."""
    return stored[1 : stored.find("}")] in _SLOW


def _parsed(stored: str) -> tuple[str, str]:
    """The scheme, in upper case, and the hash without any encoding around it."""
    scheme, _brace, rest = stored[1:].partition("}")
    if not stored.startswith("{"):
        raise ValueError("a hash without a scheme")
    return (scheme, rest) if scheme in _VERIFY else _respelled(scheme.upper(), rest)


def _respelled(spelled: str, rest: str) -> tuple[str, str]:
    """Dovecot takes {ssha256}, {SSHA256.HEX} and {SHA512-CRYPT.B64} as well."""
    scheme, _dot, encoding = spelled.partition(".")
    if not encoding:
        return scheme, rest
    raw = bytes.fromhex(rest) if encoding == "HEX" else _decoded(rest)
    if scheme in _DIGESTS:
        return scheme, binascii.b2a_base64(raw, newline=False).decode("ascii")
    return scheme, raw.decode()


# Strength

# From the weakest to the strongest: readable; cut to 8 characters; without salt, so that one table
# opens all; salted, at billions of guesses per second; slow; slow, and hard for graphics cards.
_RANKS = (
    ("PLAIN", "CLEARTEXT", "CLEAR"),
    ("DES-CRYPT",),
    ("MD5", "PLAIN-MD5", "LDAP-MD5"),
    ("SHA", "SHA1"),
    ("SHA256", "SHA384", "SHA512"),
    ("SMD5", "SSHA", "SSHA1"),
    ("SSHA256", "SSHA384"),
    ("SSHA512",),
    ("MD5-CRYPT",),
    ("PBKDF2", "SCRAM-SHA-1"),
    ("SCRAM-SHA-256",),
    ("SHA256-CRYPT",),
    ("SHA512-CRYPT",),
    ("BLF-CRYPT",),
    ("ARGON2",),
    ("YESCRYPT",),
)
_RANK = {name: rank for rank, names in enumerate(_RANKS) for name in names}
_CRYPT_KINDS = {"6": "SHA512-CRYPT", "5": "SHA256-CRYPT", "1": "MD5-CRYPT", "": "DES-CRYPT"}
_ROUNDS = re.compile(r"\$[56]\$rounds=(\d+)\$")
_ARGON2_WORK = re.compile(r"\$argon2id?\$v=\d+\$m=(\d+),t=(\d+),p=\d+\$")
# Milliseconds per unit of work on one core; their proportions matter, and hold on others, too.
_TIMES = {
    "DES-CRYPT": 0.02,
    "MD5-CRYPT": 0.15 / 1000,
    "PBKDF2": 1.0 / 5000,
    "SCRAM-SHA-1": 1.0 / 5000,
    "SCRAM-SHA-256": 1.5 / 5000,
    "SHA256-CRYPT": 2.0 / 5000,
    "SHA512-CRYPT": 2.0 / 5000,
    "BLF-CRYPT": 55.0 / 1024,
    "ARGON2": 110.0 / (3 * 65536),
    "YESCRYPT": float("inf"),  # not looked into: nothing that we measure against it is as hard
}
_LITTLE_MEMORY = 4096


class Cost(NamedTuple):
    """What one guess at a hash costs."""

    rank: int  # of its scheme
    work: int  # rounds, or passes times KiB: what hashes of one scheme differ in
    time: float  # milliseconds of a core
    memory: int  # KiB that make something else as hard to run in parallel


def cost(stored: str) -> Cost | None:
    """What one guess at a stored hash costs; None if it is not to be understood."""
    try:
        scheme, rest = _parsed(stored)
        family = _family(scheme, rest)
        return _cost(family, _work(family, rest), _memory(family, rest))
    except (ValueError, IndexError, KeyError):
        return None


def cost_of_making(scheme: str) -> Cost:
    """What one guess at a hash costs that would be made in this scheme now."""
    if scheme == "ARGON2ID":
        return _cost("ARGON2", SCHEMES[scheme].work, 2 * _ARGON2_MEMORY)
    return _cost(scheme, SCHEMES[scheme].work, _memory(scheme, ""))


def _cost(family: str, work: int, memory: int) -> Cost:
    return Cost(_RANK[family], work, work * _TIMES.get(family, 0.0), memory)


def weaker(stored: str, scheme: str) -> bool:
    """Whether a stored hash is weaker than what would be made in this scheme now."""
    found, wished = cost(stored), cost_of_making(scheme)
    return found is not None and (found.rank, found.work) < (wished.rank, wished.work)


def _family(scheme: str, rest: str) -> str:
    if scheme in _ARGON2:
        return "ARGON2"
    if scheme == "MD5" and rest.startswith("$1$"):
        return "MD5-CRYPT"
    if scheme not in _CRYPTS:
        return scheme
    kind = rest.split("$")[1] if rest.startswith("$") else ""
    return "BLF-CRYPT" if kind.startswith("2") else _CRYPT_KINDS.get(kind, "YESCRYPT")


def _work(family: str, rest: str) -> int:
    if family in ("SHA512-CRYPT", "SHA256-CRYPT"):
        found = _ROUNDS.match(rest)
        return int(found.group(1)) if found else 5000  # the default of crypt(5)
    if family == "BLF-CRYPT":
        return 1 << int(rest.split("$")[2])
    if family == "ARGON2":
        memory, passes = _argon2_costs(rest)
        return memory * passes
    if family == "PBKDF2":
        return int(rest.split("$")[3])
    if family.startswith("SCRAM"):
        return int(rest.split(",")[0])
    return 1000 if family == "MD5-CRYPT" else 1


def _argon2_costs(rest: str) -> tuple[int, int]:
    """KiB and passes."""
    found = _ARGON2_WORK.match(rest)
    if not found:
        raise ValueError("not a hash of ARGON2")
    return int(found.group(1)), int(found.group(2))


def _memory(family: str, rest: str) -> int:
    if family == "ARGON2":
        return 2 * _argon2_costs(rest)[0]
    return 32768 if family == "BLF-CRYPT" else _LITTLE_MEMORY
