# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases of every generation of tine's tables, and people in them.

The definitions are those of their time. What the people have is said once, for all generations.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .conftest import Host

UTF8 = "utf8mb3_general_ci"
MIB = 1 << 20
OWNER = "7"
TINE = "9" * 40
EXTERNAL = "far.example"

# ---- Dovecot's tables: D0 to D10


def _dovecot(number: int) -> Iterator[str]:
    six, status = number >= 6, number >= 10
    nullable = "" if number < 2 else "DEFAULT NULL"
    columns = [
        f"userid varchar({80 if six else 40}) NOT NULL",
        "domain varchar(80) NOT NULL DEFAULT ''" if six else "domain varchar(80) DEFAULT NULL",
        "username varchar(80) NOT NULL",
        *(["loginname varchar(255) DEFAULT NULL"] if six else []),
        *(["scheme varchar(20) NOT NULL DEFAULT 'PLAIN-MD5'"] if number == 0 else []),
        f"password varchar({256 if number in (4, 5) else 100}) NOT NULL",
    ]
    if number >= 3:
        columns += [
            f"quota_bytes bigint(20) NOT NULL DEFAULT {2000 if six else 0}",
            "quota_message int(11) NOT NULL DEFAULT 0",
        ]
    if six:
        columns += [
            "quota_sieve_bytes bigint(20) NOT NULL DEFAULT 0",
            "quota_sieve_script int(11) NOT NULL DEFAULT 0",
            "last_login_unix int(11) DEFAULT NULL",
        ]
    columns += [f"{name} varchar(20) {nullable or 'NOT NULL'}" for name in ("uid", "gid")]
    columns += [f"home varchar(256) {nullable or 'NOT NULL'}"]
    columns += [f"last_login datetime {nullable or 'NOT NULL'}"]
    columns += ["instancename varchar(40) DEFAULT NULL"] if number >= 5 else []
    columns += STATUS if status else []
    columns += ["PRIMARY KEY (userid, domain)"] if six else []
    columns += ["UNIQUE KEY username (username)"]
    columns += ["UNIQUE KEY loginname (loginname)"] if number >= 8 else []
    yield _table("dovecot_users", *columns)
    if number < 3:
        yield _table(
            "dovecot_quotas",
            "username varchar(80) NOT NULL",
            *(f"{name} bigint(20) NOT NULL DEFAULT 0" for name in _QUOTAS),
            "PRIMARY KEY (username)",
        )
    else:
        yield _table(
            "dovecot_usage",
            "username varchar(80) NOT NULL",
            "storage bigint(20) NOT NULL DEFAULT 0",
            "messages bigint(20) NOT NULL DEFAULT 0",
            "PRIMARY KEY (username)",
            "CONSTRAINT `dovecot_usage::username--dovecot_users::username` FOREIGN KEY (username) "
            "REFERENCES dovecot_users (username) ON DELETE CASCADE ON UPDATE CASCADE",
        )
    if number >= 7:
        services = "'sieve','all'" if number >= 9 else "'sieve'"
        yield _table(
            "dovecot_master_users",
            "username varchar(80) NOT NULL",
            "password varchar(100) NOT NULL",
            f"service enum({services}) DEFAULT 'sieve'",
            "PRIMARY KEY (username)",
        ).replace(UTF8, "utf8mb3_unicode_ci")


_QUOTAS = ("mail_quota", "mail_size", "sieve_quota", "sieve_size")
STATUS = ["status varchar(80)", "expiry_date datetime", "last_modified_time datetime"]

# ---- Postfix's tables: S0 to S8, S6b, and those for several tines


def _table(name: str, *columns: str, engine: str = "InnoDB") -> str:
    charset = UTF8.partition("_")[0]
    return (
        f"CREATE TABLE {name} ({', '.join(columns)}) "
        f"ENGINE={engine} DEFAULT CHARSET={charset} COLLATE={UTF8}"
    )


def _cascade(name: str, column: str = "userid", parent: str = "userid") -> str:
    return (
        f"CONSTRAINT `{name}` FOREIGN KEY ({column}) REFERENCES smtp_users ({parent}) "
        "ON DELETE CASCADE ON UPDATE CASCADE"
    )


_FLAG = "forward_only tinyint(1) NOT NULL DEFAULT 0"
_TYPE = "encryption_type varchar(20) NOT NULL DEFAULT 'md5'"
_QUOTA = "quota int(10) DEFAULT 10485760"
_DISPATCH = "dispatch_address tinyint(1) NOT NULL DEFAULT 1"


