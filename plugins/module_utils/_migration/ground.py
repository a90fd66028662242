# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all parts of a migration stand on: the tables that are there, and questions about them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Callable

from .._accounts import schema
from .._accounts.errors import shown
from .._accounts.schema import DOVECOT, Actual, ActualTable, Names, quoted
from .generations import former, named, renamings

Ask = Callable[[str], Sequence[Any]]
SHOWN = 5  # examples of a fault


def _literal(text: str) -> str:
    doubled = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{doubled}'"


def loses_letters(text: str, charset: str) -> str:
    """Whether a text, as SQL, has letters that a character set does not have."""
    whole = f"CONVERT({text} USING utf8mb4)"
    return f"BINARY {whole} <> BINARY CONVERT(CONVERT({text} USING {charset}) USING utf8mb4)"


class Ground:
    """The tables under the names that they will have, and what is wrong with them."""

    def __init__(self, names: Names, actual: Actual, ask: Ask, owner: str | None) -> None:
        self.names = names
        self.ask = ask
        self.owner = owner
        self.kinds = {place: there.kind for place, there in actual.tables.items() if there.kind}
        self.renamed = renamings(names, actual)
        self.actual = named(names, actual)
        self.tables = {table.name: table for table in schema.tables_of(names, self.actual)}
        self.narrowed: set[tuple[str, str]] = set()  # a table and a column of it
        self.faults = [
            f"{names.postfix}.{old}, which would become {new}, and {names.postfix}.{new} are both "
            "there: drop the one that is not in use, or give it another name."
            for old, new in self.renamed.items()
            if (names.postfix, new) in actual.tables
        ]

    # ---- what is there

    def there(self, name: str) -> ActualTable | None:
        return self.actual.tables.get((self.database(name), name))

    def has(self, name: str, columns: Iterable[str]) -> bool:
        there = self.there(name)
        return there is not None and set(columns) <= set(there.columns)

    def superseded(self, name: str) -> tuple[str, ...]:
        """Foreign keys between the columns of one of today's, which has another name or form."""
        there = self.there(name)
        wanted = [key.reference for key in self.tables[name].keys if not key.name]
        return tuple(
            key
            for key, other in (there.references if there else {}).items()
            if any((w.column, w.table) == (other.column, other.table) for w in wanted)
        )

    def free(self, name: str, references: Iterable[str]) -> None:
        """From now on a table is without these foreign keys."""
        there = self.there(name)
        if there is not None:
            left = {key: other for key, other in there.references.items() if key not in references}
            place = (self.database(name), name)
            freed = {place: replace(there, references=left)}
            self.actual = replace(self.actual, tables={**self.actual.tables, **freed})

    # ---- names

    def database(self, name: str) -> str:
        return self.names.dovecot if name.startswith(DOVECOT) else self.names.postfix

    def told(self, name: str) -> str:
        """A table for somebody who reads it."""
        return f"{self.database(name)}.{name}"

    def place(self, name: str) -> str:
        """The quoted name that a table will have."""
        return f"{quoted(self.database(name))}.{quoted(name)}"

    def was(self, name: str) -> str:
        """The name that it has."""
        (was,) = [old for old, new in self.renamed.items() if new == name] or [name]
        return was

    def now(self, name: str) -> str:
        """The quoted name that it has."""
        return f"{quoted(self.database(name))}.{quoted(self.was(name))}"

    # ---- questions

    def any(self, sql: str) -> bool:
        return bool(self.ask(f"{sql} LIMIT 1"))

    def is_filled(self, name: str) -> bool:
        return self.there(name) is not None and self.any(f"SELECT 1 FROM {self.now(name)}")

    def like(self, table: str, text: str, column: str) -> str:
        """A text that can be compared with those of a column, whose index still answers."""
        there, wanted = self.there(table), self.tables[table]
        has = there.columns.get(column) if there else None
        child = any(key.reference.column == column for key in wanted.keys if not key.name)
        if has and has.collation and not child:
            return schema.comparable(text, has.collation)
        new = schema.collation_of(self.names, self.actual, wanted)
        collation = schema.own_collation(there, wanted) if there else new
        return schema.comparable(text, collation)

    def longer(self, name: str, column: str, length: int) -> list[str]:
        """Values of more characters, a few of them."""
        sql = (
            f"SELECT {quoted(column)} FROM {self.now(name)} "
            f"WHERE CHAR_LENGTH({quoted(column)}) > {length} LIMIT {SHOWN}"
        )
        return [value for (value,) in self.ask(sql)]

    def require_numbers(self, name: str, column: str, least: int, most: int) -> None:
        """Whole numbers in a column of any type, or NULL."""
        there = self.there(name)
        has = there.columns.get(column) if there else None
        if has is None or has.type.startswith(("enum", "set")):
            return
        value = f"{quoted(column)} + 0" if has.type.startswith("bit") else quoted(column)
        text = f"CONVERT({value} USING utf8mb4)"
        found = self.ask(
            f"SELECT DISTINCT {text} FROM {self.now(name)} WHERE {quoted(column)} IS NOT NULL AND "
            f"NOT ({text} REGEXP '^-?[0-9]+([.]0*)?$' AND CAST({text} AS DECIMAL(65)) "
            f"BETWEEN {least} AND {most}) LIMIT {SHOWN}"
        )
        for (wrong,) in found:
            told = f"expected a whole number from {least} to {most}."
            self.faults.append(f"{self.told(name)}.{column} holds {shown(wrong)}; {told}")

    def require_unchecked(self, name: str, column: str, what: str) -> None:
        """No constraint of somebody's own looks at a column whose values change."""
        checks = self.ask(
            "SELECT CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS "
            f"WHERE CONSTRAINT_SCHEMA = {_literal(self.database(name))} "
            f"AND TABLE_NAME = {_literal(self.was(name))}"
        )
        for check, clause in checks:
            if f"`{column}`" in clause.lower():
                self.faults.append(
                    f"{self.told(name)} has the check {check}, which needs {column}, which {what}: "
                    "drop it."
                )

    def require_unreferenced(self, name: str) -> None:
        """Nothing of somebody's own needs a table that goes."""
        here = self.database(name)
        for (database, other), there in self.actual.tables.items():
            this = name if database == here else f"{here}.{name}"
            uses = [
                f"foreign key {key}" for key, to in there.references.items() if to.table == this
            ]
            uses += [
                f"trigger {trigger}"
                for trigger, body in there.triggers.items()
                if re.search(rf"\b{name}\b", body.lower())
            ]
            for use in uses if other != name else ():
                self.faults.append(
                    f"{database}.{other} has the {use}, which needs {self.told(name)}, which goes: "
                    "drop it."
                )

    def require_defaults(self, name: str) -> None:
        """A table that gets rows asks for no value that only its admin could know."""
        there = self.there(name)
        if there is None:
            return
        known = {column.name for column in self.tables[name].columns} | former(name, there)
        for column, has in there.columns.items():
            filled = has.nullable or has.default is not None or has.generated or has.counts
            if column not in known and not filled:
                self.faults.append(
                    f"{self.told(name)}.{column}, a column of your own, has neither NULL nor a "
                    "default, and rows are to be added: give it a default."
                )

    def require_parents(self, name: str, column: str, parent: str, of: str) -> None:
        """Every row's column is in that of its parent's table."""
        orphans = self.ask(
            f"SELECT DISTINCT c.{column} FROM {self.now(name)} AS c LEFT JOIN "
            f"{self.now(parent)} AS p ON p.{of} = {self.like(parent, f'c.{column}', of)} "
            f"WHERE p.{of} IS NULL LIMIT {SHOWN}"
        )
        for (value,) in orphans:
            self.faults.append(
                f"{self.told(name)} has rows of {column} {shown(value)}, which is not in "
                f"{self.told(parent)}: remove them, or add it there."
            )
