# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mail tables as SQL that puts them back as they were, and takes away what came after them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from .._accounts.schema import TABLES, Actual, Names, quoted
from .generations import LISTS, QUOTAS, ROUTES, is_list

# PyMySQL has the bytes of binary columns stand in the text of a statement like this.
ENCODING = "utf-8", "surrogateescape"
_CHARACTERS = 1_000_000  # of a statement, far below the smallest default of max_allowed_packet
_MODE = "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\n"
_HEAD = "SET NAMES utf8mb4;\nSET time_zone = '+00:00';\nSET foreign_key_checks = 0;\n" + _MODE
# The client has to send the semicolons in a trigger.
_TRIGGER = "USE {};\nSET sql_mode = '{}';\nDELIMITER ;;\n{};;\nDELIMITER ;\n" + _MODE


class Cursor(Protocol):
    """What is used of the cursor of a connection."""

    def execute(self, sql: str) -> object: ...
    def fetchall(self) -> Sequence[Any]: ...
    def stream(self, sql: str) -> Iterator[Any]: ...
    def mogrify(self, sql: str, values: Sequence[object]) -> str: ...


def dumped(cursor: Cursor, names: Names, actual: Actual) -> Iterator[str]:
    """All mail tables, as one moment has them. Passwords are among them."""
    cursor.execute("COMMIT")
    cursor.execute("SET NAMES utf8mb4")
    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    yield _HEAD
    known = [place for place in _known(names, actual) if _is_ordinary(actual, place)]
    for place in known:
        yield f"DROP TABLE IF EXISTS {_quoted(place)};\n"
    for place in known:
        if place in actual.tables:
            yield from _table(cursor, actual, place)
    # When all rows are there: none of them fires one.
    for place in known:
        if place in actual.tables:
            yield from _triggers(cursor, place[0], actual.tables[place].triggers)


def _known(names: Names, actual: Actual) -> Iterator[tuple[str, str]]:
    """Tables that are tine's or ours, in any generation."""
    for table in TABLES:
        yield names.database(table.database), table.name
    yield names.dovecot, QUOTAS
    for name in LISTS:
        there = actual.tables.get((names.postfix, name))
        if there is None or is_list(name, there) or set(there.columns) >= set(ROUTES):
            yield names.postfix, name
    if (names.postfix, "smtp_users") not in actual.tables:
        old = ((names.postfix, name) for name in ("users", "forwardings"))
        yield from (place for place in old if place in actual.tables)


def _is_ordinary(actual: Actual, place: tuple[str, str]) -> bool:
    return place not in actual.tables or not actual.tables[place].kind


def _quoted(place: tuple[str, str]) -> str:
    return ".".join(map(quoted, place))


def _table(cursor: Cursor, actual: Actual, place: tuple[str, str]) -> Iterator[str]:
    cursor.execute(f"SHOW CREATE TABLE {_quoted(place)}")
    ((_name, create),) = cursor.fetchall()
    yield create.replace("CREATE TABLE ", f"CREATE TABLE {quoted(place[0])}.", 1) + ";\n"
    columns = [name for name, has in actual.tables[place].columns.items() if not has.generated]
    listed = ", ".join(map(quoted, columns))
    marks = f"({', '.join(['%s'] * len(columns))})"
    head = f"INSERT INTO {_quoted(place)} ({listed}) VALUES\n"
    rows: list[str] = []
    size = 0
    for row in cursor.stream(f"SELECT {listed} FROM {_quoted(place)}"):
        rows.append(cursor.mogrify(marks, row))
        size += len(rows[-1])
        if size > _CHARACTERS:
            yield head + ",\n".join(rows) + ";\n"
            rows, size = [], 0
    if rows:
        yield head + ",\n".join(rows) + ";\n"


def _triggers(cursor: Cursor, database: str, triggers: Iterable[str]) -> Iterator[str]:
    for name in triggers:
        cursor.execute(f"SHOW CREATE TRIGGER {quoted(database)}.{quoted(name)}")
        ((_name, mode, statement, *_rest),) = cursor.fetchall()
        yield _TRIGGER.format(quoted(database), mode, statement)
