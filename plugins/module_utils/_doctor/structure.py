# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tables lack, by nothing but their form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from .._accounts.schema import (
    PASSWORDS,
    TABLES,
    ActualColumn,
    ActualReference,
    ActualTable,
    Column,
    Table,
    tables_of,
)
from .findings import Findings
from .records import Tables

(_LOCK,) = (table for table in TABLES if table.name == "mailserver_lock")
# Their names are compared with each other.
_NAMED = ("dovecot_users", "dovecot_usage", "smtp_users", "smtp_destinations")


def structure(tables: Tables) -> Findings:
    """Everything that is not as today's tables have it, one tine's or several's."""
    found = Findings()
    today = tables_of(tables.names, tables.actual)
    for table in today:
        there = tables.actual.table(tables.names, table)
        name = tables.name(table.name)
        if there is not None and there.kind:
            found.add("missing_table", name, f"{there.kind} has its name")
        elif there is not None:
            _table(found, name, table, there)
        elif tables.generation.broken and table.name == "smtp_virtual_domains":
            found.add("broken_import", name, "the table is missing")
        else:
            found.add("missing_table", name, "the table is missing")
    lock = tables.actual.table(tables.names, _LOCK)
    if lock is not None and not tables.actual.locked:
        found.add("missing_row", tables.name("mailserver_lock"), "the row that writers lock")
    _collations(found, tables, [table for table in today if table.name in _NAMED])
    return found


def _table(found: Findings, name: str, table: Table, there: ActualTable) -> None:
    if there.engine.lower() != "innodb":
        found.add("not_innodb", name, there.engine or "no engine")
    for column in table.columns:
        has = there.columns.get(column.name)
        if has is None:
            found.add("missing_column", name, column.name)
        else:
            for difference in _differences(column, has):
                found.add("different_column", name, f"{column.name} {difference}")
    for key in table.keys:
        if key.name and key.form not in there.keys.values():
            found.add("missing_key", name, key.name)
        elif not key.name and key.reference not in there.references.values():
            that = " that cascades" if _is_like_another(key.reference, there) else ""
            found.add("missing_key", name, f"foreign key to {key.reference.table}{that}")


def _is_like_another(reference: ActualReference, there: ActualTable) -> bool:
    """Whether only what the foreign key does is another."""
    return any(reference[:3] == other[:3] for other in there.references.values())


def _differences(column: Column, has: ActualColumn) -> Iterator[str]:
    if has.generated != column.generated:
        yield "is generated" if has.generated else "is not generated"
    elif not column.suits(has.type):
        yield f"is {has.type}, today {column.type}"
    elif has.nullable and column.needed:
        yield "allows NULL"
    elif not column.generated and has.default != column.default:
        if column.name in PASSWORDS:  # whose default is one
            yield "has another default than today's"
        else:
            yield f"is {has.default or 'nothing'} by default, today {column.default or 'nothing'}"


def _collations(found: Findings, tables: Tables, named: list[Table]) -> None:
    collations = [
        (tables.name(table.name), column.name, has.collation)
        for table in named
        for there in [tables.actual.table(tables.names, table)]
        for column in table.columns
        for has in [there.columns.get(column.name) if there else None]
        if has and has.collation
    ]
    usual = Counter(collation for _table, _column, collation in collations).most_common(1)
    for name, column, collation in collations:
        if collation != usual[0][0]:
            found.add("mixed_collation", name, f"{column} is {collation}, most {usual[0][0]}")
