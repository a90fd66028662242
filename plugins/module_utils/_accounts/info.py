# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there: accounts read in portions, in the words of mail, and counted.

Nothing here needs today's tables: every generation of tine's, single or multi-instance, is read as
far as it goes, and what a generation does not have is None. Hashes are not even fetched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from .errors import Invalid, MailhostError, SchemaNotReady
from .model import Account, Destination, SmtpRow, domain_name, fold
from .routes import routes
from .schema import Actual, ActualTable, Names, quoted
from .shape import IMAP, MODIFIED, SMTP
from .store import Cursor, chunks, marks

ENABLED = "enabled"
STATUSES = (ENABLED, "disabled", "blocked", "expired")
NEVER = "never"
NO_SCHEME, OTHER_SCHEME = "none", "unknown"
PORTION = 1000  # accounts in memory at once
MIB = 2**20
_EPOCH = datetime(1970, 1, 1)

# Of every account, what its generation of the tables tells; None is what it does not.
FIELDS = (
    "address",
    "userid",
    "username",
    "login_name",
    "domain",
    "imap_domain",
    "instance",
    "client_idnr",
    "status",
    "expires",
    "active",
    "quota",
    "quota_mib",
    "quota_messages",
    "quota_sieve",
    "quota_sieve_scripts",
    "usage_bytes",
    "usage_messages",
    "usage_percent",
    "uid",
    "gid",
    "home",
    "aliases",
    "catch_alls",
    "forwards",
    "forward_only",
    "other_destinations",
    "imap_password_scheme",
    "smtp_password_scheme",
    "last_login",
    "last_modified",
    "lone",
    "differences",
)
ALWAYS = ("address", "userid")
_ROUTED = frozenset(("aliases", "catch_alls", "forwards", "other_destinations"))

# Names of schemes that Dovecot 2.3 and 2.4 know. What else stands in braces may be a secret.
_SCHEMES = frozenset(
    (
        *("ARGON2I", "ARGON2ID", "BLF-CRYPT", "CLEAR", "CLEARTEXT", "CRAM-MD5", "CRYPT"),
        *("DES-CRYPT", "DIGEST-MD5", "HMAC-MD5", "LANMAN", "LDAP-MD5", "MD5", "MD5-CRYPT"),
        *("NTLM", "OTP", "PBKDF2", "PLAIN", "PLAIN-MD4", "PLAIN-MD5", "PLAIN-TRUNC", "RPA"),
        *("SCRAM-SHA-1", "SCRAM-SHA-256", "SHA", "SHA1", "SHA256", "SHA256-CRYPT", "SHA512"),
        *("SHA512-CRYPT", "SKEY", "SMD5", "SSHA", "SSHA256", "SSHA512"),
    )
)
_ENCODINGS = frozenset(("", "HEX", "B64", "BASE64"))


class Imap(NamedTuple):
    """A row of dovecot_users. quota is MiB, quota_sieve bytes, moments are UTC without a zone.

    What has a default is read only if one of the fields in _ONLY_FOR is asked for.
    """

    userid: str
    username: str
    loginname: str | None
    scheme: str | None
    quota: int | None
    status: str | None
    expires: datetime | None
    modified: datetime | None = None
    last_login: datetime | None = None
    last_login_unix: int | None = None
    domain: str | None = None
    instance: str | None = None
    quota_messages: int | None = None
    quota_sieve: int | None = None
    quota_sieve_scripts: int | None = None
    uid: str | None = None
    gid: str | None = None
    home: str | None = None


class Smtp(NamedTuple):
    """A row of smtp_users; id is the key of multi-instance tables."""

    userid: str
    username: str
    id: int | None
    owner: str | None
    email: str | None
    scheme: str | None
    forward_only: int | None
    status: str | None
    expires: datetime | None
    modified: datetime | None = None


