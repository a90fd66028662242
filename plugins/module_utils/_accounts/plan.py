# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision: what is there and what is wished become a list of changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from .expiry import NEVER
from .model import Account, Alias, Destination, ImapRow, Password, Secret, SmtpRow, fold
from .passwords import Keyring
from .routes import Routes, routes
from .wanted import ENABLED, Defaults, Edit, Wanted


@dataclass(frozen=True)
class Directory:
    """What was read: every row that a wish can touch or collide with, and where its mail goes."""

    accounts: Sequence[Account] = ()
    domains: frozenset[str] = frozenset()
    beyond: Sequence[tuple[str | int, Destination]] = ()  # where forwards lead, by SmtpRow.hook
    lengths: Mapping[str, int] = field(default_factory=dict)  # of the text columns
    same: Mapping[str, str] = field(default_factory=dict)  # equalities only the server can see
    absent: frozenset[str] = frozenset()  # columns that this generation lacks: imap.loginname

    def key(self, name: str) -> str:
        """One key for all spellings that the server takes for equal."""
        return (self.same.get(name) if self.same else None) or fold(name)

    def hosting(self, domains: Iterable[str]) -> Directory:
        """The same with more hosted domains."""
        return replace(self, domains=self.domains | {fold(domain) for domain in domains})

    def fingerprint(self) -> int:
        """Equal for two readings in this process that found the same."""
        routes_ = frozenset(self.beyond)
        same = frozenset(self.same.items())
        sizes = frozenset(self.lengths.items())
        read = (frozenset(self.accounts), self.domains, routes_, same, self.absent, sizes)
        return hash(read)

    def by_address(self) -> dict[str, Account]:
        """Accounts by the key of their address."""
        return {self.key(a.smtp.email): a for a in self.accounts if a.smtp and a.smtp.email}

    def by_username(self) -> dict[str, Account]:
        """Accounts by the key of their username."""
        return {self.key(a.smtp.username): a for a in self.accounts if a.smtp}

    def lone(self) -> dict[str, Account]:
        """Rows of dovecot_users without one of smtp_users, by the keys of their names."""
        lone = [account for account in self.accounts if account.smtp is None]
        return {self.key(name): a for a in lone for _word, name in a.names()}


class Change(NamedTuple):
    """One account before and after; no account is None."""

    before: Account | None
    after: Account | None
    want: Wanted

    @property
    def address(self) -> str:
        """The address that the account is told by."""
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
    planner = _Planner(current, defaults, keyring)
    every = []
    for want, before in found(current, wanted):
        after = planner.outcome(want, before)
        # What stays is kept once.
        every.append(Change(before, before if after == before else after, want))
    return every


def found(current: Directory, wanted: Iterable[Wanted]) -> Iterable[tuple[Wanted, Account | None]]:
    """Each wish with the account that it means, or None."""
    addresses, usernames, lone = current.by_address(), current.by_username(), current.lone()
    wishes = list(wanted)
    leaving = {id(account) for account in _giving_up_usernames(addresses, wishes)}
    for want in wishes:
        if want.pruned:
            yield want, usernames.get(current.key(want.username or ""))
            continue
        before = addresses.get(want.address)
        # Who is to go is told by the address alone: a username could name somebody else by now.
        if before is None and want.present and want.username:
            before = usernames.get(want.username)
            before = None if id(before) in leaving else before
        if before is None and want.adopt:
            before = lone.get(want.username or want.address)
        yield want, before


def _giving_up_usernames(
    addresses: Mapping[str, Account], wishes: Iterable[Wanted]
) -> Iterator[Account]:
    """Accounts whose username another one can have: they go, or get a new one."""
    for want in wishes:
        account = addresses.get(want.address)
        if account and (
            not want.present or (want.username or "") not in ("", fold(account.username))
        ):
            yield account


