# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wishes: plain dictionaries in, partial wishes and all their faults out."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Callable, NamedTuple

from .errors import Hidden, Invalid, MailhostError, kind, shown
from .expiry import Expiry, expiry
from .model import (
    ADDRESS_LENGTH,
    Address,
    Alias,
    Secret,
    domain_name,
    fold,
    hosted_domain,
    text_of,
    user_name,
)
from .passwords import DEFAULT_SCHEME, clear_password, known_scheme, ready_hash, suits

# Our own scope in smtp_users.client_idnr, never tine's: sha1 of "groupware.mailserver".
OWNER = "8fe8f1da99045c15d5b1aa9978d57fd67e8214c9"

ENABLED = "enabled"
STATUSES = (ENABLED, "disabled", "blocked", "expired")
INSTANCE_LENGTH = 40  # dovecot_users.instancename
HOSTNAME_LENGTH = 64  # HOST_NAME_MAX of Linux
MIB = 2**20
QUOTA_MAXIMUM = 2**43 - 1  # MiB: in bytes, what Dovecot's signed 64-bit number holds
COUNT_MAXIMUM = 2**31 - 1  # int(11)
_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
HOME_LENGTH = 256  # dovecot_users.home
_SIZE = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,9})?) ?([KMGTP]?)(?:I?B)?", re.IGNORECASE)


class Edit(NamedTuple):
    """Single aliases and forwards that are to be there or not; all others stay as they are."""

    aliases: frozenset[Alias] = frozenset()
    forwards: frozenset[str] = frozenset()
    no_aliases: frozenset[str] = frozenset()
    no_forwards: frozenset[str] = frozenset()


class Wanted(NamedTuple):
    """What is wished of one account. None means not said, and what is not said is kept.

    quota is MiB, quota_sieve bytes; 0 is no limit.
    """

    address: str
    fresh_id: str  # the userid, if the account has to be made
    number: int = 0  # of the entry, from 0
    position: Callable[[int], str] = lambda _index: ""
    present: bool = True
    username: str | None = None
    login_name: str | None = None
    userid: str | None = None
    secret: Secret | None = None
    password_on_create_only: bool = False
    quota: int | None = None
    quota_messages: int | None = None
    quota_sieve: int | None = None
    quota_sieve_scripts: int | None = None
    uid: str | None = None
    gid: str | None = None
    home: str | None = None
    move_mail: bool = False
    status: str | None = None
    expires: Expiry | None = None
    aliases: frozenset[Alias] | None = None
    forwards: frozenset[str] | None = None
    forward_only: bool | None = None
    reuse_mail: bool = False
    adopt: bool = False
    edit: Edit | None = None  # such a wish never makes an account
    pruned: bool = False  # nobody wishes it any more: found by username

    @property
    def label(self) -> str:
        """Which entry this is, for the person who wrote it."""
        return _label(self.address, self.position(self.number))


@dataclass(frozen=True)
class Defaults:
    """What new accounts get when their wish does not say it, whose they are, and tine's switches.

    quota is MiB. instance is tine's instanceName: it makes usernames of the form userid@instance.
    imap_domain is tine's imap.domain, what the column domain holds; None is the username's domain.
    """

    owner: str = OWNER
    home: str = "/var/vmail/%d/%n"
    uid: str = "vmail"
    gid: str = "vmail"
    quota: int = 0
    status: str = ENABLED
    instance: str | None = None
    imap_domain: str | None = None
    account_name_destination: bool = True
    destination_is_username: bool = False


def mebibytes(given: object) -> int:
    """A quota in MiB from bytes or a human size; 0 is unlimited.

    tine stores whole MiB, so that less than one would become no limit at all.
    """
    return _mebibytes(given if isinstance(given, (str, bool)) else str(given))


@lru_cache(maxsize=1024)
def _mebibytes(given: str | bool) -> int:
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


