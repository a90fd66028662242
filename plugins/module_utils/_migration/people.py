# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of smtp_users and smtp_destinations, and the userid between them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from .._accounts import schema
from .._accounts.schema import ActualTable, Step, quoted
from .generations import is_unique
from .ground import Ground
from .growth import freeing
from .prefixes import prefixing
from .twins import TURN, Routes


def narrowing(ground: Ground) -> Iterator[Step]:
    """The userid was longer once.

    A foreign key holds its columns as they are: where their type becomes another, it comes anew.
    """
    for name in ("smtp_users", "smtp_destinations"):
        there = ground.there(name)
        has = there.columns.get("userid") if there else None
        lengths = [
            schema.length(column.type)
            for column in ground.tables[name].columns
            if column.name == "userid" and has
        ]
        for length in lengths:
            too_wide = has is not None and (has.length or 0) > length
            # What is too long is told where the column changes.
            if too_wide and not ground.longer(name, "userid", length):
                ground.narrowed.add((name, "userid"))
    for name in ("smtp_destinations", "dovecot_usage"):
        if any(_changes(ground, *ends) for ends in _linked(ground, name)):
            yield from freeing(ground, name)


def _linked(ground: Ground, name: str) -> Iterator[tuple[str, str]]:
    """Table and column of both ends of its foreign key of today's form."""
    for key in ground.tables[name].keys:
        if not key.name:
            yield name, key.reference.column
            yield key.reference.table, key.reference.parent


def _changes(ground: Ground, name: str, column: str) -> bool:
    """Whether the type of a column becomes another."""
    there = ground.there(name)
    has = there.columns.get(column) if there else None
    (today,) = (each for each in ground.tables[name].columns if each.name == column)
    return has is not None and ((name, column) in ground.narrowed or not today.suits(has.type))


def people(ground: Ground) -> Iterator[Step]:
    """What becomes of the rows of smtp_users."""
    yield from prefixing(ground, "smtp_users")
    empty = f"SELECT 1 FROM {ground.now('smtp_users')} WHERE userid = ''"
    if ground.has("smtp_users", ("userid",)) and ground.any(empty):
        name = "COALESCE(NULLIF(email, ''), username)"
        sql = f"UPDATE {ground.place('smtp_users')} SET userid = SHA1({name}) WHERE userid = ''"
        yield Step(f"fill userid where it is empty in {ground.told('smtp_users')}", (sql,))
    yield from _addressless(ground)


def _addressless(ground: Ground) -> Iterator[Step]:
    """Until an account needed no address, in December 2010, an empty one stood for none."""
    there = ground.there("smtp_users")
    where = f"WHERE {quoted('email')} = ''"
    if there is None or not ground.any(f"SELECT 1 FROM {ground.now('smtp_users')} {where}"):
        return
    if "email" in schema.primary(there):
        ground.faults.append(
            f"{ground.told('smtp_users')} has an account without an address, which was its name "
            "there: remove it, or give it one."
        )
    else:
        sql = f"UPDATE {ground.place('smtp_users')} SET email = NULL {where}"
        yield Step(f"no address where it is empty in {ground.told('smtp_users')}", (sql,))


def once(ground: Ground) -> Iterator[Step]:
    """A pair of source and destination that stands several times becomes one row."""
    name, there = "smtp_destinations", ground.there("smtp_destinations")
    if there is None or is_unique(there, "source", "destination"):
        return
    if not ground.any(_twins(ground, ground.now(name), there).pairs):
        return
    ordinary = (column for column, has in there.columns.items() if not has.generated)
    columns = [quoted(column) for column in dict.fromkeys((*ordinary, "dispatch_address"))]
    listed = ", ".join(columns)
    table, kept = ground.place(name), f"{quoted(ground.names.postfix)}.`smtp_destinations_once`"
    twins = _twins(ground, table, there)
    yield Step(
        f"keep one of each pair of source and destination in {ground.told(name)}",
        (
            twins.lock,
            f"CREATE OR REPLACE TEMPORARY TABLE {kept} (KEY (source, destination)) "
            f"SELECT {listed} FROM ({twins.ranked(columns)}) AS r "
            f"WHERE r.{TURN} = 1",
            # With an alias it would ask for a default database.
            f"DELETE {table} FROM {table} JOIN {kept} AS o "
            f"ON o.source = {table}.source AND o.destination = {table}.destination",
            f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {kept}",
        ),
        True,
    )


def _twins(ground: Ground, table: str, there: ActualTable) -> Routes:
    hook, key = ("users_id", "id") if "users_id" in there.columns else ("userid", "userid")
    as_user = partial(ground.like, "smtp_users")
    return Routes(table, ground.place("smtp_users"), hook, key, "d.dispatch_address", as_user)
