# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The accounts that are there, as a task asks for them."""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import shutil
import sys
import tempfile
import typing as t
from dataclasses import dataclass

from .. import _connection
from .._accounts import info
from .._accounts.errors import Invalid
from .._accounts.store import NOW, chunks, inspect
from . import reporting, server

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

_LIST: dict[str, t.Any] = {"type": "list", "elements": "str"}
OPTIONS: dict[str, t.Any] = {
    "address": _LIST,
    "username": _LIST,
    "userid": _LIST,
    "alias": _LIST,
    "domain": _LIST,
    "client_idnr": _LIST,
    "status": {**_LIST, "choices": list(info.STATUSES)},
    "over_quota_percent": {"type": "float"},
    "fields": {**_LIST, "choices": list(info.FIELDS), "default": list(info.FIELDS)},
    "limit": {"type": "int"},
    "summary_only": {"type": "bool", "default": False},
    "destination_is_username": {"type": "bool", "default": False},
}
# All statements see one moment, and no row is locked.
SNAPSHOT = (
    "ROLLBACK",
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)


def tell_accounts(module: AnsibleModule) -> None:
    """Tell the accounts that a task asks for, and end the module."""
    with reporting(module), server(module) as opened:
        survey = _Survey(module)
        told = opened.settle(survey.told) if opened else _Told(info.Summary(), [], _spool())
        _exit(module, told)


@dataclass
class _Told:
    """The counts, what the tables lack, and a file with the accounts as JSON, comma separated."""

    summary: info.Summary
    absent: list[str]
    accounts: t.IO[str]

    def __len__(self) -> int:
        return self.summary.accounts


def _spool() -> t.IO[str]:
    """A nameless file: a hundred thousand accounts are a hundred megabytes of JSON."""
    return tempfile.TemporaryFile("w+", encoding="ascii")


class _Survey:
    def __init__(self, module: AnsibleModule) -> None:
        params = module.params
        self.check_mode = module.check_mode
        self.names = _connection.names(params)
        self.question = info.question(params)
        asked = {*info.ALWAYS, *(() if params["summary_only"] else params["fields"])}
        self.fields = [name for name in info.FIELDS if name in asked]
        self.by_username = params["destination_is_username"]
        self.limit = 0 if params["summary_only"] else _limit(params["limit"])

    def told(self, cursor: t.Any) -> _Told:
        """One reading, in one snapshot."""
        tables = info.Tables(self.names, inspect(cursor, self.names))
        told = _Told(info.Summary(), tables.absent(), _spool())
        if tables.accounts():
            self._read(cursor, tables, told)
        elif not self.check_mode:
            raise info.NothingToRead(self.names)
        return told

    def _read(self, cursor: t.Any, tables: info.Tables, told: _Told) -> None:
        for statement in SNAPSHOT:
            cursor.execute(statement)
        cursor.execute(NOW)
        ((now,),) = cursor.fetchall()
        reader = info.Reader(cursor, tables, self.fields)
        words = info.Words(now, tables, self.fields, self.by_username)
        for userids in chunks(reader.userids(self.question), info.PORTION):
            for person in reader.people(userids, self._wanted(told)):
                if self.question.admits(person):
                    self._tell(person, words, told)

    def _wanted(self, told: _Told) -> bool:
        """Whether the next account is told, or only counted."""
        return self.limit is None or len(told) < self.limit

    def _tell(self, person: info.Person, words: info.Words, told: _Told) -> None:
        if self._wanted(told):
            text = json.dumps(words.told(person))
            told.accounts.write(f",{text}" if len(told) else text)
        told.summary.add(person, words.now)


def _limit(given: int | None) -> int | None:
    if given is not None and given < 1:
        raise Invalid(given, "is not a limit: expected 1 or more, or summary_only.")
    return given


def _exit(module: AnsibleModule, told: _Told) -> t.NoReturn:
    """End the module as always, with the accounts copied into its answer.

    exit_json would need each account as a dictionary, and copies all of them once more in search
    of secrets: ten times the memory. There are no secrets in what was read.
    """
    place = secrets.token_hex(16)
    answer = io.StringIO()
    with contextlib.redirect_stdout(answer), contextlib.suppress(SystemExit):
        module.exit_json(
            changed=False,
            accounts=place,
            summary=told.summary.told(),
            absent=told.absent,
            invocation={},
        )
    before, after = answer.getvalue().split(json.dumps(place))
    told.accounts.seek(0)
    sys.stdout.write(f"{before}[")
    shutil.copyfileobj(told.accounts, sys.stdout)
    sys.stdout.write(f"]{after}")
    raise SystemExit(0)
