# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was verified once is known, what changed is not, and only a record of ours is trusted."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts import (
    passwords,
    schemes,
    verified,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.model import Secret
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.verified import (
    Claim,
    Memory,
)
from hypothesis import given, settings
from hypothesis import strategies as st


def hashed(plain: str, salt: str = "salt") -> str:
    """A slow hash that costs little to make."""
    digest = hashlib.pbkdf2_hmac("sha1", plain.encode(), salt.encode(), 1)
    return f"{{PBKDF2}}$1${salt}$1${digest.hex()}"


def claim(number: int, plain: str = "pass") -> Claim:
    return Claim(f"id{number}", plain, (hashed(plain, "imap"), hashed(plain, "smtp")))


def claims(count: int, first: int = 0) -> list[Claim]:
    return [claim(number, f"pass {number}") for number in range(first, first + count)]


@pytest.fixture(autouse=True)
def cheap_digests(monkeypatch: pytest.MonkeyPatch):
    """What is tested here is which digests are made, not how long that takes."""
    monkeypatch.setattr(schemes, "_LITTLE_MEMORY", 16)
    monkeypatch.setattr(verified, "_SCRYPT_TIME", 1.0)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "state" / "verified.json")


def remembered(path: str, people: list[Claim]) -> Memory:
    """A later run, after one that has proved these claims."""
    Memory.load(path).remember(people)
    return Memory.load(path)


def test_what_was_remembered_is_known_to_the_next_run_in_any_order(path: str):
    people = claims(100)
    assert Memory.load(path).known(people) == set()
    assert remembered(path, people).known(people[::-1]) == set(people)


def test_a_changed_password_makes_only_a_few_others_unknown(path: str):
    people = claims(1000)
    memory = remembered(path, people)
    people[7] = claim(7, "another")
    unknown = set(people) - memory.known(people)
    assert people[7] in unknown
    assert len(unknown) < 50


def test_a_changed_hash_is_unknown(path: str):
    people = claims(100)
    memory = remembered(path, people)
    changed = people[7]._replace(hashes=(hashed("pass 7", "other"), people[7].hashes[1]))
    assert changed not in memory.known([changed if one is people[7] else one for one in people])


def test_a_password_under_another_userid_is_unknown(path: str):
    people = claims(100)
    memory = remembered(path, people)
    moved = people[7]._replace(userid="moved")
    assert moved not in memory.known([moved if one is people[7] else one for one in people])


def test_exchanged_passwords_are_unknown(path: str):
    people = [Claim(f"id{n}", f"pass {n}", (hashed("pass 1"),)) for n in range(20)]
    memory = remembered(path, people)
    people[1], people[2] = people[1]._replace(plain="pass 2"), people[2]._replace(plain="pass 1")
    assert not {people[1], people[2]} & memory.known(people)


def test_people_who_join_or_leave_make_only_their_neighbours_unknown(path: str):
    people = claims(1000)
    memory = remembered(path, people)
    assert 900 < len(memory.known(people[1:])) < 1000
    assert 900 < len(memory.known([*people, *claims(1, first=2000)])) < 1000


def test_a_list_that_has_grown_to_another_size_of_blocks_is_still_known(path: str):
    people = claims(2870)
    memory = remembered(path, people)
    more = [*people, *claims(20, first=5000)]
    assert verified._levels(len(people)) == (3, 6)
    assert verified._levels(len(more)) == (6, 9)
    assert len(memory.known(more)) > 1500
    assert remembered(path, more).known(more) == set(more)


def test_lists_that_are_applied_in_turn_keep_their_records(path: str):
    team, school, club = claims(30), claims(40, first=10), claims(400, first=20)
    for people in (team, school, club):
        memory = remembered(path, people)
    for people in (team, school, club):
        assert memory.known(people) == set(people)


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_nothing_is_known_that_was_not_proved(data: st.DataObject, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("memory") / "state" / "verified.json")
    numbers = st.sets(st.integers(0, 60), min_size=16)
    proved = [claim(n) for n in data.draw(numbers)]
    asked = [claim(n, data.draw(st.sampled_from(["pass", "other"]))) for n in data.draw(numbers)]
    memory = remembered(path, proved)
    assert memory.known(asked) <= set(proved)
    assert memory.known(proved) == set(proved)


