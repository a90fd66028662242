# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a task."""

from __future__ import annotations

import typing as t

from .. import _connection
from .._accounts import schema
from .._accounts.errors import MissingDatabase
from .._accounts.store import inspect
from . import reporting, server

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def converge_schema(module: AnsibleModule) -> None:
    """Create what is missing of the tables, and end the module."""
    with reporting(module), server(module) as opened:
        steps = _Schema(module, opened).converge()
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
            queries=[step.sql for step in steps],
        )


class _Schema:
    def __init__(self, module: AnsibleModule, server: _connection.Server | None) -> None:
        self.check_mode = module.check_mode
        self.server = server
        self.names = _connection.names(module.params)

    def converge(self) -> list[schema.Step]:
        if self.server is None:
            return schema.steps(self.names, schema.Actual())
        done: list[schema.Step] = []
        self.server.settle(lambda cursor: self._advance(cursor, done))
        return done

    def _advance(self, cursor: t.Any, done: list[schema.Step]) -> list[schema.Step]:
        """One pass; what an interrupted pass has done is there already and stays reported."""
        actual = inspect(cursor, self.names)
        absent = sorted({self.names.dovecot, self.names.postfix} - actual.databases)
        if absent and not self.check_mode:
            raise MissingDatabase(absent)
        steps = schema.steps(self.names, actual)
        for step in steps:
            if not self.check_mode:
                cursor.execute(step.sql)
            done.append(step)
        return steps