def sieve_bytes(given: object) -> int:
    """A quota of Sieve scripts in bytes from bytes or a human size; 0 is unlimited."""
    if isinstance(given, str) and given.lower() == "unlimited":
        return 0
    size = _bytes(given)
    if size > COUNT_MAXIMUM:
        raise Invalid(given, "is more than a quota of Sieve scripts may be (2G).")
    return size


def count(given: object) -> int:
    """A number of messages or scripts; 0 is unlimited."""
    text = str(given).lower()
    if text == "unlimited":
        return 0
    if isinstance(given, bool) or not re.fullmatch("[0-9]{1,10}", text):
        raise Invalid(given, "is not a number: expected a whole number, 0 or unlimited.")
    if int(text) > COUNT_MAXIMUM:
        raise Invalid(given, f"is more than the column holds, which is {COUNT_MAXIMUM}.")
    return int(text)


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


def home_path(given: object) -> str:
    """The home of one account: an absolute path below the root, in printable ASCII."""
    text = text_of(given, "a home")
    if not re.fullmatch(r"(?:/[\x21-\x7e]+)+", text) or {"..", ".", ""} & set(text.split("/")[1:]):
        raise Invalid(text, "is not a home: expected an absolute path in printable ASCII.")
    if "%" in text or len(text) > HOME_LENGTH:
        raise Invalid(text, f"is not a home: expected at most {HOME_LENGTH} characters, no %.")
    return text


def user_id(given: object) -> str:
    """An explicit userid; tine makes 40 hexadecimal digits."""
    text = str(given)
    if isinstance(given, bool) or not re.fullmatch(r"[0-9A-Za-z_.#~-]{1,40}", text):
        raise Invalid(text, "is not a userid: expected 1 to 40 letters, digits and _.#~-.")
    return text


def instance_name(given: object) -> str:
    """tine's instanceName, which also is the domain of usernames."""
    name = domain_name(given)
    longest = INSTANCE_LENGTH - 1  # 40 digits, @ and the instance make a username of 80
    if len(name) > longest:
        raise Invalid(name, f"is too long for an instance: at most {longest} characters.")
    return name


def imap_domain(given: object) -> str:
    """tine's imap.domain, which dovecot_users.domain has to hold."""
    return domain_name(given, ADDRESS_LENGTH)


def login_name(given: object) -> str:
    """A second name to log in with; tine keeps the address there."""
    return user_name(given)


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


def _hosted_address(given: object) -> str:
    return str(Address.hosted(given))


_FIELDS: dict[str, Callable[[object], Any]] = {
    "address": _hosted_address,
    "state": _choice("present", "absent"),
    "username": user_name,
    "login_name": login_name,
    "userid": user_id,
    "password": clear_password,
    "password_hash": ready_hash,
    "password_scheme": known_scheme,
    "update_password": _choice("always", "on_create"),
    "quota": mebibytes,
    "quota_messages": count,
    "quota_sieve": sieve_bytes,
    "quota_sieve_scripts": count,
    "uid": system_name,
    "gid": system_name,
    "home": home_path,
    "move_mail": _boolean,
    "status": _choice(*STATUSES),
    "expires": expiry,
    "aliases": _aliases,
    "forwards": _forwards,
    "forward_only": _boolean,
    "reuse_mail": _boolean,
    "adopt": _boolean,
}
FIELDS = tuple(_FIELDS)
# Fields that become one of a wish under their own name.
_PLAIN = (
    *("username", "login_name", "userid", "quota", "quota_messages", "quota_sieve"),
    *("quota_sieve_scripts", "uid", "gid", "home", "status", "expires", "aliases", "forwards"),
    *("forward_only", "move_mail", "reuse_mail", "adopt"),
)