def test_a_handful_of_people_leaves_no_record(path: str):
    people = claims(15)
    assert remembered(path, people).known(people) == set()
    assert not os.path.exists(path)


def test_a_record_tells_neither_names_nor_passwords_nor_hashes(path: str):
    people = claims(100)
    remembered(path, people)
    text = Path(path).read_text()
    assert not [
        word for one in people for word in (one.userid, one.plain, *one.hashes) if word in text
    ]


def test_two_hosts_have_nothing_in_common(tmp_path: Path):
    people = claims(100)
    slots = []
    for host in ("one", "other"):
        Memory.load(str(tmp_path / host / "verified.json")).remember(people)
        record = json.loads((tmp_path / host / "verified.json").read_text())
        slots.append({digest for digests in record["blocks"].values() for digest in digests})
    assert slots[0]
    assert not slots[0] & slots[1]


def test_the_record_does_not_grow_with_the_runs(path: str):
    sizes = []
    for run in range(8):
        remembered(path, [claim(n, f"pass {run}") for n in range(100)])
        sizes.append(len(Path(path).read_text()))
    assert sizes[3:] == sizes[3:4] * 5


def test_the_record_is_for_root_alone(path: str):
    before = os.umask(0)
    try:
        remembered(path, claims(100))
    finally:
        os.umask(before)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700
    assert os.listdir(os.path.dirname(path)) == ["verified.json"]


def not_ours(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(path).st_uid + 1)


def linked(path: str, _monkeypatch: pytest.MonkeyPatch) -> None:
    os.rename(path, f"{path}.real")
    os.symlink(f"{path}.real", path)


def a_pipe(path: str, _monkeypatch: pytest.MonkeyPatch) -> None:
    os.unlink(path)
    os.mkfifo(path, 0o600)


def changed(path: str, change) -> None:
    record = json.loads(Path(path).read_text())
    change(record)
    Path(path).write_text(json.dumps(record))


def of_another_version(path: str, _monkeypatch: pytest.MonkeyPatch) -> None:
    changed(path, lambda record: record.update(version=2))


def with_another_salt(path: str, _monkeypatch: pytest.MonkeyPatch) -> None:
    changed(path, lambda record: record.update(salt="00" * 32))


def forged(path: str, _monkeypatch: pytest.MonkeyPatch) -> None:
    changed(path, lambda r: r.update(blocks=dict.fromkeys(r["blocks"], ["00" * 32])))


def with_blocks_moved(path: str, _monkeypatch: pytest.MonkeyPatch) -> None:
    def move(record) -> None:
        blocks = record["blocks"]
        record["blocks"] = dict(zip(blocks, [*list(blocks.values())[1:], blocks["0/0"]]))

    changed(path, move)


def huge(path: str, _monkeypatch: pytest.MonkeyPatch) -> None:
    with open(path, "r+") as file:
        file.seek(17 << 20)
        file.write("x")


