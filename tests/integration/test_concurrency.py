# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two writers at once, killed writers, lost servers: all or nothing."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import pymysql
import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils import _connection
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.errors import (
    DatabaseRefuses,
    GivenUp,
    NoServer,
)

from .conftest import Failed, Host

HASH = "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ"


def people(number: int, **said: Any) -> list[dict[str, Any]]:
    return [
        {
            "address": f"p{n}@example.org",
            "password_hash": HASH,
            "aliases": [f"a{n}@example.org"],
            **said,
        }
        for n in range(number)
    ]


def server(host: Host) -> _connection.Server:
    return _connection.Server(
        {
            "login_host": [],
            "login_unix_socket": host.mariadb.socket,
            "login_user": "root",
            "login_password": None,
            "login_port": 3306,
        }
    )


def test_two_runs_at_the_same_moment_make_each_account_once(host: Host):
    runs = [host.start("mail_accounts", accounts=people(300)) for _run in range(3)]
    results = [host.finish(run) for run in runs]
    assert sum(result["counts"]["created"] for result in results) == 300
    assert [result["changed"] for result in results].count(True) == 1
    assert len(host.rows("dovecot_users")) == len(host.rows("smtp_users")) == 300
    assert len(host.destinations()) == 600


def outcome(host: Host, run: Any) -> str:
    try:
        host.finish(run)
    except Failed as failure:
        if "alias 'info@example.org' already is the alias of account" in str(failure):
            return "refused"
        raise
    return "changed"


def test_two_runs_with_one_alias_give_it_to_one_of_them(host: Host):
    alias = {"aliases": ["info@example.org"], "password_hash": HASH}
    runs = [host.start("mail_user", address=f"{name}@example.org", **alias) for name in "abc"]
    outcomes = [outcome(host, run) for run in runs]
    assert sorted(outcomes) == ["changed", "refused", "refused"]
    assert len(host.rows("smtp_destinations", source="info@example.org")) == 1


@pytest.mark.parametrize("rounds", [6, pytest.param(50, marks=pytest.mark.long)])
def test_a_killed_run_leaves_all_or_nothing(host: Host, rounds: int):
    number = 1000
    host.accounts(*turned(number, 1))
    started = time.monotonic()
    host.finish(host.start("mail_accounts", accounts=turned(number, 2)))
    length = time.monotonic() - started
    outcomes = set()
    for turn in range(3, rounds + 3):
        before = host.everything()
        run = host.start("mail_accounts", accounts=turned(number, turn))
        time.sleep(random.uniform(length / 3, length * 1.2))
        run.kill()
        run.communicate()
        settled(host)
        if host.rows("dovecot_users", quota_bytes=turn):
            assert not host.accounts(*turned(number, turn))["changed"]
            outcomes.add("all")
        else:
            assert host.everything() == before
            assert host.accounts(*turned(number, turn))["counts"]["changed"] == number
            outcomes.add("nothing")
    assert outcomes


def turned(number: int, turn: int) -> list[dict[str, Any]]:
    """The same people with another quota and another alias each."""
    return [
        {**person, "quota": f"{turn}M", "aliases": [f"a{turn}-{n}@example.org"]}
        for n, person in enumerate(people(number))
    ]


def settled(host: Host) -> None:
    """Wait until the server has noticed that the client is gone."""
    others = (
        "SELECT 1 FROM information_schema.processlist WHERE user = 'root' AND id <> CONNECTION_ID()"
    )
    until = time.monotonic() + 30
    while host.sql(others) and time.monotonic() < until:
        time.sleep(0.05)


def as_tine_does(host: Host, stop: threading.Event, faults: list[Exception]) -> None:
    """Save one account again and again as tine does: update, delete its destinations, insert."""
    connection = host.mariadb.connect()
    connection.autocommit(False)
    connection.cursor().execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    connection.commit()
    while not stop.is_set():
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    f"UPDATE {host.table('smtp_users')} SET last_modified_time = NOW() "
                    "WHERE userid = %s",
                    ("t" * 40,),
                )
                cursor.execute(
                    f"DELETE FROM {host.table('smtp_destinations')} WHERE userid = %s",
                    ("t" * 40,),
                )
                cursor.execute(
                    f"INSERT INTO {host.table('smtp_destinations')} (userid, source, destination, "
                    "dispatch_address) VALUES (%s, 'tina@example.org', 'tina@example.org', 0)",
                    ("t" * 40,),
                )
            connection.commit()
        except pymysql.MySQLError as fault:
            connection.rollback()
            if fault.args[0] not in (1213, 1020):
                faults.append(fault)
    connection.close()