def parse(
    entries: object, what: str = "account", scheme: str = DEFAULT_SCHEME
) -> tuple[list[Wanted], list[str]]:
    """The wishes that can be read, and a sentence for everything that is wrong.

    Entries that know their places in a file tell them with position(index), from 0.
    """
    if isinstance(entries, (str, bytes, Mapping)) or not isinstance(entries, Iterable):
        # By its type only: there may be passwords in it.
        return [], [f"{kind(entries)} is not a list of accounts."]
    position = getattr(entries, "position", None) or _numbered(what)
    reader = _Reader(position, scheme)
    for index, entry in enumerate(entries):
        reader.read(index, entry)
    return reader.wishes, reader.faults + duplicates(reader.wishes)


def _numbered(what: str) -> Callable[[int], str]:
    return lambda index: f"{what} {index + 1}" if what else ""


class _Reader:
    """Dictionaries being read into wishes; collects what is wrong with them."""

    def __init__(self, position: Callable[[int], str], scheme: str) -> None:
        self.position = position
        self.scheme = scheme
        self.wishes: list[Wanted] = []
        self.faults: list[str] = []
        self._salt = secrets.token_bytes(20)

    def read(self, index: int, entry: object) -> None:
        """Add the wish of one entry, or what is wrong with it."""
        found: list[str] = []
        if not isinstance(entry, Mapping):
            found.append(f"{kind(entry)} is not an account: expected a dictionary.")
            entry = {}
        else:
            said = self._said(entry, found)
            secret = self._secret(said, found)
            _contradictions(said, found)
            if not found:
                self.wishes.append(self._wanted(index, said, secret))
                return
        label = _label(entry.get("address"), self.position(index))
        self.faults += [f"{label}: {text}" for text in found]

    def _said(self, entry: Mapping[Any, object], found: list[str]) -> dict[str, Any]:
        """What each field says; one that is null is not said."""
        said = {}
        for name, given in entry.items():
            if name not in _FIELDS:
                found.append(f"{shown(name)} is not known here: expected {', '.join(FIELDS)}.")
            elif given is not None:
                try:
                    said[name] = _FIELDS[name](given)
                except MailhostError as fault:
                    found.append(f"{name}: {fault}")
        if entry.get("address") is None:
            found.append("an address is missing.")
        if entry.get("password") is not None and entry.get("password_hash") is not None:
            found.append("password and password_hash are both given: expected one of them.")
        return said

    def _secret(self, said: Mapping[str, Any], found: list[str]) -> Secret | None:
        plain, ready = said.get("password"), said.get("password_hash")
        if plain is None and ready is None:
            return None
        scheme = said.get("password_scheme") or self.scheme
        if plain is not None and ready is None:
            try:
                suits(plain, scheme)
            except Hidden as fault:
                found.append(f"password: {fault}")
        return Secret(plain, ready, scheme)

    def _wanted(self, index: int, said: Mapping[str, Any], secret: Secret | None) -> Wanted:
        address = said["address"]
        fresh_id = said.get("userid")
        if fresh_id is None:
            fresh_id = hashlib.sha1(self._salt + address.encode()).hexdigest()  # noqa: S324
        return Wanted(
            address=address,
            fresh_id=fresh_id,
            number=index,
            position=self.position,
            present=said.get("state") != "absent",
            secret=secret,
            password_on_create_only=said.get("update_password") == "on_create",
            **{name: said[name] for name in _PLAIN if name in said},
        )


def edit_of(given: Mapping[str, Any]) -> tuple[list[Wanted], list[str]]:
    """The wish of a task about single aliases and forwards, by its options."""
    fields = {"address": given["account"], "aliases": given["aliases"], "adopt": given["adopt"]}
    wishes, faults = parse([{**fields, "forwards": given["forwards"]}], what="")
    if not (given["aliases"] or given["forwards"]):
        faults.append(f"{given['account']}: neither aliases nor forwards: name at least one.")
    return [_edited(wish, given) for wish in wishes], faults


