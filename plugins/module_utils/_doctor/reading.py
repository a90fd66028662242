# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of every generation, read as streams; what is not there is told. SQL is data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from .._accounts.errors import MailhostError
from .._accounts.schema import DOVECOT, POSTFIX, SORTED, Actual, Names
from .._accounts.store import Cursor
from .findings import Findings
from .records import Records, Tables
from .rows import Checked

MAILBOX = ("userid", "username", "loginname", "password", "quota_bytes", "home")
PERSON = ("userid", "username", "email", "passwd", "forward_only")
ROUTE = ("source", "destination")
# Hashes without a scheme had it in a column of its own until November 2010.
_BESIDE = "IF({0} LIKE '{{%', {0}, CONCAT('{{', {1}, '}}', {0}))"
_SCHEME_COLUMNS = {
    "dovecot_users": ("password", "scheme"),
    "smtp_users": ("passwd", "encryption_type"),
}
_NAMES = ("userid", "username", "source", "destination", "domain")  # which nobody is without
_TEXTS = (*_NAMES, "loginname", "email", "password", "passwd", "home")
# What the checks read, by table.
_READ = {
    "dovecot_users": ("userid", "username", "loginname", "password", "quota_bytes", "home"),
    "dovecot_usage": ("username",),
    "dovecot_master_users": ("username", "password"),
    "smtp_users": ("userid", "username", "email", "passwd", "forward_only"),
    "smtp_destinations": ("source", "destination"),
    "smtp_virtual_domains": ("domain",),
}


def joined(names: Names, dovecot: Actual, postfix: Actual) -> Actual:
    """The tables of both databases, which may lie on two servers."""
    tables = {
        (database, name): there
        for which, actual in ((DOVECOT, dovecot), (POSTFIX, postfix))
        for (database, name), there in actual.tables.items()
        if database == names.database(which) and name.startswith(DOVECOT) == (which == DOVECOT)
    }
    return Actual(tables=tables, locked=postfix.locked)


class Reader:
    """Reads the tables of one database at a time, and checks the rows as they come."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        if not any(
            tables.has(name, "userid", "username") for name in ("dovecot_users", "smtp_users")
        ):
            raise NothingToExamine(tables.names)

    def dovecot(self, cursor: Cursor, records: Records, found: Findings) -> None:
        """What Dovecot's database holds."""
        if self.tables.has("dovecot_users", "userid", "username"):
            rows = self._rows(cursor, "dovecot_users", MAILBOX)
            records.mailboxes = self._checked("dovecot_users", found).mailboxes(rows)
        if self.tables.has("dovecot_usage", "username"):
            usage = self._rows(cursor, "dovecot_usage", ("username",))
            records.usage = [username for (username,) in usage]
        if self.tables.has("dovecot_master_users", "username", "password"):
            masters = self._rows(cursor, "dovecot_master_users", ("username", "password"))
            self._checked("dovecot_master_users", found).masters(masters)

    def postfix(self, cursor: Cursor, records: Records, found: Findings) -> None:
        """What Postfix's database holds."""
        if self.tables.has("smtp_users", "userid", "username"):
            rows = self._rows(cursor, "smtp_users", (*PERSON, self.tables.key))
            records.people = self._checked("smtp_users", found).people(rows)
        if self.tables.has("smtp_destinations", "source", "destination", self.tables.hook):
            rows = self._rows(cursor, "smtp_destinations", (*ROUTE, self.tables.hook))
            records.routes = self._checked("smtp_destinations", found).routes(rows)
            self._duplicates(cursor, found)
        if self.tables.has("smtp_virtual_domains", "domain"):
            domains = self._rows(cursor, "smtp_virtual_domains", ("domain",))
            checked = self._checked("smtp_virtual_domains", found)
            records.domains = checked.domains(domains)

    def _checked(self, table: str, found: Findings) -> Checked:
        return Checked(self.tables, table, found)

    def _rows(self, cursor: Cursor, table: str, columns: Sequence[str]) -> Iterator[Any]:
        listed = ", ".join(self._expression(table, column) for column in columns)
        return cursor.stream(f"SELECT {listed} FROM {self.tables.names.table(table)}")

    def _number(self, table: str, column: str) -> str:
        """Of a column that somebody may have made a bit, an enumeration or a text."""
        kind = self.tables.kind(table, column)
        if re.match(r"(tiny|small|medium|big)?int", kind):
            return column
        value = f"{column} + 0" if kind.startswith("bit") else f"CONVERT({column} USING utf8mb4)"
        return f"CAST({value} AS DECIMAL(65))"

    def _expression(self, table: str, column: str) -> str:
        hashed, beside = _SCHEME_COLUMNS.get(table, ("", ""))
        if not self.tables.has(table, column):
            return "NULL"
        if column in ("quota_bytes", "forward_only"):
            return self._number(table, column)
        if column not in _TEXTS:
            return column
        # Whatever the column is: somebody may have made it binary or a number.
        text = f"CONVERT({column} USING utf8mb4)"
        if column == hashed and self.tables.has(table, beside):
            return _BESIDE.format(text, beside)
        return f"COALESCE({text}, '')" if column in _NAMES else text

    def _duplicates(self, cursor: Cursor, found: Findings) -> None:
        """The server tells what it takes for equal; the order of the rows says nothing."""
        sql = (
            f"SELECT {SORTED} source, destination, COUNT(*) FROM "
            f"{self.tables.names.table('smtp_destinations')} "
            "GROUP BY source, destination HAVING COUNT(*) > 1"
        )
        table = self.tables.name("smtp_destinations")
        for source, target, times in cursor.stream(sql):
            found.add("duplicate_destination", table, f"{source} -> {target} ({times} times)")

    def unchecked(self, records: Records) -> list[str]:
        """What these tables do not have, or login_user may not read."""
        said = []
        for table, columns in _READ.items():
            if table not in self.tables:
                said.append(f"table {self.tables.name(table)} is not there")
                continue
            said += [
                f"column {self.tables.name(table)}.{column} is not there"
                for column in columns
                if not self.tables.has(table, column)
            ]
        if "smtp_destinations" in self.tables and records.routes is None:
            said.append(
                f"column {self.tables.name('smtp_destinations')}.{self.tables.hook} is not there"
            )
        if records.domains is not None and not records.domains:
            said.append(
                f"{self.tables.name('smtp_virtual_domains')} is empty: which domains are hosted "
                "is not known"
            )
        return said


class NothingToExamine(MailhostError):
    """No table of accounts is there, or none may be read."""

    def __init__(self, names: Names) -> None:
        super().__init__(
            f"Neither {names.dovecot}.dovecot_users nor {names.postfix}.smtp_users is there with "
            "userid and username, or login_user may not read them: check dovecot_database, "
            "postfix_database and its grants. Tables from before 2010 are brought forward by "
            "groupware.mailserver.mail_schema first."
        )
