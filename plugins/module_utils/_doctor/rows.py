# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with single rows, found as they pass by; what is kept of them is small."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from .findings import Findings
from .hashes import verdict
from .records import Mailbox, Person, Route, Tables

TIB = 2**20  # in MiB, as quota_bytes holds it
ENDLESS = 10 * TIB
ANY = 2**16  # no column of names is longer


class _Limit(NamedTuple):
    """A column of names: where it stands in a row, what it holds and what today's holds."""

    place: int
    column: str
    room: int
    today: int


class Checked:
    """Rows of one table, checked one by one."""

    def __init__(self, tables: Tables, table: str, found: Findings) -> None:
        self.table = tables.name(table)
        self.found = found
        self._tables, self._table = tables, table

    def _limits(self, columns: Sequence[str]) -> list[_Limit]:
        return [
            _Limit(
                place,
                column,
                self._tables.room(self._table, column) or ANY,
                self._tables.room_today(self._table, column) or ANY,
            )
            for place, column in enumerate(columns)
        ]

    def _names(self, rows: Iterable[Any], columns: Sequence[str]) -> Iterator[Any]:
        """The rows; the columns are the first ones of each."""
        limits = self._limits(columns)
        shortest = [(limit.place, min(limit.room, limit.today)) for limit in limits]
        addresses = [
            place
            for place, column in enumerate(columns)
            if column in _ADDRESSES and self._tables.ignores_case(self._table, column)
        ]
        for row in rows:
            for place, length in shortest:
                if row[place] is not None and len(row[place]) >= length:
                    self._long(limits[place], row[place])
            for place in addresses:
                if row[place] and not row[place].islower() and self._capital(row[place]):
                    self.found.add("upper_case_domain", self.table, row[place])
            yield row

    def _capital(self, address: str) -> bool:
        _local, at, domain = address.rpartition("@")
        named = at or self._table == "smtp_virtual_domains"
        return bool(named) and domain != domain.lower()

    def _long(self, limit: _Limit, value: str) -> None:
        if len(value) > limit.today:
            self.found.add("too_long", self.table, f"{limit.column} {value}")
        # A userid is as long as its column by nature.
        elif len(value) == limit.room and limit.column != "userid":
            self.found.add("filled_column", self.table, f"{limit.column} {value}")

    def _password(self, stored: str | None, name: str, column: str) -> None:
        judged = verdict(stored or "", self._tables.room(self._table, column))
        if judged:
            self.found.add(judged[0], self.table, f"{name} ({judged[1]})")

    def mailboxes(self, rows: Iterable[Any]) -> list[Mailbox]:
        """userid, username, loginname, password, quota, home."""
        kept = []
        homes = self._tables.has(self._table, "home")
        for userid, username, loginname, stored, quota, home in self._names(
            rows, ("userid", "username", "loginname")
        ):
            name = loginname or username
            self._password(stored, name, "password")
            if (quota or 0) >= ENDLESS:
                self.found.add("quota_in_bytes", self.table, f"{name} ({quota})")
            if homes and not home:
                self.found.add("no_home", self.table, name)
            kept.append(Mailbox(userid, username, name))
        return kept

    def people(self, rows: Iterable[Any]) -> list[Person]:
        """userid, username, email, passwd, forward_only, and what destinations hang on."""
        kept = []
        for userid, username, email, stored, forward_only, hook in self._names(
            rows, ("userid", "username", "email")
        ):
            # Who only forwards needs no password, and a migration gives none.
            if stored or not forward_only:
                self._password(stored, email or username, "passwd")
            kept.append(Person(hook, userid, username, email, bool(forward_only)))
        return kept

    def routes(self, rows: Iterable[Any]) -> list[Route]:
        """source, destination, and what they hang on; the same name is one object."""
        share: dict[Any, Any] = {}
        once = share.setdefault
        return [
            Route(once(hook, hook), once(source, source), once(target, target))
            for source, target, hook in self._names(rows, ("source", "destination"))
        ]

    def masters(self, rows: Iterable[Any]) -> None:
        """username, password."""
        for username, stored in self._names(rows, ("username",)):
            self._password(stored, username, "password")

    def domains(self, rows: Iterable[Any]) -> frozenset[str]:
        """domain."""
        kept = [domain for (domain,) in self._names(rows, ("domain",))]
        return frozenset(domain.lower() for domain in kept)


_ADDRESSES = frozenset(("loginname", "email", "source", "destination", "domain"))