def _edited(wish: Wanted, given: Mapping[str, Any]) -> Wanted:
    aliases, forwards = wish.aliases or frozenset(), wish.forwards or frozenset()
    if given["state"] == "present":
        flagged = frozenset(a._replace(dispatch=given["dispatch_address"]) for a in aliases)
        edit = Edit(aliases=flagged, forwards=forwards)
    else:
        edit = Edit(no_aliases=frozenset(a.source for a in aliases), no_forwards=forwards)
    return wish._replace(aliases=None, forwards=None, edit=edit)


def _contradictions(said: Mapping[str, Any], found: list[str]) -> None:
    own, forwards = said.get("address"), said.get("forwards")
    if said.get("forward_only") and forwards == frozenset():
        found.append("forward_only needs forwards: name at least one address.")
    if forwards and own in forwards:
        found.append(f"forwards: {shown(own)} is the account itself.")
    for alias in said.get("aliases") or ():
        if alias.source == own:
            found.append(f"aliases: {shown(own)} is the account's own address.")
        if forwards and alias.source in forwards:
            found.append(f"forwards: {shown(alias.source)} is an alias of the account itself.")


def _label(address: object, position: str) -> str:
    named = shown(address)[1:-1] if isinstance(address, str) and address else ""
    if position and named:
        return f"{position} ({named})"
    return position or named or "account"


def duplicates(wishes: Sequence[Wanted]) -> list[str]:
    """Names that two wishes claim, with both positions."""
    owners: dict[str, tuple[Wanted, str]] = {}
    faults = []
    for wish in wishes:
        for what, name in claims(wish):
            other, word = owners.setdefault(name, (wish, what))
            if other is not wish or word != what:
                faults.append(
                    f"{wish.label}: {what} {shown(name)} is also the {word} of {other.label}."
                )
    return faults + _wished_twice(wishes)


def _wished_twice(wishes: Sequence[Wanted]) -> list[str]:
    """One that goes may leave its address to an alias, but not to a second wish for itself."""
    if all(wish.present for wish in wishes):
        return []
    first: dict[str, Wanted] = {}
    return [
        f"{wish.label}: address {shown(wish.address)} is also wished by {other.label}."
        for wish in wishes
        for other in [first.setdefault(wish.address, wish)]
        if other is not wish and not (wish.present and other.present)
    ]


def claims(wish: Wanted) -> Iterator[tuple[str, str]]:
    """The names that a wish claims for its account alone, with the word for each."""
    if not wish.present:
        return
    yield "address", wish.address
    if wish.username and wish.username != wish.address:
        yield "username", wish.username
    if wish.login_name and wish.login_name not in (wish.address, wish.username):
        yield "login name", wish.login_name
    if wish.userid:
        yield "userid", fold(wish.userid)  # it holds no @, so that it equals no other name
    aliases = wish.edit.aliases if wish.edit else wish.aliases
    for alias in sorted(aliases) if aliases else ():
        yield "alias", alias.source


def name_faults(wishes: Sequence[Wanted], domains: Iterable[str]) -> list[str]:
    """Addresses and aliases in a domain that this host does not have."""
    hosted = set(domains)
    if not _domains_of(wishes) - hosted:
        return []
    return [
        unhosted(wish, what, name)
        for wish in wishes
        for what, name in claims(wish)
        if is_unhosted(what, name, hosted)
    ]


def is_unhosted(what: str, name: str, hosted: Container[str]) -> bool:
    """Whether a name of this kind needs a domain that is not there."""
    return what in ("address", "alias") and name.rpartition("@")[2] not in hosted


def unhosted(wish: Wanted, what: str, name: str) -> str:
    """The sentence for it."""
    return (
        f"{wish.label}: {what} {shown(name)} lies in a domain that this host does not have: "
        f"add {name.rpartition('@')[2]} to the mail domains."
    )


def _domains_of(wishes: Iterable[Wanted]) -> set[str]:
    names = (name for wish in wishes for what, name in claims(wish) if what in ("address", "alias"))
    return {name.rpartition("@")[2] for name in names}


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