def test_tine_writing_meanwhile_disturbs_nobody(host: Host):
    for table, columns in (
        ("dovecot_users", "password, loginname"),
        ("smtp_users", "passwd, email"),
    ):
        owner = ", client_idnr" if table == "smtp_users" else ""
        value = ", 'tine'" if owner else ""
        host.sql(
            f"INSERT INTO {host.table(table)} (userid, username, {columns}{owner}) VALUES "
            f"(%s, 'tina@example.org', 'x', 'tina@example.org'{value})",
            ("t" * 40,),
        )
    stop, faults = threading.Event(), []
    writer = threading.Thread(target=as_tine_does, args=(host, stop, faults))
    writer.start()
    try:
        for turn in range(6):
            runs = [
                host.start("mail_accounts", accounts=people(100, quota=f"{turn + 1}G")),
                host.start(
                    "mail_user",
                    address="tina@example.org",
                    client_idnr="tine",
                    quota=f"{turn + 1}G",
                    forwards=["x@far.example"] if turn % 2 else [],
                ),
            ]
            for run in runs:
                host.finish(run)
    finally:
        stop.set()
        writer.join()
    assert faults == []
    assert {row["quota_bytes"] for row in host.rows("dovecot_users")} == {6 * 1024}
    assert len(host.rows("smtp_users")) == 101


# ---- the transaction


class Refusing:
    """An attempt that the server refuses a number of times."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.calls = 0

    def __call__(self, cursor: Any) -> list[str]:
        self.calls += 1
        if self.codes:
            raise pymysql.err.OperationalError(self.codes.pop(0), "refused")
        cursor.execute("SELECT 1")
        return ["done"]


@pytest.mark.parametrize("code", [1020, 1205, 1213, 1062, 1452, 1047, 2006, 2013])
def test_a_transaction_is_run_again_from_its_start(host: Host, code: int):
    attempt = Refusing(code, code)
    assert server(host).settle(attempt) == ["done"]
    assert attempt.calls == 3


def test_it_gives_up_with_the_reason(host: Host):
    with pytest.raises(GivenUp, match="refused"):
        server(host).settle(Refusing(*[1213] * 100))
    with pytest.raises(DatabaseRefuses, match="error 1062"):
        server(host).settle(Refusing(*[1062] * 100))
    with pytest.raises(pymysql.MySQLError):
        server(host).settle(Refusing(1064))


def test_a_server_that_stays_away_is_told(host: Host, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_connection, "RECONNECT_SECONDS", 1.0)
    with pytest.raises(NoServer, match="any more"):
        server(host).settle(Refusing(*[2006] * 100))


def test_what_was_lost_during_commit_is_read_again_and_reported(host: Host):
    """The first COMMIT arrives, its answer does not: the second attempt has nothing to do."""
    away = server(host)
    plans = [["create ann"], []]

    def attempt(cursor: Any) -> list[str]:
        cursor.execute("SELECT 1")
        plan = plans.pop(0)
        if plan:

            class Lost(pymysql.connections.Connection):
                def commit(self) -> None:
                    super().commit()
                    raise pymysql.err.OperationalError(2013, "Lost connection")

            cursor.connection.__class__ = Lost
        return plan

    assert away.settle(attempt) == ["create ann"]
    assert plans == []


def test_a_killed_connection_is_replaced(host: Host):
    away = server(host)
    calls = []

    def attempt(cursor: Any) -> list[str]:
        calls.append(1)
        if len(calls) == 1:
            cursor.execute("SELECT CONNECTION_ID()")
            ((number,),) = cursor.fetchall()
            host.sql(f"KILL {number}")
            time.sleep(0.2)
        cursor.execute("SELECT 1")
        return ["done"]

    assert away.settle(attempt) == ["done"]


def test_a_server_that_restarts_is_awaited(host: Host):
    away = server(host)
    calls = []

    def attempt(cursor: Any) -> list[str]:
        calls.append(1)
        if len(calls) == 1:
            host.mariadb.kill()
            threading.Timer(2, host.mariadb.start).start()
        cursor.execute("SELECT 1")
        return ["done"]

    assert away.settle(attempt) == ["done"]


def test_no_session_setting_is_left_to_the_server(host: Host):
    def attempt(cursor: Any) -> list[Any]:
        cursor.execute("SELECT @@sql_mode, @@time_zone, @@tx_isolation, @@autocommit")
        return list(cursor.fetchall())

    assert server(host).settle(attempt) == [
        ("STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION", "+00:00", "READ-COMMITTED", 0)
    ]
