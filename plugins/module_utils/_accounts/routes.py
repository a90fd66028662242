# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the mail of an account goes: in the words of mail, and as rows of smtp_destinations."""

from __future__ import annotations

from typing import Callable, NamedTuple

from .model import Account, Alias, Destination, fold


class Routes(NamedTuple):
    """Where the mail of an account goes, in the words of mail."""

    address: str
    username: str
    aliases: frozenset[Alias] = frozenset()
    forwards: frozenset[str] = frozenset()
    forward_only: bool = False
    strays: frozenset[Destination] = frozenset()

    def rows(
        self, *, account_name: bool = True, by_username: bool = False
    ) -> frozenset[Destination]:
        """The rows that tine writes for this.

        account_name is tine's accountnamedestination (a row from the username to itself),
        by_username its destinationisusername (aliases lead to the username, not to the address).
        """
        address, username = self.address, self.username
        rows = set()
        if not self.forward_only:
            rows.add(Destination(address, username, dispatch=False))
            if account_name and fold(username) != fold(address):
                rows.add(Destination(username, username, dispatch=False))
        for target in self.forwards:
            rows.add(Destination(address, target, dispatch=True))
        if self.aliases:
            own = {username if by_username else address}
            for target in self.forwards if self.forward_only else own:
                rows |= {Destination(a.source, target, a.dispatch) for a in self.aliases}
        return frozenset(rows | self._strays_beside(rows) if self.strays else rows)

    def _strays_beside(self, rows: set[Destination]) -> set[Destination]:
        taken = {(fold(row.source), fold(row.target)) for row in rows}
        return {r for r in self.strays if (fold(r.source), fold(r.target)) not in taken}


def routes(
    account: Account, key: Callable[[str], str] = fold, *, by_username: bool = False
) -> Routes:
    """Read the rows of an account back as tine does; what it does not understand are strays.

    key gives all spellings one form that the server takes for equal.
    """
    smtp = account.smtp
    if smtp is None:
        return Routes(account.address, account.username)
    address, username = key(smtp.email or smtp.username), key(smtp.username)
    forwards = {
        key(row.target): row.target
        for row in account.destinations
        if key(row.source) == address and key(row.target) not in (username, address)
    }
    own = {username} if by_username else {address}
    inboxes = set(forwards) if smtp.forward_only else own
    aliases: dict[str, Alias] = {}
    strays = set()
    for row in account.destinations:
        source, target = key(row.source), key(row.target)
        if source in (address, username):
            if not (target == username or (source == address and target in forwards)):
                strays.add(row)
        elif target in inboxes:
            known = aliases.get(source)
            aliases[source] = Alias(row.source, row.dispatch or bool(known and known.dispatch))
        else:
            strays.add(row)
    return Routes(
        address=smtp.email or smtp.username,
        username=smtp.username,
        aliases=frozenset(aliases.values()),
        forwards=frozenset(forwards.values()),
        forward_only=smtp.forward_only,
        strays=frozenset(strays),
    )
