# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table on its way to that of 2026, whichever it is.

It grows first (new and wider columns, nothing can be wrong with that), then its rows move to where
they belong, then it becomes strict (NOT NULL, keys) and loses what is empty now.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from .._accounts import schema
from .._accounts.errors import shown
from .._accounts.schema import (
    NOT_NULL,
    SORTED,
    ActualColumn,
    ActualTable,
    Column,
    Key,
    Step,
    Table,
    quoted,
)
from .generations import former
from .ground import SHOWN, Ground

Parts = Iterator[tuple[str, str]]  # of an ALTER TABLE, in words and in SQL

_RESOLVED = ("loginname", "force_unique")  # keys whose duplicates a step of its own takes away
_NUMBERS = {"tinyint": 2**7, "int": 2**31, "bigint": 2**63}
ADDRESS = 80  # characters of a source, a destination and a domain
_INDEXED = 768  # characters of utf8mb4 that fit into a key of InnoDB
_WITH_DOMAIN = {"smtp_users": ("email",), "smtp_destinations": ("source",)}
_SECRET = ("password", "passwd")
# What stands for NULL in a column that has none in 2026, where that is not its default.
_INSTEAD_OF_NULL = {
    ("dovecot_users", "quota_bytes"): "0",
    ("smtp_users", "username"): "email",
    ("smtp_users", "userid"): "SHA1(email)",
    ("smtp_virtual_domains", "instancename"): "''",
}


def grown(
    ground: Ground, name: str, moving: Iterable[Step] = (), moved: Collection[str] = ()
) -> Iterator[Step]:
    """The steps of a table; those that move its rows in between fill the columns that are named."""
    there = ground.there(name)
    _require_names(ground, name)
    if there is None:
        yield from schema.table_steps(ground.names, ground.actual, ground.tables[name])
    else:
        yield from _Growth(ground, ground.tables[name], there, moved).steps(moving)


def superseded(ground: Ground, name: str) -> tuple[str, ...]:
    """Foreign keys between the columns of one of today's, which has another name or form."""
    there = ground.there(name)
    wanted = [key.reference for key in ground.tables[name].keys if not key.name]
    return tuple(
        key
        for key, other in (there.references if there else {}).items()
        if any((w.column, w.table) == (other.column, other.table) for w in wanted)
    )


def freeing(ground: Ground, name: str) -> Iterator[Step]:
    """The foreign keys of a table that come anew go before: one has to, to come by its old name."""
    keys = superseded(ground, name)
    ground.free(name, keys)
    for key in keys:
        sql = f"ALTER TABLE {ground.place(name)} DROP FOREIGN KEY {quoted(key)}"
        yield Step(f"drop foreign key {key} of {ground.told(name)} for a while", (sql,))


def _require_names(ground: Ground, name: str) -> None:
    """No other table has a foreign key by the name of one of today's."""
    wanted = {key.constraint.lower() for key in ground.tables[name].keys if not key.name}
    for (database, other), there in ground.actual.tables.items():
        for key in there.references if other != name else ():
            if database == ground.database(name) and key.lower() in wanted:
                ground.faults.append(
                    f"{database}.{other} has the foreign key {key}, whose name that of "
                    f"{ground.told(name)} has to have: drop it, or the table if it is a left-over."
                )