_IMAP = {
    **IMAP,
    "scheme": IMAP["password"],
    "last_login": "last_login",
    "last_login_unix": "last_login_unix",
    "modified": MODIFIED,
}
_SMTP = {**SMTP, "scheme": SMTP["password"], "modified": MODIFIED}
# Columns that are read only for a field of the answer, and that no count needs.
_ONLY_FOR = {
    **{name: name for name in ("instance", "quota_messages", "quota_sieve", "uid", "gid", "home")},
    "quota_sieve_scripts": "quota_sieve_scripts",
    "domain": "imap_domain",
    "last_login": "last_login",
    "last_login_unix": "last_login",
    "modified": "last_modified",
}
_PREFIX = "IF({0} LIKE '{{%%}}%%', SUBSTRING_INDEX(SUBSTRING({0}, 2), '}}', 1), '')"


class Question(NamedTuple):
    """Which accounts are asked for: all that fulfil each of these. None is not asked."""

    addresses: Sequence[str] | None = None
    usernames: Sequence[str] | None = None
    userids: Sequence[str] | None = None
    aliases: Sequence[str] | None = None
    domains: frozenset[str] | None = None
    owners: frozenset[str] | None = None
    statuses: frozenset[str] | None = None
    over_percent: float | None = None

    def admits(self, person: Person) -> bool:
        """Whether an account fulfils what no unique name says."""
        return (
            (self.domains is None or fold(person.domain) in self.domains)
            and (self.owners is None or fold(person.owner or "") in self.owners)
            and (self.statuses is None or (person.status or ENABLED) in self.statuses)
            and (self.over_percent is None or (person.percent or 0) >= self.over_percent)
        )


def question(given: Mapping[str, Any]) -> Question:
    """The filters of a task; refuses what nothing can be found by."""
    return Question(
        addresses=_names(given["address"]),
        usernames=_names(given["username"]),
        userids=_names(given["userid"]),
        aliases=_names(given["alias"]),
        domains=None if given["domain"] is None else frozenset(map(domain_name, given["domain"])),
        owners=_folded(given["client_idnr"]),
        statuses=_folded(given["status"]),
        over_percent=_percentage(given["over_quota_percent"]),
    )


def _names(given: Sequence[str] | None) -> tuple[str, ...] | None:
    """Names as they are stored: an IDN domain as punycode."""
    return None if given is None else tuple(dict.fromkeys(_stored_name(name) for name in given))


def _stored_name(name: str) -> str:
    local, at, domain = name.rpartition("@")
    return f"{local}@{domain_name(domain)}" if at and not domain.isascii() else name


def _folded(given: Sequence[str] | None) -> frozenset[str] | None:
    return None if given is None else frozenset(fold(name) for name in given)


def _percentage(given: float | None) -> float | None:
    if given is not None and not given >= 0:
        raise Invalid(given, "is not a percentage: expected 0 or more.")
    return given


