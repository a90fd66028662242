# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of which of tine's generations the account tables are, and what they cannot hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from .schema import Actual, ActualTable, Names

# Field of a row -> column of its table; in the order of the fields.
IMAP = {
    "userid": "userid",
    "domain": "domain",
    "username": "username",
    "loginname": "loginname",
    "password": "password",
    "quota": "quota_bytes",
    "quota_messages": "quota_message",
    "quota_sieve": "quota_sieve_bytes",
    "quota_sieve_scripts": "quota_sieve_script",
    "uid": "uid",
    "gid": "gid",
    "home": "home",
    "instance": "instancename",
    "status": "status",
    "expires": "expiry_date",
}
SMTP = {
    "userid": "userid",
    "owner": "client_idnr",
    "username": "username",
    "password": "passwd",
    "email": "email",
    "forward_only": "forward_only",
    "status": "status",
    "expires": "expiry_date",
    "id": "id",
}
DESTINATION = {"source": "source", "target": "destination", "dispatch": "dispatch_address"}
MODIFIED = "last_modified_time"

# Columns that every generation has; without them there is nothing to keep accounts in.
_REQUIRED = {
    "dovecot_users": ("userid", "domain", "username", "password", "quota_bytes"),
    "smtp_users": ("userid", "client_idnr", "username", "passwd", "email", "forward_only"),
    "smtp_destinations": ("source", "destination"),
    "smtp_virtual_domains": ("domain",),
    "mailserver_lock": ("id", "generation"),
}


@dataclass(frozen=True)
class Shape:
    """The columns that are there: field -> column, in the order of the fields.

    owner is the column by which destinations hang on smtp_users: its userid, or its id in
    multi-instance tables. lengths are characters, by database.table.column.
    """

    imap: Mapping[str, str] = field(default_factory=lambda: dict(IMAP))
    smtp: Mapping[str, str] = field(
        default_factory=lambda: {k: v for k, v in SMTP.items() if k != "id"}
    )
    destination: Mapping[str, str] = field(default_factory=lambda: dict(DESTINATION))
    owner: str = "userid"
    dated: frozenset[str] = frozenset(("dovecot_users", "smtp_users"))  # have last_modified_time
    lengths: Mapping[str, int] = field(default_factory=dict)
    collation: str = "utf8mb3_general_ci"
    rows: int = 0  # the server's estimate for the larger of the tables of users

    @property
    def multi(self) -> bool:
        """Whether these are tables for several tines (postfixmultiinstance)."""
        return self.owner == "users_id"

    @property
    def absent(self) -> frozenset[str]:
        """The fields that have no column, such as imap.loginname."""
        kinds = (("imap", IMAP, self.imap), ("smtp", SMTP, self.smtp))
        return frozenset(
            f"{kind}.{name}"
            for kind, every, there in (*kinds, ("destination", DESTINATION, self.destination))
            for name in every
            if name not in there and name != "id"
        )


def shape_of(names: Names, actual: Actual) -> Shape:
    """What the tables are like; only for tables that lack nothing that is required."""
    dovecot = actual.tables[(names.dovecot, "dovecot_users")]
    users = actual.tables[(names.postfix, "smtp_users")]
    destinations = actual.tables[(names.postfix, "smtp_destinations")]
    tables = {"dovecot_users": dovecot, "smtp_users": users}
    linked = "users_id" in destinations.columns
    return Shape(
        imap=_present(IMAP, dovecot),
        smtp={k: v for k, v in _present(SMTP, users).items() if k != "id" or linked},
        destination=_present(DESTINATION, destinations),
        owner="users_id" if linked else "userid",
        dated=frozenset(name for name, table in tables.items() if MODIFIED in table.columns),
        lengths=dict(_lengths(names, {**tables, "smtp_destinations": destinations})),
        collation=users.columns["username"].collation or Shape.collation,
        rows=max(dovecot.rows, users.rows),
    )


def _present(fields: Mapping[str, str], table: ActualTable) -> dict[str, str]:
    return {name: column for name, column in fields.items() if column in table.columns}


def _lengths(names: Names, tables: Mapping[str, ActualTable]) -> Iterator[tuple[str, int]]:
    for name, table in tables.items():
        database = names.dovecot if name == "dovecot_users" else names.postfix
        for column, there in table.columns.items():
            if there.length:
                yield f"{database}.{name}.{column}", there.length


def lacking(names: Names, actual: Actual) -> list[str]:
    """What no generation of tine's tables is without, and ours, as far as it is not there."""
    found = []
    for name, columns in _REQUIRED.items():
        database = names.dovecot if name == "dovecot_users" else names.postfix
        there = actual.tables.get((database, name))
        if there is None:
            found.append(f"table {database}.{name}")
            continue
        found += _columns_lacking(f"{database}.{name}", there, columns)
        if name == "smtp_destinations" and not {"userid", "users_id"} & set(there.columns):
            found.append(f"column {database}.{name}.userid")
    return found


def _columns_lacking(name: str, table: ActualTable, columns: Iterable[str]) -> Iterator[str]:
    return (f"column {name}.{column}" for column in columns if column not in table.columns)
