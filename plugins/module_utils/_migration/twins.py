# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Destinations that stand several times, and which of their rows stays: one rule for all who ask.

That of the account whose address or username is the source, then that of the one whose it is to be
delivered to, then that of any account before nobody's; of those the one that may be used for
sending; of those the smallest owner.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Callable

from .._accounts import schema

TURN = "mailserver_turn"  # 1 is the row that stays


@dataclass(frozen=True)
class Routes:
    """smtp_destinations and smtp_users as SQL names them; every answer is a part of a statement."""

    table: str
    users: str
    hook: str  # the column of smtp_destinations that links a row to its account
    key: str  # the column of smtp_users that it links to
    flag: str  # d.dispatch_address, or what stands for it where there is no such column
    as_user: Callable[[str, str], str]  # a text that can be compared with a column of smtp_users

    @property
    def pairs(self) -> str:
        """Each source and destination that stands more than once."""
        return (
            f"SELECT {schema.SORTED} source, destination FROM {self.table} "
            "GROUP BY source, destination HAVING COUNT(*) > 1"
        )

    @property
    def rows(self) -> str:
        """FROM and all their rows, as d."""
        return (
            f"FROM {self.table} AS d JOIN ({self.pairs}) AS t "
            "ON t.source = d.source AND t.destination = d.destination"
        )

    @property
    def lock(self) -> str:
        """Keeps them as they are: what is ranked is not locked by what is said behind."""
        return f"SELECT 1 {self.rows} FOR UPDATE"

    def ranked(self, columns: Iterable[str]) -> str:
        """These columns of all their rows, and TURN."""
        listed = ", ".join(f"d.{column}" for column in columns)
        order = f"{self._about} DESC, {self.flag} DESC, d.{self.hook}"
        return (
            f"SELECT {listed}, ROW_NUMBER() OVER "
            f"(PARTITION BY t.source, t.destination ORDER BY {order}) AS {TURN} {self.rows}"
        )

    @property
    def _about(self) -> str:
        """How much a row is its account's own."""
        names = "(u.username, COALESCE(u.email, ''))"
        owner = f"d.{self.hook}"
        if self.key == "userid":
            owner = self.as_user(owner, "userid")
        return (
            f"COALESCE((SELECT MAX(1 + 4 * ({self.as_user('d.source', 'username')} IN {names}) "
            f"+ 2 * ({self.as_user('d.destination', 'username')} IN {names})) "
            f"FROM {self.users} AS u WHERE u.{self.key} = {owner}), 0)"
        )
