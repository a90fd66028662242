# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows in, statements out: a DB-API cursor is all that the SQL side needs. SQL is data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from .errors import SchemaNotReady
from .model import Account, Destination, ImapRow, SmtpRow, fold
from .plan import Change, Directory
from .schema import (
    Actual,
    ActualColumn,
    ActualKey,
    ActualReference,
    ActualTable,
    Names,
)
from .sessions import sessions_to_end
from .shape import IMAP, SMTP, Shape, lacking, shape_of
from .wanted import Wanted
from .writing import Secrets, statements, worded

CHUNK = 1000  # names in one IN list
MANY = 500  # wishes from which on whole tables may be read

TABLES = (
    "SELECT table_schema, table_name, engine, table_rows, row_format, "
    "IF(create_options LIKE '%%partitioned%%', 'PARTITIONED', table_type) "
    "FROM information_schema.tables WHERE table_schema IN (%s, %s)"
)
COLUMNS = (
    "SELECT table_schema, table_name, column_name, column_type, is_nullable, "
    "character_maximum_length, collation_name, extra, column_default, generation_expression "
    "FROM information_schema.columns "
    "WHERE table_schema IN (%s, %s) ORDER BY table_schema, table_name, ordinal_position"
)
KEYS = (
    "SELECT table_schema, table_name, index_name, non_unique, "
    "IF(index_type IN ('FULLTEXT', 'SPATIAL'), CONCAT(column_name, ' ', index_type), column_name), "
    "sub_part FROM information_schema.statistics WHERE table_schema IN (%s, %s) "
    "ORDER BY table_schema, table_name, index_name, seq_in_index"
)
# Who may only read sees no rules; they are taken for tine's then.
REFERENCES = (
    "SELECT u.table_schema, u.table_name, u.constraint_name, u.column_name, "
    "IF(u.referenced_table_schema = u.table_schema, u.referenced_table_name, "
    "CONCAT(u.referenced_table_schema, '.', u.referenced_table_name)), u.referenced_column_name, "
    "COALESCE(r.update_rule = 'CASCADE' AND r.delete_rule = 'CASCADE', TRUE) "
    "FROM information_schema.key_column_usage AS u "
    "LEFT JOIN information_schema.referential_constraints AS r "
    "ON r.constraint_schema = u.constraint_schema AND r.constraint_name = u.constraint_name "
    "AND r.table_name = u.table_name "
    "WHERE u.table_schema IN (%s, %s) AND u.referenced_table_name IS NOT NULL"
)
DATABASES = "SELECT schema_name FROM information_schema.schemata WHERE schema_name IN (%s, %s)"
TRIGGERS = (
    "SELECT trigger_schema, event_object_table, trigger_name, action_statement "
    "FROM information_schema.triggers WHERE trigger_schema IN (%s, %s) "
    "ORDER BY trigger_schema, event_object_table, action_order"
)
# What is no ordinary table, in words.
KINDS = {
    "BASE TABLE": "",
    "PARTITIONED": "a table with partitions",
    "SYSTEM VERSIONED": "a table with versions of its rows",
}
SENTINEL = "SELECT id FROM {mailserver_lock} WHERE id = 1"
LOCK = "UPDATE {mailserver_lock} SET generation = generation + 1 WHERE id = 1"
OWNED = "SELECT userid, username, email FROM {smtp_users} WHERE client_idnr = %s"
NOW = "SELECT UTC_TIMESTAMP()"
END = "INSERT INTO {dovecot_sessions_to_end} (username, since) VALUES (%s, %s)"
# An IMAP host that has not looked for so long has been down: no session has lasted.
ENDED = "DELETE FROM {dovecot_sessions_to_end} WHERE since < %s - INTERVAL 7 DAY"


_ALONE = ("password", "home")  # no two rows have the same
_IMAP_SHARED = tuple(name not in _ALONE for name in IMAP)
_SMTP_SHARED = tuple(name not in _ALONE for name in SMTP)


