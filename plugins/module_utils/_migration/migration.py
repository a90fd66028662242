# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the tables of any generation to those of 2026, in steps that a next run can take up.

Each step is there only where the tables show that it is needed, so what is left of a run that was
killed is just the plan of the next one. What is known to stop a run half way is asked for before.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._accounts import schema
from .._accounts.errors import Refused, shown
from .._accounts.schema import Actual, Names, Step
from .._accounts.wanted import STATUSES
from .generations import STATUS, lacking
from .ground import SHOWN, Ask, Ground
from .growth import grown
from .lists import lists
from .mailboxes import mailboxes
from .people import narrowing, once, people

_COMPARED = {"smtp_users": ("username", "email"), "smtp_destinations": ("source", "destination")}
_ORDERED = ("smtp_users", "smtp_destinations", "dovecot_users", "dovecot_usage")


def steps(names: Names, actual: Actual, ask: Ask, owner: str | None = None) -> list[Step]:
    """All that lies ahead; refuses what it could not bring to its end."""
    ground = Ground(names, actual, ask, owner)
    _require_tines(ground)
    found = [] if ground.faults else list(_steps(ground))
    if ground.faults:
        raise Refused(list(dict.fromkeys(ground.faults)))
    return found


def _steps(ground: Ground) -> Iterator[Step]:
    _require_comparable(ground)
    _require_status(ground)
    yield from _renaming(ground)
    yield from narrowing(ground)
    # Postfix first: Dovecot's login names are the addresses there.
    yield from grown(ground, "smtp_users", people(ground))
    yield from grown(ground, "smtp_destinations", once(ground))
    yield from lists(ground)
    yield from mailboxes(ground)
    for name in ground.tables:
        if name not in _ORDERED:
            yield from grown(ground, name)
    yield from schema.closing_steps(ground.names, ground.actual)


def _require_tines(ground: Ground) -> None:
    """What has the name of a table of tine's alone answers no question about accounts."""
    for name in ground.tables:
        there = ground.there(name)
        absent = lacking(name, there) if there else []
        kind = ground.kinds.get((ground.database(name), name))
        if kind:
            ground.faults.append(
                f"{ground.told(name)} is {kind}; expected an ordinary table. Give it another "
                "name, or make it one."
            )
        elif absent:
            ground.faults.append(
                f"{ground.told(name)} has no column {' and no '.join(absent)}, which tine's "
                "has had at all times, or login_user may not see it: grant it the whole table, or "
                "give that another name."
            )


def _require_comparable(ground: Ground) -> None:
    """The generated columns compare two of their table, which have unique keys to keep."""
    for name, pair in _COMPARED.items():
        there = ground.there(name)
        found = {c: there.columns[c].collation for c in pair if there and c in there.columns}
        if len(set(found.values())) > 1:
            told = " and ".join(f"{column} {has}" for column, has in found.items())
            ground.faults.append(
                f"{ground.told(name)} has columns of two collations, {told}: stop the services "
                "and convert the table to one, ALTER TABLE ... CONVERT TO CHARACTER SET."
            )


def _require_status(ground: Ground) -> None:
    """What is not tine's would lock everybody out: a status that is unknown is no active one."""
    known = ", ".join(f"'{status}'" for status in STATUSES)
    for name in ("dovecot_users", "smtp_users"):
        tines = ground.has(name, STATUS)
        if ground.has(name, ("status",)) and not tines:
            found = ground.ask(
                f"SELECT DISTINCT status FROM {ground.now(name)} WHERE status IS NOT NULL "
                f"AND CONVERT(status USING utf8mb4) NOT IN ({known}) LIMIT {SHOWN}"
            )
            for (value,) in found:
                ground.faults.append(
                    f"{ground.told(name)} has the status {shown(value)}; expected {known} or "
                    "NULL. Give a column of your own another name."
                )
        if ground.has(name, ("expiry_date",)) and not tines:
            # No date is long past, and would lock its account out.
            text = "CAST(expiry_date AS CHAR)"
            if ground.any(f"SELECT 1 FROM {ground.now(name)} WHERE {text} LIKE '0000%'"):
                ground.faults.append(
                    f"{ground.told(name)} has the expiry_date 0000-00-00; expected a date or "
                    "NULL, which is never. Give a column of your own another name."
                )


def _renaming(ground: Ground) -> Iterator[Step]:
    pairs = [
        (f"{ground.names.postfix}.{old}", ground.told(new), new)
        for old, new in ground.renamed.items()
    ]
    if pairs:
        words = ", ".join(f"{old} to {new}" for old, new, _name in pairs)
        renames = (f"{ground.now(name)} TO {ground.place(name)}" for *_told, name in pairs)
        sql = f"RENAME TABLE {', '.join(renames)}"
        yield Step(f"rename {words}", (sql,), True, tuple(old for old, *_rest in pairs))
