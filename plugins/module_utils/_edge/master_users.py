# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The master user of a task."""

from __future__ import annotations

import typing as t

from .. import _connection
from .._accounts import master_users, passwords, schema
from .._accounts.errors import SchemaNotReady
from .._accounts.store import inspect, lock
from . import refuse, reporting, server

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

OPTIONS: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "password": {"type": "str", "no_log": True},
    "password_hash": {"type": "str", "no_log": True},
    "password_scheme": {
        "type": "str",
        "choices": list(passwords.SCHEMES),
        "default": passwords.DEFAULT_SCHEME,
        "no_log": False,
    },
    "update_password": {
        "type": "str",
        "choices": ["always", "on_create"],
        "default": "always",
        "no_log": False,
    },
    "upgrade_scheme": {"type": "bool", "default": False, "no_log": False},
    "service": {"type": "str", "choices": list(master_users.SERVICES)},
}


def converge_master_user(module: AnsibleModule) -> None:
    """Bring the master user of a task to what it says, and end the module."""
    with reporting(module), server(module) as opened:
        wish, faults = master_users.parse(module.params, passwords.DEFAULT_SCHEME)
        refuse(faults)
        changes = _MasterUsers(module, opened, wish).converge()
        module.exit_json(
            changed=bool(changes),
            diff=master_users.diff(wish, changes),
            actions=[master_users.action(change) for change in changes],
            invocation={"module_args": {"name": wish.name}},
        )


class _MasterUsers:
    def __init__(
        self, module: AnsibleModule, server: _connection.Server | None, wish: master_users.Wish
    ) -> None:
        self.check_mode = module.check_mode
        self.server = server
        self.names = _connection.names(module.params)
        self.keyring = passwords.Keyring(upgrade=module.params["upgrade_scheme"])
        self.wish = wish

    def converge(self) -> list[master_users.Change]:
        if self.server is None:
            return self._judged(master_users.Found())
        changes = self.server.settle(lambda cursor: self._judged(self._read(cursor)))
        if not changes or self.check_mode:
            return changes
        master_users.prepare(changes, self.keyring)
        return self.server.settle(self._written)

    def _read(self, cursor: t.Any, locked: bool = False) -> master_users.Found:
        actual = inspect(cursor, self.names)
        absent = schema.missing(self.names, actual, master_users.NEEDED)
        if absent and self.check_mode:
            return master_users.Found()
        if absent:
            raise SchemaNotReady(absent)
        return master_users.SqlMasterUsers(cursor, self.names, actual).load(self.wish, locked)

    def _judged(self, found: master_users.Found) -> list[master_users.Change]:
        changes = master_users.plan(found, self.wish, self.keyring)
        refuse(master_users.faults(self.names, found, self.wish, changes))
        return changes

    def _written(self, cursor: t.Any) -> list[master_users.Change]:
        lock(cursor, self.names)
        changes = self._judged(self._read(cursor, locked=True))
        store = master_users.SqlMasterUsers(cursor, self.names, schema.Actual())
        store.apply(changes, self.keyring)
        return changes