class Person(NamedTuple):
    """A pair of rows joined by userid, or a lone one, with what hangs on them."""

    imap: Imap | None
    smtp: Smtp | None
    usage: tuple[int, int] | None = None  # bytes and messages
    rows: frozenset[Destination] | None = None  # None: not read, or no such table

    @property
    def row(self) -> Imap | Smtp:
        """The row that goes first where both say a thing."""
        row = self.smtp or self.imap
        if row is None:
            raise AssertionError
        return row

    @property
    def address(self) -> str:
        """The address, or what comes nearest to it."""
        if self.smtp and self.smtp.email:
            return self.smtp.email
        return (self.imap.loginname if self.imap else None) or self.row.username

    @property
    def domain(self) -> str:
        """What stands behind the @, or nothing."""
        _local, at, domain = self.address.rpartition("@")
        return domain if at else ""

    @property
    def owner(self) -> str | None:
        return self.smtp.owner if self.smtp else None

    @property
    def lone(self) -> str | None:
        """The side that has a row where the other has none."""
        if self.imap and self.smtp:
            return None
        return "imap" if self.imap else "smtp"

    @property
    def status(self) -> str | None:
        """What shuts somebody out counts where the two rows differ."""
        imap = self.imap.status if self.imap else None
        smtp = self.smtp.status if self.smtp else None
        return smtp if smtp and (smtp != ENABLED or not imap) else imap or smtp

    @property
    def expires(self) -> datetime | None:
        """The earlier one where the two rows differ."""
        moments = [row.expires for row in (self.imap, self.smtp) if row and row.expires]
        return (
            min((m for m in moments if isinstance(m, datetime)), default=None) if moments else None
        )

    @property
    def percent(self) -> float | None:
        """How much of the quota is used; None where there is no limit or no usage is known."""
        if not (self.imap and self.imap.quota and self.usage):
            return None
        return round(100 * self.usage[0] / (self.imap.quota * MIB), 1)

    def active(self, now: datetime) -> bool:
        """NULL means enabled and never, as tine has it."""
        expires = self.expires
        return (self.status or ENABLED) == ENABLED and (expires is None or expires > now)

    def differences(self) -> list[str]:
        """Where the two rows do not tell the same."""
        imap, smtp = self.imap, self.smtp
        if not (imap and smtp):
            return []
        pairs = (
            ("username", fold(imap.username), fold(smtp.username)),
            ("address", fold(imap.loginname or smtp.email or ""), fold(smtp.email or "")),
            ("status", imap.status or ENABLED, smtp.status or ENABLED),
            ("expires", imap.expires, smtp.expires),
        )
        return [word for word, one, other in pairs if one != other]


class Tables:
    """What the four tables are like here."""

    def __init__(self, names: Names, actual: Actual) -> None:
        self._where = {
            name: (database, actual.tables.get((database, name)))
            for name, database in (
                ("dovecot_users", names.dovecot),
                ("dovecot_usage", names.dovecot),
                ("smtp_users", names.postfix),
                ("smtp_destinations", names.postfix),
            )
        }
        self.multi = self.has("smtp_destinations", "users_id")
        lacking = [
            f"column {self._where[table][0]}.{table}.{column}"
            for table in ("dovecot_users", "smtp_users")
            for column in ("userid", "username")
            if self.has(table) and not self.has(table, column)
        ]
        if lacking:
            raise SchemaNotReady(lacking)

    def has(self, table: str, column: str = "") -> bool:
        there = self._where[table][1]
        return there is not None and (not column or column in there.columns)

    def name(self, table: str) -> str:
        return f"{quoted(self._where[table][0])}.{quoted(table)}"

    def accounts(self) -> bool:
        """Whether there is anything that holds accounts."""
        return self.has("dovecot_users") or self.has("smtp_users")

    def absent(self) -> list[str]:
        """Tables and columns of today that are not here, or that may not be read."""
        wished = {
            "dovecot_users": _IMAP.values(),
            "dovecot_usage": ("username", "storage", "messages"),
            "smtp_users": [name for name in _SMTP.values() if name != "id" or self.multi],
            "smtp_destinations": (
                "users_id" if self.multi else "userid",
                *("source", "destination", "dispatch_address"),
            ),
        }
        return [
            words
            for table, columns in wished.items()
            for words in self._lacking(*self._where[table], table, columns)
        ]

    def _lacking(
        self, database: str, there: ActualTable | None, table: str, columns: Iterable[str]
    ) -> Iterator[str]:
        if there is None:
            yield f"table {database}.{table}"
        else:
            absent = sorted(set(columns) - set(there.columns))
            yield from (f"column {database}.{table}.{column}" for column in absent)


