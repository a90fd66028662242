# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tables lack, by nothing but their form."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from .._accounts.schema import NOT_NULL, TABLES, ActualColumn, ActualTable, Column, Table
from .findings import Findings
from .records import Tables

# Their names are compared with each other.
_NAMED = ("dovecot_users", "dovecot_usage", "smtp_users", "smtp_destinations")
_PARENT = re.compile(r"REFERENCES `(\w+)`")


def structure(tables: Tables) -> Findings:
    """Everything that is not as today's tables have it, one tine's or several's."""
    found = Findings()
    several = tables.hook == "users_id"
    for table in TABLES:
        there = tables.actual.table(tables.names, table)
        name = tables.name(table.name)
        if there is not None:
            _table(found, name, _expected(table, several), there)
            _references(found, tables, table)
        elif several and table.name == "smtp_virtual_domains":
            found.add("broken_import", name, "the table is missing")
        else:
            found.add("missing_table", name, "the table is missing")
    _collations(found, tables)
    return found


def _expected(table: Table, several: bool) -> Table:
    """The table for several tines hangs destinations on a number and may have no owner."""
    if several and table.name == "smtp_destinations":
        columns = [
            Column("users_id", "int(11)", NOT_NULL) if column.name == "userid" else column
            for column in table.columns
        ]
        keys = [key for key in table.keys if key.name != "userid"]
        return replace(table, columns=columns, keys=keys)
    if several and table.name == "smtp_users":
        columns = [replace(c, rest="") if c.name == "client_idnr" else c for c in table.columns]
        return replace(table, columns=columns)
    return table


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
        if key.name and key.name not in there.keys:
            found.add("missing_key", name, key.name)


def _differences(column: Column, has: ActualColumn) -> Iterator[str]:
    if has.generated != ("GENERATED" in column.rest):
        yield "is generated" if has.generated else "is not generated"
    elif not column.suits(has.type) and not _longer(column, has):
        yield f"is {has.type}, today {column.type}"
    elif has.nullable and NOT_NULL in column.rest:
        yield "allows NULL"


def _longer(column: Column, has: ActualColumn) -> bool:
    wished = re.fullmatch(r"varchar\((\d+)\)", column.type)
    return bool(wished and "char" in has.type and (has.length or 0) >= int(wished[1]))


def _references(found: Findings, tables: Tables, table: Table) -> None:
    for parent in (match[1] for key in table.keys for match in [_PARENT.search(key.text)] if match):
        if parent in tables and (table.name, parent) not in tables.references:
            found.add("missing_key", tables.name(table.name), f"foreign key to {parent}")


def _collations(found: Findings, tables: Tables) -> None:
    named = [
        (tables.name(table.name), column, has.collation)
        for table in TABLES
        for there in [tables.actual.table(tables.names, table)]
        if there and table.name in _NAMED
        for column, has in there.columns.items()
        if has.collation and any(column == known.name for known in table.columns)
    ]
    usual = Counter(collation for _table, _column, collation in named).most_common(1)
    for table_name, column, collation in named:
        if collation != usual[0][0]:
            found.add("mixed_collation", table_name, f"{column} is {collation}, most {usual[0][0]}")
