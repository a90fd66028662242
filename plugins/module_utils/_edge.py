# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge: the only place that knows module parameters, check mode and how a module ends."""

from __future__ import annotations

import contextlib
import os
import traceback
import typing as t

from ansible.module_utils.basic import missing_required_lib

from . import _connection
from ._accounts import domains as domains_
from ._accounts import passwords, report, schema, wanted
from ._accounts.collisions import collisions
from ._accounts.errors import (
    MailhostError,
    MissingDatabase,
    MissingLibrary,
    Refused,
    SchemaNotReady,
)
from ._accounts.plan import Change, Directory, proposals
from ._accounts.store import SqlStore, inspect, lock, secrets_of, together

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


@contextlib.contextmanager
def reporting(module: AnsibleModule) -> t.Iterator[None]:
    """Turn what a person can mend into the module's failure; anything else is a bug and shows."""
    try:
        yield
    except MissingLibrary as error:
        module.fail_json(msg=f"{error} {missing_required_lib(error.library)}", invocation={})
    except Refused as error:
        module.fail_json(msg=str(error), faults=error.faults, invocation={})
    except MailhostError as error:
        module.fail_json(msg=str(error), invocation={})


def refuse(faults: t.Sequence[str], written: int = 0) -> None:
    if faults:
        raise Refused(faults, written)


@contextlib.contextmanager
def _server(module: AnsibleModule) -> t.Iterator[_connection.Server | None]:
    """The server, or None where check mode finds a host that will only get one."""
    if module.check_mode and _connection.is_bare(module.params):
        yield None
        return
    if _connection.pymysql is None:
        module.fail_json(
            msg=missing_required_lib("PyMySQL"), exception=traceback.format_exc(), invocation={}
        )
    server = _connection.Server(module.params)
    server.reach()
    try:
        yield server
    finally:
        server.close()


# ---- accounts


def converge_accounts(
    module: AnsibleModule, entries: t.Sequence[t.Mapping[str, t.Any]], what: str
) -> None:
    """Bring the accounts of these entries to what they say, and end the module."""
    with reporting(module), _server(module) as server:
        changes, count = _Accounts(module, server).converge(entries, what)
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


# ---- domains


def converge_domains(module: AnsibleModule) -> None:
    """Bring the table of hosted domains to what the task says, and end the module."""
    params = module.params
    with reporting(module), _server(module) as server:
        refuse(wanted.domain_faults(params["name"]))
        domains_.instance_name(params["instancename"])
        wish = domains_.Wish(
            tuple(wanted.hosted_domain(name) for name in params["name"]),
            params["state"] == "present",
            params["instancename"],
        )
        changes = _Domains(module, server).converge(wish)
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
        absent = schema.missing(self.names, inspect(cursor, self.names))
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


# ---- schema


def converge_schema(module: AnsibleModule) -> None:
    """Create what is missing of the tables, and end the module."""
    with reporting(module), _server(module) as server:
        steps = _Schema(module, server).converge()
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