DAMAGES = [
    not_ours,
    linked,
    a_pipe,
    of_another_version,
    with_another_salt,
    forged,
    with_blocks_moved,
    huge,
    *(
        pytest.param(lambda path, _m, mode=mode: os.chmod(path, mode), id=f"mode {mode:o}")
        for mode in (0o640, 0o604, 0o602)
    ),
    *(
        pytest.param(lambda path, _m, text=text: Path(path).write_bytes(text), id=repr(text))
        for text in (
            b"",
            b"{",
            b"[]",
            b"null",
            b"\xff\x00",
            b'{"version": 1}',
            b'{"version": 1, "salt": 5, "blocks": {}}',
            b'{"version": 1, "salt": "zz", "blocks": {}}',
            b'{"version": 1, "salt": "%s", "blocks": []}' % (b"00" * 32),
            b'{"version": 1, "salt": "%s", "blocks": {"0/0": 5}}' % (b"00" * 32),
            b'{"version": 1, "salt": "%s", "blocks": {"0/0": [5]}}' % (b"00" * 32),
            b'{"version": 1, "salt": "%s", "blocks": {"../x": []}}' % (b"00" * 32),
            b"[" * 100000,
        )
    ),
    pytest.param(lambda path, _m: os.chmod(os.path.dirname(path), 0o770), id="open directory"),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_record_that_is_damaged_or_not_ours_is_as_good_as_none(path, monkeypatch, damage):
    people = claims(30)
    remembered(path, people)
    damage(path, monkeypatch)
    assert Memory.load(path).known(people) == set()


@pytest.mark.parametrize("damage", [linked, a_pipe, huge, of_another_version, forged])
def test_a_damaged_record_is_replaced(path, monkeypatch, damage):
    people = claims(30)
    remembered(path, people)
    damage(path, monkeypatch)
    assert remembered(path, people).known(people) == set(people)
    assert os.stat(path, follow_symlinks=False).st_mode == 0o100600


def test_a_place_where_nothing_can_be_written_is_no_fault(tmp_path: Path):
    (tmp_path / "file").write_text("")
    for place in ("file/verified.json", "missing/state/verified.json"):
        assert remembered(str(tmp_path / place), claims(30)).known(claims(30)) == set()


def test_a_directory_that_others_may_write_to_gets_no_record(tmp_path: Path):
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state").chmod(0o777)
    remembered(str(tmp_path / "state" / "verified.json"), claims(30))
    assert not list((tmp_path / "state").iterdir())


def test_a_run_beside_another_that_writes_does_not_wait_for_it(path: str):
    people = claims(30)
    remembered(path, people)
    handle = os.open(os.path.dirname(path), os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        memory = remembered(path, claims(30, first=100))
    finally:
        os.close(handle)
    assert memory.known(claims(30, first=100)) == set()
    assert memory.known(people) == set(people)


def test_what_another_run_has_written_meanwhile_is_kept(path: str):
    remembered(path, claims(20))
    one, other = Memory.load(path), Memory.load(path)
    one.remember(claims(30))
    other.remember(claims(40))
    memory = Memory.load(path)
    for count in (20, 30, 40):
        assert memory.known(claims(count)) == set(claims(count))


def test_without_scrypt_nothing_is_known_and_nothing_breaks(path, monkeypatch):
    remembered(path, claims(30))

    def forbidden(*_values, **_options):
        raise ValueError("disabled for FIPS")

    monkeypatch.setattr(hashlib, "scrypt", forbidden)
    assert Memory.load(path).known(claims(30)) == set()
    Memory.load(path).remember(claims(50))
    monkeypatch.delattr(hashlib, "scrypt")
    assert Memory.load(path).known(claims(30)) == set()
    Memory.load(path).remember(claims(50))


WRITER = """
import sys
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts import schemes
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts import verified
schemes._LITTLE_MEMORY = 16
verified._SCRYPT_TIME = 1.0
memory = verified.Memory.load(sys.argv[1])
claim = verified.Claim("id", "pass", ("{PBKDF2}$1$salt$1$00",))
print("ready", flush=True)
run = 0
while True:
    run += 1
    memory.remember([claim._replace(userid=f"id{n}", plain=f"{run}") for n in range(20)])
"""


def test_a_run_that_is_killed_while_it_writes_leaves_a_whole_record(path: str):
    people = claims(1000)  # of other blocks than those that are written
    remembered(path, people)
    program = [sys.executable, "-c", WRITER, path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for _time in range(8):
        writer = subprocess.Popen(program, env=environment, stdout=subprocess.PIPE)
        assert writer.stdout.readline() == b"ready\n"
        before = Path(path).stat().st_ino
        while Path(path).stat().st_ino == before:
            assert writer.poll() is None
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        assert Memory.load(path).known(people) == set(people)
    assert remembered(path, claims(30)).known(claims(30)) == set(claims(30))
    assert os.listdir(os.path.dirname(path)) == ["verified.json"]


# Through the keyring, as a run uses it


class Host:
    """Stored hashes, and runs that bring them to wished passwords."""

    def __init__(self, path: str, done: list[str]) -> None:
        self.path = path
        self.done = done  # passwords that were really verified
        self.stored: dict[str, tuple[str, str]] = {}

    def run(self, wishes: dict[str, Secret], upgrade: bool = False, check: bool = False) -> int:
        """How many hashes were verified one by one."""
        self.done.clear()
        keyring = passwords.Keyring(upgrade, Memory.load(self.path))
        there = [(userid, wishes[userid], self.stored[userid]) for userid in self.stored]
        keyring.verify(there)
        new = [
            (userid, table, secret)
            for userid, secret in wishes.items()
            for table in (0, 1)
            if not (userid in self.stored and keyring.holds(secret, self.stored[userid][table]))
        ]
        verified_now = len(self.done)
        if not check:
            keyring.prepare((userid, str(table), secret) for userid, table, secret in new)
            for userid, table, secret in new:
                row = list(self.stored.get(userid, ("", "")))
                row[table] = keyring.hashed(userid, str(table), secret)
                self.stored[userid] = tuple(row)
            keyring.remember()
        return verified_now


@pytest.fixture
def host(path: str, monkeypatch: pytest.MonkeyPatch) -> Host:
    done: list[str] = []
    usual = schemes.verifies

    def verifies(plain: str, stored: str) -> bool:
        done.append(plain)
        return usual(plain, stored)

    monkeypatch.setattr(schemes, "verifies", verifies)
    return Host(path, done)


@pytest.fixture
def wishes() -> dict[str, Secret]:
    return {f"id{n}": Secret(f"pass {n}", None, "PBKDF2") for n in range(64)}


def test_what_a_run_has_made_the_next_one_does_not_verify(host, wishes):
    assert host.run(wishes) == 0
    assert host.run(wishes) == 0
    assert all(
        passwords.matches(wishes[userid].plain, stored)
        for userid, row in host.stored.items()
        for stored in row
    )


def test_without_a_record_all_is_verified_and_then_known(host, wishes):
    host.run(wishes)
    os.unlink(host.path)
    assert host.run(wishes) == 128
    assert host.run(wishes) == 0


def test_check_mode_reads_the_record_and_writes_none(host, wishes):
    host.run(wishes)
    record = Path(host.path).read_bytes()
    assert host.run(wishes, check=True) == 0
    os.unlink(host.path)
    assert host.run(wishes, check=True) == 128
    assert not os.path.exists(host.path)
    Path(host.path).write_bytes(record)


def test_a_changed_wish_is_stored_and_known_afterwards(host, wishes):
    host.run(wishes)
    before = host.stored["id5"]
    wishes["id5"] = Secret("changed", None, "PBKDF2")
    assert 2 <= host.run(wishes) < 40
    assert not set(before) & set(host.stored["id5"])
    assert passwords.matches("changed", host.stored["id5"][0])
    assert host.run(wishes) == 0


def test_a_hash_that_somebody_else_has_stored_is_replaced(host, wishes):
    host.run(wishes)
    foreign = passwords.hashed(Secret("foreign", None, "PBKDF2"))
    host.stored["id5"] = (foreign, host.stored["id5"][1])
    host.run(wishes)
    assert passwords.matches("pass 5", host.stored["id5"][0])
    assert host.run(wishes) == 0


def test_new_people_cost_the_others_nothing(host, wishes):
    host.run(wishes)
    wishes.update({f"new{n}": Secret("new", None, "PBKDF2") for n in range(5)})
    assert host.run(wishes) == 0
    assert host.run(wishes) == 0


def test_an_upgrade_replaces_what_is_known_and_is_known_afterwards(host, wishes):
    host.run(wishes)
    wishes = {userid: Secret(w.plain, None, "SHA256-CRYPT") for userid, w in wishes.items()}
    assert host.run(wishes) == 0
    assert all(row[0].startswith("{PBKDF2}") for row in host.stored.values())
    host.run(wishes, upgrade=True)
    assert all(row[1].startswith("{SHA256-CRYPT}") for row in host.stored.values())
    assert host.run(wishes, upgrade=True) == 0


def test_without_a_memory_every_run_verifies_all(wishes):
    stored = passwords.hashed(Secret("pass 1", None, "PBKDF2"))
    keyring = passwords.Keyring(memory=None)
    keyring.verify([("id1", wishes["id1"], (stored, None))])
    assert keyring.holds(wishes["id1"], stored)
    keyring.remember()
