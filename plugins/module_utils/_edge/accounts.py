# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The accounts of a task."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import typing as t
from datetime import datetime, timezone

from .. import _connection
from .._accounts import passwords, report, unchanged, wanted
from .._accounts.collisions import collisions, home_faults, new_homes
from .._accounts.errors import MailhostError, SchemaNotReady
from .._accounts.plan import Change, Directory, found, proposals
from .._accounts.prune import Limit, leftovers
from .._accounts.sessions import sessions_to_end
from .._accounts.shape import Shape
from .._accounts.store import SqlStore, inspect, lock
from .._accounts.verified import Memory
from .._accounts.writing import secrets_of, together
from . import refuse, reporting, server

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

STATE = "/var/lib/groupware-mailserver"
MEMORY = f"{STATE}/verified-passwords"
UNCHANGED = f"{STATE}/unchanged-accounts"
BARE = 8  # readings, in about two seconds, after which an account has no destinations indeed
LARGE = 1 << 16  # bytes of a wish from which on it is worth asking whether anything has changed

_SCHEME = {"type": "str", "choices": list(passwords.SCHEMES), "no_log": False}
ACCOUNT: dict[str, t.Any] = {
    "address": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "username": {"type": "str"},
    "login_name": {"type": "str"},
    "userid": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "password_hash": {"type": "str", "no_log": True},
    "password_scheme": _SCHEME,
    "update_password": {
        "type": "str",
        "choices": ["always", "on_create"],
        "default": "always",
        "no_log": False,
    },
    "quota": {"type": "raw"},
    "quota_messages": {"type": "raw"},
    "quota_sieve": {"type": "raw"},
    "quota_sieve_scripts": {"type": "raw"},
    "uid": {"type": "str"},
    "gid": {"type": "str"},
    "home": {"type": "str"},
    "move_mail": {"type": "bool", "default": False},
    "aliases": {"type": "list", "elements": "raw"},
    "forwards": {"type": "list", "elements": "str"},
    "forward_only": {"type": "bool"},
    "status": {"type": "str", "choices": list(wanted.STATUSES)},
    "expires": {"type": "str"},
    "reuse_mail": {"type": "bool", "default": False},
    "adopt": {"type": "bool", "default": False},
}
BULK: dict[str, t.Any] = {
    "uid": {"type": "str", "default": wanted.Defaults.uid},
    "gid": {"type": "str", "default": wanted.Defaults.gid},
    "default_quota": {"type": "raw", "default": 0},
    "default_status": {
        "type": "str",
        "choices": list(wanted.STATUSES),
        "default": wanted.ENABLED,
    },
    "default_password_scheme": {**_SCHEME, "default": passwords.DEFAULT_SCHEME},
    "prune": {"type": "bool", "default": False},
    "prune_limit": {"type": "str", "default": "5"},
    "transaction_size": {"type": "int", "default": 0},
}
SHARED: dict[str, t.Any] = {
    "client_idnr": {"type": "str", "default": wanted.OWNER},
    "home_template": {"type": "str", "default": wanted.Defaults.home},
    "instance": {"type": "str"},
    "imap_domain": {"type": "str"},
    "account_name_destination": {"type": "bool", "default": True},
    "destination_is_username": {"type": "bool", "default": False},
    "upgrade_scheme": {"type": "bool", "default": False, "no_log": False},
    "known_domains": {"type": "list", "elements": "str", "default": []},
    "show_queries": {"type": "bool", "default": False},
}


ALIAS: dict[str, t.Any] = {
    "account": {"type": "str", "required": True},
    "aliases": {"type": "list", "elements": "str", "default": []},
    "forwards": {"type": "list", "elements": "str", "default": []},
    "dispatch_address": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "adopt": {"type": "bool", "default": False},
    **{
        name: SHARED[name]
        for name in (
            *("client_idnr", "account_name_destination", "destination_is_username"),
            *("known_domains", "show_queries"),
        )
    },
}


