# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values: addresses, rows and accounts, frozen, and able to parse themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, Union

from .errors import Invalid, kind

DOMAIN_LENGTH = 253
HOSTED_DOMAIN_LENGTH = 50  # smtp_virtual_domains.domain
ADDRESS_LENGTH = 80  # smtp_users.email, smtp_destinations.source and destination
LOCAL_LENGTH = 64  # RFC 5321 4.5.3.1.1

_ATEXT = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_IDNA_DEVIATIONS = frozenset("\u00df\u03c2\u200c\u200d")  # IDNA 2003 and 2008 disagree on these
_NOT_HOSTED = {
    "/": "would leave the directory of its mail",
    "*": "separates the name of a master user",
    "%": "is rewritten by Postfix (allow_percent_hack)",
    "!": "is rewritten by Postfix (swap_bangpath)",
}
# A mailbox is logged in to and delivered to by its name; an alias is neither.
_NO_MAILBOX = {
    **_NOT_HOSTED,
    "+": "begins an extension: the mail would be delivered to the name before it",
    **dict.fromkeys("#$?^`{|}", "is no character of a login name (auth_username_chars)"),
}


def _any_of(characters: Mapping[str, str]) -> re.Pattern[str]:
    return re.compile(f"[{re.escape(''.join(characters))}]")


_NEVER_HOSTED, _IN_NO_MAILBOX = _any_of(_NOT_HOSTED), _any_of(_NO_MAILBOX)


def fold(name: str) -> str:
    """The name as the columns' collation sees it, as far as it is plain ASCII."""
    folded = name.rstrip(" ").lower()
    return name if folded == name else folded  # a second copy of all names would be much memory


def text_of(given: object, what: str) -> str:
    """The given value, which has to be text."""
    if not isinstance(given, str):
        raise Invalid(given, f"is not {what}: expected text, not {kind(given)}.")
    return str(given)


def domain_name(given: object, length: int = DOMAIN_LENGTH) -> str:
    """A domain in lower case and ASCII (IDN as punycode)."""
    return _domain_name(text_of(given, "a domain"), length)


@lru_cache(maxsize=4096)  # a hundred thousand addresses share a few domains
def _domain_name(text: str, length: int) -> str:
    name = _ascii(text)
    labels = name.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise Invalid(
            text,
            "is not a domain: expected labels of letters, digits and hyphens "
            "joined by dots, such as example.org.",
        )
    if labels[-1].isdigit():
        raise Invalid(text, "is not a domain: its last label is a number.")
    if len(name) > length:
        raise Invalid(text, f"is too long for a domain: {len(name)} characters, at most {length}.")
    return name


def hosted_domain(given: object) -> str:
    """A domain that fits into the table of hosted domains."""
    return domain_name(given, HOSTED_DOMAIN_LENGTH)


def _ascii(text: str) -> str:
    if text.isascii():
        return text.lower()
    if _IDNA_DEVIATIONS & set(text):
        raise Invalid(text, "has two different IDN spellings: write the domain as punycode (xn--).")
    try:
        return text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise Invalid(text, "is not a domain: it has no IDN form.") from None


