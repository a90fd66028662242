# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Malformed input, always the same for one seed: no crash, no SQL error, no row that changes.

MALFORMED is the number of inputs (100); SEED chooses others.
"""

from __future__ import annotations

import os
import random
import re
import socket
from dataclasses import dataclass

import pytest
from mailhost import ANSWER, PEOPLE, letter, sasl_plain

NUMBER = int(os.environ.get("MALFORMED", "100"))
SEED = int(os.environ.get("SEED", "4"))

HOSTILE = [
    "'", '"', "\\", "\\'", "%", "%s", "%u", "%{user}", "%{sql:x}", "%00", ";", "--", "#", "/*", "`",
    "' OR '1'='1", "' OR 1=1 -- ", "'; DROP TABLE dovecot_users; -- ", "\\' OR 1=1#",
    "' UNION SELECT password,password FROM dovecot_users -- ", "') OR ('1'='1", "' AND SLEEP(9)='",
    "${jndi}", "$(id)", "{{7*7}}", "|id", "../../etc/passwd", "\x00", "\x7f", "\t", "\x1b[2J",
    "\u00e9", "\U0001f600", "\u202e", "\xbf'", "\xa5'", "*master", "*", "+", "@", "@@", "<", ">",
    ",", "a" * 300, "=" * 80, "\u0130", "\ufeff",
]  # fmt: skip
DOMAINS = ["example.org", "second.example", "people.test", "outside.test", "[127.0.0.1]", "", "'"]
CRASH = re.compile(r"signal (11|6)|core dumped|Panic:|Assertion|segfault|Traceback", re.I)
SQL_ERROR = re.compile(
    r"SQL syntax|Unknown column|Illegal mix of collations|Query failed|query failed|"
    r"mysql query failed|Incorrect string value|Data too long",
    re.I,
)
TABLES = {
    "dovecot": ("dovecot_users", "dovecot_master_users", "dovecot_usage", "dovecot_last_login"),
    "postfix": ("smtp_users", "smtp_destinations", "smtp_virtual_domains"),
}


class Fuzz(random.Random):
    """Lines as nobody should send them."""

    def local(self) -> str:
        parts = [self.choice([*HOSTILE, "ann", "bob", "x"]) for _count in range(self.randint(1, 4))]
        return "".join(parts)

    def address(self) -> str:
        made = f"{self.local()}@{self.choice(DOMAINS)}"
        return f'"{made}"' if self.random() < 0.2 else made

    def octets(self) -> bytes:
        return self.randbytes(self.randint(1, 200)).replace(b"\r", b"").replace(b"\n", b"")

    def smtp(self) -> bytes:
        return self.choice(
            [
                f"MAIL FROM:<{self.address()}>".encode(),
                f"RCPT TO:<{self.address()}>".encode(),
                f"RCPT TO:<{self.address()}> NOTIFY={self.local()}".encode(),
                f"MAIL FROM:<{self.address()}> SMTPUTF8".encode(),
                f"EHLO {self.local()}".encode(),
                f"VRFY {self.address()}".encode(),
                self.octets(),
            ]
        )

    def imap(self) -> bytes:
        name = self.address()
        return self.choice(
            [
                b"a LOGIN {%d+}\r\n%s {3+}\r\nxyz" % (len(name.encode()), name.encode()),
                f'a LOGIN "{name}" x'.encode(),
                f"a AUTHENTICATE PLAIN {sasl_plain(name, self.local())}".encode(),
                b"a " + self.octets(),
                self.octets(),
            ]
        )

    def sieve(self) -> bytes:
        plain = sasl_plain(self.address(), self.local())
        return self.choice(
            [
                f'AUTHENTICATE "PLAIN" "{plain}"'.encode(),
                f'PUTSCRIPT "{self.local()}" {{3+}}\r\nabc'.encode(),
                b'HAVESPACE "' + self.octets() + b'" 9',
                self.octets(),
            ]
        )


@dataclass
class Door:
    """One connection after the other to a port, each with TLS; the answers do not matter."""

    mailhost: object
    port: int
    starttls: bytes = b""
    connection: socket.socket | None = None

    def say(self, line: bytes) -> None:
        """One line and whatever comes back; a server may hang up, and then answers a new client."""
        try:
            self._connected().sendall(line + b"\r\n")
            self._read()
        except ConnectionRefusedError:
            raise
        except OSError:
            self.close()

    def _connected(self) -> socket.socket:
        if self.connection is None:
            self.connection = socket.create_connection((self.mailhost.ipv4, self.port), ANSWER)
            if self.port != 25:
                self._starttls()
            else:
                self._read()
                self.connection.sendall(b"EHLO client.example.test\r\n")
                self._read()
            # What is half a command gets no answer.
            self.connection.settimeout(0.05)
        return self.connection

    def _starttls(self) -> None:
        if self.starttls:
            self._read()
            self.connection.sendall(self.starttls)
            self._read()
        self.connection = self.mailhost.tls().wrap_socket(self.connection)
        self._read()

    def _read(self) -> None:
        if not self.connection.recv(65536):
            raise ConnectionResetError

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None


def rows(mailhost):
    """A checksum of every table but for what a login or a delivery writes."""
    return {
        table: mailhost.sql(f"SELECT COUNT(*) FROM {table}; CHECKSUM TABLE {table}", database)
        for database, tables in TABLES.items()
        for table in tables
    }


@pytest.fixture(scope="module")
def attacked(mailhost):
    """The host after all of it: its tables before, and what its journal says since."""
    before = rows(mailhost)
    begun = mailhost.output("date", "+%s")
    fuzz = Fuzz(SEED)
    doors = [
        (Door(mailhost, 25), fuzz.smtp, 6),
        (Door(mailhost, 993), fuzz.imap, 2),
        (Door(mailhost, 4190, b"STARTTLS\r\n"), fuzz.sieve, 2),
    ]
    weights = [weight for _door, _line, weight in doors]
    for _count in range(NUMBER):
        ((door, line, _weight),) = fuzz.choices(doors, weights)
        door.say(line())
    for door, _line, _weight in doors:
        door.close()
    return before, mailhost.journal(since=f"@{begun}")


def test_nothing_crashes(attacked):
    _before, journal = attacked
    assert "postfix" in journal
    assert "dovecot" in journal
    assert [line for line in journal.splitlines() if CRASH.search(line)] == []


def test_no_statement_fails(attacked):
    _before, journal = attacked
    assert [line for line in journal.splitlines() if SQL_ERROR.search(line)] == []


def test_no_row_changes(mailhost, attacked):
    before, _journal = attacked
    assert rows(mailhost) == before


def test_every_service_still_answers(mailhost, attacked):
    ann = PEOPLE["ann"]
    sent = letter("somebody@outside.test", ann.address)
    mailhost.send(sent)
    mailhost.arrived(ann, sent)
    with mailhost.submission(ann), mailhost.sieve() as sieve:
        sieve.starttls(mailhost.tls())
        assert sieve.login(ann).startswith("OK")