class _Growth:
    def __init__(
        self, ground: Ground, table: Table, there: ActualTable, moved: Collection[str]
    ) -> None:
        self.ground = ground
        self.table = table
        self.there = there
        self.moved = moved
        self.told = ground.told(table.name)
        self.now = ground.now(table.name)

    def steps(self, moving: Iterable[Step]) -> Iterator[Step]:
        loose = {c.name for c in self.table.columns if _is_loose(self.table, c, self.there)}
        loose |= set(self.moved)
        leaving = sorted(former(self.table.name, self.there))
        self._require_unused(leaving)
        self._require_domains()
        data = [*self._filling(loose), *moving]
        if data or leaving:
            later = dict.fromkeys(loose, "DEFAULT NULL")
            later |= dict.fromkeys(_bound(self.table, self.there), NOT_NULL)
            yield from self._altering(self._columns(later))
            yield from data
            columns = self._strict(later)
        else:
            columns = self._columns({})
        drops = [(f"drop column {column}", f"DROP COLUMN {quoted(column)}") for column in leaving]
        gone = tuple(f"{self.told}.{column}" for column in leaving)
        references = list(self._references())
        if references:
            yield from freeing(self.ground, self.table.name)
        yield from self._altering([*columns, *drops, *self._keys(), *references], gone)

    def _altering(
        self, parts: Iterable[tuple[str, str]], gone: tuple[str, ...] = ()
    ) -> Iterator[Step]:
        for step in schema.altering(self.ground.names, self.table, parts):
            yield step._replace(destructive=bool(gone), removes=gone)

    # ---- columns

    def _columns(self, later: Mapping[str, str]) -> Parts:
        there = self.there
        if there.engine.lower() != "innodb":
            # Other engines have row formats that InnoDB does not know.
            yield (
                f"engine from {there.engine} to InnoDB",
                "ENGINE=InnoDB, ROW_FORMAT=DYNAMIC, KEY_BLOCK_SIZE=0",
            )
        elif there.row_format.lower() in ("compact", "redundant"):
            yield f"row format from {there.row_format} to Dynamic", "ROW_FORMAT=DYNAMIC"
        for column in self.table.columns:
            wanted = replace(column, rest=later.get(column.name, column.rest))
            yield from self._column(wanted, there.columns.get(column.name))

    def _column(self, column: Column, has: ActualColumn | None) -> Parts:
        collation = self._collation(column)
        if has is None:
            yield f"add column {column.name}", f"ADD COLUMN {column.text(collation)}"
            return
        if has.generated != column.generated:
            word = "a" if has.generated else "not a"
            self._fault(f".{column.name} is {word} generated column.")
        if schema.too_short(column, has):
            yield schema.widening(column, has, collation)
        elif words := self._difference(column, has, collation):
            if not words.startswith(("default of", "allow NULL")):
                self._require_unheld(column)
            yield words, f"MODIFY COLUMN {self._text(column)}"

    def _text(self, column: Column) -> str:
        """A column as it is to be: what holds more than today's keeps its type."""
        has = self.there.columns.get(column.name)
        if has and column.suits(has.type) and not self._narrowed(column):
            kept = has.type if not schema.too_short(column, has) else column.type
            column = replace(column, type=kept)
        return column.text(self._collation(column))

    def _narrowed(self, column: Column) -> bool:
        return (self.table.name, column.name) in self.ground.narrowed

    def _difference(self, column: Column, has: ActualColumn, collation: str) -> str:
        if self._narrowed(column) or not column.suits(has.type):
            self._require_fit(column, has)
            return f"change {column.name} from {has.type} to {column.type}"
        if has.nullable and column.needed:
            return f"no NULL in {column.name}"
        if not column.generated and not column.needed and not has.nullable:
            return f"allow NULL in {column.name}"
        if not column.generated and has.default != column.default:
            # That of a password is one.
            was = "" if column.name in _SECRET else f" from {has.default} to {column.default}"
            return f"default of {column.name}{was}"
        if has.collation and has.collation != collation:
            return f"collation of {column.name} to {collation}"
        return ""

    def _collation(self, column: Column) -> str:
        """A column has that of the one that its foreign key refers to, and else keeps its own."""
        if any(key.reference.column == column.name for key in self.table.keys if not key.name):
            return schema.collation_of(self.ground.names, self.ground.actual, self.table)
        has = self.there.columns.get(column.name)
        if has and has.collation:
            return has.collation
        return schema.own_collation(self.there, self.table)

    def _strict(self, later: Mapping[str, str]) -> Parts:
        for column in self.table.columns:
            if column.name in later:
                words = "no NULL" if column.needed else "allow NULL"
                yield f"{words} in {column.name}", f"MODIFY COLUMN {self._text(column)}"

    # ---- what would stop it

    def _fault(self, words: str) -> None:
        self.ground.faults.append(f"{self.told}{words}")

    def _require_fit(self, column: Column, has: ActualColumn) -> None:
        room, most = schema.length(column.type), _NUMBERS.get(column.type.partition("(")[0], 0)
        if most and has.type.startswith(("enum", "set")):
            self._fault(f".{column.name} is {has.type}; expected {column.type}: convert it.")
        elif most:
            self.ground.require_numbers(self.table.name, column.name, -most, most - 1)
        elif column.type == "datetime" and not has.type.startswith(("date", "timestamp")):
            self._require_nothing(column, has)
        elif column.type.startswith("enum"):
            self._require_listed(column)
        elif room and has.collation is None:
            self._require_text(column)
        if room and (has.length or 0) > room:
            for value in self.ground.longer(self.table.name, column.name, room):
                what = "a value of" if column.name in _SECRET else f"{shown(value)},"
                told = f"holds {what} {len(value)} characters; expected at most {room}."
                self._fault(f".{column.name} {told}")

    def _require_domains(self) -> None:
        """Columns that keep more room than today's hold no domain that is too long for its own."""
        for column in _WITH_DOMAIN.get(self.table.name, ()):
            has = self.there.columns.get(column)
            if has and (has.length or 0) > ADDRESS:
                domain = f"SUBSTRING_INDEX({quoted(column)}, '@', -1)"
                for (value,) in self.ground.ask(
                    f"SELECT {quoted(column)} FROM {self.now} "
                    f"WHERE CHAR_LENGTH({domain}) > {ADDRESS} LIMIT {SHOWN}"
                ):
                    told = f"expected a domain of at most {ADDRESS} characters."
                    self._fault(f".{column} holds {shown(value)}; {told}")
        pair = [self.there.columns.get(name) for name in ("source", "destination")]
        letters = sum((has.length or 0) if has else 0 for has in pair)
        if self.table.name == "smtp_destinations" and letters > _INDEXED:
            self._fault(
                f".source and .destination have room for {letters} characters; expected at most "
                f"{_INDEXED} for both, which a key can hold: make them shorter."
            )

    def _require_listed(self, column: Column) -> None:
        """An enumeration holds nothing else."""
        name = quoted(column.name)
        found = self.ground.ask(
            f"SELECT DISTINCT CONVERT({name} USING utf8mb4) FROM {self.now} "
            f"WHERE {name} IS NOT NULL AND CONVERT({name} USING utf8mb4) NOT IN "
            f"({column.type.partition('(')[2]} LIMIT {SHOWN}"
        )
        for (value,) in found:
            self._fault(f".{column.name} holds {shown(value)}; expected {column.type}.")

    def _require_text(self, column: Column) -> None:
        """What was binary holds letters. The value may be a password."""
        name = quoted(column.name)
        if self.ground.any(
            f"SELECT 1 FROM {self.now} WHERE {name} IS NOT NULL "
            f"AND NOT BINARY CONVERT({name} USING utf8mb4) <=> BINARY {name}"
        ):
            self._fault(f".{column.name} holds bytes that are no UTF-8: correct them.")

    def _require_nothing(self, column: Column, has: ActualColumn) -> None:
        if self.ground.any(f"SELECT 1 FROM {self.now} WHERE {quoted(column.name)} IS NOT NULL"):
            self._fault(f".{column.name} is {has.type}; expected {column.type}: convert it.")

    def _require_unheld(self, column: Column) -> None:
        """A foreign key of somebody's own keeps its columns as they are."""
        here = self.ground.database(self.table.name)
        for (database, name), there in self.ground.actual.tables.items():
            tines = superseded(self.ground, name) if name in self.ground.tables else ()
            this = self.table.name if database == here else f"{here}.{self.table.name}"
            for key, other in there.references.items():
                held = {(f"{database}.{name}", other.column), (other.table, other.parent)}
                if held & {(self.told, column.name), (this, column.name)} and key not in tines:
                    self.ground.faults.append(
                        f"{database}.{name} has the foreign key {key}, which is not tine's and "
                        f"holds {self.told}.{column.name}, which is to change: drop it, and add it "
                        "again afterwards."
                    )

    def _require_unused(self, leaving: Collection[str]) -> None:
        """Nothing of somebody's own needs a column that goes."""
        for column in leaving:
            self.ground.require_unchecked(self.table.name, column, "goes")
            for use in _uses(self.there, column):
                self._fault(f" has the {use}, which needs {column}, which goes: drop it.")

    # ---- rows

    def _filling(self, loose: set[str]) -> Iterator[Step]:
        for column in self.table.columns:
            name = column.name
            if name not in loose or name in self.moved or not self._lacks_values(name):
                continue
            value = self._instead_of_null(column)
            if value is None:
                what = "NULL" if name in self.there.columns else "no column"
                self._fault(f" has {what} for {name}.")
                continue
            room = schema.length(column.type)
            if value in self.there.columns:
                for long in self.ground.longer(self.table.name, value, room):
                    told = f"expected at most {room} characters, for it becomes the {name} too."
                    self._fault(f".{value} holds {shown(long)}; {told}")
            sql = f"UPDATE {self.ground.place(self.table.name)} SET {quoted(name)} = {value} "
            words = f"fill {name} where it is NULL in {self.told}"
            yield Step(words, (f"{sql}WHERE {quoted(name)} IS NULL",))

    def _lacks_values(self, name: str) -> bool:
        where = f" WHERE {quoted(name)} IS NULL" if name in self.there.columns else ""
        return self.ground.any(f"SELECT 1 FROM {self.now}{where}")

    def _instead_of_null(self, column: Column) -> str | None:
        if column.name == "client_idnr":
            return self._owner()
        return _INSTEAD_OF_NULL.get((self.table.name, column.name), column.default)

    def _owner(self) -> str:
        if self.ground.owner is None:
            self._fault(
                " has accounts without an owner: set client_idnr (for the playbook migrate "
                "accounts_client_idnr). Where tine keeps the accounts, it is the id of its "
                "application Tinebase "
                "(SELECT id FROM tine20_applications WHERE name = 'Tinebase')."
            )
        return f"'{self.ground.owner}'"

    # ---- keys

    def _keys(self) -> Parts:
        for key in self.table.keys:
            new = key.name and key.form.unique and key.form not in self.there.keys.values()
            if new and key.name not in _RESOLVED:
                self._require_unique(key)
        yield from schema.indexing(self.table, self.there)

    def _require_unique(self, key: Key) -> None:
        columns = [quoted(c) for c in key.form.columns if c in self.there.columns]
        if not columns:
            return
        if key.name == "PRIMARY":
            columns = [self._as_filled(column) for column in columns]
        listed = ", ".join(columns)
        given = " AND ".join(f"{column} IS NOT NULL" for column in columns)
        if key.name == "email":  # an empty one stood for none
            given += " AND email <> ''"
        found = self.ground.ask(
            f"SELECT {SORTED} {listed}, COUNT(*) FROM {self.now} WHERE {given} "
            f"GROUP BY {listed} HAVING COUNT(*) > 1 LIMIT {SHOWN}"
        )
        for *values, number in found:
            told = ", ".join(shown(value) for value in values)
            of = ", ".join(key.form.columns)
            self._fault(f" has {number} rows with {of} {told}; expected one.")

    def _as_filled(self, column: str) -> str:
        """What will be in a column of a key, where it has nothing yet."""
        if self.table.name == "smtp_users" and column == quoted("userid"):
            made = self.ground.like(self.table.name, "SHA1(email)", "userid")
            return f"COALESCE(NULLIF({column}, ''), {made})"
        return f"COALESCE({column}, '')"

    def _references(self) -> Parts:
        for key in self.table.keys:
            if key.name or self.there.references.get(key.constraint) == key.reference:
                continue
            column, parent, of, _cascades = key.reference
            new = key.reference not in self.there.references.values()
            if new and column in self.there.columns and self.ground.there(parent) is not None:
                self.ground.require_parents(self.table.name, column, parent, of)
                self._require_one_sign(column, parent, of)
            yield f"foreign key {key.constraint}", f"ADD {key.text}"

    def _require_one_sign(self, column: str, parent: str, of: str) -> None:
        """A foreign key between numbers is one of the same sign (errno 150 of InnoDB)."""
        tables = self.ground.tables
        unsigned = {
            f"{self.told}.{column}": _unsigned(self.table, self.there, column),
            f"{self.ground.told(parent)}.{of}": _unsigned(
                tables[parent], self.ground.there(parent), of
            ),
        }
        signed, other = sorted(unsigned, key=lambda name: unsigned[name])
        if unsigned[signed] != unsigned[other]:
            self.ground.faults.append(
                f"{other} is unsigned and {signed} is not; expected a foreign key between them, "
                "which needs the same of both: MODIFY one to the type of the other."
            )


