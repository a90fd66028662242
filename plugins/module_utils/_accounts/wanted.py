# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wishes: plain dictionaries in, partial wishes and all their faults out."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

from .errors import Hidden, Invalid, MailhostError, kind, shown
from .model import Address, Alias, Secret, domain_name, hosted_domain, text_of, user_name
from .passwords import DEFAULT_SCHEME, clear_password, known_scheme, ready_hash, suits

# Our own scope in smtp_users.client_idnr, never tine's: sha1 of "groupware.mailserver".
OWNER = "8fe8f1da99045c15d5b1aa9978d57fd67e8214c9"

HOSTNAME_LENGTH = 64  # HOST_NAME_MAX of Linux
MIB = 2**20
QUOTA_MAXIMUM = 2**43 - 1  # MiB: in bytes, what Dovecot's signed 64-bit number holds
_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
_SIZE = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,9})?) ?([KMGTP]?)(?:I?B)?", re.IGNORECASE)


@dataclass(frozen=True)
class Wanted:
    """What is wished of one account. None means not said, and what is not said is kept."""

    address: Address
    label: str
    fresh_id: str  # the userid, if the account has to be made
    present: bool = True
    username: str | None = None
    secret: Secret | None = None
    password_on_create_only: bool = False
    quota: int | None = None
    aliases: frozenset[Alias] | None = None
    forwards: frozenset[str] | None = None
    forward_only: bool | None = None
    reuse_mail: bool = False


@dataclass(frozen=True)
class Defaults:
    """What new accounts get when their wish does not say it, and whose they are."""

    owner: str = OWNER
    home: str = "/var/vmail/%d/%n"
    uid: str = "vmail"
    gid: str = "vmail"
    quota: int = 0


def mebibytes(given: object) -> int:
    """A quota in MiB from bytes or a human size; 0 is unlimited."""
    if isinstance(given, str) and given.lower() == "unlimited":
        return 0
    size = _bytes(given)
    if 0 < size < MIB:
        raise Invalid(
            given,
            "is less than 1M, which is the smallest quota: a number alone counts bytes "
            "(2G is two gibibytes, 0 or unlimited is no limit).",
        )
    if size // MIB > QUOTA_MAXIMUM:
        raise Invalid(given, "is more than the quota column holds.")
    return size // MIB


def _bytes(given: object) -> int:
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return int(given)
    match = _SIZE.fullmatch(given) if isinstance(given, str) else None
    if not match:
        raise Invalid(
            given, "is not a size: expected bytes, a size such as 500M or 2G, 0 or unlimited."
        )
    number, unit = match.groups()
    return (
        int(float(number) * 1024 ** _UNITS[unit.upper()])
        if "." in number
        else (int(number) * 1024 ** _UNITS[unit.upper()])
    )


def home_template(given: object) -> str:
    """Where the mail of new accounts lies; %d, %n and %u are the only variables."""
    text = str(given)
    if not text.startswith("/") or not text.isascii() or not text.isprintable():
        raise Invalid(text, "is not a home: expected an absolute path in printable ASCII.")
    if re.search(r"%(?![dnu])", text):
        raise Invalid(text, "is not a home: %d, %n and %u are the only variables.")
    if "%u" not in text and not ("%n" in text and "%d" in text):
        raise Invalid(text, "gives two people one home: expected %u, or %d and %n.")
    if ".." in text.split("/"):
        raise Invalid(text, "is not a home: it climbs with '..'.")
    return text


def owner_id(given: object) -> str:
    """The scope that rows belong to."""
    text = str(given)
    if not re.fullmatch(r"[0-9A-Za-z_.-]{1,40}", text):
        raise Invalid(text, "is not a client_idnr: expected 1 to 40 letters and digits.")
    return text


def system_name(given: object) -> str:
    """A user or group as Dovecot resolves it: a name or a number."""
    text = str(given)
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,19}", text):
        raise Invalid(text, "is not a system user or group: expected a name or a number.")
    return text


def _choice(*names: str) -> Callable[[object], str]:
    def parse(given: object) -> str:
        if given not in names:
            raise Invalid(given, f"is not one of {', '.join(names)}.")
        return str(given)

    return parse


def _boolean(given: object) -> bool:
    if not isinstance(given, bool):
        raise Invalid(given, "is not a boolean: expected true or false.")
    return given


def _listed(given: object, what: str) -> Sequence[object]:
    if not isinstance(given, (list, tuple)):
        raise Invalid(given, f"is not a list: expected a list of {what}.")
    return given