def _before_2010(users: str) -> str:
    return _table(
        users,
        *("email varchar(80) NOT NULL", "passwd varchar(34) NOT NULL", _QUOTA),
        *("userid varchar(100) NOT NULL", _TYPE, "client_idnr bigint(20) NOT NULL", _FLAG),
        "PRIMARY KEY (email)",
        engine="MyISAM",
    )


def _list(name: str, *columns: str, engine: str = "MyISAM") -> str:
    return _table(name, *columns, engine=engine)


_TEXTS = ("source varchar(80) NOT NULL", "destination text NOT NULL")
_PAIR = ("source varchar(80) NOT NULL", "destination varchar(80) NOT NULL")


def _users(
    *more: str, passwd: int = 256, email: str = "DEFAULT NULL", owner: str = "", userid: int = 40
) -> str:
    owned = owner or "client_idnr varchar(40) NOT NULL"
    return _table(
        "smtp_users",
        *(f"userid varchar({userid}) NOT NULL", owned, "username varchar(80) NOT NULL"),
        *(f"passwd varchar({passwd}) NOT NULL", f"email varchar(80) {email}", _FLAG, *more),
        *(f"PRIMARY KEY (userid, {owned.split()[0]})", "UNIQUE KEY email (email)"),
    )


def _destinations(*more: str, name: str = "smtp_destinations") -> str:
    return _table(
        name,
        *("userid varchar(40) NOT NULL", *_PAIR, *more),
        _cascade(f"{name}::userid--smtp_users::userid"),
    )


_UNIQUE = "UNIQUE KEY username (username)"
_FORCED = ("UNIQUE KEY force_unique (source, destination)", "KEY userid (userid)")


def _several(dispatch: bool, *domain: str) -> list[str]:
    status = STATUS if dispatch else []
    flag = [_DISPATCH, *STATUS, _FORCED[0]] if dispatch else []
    return [
        _table(
            "smtp_users",
            *("id int(11) NOT NULL AUTO_INCREMENT", "userid varchar(40) NOT NULL"),
            *("client_idnr varchar(40) DEFAULT NULL", "username varchar(80) NOT NULL"),
            *("passwd varchar(256) NOT NULL", "email varchar(80) DEFAULT NULL", _FLAG, *status),
            *("PRIMARY KEY (id)", _UNIQUE, "UNIQUE KEY `userid-client` (userid, client_idnr)"),
            "UNIQUE KEY email (email)",
        ),
        _table(
            "smtp_destinations",
            *("users_id int(11) NOT NULL", *_PAIR, *flag),
            *("KEY users_id (users_id)", "KEY source (source)"),
            _cascade("smtp_destinations_ibfk_1", "users_id", "id"),
        ),
        *domain,
    ]


_DOMAINS = ("domain varchar(50) NOT NULL", "instancename varchar(40) NOT NULL")
_MULTI_DOMAINS = _table("smtp_virtual_domains", *_DOMAINS, *STATUS, "PRIMARY KEY (domain)")
_FORMER = {"passwd": 80, "email": "NOT NULL"}
_BIGINT = "client_idnr bigint(20) NOT NULL"
POSTFIX = {
    "S0": [_before_2010("users"), _list("forwardings", *_TEXTS)],
    "S1": [
        _before_2010("smtp_users"),
        _list("smtp_aliases", "email varchar(80) NOT NULL", "alias varchar(80) NOT NULL"),
        _list("smtp_forwardings", *_TEXTS),
    ],
    "S2": [
        _users(_QUOTA, _TYPE, passwd=34, email="NOT NULL", owner=_BIGINT),
        _list(
            *("smtp_aliases", "userid varchar(40) NOT NULL", "alias varchar(80) NOT NULL"),
            _cascade("smtp_aliases::userid--smtp_users::userid"),
            engine="InnoDB",
        ),
        _list(
            *("smtp_forwardings", "userid varchar(40) NOT NULL", "forward text NOT NULL"),
            _cascade("smtp_forwardings::userid--smtp_users::userid"),
            engine="InnoDB",
        ),
    ],
    "S3": [
        _users(_TYPE, _UNIQUE, passwd=34, email="NOT NULL", owner="domain varchar(80) NOT NULL"),
        _destinations(name="smtp_aliases"),
    ],
    "S4": [_users(_TYPE, _UNIQUE, passwd=34, email="NOT NULL"), _destinations()],
    "S5": [_users(_UNIQUE, **_FORMER), _destinations()],
    "S6": [_users(_UNIQUE, passwd=80), _destinations()],
    "S6b": [_users(_QUOTA, _TYPE, _UNIQUE, passwd=100, userid=80), _destinations()],
    "S7": [_users(_UNIQUE), _destinations(_DISPATCH)],
    "S8": [_users(*STATUS, _UNIQUE), _destinations(_DISPATCH, *STATUS, *_FORCED)],
    "several of 2019": _several(
        False, _table("smtp_virtual_domains", *_DOMAINS, "PRIMARY KEY (domain)")
    ),
    "several of 2026": _several(True, _MULTI_DOMAINS),
    # The import of tine's file of 2026 ends with error 1005 before its last table.
    "several of 2026, broken off": _several(True),
}
DOVECOT = {f"D{number}": list(_dovecot(number)) for number in range(11)}


