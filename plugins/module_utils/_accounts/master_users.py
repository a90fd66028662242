# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Master users of Dovecot, who open the mailbox of anybody: the rows of dovecot_master_users."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from .errors import Invalid, MailhostError, shown
from .model import Password, Secret, fold, text_of
from .passwords import clear_password, known_scheme, ready_hash, stored_length, suits
from .schema import Actual, Names, quoted
from .store import Cursor

TABLE = "dovecot_master_users"
COLUMNS = ("username", "password", "service")
NEEDED = {TABLE: COLUMNS, "mailserver_lock": ("id",)}
NAME_LENGTH = 80  # dovecot_master_users.username
SERVICES = ("sieve", "all")
LEAST = "sieve"  # the column's own default, and the least that there is

# What is in every auth_username_chars. No @: mailboxes are named local@domain, so that no later
# account can take the name of a master user. No *: it separates the two names of a login.
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
# tine makes such a row for each of its ManageSieve logins, and deletes it afterwards.
_OF_TINE = re.compile(r"[0-9a-f]{8}")

SELECT = "SELECT username, password, service FROM {table} WHERE username = %s"
MAILBOX = "SELECT username FROM {table} WHERE {column} = %s LIMIT 1"
INSERT = "INSERT INTO {table} (username, password, service) VALUES (%s, %s, %s)"
UPDATE = "UPDATE {table} SET password = %s, service = %s WHERE username = %s"
DELETE = "DELETE FROM {table} WHERE username = %s"


class Keys(Protocol):
    """What is used of a keyring."""

    def holds(self, secret: Secret, stored: str) -> bool: ...
    def hashed(self, userid: str, table: str, secret: Secret) -> str: ...


@dataclass(frozen=True)
class Wish:
    """What is wished of one master user. None means not said, and what is not said is kept."""

    name: str
    present: bool = True
    secret: Secret | None = None
    password_on_create_only: bool = False
    service: str | None = None


@dataclass(frozen=True)
class MasterUser:
    """One row; a service of NULL lets the master user in nowhere."""

    name: str
    password: Password
    service: str | None


@dataclass(frozen=True)
class Found:
    """What the database says about a name."""

    row: MasterUser | None = None
    mailbox: str | None = None  # the username of the mailbox that has this name as well
    length: int | None = None  # of the password column
    service_type: str = ""  # of the service column

    def takes(self, service: str) -> bool:
        return not self.service_type or f"'{service}'" in self.service_type


@dataclass(frozen=True)
class Change:
    """One master user before and after; none is None."""

    before: MasterUser | None
    after: MasterUser | None


def new_name(given: object) -> str:
    """The name of a master user that is to be, in lower case as Dovecot makes every login."""
    text = text_of(given, "the name of a master user")
    name = text.lower()
    if not _NAME.fullmatch(name):
        raise Invalid(
            text,
            "is not the name of a master user: expected a letter or digit, then letters, digits, "
            "dots, hyphens and underscores, without the @ of mailboxes and the * that separates "
            "the names of a master login.",
        )
    if len(name) > NAME_LENGTH:
        raise Invalid(text, f"is too long: {len(name)} characters, at most {NAME_LENGTH}.")
    if _OF_TINE.fullmatch(name):
        raise Invalid(
            text,
            "looks like one of tine's own short-lived master users (8 hexadecimal digits), which "
            "tine deletes: take another name.",
        )
    return name


def known_name(given: object) -> str:
    """The name of a master user that is to go: whatever the column may hold."""
    text = text_of(given, "the name of a master user")
    if not text.strip() or len(text) > NAME_LENGTH or not text.isprintable():
        raise Invalid(text, f"is not a name: expected 1 to {NAME_LENGTH} printable characters.")
    return text


def parse(given: Mapping[str, Any], scheme: str) -> tuple[Wish, list[str]]:
    """The wish of a task, and a sentence for everything that is wrong with it."""
    faults: list[str] = []
    present = given["state"] == "present"

    def read(option: str, parser: Any) -> Any:
        try:
            return None if given.get(option) is None else parser(given[option])
        except MailhostError as fault:
            faults.append(f"master user {shown(given['name'])}: {option}: {fault}")
            return None

    name = read("name", new_name if present else known_name)
    plain, ready = read("password", clear_password), read("password_hash", ready_hash)
    wished = read("password_scheme", known_scheme) or scheme
    read("password", lambda _given: suits(plain or "", wished))
    secret = Secret(plain, ready, wished) if plain is not None or ready is not None else None
    only = given["update_password"] == "on_create"
    return Wish(name or "", present, secret, only, given["service"]), list(dict.fromkeys(faults))


def plan(found: Found, wish: Wish, keyring: Keys) -> list[Change]:
    """The change that brings the master user to what is wished, or none."""
    change = Change(found.row, _outcome(found.row, wish, keyring))
    return [change] if change.before != change.after else []


def _outcome(row: MasterUser | None, wish: Wish, keyring: Keys) -> MasterUser | None:
    if not wish.present:
        return None
    if row is None:
        return MasterUser(wish.name, wish.secret or "", wish.service or LEAST)
    return replace(
        row,
        service=wish.service or row.service,
        password=_password(row.password, wish, keyring),
    )