class _Planner:
    """The outcome of wishes under the same circumstances."""

    def __init__(self, current: Directory, defaults: Defaults, keyring: Keyring) -> None:
        self.current = current
        self.defaults = defaults
        self.keyring = keyring
        self.key = current.key
        self._flags = "destination.dispatch" not in current.absent
        self._no_imap = _blank(current.absent, "imap")
        self._no_smtp = _blank(current.absent, "smtp")

    def outcome(self, want: Wanted, before: Account | None) -> Account | None:
        """The account as it is to be."""
        if not want.present:
            return None
        if before is None and want.edit:
            return None
        smtp = self._smtp(want, before)
        imap = self._imap(want, before, smtp)
        forward_only, destinations = self._destinations(want, before, smtp)
        if smtp.forward_only != forward_only:
            smtp = smtp._replace(forward_only=forward_only)
        return Account(imap, smtp, destinations)

    # ---- rows

    def _smtp(self, want: Wanted, before: Account | None) -> SmtpRow:
        row = before.smtp if before else None
        if row is None:
            imap = before.imap if before else None
            return self._new_smtp(want, imap)._replace(**self._no_smtp)
        changed = row._replace(
            owner=self.defaults.owner if want.adopt else row.owner,
            username=self._spelled(row.username, want.username or row.username),
            email=self._spelled(row.email, want.address),
            password=self._password(want, row.password),
            status=_status(want, row.status),
            expires=_expires(want, row.expires),
        )
        return changed._replace(**self._no_smtp) if self._no_smtp else changed

    def _new_smtp(self, want: Wanted, imap: ImapRow | None) -> SmtpRow:
        userid = imap.userid if imap else want.fresh_id
        secret = None if imap and want.password_on_create_only else want.secret
        return SmtpRow(
            userid=userid,
            owner=self.defaults.owner,
            username=want.username or (imap.username if imap else self._username(want, userid)),
            password=secret or (imap.password if imap else ""),
            email=want.address,
            forward_only=False,
            status=want.status or ((imap.status or ENABLED) if imap else self.defaults.status),
            expires=_expires(want, imap.expires if imap else None),
        )

    def _username(self, want: Wanted, userid: str) -> str:
        """tine's rule where there is an instance; else our default, the address."""
        instance = self.defaults.instance
        return f"{userid}@{instance}" if instance else want.address

    def _imap(self, want: Wanted, before: Account | None, smtp: SmtpRow) -> ImapRow:
        row = before.imap if before else None
        if before is None or row is None:
            return self._new_imap(want, smtp)._replace(**self._no_imap)
        username = self._spelled(row.username, smtp.username)
        domain = row.domain
        if username != row.username and self.defaults.imap_domain is None:
            domain = username.rpartition("@")[2]
        changed = row._replace(
            domain=domain,
            username=username,
            loginname=self._login_name(want, before, smtp),
            password=self._password(want, row.password),
            quota=_said(want.quota, row.quota),
            quota_messages=_said(want.quota_messages, row.quota_messages),
            quota_sieve=_said(want.quota_sieve, row.quota_sieve),
            quota_sieve_scripts=_said(want.quota_sieve_scripts, row.quota_sieve_scripts),
            uid=want.uid or row.uid,
            gid=want.gid or row.gid,
            home=want.home or row.home,
            status=_status(want, row.status),
            expires=_expires(want, row.expires),
        )
        return changed._replace(**self._no_imap) if self._no_imap else changed

    def _login_name(self, want: Wanted, before: Account, smtp: SmtpRow) -> str:
        """It follows the address, as with tine, unless somebody has given another one."""
        stored = before.imap.loginname if before.imap else None
        was = before.smtp.email if before.smtp else None
        if want.login_name is None and stored and was and self.key(stored) != self.key(was):
            return stored
        return self._spelled(stored, want.login_name or smtp.email or smtp.username)

    def _new_imap(self, want: Wanted, smtp: SmtpRow) -> ImapRow:
        defaults = self.defaults
        domain = defaults.imap_domain or smtp.username.rpartition("@")[2]
        return ImapRow(
            userid=smtp.userid,
            domain=domain,
            username=smtp.username,
            loginname=want.login_name or smtp.email,
            password=smtp.password,
            quota=_said(want.quota, defaults.quota),
            quota_messages=want.quota_messages or 0,
            quota_sieve=want.quota_sieve or 0,
            quota_sieve_scripts=want.quota_sieve_scripts or 0,
            uid=want.uid or defaults.uid,
            gid=want.gid or defaults.gid,
            home=want.home or home(defaults.home, smtp.username, domain),
            instance=defaults.instance,
            status=smtp.status or want.status or ENABLED,
            expires=smtp.expires or _expires(want, None),
        )

    def _password(self, want: Wanted, stored: Password) -> Password:
        secret = want.secret
        if secret is None or want.password_on_create_only or isinstance(stored, Secret):
            return stored
        if self.keyring.holds(secret, stored):
            return stored
        return replace(secret, known=True) if self.keyring.upgrades(secret, stored) else secret

    def _spelled(self, stored: str | None, wished: str) -> str:
        """The stored spelling where the server takes both for equal."""
        if stored is None or stored == wished:
            return wished
        return stored if self.key(stored) == self.key(wished) else wished

    # ---- destinations

    def _destinations(
        self, want: Wanted, before: Account | None, smtp: SmtpRow
    ) -> tuple[bool, frozenset[Destination]]:
        """Whether mail is only forwarded, and the rows."""
        stored = before.destinations if before else frozenset()
        said = self._said_routes(want, smtp)
        rows = self._rows(said)
        # The usual account has just what is said: there is nothing to read back.
        if before and (want.edit or rows != stored):
            said = self._routes(want, before, smtp)
            rows = self._as_stored(stored, self._rows(said))
        return said.forward_only, rows

    def _said_routes(self, want: Wanted, smtp: SmtpRow) -> Routes:
        forwards = want.forwards or frozenset()
        forward_only = smtp.forward_only if want.forward_only is None else want.forward_only
        return Routes(
            smtp.email or smtp.username,
            smtp.username,
            want.aliases or frozenset(),
            forwards,
            forward_only and bool(forwards),
        )

    def _known(self, before: Account | None) -> Routes:
        if not (before and before.smtp):
            return Routes("", "")
        return routes(before, self.key, by_username=self.defaults.destination_is_username)

    def _routes(self, want: Wanted, before: Account | None, smtp: SmtpRow) -> Routes:
        """What is said, and what is kept because it is not."""
        known = self._known(before)
        # An alias or a forward can have become the address or the username of the account.
        own = {self.key(smtp.email or smtp.username), self.key(smtp.username)}
        kept = frozenset(alias for alias in known.aliases if self.key(alias.source) not in own)
        left = frozenset(target for target in known.forwards if self.key(target) not in own)
        aliases = kept if want.aliases is None else want.aliases
        forwards = left if want.forwards is None else want.forwards
        if want.edit:
            aliases, forwards = self._edited(want.edit, aliases, forwards)
        forward_only = known.forward_only if want.forward_only is None else want.forward_only
        return Routes(
            address=smtp.email or smtp.username,
            username=smtp.username,
            aliases=aliases,
            forwards=forwards,
            forward_only=forward_only and bool(forwards),
            strays=self._kept_strays(want, known),
        )

    def _edited(
        self, edit: Edit, aliases: frozenset[Alias], forwards: frozenset[str]
    ) -> tuple[frozenset[Alias], frozenset[str]]:
        replaced = {alias.source for alias in edit.aliases} | edit.no_aliases
        kept = {alias for alias in aliases if self.key(alias.source) not in replaced}
        left = edit.no_forwards | edit.forwards
        others = {target for target in forwards if self.key(target) not in left}
        return frozenset(kept) | edit.aliases, frozenset(others) | edit.forwards

    def _kept_strays(self, want: Wanted, known: Routes) -> frozenset[Destination]:
        """Rows that tine would not write stay as long as nothing is said about their kind."""
        own = {self.key(known.address), self.key(known.username)}
        gone = want.edit.no_aliases if want.edit else frozenset()
        return frozenset(
            stray
            for stray in known.strays
            if (want.forwards if self.key(stray.source) in own else want.aliases) is None
            if self.key(stray.source) not in gone
        )

    def _rows(self, wished: Routes) -> frozenset[Destination]:
        """The rows that tine writes for this, with its switches."""
        rows = wished.rows(
            account_name=self.defaults.account_name_destination,
            by_username=self.defaults.destination_is_username,
        )
        return rows if self._flags else frozenset(row._replace(dispatch=True) for row in rows)

    def _as_stored(
        self, stored: frozenset[Destination], wished: frozenset[Destination]
    ) -> frozenset[Destination]:
        if not stored:
            return wished
        known = {self._destination_key(row): row for row in stored}
        return frozenset(known.get(self._destination_key(row), row) for row in wished)

    def _destination_key(self, row: Destination) -> tuple[str, str, bool]:
        return self.key(row.source), self.key(row.target), row.dispatch


def _blank(absent: Iterable[str], kind: str) -> dict[str, Any]:
    """The fields of a row for which there is no column."""
    names = (name.partition(".") for name in absent)
    return {field_: None for row, _dot, field_ in names if row == kind}


def _said(wished: int | None, stored: int | None) -> int:
    return (stored or 0) if wished is None else wished


def _status(want: Wanted, stored: str | None) -> str | None:
    """NULL means enabled, as in rows of older tines."""
    if want.status is None or want.status == (stored or ENABLED):
        return stored
    return want.status


def _expires(want: Wanted, stored: datetime | None) -> datetime | None:
    if want.expires is None:
        return stored
    return None if want.expires == NEVER or isinstance(want.expires, str) else want.expires


def home(template: str, username: str, domain: str) -> str:
    """The template as tine expands it, once, when the account is made."""
    local = username.rpartition("@")[0]
    # Names hold no %, so that nothing is replaced twice.
    return template.replace("%d", domain).replace("%n", local).replace("%u", username)
