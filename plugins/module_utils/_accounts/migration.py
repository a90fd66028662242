# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the tables of any generation to those of 2026, in steps that a next run can take up.

A table grows first (new and wider columns, nothing can be wrong with that), then its rows move to
where they belong, then it becomes strict (NOT NULL, keys) and loses what is empty now. Each step is
there only where the tables show that it is needed, so what is left of a run that was killed is just
the plan of the next one. Everything that would stop a run half way is asked for before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Callable

from . import schema
from .errors import Refused, shown
from .generations import (
    BY_EMAIL,
    BY_USERID,
    LISTS,
    QUOTAS,
    ROUTES,
    former,
    is_list,
    lacking,
    named,
    renamings,
)
from .schema import (
    DOVECOT,
    NOT_NULL,
    SORTED,
    VIEW,
    Actual,
    ActualTable,
    Column,
    Key,
    Names,
    Step,
    Table,
    quoted,
)
from .twins import TURN, Routes

Ask = Callable[[str], Sequence[Any]]
Parts = Iterator[tuple[str, str]]

ADDRESS = 80  # characters of a source and a destination
SHOWN = 5
_COMPARED = {"smtp_users": ("username", "email"), "smtp_destinations": ("source", "destination")}
_RESOLVED = ("loginname", "force_unique")  # keys whose duplicates a step of its own takes away

# What stands for NULL in a column that has none in 2026.
_INSTEAD_OF_NULL = {
    "domain": "''",
    "instancename": "''",
    "username": "email",
    "userid": "SHA1(email)",
    "quota_bytes": "0",
    "quota_message": "0",
    "forward_only": "0",
    "dispatch_address": "1",
}
# Dovecot's own names where there are others; a hash in crypt's form says itself what it is.
_SCHEME = (
    "CASE WHEN LOWER({scheme}) IN ('plain', 'clear', 'cleartext') THEN '{{PLAIN}}' "
    "WHEN LOWER({scheme}) IN ('md5', 'plain-md5') AND {hash} LIKE '$%' THEN '{{CRYPT}}' "
    "WHEN LOWER({scheme}) = 'md5' THEN '{{PLAIN-MD5}}' "
    "ELSE CONCAT('{{', UPPER({scheme}), '}}') END"
)
_PREFIXED = (
    "UPDATE {table} SET {hash} = CONCAT(" + _SCHEME + ", {hash}) "
    "WHERE {scheme} <> '' AND {hash} <> '' AND {hash} NOT REGEXP '^[{{][A-Za-z0-9.-]+[}}]'"
)
# Up to the next MiB: 0 is no limit. What a mailbox may hold of Sieve never limited its messages.
_QUOTA = (
    "UPDATE {users} AS u LEFT JOIN {quotas} AS q ON u.username = {q_username} "
    "SET u.quota_bytes = CEIL(COALESCE(q.mail_quota, 0) / 1048576), "
    "u.quota_sieve_bytes = COALESCE(q.sieve_quota, 0) WHERE u.quota_bytes IS NULL"
)
_USAGE = (
    "INSERT INTO {usage} (username, storage, messages) "
    "SELECT u.username, COALESCE(q.mail_size, 0), COALESCE(q.sieve_size, 0) "
    "FROM {quotas} AS q JOIN {users} AS u ON u.username = {q_username} "
    "ON DUPLICATE KEY UPDATE username = {usage}.username"
)
# Whose login name can be known: that of one account alone, and nobody's username but theirs.
_LOGIN_NAMES = (
    f"SELECT {SORTED} MIN(w.username) AS username, w.name AS name FROM ("
    f"SELECT {SORTED} "
    "u.username, COALESCE({email}{username}) AS name FROM {users} AS u {people} "
    "WHERE u.loginname IS NULL GROUP BY u.username) AS w "
    "LEFT JOIN {users} AS o ON o.username = w.name AND o.username <> w.username "
    # No index of login names is there yet: it comes last, when none stands twice any more.
    "LEFT JOIN (SELECT DISTINCT loginname FROM {users} WHERE loginname IS NOT NULL) AS l "
    "ON l.loginname = {login} "
    "WHERE o.username IS NULL AND l.loginname IS NULL GROUP BY w.name HAVING COUNT(*) = 1"
)
_SPLIT = (
    "{table} AS t JOIN JSON_TABLE(CONCAT('[', REPLACE(JSON_QUOTE(REGEXP_REPLACE(CONVERT(t.{column} "
    "USING utf8mb4), '[,;[:space:]]+', ',')), ',', '\",\"'), ']'), '$[*]' "
    "COLUMNS (address text PATH '$')) AS j"
)
_ROUTE = (
    "INSERT INTO {routes} (userid, source, destination, dispatch_address) {rows} "
    "ON DUPLICATE KEY UPDATE userid = {routes}.userid"
)


