# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong, worded for the person who reads the play."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

SHOWN = 100
# A value in an error of the server: 1062, 1265, 1292, 1366.
_QUOTED = re.compile(r"(value:?|entry) '.*?'(?= for | \(error|$)", re.DOTALL)


def shown(given: object) -> str:
    """The given value in quotes, cut where it gets long."""
    text = str(given)
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")


def kind(given: object) -> str:
    """What sort of value was given, in the words of an inventory."""
    for type_, word in _KINDS:
        if isinstance(given, type_):
            return word
    return "nothing" if given is None else "something else"


_KINDS = (
    (str, "text"),
    (bool, "a boolean"),
    (int, "a number"),
    (float, "a number"),
    ((list, tuple), "a list"),
    (Mapping, "a dictionary"),
)


class MailhostError(Exception):
    """Something that the person who reads the play can mend."""


class Invalid(MailhostError):
    """One value that is not what it should be."""

    def __init__(self, given: object, rule: str) -> None:
        super().__init__(f"{shown(given)} {rule}")


class Hidden(MailhostError):
    """One secret value that is not what it should be: the rule is told, the value is not."""


class Refused(MailhostError):
    """All that is wrong with a wish, told together, before anything is written."""

    def __init__(self, faults: Sequence[str], written: int = 0) -> None:
        self.faults = list(faults)
        outcome = f"{written} changes were written before." if written else "Nothing was written."
        if len(self.faults) == 1:
            super().__init__(f"{self.faults[0]} {outcome}")
        else:
            lines = "".join(f"\n- {fault}" for fault in self.faults)
            super().__init__(f"{len(self.faults)} faults. {outcome}{lines}")


class MissingLibrary(MailhostError):
    """A Python library that this password needs is not on the managed host."""

    def __init__(self, library: str, package: str, scheme: str) -> None:
        self.library = library
        super().__init__(
            f"The Python library {library} is needed to make or verify {scheme} passwords: "
            f"install {package} on the managed host."
        )


class SchemaNotReady(MailhostError):
    """Tables or columns are not there."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(
            f"Not in the database: {', '.join(missing)}. "
            "Run groupware.mailserver.mail_schema first: it creates what is missing."
        )


class UnknownSchema(MailhostError):
    """Tables that are there in a form that cannot be completed by additions."""

    def __init__(self, differences: Sequence[str]) -> None:
        lines = "".join(f"\n- {difference}" for difference in differences)
        super().__init__(
            "The tables are there in another form than tine's of 2026. Nothing was changed. "
            "state: current of groupware.mailserver.mail_schema brings them forward, and so does "
            f"the playbook groupware.mailserver.migrate. What differs:{lines}"
        )


class NoBackup(MailhostError):
    """The tables could not be written to a file before they are changed."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"The tables could not be kept in {path}: {reason}. Nothing was changed. Set "
            "backup_dir to a directory that root alone may write to, with room for them."
        )


class MissingDatabase(MailhostError):
    """A database is not there."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"No database named {', '.join(names)} on this server: create it first (the role "
            "groupware.mailserver.mariadb does), or set dovecot_database and postfix_database."
        )


class NoServer(MailhostError):
    """The database server does not answer."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(
            f"No MariaDB answers at {where}: {reason}. Check that the server runs, and "
            "login_unix_socket, login_host, login_port, login_user and login_password."
        )


class NotAllowed(MailhostError):
    """The SQL account may not do what is needed."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"The SQL account is not allowed to: {reason}. Log in as one that may (login_user), or "
            "grant it SELECT, INSERT, UPDATE and DELETE on the mail tables."
        )


class StepRefused(MailhostError):
    """A step that changes tables, which no transaction can take back."""

    def __init__(self, step: str, reason: str, backup: str) -> None:
        # What the server quotes may be a password.
        reason = _QUOTED.sub(r"\1", reason)
        kept = f" The tables as they were are in {backup}." if backup else ""
        super().__init__(
            f"The database refuses the step '{step}': {reason}. The steps before it are done and "
            f"stay. Mend what it names and run the task again: it goes on from there.{kept}"
        )


class Swapped(MailhostError):
    """The two databases have each other's tables."""

    def __init__(self, dovecot: str, postfix: str) -> None:
        super().__init__(
            f"dovecot_database is {dovecot!r} and postfix_database is {postfix!r}, but Postfix's "
            f"tables are in {dovecot!r} and Dovecot's in {postfix!r}: exchange the two. Nothing "
            "was changed."
        )


class DatabaseRefuses(MailhostError):
    """An error of the server that trying again does not cure."""

    def __init__(self, reason: str, code: int) -> None:
        self.reason = f"{reason} (error {code})"
        super().__init__(
            f"The database refuses the transaction: {reason} (error {code}). "
            "Nothing of it was written."
        )


class WrongServer(MailhostError):
    """The database server is another product."""

    def __init__(self, where: str, version: str) -> None:
        super().__init__(
            f"The server at {where} is not MariaDB but {version}: expected MariaDB. MySQL refuses "
            "tine's foreign keys, which refer to columns that are not unique. Move the two "
            "databases to a MariaDB 10.11 or 11.8: mysqldump there, mariadb here."
        )


class GivenUp(MailhostError):
    """A transaction that was started again too often."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The database kept refusing the transaction: {reason}. "
            "Nothing of it was written; run the task again."
        )
