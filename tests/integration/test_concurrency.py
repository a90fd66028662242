# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A transaction that the server refuses, loses or settles otherwise, and names that two want."""

from __future__ import annotations

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
        cursor.execute(
            "SELECT @@sql_mode, @@time_zone, @@tx_isolation, @@autocommit, @@lock_wait_timeout"
        )
        return list(cursor.fetchall())

    assert server(host).settle(attempt) == [
        ("STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION", "+00:00", "READ-COMMITTED", 0, 50)
    ]


def test_an_open_transaction_does_not_hold_up_a_run_for_ever(
    host: Host, monkeypatch: pytest.MonkeyPatch
):
    """ALTER TABLE waits for everybody who has read the table and not come to an end."""
    monkeypatch.setattr(_connection, "LOCK_SECONDS", 1)
    monkeypatch.setattr(_connection, "ATTEMPTS", 2)
    table = host.table("dovecot_users")
    reader = host.mariadb.connect()
    with reader, reader.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute(f"SELECT COUNT(*) FROM {table}")
        cursor.fetchall()

        def attempt(own: Any) -> list[str]:
            own.execute(f"ALTER TABLE {table} ADD COLUMN later int")
            return ["done"]

        with pytest.raises(GivenUp, match="Lock wait timeout"):
            server(host).settle(attempt)
        reader.rollback()
        assert server(host).settle(attempt) == ["done"]
