# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repairs of rows, each asked for by name: what it would change is read, then written. SQL is data.

Every statement says again what it takes for granted, and the rows are locked between the two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Callable, NamedTuple

from .._accounts.schema import DOVECOT, POSTFIX
from .._accounts.store import Cursor, chunks, marks
from .._migration.twins import TURN, Routes
from .hashes import bare_scheme
from .records import Tables, same


class Mend(NamedTuple):
    """One thing that a repair changes: in words before and after, and how."""

    table: str
    before: str
    after: str  # empty where a row goes
    sql: str
    values: tuple[object, ...] = ()
    rows: int = 1

    def words(self) -> str:
        """What happens to it."""
        return f"{self.before} => {self.after}" if self.after else f"remove {self.before}"


Plan = Callable[["Asking"], Iterable[Mend]]


class Asking(NamedTuple):
    """The tables, and a cursor to ask about them; lock is what is said to keep the rows."""

    cursor: Cursor
    tables: Tables
    lock: str = ""

    def rows(self, sql: str, values: Sequence[object] = ()) -> Sequence[Any]:
        self.cursor.execute(sql + self.lock, values)
        return self.cursor.fetchall()

    def table(self, name: str) -> str:
        """For SQL."""
        return self.tables.names.table(name)


# ---- duplicate_destinations


def duplicate_destinations(asking: Asking) -> Iterator[Mend]:
    """Of each pair one row stays."""
    tables = asking.tables
    hook, key = tables.hook, tables.key
    if not tables.has("smtp_destinations", "source", "destination", hook):
        return
    if not tables.has("smtp_users", key, "username", "email"):
        return
    table = asking.table("smtp_destinations")
    flagged = tables.has("smtp_destinations", "dispatch_address")
    columns = ("source", "destination", hook, *(("dispatch_address",) if flagged else ()))
    flag = "d.dispatch_address" if flagged else "1"
    twins = Routes(table, asking.table("smtp_users"), hook, key, flag, tables.as_user)
    # A ranked row is not locked by what is said behind its statement.
    if not asking.rows(f"SELECT 1 {twins.rows}"):
        return
    asking.cursor.execute(
        f"SELECT source, destination, {hook}, {flag} "
        f"FROM ({twins.ranked(columns)}) AS d "
        f"WHERE d.{TURN} > 1 ORDER BY BINARY source, BINARY destination, {hook}"
    )
    sql = f"DELETE FROM {table} WHERE {hook} <=> %s AND source = %s AND destination = %s "
    sql += "AND dispatch_address <=> %s LIMIT %s" if flagged else "LIMIT %s"
    surplus = Counter(asking.cursor.fetchall())
    for (source, target, owner, may_send), times in surplus.items():
        line = f"{source} -> {target} ({hook} {owner})"
        values = (owner, source, target, *((may_send,) if flagged else ()), times)
        yield Mend("smtp_destinations", line, "", sql, values, times)


# ---- orphan_destinations and orphan_usage


def orphan_destinations(asking: Asking) -> Iterator[Mend]:
    """Destinations whose account is not there."""
    tables = asking.tables
    hook, key = tables.hook, tables.key
    if not tables.has("smtp_destinations", "source", "destination", hook):
        return
    if not tables.has("smtp_users", key):
        return
    table, users = asking.table("smtp_destinations"), asking.table("smtp_users")
    # Destinations first: an account is always made before they are.
    owners = [
        owner
        for (owner,) in asking.rows(f"SELECT DISTINCT {hook} FROM {table} WHERE {hook} IS NOT NULL")
    ]
    sql = (
        f"DELETE FROM {table} WHERE {hook} = %s AND source <=> %s AND destination <=> %s "
        f"AND NOT EXISTS (SELECT 1 FROM {users} WHERE {key} = %s)"
    )
    for chunk in chunks(_nobodys(asking, owners, f"SELECT {key} FROM {users}")):
        for owner, source, target, times in asking.rows(
            f"SELECT {hook}, source, destination, COUNT(*) FROM {table} "
            f"WHERE {hook} IN ({marks(chunk)}) GROUP BY {hook}, source, destination",
            chunk,
        ):
            line = f"{source} -> {target} ({hook} {owner})"
            values = (owner, source, target, owner)
            yield Mend("smtp_destinations", line, "", sql, values, times)
    ownerless = f"DELETE FROM {table} WHERE {hook} IS NULL AND source <=> %s AND destination <=> %s"
    for source, target, times in asking.rows(
        f"SELECT source, destination, COUNT(*) FROM {table} WHERE {hook} IS NULL "
        "GROUP BY source, destination"
    ):
        yield Mend(
            "smtp_destinations",
            f"{source} -> {target} (nobody)",
            "",
            ownerless,
            (source, target),
            times,
        )


def orphan_usage(asking: Asking) -> Iterator[Mend]:
    """Sizes of mailboxes that are not there."""
    if not asking.tables.has("dovecot_usage", "username"):
        return
    if not asking.tables.has("dovecot_users", "username"):
        return
    table, users = asking.table("dovecot_usage"), asking.table("dovecot_users")
    names = [name for (name,) in asking.rows(f"SELECT username FROM {table}")]
    sql = (
        f"DELETE FROM {table} WHERE username = %s "
        f"AND NOT EXISTS (SELECT 1 FROM {users} WHERE username = %s)"
    )
    for name in _nobodys(asking, names, f"SELECT username FROM {users}"):
        yield Mend("dovecot_usage", name, "", sql, (name, name))