class Address(NamedTuple):
    """A mail address as Postfix takes it and tine stores it: a dot-atom, in lower case."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @classmethod
    def parse(cls, given: object) -> Address:
        """Any address, also a foreign one."""
        text = text_of(given, "a mail address")
        local, at, domain = text.rpartition("@")
        if not at or not local or not domain:
            raise Invalid(text, "is not a mail address: expected local@domain.")
        return cls(_local_part(text, local.lower()), domain_name(domain))._fitting()

    @classmethod
    def hosted(cls, given: object) -> Address:
        """An address of this host: it names a mailbox and, in its home, a directory."""
        return cls.parse(given)._without(_NO_MAILBOX, _IN_NO_MAILBOX)

    @classmethod
    def source(cls, given: object) -> Address:
        """An alias: an address of this host, or @domain for all the rest of a domain."""
        text = text_of(given, "an alias")
        if text.startswith("@"):
            return cls("", hosted_domain(text[1:]))
        return cls.parse(text)._without(_NOT_HOSTED, _NEVER_HOSTED)

    def _without(self, reasons: Mapping[str, str], characters: re.Pattern[str]) -> Address:
        found = characters.search(self.local)
        if found:
            raise Invalid(self, f"cannot be hosted: {found[0]!r} {reasons[found[0]]}.")
        hosted_domain(self.domain)
        return self

    def _fitting(self) -> Address:
        if len(str(self)) > ADDRESS_LENGTH:
            raise Invalid(
                self, f"is too long: {len(str(self))} characters, at most {ADDRESS_LENGTH}."
            )
        return self


def _local_part(text: str, local: str) -> str:
    if not local.isascii():
        raise Invalid(text, "has a local part outside ASCII, which is not supported.")
    if not _LOCAL.fullmatch(local):
        raise Invalid(
            text,
            "is not a supported mail address: before the @ expected letters, digits and "
            "!#$%&'*+/=?^_`{|}~- in parts joined by single dots, without quotes.",
        )
    if local.startswith("-"):
        raise Invalid(text, "starts with a hyphen, which Postfix refuses (allow_min_user).")
    if len(local) > LOCAL_LENGTH:
        raise Invalid(
            text, f"is too long before the @: {len(local)} characters, at most {LOCAL_LENGTH}."
        )
    return local


def user_name(given: object) -> str:
    """A mailbox name: like an address, but its domain may be one that nobody mails to."""
    text = text_of(given, "a username")
    local, at, domain = text.lower().rpartition("@")
    labels = domain.split(".")
    if not at or not all(_LABEL.fullmatch(label) for label in labels):
        raise Invalid(text, "is not a username: expected local@domain.")
    _local_part(text, local)
    found = _IN_NO_MAILBOX.search(local)
    if found:
        raise Invalid(text, f"cannot be a username: {found[0]!r} {_NO_MAILBOX[found[0]]}.")
    if len(text) > ADDRESS_LENGTH:
        raise Invalid(text, f"is too long: {len(text)} characters, at most {ADDRESS_LENGTH}.")
    return text.lower()


@dataclass(frozen=True, repr=False)
class Secret:
    """A password as it is wished: clear text with a scheme, or a finished hash."""

    plain: str | None
    ready: str | None
    scheme: str
    known: bool = False  # it is the stored password, and only its form is new

    def __repr__(self) -> str:
        return "Secret(hidden)"


Password = Union[str, Secret]  # as stored, or still to be hashed


# Rows and accounts are named tuples: a run makes, hashes and compares a hundred thousand of them.


class Destination(NamedTuple):
    """One row of smtp_destinations."""

    source: str
    target: str
    dispatch: bool


class Alias(NamedTuple):
    """Another address of an account; dispatch says whether it may be used as sender."""

    source: str
    dispatch: bool


class ImapRow(NamedTuple):
    """What we read and write of a row of dovecot_users.

    quota is MiB (column quota_bytes, whatever its name says), quota_sieve bytes; 0 is no limit.
    expires is UTC without a zone. None is NULL, or a column that this generation does not have.
    """

    userid: str
    domain: str
    username: str
    loginname: str | None
    password: Password
    quota: int
    quota_messages: int | None
    quota_sieve: int | None
    quota_sieve_scripts: int | None
    uid: str | None
    gid: str | None
    home: str | None
    instance: str | None
    status: str | None
    expires: datetime | None


class SmtpRow(NamedTuple):
    """What we read and write of a row of smtp_users; id is the key of multi-instance tables."""

    userid: str
    owner: str | None
    username: str
    password: Password
    email: str | None
    forward_only: bool
    status: str | None
    expires: datetime | None
    id: int | None = None

    @property
    def hook(self) -> str | int:
        """What destinations hang on: the userid, or the id of multi-instance tables."""
        return self.userid if self.id is None else self.id


class Account(NamedTuple):
    """A pair of rows joined by userid, and the destinations that hang on them."""

    imap: ImapRow | None
    smtp: SmtpRow | None
    destinations: frozenset[Destination] = frozenset()

    @property
    def userid(self) -> str:
        return next(row.userid for row in self.rows())

    @property
    def username(self) -> str:
        return next(row.username for row in self.rows())

    @property
    def address(self) -> str:
        """The address, or what comes nearest to it."""
        if self.smtp and self.smtp.email:
            return self.smtp.email
        return (self.imap.loginname if self.imap else None) or self.username

    def rows(self) -> Iterator[SmtpRow | ImapRow]:
        if self.smtp:
            yield self.smtp
        if self.imap:
            yield self.imap

    def name_set(self) -> set[str]:
        """The names alone."""
        found = {destination.source for destination in self.destinations}
        found.update(row.username for row in self.rows())
        found.add(self.smtp.email or "" if self.smtp else "")
        found.add(self.imap.loginname or "" if self.imap else "")
        found.discard("")
        return found

    def names(self) -> Iterator[tuple[str, str]]:
        """Everything that must be this account's alone, with the word for it."""
        if self.smtp:
            yield "username", self.smtp.username
            if self.smtp.email:
                yield "address", self.smtp.email
        if self.imap:
            yield "username", self.imap.username
            if self.imap.loginname:
                yield "login name", self.imap.loginname
        for destination in self.destinations:
            yield "alias", destination.source
