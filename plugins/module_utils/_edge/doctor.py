# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong in the databases, as a task asks for it, and the repairs that it asks for."""

from __future__ import annotations

import contextlib
import typing as t
from functools import partial

from .. import _connection
from .._accounts.errors import Invalid
from .._accounts.schema import DOVECOT, POSTFIX
from .._accounts.store import inspect, lock
from .._doctor import findings, repairs
from .._doctor.pairs import pairs
from .._doctor.reading import Reader, joined
from .._doctor.records import Records, Tables
from .._doctor.routing import routing
from .._doctor.structure import structure
from .._migration.generations import Generation
from . import reporting, server
from .info import SNAPSHOT

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

LETTERS = "SET NAMES utf8mb4"  # tables may hold more than those of the modules' own
_SECOND = "postfix_"
OPTIONS: dict[str, t.Any] = {
    "repairs": {
        "type": "list",
        "elements": "str",
        "choices": list(repairs.REPAIRS),
        "default": [],
    },
    "examples": {"type": "int", "default": findings.EXAMPLES},
    "postfix_login_unix_socket": {"type": "path"},
    "postfix_login_host": {"type": "list", "elements": "str", "default": []},
    "postfix_login_port": {"type": "int", "default": 3306},
    "postfix_login_user": {"type": "str", "default": "root"},
    "postfix_login_password": {"type": "str", "no_log": True},
}
_Mends = dict[str, list[repairs.Mend]]  # by repair
_Side = tuple[_connection.Server, tuple[str, ...]]  # a server, and which databases it has


def examine(module: AnsibleModule) -> None:
    """Tell what is wrong, repair what is asked for, and end the module."""
    with reporting(module), contextlib.ExitStack() as opened:
        limit = module.params["examples"]
        if limit < 1:
            raise Invalid(limit, "is not a number of examples: expected 1 or more.")
        sides = list(_sides(module, opened))
        doctor = _Doctor(module, sides) if sides else None
        _exit(module, doctor, limit)


def _sides(module: AnsibleModule, opened: contextlib.ExitStack) -> t.Iterator[_Side]:
    first = opened.enter_context(server(module))
    second = first
    if module.params["postfix_login_host"] or module.params["postfix_login_unix_socket"]:
        login = {
            name[len(_SECOND) :]: value
            for name, value in module.params.items()
            if name.startswith(f"{_SECOND}login")
        }
        second = opened.enter_context(server(module, login))
    if first is not None and first is second:
        yield first, (DOVECOT, POSTFIX)
    elif first is not None and second is not None:
        yield first, (DOVECOT,)
        yield second, (POSTFIX,)


def _exit(module: AnsibleModule, doctor: _Doctor | None, limit: int) -> None:
    mends = doctor.repair() if doctor else {}
    found, unchecked = (
        doctor.look() if doctor else (findings.Findings(), ["there is no server yet"])
    )
    listed = found.told(limit)
    repaired = {
        name: repairs.told(doctor.tables, planned, limit) if doctor else []
        for name, planned in mends.items()
    }
    module.exit_json(
        changed=any(mends.values()),
        generation=(doctor.tables.generation if doctor else Generation()).told(),
        sound=not listed,
        findings=listed,
        report=[*findings.lines(listed), *(f"Not checked: {what}." for what in unchecked)],
        not_checked=unchecked,
        repaired=repaired,
        actions=[
            f"{name}: {part['count']} in {part['table']}"
            for name, parts in repaired.items()
            for part in parts
        ],
        diff=_diff(mends, limit),
        invocation={},
    )


def _diff(mends: _Mends, limit: int) -> dict[str, str]:
    shown = [(name, mend) for name, planned in mends.items() for mend in planned[:limit]]
    more = "".join(
        f"{name}: and {len(planned) - limit} more\n"
        for name, planned in mends.items()
        if len(planned) > limit
    )
    return {
        "before_header": "mail databases",
        "after_header": "mail databases",
        "before": "".join(f"{m.table}: {m.before}\n" for _name, m in shown) + more,
        "after": "".join(f"{m.table}: {m.after}\n" for _name, m in shown if m.after),
    }


class _Doctor:
    def __init__(self, module: AnsibleModule, sides: t.Sequence[_Side]) -> None:
        self.check_mode = module.check_mode
        self.names = _connection.names(module.params)
        self.asked = [name for name in repairs.REPAIRS if name in module.params["repairs"]]
        self.sides = sides
        self.tables = self._inspected()
        self.reader = Reader(self.tables)

    def _inspected(self) -> Tables:
        seen = {
            which: actual
            for opened, whose in self.sides
            for actual in opened.settle(lambda cursor: [inspect(cursor, self.names)])
            for which in whose
        }
        return Tables(self.names, joined(self.names, seen[DOVECOT], seen[POSTFIX]))

    # ---- what is wrong

    def look(self) -> tuple[findings.Findings, list[str]]:
        """Everything that is wrong now, and what these tables do not let us check."""
        records, found = Records(), structure(self.tables)
        for opened, whose in self.sides:
            part, rows = opened.settle(partial(self._read, whose))
            found.update(rows)
            records = records.beside(part)
        found.update(pairs(self.tables, records))
        found.update(routing(self.tables, records))
        return found, self.reader.unchecked(records)

    def _read(self, whose: tuple[str, ...], cursor: t.Any) -> tuple[Records, findings.Findings]:
        for statement in (LETTERS, *SNAPSHOT):
            cursor.execute(statement)
        records, found = Records(), findings.Findings()
        if DOVECOT in whose:
            self.reader.dovecot(cursor, records, found)
        if POSTFIX in whose:
            self.reader.postfix(cursor, records, found)
        return records, found

    # ---- repairs

    def repair(self) -> _Mends:
        """What the asked repairs change; nothing is locked where nothing is to be changed."""
        done: _Mends = {name: [] for name in self.asked}
        for opened, whose in self.sides if self.asked else ():
            mends = opened.settle(partial(self._planned, whose))
            if mends and not self.check_mode:
                mends = opened.settle(partial(self._written, whose))
            for name, mend in mends:
                done[name].append(mend)
        return done

    def _planned(
        self, whose: tuple[str, ...], cursor: t.Any, said: str = ""
    ) -> list[tuple[str, repairs.Mend]]:
        cursor.execute(LETTERS)
        asking = repairs.Asking(cursor, self.tables, said)
        return [
            (name, mend)
            for name in self.asked
            for which, plan in repairs.REPAIRS[name].items()
            if which in whose
            for mend in plan(asking)
        ]

    def _written(self, whose: tuple[str, ...], cursor: t.Any) -> list[tuple[str, repairs.Mend]]:
        if POSTFIX in whose and self.tables.actual.locked:
            lock(cursor, self.names)
        mends = self._planned(whose, cursor, " FOR UPDATE")
        repairs.apply(cursor, (mend for _name, mend in mends))
        return mends
