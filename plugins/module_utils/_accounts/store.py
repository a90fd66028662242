# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows in, statements out: a DB-API cursor is all that the SQL side needs. SQL is data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from typing import Any, Protocol, Union

from .errors import SchemaNotReady
from .model import Account, Destination, ImapRow, Secret, SmtpRow, fold
from .plan import Change, Directory
from .schema import Actual, ActualColumn, ActualTable, Names, missing
from .wanted import Wanted

CHUNK = 1000  # names in one IN list

IMAP = {
    "userid": "userid",
    "domain": "domain",
    "username": "username",
    "loginname": "loginname",
    "password": "password",
    "quota": "quota_bytes",
    "uid": "uid",
    "gid": "gid",
    "home": "home",
    "status": "status",
}
SMTP = {
    "userid": "userid",
    "owner": "client_idnr",
    "username": "username",
    "password": "passwd",
    "email": "email",
    "forward_only": "forward_only",
    "status": "status",
}
DESTINATION = ("userid", "source", "destination", "dispatch_address")

TABLES = (
    "SELECT table_schema, table_name, engine FROM information_schema.tables "
    "WHERE table_type = 'BASE TABLE' AND table_schema IN (%s, %s)"
)
COLUMNS = (
    "SELECT table_schema, table_name, column_name, column_type, is_nullable, "
    "character_maximum_length, collation_name, extra FROM information_schema.columns "
    "WHERE table_schema IN (%s, %s) ORDER BY table_schema, table_name, ordinal_position"
)
KEYS = (
    "SELECT DISTINCT table_schema, table_name, index_name FROM information_schema.statistics "
    "WHERE table_schema IN (%s, %s)"
)
DATABASES = "SELECT schema_name FROM information_schema.schemata WHERE schema_name IN (%s, %s)"
TRIGGERS = (
    "SELECT trigger_name, action_statement FROM information_schema.triggers "
    "WHERE trigger_schema = %s"
)
SENTINEL = "SELECT id FROM {mailserver_lock} WHERE id = 1"
LOCK = "UPDATE {mailserver_lock} SET generation = generation + 1 WHERE id = 1"
NOW = "SELECT UTC_TIMESTAMP()"

_NAMED = (
    "dovecot_users",
    "smtp_users",
    "smtp_destinations",
    "smtp_virtual_domains",
    "mailserver_lock",
)


class Cursor(Protocol):
    """What is used of a DB-API cursor."""

    rowcount: int

    def execute(self, sql: str, values: Sequence[object] = ...) -> object: ...
    def executemany(self, sql: str, values: Sequence[Sequence[object]]) -> object: ...
    def fetchall(self) -> Sequence[Any]: ...


@dataclass(frozen=True)
class Statement:
    """One statement with the values of all its rows."""

    sql: str
    rows: Sequence[tuple[object, ...]]


def worded(names: Names, sql: str) -> str:
    """A statement of this file with the tables' own names in it."""
    return sql.format(**{name: names.table(name) for name in _NAMED})


