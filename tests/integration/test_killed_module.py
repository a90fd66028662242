# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run with thousands of changes is killed: the tables are as before or as after."""

from __future__ import annotations

import json
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import RENEWED, Host, judged

HASH = "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ"
TABLES = ("dovecot_users", "smtp_users", "smtp_destinations")
# Of other transactions than our own.
WRITTEN = (
    "SELECT COALESCE(SUM(trx_rows_modified), 0) AS written FROM information_schema.innodb_trx "
    "WHERE trx_mysql_thread_id <> CONNECTION_ID()"
)
CLIENTS = (
    "SELECT 1 FROM information_schema.processlist WHERE user = 'root' AND id <> CONNECTION_ID()"
)


def state(path: Path, turn: int, number: int) -> dict[str, Any]:
    """All people, each with two rows to change, two to remove and two to add in the other state."""
    people = (
        {
            "address": f"p{person}@example.org",
            "password_hash": HASH,
            "quota": f"{turn + 1}G",
            "aliases": [f"a{turn}-{person}@example.org"],
            "forwards": [f"f{turn}-{person}@far.example"],
        }
        for person in range(number)
    )
    file = path / f"{turn}.jsonl"
    file.write_text("".join(f"{json.dumps(person)}\n" for person in people))
    return {"src": [str(file)], "remote_src": True}


def fingerprint(host: Host) -> tuple[Any, ...]:
    """All rows but their times, as one snapshot sees them."""
    connection = host.mariadb.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            return tuple(_sum(cursor, host, table) for table in TABLES)
    finally:
        connection.close()


def _sum(cursor: Any, host: Host, table: str) -> tuple[Any, ...]:
    cursor.execute(f"SHOW COLUMNS FROM {host.table(table)}")
    columns = [row["Field"] for row in cursor.fetchall() if row["Field"] != "last_modified_time"]
    quoted = ", ".join(f"QUOTE(`{column}`)" for column in columns)  # NULL becomes a word
    digest = f"CONV(LEFT(SHA1(CONCAT_WS(',', {quoted})), 16), 16, 10)"
    cursor.execute(
        f"SELECT COUNT(*) AS number, BIT_XOR(CAST({digest} AS UNSIGNED)) AS digest "
        f"FROM {host.table(table)}"
    )
    return tuple(cursor.fetchone().values())


def awaited(host: Host, statement: str, what: str) -> None:
    """Wait until the statement finds nothing any more."""
    until = time.monotonic() + 60
    while host.sql(statement):
        assert time.monotonic() < until, what
        time.sleep(0.02)


class Watched:
    """A run, and how far it is: how long it has been running, how many rows it has written."""

    def __init__(self, host: Host, state: dict[str, Any]) -> None:
        self.connection = host.mariadb.connect()
        self.run = host.start("mail_accounts", **state)
        self.began = time.monotonic()
        self.said: tuple[str, str] = ("", "")
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        self.said = self.run.communicate()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def written(self) -> int:
        with self.connection.cursor() as cursor:
            cursor.execute(WRITTEN)
            return int(cursor.fetchone()["written"])

    def until(self, seconds: float, rows: int) -> int:
        """Wait for either, or for the end of the run; how many rows it had written by then."""
        most = 0
        while self.reader.is_alive():
            most = self.written()
            if most >= rows or self.seconds >= seconds:
                return most
            time.sleep(RENEWED)
        return 0

    def ended(self) -> None:
        self.reader.join(60)
        self.connection.close()


def killed(host: Host, state: dict[str, Any], seconds: float, rows: int) -> int:
    """Kill a run at this point of it; how many rows were written and not committed."""
    watched = Watched(host, state)
    written = watched.until(seconds, rows)
    watched.run.kill()
    watched.ended()
    awaited(host, CLIENTS, "the server still has the client that was killed")
    return written


def undisturbed(host: Host, state: dict[str, Any], number: int) -> tuple[float, int]:
    """How long a whole run takes, and how many rows it writes."""
    watched = Watched(host, state)
    most = 0
    while watched.reader.is_alive():
        most = max(most, watched.written())
        time.sleep(RENEWED)
    seconds = watched.seconds
    watched.ended()
    assert judged(*watched.said)["counts"]["changed"] == number
    return seconds, most


@pytest.mark.parametrize(
    ("kills", "number"), [(3, 3000), pytest.param(50, 10_000, marks=pytest.mark.long)]
)
def test_a_killed_run_leaves_the_tables_as_before_or_as_after(
    host: Host, tmp_path: Path, kills: int, number: int
):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    states = [state(tmp_path, turn, number) for turn in (0, 1)]
    host.run("mail_accounts", **states[0])
    marks = [fingerprint(host)]
    seconds, rows = undisturbed(host, states[1], number)
    marks.append(fingerprint(host))
    assert marks[0] != marks[1]
    amid = 0
    for kill in range(kills):
        before, after = (1, 0) if kill % 2 == 0 else (0, 1)
        amid += killed(host, states[after], *point(chance, kill, kills, seconds, rows)) > 0
        found = fingerprint(host)
        assert found in marks
        done = host.run("mail_accounts", **states[after])["counts"]
        assert done["changed"] == (number if found == marks[before] else 0)
        assert fingerprint(host) == marks[after]
        assert host.sql(f"SELECT id FROM {host.table('mailserver_lock')}") == [{"id": 1}]
    print(f"{amid} of {kills} were killed while they were writing")
    assert amid


def point(
    chance: random.Random, kill: int, kills: int, seconds: float, rows: int
) -> tuple[float, int]:
    """When to kill: every other time by the clock, spread over the run, else by written rows."""
    if kill % 2:
        return seconds * (kill + chance.random()) / kills, rows * 2
    # Not the last of them: the run would be over before they are seen.
    return seconds * 2, int(rows * chance.uniform(0, 0.8)) + 1
