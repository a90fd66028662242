# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back from our additions to what tine itself creates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .._accounts.schema import (
    PASSWORD_LENGTH,
    TRIGGERS,
    Actual,
    ActualColumn,
    ActualTable,
    Column,
    Names,
    Step,
    Table,
    altering,
    quoted,
)
from .._accounts.schema import tables_of as all_tables
from .ground import Ask

# What tine of 2026 creates, too, though it does without.
_TINES = frozenset(
    (
        *("status", "expiry_date", "last_modified_time", "smtp_virtual_domains"),
        *("userid", "users_id", "source"),
    )
)
_STOCK_LENGTH = 100  # of Dovecot's passwords


def steps(names: Names, actual: Actual, ask: Ask) -> list[Step]:
    """What takes our additions away. A password column stays wide for hashes that need it."""
    found = []
    for table in all_tables(names, actual):
        there = actual.table(names, table)
        if there is None or there.kind:
            continue
        told = f"{names.database(table.database)}.{table.name}"
        if table.added and table.name not in _TINES:
            if set(there.columns) != {column.name for column in table.columns}:
                continue  # somebody's own
            sql = f"DROP TABLE {names.table(table.name)}"
            found.append(Step(f"drop table {told}", (sql,), True, (told,)))
        else:
            gone = [c.name for c in table.columns if _is_ours(c, there.columns.get(c.name))]
            parts = _reductions(names, there, table, gone, ask)
            removes = tuple(f"{told}.{name}" for name in gone)
            found += [s._replace(removes=removes) for s in altering(names, table, parts)]
    return [*_trigger_steps(names, actual), *found]


def _is_ours(column: Column, has: ActualColumn | None) -> bool:
    """A generated column: nothing is lost with it."""
    return column.generated and has is not None and has.generated


def _trigger_steps(names: Names, actual: Actual) -> Iterator[Step]:
    for name in TRIGGERS:
        if name in actual.triggers:
            sql = f"DROP TRIGGER {quoted(names.dovecot)}.{quoted(name)}"
            yield Step(f"drop trigger {names.dovecot}.{name}", (sql,))


def _reductions(
    names: Names, there: ActualTable, table: Table, gone: Sequence[str], ask: Ask
) -> Iterator[tuple[str, str]]:
    # What has the name alone is somebody's own.
    kept = {c.name for c in table.columns if c.generated and c.name not in gone}
    for key in table.keys:
        ours = key.added and there.keys.get(key.name) == key.form
        if ours and key.name not in _TINES and not kept & set(key.form.columns):
            yield f"drop index {key.name}", f"DROP KEY {quoted(key.name)}"
    for column in table.columns:
        has = there.columns.get(column.name)
        if has is None:
            continue
        if column.name in gone:
            yield f"drop column {column.name}", f"DROP COLUMN {quoted(column.name)}"
        elif column.name == "password" and has.length == PASSWORD_LENGTH:
            long = (
                f"SELECT 1 FROM {names.table(table.name)} "
                f"WHERE CHAR_LENGTH({column.name}) > {_STOCK_LENGTH} LIMIT 1"
            )
            if not ask(long):
                kind = f"varchar({_STOCK_LENGTH})"
                text = column.text(has.collation or table.collation).replace(column.type, kind)
                yield f"narrow {column.name} to {kind}", f"MODIFY COLUMN {text}"