def converge_accounts(module: AnsibleModule, entries: t.Iterable[t.Any], what: str) -> None:
    """Bring the accounts of these entries to what they say, and end the module."""
    with _nothing_collected(), reporting(module), server(module) as opened:
        run = _Accounts(module, opened)
        known = run.recall(entries)
        if known is not None:
            _finish(module, run, [], known)
        wishes, faults = wanted.parse(entries, what, _scheme(module.params))
        refuse(faults)
        _end(module, run, wishes)


@contextlib.contextmanager
def _nothing_collected() -> t.Iterator[None]:
    """A run makes millions of values that live to its end: looking for cycles took a quarter."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def converge_alias(module: AnsibleModule) -> None:
    """Bring single aliases and forwards of an account to what the task says, and end the module."""
    with reporting(module), server(module) as opened:
        wishes, faults = wanted.edit_of(module.params)
        refuse(faults)
        _end(module, _Accounts(module, opened), wishes)


def _end(module: AnsibleModule, run: _Accounts, wishes: list[wanted.Wanted]) -> None:
    """Do it and end the module; what was written before a failure is told with the failure."""
    try:
        changes = run.converge(wishes)
    except Unfinished as error:
        module.fail_json(
            msg=str(error),
            changed=True,
            actions=report.actions(error.changes),
            sessions_to_end=sessions_to_end(error.changes, _now()),
            mail_to_move=report.mail_to_move(error.changes),
            invocation={},
        )
    _finish(module, run, changes, len(wishes))


def _now() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


def _finish(
    module: AnsibleModule, run: _Accounts, changes: t.Sequence[Change], wishes: int
) -> None:
    """End the module."""
    extra = {}
    if module.params["show_queries"]:
        extra["queries"] = report.queries(run.names, run.shape, changes)
    module.exit_json(
        changed=bool(changes),
        diff=report.diff(changes),
        counts=report.summary(changes, wishes),
        actions=report.actions(changes),
        sessions_to_end=sessions_to_end(changes, _now()),
        mail_to_move=report.mail_to_move(changes),
        invocation={"module_args": {"accounts": f"{wishes} accounts"}},
        **extra,
    )


def _scheme(params: t.Mapping[str, t.Any]) -> str:
    return params.get("default_password_scheme") or passwords.DEFAULT_SCHEME


class _Accounts:
    """One run over the accounts: read, plan, check; then lock, read, plan, check, write."""

    def __init__(self, module: AnsibleModule, opened: _connection.Server | None) -> None:
        self.params = module.params
        self.check_mode = module.check_mode
        self.server = opened
        self.names = _connection.names(module.params)
        self.shape = Shape()
        self.defaults = _defaults(module.params)
        self.keyring = passwords.Keyring(
            upgrade=bool(module.params.get("upgrade_scheme")), memory=Memory.load(MEMORY)
        )
        self.record = unchanged.Record(UNCHANGED, _place(module.params))
        self.wish: bytes | None = None  # the digest of a large one
        self.plans: dict[int, list[Change]] = {}  # by what was read and asked
        self.bare: dict[str, int] = {}  # userid: how often it was seen without destinations
        self.limit = Limit.parse(module.params.get("prune_limit") or "0")

    def recall(self, entries: t.Any) -> int | None:
        """How many accounts it is where earlier runs tell that there is nothing to do."""
        if self.server is None or not hasattr(entries, "raw"):
            return None
        total, size = hashlib.sha512(), 0
        for piece in entries.raw():
            total.update(piece)
            size += len(piece)
        if size < LARGE:
            return None
        options = {name: self.params[name] for name in self.params if _decides(name)}
        self.wish = unchanged.wish_digest(total.digest(), options)
        note = self.record.known(self.wish)
        if note and self.server.settle(self._tables).hex() == note.tables:
            return note.accounts
        return None

    def _tables(self, cursor: t.Any) -> bytes:
        """The digest of the tables; empty where there are none yet."""
        store = SqlStore(cursor, self.names, inspect(cursor, self.names))
        return unchanged.tables_digest(cursor, self.names, store.shape) if store.ready else b""

    def converge(self, wishes: list[wanted.Wanted]) -> list[Change]:
        """What was changed, or would be in check mode."""
        changes = self._planned(wishes)
        if self.server and not self.check_mode:
            if changes:
                self.keyring.prepare(secrets_of(changes))
                changes = self._written(self.server, changes)
            self.keyring.remember()
        return changes

    def _planned(self, wishes: list[wanted.Wanted]) -> list[Change]:
        """What is to be done, decided without any lock; verifies passwords on the way."""
        if self.server is None:
            return self._thought(None, Directory(), wishes)
        return self.server.settle(lambda cursor: self._decided(cursor, wishes))

    def _decided(self, cursor: t.Any, wishes: list[wanted.Wanted]) -> list[Change]:
        # One moment for all that is read, or what another run has just made stands in its own way.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        changes = self._compared(cursor, wishes)
        if self.wish and not changes and not self.check_mode:
            self.record.note(self.wish, self._tables(cursor), len(wishes))
        return changes

    def _compared(self, cursor: t.Any, wishes: list[wanted.Wanted]) -> list[Change]:
        store = self._store(cursor)
        if store is None:
            return self._thought(None, Directory(), wishes)
        if self.params.get("prune"):
            owned = store.owned(self.defaults.owner)
            candidates = leftovers(owned, wishes)
            current = store.load([*wishes, *candidates])
            met = {account.username for _want, account in found(current, wishes) if account}
            pruned = [want for want in candidates if want.username not in met]
            kept = any(want.present for want in wishes)
            refuse(self.limit.faults(pruned, len(owned), kept))
        else:
            current, pruned = store.load(wishes), []
        self.keyring.verify(self._claims(current, wishes))
        every = [*wishes, *pruned]
        changes = self._thought(store, current, every)
        if len(changes) == len(every):  # these very wishes are asked again under the lock
            self.plans[_question(current, every)] = changes
        return changes

    def _store(self, cursor: t.Any) -> SqlStore | None:
        """The tables; None where check mode finds a host that will only get them."""
        store = SqlStore(cursor, self.names, inspect(cursor, self.names))
        if not store.ready and not self.check_mode:
            raise SchemaNotReady(store.lacking)
        self.shape = store.shape
        return store if store.ready else None

    def _claims(self, current: Directory, wishes: list[wanted.Wanted]) -> t.Iterator[t.Any]:
        """Passwords in clear that are to be compared with what is stored."""
        for want, account in found(current, wishes):
            secret = None if want.password_on_create_only else want.secret
            if account and want.present and secret and secret.plain is not None:
                yield account.userid, secret, [str(row.password) for row in account.rows()]

    def _judged(
        self, store: SqlStore, current: Directory, wishes: t.Sequence[wanted.Wanted], written: int
    ) -> list[Change]:
        """What is to be done; a second reading that finds the same needs no second thought."""
        question = _question(current, wishes)
        if question not in self.plans:
            self.plans[question] = self._thought(store, current, wishes, written)
        return self.plans[question]

    def _thought(
        self,
        store: SqlStore | None,
        current: Directory,
        wishes: t.Sequence[wanted.Wanted],
        written: int = 0,
    ) -> list[Change]:
        """What is to be done; written tells how many changes of this run stand already."""
        if self.check_mode:
            current = current.hosting(self.params["known_domains"])
        every = proposals(current, wishes, self.defaults, self.keyring)
        faults = collisions(current, every, self.defaults)
        changes = [change for change in every if change.before != change.after]
        elsewhere = store.at_home(new_homes(changes)) if store else []
        faults += home_faults(changes, elsewhere)
        refuse(faults + list(_homes_in_use(every)), written)
        return changes

    def _written(self, opened: _connection.Server, changes: t.Sequence[Change]) -> list[Change]:
        size = self.params.get("transaction_size") or 0
        done: list[Change] = []
        for portion in together(changes, size):
            wishes = [change.want for change in portion]
            try:
                done += opened.settle(self._transaction(wishes, len(done)))
            except MailhostError as error:
                if done:
                    raise Unfinished(error, done) from None
                raise
        place = {id(change.want): number for number, change in enumerate(changes)}
        return sorted(done, key=lambda change: place[id(change.want)])

    def _transaction(
        self, wishes: t.Sequence[wanted.Wanted], written: int
    ) -> t.Callable[[t.Any], list[Change]]:
        """Lock, read, decide and write; before it, so many changes are written already."""

        def attempt(cursor: t.Any) -> list[Change]:
            lock(cursor, self.names)
            store = SqlStore(cursor, self.names, inspect(cursor, self.names))
            if not store.ready:
                raise SchemaNotReady(store.lacking)
            changes = self._judged(store, store.load(wishes, locked=True), wishes, written)
            if self._in_a_save(changes):
                raise _connection.overtaken("somebody is saving an account")
            store.apply(changes, self.keyring.hashed)
            return changes

        return attempt

    def _in_a_save(self, changes: t.Iterable[Change]) -> bool:
        """Whether somebody may be about to write the destinations that these add.

        Who saves an account without a transaction deletes its destinations and inserts them again.
        Ours would stand in the way in between; whoever stays without any gets them.
        """
        bare = [
            change.before.userid
            for change in changes
            if change.before and change.before.smtp and not change.before.destinations
            if change.after and change.after.destinations
        ]
        for userid in bare:
            self.bare[userid] = self.bare.get(userid, 0) + 1
        return any(self.bare[userid] < BARE for userid in bare)


class Unfinished(MailhostError):
    """A portion failed after others had been written; what those changed must not be lost."""

    def __init__(self, error: MailhostError, changes: t.Sequence[Change]) -> None:
        super().__init__(f"{error} Before that, {len(changes)} accounts were written.")
        self.changes = list(changes)


def _question(current: Directory, wishes: t.Iterable[wanted.Wanted]) -> int:
    """Equal for the same wishes after readings that found the same."""
    return hash((current.fingerprint(), tuple(map(id, wishes))))


def _decides(option: str) -> bool:
    """Whether a plan depends on this option; the accounts themselves are counted apart."""
    return option not in ("accounts", "src", "_copies", "show_queries", "login_password")


def _place(params: t.Mapping[str, t.Any]) -> str:
    """Whose accounts on which server."""
    names = ("login_host", "login_port", "login_unix_socket", "dovecot_database")
    return repr([params[name] for name in (*names, "postfix_database", "client_idnr")])


def _defaults(params: t.Mapping[str, t.Any]) -> wanted.Defaults:
    """The options that are for all accounts; everything that is wrong with them is told at once."""
    said = _Options(params)
    found = wanted.Defaults(
        owner=said.read("client_idnr", wanted.owner_id, wanted.OWNER),
        home=said.read("home_template", wanted.home_template, wanted.Defaults.home),
        uid=said.read("uid", wanted.system_name, wanted.Defaults.uid),
        gid=said.read("gid", wanted.system_name, wanted.Defaults.gid),
        quota=said.read("default_quota", wanted.mebibytes, 0),
        status=params.get("default_status") or wanted.ENABLED,
        instance=said.read("instance", wanted.instance_name, None),
        imap_domain=said.read("imap_domain", wanted.imap_domain, None),
        account_name_destination=params["account_name_destination"],
        destination_is_username=params["destination_is_username"],
    )
    said.read("prune_limit", Limit.parse, None)
    if (params.get("transaction_size") or 0) < 0:
        said.faults.append("transaction_size: expected a number of accounts, or 0 for all of them.")
    refuse(said.faults)
    return found


class _Options:
    """Options of a task being read; collects what is wrong with them."""

    def __init__(self, params: t.Mapping[str, t.Any]) -> None:
        self.params = params
        self.faults: list[str] = []

    def read(self, name: str, parse: t.Callable[[object], t.Any], default: t.Any) -> t.Any:
        """What an option says, or the default where it says nothing or something wrong."""
        given = self.params.get(name)
        if given is None or (given == "" and default is None):
            return default
        try:
            return parse(given)
        except MailhostError as fault:
            self.faults.append(f"{name}: {fault}")
            return default


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
