# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would stop a table half way: asked for before, and told with all the rest."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from .._accounts import schema
from .._accounts.errors import shown
from .._accounts.schema import SORTED, ActualColumn, ActualTable, Column, Key, Table, quoted
from .ground import SHOWN, Ground

ADDRESS = 80  # characters of a source, a destination and a domain
_INDEXED = 768  # characters of utf8mb4 that fit into a key of InnoDB
_NUMBERS = {"tinyint": 2**7, "int": 2**31, "bigint": 2**63}
_WITH_DOMAIN = {"smtp_users": ("email",), "smtp_destinations": ("source",)}


def require_names(ground: Ground, name: str) -> None:
    """No other table has a foreign key by the name of one of today's."""
    wanted = {key.constraint.lower() for key in ground.tables[name].keys if not key.name}
    for (database, other), there in ground.actual.tables.items():
        for key in there.references if other != name else ():
            if database == ground.database(name) and key.lower() in wanted:
                ground.faults.append(
                    f"{database}.{other} has the foreign key {key}, whose name that of "
                    f"{ground.told(name)} has to have: drop it, or the table if it is a left-over."
                )


class Demands:
    """What one table has to be like; whatever is not goes to the faults of the ground."""

    def __init__(self, ground: Ground, table: Table, there: ActualTable) -> None:
        self.ground = ground
        self.table = table
        self.there = there
        self.told = ground.told(table.name)
        self.now = ground.now(table.name)

    def fault(self, words: str) -> None:
        """What is wrong with the table, behind its name."""
        self.ground.faults.append(f"{self.told}{words}")

    def fit(self, column: Column, has: ActualColumn) -> None:
        """What is in a column has a place in its type of today."""
        room, most = schema.length(column.type), _NUMBERS.get(column.type.partition("(")[0], 0)
        if most and has.type.startswith(("enum", "set")):
            self.fault(f".{column.name} is {has.type}; expected {column.type}: convert it.")
        elif most:
            self.ground.require_numbers(self.table.name, column.name, -most, most - 1)
        elif column.type == "datetime" and not has.type.startswith(("date", "timestamp")):
            self._nothing(column, has)
        elif column.type.startswith("enum"):
            self._listed(column)
        elif room and has.collation is None:
            self._text(column)
        if room and (has.length or 0) > room:
            for value in self.ground.longer(self.table.name, column.name, room):
                what = "a value of" if column.name in schema.PASSWORDS else f"{shown(value)},"
                told = f"holds {what} {len(value)} characters; expected at most {room}."
                self.fault(f".{column.name} {told}")

    def domains(self) -> None:
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
                    self.fault(f".{column} holds {shown(value)}; {told}")
        # What is not kept becomes as short as today's.
        kept = [
            self.there.columns[column.name].length or 0
            for column in self.table.columns
            if column.name in ("source", "destination") and column.name in self.there.columns
            if column.suits(self.there.columns[column.name].type)
        ]
        letters = sum(kept)
        if letters > _INDEXED:
            self.fault(
                f".source and .destination have room for {letters} characters; expected at most "
                f"{_INDEXED} for both, which a key can hold: make them shorter."
            )

    def _listed(self, column: Column) -> None:
        """An enumeration holds nothing else."""
        name = quoted(column.name)
        found = self.ground.ask(
            f"SELECT DISTINCT CONVERT({name} USING utf8mb4) FROM {self.now} "
            f"WHERE {name} IS NOT NULL AND CONVERT({name} USING utf8mb4) NOT IN "
            f"({column.type.partition('(')[2]} LIMIT {SHOWN}"
        )
        for (value,) in found:
            self.fault(f".{column.name} holds {shown(value)}; expected {column.type}.")

    def _text(self, column: Column) -> None:
        """What was binary holds letters. The value may be a password."""
        name = quoted(column.name)
        if self.ground.any(
            f"SELECT 1 FROM {self.now} WHERE {name} IS NOT NULL "
            f"AND NOT BINARY CONVERT({name} USING utf8mb4) <=> BINARY {name}"
        ):
            self.fault(f".{column.name} holds bytes that are no UTF-8: correct them.")

    def _nothing(self, column: Column, has: ActualColumn) -> None:
        """There is nothing in a column that no rule converts."""
        if self.ground.any(f"SELECT 1 FROM {self.now} WHERE {quoted(column.name)} IS NOT NULL"):
            self.fault(f".{column.name} is {has.type}; expected {column.type}: convert it.")

    def unheld(self, column: Column) -> None:
        """A foreign key of somebody's own keeps its columns as they are."""
        here = self.ground.database(self.table.name)
        for (database, name), there in self.ground.actual.tables.items():
            tines = self.ground.superseded(name) if name in self.ground.tables else ()
            this = self.table.name if database == here else f"{here}.{self.table.name}"
            for key, other in there.references.items():
                held = {(f"{database}.{name}", other.column), (other.table, other.parent)}
                if held & {(self.told, column.name), (this, column.name)} and key not in tines:
                    self.ground.faults.append(
                        f"{database}.{name} has the foreign key {key}, which is not tine's and "
                        f"holds {self.told}.{column.name}, which is to change: drop it, and add it "
                        "again afterwards."
                    )

    def unused(self, leaving: Collection[str]) -> None:
        """Nothing of somebody's own needs a column that goes."""
        for column in leaving:
            self.ground.require_unchecked(self.table.name, column, "goes")
            for use in _uses(self.there, column):
                self.fault(f" has the {use}, which needs {column}, which goes: drop it.")

    def unique(self, key: Key) -> None:
        """No two rows have what a key of today lets only one have."""
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
            self.fault(f" has {number} rows with {of} {told}; expected one.")

    def _as_filled(self, column: str) -> str:
        """What will be in a column of a key, where it has nothing yet."""
        if self.table.name == "smtp_users" and column == quoted("userid"):
            made = self.ground.like(self.table.name, "SHA1(email)", "userid")
            return f"COALESCE(NULLIF({column}, ''), {made})"
        return f"COALESCE({column}, '')"

    def one_sign(self, column: str, parent: str, of: str) -> None:
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
