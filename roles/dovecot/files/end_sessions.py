# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Ansible managed
"""Ends the IMAP, POP3 and ManageSieve sessions of people who may not go on, and names them.

Those are the people who are logged in while their account is gone, renamed, disabled, blocked or
expired, and those whom dovecot_sessions_to_end names since this host has last looked.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pymysql
from pymysql.constants.CLIENT import SSL
from pymysql.constants.CR import CR_SSL_CONNECTION_ERROR

OPTIONS = "/etc/dovecot/end-sessions.cnf"
STATE = "/var/lib/groupware-mailserver/ended-sessions"
LOGINS = frozenset(("imap", "pop3", "sieve"))  # not lmtp: a delivery may come to its end
NOT_RUNNING = ("No such file or directory", "Connection refused")
SECONDS = 20  # until a session has ended that was told to

ACTIVE = """
    (person.status IS NULL OR person.status = 'enabled')
    AND (person.expiry_date IS NULL OR person.expiry_date > UTC_TIMESTAMP())
"""
STILL = f"SELECT person.username FROM dovecot_users person WHERE username IN %s AND {ACTIVE}"
LAST = "SELECT MAX(id) FROM dovecot_sessions_to_end"
NAMED = "SELECT username FROM dovecot_sessions_to_end WHERE id > %s AND id <= %s"


class Unanswered(Exception):
    """doveadm says nothing that helps."""


class Session(NamedTuple):
    """Somebody who is logged in."""

    username: str
    process: str

    @property
    def name(self) -> str:
        """To be compared: Dovecot and SQL need not spell it alike."""
        return self.username.lower()


def main() -> int:
    """End what is to end; 1 if that was not possible."""
    try:
        return end()
    except (pymysql.MySQLError, Unanswered, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 1


def end() -> int:
    """End sessions, and name whose; 1 if one of them goes on: the next run tries again."""
    with memory() as remembered, connected() as database:
        cursor = database.cursor()
        before = remembered.read()
        # First whom the table names, then who is logged in: a login after the change may stay.
        named, last = changed(cursor, before.last)
        here = sessions()
        if here is None:
            return 0  # what it has left running ends once it is there again
        ending = named | gone(cursor, here)
        over = {session for session in here if session.name in ending}
        over |= before.lasting & set(here)
        for username in sorted({session.username for session in over}):
            doveadm("kick", "--", username)
        lasting = still_there(over)
        # The others of the table are done with: who has logged in again meanwhile may stay.
        remembered.write(Memory(last, frozenset(lasting)))
    for username in sorted({s.username for s in over} - {s.username for s in lasting}):
        print(f"ended the sessions of {username}")
    for username in sorted({session.username for session in lasting}):
        print(f"a session of {username} has not ended yet", file=sys.stderr)
    return 1 if lasting else 0


class SocketOrTLS(pymysql.connections.Connection):
    """A socket, or TLS: PyMySQL before 1.2 goes on in clear where a server offers no TLS."""

    def _request_authentication(self) -> None:
        if not self.unix_socket and not self.server_capabilities & SSL:
            raise pymysql.OperationalError(CR_SSL_CONNECTION_ERROR, f"{self.host} offers no TLS")
        super()._request_authentication()


def connected() -> Any:
    """The database; a statement that waits for somebody's lock does not wait for ever."""
    return SocketOrTLS(read_default_file=OPTIONS, autocommit=True, read_timeout=20)


class Memory(NamedTuple):
    """What this host has seen to: the last row of the table, and what would not end."""

    last: int = 0
    lasting: frozenset[Session] = frozenset()


class Remembered:
    """The memory's file."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def read(self) -> Memory:
        """Its memory; none where a run was killed while it wrote."""
        self.file.seek(0)
        try:
            last, lasting = json.load(self.file)
            return Memory(int(last), frozenset(Session(*session) for session in lasting))
        except (ValueError, TypeError):
            return Memory()

    def write(self, memory: Memory) -> None:
        self.file.truncate(0)
        json.dump([memory.last, sorted(memory.lasting)], self.file)


@contextlib.contextmanager
def memory() -> Iterator[Remembered]:
    """Its file; a run that meets another waits for it."""
    os.makedirs(os.path.dirname(STATE), exist_ok=True)
    with open(STATE, "a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield Remembered(file)


def changed(cursor: Any, before: int) -> tuple[set[str], int]:
    """Whom the table names since then, and its last row."""
    cursor.execute(LAST)
    ((last,),) = cursor.fetchall()
    if last is None:
        return set(), before
    # Lower than what was seen: the database comes from a backup.
    cursor.execute(NAMED, (before if last >= before else 0, last))
    return {username.lower() for (username,) in cursor.fetchall()}, last


def gone(cursor: Any, here: Iterable[Session]) -> set[str]:
    """Those of the people here who could not log in again."""
    names = sorted({session.name for session in here})
    active: set[str] = set()
    for start in range(0, len(names), 1000):
        cursor.execute(STILL, (names[start : start + 1000],))
        active.update(username.lower() for (username,) in cursor.fetchall())
    return set(names) - active


def sessions() -> list[Session] | None:
    """Everybody who is logged in; None where no Dovecot answers."""
    done = doveadm("-f", "tab", "who", "-1")
    if done.returncode == 0:
        return list(listed(done.stdout))
    if any(words in done.stderr for words in NOT_RUNNING):
        return None
    raise Unanswered(done.stderr.strip())


def listed(table: str) -> Iterator[Session]:
    """The logins in what `doveadm who` says; its columns differ between the generations."""
    if not table:
        return
    head, *lines = table.splitlines()
    columns = head.split("\t")
    service = columns.index("service" if "service" in columns else "proto")
    for line in lines:
        fields = line.split("\t")
        if fields[service] in LOGINS:
            yield Session(fields[columns.index("username")], fields[columns.index("pid")])


def still_there(over: set[Session]) -> set[Session]:
    """Those of these that go on although there was time to end."""
    until = time.monotonic() + SECONDS
    while (lasting := over and over & set(sessions() or ())) and time.monotonic() < until:
        time.sleep(0.05)
    return lasting


def doveadm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What doveadm says."""
    return subprocess.run(
        ["/usr/bin/doveadm", *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=50,
    )


if __name__ == "__main__":
    sys.exit(main())