def _nobodys(asking: Asking, keys: Iterable[Any], sql: str) -> list[Any]:
    """Those of the keys that the answer does not have; compared here, whatever the collations."""
    there = {_name(key) for (key,) in asking.cursor.stream(sql)}
    return sorted(key for key in keys if _name(key) not in there)


def _name(key: Any) -> str | int:
    """A key as the collation sees it, also from a column that somebody has made binary."""
    text = key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else key
    return same(text)


# ---- bare_hashes


def bare_hashes(asking: Asking, name: str, column: str) -> Iterator[Mend]:
    """Hashes that say what they are get the prefix that says so, where there is room for it."""
    # Where the scheme stands in a column of its own, mail_schema makes the prefix of it.
    beside = any(asking.tables.has(name, former) for former in ("scheme", "encryption_type"))
    if beside or not asking.tables.has(name, "username", column):
        return
    room = asking.tables.room(name, column) or 0
    table = asking.table(name)
    sql = (
        f"UPDATE {table} SET {column} = CONCAT(%s, {column}) "
        f"WHERE username = %s AND BINARY {column} = BINARY %s"
    )
    for username, stored in asking.rows(
        f"SELECT username, CONVERT({column} USING utf8mb4) FROM {table} "
        f"WHERE {column} NOT LIKE '{{%%' AND username IS NOT NULL ORDER BY username"
    ):
        prefix = f"{{{bare_scheme(stored)}}}"
        if prefix != "{}" and len(prefix) + len(stored) <= room:
            after = f"{username}: a hash of {prefix}"
            values = (prefix, username, stored)
            yield Mend(name, f"{username}: a hash without a scheme", after, sql, values)


# ---- lower_case_domains

_ADDRESSES = {
    "dovecot_users": ("loginname",),
    "smtp_users": ("email",),
    "smtp_destinations": ("source", "destination"),
    "smtp_virtual_domains": ("domain",),
}
_DOMAIN = "SUBSTRING_INDEX({0}, '@', -1)"
_CAPITAL = f"BINARY {_DOMAIN} <> BINARY LOWER({_DOMAIN})"
_LOWERED = f"CONCAT(LEFT({{0}}, CHAR_LENGTH({{0}}) - CHAR_LENGTH({_DOMAIN})), LOWER({_DOMAIN}))"


def lower_case_domains(asking: Asking, name: str) -> Iterator[Mend]:
    """What stands behind the @ in small letters, where that is the same name to the server."""
    table = asking.table(name)
    for column in _ADDRESSES[name]:
        if not asking.tables.ignores_case(name, column):
            continue
        lowered, capital = _LOWERED.format(column), _CAPITAL.format(column)
        # What has no @ has no domain, unless it is one.
        capital += "" if column == "domain" else f" AND LOCATE('@', {column}) > 0"
        sql = f"UPDATE {table} SET {column} = {lowered} WHERE {capital}"
        for address, becomes in asking.rows(
            f"SELECT {column}, {lowered} FROM {table} WHERE {capital} ORDER BY {column}"
        ):
            yield Mend(name, address, becomes, sql)


# ---- all of them, by the database that they write to

REPAIRS: dict[str, dict[str, Plan]] = {
    "bare_hashes": {
        DOVECOT: lambda asking: (
            *bare_hashes(asking, "dovecot_users", "password"),
            *bare_hashes(asking, "dovecot_master_users", "password"),
        ),
        POSTFIX: lambda asking: bare_hashes(asking, "smtp_users", "passwd"),
    },
    "duplicate_destinations": {POSTFIX: duplicate_destinations},
    "lower_case_domains": {
        DOVECOT: lambda asking: lower_case_domains(asking, "dovecot_users"),
        POSTFIX: lambda asking: (
            *lower_case_domains(asking, "smtp_users"),
            *lower_case_domains(asking, "smtp_destinations"),
            *lower_case_domains(asking, "smtp_virtual_domains"),
        ),
    },
    "orphan_destinations": {POSTFIX: orphan_destinations},
    "orphan_usage": {DOVECOT: orphan_usage},
}


def apply(cursor: Cursor, mends: Iterable[Mend]) -> None:
    """Write them; the caller commits."""
    for sql, values in dict.fromkeys((mend.sql, mend.values) for mend in mends):
        cursor.execute(sql, values)


def told(tables: Tables, mends: Sequence[Mend], limit: int) -> list[dict[str, Any]]:
    """What a repair changes, by table, with so many examples of each."""
    by_table: dict[str, list[Mend]] = {}
    for mend in mends:
        by_table.setdefault(mend.table, []).append(mend)
    return [
        {
            "table": tables.name(table),
            "count": sum(mend.rows for mend in group),
            "examples": [mend.words() for mend in group[:limit]],
        }
        for table, group in sorted(by_table.items())
    ]
