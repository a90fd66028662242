# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A large wish that is on record is not looked at again, and anything that changes is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts import (
    unchanged,
    wanted,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._edge import accounts

from .conftest import Host

HASH = "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ"
PEOPLE = [
    {
        "address": f"p{number}@example.org",
        "password_hash": HASH,
        "quota": "1G",
        "aliases": [f"a{number}@example.org"],
    }
    for number in range(20)
]


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for the record that is this test's alone."""
    state = tmp_path / "state"
    monkeypatch.setattr(accounts, "LARGE", 2000)
    monkeypatch.setattr(accounts, "UNCHANGED", str(state / "unchanged"))
    return state / "unchanged"


@pytest.fixture
def settled(host: Host, record: Path) -> Host:
    """A host whose people are on record."""
    host.accounts(*PEOPLE)
    assert not record.exists()
    assert host.accounts(*PEOPLE)["counts"]["unchanged"] == len(PEOPLE)
    assert record.exists()
    return host


def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one whenever wishes are read."""
    times: list[int] = []
    parse = wanted.parse

    def counting(*given: Any, **named: Any) -> Any:
        times.append(1)
        return parse(*given, **named)

    monkeypatch.setattr(wanted, "parse", counting)
    return times


def test_the_wish_is_not_read_again(settled: Host, monkeypatch: pytest.MonkeyPatch):
    times = read(monkeypatch)
    for check in (False, True):
        again = settled.accounts(*PEOPLE, check=check)
        assert not again["changed"]
        assert again["counts"] == {"created": 0, "changed": 0, "removed": 0, "unchanged": 20}
    assert times == []


CHANGES = {
    "a password": "UPDATE {d} SET password = '{{PLAIN}}x' WHERE username = 'p7@example.org'",
    "a password of smtp_users": "UPDATE {s} SET passwd = 'x' WHERE username = 'p7@example.org'",
    "a quota": "UPDATE {d} SET quota_bytes = 5 WHERE username = 'p7@example.org'",
    "an alias": "UPDATE {t} SET source = 'q@example.org' WHERE source = 'a7@example.org'",
    "a flag": "UPDATE {t} SET dispatch_address = 0 WHERE source = 'a7@example.org'",
    "an alias that is gone": "DELETE FROM {t} WHERE source = 'a7@example.org'",
    "a mailbox that is gone": "DELETE FROM {d} WHERE username = 'p7@example.org'",
    "a forward": "INSERT INTO {t} (userid, source, destination, dispatch_address) SELECT userid, "
    "email, 'far@outside.test', 1 FROM {s} WHERE username = 'p7@example.org'",
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_row_that_somebody_changed_is_noticed(settled: Host, what: str):
    before = settled.everything()
    tables = {"d": "dovecot_users", "s": "smtp_users", "t": "smtp_destinations"}
    settled.sql(CHANGES[what].format(**{k: settled.table(v) for k, v in tables.items()}))
    wish = [{**person, "forwards": []} for person in PEOPLE] if what == "a forward" else PEOPLE
    assert settled.accounts(*wish)["changed"]
    assert len(settled.rows("dovecot_users")) == len(before["dovecot_users"])
    assert not settled.accounts(*wish)["changed"]


@pytest.mark.parametrize("change", ["SET email = 'q@example.org'", "SET client_idnr = 'other'"])
def test_an_account_that_is_another_one_now_is_noticed(settled: Host, change: str):
    settled.sql(f"UPDATE {settled.table('smtp_users')} {change} WHERE username = 'p7@example.org'")
    with pytest.raises(AssertionError, match=r"account 8 \(p7@example.org\)"):
        settled.accounts(*PEOPLE)


def test_a_domain_that_is_gone_is_noticed(settled: Host, monkeypatch: pytest.MonkeyPatch):
    settled.sql(f"DELETE FROM {settled.table('smtp_virtual_domains')}")
    times = read(monkeypatch)
    assert not settled.accounts(*PEOPLE)["changed"]
    assert times == [1]


def test_another_wish_is_another_matter(settled: Host):
    other = [*PEOPLE[:-1], {**PEOPLE[-1], "quota": "2G"}]
    assert settled.accounts(*other)["counts"]["changed"] == 1
    assert settled.accounts(*PEOPLE)["counts"]["changed"] == 1


def test_another_option_is_another_matter(settled: Host):
    settled.accounts(*PEOPLE[:10], {"address": "late@example.org", "password_hash": HASH})
    assert not settled.accounts(*PEOPLE)["changed"]
    assert settled.accounts(*PEOPLE, prune=True)["counts"]["removed"] == 1


def test_another_owner_is_another_matter(settled: Host):
    with pytest.raises(AssertionError, match="belongs to client_idnr"):
        settled.accounts(*PEOPLE, client_idnr="somebody")


def test_a_file_is_known_again(
    settled: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: Path
):
    source = tmp_path / "people.jsonl"
    source.write_text("".join(f"{json.dumps(person)}\n" for person in PEOPLE))
    settled.run("mail_accounts", src=[str(source)])
    times = read(monkeypatch)
    assert not settled.run("mail_accounts", src=[str(source)])["changed"]
    assert times == []
    source.write_text(source.read_text().replace('"1G"', '"3G"'))
    assert settled.run("mail_accounts", src=[str(source)])["counts"]["changed"] == 20


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"version": 1, "notes": {"x": 1}}', b"\xff"]
)
def test_a_damaged_record_is_none(settled: Host, record: Path, content: bytes):
    record.write_bytes(content)
    assert not settled.accounts(*PEOPLE)["changed"]
    assert json.loads(record.read_bytes())["version"] == 1


def test_a_record_that_others_may_write_is_not_trusted(
    settled: Host, record: Path, monkeypatch: pytest.MonkeyPatch
):
    record.chmod(0o666)
    times = read(monkeypatch)
    assert not settled.accounts(*PEOPLE)["changed"]
    assert times == [1]
    assert record.stat().st_mode & 0o777 == 0o600


def test_the_record_holds_nothing_that_can_be_guessed_fast(settled: Host, record: Path):
    text = record.read_text()
    assert "example.org" not in text
    assert "SSHA256" not in text
    (note,) = json.loads(text)["notes"].values()
    assert unchanged._SCRYPT["n"] * unchanged._SCRYPT["p"] >= 3 << 15
    assert len(bytes.fromhex(note[1])) == 64


def test_few_people_are_simply_read(host: Host, record: Path):
    host.accounts(PEOPLE[0])
    host.accounts(PEOPLE[0])
    assert not record.exists()