class Reader:
    """Reads accounts: first whose, then in portions what is known of them."""

    def __init__(self, cursor: Cursor, tables: Tables, fields: Collection[str] = FIELDS) -> None:
        self.cursor = cursor
        self.tables = tables
        self.fields = frozenset(fields)
        self.routed = bool(self.fields & _ROUTED) and tables.has("smtp_destinations", "source")

    def _asked(self, sql: str, values: Sequence[object]) -> Sequence[Any]:
        self.cursor.execute(sql, values)
        return self.cursor.fetchall()

    def _portions(self, sql: str, values: Iterable[object]) -> Iterator[Any]:
        """The answer to a statement that has one IN list."""
        for chunk in chunks(values):
            yield from self._asked(sql.replace("{marks}", marks(chunk)), chunk)

    # ---- whose

    def userids(self, asked: Question) -> list[str]:
        """The accounts that may be meant, by address. Unique names are answered by their keys;
        only where none is asked for, every row is looked at."""
        found = list(self._named(asked)) or list(self._described(asked)) or [self._found("", "")]
        kept = set(found[0]).intersection(*found[1:])
        return [found[0][key][1] for key in sorted(kept, key=lambda key: found[0][key])]

    def _found(
        self, imap: str | None, smtp: str | None, values: Sequence[object] | None = None
    ) -> dict[str, tuple[str, str]]:
        """Address and userid by userid, of the rows that fulfil a condition on each table.

        A table without a condition is left out; no values are fulfilled by nobody.
        """
        found: dict[str, tuple[str, str]] = {}
        for table, condition in (("dovecot_users", imap), ("smtp_users", smtp)):
            if condition is not None and self.tables.has(table):
                found.update(self._found_in(table, condition, values))
        return found

    def _found_in(
        self, table: str, condition: str, values: Sequence[object] | None
    ) -> dict[str, tuple[str, str]]:
        sql = f"SELECT userid, {self._address(table)} FROM {self.tables.name(table)} {condition}"
        rows = self._asked(sql, ()) if values is None else self._portions(sql, values)
        found: dict[str, tuple[str, str]] = {}
        for userid, address in rows:
            place = (fold(address), userid)
            key = fold(userid)
            found[key] = min(place, found.get(key, place))
        return found

    def _address(self, table: str) -> str:
        column = "loginname" if table == "dovecot_users" else "email"
        return f"COALESCE({column}, username)" if self.tables.has(table, column) else "username"

    def _column(self, table: str, column: str) -> str:
        return column if self.tables.has(table, column) else "username"

    def _named(self, asked: Question) -> Iterator[dict[str, tuple[str, str]]]:
        login, email = (
            self._column("dovecot_users", "loginname"),
            self._column("smtp_users", "email"),
        )
        if asked.addresses is not None:
            yield self._listed(login, email, asked.addresses)
        if asked.usernames is not None:
            yield self._listed("username", "username", asked.usernames)
        if asked.userids is not None:
            yield self._listed("userid", "userid", asked.userids)
        if asked.aliases is not None:
            yield self._owners_of(asked.aliases)

    def _listed(self, imap: str, smtp: str, values: Sequence[str]) -> dict[str, tuple[str, str]]:
        return self._found(f"WHERE {imap} IN ({{marks}})", f"WHERE {smtp} IN ({{marks}})", values)

    def _owners_of(self, sources: Sequence[str]) -> dict[str, tuple[str, str]]:
        if not self.tables.has("smtp_destinations", "source"):
            return {}
        email = f"u.{self._column('smtp_users', 'email')}"
        key = "u.id = d.users_id" if self.tables.multi else "u.userid = d.userid"
        sql = (
            f"SELECT u.userid, COALESCE({email}, u.username) "
            f"FROM {self.tables.name('smtp_destinations')} d "
            f"JOIN {self.tables.name('smtp_users')} u ON {key} WHERE d.source IN ({{marks}}) "
            f"AND d.source <> COALESCE({email}, '') AND d.source <> u.username"
        )
        rows = self._portions(sql, sources)
        return {fold(userid): (fold(address), userid) for userid, address in rows}

    def _described(self, asked: Question) -> Iterator[dict[str, tuple[str, str]]]:
        """Supersets: what an account is like is told by both of its rows together."""
        if asked.domains is not None:
            yield self._in_domains(sorted(asked.domains))
        if asked.owners is not None:
            owned = self.tables.has("smtp_users", "client_idnr")
            condition = "WHERE client_idnr IN ({marks})" if owned else None
            yield self._found(None, condition, sorted(asked.owners))
        if asked.statuses is not None and ENABLED not in asked.statuses:
            imap, smtp = (
                "WHERE status IN ({marks})" if self.tables.has(table, "status") else None
                for table in ("dovecot_users", "smtp_users")
            )
            yield self._found(imap, smtp, sorted(asked.statuses))

    def _in_domains(self, domains: Sequence[str]) -> dict[str, tuple[str, str]]:
        imap, smtp = (
            f"WHERE SUBSTRING_INDEX({self._address(table)}, '@', -1) IN ({{marks}})"
            for table in ("dovecot_users", "smtp_users")
        )
        return self._found(imap, smtp, domains)

    # ---- what

    def people(self, userids: Sequence[str], routed: bool = True) -> Iterator[Person]:
        """The accounts of a portion of userids, in their order."""
        imap = self._by_userid(Imap, "dovecot_users", _IMAP, userids)
        smtp = self._by_userid(Smtp, "smtp_users", _SMTP, userids)
        usage = self._usage([row.username for rows in imap.values() for row in rows])
        rows = self._destinations([row for rows in smtp.values() for row in rows], routed)
        for key in dict.fromkeys(fold(userid) for userid in userids):
            found = [
                Person(
                    one,
                    other,
                    usage.get(fold(one.username)) if one else None,
                    rows.get(self._link(other), frozenset())
                    if rows is not None and other
                    else None,
                )
                for one, other in _pairs(imap.get(key, []), smtp.get(key, []))
            ]
            yield from found if len(found) == 1 else sorted(found, key=lambda p: fold(p.address))

    def _by_userid(
        self, row: Any, table: str, columns: Mapping[str, str], userids: Sequence[str]
    ) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        if self.tables.has(table):
            names = self._read_names(row)
            listed = ", ".join(self._expression(table, name, columns[name]) for name in names)
            sql = f"SELECT {listed} FROM {self.tables.name(table)} WHERE userid IN ({{marks}})"
            for values in self._portions(sql, userids):
                found.setdefault(fold(values[0]), []).append(row(*values))
        return found

    def _read_names(self, row: Any) -> list[str]:
        """The fields of a row up to the last that is needed: a NULL takes time as well."""
        names = list(row._fields)
        while not self._needs(names[-1]):
            names.pop()
        return names

    def _needs(self, name: str) -> bool:
        return _ONLY_FOR.get(name, "userid") in self.fields

    def _expression(self, table: str, name: str, column: str) -> str:
        """How a column is asked for: not at all where it is not there or not needed."""
        if not (self.tables.has(table, column) and self._needs(name)):
            return "NULL"
        return _PREFIX.format(column) if name == "scheme" else column

    def _usage(self, usernames: Sequence[str]) -> dict[str, tuple[int, int]]:
        if not all(self.tables.has("dovecot_usage", name) for name in ("storage", "messages")):
            return {}
        sql = (
            f"SELECT username, storage, messages FROM {self.tables.name('dovecot_usage')} "
            "WHERE username IN ({marks})"
        )
        rows = self._portions(sql, usernames)
        return {fold(username): (storage, messages) for username, storage, messages in rows}

    def _link(self, row: Smtp) -> object:
        return row.id if self.tables.multi else fold(row.userid)

    def _destinations(
        self, people: Sequence[Smtp], routed: bool
    ) -> dict[object, frozenset[Destination]] | None:
        """The rows by what links them to an account."""
        if not (self.routed and routed):
            return None
        link = "users_id" if self.tables.multi else "userid"
        dispatch = self._dispatch()
        sql = (
            f"SELECT {link}, source, destination, {dispatch} "
            f"FROM {self.tables.name('smtp_destinations')} WHERE {link} IN ({{marks}})"
        )
        found: dict[object, set[Destination]] = {}
        values = [row.id if self.tables.multi else row.userid for row in people]
        for key, source, target, may_send in self._portions(sql, values):
            row = Destination(source, target, bool(may_send))
            found.setdefault(fold(key) if isinstance(key, str) else key, set()).add(row)
        return {key: frozenset(rows) for key, rows in found.items()}

    def _dispatch(self) -> str:
        named = self.tables.has("smtp_destinations", "dispatch_address")
        return "dispatch_address" if named else "NULL"