def _unsigned(table: Table, there: ActualTable | None, name: str) -> bool:
    """Whether a number is one without a sign when the table has grown."""
    has = there.columns.get(name) if there else None
    return any(
        has is not None and column.suits(has.type) and "unsigned" in has.type
        for column in table.columns
        if column.name == name
    )


def _uses(there: ActualTable, column: str) -> Iterator[str]:
    """What of a table needs a column. Its primary key comes anew; a key of it alone goes along."""
    for name, key in there.keys.items():
        if name != "PRIMARY" and column in key.columns and len(key.columns) > 1:
            yield f"key {name}"
    for name, reference in there.references.items():
        if column == reference.column:
            yield f"foreign key {name}"
    for name, has in there.columns.items():
        if f"`{column}`" in has.expression.lower():
            yield f"column {name}"
    for name, body in there.triggers.items():
        if re.search(rf"\b(new|old)\s*\.\s*`?{column}\b", body.lower()):
            yield f"trigger {name}"


def _is_loose(table: Table, column: Column, there: ActualTable) -> bool:
    """Whether a column that has no NULL in 2026 has it now, or will have it for a while."""
    has = there.columns.get(column.name)
    if has is None:
        own = (table.name, column.name) in _INSTEAD_OF_NULL
        return column.needed and (own or column.default is None)
    return column.needed and has.nullable


def _bound(table: Table, there: ActualTable) -> list[str]:
    """Columns without NULL only because they are in a primary key that goes."""
    return [c.name for c in table.columns if not c.needed and c.name in schema.primary(there)]
