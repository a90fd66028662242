# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision: what is there and what is wished become a list of changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .model import (
    Account,
    Alias,
    Destination,
    ImapRow,
    Password,
    Secret,
    SmtpRow,
    fold,
)
from .passwords import Keyring
from .wanted import Defaults, Wanted

ENABLED = "enabled"


@dataclass(frozen=True)
class Directory:
    """What was read: every row that a wish can touch or collide with, and where its mail goes."""

    accounts: Sequence[Account] = ()
    domains: frozenset[str] = frozenset()
    beyond: Sequence[tuple[str, Destination]] = ()  # where forwards lead, each with its userid
    lengths: Mapping[str, int] = field(default_factory=dict)  # of the password columns
    same: Mapping[str, str] = field(default_factory=dict)  # equalities only the server can see

    def key(self, name: str) -> str:
        """One key for all spellings that the server takes for equal."""
        return self.same.get(name) or fold(name)

    def hosting(self, domains: Iterable[str]) -> Directory:
        """The same with more hosted domains."""
        return replace(self, domains=self.domains | {fold(domain) for domain in domains})

    def by_address(self) -> dict[str, Account]:
        return {
            self.key(account.smtp.email): account
            for account in self.accounts
            if account.smtp and account.smtp.email
        }

    def by_username(self) -> dict[str, Account]:
        return {self.key(a.smtp.username): a for a in self.accounts if a.smtp}


@dataclass(frozen=True)
class Change:
    """One account before and after; no account is None."""

    before: Account | None
    after: Account | None
    want: Wanted

    @property
    def address(self) -> str:
        return str((self.after or self.before or self.want).address)


def plan(
    current: Directory, wanted: Iterable[Wanted], defaults: Defaults, keyring: Keyring
) -> list[Change]:
    """Every account that is not yet as it is wished."""
    changes = proposals(current, wanted, defaults, keyring)
    return [change for change in changes if change.before != change.after]


def proposals(
    current: Directory, wanted: Iterable[Wanted], defaults: Defaults, keyring: Keyring
) -> list[Change]:
    """One change per wish, also where before and after are equal."""
    addresses, usernames = current.by_address(), current.by_username()
    changes = []
    for want in wanted:
        before = addresses.get(str(want.address))
        # Who is to go is told by the address alone: a username could name somebody else by now.
        if before is None and want.present and want.username:
            before = usernames.get(want.username)
        wish = _Wish(current, want, defaults, keyring)
        changes.append(Change(before, wish.outcome(before), want))
    return changes


