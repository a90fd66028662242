# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosted domains of a task."""

from __future__ import annotations

import typing as t

from .. import _connection
from .._accounts import domains as domains_
from .._accounts import schema, wanted
from .._accounts.errors import SchemaNotReady
from .._accounts.store import inspect, lock
from . import refuse, reporting, server

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def converge_domains(module: AnsibleModule) -> None:
    """Bring the table of hosted domains to what the task says, and end the module."""
    params = module.params
    with reporting(module), server(module) as opened:
        refuse(wanted.domain_faults(params["name"]))
        domains_.instance_name(params["instancename"])
        wish = domains_.Wish(
            tuple(wanted.hosted_domain(name) for name in params["name"]),
            params["state"] == "present",
            params["instancename"],
        )
        changes = _Domains(module, opened).converge(wish)
        module.exit_json(
            changed=bool(changes),
            diff=domains_.diff(changes),
            actions=[change.words() for change in changes],
        )


class _Domains:
    def __init__(self, module: AnsibleModule, server: _connection.Server | None) -> None:
        self.check_mode = module.check_mode
        self.server = server
        self.names = _connection.names(module.params)

    def converge(self, wish: domains_.Wish) -> list[domains_.Change]:
        if self.server is None:
            return domains_.plan({}, wish)
        changes = self.server.settle(lambda cursor: self._judged(cursor, wish))
        if not changes or self.check_mode:
            return changes
        return self.server.settle(lambda cursor: self._written(cursor, wish))

    def _judged(self, cursor: t.Any, wish: domains_.Wish) -> list[domains_.Change]:
        absent = schema.missing(self.names, inspect(cursor, self.names), domains_.NEEDED)
        if absent and self.check_mode:
            return domains_.plan({}, wish)
        if absent:
            raise SchemaNotReady(absent)
        store = domains_.SqlDomains(cursor, self.names)
        changes = domains_.plan(store.load(wish), wish)
        refuse(store.in_use(changes))
        return changes

    def _written(self, cursor: t.Any, wish: domains_.Wish) -> list[domains_.Change]:
        lock(cursor, self.names)
        changes = self._judged(cursor, wish)
        domains_.SqlDomains(cursor, self.names).apply(changes)
        return changes