def _alias(given: object) -> Alias:
    if not isinstance(given, Mapping):
        return Alias(str(Address.source(given)), dispatch=True)
    strange = sorted(str(key) for key in given if key not in ("address", "dispatch_address"))
    if strange or "address" not in given:
        raise Invalid(
            ", ".join(strange) or "no address",
            "in an alias: expected an address, or address and dispatch_address.",
        )
    dispatch = given.get("dispatch_address")
    return Alias(
        str(Address.source(given["address"])), dispatch=dispatch is None or _boolean(dispatch)
    )


def _aliases(given: object) -> frozenset[Alias]:
    aliases = [_alias(item) for item in _listed(given, "addresses")]
    _refuse_twice(alias.source for alias in aliases)
    return frozenset(aliases)


def _forwards(given: object) -> frozenset[str]:
    forwards = [str(Address.parse(item)) for item in _listed(given, "addresses")]
    _refuse_twice(forwards)
    return frozenset(forwards)


def _refuse_twice(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Invalid(name, "is listed twice.")
        seen.add(name)


_FIELDS: dict[str, Callable[[object], Any]] = {
    "address": Address.hosted,
    "state": _choice("present", "absent"),
    "username": user_name,
    "password": clear_password,
    "password_hash": ready_hash,
    "password_scheme": known_scheme,
    "update_password": _choice("always", "on_create"),
    "quota": mebibytes,
    "aliases": _aliases,
    "forwards": _forwards,
    "forward_only": _boolean,
    "reuse_mail": _boolean,
}
FIELDS = tuple(_FIELDS)


def parse(
    entries: object, what: str = "account", scheme: str = DEFAULT_SCHEME
) -> tuple[list[Wanted], list[str]]:
    """The wishes that can be read, and a sentence for everything that is wrong."""
    if not isinstance(entries, (list, tuple)):
        # By its type only: there may be passwords in it.
        return [], [f"{kind(entries)} is not a list of accounts."]
    wishes: list[Wanted] = []
    faults: list[str] = []
    for number, entry in enumerate(entries, 1):
        wish = _Entry(entry, f"{what} {number}" if len(entries) > 1 or what else "", scheme)
        wishes.extend(wish.wanted())
        faults.extend(wish.faults)
    return wishes, faults + duplicates(wishes)


class _Entry:
    """One dictionary being read; collects what is wrong with it."""

    def __init__(self, entry: object, position: str, scheme: str) -> None:
        self.faults: list[str] = []
        self.scheme = scheme
        self.given = entry if isinstance(entry, Mapping) else {}
        self.label = _label(self.given.get("address"), position)
        if not isinstance(entry, Mapping):
            self._fault(f"{kind(entry)} is not an account: expected a dictionary.")

    def wanted(self) -> list[Wanted]:
        """The wish, or nothing where it cannot be read."""
        if self.faults:
            return []
        self._unknown_keys()
        said = {name: self._field(name, read) for name, read in _FIELDS.items()}
        if self.given.get("address") is None:
            self._fault("an address is missing.")
        secret = self._secret(said)
        self._contradictions(said)
        return [] if self.faults else [_wanted(said, secret, self.label)]

    def _fault(self, text: str) -> None:
        self.faults.append(f"{self.label}: {text}")

    def _unknown_keys(self) -> None:
        for key in sorted(str(key) for key in self.given if key not in _FIELDS):
            self._fault(f"{shown(key)} is not known here: expected {', '.join(FIELDS)}.")

    def _field(self, name: str, read: Callable[[object], Any]) -> Any:
        given = self.given.get(name)
        if given is None:
            return None
        try:
            return read(given)
        except MailhostError as fault:
            self._fault(f"{name}: {fault}")
            return None

    def _secret(self, said: Mapping[str, Any]) -> Secret | None:
        scheme = said["password_scheme"] or self.scheme
        if self.given.get("password") is not None and self.given.get("password_hash") is not None:
            self._fault("password and password_hash are both given: expected one of them.")
        if said["password_hash"]:
            return Secret(None, said["password_hash"], scheme)
        if said["password"] is None:
            return None
        try:
            suits(said["password"], scheme)
        except Hidden as fault:
            self._fault(f"password: {fault}")
        return Secret(said["password"], None, scheme)

    def _contradictions(self, said: Mapping[str, Any]) -> None:
        own = str(said["address"])
        if said["forward_only"] and said["forwards"] == frozenset():
            self._fault("forward_only needs forwards: name at least one address.")
        if own in (said["forwards"] or ()):
            self._fault(f"forwards: {shown(own)} is the account itself.")
        for alias in said["aliases"] or ():
            if alias.source == own:
                self._fault(f"aliases: {shown(own)} is the account's own address.")
            if alias.source in (said["forwards"] or ()):
                self._fault(f"forwards: {shown(alias.source)} is an alias of the account itself.")


def _label(address: object, position: str) -> str:
    named = shown(address)[1:-1] if isinstance(address, str) and address else ""
    if position and named:
        return f"{position} ({named})"
    return position or named or "account"


def _wanted(said: Mapping[str, Any], secret: Secret | None, label: str) -> Wanted:
    return Wanted(
        address=said["address"],
        label=label,
        fresh_id=secrets.token_hex(20),
        present=said["state"] != "absent",
        username=said["username"],
        secret=secret,
        password_on_create_only=said["update_password"] == "on_create",
        quota=said["quota"],
        aliases=said["aliases"],
        forwards=said["forwards"],
        forward_only=said["forward_only"],
        reuse_mail=bool(said["reuse_mail"]),
    )


def duplicates(wishes: Sequence[Wanted]) -> list[str]:
    """Names that two wishes claim, with both positions."""
    owners: dict[str, tuple[str, str]] = {}
    faults = []
    for wish in wishes:
        for what, name in claims(wish):
            other, word = owners.setdefault(name, (wish.label, what))
            if other != wish.label or word != what:
                faults.append(f"{wish.label}: {what} {shown(name)} is also the {word} of {other}.")
    return faults + _wished_twice(wishes)


def _wished_twice(wishes: Sequence[Wanted]) -> list[str]:
    """One that goes may leave its address to an alias, but not to a second wish for itself."""
    first: dict[str, Wanted] = {}
    return [
        f"{wish.label}: address {shown(wish.address)} is also wished by {other.label}."
        for wish in wishes
        for other in [first.setdefault(str(wish.address), wish)]
        if other is not wish and not (wish.present and other.present)
    ]


def claims(wish: Wanted) -> list[tuple[str, str]]:
    """The names that a wish claims for its account alone, with the word for each."""
    if not wish.present:
        return []
    names = [("address", str(wish.address))]
    if wish.username and wish.username != str(wish.address):
        names.append(("username", wish.username))
    names.extend(sorted(("alias", alias.source) for alias in wish.aliases or ()))
    return names


def name_faults(wishes: Iterable[Wanted], domains: Iterable[str]) -> list[str]:
    """Addresses and aliases in a domain that this host does not have."""
    hosted = set(domains)
    return [
        f"{wish.label}: {what} {shown(name)} lies in a domain that this host does not have: "
        f"add {name.rpartition('@')[2]} to the mail domains."
        for wish in wishes
        if wish.present
        for what, name in claims(wish)
        if what != "username" and name.rpartition("@")[2] not in hosted
    ]


def account_faults(entries: object, domains: object = None) -> list[str]:
    """All that can be told to be wrong with a list of accounts before asking a database."""
    wishes, faults = parse(entries)
    if domains is None:
        return faults
    hosted = [name for name in (_hosted(given) for given in _as_list(domains)) if name]
    return faults + name_faults(wishes, hosted)


def domain_faults(given: object) -> list[str]:
    """All that is wrong with a list of mail domains."""
    if not isinstance(given, (list, tuple)):
        return [f"{shown(given)} is not a list: expected a list of mail domains."]
    faults = []
    seen: dict[str, int] = {}
    for number, item in enumerate(given, 1):
        try:
            name = hosted_domain(item)
        except Invalid as fault:
            faults.append(f"domain {number}: {fault}")
            continue
        if seen.setdefault(name, number) != number:
            faults.append(f"domain {number}: {shown(item)} is also domain {seen[name]}.")
    return faults


def address_faults(given: object) -> list[str]:
    """What is wrong with a mail address, which may be a foreign one."""
    return _faults(Address.parse, given)


def hostname_faults(given: object) -> list[str]:
    """What is wrong with the full name of a host."""
    return _faults(host_name, given)


def host_name(given: object) -> str:
    """The full name of a host: a domain in ASCII, short enough for the kernel."""
    text = text_of(given, "a host name")
    if not text.isascii() or text != text.lower():
        raise Invalid(text, "is not a host name: expected lower case, IDN as punycode.")
    return domain_name(text, HOSTNAME_LENGTH)


def _faults(parse_one: Callable[[object], object], given: object) -> list[str]:
    try:
        parse_one(given)
    except Invalid as fault:
        return [str(fault)]
    return []


def _as_list(given: object) -> Sequence[object]:
    return given if isinstance(given, (list, tuple)) else []


def _hosted(given: object) -> str | None:
    try:
        return hosted_domain(given)
    except Invalid:
        return None
