# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The domains that this host takes mail for: the rows of smtp_virtual_domains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .errors import Invalid
from .model import fold
from .schema import Names
from .store import Cursor, chunks, marks
from .writing import worded

SELECT = "SELECT domain, instancename FROM {smtp_virtual_domains} WHERE domain IN ({marks})"
INSERT = "INSERT INTO {smtp_virtual_domains} (domain, instancename) VALUES (%s, %s)"
UPDATE = "UPDATE {smtp_virtual_domains} SET instancename = %s WHERE domain = %s"
DELETE = "DELETE FROM {smtp_virtual_domains} WHERE domain = %s"
# The row from a username to itself keeps no domain: such a username needs no hosted domain.
USED = (
    "SELECT DISTINCT d.source FROM {smtp_destinations} d JOIN {smtp_users} u "
    "ON u.userid = d.userid WHERE d.source_domain = %s "
    "AND (d.source <> u.username OR u.username = u.email) ORDER BY d.source LIMIT 6"
)
# What these ask for.
NEEDED = {
    "smtp_virtual_domains": ("domain", "instancename"),
    "smtp_users": ("userid", "username", "email"),
    "smtp_destinations": ("userid", "source", "source_domain"),
    "mailserver_lock": ("id",),
}
NAMED = 5
INSTANCE_LENGTH = 40


@dataclass(frozen=True)
class Wish:
    """Domains that are to be hosted, or not. An instance name of None is not said."""

    domains: Sequence[str]
    present: bool
    instance: str | None = None


@dataclass(frozen=True)
class Change:
    """One domain; its instance name before and after, None where it is not hosted."""

    domain: str
    before: str | None
    after: str | None

    def words(self) -> str:
        if self.before is None:
            return f"host {self.domain}"
        if self.after is None:
            return f"no longer host {self.domain}"
        return f"change {self.domain}: instance {self.before!r} -> {self.after!r}"


def instance_name(given: str | None) -> None:
    """Refuse what the column cannot hold."""
    text = given or ""
    if len(text) > INSTANCE_LENGTH or not text.isprintable():
        raise Invalid(
            text, f"is not an instance name: expected at most {INSTANCE_LENGTH} characters."
        )


def plan(current: Mapping[str, str], wish: Wish) -> list[Change]:
    """Every domain that is not yet as wished."""
    changes = [
        Change(domain, current.get(domain), _after(current, domain, wish))
        for domain in wish.domains
    ]
    return [change for change in changes if change.before != change.after]


def _after(current: Mapping[str, str], domain: str, wish: Wish) -> str | None:
    if not wish.present:
        return None
    return current.get(domain, "") if wish.instance is None else wish.instance


def diff(changes: Iterable[Change]) -> dict[str, str]:
    """Before and after as text."""
    listed = list(changes)
    return {
        "before_header": "mail domains",
        "after_header": "mail domains",
        "before": "".join(_line(change.domain, change.before) for change in listed),
        "after": "".join(_line(change.domain, change.after) for change in listed),
    }


def _line(domain: str, instance: str | None) -> str:
    if instance is None:
        return ""
    return f"{domain} (instance {instance})\n" if instance else f"{domain}\n"


class SqlDomains:
    """The domains in their table."""

    def __init__(self, cursor: Cursor, names: Names) -> None:
        self.cursor = cursor
        self.names = names

    def load(self, wish: Wish) -> dict[str, str]:
        found = {}
        for chunk in chunks(wish.domains):
            sql = SELECT.replace("{marks}", marks(chunk))
            self.cursor.execute(worded(self.names, sql), chunk)
            found.update({fold(domain): instance for domain, instance in self.cursor.fetchall()})
        return found

    def in_use(self, changes: Iterable[Change]) -> list[str]:
        """A sentence for every domain that would go although mail is addressed to it."""
        return [
            fault
            for change in changes
            if change.after is None
            for fault in self._users(change.domain)
        ]

    def _users(self, domain: str) -> Iterator[str]:
        self.cursor.execute(worded(self.names, USED), (domain,))
        users = [source for (source,) in self.cursor.fetchall()]
        if users:
            more = ", ..." if len(users) > NAMED else ""
            yield (
                f"domain {domain} is still used by {', '.join(users[:NAMED])}{more}: "
                "remove these accounts and aliases first."
            )

    def apply(self, changes: Iterable[Change]) -> None:
        """Write the changes; the caller commits."""
        for change in changes:
            if change.after is None:
                self.cursor.execute(worded(self.names, DELETE), (change.domain,))
            elif change.before is None:
                self.cursor.execute(worded(self.names, INSERT), (change.domain, change.after))
            else:
                self.cursor.execute(worded(self.names, UPDATE), (change.after, change.domain))
