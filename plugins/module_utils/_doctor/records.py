# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the mail tables as the checks see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from .._accounts.model import fold
from .._accounts.schema import TABLES, Actual, ActualTable, Names, comparable, length, own_collation
from .._migration.generations import Generation, generation_of

_BY_NAME = {table.name: table for table in TABLES}


class Mailbox(NamedTuple):
    """A row of dovecot_users."""

    userid: str
    username: str
    name: str  # what to call it: the address if it has one


class Person(NamedTuple):
    """A row of smtp_users; hook is what its destinations hang on."""

    hook: str | int
    userid: str
    username: str
    email: str | None
    forward_only: bool

    @property
    def name(self) -> str:
        return self.email or self.username


class Route(NamedTuple):
    """A row of smtp_destinations."""

    hook: str | int
    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"


@dataclass
class Records:
    """What both databases hold. None is what is not there to be read."""

    mailboxes: Sequence[Mailbox] | None = None
    people: Sequence[Person] | None = None
    routes: Sequence[Route] | None = None
    usage: Sequence[str] | None = None  # usernames
    domains: frozenset[str] | None = None  # hosted

    def beside(self, other: Records) -> Records:
        """With what the other server holds."""
        mine = {name: rows for name, rows in vars(self).items() if rows is not None}
        return replace(other, **mine)


@dataclass(frozen=True)
class Tables:
    """What the tables are like, whether they lie on one server or on two."""

    names: Names
    actual: Actual

    def __contains__(self, table: str) -> bool:
        return self._there(table) is not None

    def _there(self, table: str) -> ActualTable | None:
        return self.actual.table(self.names, _BY_NAME[table])

    def has(self, table: str, *columns: str) -> bool:
        there = self._there(table)
        return there is not None and set(columns) <= set(there.columns)

    @cached_property
    def generation(self) -> Generation:
        """Of which of tine's they are, before anything is repaired."""
        return generation_of(self.names, self.actual)

    @property
    def hook(self) -> str:
        """The column of smtp_destinations that links a row to its account."""
        return "users_id" if self.has("smtp_destinations", "users_id") else "userid"

    @property
    def key(self) -> str:
        """The column of smtp_users that it links to."""
        return "id" if self.hook == "users_id" else "userid"

    def name(self, table: str) -> str:
        """A table by its full name, for somebody who reads it."""
        return f"{self.names.database(_BY_NAME[table].database)}.{table}"

    def room(self, table: str, column: str) -> int | None:
        """How many characters a column holds."""
        there = self._there(table)
        return there.columns[column].length if there and column in there.columns else None

    def kind(self, table: str, column: str) -> str:
        """The type of a column that is there."""
        there = self._there(table)
        return there.columns[column].type if there else ""

    def room_today(self, table: str, column: str) -> int | None:
        """How many characters that column of today's tables holds."""
        known = {c.name: c.type for c in _BY_NAME[table].columns}.get(column, "")
        return length(known) or None

    def as_user(self, text: str, column: str) -> str:
        """A text, as SQL, that can be compared with those of a column of smtp_users."""
        there = self._there("smtp_users")
        has = there.columns.get(column) if there else None
        usual = own_collation(there, _BY_NAME["smtp_users"])
        return comparable(text, has.collation if has and has.collation else usual)

    def ignores_case(self, table: str, column: str) -> bool:
        there = self._there(table)
        has = there.columns.get(column) if there else None
        return bool(has and has.collation and has.collation.endswith("_ci"))


def same(value: str | int) -> str | int:
    """A key as the collation sees it."""
    return fold(value) if isinstance(value, str) else value
