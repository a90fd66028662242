# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The accounts of a task."""

from __future__ import annotations

import os
import typing as t

from .. import _connection
from .._accounts import passwords, report, schema, wanted
from .._accounts.collisions import collisions
from .._accounts.errors import SchemaNotReady
from .._accounts.plan import Change, Directory, proposals
from .._accounts.store import SqlStore, inspect, lock, secrets_of, together
from . import refuse, reporting, server

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ACCOUNT: dict[str, t.Any] = {
    "address": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "password_hash": {"type": "str", "no_log": True},
    "password_scheme": {"type": "str", "choices": list(passwords.SCHEMES), "no_log": False},
    "update_password": {
        "type": "str",
        "choices": ["always", "on_create"],
        "default": "always",
        "no_log": False,
    },
    "quota": {"type": "raw"},
    "aliases": {"type": "list", "elements": "raw"},
    "forwards": {"type": "list", "elements": "str"},
    "forward_only": {"type": "bool"},
    "reuse_mail": {"type": "bool", "default": False},
}
BULK: dict[str, t.Any] = {
    "default_quota": {"type": "raw", "default": 0},
    "default_password_scheme": {
        "type": "str",
        "choices": list(passwords.SCHEMES),
        "default": passwords.DEFAULT_SCHEME,
        "no_log": False,
    },
    "transaction_size": {"type": "int", "default": 0},
}
NEW_ACCOUNTS: dict[str, t.Any] = {
    "client_idnr": {"type": "str", "default": wanted.OWNER},
    "home_template": {"type": "str", "default": "/var/vmail/%d/%n"},
    "uid": {"type": "str", "default": "vmail"},
    "gid": {"type": "str", "default": "vmail"},
    "known_domains": {"type": "list", "elements": "str", "default": []},
    "show_queries": {"type": "bool", "default": False},
}


def converge_accounts(
    module: AnsibleModule, entries: t.Sequence[t.Mapping[str, t.Any]], what: str
) -> None:
    """Bring the accounts of these entries to what they say, and end the module."""
    with reporting(module), server(module) as opened:
        changes, count = _Accounts(module, opened).converge(entries, what)
        extra = {}
        if module.params["show_queries"]:
            extra["queries"] = report.queries(_connection.names(module.params), changes)
        module.exit_json(
            changed=bool(changes),
            diff=report.diff(changes),
            counts=report.summary(changes, count),
            actions=report.actions(changes),
            invocation={"module_args": {"accounts": f"{count} accounts"}},
            **extra,
        )


class _Accounts:
    """One run over the accounts: read, plan, check; then lock, read, plan, check, write."""

    def __init__(self, module: AnsibleModule, server: _connection.Server | None) -> None:
        self.params = module.params
        self.check_mode = module.check_mode
        self.server = server
        self.names = _connection.names(module.params)
        self.keyring = passwords.Keyring()
        self.defaults = wanted.Defaults()

    def converge(
        self, entries: t.Sequence[t.Mapping[str, t.Any]], what: str
    ) -> tuple[list[Change], int]:
        self.defaults = _defaults(self.params)
        scheme = self.params.get("default_password_scheme") or passwords.DEFAULT_SCHEME
        wishes, faults = wanted.parse(entries, what, scheme)
        refuse(faults)
        changes = self._planned(wishes)
        if changes and self.server and not self.check_mode:
            self._prepare(changes)
            changes = self._written(self.server, changes)
        return changes, len(wishes)

    def _planned(self, wishes: t.Sequence[wanted.Wanted]) -> list[Change]:
        """What is to be done, decided without any lock; verifies passwords on the way."""
        if self.server is None:
            return self._judged(Directory(), wishes)
        return self.server.settle(lambda cursor: self._judged(self._read(cursor, wishes), wishes))

    def _read(
        self, cursor: t.Any, wishes: t.Sequence[wanted.Wanted], locked: bool = False
    ) -> Directory:
        store = SqlStore(cursor, self.names, inspect(cursor, self.names))
        if store.ready:
            return store.load(wishes, locked)
        if self.check_mode:
            return Directory()
        raise SchemaNotReady(schema.missing(self.names, store.actual))

    def _judged(
        self, current: Directory, wishes: t.Sequence[wanted.Wanted], written: int = 0
    ) -> list[Change]:
        if self.check_mode:
            current = current.hosting(self.params["known_domains"])
        every = proposals(current, wishes, self.defaults, self.keyring)
        faults = collisions(current, every, self.defaults)
        refuse(faults + list(_homes_in_use(every)), written)
        return [change for change in every if change.before != change.after]

    def _prepare(self, changes: t.Sequence[Change]) -> None:
        """Hash what is new before any lock is held."""
        self.keyring.prepare(secrets_of(changes))

    def _written(self, server: _connection.Server, changes: t.Sequence[Change]) -> list[Change]:
        size = self.params.get("transaction_size") or 0
        done: list[Change] = []
        for portion in together(changes, size):
            wishes = [change.want for change in portion]
            done += server.settle(self._transaction(wishes, len(done)))
        return done

    def _transaction(
        self, wishes: t.Sequence[wanted.Wanted], written: int
    ) -> t.Callable[[t.Any], list[Change]]:
        """Lock, read, decide and write; before it, so many changes are written already."""

        def attempt(cursor: t.Any) -> list[Change]:
            lock(cursor, self.names)
            current = self._read(cursor, wishes, locked=True)
            changes = self._judged(current, wishes, written)
            store = SqlStore(cursor, self.names, schema.Actual())
            store.apply(changes, self.keyring.hashed)
            return changes

        return attempt


def _defaults(params: t.Mapping[str, t.Any]) -> wanted.Defaults:
    return wanted.Defaults(
        owner=wanted.owner_id(params["client_idnr"]),
        home=wanted.home_template(params["home_template"]),
        uid=wanted.system_name(params["uid"]),
        gid=wanted.system_name(params["gid"]),
        quota=wanted.mebibytes(params.get("default_quota") or 0),
    )


def _homes_in_use(changes: t.Iterable[Change]) -> t.Iterator[str]:
    """New accounts over the mail of somebody else (seen only where the mail is on this host)."""
    for change in changes:
        row = change.after.imap if change.after and not change.before else None
        if row and row.home and not change.want.reuse_mail and _holds_mail(row.home):
            yield (
                f"{change.want.label}: its home {row.home} already holds mail: move the mail "
                "away, or say reuse_mail: true if the account is to have it."
            )


def _holds_mail(path: str) -> bool:
    return any(files for _directory, _directories, files in os.walk(path))