def _pairs(imap: Sequence[Imap], smtp: Sequence[Smtp]) -> Iterator[tuple[Imap | None, Smtp | None]]:
    """Rows of one userid that belong together: all by their username first, then as they come."""
    left = {fold(row.username): row for row in imap}
    mates = [left.pop(fold(row.username), None) for row in smtp]
    rest = iter(left.values())
    for row, mate in zip(smtp, mates):
        yield mate or next(rest, None), row
    yield from ((row, None) for row in rest)


@dataclass(frozen=True)
class Words:
    """How accounts are told; now is the server's UTC, fields are in the order of FIELDS."""

    now: datetime
    tables: Tables
    fields: Sequence[str] = FIELDS
    by_username: bool = False  # tine's destinationisusername

    def told(self, person: Person) -> dict[str, Any]:
        """An account in the words of mail, as far as the fields are asked for."""
        said = {**self._self(person), **self._limits(person), **self._state(person)}
        if not _ROUTED.isdisjoint(self.fields):
            said.update(self._routes(person))
        return {name: said[name] for name in self.fields}

    def _self(self, person: Person) -> dict[str, Any]:
        imap, smtp = person.imap, person.smtp
        return {
            "address": person.address,
            "userid": person.row.userid,
            "username": person.row.username,
            "login_name": imap.loginname if imap else None,
            "domain": person.domain,
            "imap_domain": imap.domain if imap else None,
            "instance": imap.instance if imap else None,
            "client_idnr": person.owner,
            "uid": imap.uid if imap else None,
            "gid": imap.gid if imap else None,
            "home": imap.home if imap else None,
            "forward_only": None
            if not smtp or smtp.forward_only is None
            else bool(smtp.forward_only),
            "imap_password_scheme": scheme(imap.scheme) if imap else None,
            "smtp_password_scheme": scheme(smtp.scheme) if smtp else None,
        }

    def _limits(self, person: Person) -> dict[str, Any]:
        imap = person.imap
        mebibytes = imap.quota if imap else None
        usage, messages = person.usage or (None, None)
        return {
            "quota": None if mebibytes is None else mebibytes * MIB,
            "quota_mib": mebibytes,
            "quota_messages": imap.quota_messages if imap else None,
            "quota_sieve": imap.quota_sieve if imap else None,
            "quota_sieve_scripts": imap.quota_sieve_scripts if imap else None,
            "usage_bytes": usage,
            "usage_messages": messages,
            "usage_percent": person.percent,
        }

    def _state(self, person: Person) -> dict[str, Any]:
        imap, smtp = person.imap, person.smtp
        return {
            "status": person.status or (ENABLED if self._knows(person, "status") else None),
            "expires": moment(person.expires)
            or (NEVER if self._knows(person, "expiry_date") else None),
            "active": person.active(self.now),
            "last_login": _last_login(imap) if imap else None,
            "last_modified": _latest(row.modified for row in (imap, smtp) if row),
            "lone": person.lone,
            "differences": person.differences(),
        }

    def _knows(self, person: Person, column: str) -> bool:
        """Whether one of the rows could say it."""
        sides = (("dovecot_users", person.imap), ("smtp_users", person.smtp))
        return any(row and self.tables.has(table, column) for table, row in sides)

    def _routes(self, person: Person) -> dict[str, Any]:
        smtp = person.smtp
        if smtp is None or person.rows is None:
            return dict.fromkeys(_ROUTED)
        row = SmtpRow(
            userid=smtp.userid,
            owner=smtp.owner or "",
            username=smtp.username,
            password="",
            email=smtp.email,
            forward_only=bool(smtp.forward_only),
            status=smtp.status,
            expires=smtp.expires,
        )
        known = routes(Account(None, row, person.rows), by_username=self.by_username)
        return {
            "aliases": [
                {"address": alias.source, "dispatch_address": self._may_send(alias.dispatch)}
                for alias in sorted(known.aliases)
            ],
            "catch_alls": sorted(a.source[1:] for a in known.aliases if a.source.startswith("@")),
            "forwards": sorted(known.forwards),
            "other_destinations": [
                {
                    "source": stray.source,
                    "destination": stray.target,
                    "dispatch_address": self._may_send(stray.dispatch),
                }
                for stray in sorted(known.strays)
            ],
        }

    def _may_send(self, dispatch: bool) -> bool | None:
        return dispatch if self.tables.has("smtp_destinations", "dispatch_address") else None