def chunks(items: Iterable[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    listed = list(items)
    return (listed[start : start + size] for start in range(0, len(listed), size))


def marks(items: Sequence[object]) -> str:
    return ", ".join(["%s"] * len(items))


def inspect(cursor: Cursor, names: Names) -> Actual:
    """The tables of both databases as the server has them."""
    both = (names.dovecot, names.postfix)

    def asked(sql: str) -> Sequence[Any]:
        cursor.execute(sql, both)
        return cursor.fetchall()

    columns: dict[tuple[str, str], dict[str, ActualColumn]] = {}
    for schema, table, name, kind, nullable, length, collation, extra in asked(COLUMNS):
        columns.setdefault((schema, table), {})[name] = ActualColumn(
            kind, nullable == "YES", length, collation, "GENERATED" in extra.upper()
        )
    keys: dict[tuple[str, str], set[str]] = {}
    for schema, table, name in asked(KEYS):
        keys.setdefault((schema, table), set()).add(name)
    tables = {
        (schema, table): ActualTable(
            engine or "", columns.get((schema, table), {}), frozenset(keys.get((schema, table), ()))
        )
        for schema, table, engine in asked(TABLES)
    }
    cursor.execute(TRIGGERS, (names.dovecot,))
    triggers = {name: str(body) for name, body in cursor.fetchall()}
    return Actual(
        databases=frozenset(name for (name,) in asked(DATABASES)),
        tables=tables,
        triggers=triggers,
        locked=(names.postfix, "mailserver_lock") in tables and _has_sentinel(cursor, names),
    )


def _has_sentinel(cursor: Cursor, names: Names) -> bool:
    cursor.execute(worded(names, SENTINEL))
    return bool(cursor.fetchall())


def lock(cursor: Cursor, names: Names) -> None:
    """The first write of every writing transaction: one writer at a time, on a cluster too."""
    cursor.execute(worded(names, LOCK))
    if cursor.rowcount != 1:
        raise SchemaNotReady([f"the row of {names.postfix}.mailserver_lock"])


class SqlStore:
    """The accounts in tine's tables."""

    def __init__(self, cursor: Cursor, names: Names, actual: Actual) -> None:
        self.cursor = cursor
        self.names = names
        self.actual = actual

    @property
    def ready(self) -> bool:
        return not missing(self.names, self.actual)

    def load(self, wanted: Sequence[Wanted], locked: bool = False) -> Directory:
        """Only what a wish can touch or collide with, and where its forwards lead."""
        return _Reading(self, wanted, " FOR UPDATE" if locked else "").directory()

    def hosted(self, domains: Iterable[str]) -> frozenset[str]:
        sql = "SELECT domain FROM {smtp_virtual_domains} WHERE domain IN"
        return frozenset(fold(domain) for (domain,) in self.rows(sql, sorted(set(domains))))

    def rows(self, sql: str, values: Iterable[object], end: str = "") -> list[Any]:
        """The answer to a statement that ends in an IN list, asked in chunks."""
        found: list[Any] = []
        text = worded(self.names, sql)
        for chunk in chunks(values):
            self.cursor.execute(f"{text} ({marks(chunk)}){end}", chunk)
            found.extend(self.cursor.fetchall())
        return found

    def lengths(self) -> dict[str, int]:
        """How much the two password columns hold."""
        found = {}
        for database, table, column in (
            (self.names.dovecot, "dovecot_users", "password"),
            (self.names.postfix, "smtp_users", "passwd"),
        ):
            length = self.actual.tables[(database, table)].columns[column].length
            found[f"{database}.{table}.{column}"] = length or 0
        return found

    def apply(self, changes: Sequence[Change], secret: Callable[[str, str, Secret], str]) -> None:
        """Write the changes; the caller commits."""
        self.cursor.execute(NOW)
        ((now,),) = self.cursor.fetchall()
        for statement in statements(self.names, changes, secret, now):
            self.cursor.executemany(statement.sql, statement.rows)


class _Reading:
    """One reading of the directory: rows by names, then what hangs on them."""

    def __init__(self, store: SqlStore, wanted: Sequence[Wanted], lock: str) -> None:
        self.store = store
        self.wanted = wanted
        self.lock = lock
        self.imap: dict[tuple[str, str], ImapRow] = {}
        self.smtp: dict[tuple[str, str], SmtpRow] = {}
        self.destinations: dict[str, set[Destination]] = {}
        self.beyond: dict[tuple[str, Destination], None] = {}
        self.names = sorted({name for want in wanted for name in _asked(want)})

    def directory(self) -> Directory:
        names = self.names
        # Dovecot's table first, as tine does: two orders would be a deadlock.
        self._imap("username", names, self.lock)
        self._imap("loginname", _less(names, (r.loginname for r in self.imap.values())), self.lock)
        self._smtp("username", names, self.lock)
        self._smtp("email", _less(names, (row.email for row in self.smtp.values())), self.lock)
        touched = {row.userid for row in self.smtp.values()}
        self._imap("userid", touched - {row.userid for row in self.imap.values()}, self.lock)
        self._destinations("userid", sorted(touched))
        self._destinations("source", names)
        self._smtp("userid", self._userids() - touched, "")
        self._follow(touched)
        return Directory(
            accounts=list(self._accounts()),
            domains=self.store.hosted(name.rpartition("@")[2] for name in names),
            beyond=list(self.beyond),
            lengths=self.store.lengths(),
            same=self._odd_spellings(),
        )

    def _userids(self) -> set[str]:
        return {row.userid for row in self.imap.values()} | set(self.destinations)

    def _imap(self, column: str, values: Iterable[str], end: str) -> None:
        sql = f"SELECT {_listed(IMAP.values())} FROM {{dovecot_users}} WHERE {column} IN"
        for values_ in self.store.rows(sql, values, end):
            row = ImapRow(*values_)
            self.imap[(row.userid, row.domain)] = row

    def _smtp(self, column: str, values: Iterable[str], end: str) -> None:
        sql = f"SELECT {_listed(SMTP.values())} FROM {{smtp_users}} WHERE {column} IN"
        for values_ in self.store.rows(sql, values, end):
            row = _smtp_row(values_)
            self.smtp[(row.userid, row.owner)] = row

    def _destination_rows(self, column: str, values: Iterable[str]) -> Iterator[Any]:
        sql = f"SELECT {_listed(DESTINATION)} FROM {{smtp_destinations}} WHERE {column} IN"
        for userid, source, target, dispatch in self.store.rows(sql, values):
            yield userid, Destination(source, target, bool(dispatch))

    def _destinations(self, column: str, values: Iterable[str]) -> None:
        for userid, row in self._destination_rows(column, values):
            self.destinations.setdefault(userid, set()).add(row)

    def _follow(self, touched: Iterable[str]) -> None:
        """Where forwards lead, step by step, until nothing new is found."""
        known = {fold(name) for name in self.names}
        ends = {name for want in self.wanted for name in want.forwards or ()}
        ends |= {
            fold(row.target) for userid in touched for row in self.destinations.get(userid, ())
        }
        ends |= {fold(row.target) for rows in self.destinations.values() for row in rows}
        while ends - known:
            asked = sorted({form for name in ends - known for form in _forms(name)} - known)
            known |= ends | set(asked)
            found = list(self._destination_rows("source", asked))
            self.beyond.update(dict.fromkeys(found))
            ends = {fold(row.target) for _userid, row in found}

    def _accounts(self) -> Iterator[Account]:
        mates: dict[str, list[ImapRow]] = {}
        for row in self.imap.values():
            mates.setdefault(row.userid, []).append(row)
        for smtp in self.smtp.values():
            imap = _mate(mates.get(smtp.userid, []), smtp)
            yield Account(imap, smtp, frozenset(self.destinations.get(smtp.userid, ())))
        for rows in mates.values():
            yield from (Account(row, None) for row in rows)

    def _odd_spellings(self) -> dict[str, str]:
        """Stored names that only the server can compare: which of the wished names they equal."""
        stored = {name for row in self.smtp.values() for name in (row.username, row.email) if name}
        stored |= {n for row in self.imap.values() for n in (row.username, row.loginname) if n}
        stored |= {d.source for rows in self.destinations.values() for d in rows}
        return {
            name: same
            for name in stored
            if not (name.isascii() and name.isprintable())
            for same in self._equals(name)
        }

    def _equals(self, name: str) -> Iterator[str]:
        sql = (
            "SELECT wished FROM ({wished}) AS names "
            f"WHERE wished = %s COLLATE {self._collation()}"
        )
        for chunk in chunks(self.names):
            wished = " UNION ALL ".join(["SELECT %s AS wished"] * len(chunk))
            self.store.cursor.execute(sql.replace("{wished}", wished), [*chunk, name])
            yield from (found for (found,) in self.store.cursor.fetchall())

    def _collation(self) -> str:
        names = self.store.names
        table = self.store.actual.tables[(names.postfix, "smtp_users")]
        return table.columns["username"].collation or "utf8mb3_general_ci"


def _asked(want: Wanted) -> Iterator[str]:
    yield str(want.address)
    if want.username:
        yield want.username
    for alias in want.aliases or ():
        yield alias.source


def _less(names: Iterable[str], found: Iterable[str | None]) -> list[str]:
    """The names of a unique column that no row was found for yet."""
    known = set(found)
    return [name for name in names if name not in known]


def _forms(name: str) -> tuple[str, str, str]:
    """What Postfix looks up for a recipient: itself, without extension, the catch-all."""
    local, _at, domain = name.rpartition("@")
    return name, f"{local.partition('+')[0]}@{domain}", f"@{domain}"


def _smtp_row(values: Sequence[Any]) -> SmtpRow:
    userid, owner, username, password, email, forward_only, status = values
    return SmtpRow(userid, owner, username, password, email, bool(forward_only), status)


def _mate(rows: list[ImapRow], smtp: SmtpRow) -> ImapRow | None:
    """The row of dovecot_users that belongs to this one of smtp_users; taken out of the rows."""
    same = [row for row in rows if fold(row.username) == fold(smtp.username)] or rows
    if not same:
        return None
    rows.remove(same[0])
    return same[0]


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(columns)


# ---- writing: a list of changes becomes statements, in an order that no key objects to

_INSERT = "INSERT INTO {table} ({columns}) VALUES ({marks})"
_DELETE = {
    "dovecot_users": "DELETE FROM {dovecot_users} WHERE userid = %s AND domain = %s",
    "smtp_users": "DELETE FROM {smtp_users} WHERE userid = %s AND client_idnr = %s",
    "smtp_destinations": "DELETE FROM {smtp_destinations} "
    "WHERE userid = %s AND source = %s AND destination = %s",
}
# Names that move from one account to another are given up before they are taken.
_RELEASE = {
    "dovecot_users": "UPDATE {dovecot_users} SET loginname = NULL "
    "WHERE userid = %s AND domain = %s",
    "smtp_users": "UPDATE {smtp_users} SET email = NULL WHERE userid = %s AND client_idnr = %s",
}
_RENAME = {
    "dovecot_users": "UPDATE {dovecot_users} SET username = %s WHERE userid = %s AND domain = %s",
    "smtp_users": "UPDATE {smtp_users} SET username = %s WHERE userid = %s AND client_idnr = %s",
}
_TOUCH = "UPDATE {smtp_users} SET last_modified_time = %s WHERE userid = %s AND client_idnr = %s"

Row = Union[ImapRow, SmtpRow]


@dataclass(frozen=True)
class _Table:
    name: str
    columns: dict[str, str]
    row: Callable[[Account], Any | None]
    key: tuple[str, str]
    address: str  # the field that holds the address


_USERS = (
    _Table("dovecot_users", IMAP, lambda account: account.imap, ("userid", "domain"), "loginname"),
    _Table("smtp_users", SMTP, lambda account: account.smtp, ("userid", "owner"), "email"),
)


def statements(
    names: Names,
    changes: Sequence[Change],
    secret: Callable[[str, str, Secret], str],
    now: object,
) -> list[Statement]:
    """The changes as SQL; secret tells what to write for a new password."""
    found = list(_destinations_gone(names, changes))
    for table in reversed(_USERS):
        found += _rows_gone(names, table, changes)
    for table in _USERS:
        found += _names_released(names, table, changes)
    for table in _USERS:
        found += _rows_changed(names, table, changes, secret, now)
    for table in _USERS:
        found += _rows_new(names, table, changes, secret, now)
    found += _destinations_new(names, changes)
    found += _touched(names, changes, now)
    return [statement for statement in found if statement.rows]


def _pairs(table: _Table, changes: Iterable[Change]) -> Iterator[tuple[Any, Any]]:
    for change in changes:
        before = table.row(change.before) if change.before else None
        after = table.row(change.after) if change.after else None
        if before != after:
            yield before, after


def _key(table: _Table, row: Row) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in table.key)


def _destinations_gone(names: Names, changes: Iterable[Change]) -> Iterator[Statement]:
    rows = [
        (change.before.userid, row.source, row.target)
        for change in changes
        if change.before
        for row in sorted(_fewer(change.before, change.after), key=_order)
    ]
    yield Statement(worded(names, _DELETE["smtp_destinations"]), rows)


def _destinations_new(names: Names, changes: Iterable[Change]) -> Iterator[Statement]:
    rows = [
        (change.after.userid, row.source, row.target, int(row.dispatch))
        for change in changes
        if change.after
        for row in sorted(_fewer(change.after, change.before), key=_order)
    ]
    yield Statement(_insert(names, "smtp_destinations", DESTINATION), rows)


def _fewer(account: Account, other: Account | None) -> frozenset[Destination]:
    return account.destinations - (other.destinations if other else frozenset())


def _order(row: Destination) -> tuple[str, str]:
    return row.source, row.target


def _insert(names: Names, table: str, columns: Sequence[str]) -> str:
    return _INSERT.format(table=names.table(table), columns=_listed(columns), marks=marks(columns))


def _rows_gone(names: Names, table: _Table, changes: Sequence[Change]) -> Iterator[Statement]:
    rows = [_key(table, before) for before, after in _pairs(table, changes) if after is None]
    yield Statement(worded(names, _DELETE[table.name]), rows)


def _names_released(names: Names, table: _Table, changes: Sequence[Change]) -> Iterator[Statement]:
    pairs = [(b, a) for b, a in _pairs(table, changes) if b and a]
    taken = {getattr(after, table.address) for _before, after in pairs}
    moved = [
        _key(table, before)
        for before, after in pairs
        if getattr(before, table.address) != getattr(after, table.address)
        and getattr(before, table.address) in taken
    ]
    yield Statement(worded(names, _RELEASE[table.name]), moved)
    wished = {after.username for _before, after in pairs}
    renamed = [
        (before.userid, *_key(table, before))
        for before, after in pairs
        if before.username != after.username and before.username in wished
    ]
    yield Statement(worded(names, _RENAME[table.name]), renamed)


def _rows_changed(
    names: Names,
    table: _Table,
    changes: Sequence[Change],
    secret: Callable[[str, str, Secret], str],
    now: object,
) -> Iterator[Statement]:
    """One statement for all rows in which the same columns change."""
    pairs = [(b, a) for b, a in _pairs(table, changes) if b and a]
    for differing, group in groupby(sorted(pairs, key=_differing), key=_differing):
        columns = [*(table.columns[name] for name in differing), "last_modified_time"]
        assignments = ", ".join(f"{column} = %s" for column in columns)
        condition = " AND ".join(f"{table.columns[name]} = %s" for name in table.key)
        yield Statement(
            f"UPDATE {names.table(table.name)} SET {assignments} WHERE {condition}",
            [
                (
                    *(_value(table, after, name, secret) for name in differing),
                    now,
                    *_key(table, before),
                )
                for before, after in group
            ],
        )


def _differing(pair: tuple[Row, Row]) -> tuple[str, ...]:
    before, after = pair
    return tuple(
        field.name
        for field in fields(before)
        if getattr(before, field.name) != getattr(after, field.name)
    )


def _rows_new(
    names: Names,
    table: _Table,
    changes: Sequence[Change],
    secret: Callable[[str, str, Secret], str],
    now: object,
) -> Iterator[Statement]:
    columns = [*table.columns.values(), "last_modified_time"]
    rows = [
        (*(_value(table, after, name, secret) for name in table.columns), now)
        for before, after in _pairs(table, changes)
        if before is None
    ]
    yield Statement(_insert(names, table.name, columns), rows)


def _value(table: _Table, row: Row, name: str, secret: Callable[[str, str, Secret], str]) -> object:
    value = getattr(row, name)
    if isinstance(value, Secret):
        return secret(row.userid, table.name, value)
    return int(value) if isinstance(value, bool) else value


def secrets_of(changes: Iterable[Change]) -> Iterator[tuple[str, str, Secret]]:
    """Every new password: whose, for which table, and itself."""
    for change in changes:
        for table in _USERS:
            row = table.row(change.after) if change.after else None
            if row and isinstance(row.password, Secret):
                yield row.userid, table.name, row.password


def _touched(names: Names, changes: Sequence[Change], now: object) -> Iterator[Statement]:
    """As tine does: an account whose destinations change counts as modified."""
    rows = [
        (now, change.after.smtp.userid, change.after.smtp.owner)
        for change in changes
        if change.before and change.after and change.after.smtp
        if change.before.smtp == change.after.smtp
        if change.before.destinations != change.after.destinations
    ]
    yield Statement(worded(names, _TOUCH), rows)


def names_of(change: Change) -> set[str]:
    """Every name that a change takes or gives up."""
    accounts = [account for account in (change.before, change.after) if account]
    return {fold(name) for account in accounts for _word, name in account.names()}


def together(changes: Sequence[Change], size: int) -> list[list[Change]]:
    """Portions of about this size; changes that hand names to each other stay in one."""
    if not size:
        return [list(changes)] if changes else []
    leader: dict[int, int] = {}

    def lead(index: int) -> int:
        while leader.setdefault(index, index) != index:
            index = leader[index]
        return index

    first: dict[str, int] = {}
    for index, change in enumerate(changes):
        for name in names_of(change):
            leader[lead(index)] = lead(first.setdefault(name, index))
    groups: dict[int, list[Change]] = {}
    for index, change in enumerate(changes):
        groups.setdefault(lead(index), []).append(change)
    portions: list[list[Change]] = []
    for group in groups.values():
        if portions and len(portions[-1]) + len(group) <= size:
            portions[-1].extend(group)
        else:
            portions.append(group)
    return portions