class Cursor(Protocol):
    """What is used of a DB-API cursor, and rows one by one where a list of them would be large."""

    rowcount: int

    def execute(self, sql: str, values: Sequence[object] = ...) -> object: ...
    def executemany(self, sql: str, values: Sequence[Sequence[object]]) -> object: ...
    def fetchall(self) -> Sequence[Any]: ...
    def stream(self, sql: str) -> Iterator[Any]: ...


def chunks(items: Iterable[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    """The items in lists of at most this many."""
    listed = list(items)
    return (listed[start : start + size] for start in range(0, len(listed), size))


def marks(items: Sequence[object]) -> str:
    """Placeholders for these items."""
    return ", ".join(["%s"] * len(items))


def inspect(cursor: Cursor, names: Names) -> Actual:
    """The tables of both databases as the server has them."""
    both = (names.dovecot, names.postfix)

    def asked(sql: str) -> Sequence[Any]:
        cursor.execute(sql, both)
        return cursor.fetchall()

    columns: dict[tuple[str, str], dict[str, ActualColumn]] = {}
    for schema, table, name, kind, nullable, length, collation, extra, *more in asked(COLUMNS):
        # The server does not look at capital letters in names of columns.
        columns.setdefault((schema, table), {})[name.lower()] = ActualColumn(
            *(kind, nullable == "YES", length, collation, "GENERATED" in extra.upper(), more[0]),
            more[1] or "",
            "AUTO_INCREMENT" in extra.upper(),
        )
    keys: dict[tuple[str, str], dict[str, ActualKey]] = {}
    for schema, table, title, repeats, column, part in asked(KEYS):
        of_table = keys.setdefault((schema, table), {})
        # Nor at those in names of keys.
        name = "PRIMARY" if title == "PRIMARY" else title.lower()
        before = of_table[name].columns if name in of_table else ()
        named = column.lower()
        of_table[name] = ActualKey(not repeats, (*before, f"{named}({part})" if part else named))
    references: dict[tuple[str, str], dict[str, ActualReference]] = {}
    for schema, table, name, column, parent, of, cascades in asked(REFERENCES):
        reference = ActualReference(column.lower(), parent, of.lower(), bool(cascades))
        references.setdefault((schema, table), {})[name] = reference
    triggers: dict[tuple[str, str], dict[str, str]] = {}
    for schema, table, name, body in asked(TRIGGERS):
        triggers.setdefault((schema, table), {})[name] = str(body)
    tables = {
        (schema, table): ActualTable(
            engine or "",
            columns.get((schema, table), {}),
            keys.get((schema, table), {}),
            rows or 0,
            row_format or "",
            references.get((schema, table), {}),
            KINDS.get(kind, f"a {kind.lower()}"),
            triggers.get((schema, table), {}),
        )
        for schema, table, engine, rows, row_format, kind in asked(TABLES)
    }
    lock_row = tables.get((names.postfix, "mailserver_lock"))
    return Actual(
        databases=frozenset(name for (name,) in asked(DATABASES)),
        tables=tables,
        triggers={
            name: body
            for (schema, _table), found in triggers.items()
            if schema == names.dovecot
            for name, body in found.items()
        },
        locked=lock_row is not None
        and {"id", "generation"} <= set(lock_row.columns)
        and _has_sentinel(cursor, names),
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
    """The accounts in tine's tables, of any generation."""

    def __init__(self, cursor: Cursor, names: Names, actual: Actual) -> None:
        self.cursor = cursor
        self.names = names
        self.lacking = lacking(names, actual)
        self.shape = Shape() if self.lacking else shape_of(names, actual)
        self.ends_sessions = (names.dovecot, "dovecot_sessions_to_end") in actual.tables

    @property
    def ready(self) -> bool:
        """Whether there is all that is needed to keep accounts."""
        return not self.lacking

    def load(self, wanted: Sequence[Wanted], locked: bool = False) -> Directory:
        """Only what a wish can touch or collide with, and where its forwards lead.

        As many wishes as accounts read the whole tables: that is one statement for each.
        """
        whole = len(wanted) >= MANY and self.shape.rows <= 4 * len(wanted)
        reading = _Whole if whole else _ByNames
        return reading(self, wanted, " FOR UPDATE" if locked else "").directory()

    def owned(self, owner: str) -> list[tuple[str, str, str | None]]:
        """userid, username and address of every account of an owner."""
        self.cursor.execute(worded(self.names, OWNED), [owner])
        return list(self.cursor.fetchall())

    def at_home(self, homes: Iterable[str]) -> list[tuple[str, str, str]]:
        """userid, username and home of every account that has one of these homes."""
        if "home" not in self.shape.imap:
            return []
        return self.rows("SELECT userid, username, home FROM {dovecot_users} WHERE home IN", homes)

    def hosted(self, domains: Iterable[str]) -> frozenset[str]:
        """Those of the domains that this host takes mail for."""
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

    def apply(self, changes: Sequence[Change], secret: Secrets) -> None:
        """Write the changes; the caller commits."""
        self.cursor.execute(NOW)
        ((now,),) = self.cursor.fetchall()
        for statement in statements(self.names, self.shape, changes, secret, now):
            self.cursor.executemany(statement.sql, statement.rows)
        if self.ends_sessions:
            self._end(sessions_to_end(changes, now), now)

    def _end(self, usernames: Sequence[str], now: object) -> None:
        """Told with the change itself, so that no failure after it keeps a session open."""
        if usernames:
            self.cursor.execute(worded(self.names, ENDED), [now])
            self.cursor.executemany(
                worded(self.names, END), [(username, now) for username in usernames]
            )


class _Reading(ABC):
    """One reading of the directory."""

    def __init__(self, store: SqlStore, wanted: Sequence[Wanted], lock: str) -> None:
        self.store = store
        self.wanted = wanted
        self.lock = lock
        self.imap: dict[tuple[str, str], ImapRow] = {}
        self.smtp: dict[tuple[str | int, str | None], SmtpRow] = {}
        self.destinations: dict[str | int, set[Destination]] = {}
        self.beyond: dict[tuple[str | int, Destination], None] = {}
        shape = store.shape
        self._imap_sql = _selected(IMAP, shape.imap, "dovecot_users")
        self._smtp_sql = _selected(SMTP, shape.smtp, "smtp_users")
        flag = shape.destination.get("dispatch", "1")
        self._destination_sql = (
            f"SELECT {shape.owner}, source, destination, {flag} FROM {{smtp_destinations}}"
        )
        self._shared: dict[Any, Any] = {}

    def directory(self) -> Directory:
        """What was read."""
        self.read()
        same = self._odd_spellings()
        return Directory(
            accounts=list(self._accounts()),
            domains=self.store.hosted(self._domains()),
            beyond=list(self.beyond),
            lengths=self.store.shape.lengths,
            same=same,
            absent=self.store.shape.absent,
        )

    @abstractmethod
    def read(self) -> None:
        """Keep the rows."""

    def names(self) -> list[str]:
        """Every name that the wishes say."""
        return sorted({name for want in self.wanted for name in _asked(want)})

    def _domains(self) -> set[str]:
        return {name.rpartition("@")[2] for want in self.wanted for name in _asked(want)}

    def _keep_imap(self, rows: Iterable[Sequence[Any]]) -> None:
        for values in rows:
            row = ImapRow(*self._once(values, _IMAP_SHARED))
            self.imap[(row.userid, row.domain)] = row

    def _keep_smtp(self, rows: Iterable[Sequence[Any]]) -> None:
        for values in rows:
            row = SmtpRow(*self._once(values, _SMTP_SHARED))
            row = row._replace(forward_only=bool(row.forward_only))
            self.smtp[(row.hook, row.owner)] = row

    def _once(self, values: Sequence[Any], shared: Sequence[bool]) -> list[Any]:
        """The same name or word in many rows is one object."""
        share = self._shared.setdefault
        return [share(value, value) if often else value for value, often in zip(values, shared)]

    def _keep_destinations(self, rows: Iterable[Sequence[Any]]) -> None:
        share = self._shared.setdefault
        for hook, source, target, dispatch in rows:
            row = Destination(share(source, source), share(target, target), bool(dispatch))
            self.destinations.setdefault(share(hook, hook), set()).add(row)

    def _accounts(self) -> Iterator[Account]:
        """Rows of one userid are pairs by their usernames; what is left of it are pairs too."""
        mates: dict[str, list[ImapRow]] = {}
        for row in self.imap.values():
            mates.setdefault(row.userid, []).append(row)
        alone = []
        for smtp in self.smtp.values():
            imap = _namesake(mates.get(smtp.userid, []), smtp)
            if imap is None:
                alone.append(smtp)
            else:
                yield self._account(imap, smtp)
        for smtp in alone:
            rows = mates.get(smtp.userid, [])
            yield self._account(rows.pop(0) if rows else None, smtp)
        for rows in mates.values():
            yield from (Account(row, None) for row in rows)

    def _account(self, imap: ImapRow | None, smtp: SmtpRow) -> Account:
        return Account(imap, smtp, frozenset(self.destinations.pop(smtp.hook, ())))

    def _odd_spellings(self) -> dict[str, str]:
        """Stored names that only the server can compare: which of the wished names they equal."""
        odd = {name for name in self._stored() if not (name.isascii() and name.isprintable())}
        said = [want for want in self.wanted if not want.pruned] if odd else []
        names = sorted({name for want in said for name in _asked(want)})
        return {name: same for name in sorted(odd) for same in self._equals(name, names)}

    def _stored(self) -> Iterator[str]:
        for smtp in self.smtp.values():
            yield smtp.username
            yield smtp.email or ""
        for imap in self.imap.values():
            yield imap.username
            yield imap.loginname or ""
        yield from {row.source for rows in self.destinations.values() for row in rows}

    def _equals(self, name: str, names: Sequence[str]) -> Iterator[str]:
        collation = self.store.shape.collation
        charset = collation.partition("_")[0]
        sql = (
            "SELECT wished FROM ({wished}) AS names "
            f"WHERE CONVERT(wished USING {charset}) = CONVERT(%s USING {charset}) "
            f"COLLATE {collation}"
        )
        for chunk in chunks(names):
            wished = " UNION ALL ".join(["SELECT %s AS wished"] * len(chunk))
            self.store.cursor.execute(sql.replace("{wished}", wished), [*chunk, name])
            yield from (found for (found,) in self.store.cursor.fetchall())


class _Whole(_Reading):
    """Every row of the tables."""

    def read(self) -> None:
        self._keep_imap(self._all(self._imap_sql + self.lock))
        self._keep_smtp(self._all(self._smtp_sql + self.lock))
        self._keep_destinations(self._all(self._destination_sql))

    def _all(self, sql: str) -> Iterator[Any]:
        return self.store.cursor.stream(worded(self.store.names, sql))


class _ByNames(_Reading):
    """Rows by the names of the wishes, then what hangs on them."""

    def read(self) -> None:
        names = self.names()
        userids = sorted(want.userid for want in self.wanted if want.userid)
        # Dovecot's table first, as tine does: two orders would be a deadlock.
        self._imap("username", names, self.lock)
        if "loginname" in self.store.shape.imap:
            found = (row.loginname for row in self.imap.values())
            self._imap("loginname", _less(names, found), self.lock)
        self._smtp("username", names, self.lock)
        self._smtp("email", _less(names, (row.email for row in self.smtp.values())), self.lock)
        self._smtp("userid", _less(userids, (r.userid for r in self.smtp.values())), self.lock)
        touched = list(self.smtp.values())
        met = {row.userid for row in self.imap.values()}
        self._imap("userid", {*userids, *(row.userid for row in touched)} - met, self.lock)
        hooks = {row.hook for row in touched}
        self._destinations(self.store.shape.owner, sorted(hooks, key=str))
        self._destinations("source", names)
        self._smtp_others(hooks)
        self._follow(names, hooks)

    def _smtp_others(self, hooks: set[str | int]) -> None:
        """Whose the other rows are that were met."""
        # In tables for several tines two of them may have the same userid.
        known = set() if self.store.shape.multi else {row.userid for row in self.smtp.values()}
        self._smtp("userid", {row.userid for row in self.imap.values()} - known, "")
        owners = set(self.destinations) - hooks - {row.hook for row in self.smtp.values()}
        self._smtp("id" if self.store.shape.multi else "userid", owners, "")

    def _imap(self, column: str, values: Iterable[str], end: str) -> None:
        self._keep_imap(self.store.rows(f"{self._imap_sql} WHERE {column} IN", values, end))

    def _smtp(self, column: str, values: Iterable[str | int], end: str) -> None:
        self._keep_smtp(self.store.rows(f"{self._smtp_sql} WHERE {column} IN", values, end))

    def _destination_rows(self, column: str, values: Iterable[str | int]) -> list[Any]:
        return self.store.rows(f"{self._destination_sql} WHERE {column} IN", values)

    def _destinations(self, column: str, values: Iterable[str | int]) -> None:
        self._keep_destinations(self._destination_rows(column, values))

    def _follow(self, names: Iterable[str], touched: Iterable[str | int]) -> None:
        """Where forwards lead, step by step, until nothing new is found."""
        known = {fold(name) for name in names}
        ends = {name for want in self.wanted for name in _targets(want)}
        ends |= {fold(row.target) for hook in touched for row in self.destinations.get(hook, ())}
        ends |= {fold(row.target) for rows in self.destinations.values() for row in rows}
        while ends - known:
            asked = sorted({form for name in ends - known for form in _forms(name)} - known)
            known |= ends | set(asked)
            found = [
                (hook, Destination(source, target, bool(dispatch)))
                for hook, source, target, dispatch in self._destination_rows("source", asked)
            ]
            self.beyond.update(dict.fromkeys(found))
            ends = {fold(row.target) for _hook, row in found}


def _selected(fields: Mapping[str, str], there: Mapping[str, str], table: str) -> str:
    """A SELECT that has every field; one without a column is NULL."""
    listed = ", ".join(there.get(name, "NULL") for name in fields)
    return f"SELECT {listed} FROM {{{table}}}"


def _asked(want: Wanted) -> Iterator[str]:
    yield want.address
    if want.username:
        yield want.username
    if want.login_name:
        yield want.login_name
    for alias in want.aliases or ():
        yield alias.source
    if want.edit:
        yield from (alias.source for alias in want.edit.aliases)


def _targets(want: Wanted) -> Iterator[str]:
    yield from want.forwards or ()
    if want.edit:
        yield from want.edit.forwards


def _less(names: Iterable[str], found: Iterable[str | None]) -> list[str]:
    """The names of a unique column that no row was found for yet."""
    known = set(found)
    return [name for name in names if name not in known]


def _forms(name: str) -> tuple[str, str, str]:
    """What Postfix looks up for a recipient: itself, without extension, the catch-all."""
    local, _at, domain = name.rpartition("@")
    return name, f"{local.partition('+')[0]}@{domain}", f"@{domain}"


def _namesake(rows: list[ImapRow], smtp: SmtpRow) -> ImapRow | None:
    """The row of dovecot_users of this userid and username, taken out of the rows."""
    for place, row in enumerate(rows):
        if row.username == smtp.username or fold(row.username) == fold(smtp.username):
            return rows.pop(place)
    return None
