# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table on its way to that of 2026, whichever it is.

It grows first (new and wider columns, nothing can be wrong with that), then its rows move to where
they belong, then it becomes strict (NOT NULL, keys) and loses what is empty now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from .._accounts import schema
from .._accounts.errors import shown
from .._accounts.schema import (
    NOT_NULL,
    PASSWORDS,
    ActualColumn,
    ActualTable,
    Column,
    Step,
    Table,
    quoted,
)
from .demands import Demands, require_names
from .generations import former
from .ground import Ground

Parts = Iterator[tuple[str, str]]  # of an ALTER TABLE, in words and in SQL

_RESOLVED = ("loginname", "force_unique")  # keys whose duplicates a step of its own takes away
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
    require_names(ground, name)
    if there is None:
        yield from schema.table_steps(ground.names, ground.actual, ground.tables[name])
    else:
        yield from _Growth(ground, ground.tables[name], there, moved).steps(moving)


def freeing(ground: Ground, name: str) -> Iterator[Step]:
    """The foreign keys of a table that come anew go before: one has to, to come by its old name."""
    keys = ground.superseded(name)
    ground.free(name, keys)
    for key in keys:
        sql = f"ALTER TABLE {ground.place(name)} DROP FOREIGN KEY {quoted(key)}"
        yield Step(f"drop foreign key {key} of {ground.told(name)} for a while", (sql,))


class _Growth:
    def __init__(
        self, ground: Ground, table: Table, there: ActualTable, moved: Collection[str]
    ) -> None:
        self.ground = ground
        self.table = table
        self.there = there
        self.moved = moved
        self.demands = Demands(ground, table, there)
        self.told = ground.told(table.name)
        self.now = ground.now(table.name)

    def steps(self, moving: Iterable[Step]) -> Iterator[Step]:
        loose = {c.name for c in self.table.columns if _is_loose(self.table, c, self.there)}
        loose |= set(self.moved)
        leaving = sorted(former(self.table.name, self.there))
        self.demands.unused(leaving)
        self.demands.domains()
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
            self.demands.fault(f".{column.name} is {word} generated column.")
        if schema.too_short(column, has):
            yield schema.widening(column, has, collation)
        elif words := self._difference(column, has, collation):
            if not words.startswith(("default of", "allow NULL")):
                self.demands.unheld(column)
            yield words, f"MODIFY COLUMN {self._text(column)}"

    def _text(self, column: Column) -> str:
        """A column as it is to be: what holds more than today's keeps its type."""
        has = self.there.columns.get(column.name)
        kept = has and column.suits(has.type) and not schema.too_short(column, has)
        if has and kept and not self._narrowed(column):
            column = replace(column, type=has.type)
        return column.text(self._collation(column))

    def _narrowed(self, column: Column) -> bool:
        return (self.table.name, column.name) in self.ground.narrowed

    def _difference(self, column: Column, has: ActualColumn, collation: str) -> str:
        if self._narrowed(column) or not column.suits(has.type):
            self.demands.fit(column, has)
            return f"change {column.name} from {has.type} to {column.type}"
        if has.nullable and column.needed:
            return f"no NULL in {column.name}"
        if not column.generated and not column.needed and not has.nullable:
            return f"allow NULL in {column.name}"
        if not column.generated and has.default != column.default:
            # That of a password is one.
            was = "" if column.name in PASSWORDS else f" from {has.default} to {column.default}"
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

    # ---- rows

    def _filling(self, loose: set[str]) -> Iterator[Step]:
        for column in self.table.columns:
            name = column.name
            if name not in loose or name in self.moved or not self._lacks_values(name):
                continue
            value = self._instead_of_null(column)
            if value is None:
                what = "NULL" if name in self.there.columns else "no column"
                self.demands.fault(f" has {what} for {name}.")
                continue
            room = schema.length(column.type)
            if value in self.there.columns:
                for long in self.ground.longer(self.table.name, value, room):
                    told = f"expected at most {room} characters, for it becomes the {name} too."
                    self.demands.fault(f".{value} holds {shown(long)}; {told}")
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
            self.demands.fault(
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
                self.demands.unique(key)
        yield from schema.indexing(self.table, self.there)

    def _references(self) -> Parts:
        for key in self.table.keys:
            if key.name or self.there.references.get(key.constraint) == key.reference:
                continue
            column, parent, of, _cascades = key.reference
            new = key.reference not in self.there.references.values()
            if new and column in self.there.columns and self.ground.there(parent) is not None:
                self.ground.require_parents(self.table.name, column, parent, of)
                self.demands.one_sign(column, parent, of)
            yield f"foreign key {key.constraint}", f"ADD {key.text}"


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
