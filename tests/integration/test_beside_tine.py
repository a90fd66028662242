# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs beside each other and beside tine, which takes no lock, on both releases' MariaDB."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pymysql
import pytest

from .conftest import Host

HASH = "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ"
TINE = "57a8b3cbd5bfb9b0b5ca2cf3ee9da3e0b0f6f5f0"


@pytest.fixture(params=["mariadb", "trixie"])
def busy(request: pytest.FixtureRequest, collections: Path) -> Host:
    """A host of either release, on which tine has people of its own."""
    host = Host(request.getfixturevalue(request.param), collections, "busy_d", "busy_p")
    host.create_databases()
    host.run("mail_schema")
    for domain in ("example.org", "tine.example"):
        host.sql(f"INSERT INTO {host.table('smtp_virtual_domains')} VALUES (%s, '')", domain)
    tine = Tine(host)
    for number in range(TINE_PEOPLE):
        tine.created(number)
    tine.connection.close()
    return host


TINE_PEOPLE = 3


def address(number: int) -> str:
    return f"t{number}@tine.example"


class Tine:
    """Writes as tine does: no lock, all destinations deleted and inserted again at every save."""

    def __init__(self, host: Host, transactions: bool = True, pause: float = 0) -> None:
        self.host = host
        self.pause = pause  # seconds for which a person that is being saved has no destinations
        self.connection = host.mariadb.connect()
        self.connection.autocommit(not transactions)
        self.saves = 0
        self.faults: list[Exception] = []
        self.stop = threading.Event()

    def _run(self, sql: str, *values: Any) -> None:
        names = ("dovecot_users", "smtp_users", "smtp_destinations")
        with self.connection.cursor() as cursor:
            cursor.execute(sql.format(**{name: self.host.table(name) for name in names}), values)

    def created(self, number: int) -> None:
        userid, name = userid_of(number), address(number)
        self._run(
            "INSERT INTO {dovecot_users} (userid, domain, username, loginname, password, "
            "quota_bytes) VALUES (%s, 'tine.example', %s, %s, %s, 0)",
            *(userid, name, name, HASH),
        )
        self._run(
            "INSERT INTO {smtp_users} (userid, client_idnr, username, passwd, email) "
            "VALUES (%s, %s, %s, %s, %s)",
            *(userid, TINE, name, HASH, name),
        )
        self._destinations(number)
        self.connection.commit()

    def _destinations(self, number: int) -> None:
        userid = userid_of(number)
        self._run("DELETE FROM {smtp_destinations} WHERE userid = %s", userid)
        self.stop.wait(self.pause)
        for source, destination, flag in routes_of(number):
            self._run(
                "INSERT INTO {smtp_destinations} (userid, source, destination, dispatch_address) "
                "VALUES (%s, %s, %s, %s)",
                *(userid, source, destination, flag),
            )

    def saved(self, number: int) -> None:
        """One save of a person."""
        self._run(
            "UPDATE {dovecot_users} SET loginname = %s, last_modified_time = UTC_TIMESTAMP() "
            "WHERE userid = %s AND domain = 'tine.example'",
            *(address(number), userid_of(number)),
        )
        self._run(
            "UPDATE {smtp_users} SET email = %s, last_modified_time = UTC_TIMESTAMP() "
            "WHERE userid = %s AND client_idnr = %s",
            *(address(number), userid_of(number), TINE),
        )
        self._destinations(number)
        self.connection.commit()
        self.saves += 1

    def saves_on(self) -> None:
        """Save one after the other until told to stop; a deadlock is tried again."""
        while not self.stop.is_set():
            try:
                self.saved(self.saves % TINE_PEOPLE)
                self.stop.wait(3 * self.pause)
            except pymysql.MySQLError as fault:
                self.connection.rollback()
                if fault.args[0] not in (1205, 1213, 1020):
                    self.faults.append(fault)
                    return

    def __enter__(self) -> Tine:
        self.thread = threading.Thread(target=self.saves_on)
        self.thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop.set()
        self.thread.join()
        self.connection.close()


def userid_of(number: int) -> str:
    return f"{number:040x}"


def routes_of(number: int) -> list[tuple[str, str, int]]:
    """What tine writes for a person with two aliases and a forward."""
    name = address(number)
    aliases = [(f"{kind}{number}@tine.example", name, kind == "a") for kind in "ab"]
    return [(name, name, 0), *aliases, (name, f"f{number}@far.example", 1)]


def as_tine_left_it(host: Host) -> bool:
    return all(
        host.destinations(userid_of(number)) == set(routes_of(number))
        for number in range(TINE_PEOPLE)
    )


def people(count: int, turn: int, first: int = 0) -> list[dict[str, Any]]:
    """The same people in every turn, with another quota, alias and forward each time."""
    return [
        {
            "address": f"p{number}@example.org",
            "password_hash": HASH,
            "quota": f"{turn}G",
            "aliases": [f"a{number}-{turn % 2}@example.org"],
            "forwards": [f"f{number}-{turn % 2}@far.example"],
        }
        for number in range(first, first + count)
    ]


LONG = pytest.mark.long