@lru_cache(maxsize=256)
def scheme(stored: str | None) -> str | None:
    """The scheme that a stored password names; never a part of the password."""
    if stored is None:
        return None
    name, _dot, encoding = stored.upper().partition(".")
    if not stored:
        return NO_SCHEME
    return name if name in _SCHEMES and encoding in _ENCODINGS else OTHER_SCHEME


def moment(given: object) -> str | None:
    """UTC in ISO 8601; None for NULL and for MySQL's zero dates, which are no datetime."""
    return f"{given.isoformat(timespec='seconds')}Z" if isinstance(given, datetime) else None


def _last_login(row: Imap) -> str | None:
    """The number is the same everywhere, so it goes before the datetime."""
    if row.last_login_unix:
        return moment(_EPOCH + timedelta(seconds=row.last_login_unix))
    return moment(row.last_login)


def _latest(moments: Iterable[object]) -> str | None:
    return moment(max((m for m in moments if isinstance(m, datetime)), default=None))


@dataclass
class Summary:
    """Counts over accounts, as they pass by."""

    accounts: int = 0
    active: int = 0
    forward_only: int = 0
    unlimited: int = 0
    quota_mib: int = 0
    usage_bytes: int = 0
    usage_messages: int = 0
    counts: dict[str, Counter[str]] = field(
        default_factory=lambda: {
            name: Counter()
            for name in (
                *("status", "domain", "client_idnr", "lone"),
                *("imap_password_scheme", "smtp_password_scheme"),
            )
        }
    )

    def add(self, person: Person, now: datetime) -> None:
        """Count one account."""
        imap, smtp, usage, _rows = person
        self.accounts += 1
        self.active += person.active(now)
        self._count("status", person.status or ENABLED)
        self._count("domain", fold(person.domain))
        if imap:
            self.unlimited += imap.quota == 0
            self.quota_mib += imap.quota or 0
            self._count("imap_password_scheme", scheme(imap.scheme))
        if smtp:
            self.forward_only += bool(smtp.forward_only)
            self._count("client_idnr", smtp.owner)
            self._count("smtp_password_scheme", scheme(smtp.scheme))
        if usage:
            self.usage_bytes += usage[0]
            self.usage_messages += usage[1]
        self._count("lone", person.lone)

    def _count(self, what: str, value: str | None) -> None:
        if value is not None:
            self.counts[what][value] += 1

    def told(self) -> dict[str, Any]:
        """The counts by name."""
        return {
            "accounts": self.accounts,
            "active": self.active,
            "forward_only": self.forward_only,
            "unlimited": self.unlimited,
            "quota_mib": self.quota_mib,
            "usage_bytes": self.usage_bytes,
            "usage_messages": self.usage_messages,
            **{name: dict(sorted(counter.items())) for name, counter in self.counts.items()},
        }


class NothingToRead(MailhostError):
    """No table of accounts is there, or none may be read."""

    def __init__(self, names: Names) -> None:
        super().__init__(
            f"Neither {names.dovecot}.dovecot_users nor {names.postfix}.smtp_users is there, or "
            "login_user may not read them: check dovecot_database, postfix_database and its grants."
        )