def steps(names: Names, actual: Actual, ask: Ask, owner: str | None = None) -> list[Step]:
    """All that lies ahead; refuses what it could not bring to its end."""
    migration = _Migration(names, actual, ask, owner)
    found = list(migration.steps())
    if migration.faults:
        raise Refused(list(dict.fromkeys(migration.faults)))
    return found


class _Migration:
    def __init__(self, names: Names, actual: Actual, ask: Ask, owner: str | None) -> None:
        self.names = names
        self.ask = ask
        self.owner = owner
        self.views = {place for place, there in actual.tables.items() if there.engine == VIEW}
        self.renamed = renamings(names, actual)
        self.actual = named(names, actual)
        self.tables = {table.name: table for table in schema.tables_of(names, self.actual)}
        self.narrowed: set[tuple[str, str]] = set()
        self.faults: list[str] = []

    def steps(self) -> Iterator[Step]:
        # Postfix first: Dovecot's login names are the addresses there.
        first = ("smtp_users", "smtp_destinations", "dovecot_users", "dovecot_usage")
        self._require_tines()
        if self.faults:
            return
        self._require_comparable()
        yield from self._renaming()
        yield from self._narrowing()
        yield from self._table("smtp_users", self._people())
        yield from self._table("smtp_destinations", self._duplicates())
        yield from self._lists()
        yield from self._table("dovecot_users", self._mailboxes())
        yield from self._table("dovecot_usage", ())
        yield from self._quotas()
        for name in self.tables:
            if name not in first:
                yield from self._table(name, ())
        yield from schema.closing_steps(self.names, self.actual)

    # ---- names

    def _there(self, name: str) -> ActualTable | None:
        return self.actual.tables.get((self._database(name), name))

    def _database(self, name: str) -> str:
        return self.names.dovecot if name.startswith(DOVECOT) else self.names.postfix

    def _told(self, name: str) -> str:
        return f"{self._database(name)}.{name}"

    def _place(self, name: str) -> str:
        """The quoted name that a table will have."""
        return f"{quoted(self._database(name))}.{quoted(name)}"

    def _now(self, name: str) -> str:
        """The quoted name that it has."""
        (was,) = [old for old, new in self.renamed.items() if new == name] or [name]
        return f"{quoted(self._database(name))}.{quoted(was)}"

    def _as(self, table: str, text: str, column: str = "") -> str:
        """A text that can be compared with those of a table, whose index still answers.

        With those of one column where it is compared only after it has lost its origin.
        """
        there, wanted = self._there(table), self.tables[table]
        new = schema.collation_of(self.names, self.actual, wanted)
        collation = schema.own_collation(there, wanted) if there else new
        if there and column in there.columns:
            collation = there.columns[column].collation or collation
        return schema.comparable(text, collation)

    def _any(self, sql: str) -> bool:
        return bool(self.ask(f"{sql} LIMIT 1"))

    # ---- any table

    def _require_tines(self) -> None:
        """What has the name of a table of tine's alone answers no question about accounts."""
        for name in self.tables:
            there = self._there(name)
            absent = lacking(name, there) if there else []
            if (self._database(name), name) in self.views:
                self.faults.append(
                    f"{self._told(name)} is a view; expected a table. Give it another name, or "
                    "drop it."
                )
            elif absent:
                self.faults.append(
                    f"{self._told(name)} has no column {' and no '.join(absent)}, which tine's "
                    "has had at all times: it is another table. Give it another name, or drop it."
                )

    def _require_comparable(self) -> None:
        """The generated columns compare two of their table, which have unique keys to keep."""
        for name, pair in _COMPARED.items():
            there = self._there(name)
            found = {c: there.columns[c].collation for c in pair if there and c in there.columns}
            if len(set(found.values())) > 1:
                told = " and ".join(f"{column} {has}" for column, has in found.items())
                self.faults.append(
                    f"{self._told(name)} has columns of two collations, {told}: stop the services "
                    "and convert the table to one, ALTER TABLE ... CONVERT TO CHARACTER SET."
                )

    def _renaming(self) -> Iterator[Step]:
        pairs = [
            (f"{self.names.postfix}.{a}", f"{self.names.postfix}.{b}", a, b)
            for a, b in self.renamed.items()
        ]
        if pairs:
            words = ", ".join(f"{a} to {b}" for a, b, *_names in pairs)
            renames = (f"{self._now(new)} TO {self._place(new)}" for *_told, _old, new in pairs)
            sql = f"RENAME TABLE {', '.join(renames)}"
            yield Step(f"rename {words}", (sql,), True, tuple(a for a, *_rest in pairs))

    def _table(self, name: str, moving: Iterable[Step]) -> Iterator[Step]:
        table, there = self.tables[name], self._there(name)
        if there is None:
            yield from schema.table_steps(self.names, self.actual, table)
            return
        loose = {c.name for c in table.columns if _is_loose(c, there)}
        if name == "dovecot_users" and self._moves_quotas():
            loose.add("quota_bytes")
        leaving = sorted(former(name, there))
        data = [*self._filling(table, there, loose), *moving]
        if data or leaving:
            later = dict.fromkeys(loose, "DEFAULT NULL")
            later |= dict.fromkeys(_bound(table, there), NOT_NULL)
            yield from self._altering(table, self._columns(table, there, later))
            yield from data
            grown = self._strict(table, there, later)
        else:
            grown = self._columns(table, there, {})
        drops = [(f"drop column {column}", f"DROP COLUMN {quoted(column)}") for column in leaving]
        gone = tuple(f"{self._told(name)}.{column}" for column in leaving)
        parts = [*grown, *drops, *self._keys(table, there), *self._references(table, there)]
        yield from self._altering(table, parts, gone)

    def _altering(
        self, table: Table, parts: Iterable[tuple[str, str]], gone: tuple[str, ...] = ()
    ) -> Iterator[Step]:
        for step in schema.altering(self.names, table, parts):
            yield step._replace(destructive=bool(gone), removes=gone)

    def _columns(self, table: Table, there: ActualTable, later: Mapping[str, str]) -> Parts:
        if there.engine.lower() != "innodb":
            yield f"engine from {there.engine} to InnoDB", "ENGINE=InnoDB"
        if there.row_format.lower() in ("compact", "redundant"):
            yield f"row format from {there.row_format} to Dynamic", "ROW_FORMAT=DYNAMIC"
        for column in table.columns:
            wanted = replace(column, rest=later.get(column.name, column.rest))
            yield from self._column(table, there, wanted)

    def _collation(self, table: Table, there: ActualTable, column: Column) -> str:
        """A column has that of the one that its foreign key refers to, and else keeps its own."""
        if any(key.reference.column == column.name for key in table.keys if not key.name):
            return schema.collation_of(self.names, self.actual, table)
        has = there.columns.get(column.name)
        return has.collation if has and has.collation else schema.own_collation(there, table)

    def _column(self, table: Table, there: ActualTable, column: Column) -> Parts:
        has = there.columns.get(column.name)
        name = f"{self._told(table.name)}.{column.name}"
        collation = self._collation(table, there, column)
        if has is None:
            yield f"add column {column.name}", f"ADD COLUMN {column.text(collation)}"
            return
        if has.generated != column.generated:
            self.faults.append(f"{name} is {'' if has.generated else 'not '}a generated column.")
        text = column.text(collation)
        if schema.too_short(column, has):
            yield schema.widening(column, has, collation)
        elif not column.suits(has.type) or (table.name, column.name) in self.narrowed:
            self._require_fit(table, column, has.length or 0)
            words = f"change {column.name} from {has.type} to {column.type}"
            yield words, f"MODIFY COLUMN {text}"
        elif has.nullable and column.needed:
            yield f"no NULL in {column.name}", f"MODIFY COLUMN {text}"
        elif not column.generated and not column.needed and not has.nullable:
            yield f"allow NULL in {column.name}", f"MODIFY COLUMN {text}"
        elif not column.generated and has.default != column.default:
            words = f"default of {column.name} from {has.default} to {column.default}"
            yield words, f"MODIFY COLUMN {text}"
        elif has.collation and has.collation != collation:
            yield f"collation of {column.name} to {collation}", f"MODIFY COLUMN {text}"

    def _longer(self, table: Table, column: Column, length: int) -> list[str]:
        """Values that a column has no room for."""
        sql = (
            f"SELECT {quoted(column.name)} FROM {self._now(table.name)} "
            f"WHERE CHAR_LENGTH({quoted(column.name)}) > {length} LIMIT {SHOWN}"
        )
        return [value for (value,) in self.ask(sql)]

    def _require_fit(self, table: Table, column: Column, length: int) -> None:
        room = schema.length(column.type)
        if room and length > room:
            for value in self._longer(table, column, room):
                self.faults.append(
                    f"{self._told(table.name)}.{column.name} holds {shown(value)}, "
                    f"{len(value)} characters; expected at most {room}."
                )

    def _filling(self, table: Table, there: ActualTable, loose: set[str]) -> Iterator[Step]:
        for name in sorted(loose):
            if name == "quota_bytes" and self._moves_quotas():
                continue
            nulls = f"SELECT 1 FROM {self._now(table.name)}"
            if name in there.columns:
                nulls += f" WHERE {quoted(name)} IS NULL"
            if not self._any(nulls):
                continue
            value = self._owner(table) if name == "client_idnr" else _INSTEAD_OF_NULL.get(name)
            if value is None:
                what = "NULL" if name in there.columns else "no column"
                self.faults.append(f"{self._told(table.name)} has {what} for {name}.")
                continue
            sql = f"UPDATE {self._place(table.name)} SET {quoted(name)} = {value} "
            words = f"fill {name} where it is NULL in {self._told(table.name)}"
            yield Step(words, (f"{sql}WHERE {quoted(name)} IS NULL",))

    def _owner(self, table: Table) -> str:
        if self.owner is None:
            self.faults.append(
                f"{self._told(table.name)} has accounts without an owner: set client_idnr. Where "
                "tine keeps the accounts, it is the id of its application Tinebase "
                "(SELECT id FROM tine20_applications WHERE name = 'Tinebase')."
            )
        return f"'{self.owner}'"

    def _strict(self, table: Table, there: ActualTable, later: Mapping[str, str]) -> Parts:
        for column in table.columns:
            if column.name in later:
                words = "no NULL" if column.needed else "allow NULL"
                text = column.text(self._collation(table, there, column))
                yield f"{words} in {column.name}", f"MODIFY COLUMN {text}"

    def _keys(self, table: Table, there: ActualTable) -> Parts:
        for key in table.keys:
            new = key.name and key.form.unique and key.form not in there.keys.values()
            if new and key.name not in _RESOLVED:
                self._require_unique(table, there, key)
        yield from schema.indexing(table, there)

    def _require_unique(self, table: Table, there: ActualTable, key: Key) -> None:
        columns = [quoted(c) for c in key.form.columns if c in there.columns]
        if not columns:
            return
        if key.name == "PRIMARY":
            columns = [f"COALESCE({column}, '')" for column in columns]
        listed = ", ".join(columns)
        given = " AND ".join(f"{column} IS NOT NULL" for column in columns)
        found = self.ask(
            f"SELECT {SORTED} {listed}, COUNT(*) FROM {self._now(table.name)} WHERE {given} "
            f"GROUP BY {listed} HAVING COUNT(*) > 1 LIMIT {SHOWN}"
        )
        for *values, number in found:
            told = ", ".join(shown(value) for value in values)
            of = ", ".join(key.form.columns)
            self.faults.append(
                f"{self._told(table.name)} has {number} rows with {of} {told}; expected one."
            )

    def _references(self, table: Table, there: ActualTable) -> Parts:
        for key in table.keys:
            if key.name or there.references.get(key.constraint) == key.reference:
                continue
            if key.reference not in there.references.values():
                self._require_parents(table, there, key)
            superseded = self._superseded(table.name, there)
            drops = [f"DROP FOREIGN KEY {quoted(name)}, " for name in superseded]
            yield f"foreign key {key.constraint}", f"{''.join(drops)}ADD {key.text}"

    def _require_parents(self, table: Table, there: ActualTable, key: Key) -> None:
        column, parent, of, _cascades = key.reference
        if column not in there.columns or self._there(parent) is None:
            return
        orphans = self.ask(
            f"SELECT DISTINCT c.{column} FROM {self._now(table.name)} AS c LEFT JOIN "
            f"{self._now(parent)} AS p ON p.{of} = {self._as(parent, f'c.{column}')} "
            f"WHERE p.{of} IS NULL LIMIT {SHOWN}"
        )
        for (value,) in orphans:
            self.faults.append(
                f"{self._told(table.name)} has rows of {column} {shown(value)}, which is not in "
                f"{self._told(parent)}: remove them, or add it there."
            )

    # ---- passwords

    def _prefixing(self, name: str, column: str, scheme: str) -> Iterator[Step]:
        there = self._there(name)
        if there is not None and scheme in there.columns:
            words = f"prefix the passwords in {self._told(name)} with their {scheme}"
            sql = _PREFIXED.format(
                table=self._place(name), hash=quoted(column), scheme=quoted(scheme)
            )
            yield Step(words, (sql,), True)

    # ---- Postfix's tables

    def _narrowing(self) -> Iterator[Step]:
        """The userid was longer once. A foreign key holds its column as it is, so it comes anew."""
        for name in ("smtp_users", "smtp_destinations"):
            there = self._there(name)
            has = there.columns.get("userid") if there else None
            wide = [
                column
                for column in self.tables[name].columns
                if column.name == "userid"
                and has
                and (has.length or 0) > schema.length(column.type)
            ]
            for column in wide:
                if not self._longer(self.tables[name], column, schema.length(column.type)):
                    self.narrowed.add((name, "userid"))
        if not self.narrowed:
            return
        self._require_free()
        routes = self._there("smtp_destinations")
        tines = self._superseded("smtp_destinations", routes) if routes else ()
        if routes is None or not tines:
            return
        place = self.names.postfix, "smtp_destinations"
        left = {name: other for name, other in routes.references.items() if name not in tines}
        freed = replace(routes, references=left)
        self.actual = replace(self.actual, tables={**self.actual.tables, place: freed})
        for name in tines:
            sql = f"ALTER TABLE {self._place('smtp_destinations')} DROP FOREIGN KEY {quoted(name)}"
            words = f"drop foreign key {name} of {self._told('smtp_destinations')} for a while"
            yield Step(words, (sql,))

    def _require_free(self) -> None:
        """No foreign key but tine's holds a column that is to be narrowed."""
        for (database, name), there in self.actual.tables.items():
            if database != self.names.postfix:
                continue
            tines = self._superseded(name, there) if name in self.tables else ()
            for key, other in there.references.items():
                held = {(name, other.column), (other.table, other.parent)} & self.narrowed
                if held and key not in tines:
                    self.faults.append(
                        f"{database}.{name} has the foreign key {key}, which is not tine's and "
                        "holds userid, which is to be narrower: drop it, and add it again "
                        "afterwards."
                    )

    def _superseded(self, name: str, there: ActualTable) -> tuple[str, ...]:
        """Foreign keys between the columns of one of today's, which has another name or form."""
        wanted = [key.reference for key in self.tables[name].keys if not key.name]
        return tuple(
            key
            for key, other in there.references.items()
            if any((w.column, w.table) == (other.column, other.table) for w in wanted)
        )

    def _people(self) -> Iterator[Step]:
        yield from self._prefixing("smtp_users", "passwd", "encryption_type")
        there = self._there("smtp_users")
        empty = f"SELECT 1 FROM {self._now('smtp_users')} WHERE userid = ''"
        if there is not None and "userid" in there.columns and self._any(empty):
            sql = f"UPDATE {self._place('smtp_users')} SET userid = SHA1(email) WHERE userid = ''"
            yield Step(f"fill userid where it is empty in {self._told('smtp_users')}", (sql,))

    def _duplicates(self) -> Iterator[Step]:
        """A pair that stands several times becomes one."""
        name, there = "smtp_destinations", self._there("smtp_destinations")
        if there is None or _is_unique(there, "source", "destination"):
            return
        if not self._any(self._twins(self._now(name), there).pairs):
            return
        ordinary = (column for column, has in there.columns.items() if not has.generated)
        columns = [quoted(column) for column in dict.fromkeys((*ordinary, "dispatch_address"))]
        listed = ", ".join(columns)
        table, once = self._place(name), f"{quoted(self.names.postfix)}.`smtp_destinations_once`"
        yield Step(
            f"keep one of each pair of source and destination in {self._told(name)}",
            (
                f"CREATE OR REPLACE TEMPORARY TABLE {once} (KEY (source, destination)) "
                f"SELECT {listed} FROM ({self._twins(table, there).ranked(columns)}) AS r "
                f"WHERE r.{TURN} = 1",
                # With an alias it would ask for a default database.
                f"DELETE {table} FROM {table} JOIN {once} AS o "
                f"ON o.source = {table}.source AND o.destination = {table}.destination",
                f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {once}",
            ),
            True,
        )

    def _twins(self, table: str, there: ActualTable) -> Routes:
        hook, key = ("users_id", "id") if "users_id" in there.columns else ("userid", "userid")
        as_user = partial(self._as, "smtp_users")
        users = self._place("smtp_users")
        return Routes(table, users, hook, key, "d.dispatch_address", as_user)

    def _lists(self) -> Iterator[Step]:
        """Aliases and forwards that stand in tables of their own."""
        left = self._there("smtp_aliases")
        if left is not None and set(left.columns) >= set(ROUTES):
            self.faults.append(
                f"{self._told('smtp_aliases')} is an older form of "
                f"{self._told('smtp_destinations')}, and both are there: drop the one that is not "
                "in use, or give it another name."
            )
        there = [name for name in LISTS if is_list(name, self._there(name))]
        if not there:
            return
        forms = [f for f in (BY_EMAIL, BY_USERID) if all(self._has(n, f[n]) for n in there)]
        if not forms:
            told = " and ".join(self._told(name) for name in there)
            self.faults.append(
                f"{told} are of two generations, the one by address and the other by userid: drop "
                "the one that is not in use, or give it another name."
            )
            return
        self._require_short(there)
        by_email = forms[0] is BY_EMAIL
        told = " and ".join(self._told(name) for name in there)
        if self._is_filled("smtp_destinations"):
            self._require_moved(there, by_email)
        else:
            rows = self._by_email(there) if by_email else self._by_userid(there)
            yield Step(f"put {told} into {self._told('smtp_destinations')}", tuple(rows))
        places = ", ".join(self._place(name) for name in there)
        gone = tuple(self._told(name) for name in there)
        yield Step(f"drop table {told}", (f"DROP TABLE {places}",), True, gone)

    def _has(self, name: str, columns: Iterable[str]) -> bool:
        there = self._there(name)
        return there is not None and set(columns) <= set(there.columns)

    def _is_filled(self, name: str) -> bool:
        return self._there(name) is not None and self._any(f"SELECT 1 FROM {self._now(name)}")

    def _require_moved(self, there: Sequence[str], by_email: bool) -> None:
        """A killed run has moved all that is listed; what somebody removed since never returns."""
        if by_email:
            pairs = self._listed_by_email(there, self._now)
        else:
            self._require_users(there)
            pairs = filter(None, self._listed_by_userid(there, self._now))
        routes, users = self._now("smtp_destinations"), self._now("smtp_users")
        as_route = partial(self._as, "smtp_destinations")
        # Aliases of who only forwards lead where they forward.
        found = self.ask(
            f"SELECT p.source, p.destination FROM ({' UNION ALL '.join(pairs)}) AS p "
            "WHERE p.source <> '' AND p.destination <> '' AND NOT EXISTS ("
            f"SELECT 1 FROM {routes} AS d WHERE d.source = {as_route('p.source')} "
            f"AND (d.destination = {as_route('p.destination')} OR EXISTS ("
            f"SELECT 1 FROM {users} AS m JOIN {routes} AS f ON f.source = {as_route('m.email')} "
            f"WHERE m.email = {self._as('smtp_users', 'p.destination')} AND m.forward_only = 1 "
            f"AND f.destination = d.destination))) LIMIT {SHOWN}"
        )
        told = " and ".join(self._told(name) for name in there)
        for source, destination in found:
            self.faults.append(
                f"{told} lists {shown(source)} to {shown(destination)}, which is not in "
                f"{self._told('smtp_destinations')}: add it there, or drop the list if it is a "
                "left-over."
            )

    def _split(self, name: str, place: Callable[[str], str]) -> str:
        """Its rows, one for each address in the text."""
        form = BY_EMAIL if self._has(name, BY_EMAIL[name]) else BY_USERID
        column = form[name][1]
        return _SPLIT.format(table=place(name), column=quoted(column))

    def _require_short(self, there: Iterable[str]) -> None:
        for name in there:
            keys = BY_EMAIL[name][:1] if self._has(name, BY_EMAIL[name]) else ()
            long = [f"CHAR_LENGTH({value}) > {ADDRESS}" for value in ("j.address", *keys)]
            found = self.ask(
                f"SELECT j.address FROM {self._split(name, self._now)} "
                f"WHERE {' OR '.join(long)} LIMIT {SHOWN}"
            )
            for (value,) in found:
                self.faults.append(
                    f"{self._told(name)} holds {shown(value)} in a row with more than the "
                    f"{ADDRESS} characters that tine's tables have for an address."
                )

    def _by_email(self, there: Sequence[str]) -> Iterator[str]:
        """Sources that are nobody's and lead away become accounts that only forward."""
        users = self._place("smtp_users")
        pairs = self._listed_by_email(there, self._place)
        listed = f"({' UNION ALL '.join(pairs)}) AS p"
        met = f"LEFT JOIN {users} AS u ON u.email = p.source"
        local = f"{users} AS m ON m.email = p.destination"
        yield (
            f"INSERT INTO {users} (userid, client_idnr, username, passwd, email, forward_only) "
            "SELECT SHA1(LOWER(MIN(p.source))), '', MIN(p.source), '', MIN(p.source), 1 "
            f"FROM {listed} {met} LEFT JOIN {local} WHERE u.email IS NULL AND m.email IS NULL "
            "AND p.source <> '' AND p.destination <> '' GROUP BY p.source"
        )
        yield from self._routes(
            f"SELECT u.userid, p.source, p.destination FROM {listed} JOIN {users} AS u "
            "ON u.email = p.source WHERE p.destination <> ''",
            f"SELECT m.userid, p.source, p.destination FROM {listed} JOIN {local} {met} "
            "WHERE u.email IS NULL AND p.source <> ''",
        )

    def _listed_by_email(self, there: Sequence[str], place: Callable[[str], str]) -> Iterator[str]:
        as_user = partial(self._as, "smtp_users", column="email")
        if "smtp_aliases" in there:
            yield (
                f"SELECT {as_user('j.address')} AS source, {as_user('t.email')} AS destination "
                f"FROM {self._split('smtp_aliases', place)}"
            )
        if "smtp_forwardings" in there:
            yield (
                f"SELECT {as_user('t.source')} AS source, {as_user('j.address')} AS destination "
                f"FROM {self._split('smtp_forwardings', place)}"
            )

    def _by_userid(self, there: Sequence[str]) -> Iterator[str]:
        self._require_users(there)
        yield from self._routes(*self._listed_by_userid(there, self._place))

    def _listed_by_userid(
        self, there: Sequence[str], place: Callable[[str], str]
    ) -> tuple[str, str]:
        """The forwards and the aliases."""
        owned = (
            f"JOIN {place('smtp_users')} AS u ON u.userid = {self._as('smtp_users', 't.userid')}"
        )
        forwards = aliases = ""
        if "smtp_forwardings" in there:
            split = self._split("smtp_forwardings", place)
            forwards = (
                f"SELECT u.userid, u.email AS source, j.address AS destination FROM {split} "
                f"{owned} WHERE j.address <> '' AND u.email IS NOT NULL"
            )
        if "smtp_aliases" in there:
            split = self._split("smtp_aliases", place)
            aliases = (
                f"SELECT u.userid, j.address AS source, u.email AS destination FROM {split} "
                f"{owned} WHERE j.address <> '' AND u.email IS NOT NULL"
            )
        return forwards, aliases

    def _require_users(self, there: Iterable[str]) -> None:
        for name in there:
            users = self._now("smtp_users")
            orphans = self.ask(
                f"SELECT DISTINCT t.userid FROM {self._now(name)} AS t LEFT JOIN {users} AS u "
                f"ON u.userid = {self._as('smtp_users', 't.userid')} "
                f"WHERE u.userid IS NULL LIMIT {SHOWN}"
            )
            for (value,) in orphans:
                self.faults.append(
                    f"{self._told(name)} has rows of userid {shown(value)}, which is not in "
                    f"{self._told('smtp_users')}: remove them, or add it there."
                )

    def _routes(self, forwards: str, aliases: str) -> Iterator[str]:
        """As tine writes them; what only forwards has the aliases lead there as well."""
        users, routes = self._place("smtp_users"), self._place("smtp_destinations")
        as_route = partial(self._as, "smtp_destinations")
        if forwards:
            rows = f"SELECT f.userid, f.source, f.destination, 1 FROM ({forwards}) AS f"
            yield _ROUTE.format(routes=routes, rows=rows)
        if aliases:
            yield _ROUTE.format(
                routes=routes,
                rows="SELECT a.userid, a.source, COALESCE(r.destination, a.destination), 1 "
                f"FROM ({aliases}) AS a JOIN {users} AS m ON m.userid = a.userid "
                f"LEFT JOIN {routes} AS r ON m.forward_only = 1 "
                f"AND r.userid = {as_route('m.userid')} AND r.source = {as_route('m.email')}",
            )
        yield _ROUTE.format(
            routes=routes,
            rows=f"SELECT userid, email, username, 0 FROM {users} "
            "WHERE forward_only = 0 AND email IS NOT NULL UNION ALL "
            f"SELECT userid, username, username, 0 FROM {users} "
            "WHERE forward_only = 0 AND username <> email",
        )

    # ---- Dovecot's tables

    def _mailboxes(self) -> Iterator[Step]:
        there = self._there("dovecot_users")
        if there is None:
            return
        yield from self._prefixing("dovecot_users", "password", "scheme")
        if self._moves_quotas():
            sql = self._quota_sql(_QUOTA)
            words = f"put the limits of {self._told(QUOTAS)} into {self._told('dovecot_users')}"
            yield Step(words, (sql,), True)
        yield from self._login_names(there)

    def _has_quotas(self) -> bool:
        there = self._there(QUOTAS)
        return there is not None and {"mail_quota", "mail_size"} <= set(there.columns)

    def _moves_quotas(self) -> bool:
        """Whether limits are still to be moved: a limit that is there already is the newer one.

        The column may hold NULL until they are, so the next run after a killed one knows.
        """
        there = self._there("dovecot_users")
        has = there.columns.get("quota_bytes") if there else None
        return self._has_quotas() and (has is None or has.nullable)

    def _quota_sql(self, sql: str) -> str:
        return sql.format(
            users=self._place("dovecot_users"),
            usage=self._place("dovecot_usage"),
            quotas=self._place(QUOTAS),
            q_username=self._as("dovecot_users", "q.username"),
        )

    def _quotas(self) -> Iterator[Step]:
        if self._has_quotas():
            told = self._told(QUOTAS)
            words = f"put the usage of {told} into {self._told('dovecot_usage')}"
            yield Step(words, (self._quota_sql(_USAGE),))
            yield Step(f"drop table {told}", (f"DROP TABLE {self._place(QUOTAS)}",), True, (told,))

    def _login_names(self, there: ActualTable) -> Iterator[Step]:
        users = self._place("dovecot_users")
        known = "loginname" in there.columns
        twice = f"SELECT {SORTED} loginname FROM {users} GROUP BY loginname HAVING COUNT(*) > 1"
        unique = _is_unique(there, "loginname")
        doubled = known and not unique and self._any(f"{twice} AND loginname IS NOT NULL")
        if doubled:
            yield Step(
                f"no login name for accounts in {self._told('dovecot_users')} that share one",
                (
                    f"UPDATE {users} AS u JOIN ({twice}) AS t ON t.loginname = u.loginname "
                    "SET u.loginname = NULL",
                ),
                True,
            )
        nobody = f"SELECT 1 FROM {users}" + (" WHERE loginname IS NULL" if known else "")
        wanted = self._any(nobody) and (
            not known or self._any(self._names_of(self._now("smtp_users"), now=True))
        )
        if doubled or wanted:
            found = self._names_of(self._place("smtp_users"), now=False)
            name = f"{quoted(self.names.dovecot)}.`login_names`"
            yield Step(
                f"login names for who has none in {self._told('dovecot_users')}",
                (
                    f"CREATE OR REPLACE TEMPORARY TABLE {name} (KEY (username)) {found}",
                    f"UPDATE {users} AS u JOIN {name} AS n ON n.username = u.username "
                    "SET u.loginname = n.name",
                ),
            )

    def _names_of(self, people: str, now: bool) -> str:
        """The address of an account, or else its username."""
        users = self._place("dovecot_users")
        there = self._there("smtp_users")
        as_username = partial(self._as, "dovecot_users", column="username")
        email = joined = ""
        if not now or there is not None:
            same = f"s.username = {self._as('smtp_users', 'u.username')}"
            if now and there is not None and "username" not in there.columns:
                same = "FALSE"
            found = (f"MIN(IF({same}, s.email, NULL))", "MIN(s.email)")
            email = "".join(f"{as_username(one)}, " for one in found)
            userid = self._as("smtp_users", "u.userid")
            joined = f"LEFT JOIN {people} AS s ON s.userid = {userid}"
        return _LOGIN_NAMES.format(
            email=email,
            username=as_username("u.username"),
            login=self._as("dovecot_users", "w.name", "loginname"),
            users=users,
            people=joined,
        )


def _is_loose(column: Column, there: ActualTable) -> bool:
    """Whether a column that has no NULL in 2026 has it now, or will have it for a while."""
    has = there.columns.get(column.name)
    if has is None:
        return column.needed and column.default is None
    return column.needed and has.nullable


def _is_unique(there: ActualTable, *columns: str) -> bool:
    return any(key.unique and key.columns == columns for key in there.keys.values())


def _bound(table: Table, there: ActualTable) -> list[str]:
    """Columns without NULL only because they are in a primary key that goes."""
    key = there.keys.get("PRIMARY")
    return [c.name for c in table.columns if key and not c.needed and c.name in key.columns]