# ---- people


@dataclass(frozen=True)
class Person:
    """Somebody, whatever the tables are like."""

    number: int
    username: str
    email: str
    quota: int  # bytes
    aliases: tuple[str, ...] = ()
    forwards: tuple[str, ...] = ()
    forward_only: bool = False

    @property
    def userid(self) -> str:
        return hashlib.sha1(str(self.number).encode()).hexdigest()

    @property
    def password(self) -> str:
        return f"pässword {self.number}"

    @property
    def md5(self) -> str:
        return hashlib.md5(self.password.encode()).hexdigest()


def people(number: int, named_by_email: bool) -> list[Person]:
    """Every way to be somebody, again and again."""
    return [_person(n, named_by_email) for n in range(number)]


def _person(n: int, named_by_email: bool) -> Person:
    local = (f"p{n}", f"jürgen.groß{n}", f"o'neil{n}", f"L{n}".ljust(67, "x"))[n % 4]
    email = f"{local}@example.org"
    login = email if named_by_email or n % 3 == 0 else f"login{n}@instance".rjust(80, "i")
    aliases = (f"alias{n}@example.org", f"ällias.łódź{n}@second.example")[: n % 3]
    forwards = (f"f{n}@{EXTERNAL}", f"p{n - 2}@example.org")[: n % 5 // 2]
    quotas = (0, 5 * MIB, 1, 3 * MIB + 7, 10**12)
    return Person(n, login, email, quotas[n % 5], aliases, forwards, bool(forwards) and n % 2 == 0)


def mailbox_of(person: Person) -> set[str]:
    """Where their mail is to arrive, one step from them."""
    return set(person.forwards) | (set() if person.forward_only else {person.username})


def unowned(number: int) -> dict[str, list[str]]:
    """What could be said before destinations belonged to somebody."""
    known = [f"p{n}@example.org" for n in range(0, min(number, 12), 4)]
    return {
        "team@example.org": known,
        "press@example.org": [known[0], f"agency@{EXTERNAL}"],
        f"{'o' * 60}@second.example": [f"one@{EXTERNAL}", f"two@{EXTERNAL}"],
    }


class OldHost(Host):
    """One database with the tables of two generations, and people in them."""

    def build(self, dovecot: str, postfix: str, number: int, charset: str = UTF8) -> None:
        self.create_databases()
        self.generations = dovecot, postfix
        self.people = people(number, named_by_email=postfix in ("S0", "S1"))
        self.unowned = unowned(number) if postfix in ("S0", "S1") else {}
        connection = self.mariadb.connect()
        with connection, connection.cursor() as cursor:
            cursor.execute("SET sql_mode = 'STRICT_ALL_TABLES'")
            for database, statements in (
                (self.dovecot, DOVECOT.get(dovecot, [])),
                (self.postfix, POSTFIX.get(postfix, [])),
            ):
                cursor.execute(f"USE `{database}`")
                for statement in statements:
                    cursor.execute(_in_charset(statement, charset))
            cursor.execute("START TRANSACTION")
            if dovecot in DOVECOT:
                cursor.execute(f"USE `{self.dovecot}`")
                self._mailboxes(cursor, int(dovecot[1:]))
            if postfix in POSTFIX:
                cursor.execute(f"USE `{self.postfix}`")
                self._postfix(cursor, postfix)
            cursor.execute("COMMIT")

    def _insert(self, cursor: Any, table: str, rows: list[dict[str, Any]]) -> None:
        if rows:
            names = ", ".join(rows[0])
            marks = ", ".join(["%s"] * len(rows[0]))
            cursor.executemany(
                f"INSERT INTO {table} ({names}) VALUES ({marks})",
                [tuple(row.values()) for row in rows],
            )

    # -- Dovecot's

    def _mailboxes(self, cursor: Any, number: int) -> None:
        rows = [self._mailbox(number, person) for person in self.people]
        self._insert(cursor, "dovecot_users", rows)
        if number < 3:
            self._insert(
                cursor,
                "dovecot_quotas",
                [
                    {
                        **{"username": p.username, "mail_quota": p.quota, "mail_size": p.number},
                        **{"sieve_quota": MIB, "sieve_size": 7},
                    }
                    for p in self.people
                    if p.quota
                ],
            )
        else:
            usage = [
                {"username": p.username, "storage": p.number, "messages": 7}
                for p in self.people
                if p.quota
            ]
            self._insert(cursor, "dovecot_usage", usage)

    def _mailbox(self, number: int, person: Person) -> dict[str, Any]:
        domains = ("example.org", "", None) if number < 6 else ("example.org", "")
        row: dict[str, Any] = {
            "userid": person.userid,
            "domain": domains[person.number % len(domains)],
            "username": person.username,
            "password": person.md5 if number == 0 else f"{{PLAIN-MD5}}{person.md5}",
            "uid": "vmail",
            "gid": "vmail",
            "home": f"/var/vmail/{person.number}",
            "last_login": "2010-01-01",
        }
        if number >= 2 and person.number % 2:
            row |= {"uid": None, "gid": None, "home": None, "last_login": None}
        if number >= 3:
            row["quota_bytes"] = mebibytes(person)
        if number >= 6:
            # Two with the same, where nothing forbids it.
            twin = number < 8 and person.number % 20 == 19
            row["loginname"] = "p16@example.org" if twin else person.email
        return row

    # -- Postfix's

    def _postfix(self, cursor: Any, kind: str) -> None:
        table = "users" if kind == "S0" else "smtp_users"
        self._insert(cursor, table, [self._user(kind, person) for person in self.people])
        if kind in ("S0", "S1"):
            self._by_email(cursor, kind)
        elif kind == "S2":
            self._by_userid(cursor)
        else:
            self._routes(cursor, kind)

    def _user(self, kind: str, person: Person) -> dict[str, Any]:
        bare = kind in ("S0", "S1", "S2", "S3", "S4")
        row: dict[str, Any] = {
            "userid": person.userid,
            "email": person.email,
            "passwd": person.md5 if bare else f"{{PLAIN-MD5}}{person.md5}",
            "forward_only": person.forward_only,
        }
        if kind not in ("S0", "S1"):
            row["username"] = person.username
        if kind == "S3":
            row["domain"] = "example.org"
        else:
            row["client_idnr"] = OWNER if kind in ("S0", "S1", "S2") else TINE
        return row

    def _by_email(self, cursor: Any, kind: str) -> None:
        aliases = [(p.email, alias) for p in self.people for alias in p.aliases]
        pairs = {p.email: list(p.forwards) for p in self.people if p.forwards} | self.unowned
        if kind == "S0":
            pairs |= {alias: [email] for email, alias in aliases}
        else:
            rows = [{"email": email, "alias": alias} for email, alias in aliases]
            self._insert(cursor, "smtp_aliases", rows + rows[:1])
        rows = [{"source": s, "destination": ", ".join(d)} for s, d in pairs.items()]
        self._insert(cursor, "forwardings" if kind == "S0" else "smtp_forwardings", rows)

    def _by_userid(self, cursor: Any) -> None:
        aliases = [{"userid": p.userid, "alias": a} for p in self.people for a in p.aliases]
        self._insert(cursor, "smtp_aliases", aliases + aliases[:1])
        rows = [
            {"userid": p.userid, "forward": ",".join(p.forwards)} for p in self.people if p.forwards
        ]
        self._insert(cursor, "smtp_forwardings", rows)

    def _routes(self, cursor: Any, kind: str) -> None:
        table = "smtp_aliases" if kind == "S3" else "smtp_destinations"
        owner, key = "userid", {p.userid: p.userid for p in self.people}
        if kind.startswith("several"):
            cursor.execute("SELECT id, userid FROM smtp_users")
            owner, key = "users_id", {row["userid"]: row["id"] for row in cursor.fetchall()}
        rows = [
            {owner: key[person.userid], "source": source, "destination": destination}
            for person in self.people
            for source, destination in routes(person)
        ]
        if kind not in ("S8", "several of 2026", "several of 2026, broken off"):
            rows += rows[::7]
            others = [key[person.userid] for person in self.people[:1]]
            rows += [{**row, owner: other} for other in others for row in rows[1:30:9]]
        self._insert(cursor, table, rows)


def routes(person: Person) -> Iterator[tuple[str, str]]:
    """As tine has written them since 2010."""
    yield from ((person.email, forward) for forward in person.forwards)
    targets = person.forwards if person.forward_only else (person.email,)
    yield from ((alias, target) for alias in person.aliases for target in targets)
    if not person.forward_only:
        yield from dict.fromkeys(
            ((person.email, person.username), (person.username, person.username))
        )


def mebibytes(person: Person) -> int:
    return -(-person.quota // MIB)


def _in_charset(statement: str, collation: str) -> str:
    charset = collation.partition("_")[0]
    return statement.replace(UTF8, collation).replace("CHARSET=utf8mb3", f"CHARSET={charset}")