@dataclass(frozen=True)
class _Wish:
    current: Directory
    want: Wanted
    defaults: Defaults
    keyring: Keyring

    def outcome(self, before: Account | None) -> Account | None:
        if not self.want.present:
            return None
        smtp = self._smtp(before.smtp if before else None)
        imap = self._imap(before.imap if before else None, smtp)
        routes = self._routes(before, smtp)
        smtp = replace(smtp, forward_only=routes.forward_only)
        kept = before.destinations if before else frozenset()
        return Account(imap, smtp, self._as_stored(kept, routes.rows()))

    def _smtp(self, row: SmtpRow | None) -> SmtpRow:
        want = self.want
        if row is None:
            return SmtpRow(
                userid=want.fresh_id,
                owner=self.defaults.owner,
                username=want.username or str(want.address),
                password=want.secret or "",
                email=str(want.address),
                forward_only=False,
                status=ENABLED,
            )
        return replace(
            row,
            username=self._spelled(row.username, want.username or row.username),
            email=self._spelled(row.email, str(want.address)),
            password=self._password(row.password),
        )

    def _imap(self, row: ImapRow | None, smtp: SmtpRow) -> ImapRow:
        if row is None:
            return self._new_imap(smtp)
        username = self._spelled(row.username, smtp.username)
        moved = username != row.username
        return replace(
            row,
            domain=username.rpartition("@")[2] if moved else row.domain,
            username=username,
            loginname=self._spelled(row.loginname, smtp.email or smtp.username),
            password=self._password(row.password),
            quota=row.quota if self.want.quota is None else self.want.quota,
        )

    def _new_imap(self, smtp: SmtpRow) -> ImapRow:
        domain = smtp.username.rpartition("@")[2]
        quota = self.want.quota
        return ImapRow(
            userid=smtp.userid,
            domain=domain,
            username=smtp.username,
            loginname=smtp.email,
            password=smtp.password,
            quota=self.defaults.quota if quota is None else quota,
            uid=self.defaults.uid,
            gid=self.defaults.gid,
            home=home(self.defaults.home, smtp.username, domain),
            status=smtp.status,
        )

    def _password(self, stored: Password) -> Password:
        secret = self.want.secret
        if secret is None or self.want.password_on_create_only or isinstance(stored, Secret):
            return stored
        return stored if self.keyring.holds(secret, stored) else secret

    def _spelled(self, stored: str | None, wished: str) -> str:
        """The stored spelling where the server takes both for equal."""
        if stored is not None and self.current.key(stored) == self.current.key(wished):
            return stored
        return wished

    def _routes(self, before: Account | None, smtp: SmtpRow) -> Routes:
        known = routes(self.current, before) if before and before.smtp else Routes("", "")
        want = self.want
        forwards = known.forwards if want.forwards is None else want.forwards
        forward_only = known.forward_only if want.forward_only is None else want.forward_only
        return Routes(
            address=smtp.email or smtp.username,
            username=smtp.username,
            aliases=known.aliases if want.aliases is None else want.aliases,
            forwards=forwards,
            forward_only=forward_only and bool(forwards),
            strays=self._kept_strays(known),
        )

    def _kept_strays(self, known: Routes) -> frozenset[Destination]:
        """Rows that tine would not write stay as long as nothing is said about their kind."""
        own = {self.current.key(known.address), self.current.key(known.username)}
        return frozenset(
            stray
            for stray in known.strays
            if (self.want.forwards if self.current.key(stray.source) in own else self.want.aliases)
            is None
        )

    def _as_stored(
        self, stored: frozenset[Destination], wished: frozenset[Destination]
    ) -> frozenset[Destination]:
        known = {self._destination_key(row): row for row in stored}
        return frozenset(known.get(self._destination_key(row), row) for row in wished)

    def _destination_key(self, row: Destination) -> tuple[str, str, bool]:
        return self.current.key(row.source), self.current.key(row.target), row.dispatch


def home(template: str, username: str, domain: str) -> str:
    """The template as tine expands it, once, when the account is made."""
    values = {"%d": domain, "%n": username.rpartition("@")[0], "%u": username}
    return re.sub("%[dnu]", lambda match: values[match.group()], template)


@dataclass(frozen=True)
class Routes:
    """Where the mail of an account goes, in the words of mail."""

    address: str
    username: str
    aliases: frozenset[Alias] = frozenset()
    forwards: frozenset[str] = frozenset()
    forward_only: bool = False
    strays: frozenset[Destination] = frozenset()

    def rows(self) -> frozenset[Destination]:
        """The rows that tine writes for this."""
        rows = {Destination(self.address, target, dispatch=True) for target in self.forwards}
        inboxes = self.forwards if self.forward_only else {self.address}
        rows |= {
            Destination(alias.source, target, alias.dispatch)
            for alias in self.aliases
            for target in inboxes
        }
        if not self.forward_only:
            rows |= {
                Destination(source, self.username, dispatch=False)
                for source in (self.address, self.username)
            }
        taken = {(row.source, row.target) for row in rows}
        return frozenset(rows) | {
            row for row in self.strays if (row.source, row.target) not in taken
        }


def routes(current: Directory, account: Account) -> Routes:
    """Read the rows of an account back as tine does (what it does not understand are strays)."""
    smtp = account.smtp
    if smtp is None:
        return Routes(account.address, account.username)
    key = current.key
    address, username = key(smtp.email or smtp.username), key(smtp.username)
    forwards = {
        key(row.target): row.target
        for row in account.destinations
        if key(row.source) == address and key(row.target) not in (username, address)
    }
    inboxes = set(forwards) if smtp.forward_only else {address}
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