@pytest.mark.parametrize("turns", [2, pytest.param(20, marks=LONG)])
def test_runs_at_the_same_moment_agree_with_one_after_the_other(busy: Host, turns: int):
    """Three runs share most of their people, whom they want in the same state."""
    for turn in range(1, turns + 1):
        parts = [people(60, turn, first) for first in (0, 20, 40)]
        runs = [busy.start("mail_accounts", accounts=part) for part in parts]
        results = [busy.finish(run) for run in runs]
        everybody = people(100, turn)
        made = "created" if turn == 1 else "changed"
        assert sum(result["counts"][made] for result in results) == len(everybody)
        assert not busy.accounts(*everybody)["changed"]
    assert as_tine_left_it(busy)


@pytest.mark.parametrize("turns", [3, pytest.param(40, marks=LONG)])
def test_runs_at_the_same_moment_make_everybody_once(busy: Host, turns: int):
    for _turn in range(turns):
        for table in ("smtp_users", "dovecot_users"):
            busy.sql(f"DELETE FROM {busy.table(table)} WHERE username LIKE 'p%@example.org'")
        parts = [people(60, 1, first) for first in (0, 20, 40)]
        runs = [busy.start("mail_accounts", accounts=part) for part in parts]
        assert sum(busy.finish(run)["counts"]["created"] for run in runs) == 100
        assert len(busy.rows("smtp_users")) == 100 + TINE_PEOPLE


@pytest.mark.parametrize("turns", [2, pytest.param(20, marks=LONG)])
def test_runs_that_disagree_leave_what_one_of_them_wants(busy: Host, turns: int):
    busy.accounts(*people(100, 1))
    for turn in range(1, turns + 1):
        wishes = [people(100, 2 * turn), people(100, 2 * turn + 1)]
        for run in [busy.start("mail_accounts", accounts=wish) for wish in wishes]:
            busy.finish(run)
        changed = [busy.accounts(*wish, check=True)["changed"] for wish in wishes]
        assert sorted(changed) == [False, True]


@pytest.mark.parametrize("transactions", [True, False], ids=["transactions", "autocommit"])
@pytest.mark.parametrize("turns", [1, pytest.param(25, marks=LONG)])
def test_runs_go_on_while_tine_saves_its_people(busy: Host, transactions: bool, turns: int):
    with Tine(busy, transactions) as tine:
        for turn in range(1, turns + 1):
            busy.finish(busy.start("mail_accounts", accounts=people(100, turn)))
            assert not busy.accounts(*people(100, turn))["changed"]
    assert tine.faults == []
    assert tine.saves > turns
    assert as_tine_left_it(busy)
    assert len(busy.rows("smtp_users", client_idnr=TINE)) == TINE_PEOPLE


@pytest.mark.parametrize("transactions", [True, False], ids=["transactions", "autocommit"])
@pytest.mark.parametrize("turns", [10, pytest.param(500, marks=LONG)])
def test_a_quota_of_a_person_of_tine_changes_while_tine_saves_it(
    busy: Host, transactions: bool, turns: int
):
    """Both write the same rows: neither's part is lost, and the password stays."""
    with Tine(busy, transactions) as tine:
        for turn in range(1, turns + 1):
            number = turn % TINE_PEOPLE
            said = {"client_idnr": TINE, "quota": f"{turn}G"}
            assert busy.user(address(number), **said)["changed"]
            assert busy.row("dovecot_users", username=address(number))["quota_bytes"] == turn * 1024
    assert tine.faults == []
    assert tine.saves > turns
    assert as_tine_left_it(busy)
    assert {row["password"] for row in busy.rows("dovecot_users")} == {HASH}


def test_a_person_whom_tine_is_just_saving_gets_no_rows_of_ours(busy: Host):
    """Without a transaction, everybody can see that there are no destinations for a moment."""
    with Tine(busy, transactions=False, pause=0.02) as tine:
        for turn in range(1, 11):
            said = {"client_idnr": TINE, "quota": f"{turn}G"}
            assert busy.user(address(turn % TINE_PEOPLE), **said)["changed"]
    assert tine.faults == []
    assert as_tine_left_it(busy)


def test_a_person_who_stays_without_destinations_gets_them_back(busy: Host):
    busy.sql(f"DELETE FROM {busy.table('smtp_destinations')} WHERE userid = %s", userid_of(0))
    said = {"client_idnr": TINE, "quota": "1G"}
    assert busy.user(address(0), **said)["changed"]
    assert busy.destinations(userid_of(0)) == {(address(0), address(0), 0)}
    assert not busy.user(address(0), **said)["changed"]


@pytest.mark.parametrize("turns", [10, pytest.param(500, marks=LONG)])
def test_destinations_of_a_person_of_tine_change_while_tine_saves_it(busy: Host, turns: int):
    """Who writes last wins, but there is always one whole state, and a run is quiet after it."""
    wish = {"client_idnr": TINE, "aliases": ["ours@tine.example"], "forwards": []}
    with Tine(busy) as tine:
        for _turn in range(turns):
            busy.user(address(0), **wish)
            found = busy.destinations(userid_of(0))
            assert found in (set(routes_of(0)), ours(0))
    assert tine.faults == []
    assert tine.saves > turns
    busy.user(address(0), **wish)
    assert busy.destinations(userid_of(0)) == ours(0)
    assert not busy.user(address(0), **wish)["changed"]


def ours(number: int) -> set[tuple[str, str, int]]:
    return {(address(number), address(number), 0), ("ours@tine.example", address(number), 1)}