def _password(stored: Password, wish: Wish, keyring: Keys) -> Password:
    if wish.secret is None or wish.password_on_create_only or isinstance(stored, Secret):
        return stored
    return stored if keyring.holds(wish.secret, stored) else wish.secret


def faults(names: Names, found: Found, wish: Wish, changes: Sequence[Change]) -> list[str]:
    """A sentence for everything that keeps the wish from being fulfilled."""
    return [
        f"master user {shown(wish.name)}: {fault}"
        for fault in (*_name_faults(found, wish), *_value_faults(names, found, wish, changes))
    ]


def _name_faults(found: Found, wish: Wish) -> Iterator[str]:
    if wish.present and found.mailbox is not None:
        yield (
            f"the mailbox {shown(found.mailbox)} already is logged in to by this name: "
            "take another one."
        )


def _value_faults(
    names: Names, found: Found, wish: Wish, changes: Sequence[Change]
) -> Iterator[str]:
    place = f"{names.dovecot}.{TABLE}"
    for change in changes:
        if change.after is None:
            return
        if change.before is None and wish.secret is None:
            yield "a new one needs a password: give password or password_hash."
        secret = change.after.password
        needed = stored_length(secret) if isinstance(secret, Secret) else 0
        if found.length is not None and needed > found.length:
            yield (
                f"password: a hash of {needed} characters does not fit into {place}.password, "
                f"which holds {found.length}: run groupware.mailserver.mail_schema, which widens "
                "it, or take another password_scheme."
            )
        if change.after.service and not found.takes(change.after.service):
            yield (
                f"service: {place}.service is {found.service_type}, which cannot hold "
                f"{shown(change.after.service)}: bring the table to the form of tine 2023.11 first."
            )


def diff(wish: Wish, changes: Sequence[Change]) -> dict[str, str]:
    """Before and after as text; of the password only whether it is new."""
    header = f"master user {wish.name}"
    return {
        "before_header": header,
        "after_header": header,
        "before": "".join(_text(change.before) for change in changes),
        "after": "".join(_text(change.after) for change in changes),
    }


def _text(user: MasterUser | None) -> str:
    if user is None:
        return ""
    password = "(new)" if isinstance(user.password, Secret) else "(kept)"
    return f"{user.name}:\n  service: {user.service or 'none'}\n  password: {password}\n"


def action(change: Change) -> str:
    """The change in a sentence."""
    before, after = change.before, change.after
    if after is None:
        return f"remove master user {before.name if before else ''}"
    if before is None:
        return f"create master user {after.name} for {after.service}"
    words = ["new password"] if isinstance(after.password, Secret) else []
    if before.service != after.service:
        words.append(f"service {before.service or 'none'} -> {after.service}")
    return f"change master user {after.name}: {'; '.join(words)}"


class SqlMasterUsers:
    """The master users in their table."""

    def __init__(self, cursor: Cursor, names: Names, actual: Actual) -> None:
        self.cursor = cursor
        self.names = names
        self.actual = actual

    def load(self, wish: Wish, locked: bool = False) -> Found:
        """What the server takes for equal to this name, by the columns' own collations."""
        columns = self.actual.tables[(self.names.dovecot, TABLE)].columns
        return Found(
            row=self._row(wish.name, " FOR UPDATE" if locked else ""),
            mailbox=self._mailbox(wish.name) if wish.present else None,
            length=columns["password"].length,
            service_type=columns["service"].type,
        )

    def _asked(self, sql: str, name: str) -> Sequence[Any]:
        self.cursor.execute(sql, (name,))
        return self.cursor.fetchall()

    def _row(self, name: str, end: str) -> MasterUser | None:
        rows = self._asked(SELECT.format(table=self._table(TABLE)) + end, name)
        return next((MasterUser(*row) for row in rows), None)

    def _mailbox(self, name: str) -> str | None:
        there = self.actual.tables.get((self.names.dovecot, "dovecot_users"))
        columns = there.columns if there else {}
        for column in ("username", "loginname"):
            if column in columns and "username" in columns:
                sql = MAILBOX.format(table=self._table("dovecot_users"), column=column)
                for (username,) in self._asked(sql, name):
                    return str(username)
        return None

    def _table(self, name: str) -> str:
        return f"{quoted(self.names.dovecot)}.{quoted(name)}"

    def apply(self, changes: Sequence[Change], keyring: Keys) -> None:
        """Write the change; the caller commits."""
        for change in changes:
            self.cursor.execute(*self._statement(change, keyring))

    def _statement(self, change: Change, keyring: Keys) -> tuple[str, tuple[object, ...]]:
        table, before, after = self._table(TABLE), change.before, change.after
        if after is None:
            return DELETE.format(table=table), (before.name if before else "",)
        password = _stored(after, keyring)
        if before is None:
            return INSERT.format(table=table), (after.name, password, after.service)
        return UPDATE.format(table=table), (password, after.service, before.name)


def prepare(changes: Sequence[Change], keyring: Keys) -> None:
    """Hash what is new before any lock is held."""
    for change in changes:
        if change.after:
            _stored(change.after, keyring)


def _stored(user: MasterUser, keyring: Keys) -> str:
    if isinstance(user.password, Secret):
        return keyring.hashed(fold(user.name), TABLE, user.password)
    return user.password
