# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a task."""

from __future__ import annotations

import os
import time
import typing as t
from functools import partial

from .. import _connection
from .._accounts import private_file, schema
from .._accounts.errors import MissingDatabase, NoBackup, StepRefused, Swapped
from .._accounts.store import inspect
from .._accounts.wanted import owner_id
from .._migration import dump, generations, migration, stock
from . import reporting, server

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def converge_schema(module: AnsibleModule) -> None:
    """Create, change or take away what the state asks for, and end the module."""
    with reporting(module), server(module) as opened:
        asked = _Schema(module, opened)
        steps = asked.converge()
        words = [step.words for step in steps]
        module.exit_json(
            changed=bool(steps),
            diff={
                "before_header": "mail schema",
                "after_header": "mail schema",
                "before": "",
                "after": "".join(f"{line}\n" for line in words),
            },
            actions=words,
            queries=[sql for step in steps for sql in step.sql],
            generation=asked.found.told(),
            removed=[name for step in steps for name in step.removes],
            backup_file=asked.backup_file,
        )


class _Schema:
    def __init__(self, module: AnsibleModule, server: _connection.Server | None) -> None:
        self.check_mode = module.check_mode
        self.params = module.params
        self.server = server
        self.names = _connection.names(module.params)
        given = module.params["client_idnr"]
        self.owner = owner_id(given) if given else None
        self.found = generations.generation_of(self.names, schema.Actual())
        self.backup_file = ""
        self.step = ""  # that is being done

    def converge(self) -> list[schema.Step]:
        if self.server is None:
            return schema.steps(self.names, schema.Actual())
        done: list[schema.Step] = []
        try:
            self.server.settle(lambda cursor: self._advance(cursor, done))
        except Exception as error:
            # Also what would be a bug elsewhere: tables can be of any kind here.
            reason = _connection.refusal(error)
            if not self.step or not reason:
                raise
            raise StepRefused(self.step, reason, self.backup_file) from None
        return done

    def _advance(self, cursor: t.Any, done: list[schema.Step]) -> list[schema.Step]:
        """One pass; what an interrupted pass has done is there already and stays reported."""
        self.step = ""
        actual = inspect(cursor, self.names)
        absent = sorted({self.names.dovecot, self.names.postfix} - actual.databases)
        if absent and not self.check_mode:
            raise MissingDatabase(absent)
        if schema.is_swapped(self.names, actual):
            raise Swapped(self.names.dovecot, self.names.postfix)
        if not done:
            self.found = generations.generation_of(self.names, actual)
        steps = self._steps(cursor, actual)
        if not self.check_mode:
            self._keep(cursor, actual, steps)
        for step in steps:
            if not self.check_mode:
                self.step = step.words
                for sql in step.sql:
                    cursor.execute(sql)
                cursor.execute("COMMIT")
                self.step = ""
            done.append(step)
        return steps

    def _steps(self, cursor: t.Any, actual: schema.Actual) -> list[schema.Step]:
        def ask(sql: str) -> t.Any:
            cursor.execute(sql)
            return cursor.fetchall()

        if self.params["state"] == "current":
            return migration.steps(self.names, actual, ask, self.owner)
        if self.params["state"] == "stock":
            return stock.steps(self.names, actual, ask)
        return schema.steps(self.names, actual)

    def _keep(self, cursor: t.Any, actual: schema.Actual, steps: list[schema.Step]) -> None:
        """What is about to be overwritten or taken away is in a file before.

        That of a pass that the server interrupted has the tables as they were, and is kept.
        """
        if self.backup_file or not self.params["backup"]:
            return
        if not any(step.destructive for step in steps):
            return
        text = partial(dump.dumped, cursor, self.names, actual)
        stamp = time.strftime("%Y-%m-%dT%H-%M-%S")
        path = os.path.join(self.params["backup_dir"], f"{stamp}-{os.getpid()}.sql")
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            private_file.write(path, (part.encode(*dump.ENCODING) for part in text()))
        except OSError as error:
            raise NoBackup(path, str(error)) from None
        cursor.execute("COMMIT")
        self.backup_file = path
