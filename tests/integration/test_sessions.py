# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose sessions are to end is in SQL as soon as the change is, and not before."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pymysql
import pytest

from .conftest import Failed, Host

PROGRAM = Path(__file__).parents[2] / "roles/dovecot/files/end_sessions.py"
SPEC = importlib.util.spec_from_file_location("end_sessions", PROGRAM)
assert SPEC
assert SPEC.loader
program = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(program)

ANN = {"address": "ann@example.org", "password": "secret-1"}
BOB = {"address": "bob@example.org", "password": "secret-2"}


@pytest.fixture
def host(bare: Host) -> Host:
    """Tables of its own: some tests spoil them."""
    bare.run("mail_schema")
    bare.run("mail_domain", name=["example.org"])
    return bare


def named(host: Host) -> list[str]:
    rows = host.sql(f"SELECT username FROM {host.table('dovecot_sessions_to_end')} ORDER BY id")
    return [row["username"] for row in rows]


def test_what_a_run_tells_is_in_the_table(host: Host):
    host.accounts(ANN, BOB)
    assert named(host) == []
    changes = ({**ANN, "status": "disabled"}, {**BOB, "password": "another"})
    predicted = host.accounts(*changes, check=True)["sessions_to_end"]
    assert named(host) == []
    assert host.accounts(*changes)["sessions_to_end"] == predicted == named(host)
    host.accounts(*changes)
    assert named(host) == ["ann@example.org", "bob@example.org"]


def test_a_change_that_ends_nothing_names_nobody(host: Host):
    host.accounts(ANN)
    host.accounts({**ANN, "quota": "2G"})
    assert named(host) == []


def test_a_run_that_fails_names_nobody(host: Host):
    host.accounts(ANN, BOB)
    host.sql(
        f"CREATE TRIGGER `{host.dovecot}`.refuse BEFORE DELETE ON {host.table('dovecot_users')} "
        "FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'"
    )
    with pytest.raises(Failed):
        host.accounts({**ANN, "status": "disabled"}, {**BOB, "state": "absent"})
    assert named(host) == []
    assert host.row("dovecot_users", username="ann@example.org")["status"] == "enabled"


def test_old_names_are_forgotten(host: Host):
    host.accounts(ANN, BOB)
    host.accounts({**ANN, "status": "disabled"})
    table = host.table("dovecot_sessions_to_end")
    host.sql(f"UPDATE {table} SET since = since - INTERVAL 8 DAY")
    host.accounts({**BOB, "status": "disabled"})
    assert named(host) == ["bob@example.org"]


def test_without_the_table_accounts_are_kept_all_the_same(host: Host):
    host.accounts(ANN)
    host.sql(f"DROP TABLE {host.table('dovecot_sessions_to_end')}")
    done = host.accounts({**ANN, "status": "disabled"})
    assert done["sessions_to_end"] == ["ann@example.org"]


def test_the_program_sees_each_name_once_and_again_after_a_restored_backup(host: Host):
    host.accounts(ANN, BOB)
    host.accounts({**ANN, "status": "disabled"})
    with host.mariadb.connect() as connection:
        cursor = connection.cursor(pymysql.cursors.Cursor)
        cursor.execute(f"USE `{host.dovecot}`")
        names, last = program.changed(cursor, 0)
        assert names == {"ann@example.org"}
        assert program.changed(cursor, last) == (set(), last)
        assert program.changed(cursor, last + 100) == ({"ann@example.org"}, last)
        here = [program.Session(name, "1") for name in ("ann@example.org", "bob@example.org", "x")]
        assert program.gone(cursor, here) == {"ann@example.org", "x"}
        assert program.gone(cursor, [program.Session("Bob@Example.org", "1")]) == set()
        assert program.gone(cursor, []) == set()
