# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts in the tables of every generation of tine, single and multi-instance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.wanted import OWNER

from .conftest import Failed, Host, MariaDB
from .test_model import OTHER, READY, TINE, fresh, tine_writes
from .test_model import twice as converged

AS_USUAL = {"account_name_destination": True, "destination_is_username": False}

CHARSET = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci"
STATUS = "status varchar(80), expiry_date datetime, last_modified_time datetime,"
OURS = f"""
CREATE TABLE IF NOT EXISTS smtp_virtual_domains (domain varchar(50) NOT NULL PRIMARY KEY,
  instancename varchar(40) NOT NULL) {CHARSET};
CREATE TABLE mailserver_lock (id tinyint(3) unsigned NOT NULL PRIMARY KEY,
  generation bigint(20) unsigned NOT NULL DEFAULT 0) {CHARSET};
INSERT INTO mailserver_lock VALUES (1, 0);
INSERT INTO smtp_virtual_domains VALUES ('example.org', ''), ('second.example', '')
"""


def dovecot_table(
    userid: str = "varchar(80)",
    domain: str = "varchar(80) NOT NULL DEFAULT ''",
    password: str = "varchar(100)",
    loginname: str = "loginname varchar(255) DEFAULT NULL,",
    sieve: str = "quota_sieve_bytes bigint(20) NOT NULL DEFAULT 0, "
    "quota_sieve_script int(11) NOT NULL DEFAULT 0,",
    instance: str = "instancename varchar(40) DEFAULT NULL,",
    status: str = "",
    keys: str = ", UNIQUE KEY loginname (loginname)",
) -> str:
    key = "PRIMARY KEY (userid, domain)" if "NOT NULL" in domain else "KEY userid (userid)"
    return f"""
CREATE TABLE dovecot_users (userid {userid} NOT NULL, domain {domain},
  username varchar(80) NOT NULL, {loginname} password {password} NOT NULL,
  quota_bytes bigint(20) NOT NULL DEFAULT 2000, quota_message int(11) NOT NULL DEFAULT 0, {sieve}
  uid varchar(20) DEFAULT NULL, gid varchar(20) DEFAULT NULL, home varchar(256) DEFAULT NULL,
  last_login datetime DEFAULT NULL, {instance} {status}
  {key}, UNIQUE KEY username (username){keys}) {CHARSET};
CREATE TABLE dovecot_usage (username varchar(80) NOT NULL PRIMARY KEY,
  storage bigint(20) NOT NULL DEFAULT 0, messages bigint(20) NOT NULL DEFAULT 0,
  CONSTRAINT `dovecot_usage::username--dovecot_users::username` FOREIGN KEY (username)
  REFERENCES dovecot_users (username) ON DELETE CASCADE ON UPDATE CASCADE) {CHARSET};
CREATE TABLE dovecot_master_users (username varchar(80) NOT NULL PRIMARY KEY,
  password varchar(100) NOT NULL, service enum('sieve','all') DEFAULT 'sieve') {CHARSET}
"""


def single(
    passwd: str = "varchar(256)", dispatch: str = "", status: str = "", keys: str = ""
) -> str:
    return f"""
CREATE TABLE smtp_users (userid varchar(40) NOT NULL, client_idnr varchar(40) NOT NULL,
  username varchar(80) NOT NULL, passwd {passwd} NOT NULL, email varchar(80) DEFAULT NULL,
  forward_only tinyint(1) NOT NULL DEFAULT 0, {status} PRIMARY KEY (userid, client_idnr),
  UNIQUE KEY username (username), UNIQUE KEY email (email)) {CHARSET};
CREATE TABLE smtp_destinations (userid varchar(40) NOT NULL, source varchar(80) NOT NULL,
  destination varchar(80) NOT NULL, {dispatch} {status} {keys}
  CONSTRAINT `smtp_destinations::userid--smtp_users::userid` FOREIGN KEY (userid)
  REFERENCES smtp_users (userid) ON DELETE CASCADE ON UPDATE CASCADE) {CHARSET}
"""


def multi(dispatch: str = "", status: str = "", keys: str = "") -> str:
    return f"""
CREATE TABLE smtp_users (id int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  userid varchar(40) NOT NULL, client_idnr varchar(40) DEFAULT NULL, username varchar(80) NOT NULL,
  passwd varchar(256) NOT NULL, email varchar(80) DEFAULT NULL,
  forward_only tinyint(1) NOT NULL DEFAULT 0, {status}
  UNIQUE KEY username (username), UNIQUE KEY userid (userid, client_idnr),
  UNIQUE KEY email (email)) {CHARSET};
CREATE TABLE smtp_destinations (users_id int(11) NOT NULL, source varchar(80) NOT NULL,
  destination varchar(80) NOT NULL, {dispatch} {status} {keys} KEY users_id (users_id),
  KEY source (source), CONSTRAINT smtp_destinations_ibfk_1 FOREIGN KEY (users_id)
  REFERENCES smtp_users (id) ON DELETE CASCADE ON UPDATE CASCADE) {CHARSET};
CREATE TABLE smtp_virtual_domains (domain varchar(50) NOT NULL PRIMARY KEY,
  instancename varchar(40) NOT NULL) {CHARSET}
"""


DISPATCH = "dispatch_address tinyint(1) NOT NULL DEFAULT 1,"
UNIQUE = "UNIQUE KEY force_unique (source, destination),"
NO_LOGIN = {"loginname": "", "keys": ""}


@dataclass(frozen=True)
class Generation:
    """Tables as people have them, and what they lack."""

    sql: str
    lacks: frozenset[str] = frozenset()
    multi: bool = False

    @property
    def flagged(self) -> bool:
        return "dispatch_address" not in self.lacks


def generation(dovecot: str, postfix: str, *lacks: str) -> Generation:
    return Generation(f"{dovecot};{postfix};{OURS}", frozenset(lacks), "users_id" in postfix)


SIEVE = ("quota_sieve_bytes", "quota_sieve_script")
TIME = ("status", "expiry_date")
GENERATIONS = {
    "wiki of 2010": generation(
        dovecot_table(userid="varchar(40)", sieve="", instance="", **NO_LOGIN),
        single("varchar(80)"),
        *("loginname", "dispatch_address", *SIEVE, *TIME),
    ),
    "2015, domain that may be NULL": generation(
        dovecot_table(
            *("varchar(40)", "varchar(80) DEFAULT NULL", "varchar(256)"),
            sieve="",
            instance="",
            **NO_LOGIN,
        ),
        single("varchar(80)"),
        *("loginname", "dispatch_address", *SIEVE, *TIME),
    ),
    "2017": generation(
        dovecot_table(userid="varchar(40)", password="varchar(256)", sieve="", **NO_LOGIN),
        single("varchar(80)"),
        *("loginname", "dispatch_address", *SIEVE, *TIME),
    ),
    "2019": generation(dovecot_table(keys=""), single(dispatch=DISPATCH), *TIME),
    "2023": generation(dovecot_table(), single(dispatch=DISPATCH), *TIME),
    "2026 as tine has it": generation(
        dovecot_table(status=STATUS),
        single(dispatch=DISPATCH, status=STATUS, keys=f"{UNIQUE} KEY userid (userid),"),
    ),
    "multi of 2019": generation(dovecot_table(), multi(), "dispatch_address", *TIME),
    "multi of 2026": generation(dovecot_table(status=STATUS), multi(DISPATCH, STATUS, UNIQUE)),
}
MULTI = [name for name, known in GENERATIONS.items() if known.multi]
SINGLE = [name for name, known in GENERATIONS.items() if not known.multi]


@dataclass
class Old(Host):
    """A host with one database that holds the tables of a generation."""

    generation: Generation = Generation("")

    def userids(self) -> dict[Any, str]:
        """Whose userid destinations hang on, by what they hang on."""
        key = "id" if self.generation.multi else "userid"
        return {row[key]: row["userid"] for row in self.rows("smtp_users")}

    def routes(self) -> list[tuple[str, str, str, int]]:
        """userid, source, destination and flag; where there is none, 1, as tine reads it."""
        owners = self.userids()
        key = "users_id" if self.generation.multi else "userid"
        return sorted(
            (owners[r[key]], r["source"], r["destination"], r.get("dispatch_address", 1))
            for r in self.rows("smtp_destinations")
        )

    def expected(self, userid: str, wish: dict[str, Any]) -> set[tuple[str, str, str, int]]:
        """As tine would write them, with its switches as they are by default."""
        said = {"username": wish["address"], "aliases": [], "forwards": [], "forward_only": False}
        rows = tine_writes({**said, **wish}, AS_USUAL)
        return {
            (userid, source, target, flag if self.generation.flagged else 1)
            for source, target, flag in rows
        }

    def clear(self) -> None:
        for table in ("smtp_users", "dovecot_users", "dovecot_master_users"):
            self.sql(f"DELETE FROM {self.table(table)}")


@pytest.fixture(scope="module")
def databases(mariadb: MariaDB, collections: Any) -> dict[str, Old]:
    """Each generation in a database of its own."""
    found = {}
    for number, (name, known) in enumerate(GENERATIONS.items()):
        host = Old(mariadb, collections, f"old{number}", f"old{number}", known)
        host.create_databases()
        connection = mariadb.connect()
        with connection.cursor() as cursor:
            cursor.execute(f"USE old{number}")
            for statement in filter(str.strip, known.sql.split(";")):
                cursor.execute(statement)
        connection.close()
        found[name] = host
    return found


@pytest.fixture(params=GENERATIONS)
def old(databases: dict[str, Old], request: pytest.FixtureRequest) -> Old:
    databases[request.param].clear()
    return databases[request.param]


@pytest.fixture(params=MULTI)
def several(databases: dict[str, Old], request: pytest.FixtureRequest) -> Old:
    databases[request.param].clear()
    return databases[request.param]


@pytest.fixture(params=SINGLE)
def alone(databases: dict[str, Old], request: pytest.FixtureRequest) -> Old:
    databases[request.param].clear()
    return databases[request.param]


def refused(host: Old, *accounts: dict[str, Any], **options: Any) -> str:
    before = host.everything()
    with pytest.raises(Failed) as failure:
        host.accounts(*accounts, **options)
    assert host.everything() == before
    return str(failure.value)


# ---- what every generation holds

FORMS: list[dict[str, Any]] = [
    {},
    {"username": "login@example.org"},
    {"aliases": ["a@example.org", "@second.example"]},
    {"forwards": ["x@far.example", "y@far.example"]},
    {"forwards": ["x@far.example"], "forward_only": True, "aliases": ["a@example.org"]},
    {"username": "login@instance", "aliases": ["b@example.org"], "forwards": ["x@far.example"]},
]
SAID = {"aliases": [], "forwards": [], "forward_only": False, "username": "ann@example.org"}


def test_an_account_in_every_form_and_back(old: Old):
    userid = "4" * 40
    for form in (*FORMS, *reversed(FORMS)):
        wish = fresh("ann@example.org", **{**SAID, **form}, userid=userid)
        converged(old, wish)
        rows = old.routes()
        assert set(rows) == old.expected(userid, wish)
        assert len(rows) == len(set(rows))
        smtp, imap = old.row("smtp_users"), old.row("dovecot_users")
        assert (smtp["userid"], smtp["client_idnr"]) == (userid, OWNER)
        assert smtp["username"] == imap["username"] == wish["username"]
        assert smtp["forward_only"] == wish["forward_only"]
        assert imap.get("loginname", "ann@example.org") == "ann@example.org"
        assert imap["home"] == "/var/vmail/example.org/ann"
    converged(old, {"address": "ann@example.org", "state": "absent"})
    assert not any(old.rows(t) for t in ("dovecot_users", "smtp_users", "smtp_destinations"))


def test_the_row_of_every_generation(old: Old):
    converged(
        old,
        fresh("ann@example.org", userid="5" * 40, quota="3G", quota_messages=9, uid="7", gid="8"),
        default_quota="1G",
    )
    row = {name: v for name, v in old.row("dovecot_users").items() if name != "last_modified_time"}
    full = {
        "userid": "5" * 40,
        "domain": "example.org",
        "username": "ann@example.org",
        "loginname": "ann@example.org",
        "password": READY,
        "quota_bytes": 3072,
        "quota_message": 9,
        "quota_sieve_bytes": 0,
        "quota_sieve_script": 0,
        "uid": "7",
        "gid": "8",
        "home": "/var/vmail/example.org/ann",
        "last_login": None,
        "instancename": None,
        "status": "enabled",
        "expiry_date": None,
    }
    assert {name: full[name] for name in row} == row


ASKED = {
    "login_name": ("annie@example.org", "loginname"),
    "quota_sieve": ("1M", "quota_sieve_bytes"),
    "quota_sieve_scripts": (3, "quota_sieve_script"),
    "status": ("disabled", "status"),
    "expires": ("2031-01-01T00:00:00Z", "expiry_date"),
    "aliases": ([{"address": "a@example.org", "dispatch_address": False}], "dispatch_address"),
}


@pytest.mark.parametrize("field", ASKED)
def test_what_is_asked_for_is_held_or_refused_by_name(old: Old, field: str):
    value, column = ASKED[field]
    wish = fresh("ann@example.org", **{field: value})
    if column in old.generation.lacks:
        message = refused(old, wish)
        assert column in message
        assert "ann@example.org" in message
        converged(old, fresh("ann@example.org"))
        assert column in refused(old, {"address": "ann@example.org", field: value})
    else:
        converged(old, wish)
        assert not old.accounts(fresh("ann@example.org"))["changed"]


def test_a_default_that_no_column_holds_is_refused(old: Old):
    if "status" in old.generation.lacks:
        assert "status" in refused(old, fresh("ann@example.org"), default_status="disabled")
    else:
        converged(old, fresh("ann@example.org"), default_status="disabled")
        assert old.row("smtp_users")["status"] == "disabled"


def test_a_hash_that_is_too_long_for_its_column_is_refused(old: Old):
    for table, column in (("dovecot_users", "password"), ("smtp_users", "passwd")):
        ((held,),) = [
            row.values()
            for row in old.sql(
                "SELECT character_maximum_length FROM information_schema.columns WHERE "
                "table_schema = %s AND table_name = %s AND column_name = %s",
                *(old.dovecot, table, column),
            )
        ]
        wish = {"address": "ann@example.org", "password": "pass word"}
        if held < 120:
            assert f"{table}.{column}" in refused(old, wish)
            assert f"holds {held}" in refused(old, wish)
    converged(old, {**wish, "password_scheme": "SSHA256"})


def test_two_accounts_exchange_names_and_aliases(old: Old):
    converged(
        old,
        fresh("a@example.org", username="ua@example.org", aliases=["x@example.org"]),
        fresh("b@example.org", username="ub@example.org"),
    )
    converged(
        old,
        {"address": "a@example.org", "username": "ub@example.org", "aliases": []},
        {"address": "b@example.org", "username": "ua@example.org", "aliases": ["x@example.org"]},
    )
    assert {row["email"]: row["username"] for row in old.rows("smtp_users")} == {
        "a@example.org": "ub@example.org",
        "b@example.org": "ua@example.org",
    }
    assert [r[1:3] for r in old.routes() if r[1] == "x@example.org"] == [
        ("x@example.org", "b@example.org")
    ]


def test_an_address_changes_in_every_generation(old: Old):
    converged(old, fresh("ann@example.org", username="a@instance", aliases=["x@example.org"]))
    converged(old, {"address": "anna@example.org", "username": "a@instance"})
    wish = {"address": "anna@example.org", "username": "a@instance", "aliases": ["x@example.org"]}
    userid = old.row("smtp_users")["userid"]
    assert set(old.routes()) == old.expected(userid, wish)


def test_single_aliases_and_forwards_in_every_generation(old: Old):
    converged(old, fresh("ann@example.org", aliases=["a@example.org"], userid="6" * 40))
    said = {
        "account": "ann@example.org",
        "aliases": ["b@example.org"],
        "forwards": ["x@far.example"],
    }
    assert old.run("mail_alias", **said)["changed"]
    assert not old.run("mail_alias", **said)["changed"]
    wish = {
        "address": "ann@example.org",
        "aliases": ["a@example.org", "b@example.org"],
        "forwards": ["x@far.example"],
    }
    assert set(old.routes()) == old.expected("6" * 40, wish)
    assert old.run("mail_alias", **said, state="absent")["changed"]
    assert not old.run("mail_alias", **said, state="absent")["changed"]
    wish = {"address": "ann@example.org", "aliases": ["a@example.org"]}
    assert set(old.routes()) == old.expected("6" * 40, wish)
    receive = {**said, "forwards": [], "dispatch_address": False}
    if old.generation.flagged:
        assert old.run("mail_alias", **receive)["changed"]
        assert not old.run("mail_alias", **receive)["changed"]
    else:
        with pytest.raises(Failed, match="dispatch_address"):
            old.run("mail_alias", **receive)


def test_prune_in_every_generation(old: Old):
    names = [f"{n}@example.org" for n in "abcd"]
    converged(old, *(fresh(name, aliases=[f"x{name}"]) for name in names))
    old.accounts(fresh("tina@example.org"), client_idnr=TINE)
    kept = [fresh(names[0])]
    with pytest.raises(Failed, match="prune would remove 3 of 4"):
        old.accounts(*kept, prune=True, prune_limit="2")
    done = converged(old, *kept, prune=True, prune_limit="3")
    assert done["counts"] == {"created": 0, "changed": 0, "removed": 3, "unchanged": 1}
    left = {names[0], "tina@example.org"}
    assert {row["email"] for row in old.rows("smtp_users")} == left
    assert {row["username"] for row in old.rows("dovecot_users")} == left


@pytest.mark.parametrize("name", ["wiki of 2010", *MULTI])
def test_as_many_as_are_read_at_once_in_old_tables(databases: dict[str, Old], name: str):
    old = databases[name]
    old.clear()
    people = [
        fresh(f"p{n}@example.org", userid=f"id-{n}", **{**FORMS[n % 2 * 2], "username": f"u{n}@x"})
        for n in range(510)
    ]
    people = [
        {**p, "aliases": [f"a{n}@example.org"] if p.get("aliases") else []}
        for n, p in enumerate(people)
    ]
    old.accounts(*people)
    before = old.everything()
    assert not old.accounts(*people)["changed"]
    assert old.everything() == before
    expected = set().union(*(old.expected(p["userid"], p) for p in people))
    assert set(old.routes()) == expected
    done = old.accounts(*({"address": p["address"], "state": "absent"} for p in people))
    assert done["counts"]["removed"] == 510
    assert not old.rows("smtp_destinations")


# ---- rows as they were left in single tables


def account(
    host: Old, name: str, userid: str, owner: str | None = OWNER, domain: Any = "example.org"
):
    """An account as an older tine left it, without destinations."""
    address = f"{name}@example.org"
    host.sql(
        f"INSERT INTO {host.table('dovecot_users')} (userid, domain, username, password, home) "
        "VALUES (%s, %s, %s, %s, '/srv/mail')",
        *(userid, domain, address, READY),
    )
    host.sql(
        f"INSERT INTO {host.table('smtp_users')} (userid, client_idnr, username, passwd, email) "
        "VALUES (%s, %s, %s, %s, %s)",
        *(userid, owner, address, READY, address),
    )


def destination(host: Old, userid: str, source: str, target: str, flag: int | None = None) -> None:
    hook = "users_id" if host.generation.multi else "userid"
    (key,) = [k for k, value in host.userids().items() if value == userid]
    flagged = ", dispatch_address" if flag is not None else ""
    host.sql(
        f"INSERT INTO {host.table('smtp_destinations')} ({hook}, source, destination{flagged}) "
        f"VALUES (%s, %s, %s{', %s' if flagged else ''})",
        *(key, source, target, *(() if flag is None else (flag,))),
    )


WITHOUT_KEY = ["wiki of 2010", "2019", "2023", "multi of 2019"]


@pytest.fixture(params=WITHOUT_KEY)
def keyless(databases: dict[str, Old], request: pytest.FixtureRequest) -> Old:
    """Tables in which one destination may stand twice."""
    databases[request.param].clear()
    return databases[request.param]


@pytest.mark.parametrize("twin", ["a@example.org", "A@Example.org"])
def test_a_destination_that_stands_twice_is_not_lost(keyless: Old, twin: str):
    account(keyless, "ann", "u1")
    for source in ("ann@example.org", "a@example.org", twin):
        destination(keyless, "u1", source, "ann@example.org")
    wish = {"address": "ann@example.org", "aliases": ["a@example.org"]}
    keyless.accounts(wish)
    before = keyless.everything()
    assert "a@example.org" in {row["source"].lower() for row in keyless.rows("smtp_destinations")}
    assert not keyless.accounts(wish)["changed"]
    assert keyless.everything() == before
    converged(keyless, {**wish, "aliases": ["b@example.org"]})
    assert sorted(row["source"] for row in keyless.rows("smtp_destinations")) == [
        "ann@example.org",
        "b@example.org",
    ]


def test_a_destination_that_stands_twice_with_two_flags_is_not_lost(databases: dict[str, Old]):
    old = databases["2023"]
    old.clear()
    account(old, "ann", "u1")
    destination(old, "u1", "ann@example.org", "ann@example.org", 0)
    for flag in (0, 1):
        destination(old, "u1", "a@example.org", "ann@example.org", flag)
    converged(old, {"address": "ann@example.org", "aliases": ["a@example.org"]})
    assert set(old.routes()) == {
        ("u1", "ann@example.org", "ann@example.org", 0),
        ("u1", "a@example.org", "ann@example.org", 1),
    }


def test_flags_of_older_tines_become_as_tine_writes_them(databases: dict[str, Old]):
    """Until 2023 the default rows kept the column's default 1."""
    old = databases["2023"]
    old.clear()
    account(old, "ann", "u1")
    destination(old, "u1", "ann@example.org", "ann@example.org", 1)
    converged(old, {"address": "ann@example.org"})
    assert old.routes() == [("u1", "ann@example.org", "ann@example.org", 0)]


@pytest.mark.parametrize("domain", ["", "example.org", "other", None])
def test_a_domain_that_is_empty_or_null_is_no_hindrance(databases: dict[str, Old], domain: Any):
    old = databases["2015, domain that may be NULL"]
    old.clear()
    account(old, "ann", "u1", domain=domain)
    destination(old, "u1", "ann@example.org", "ann@example.org")
    assert not old.accounts({"address": "ann@example.org"})["changed"]
    converged(old, {"address": "ann@example.org", "quota": "7G"})
    row = old.row("dovecot_users")
    assert (row["quota_bytes"], row["domain"]) == (7168, domain)
    converged(old, {"address": "ann@example.org", "state": "absent"})
    assert not old.rows("dovecot_users")


def test_a_home_that_is_null_stays_until_one_is_said(old: Old):
    account(old, "ann", "u1")
    destination(old, "u1", "ann@example.org", "ann@example.org")
    old.sql(f"UPDATE {old.table('dovecot_users')} SET home = NULL, uid = NULL, gid = NULL")
    converged(old, {"address": "ann@example.org", "quota": "7G"})
    row = old.row("dovecot_users")
    assert (row["home"], row["uid"], row["gid"]) == (None, None, None)


COLLATIONS = ["latin1_swedish_ci", "utf8mb4_unicode_ci", "utf8mb3_unicode_ci"]


@pytest.mark.parametrize("collation", COLLATIONS)
def test_tables_of_another_character_set(mariadb: MariaDB, collections: Any, collation: str):
    """As on servers that were installed long ago, or converted since."""
    charset = collation.partition("_")[0]
    known = GENERATIONS["2023"]
    sql = known.sql.replace("utf8mb3_general_ci", collation).replace("utf8mb3", charset)
    host = Old(mariadb, collections, "odd", "odd", replace(known, sql=sql))
    host.create_databases()
    connection = mariadb.connect()
    with connection.cursor() as cursor:
        cursor.execute("USE odd")
        for statement in filter(str.strip, sql.split(";")):
            cursor.execute(statement)
    connection.close()
    converged(host, fresh("bob@example.org", aliases=["b@example.org"]))
    account(host, "änn", "u1")
    assert host.accounts({"address": "bob@example.org", "quota": "1G"})["changed"]
    same = host.rows("smtp_users", email="ann@example.org")
    wish = fresh("ann@example.org", quota="1G")
    if same:
        host.accounts(wish)
        assert host.row("smtp_users", userid="u1")["email"] == "änn@example.org"
        assert len(host.rows("smtp_users")) == 2
        assert not host.accounts(wish)["changed"]
    else:
        converged(host, wish)


# ---- several tines in one database


def test_two_owners_may_have_the_same_userid(several: Old):
    for name, owner in (("ann", OWNER), ("tina", TINE)):
        account(several, name, "u1", owner, domain=owner)
    for row in several.rows("smtp_users"):
        several.sql(
            f"INSERT INTO {several.table('smtp_destinations')} (users_id, source, destination) "
            "VALUES (%s, %s, %s)",
            *(row["id"], row["email"], row["username"]),
        )
    foreign = several.row("smtp_users", client_idnr=TINE)
    theirs = several.rows("smtp_destinations", users_id=foreign["id"])
    mailbox = several.row("dovecot_users", username="tina@example.org")

    def untouched() -> bool:
        return (
            several.row("smtp_users", client_idnr=TINE) == foreign
            and several.rows("smtp_destinations", users_id=foreign["id"]) == theirs
            and several.row("dovecot_users", username="tina@example.org") == mailbox
        )

    wish = {"address": "ann@example.org", "aliases": ["a@example.org"], "quota": "1G"}
    converged(several, wish)
    assert untouched()
    converged(several, {"address": "ann@example.org", "username": "annie@instance"})
    assert untouched()
    assert "belongs to client_idnr" in refused(several, {"address": "tina@example.org"})
    done = converged(several, prune=True, prune_limit="100%")
    assert done["counts"]["removed"] == 1
    assert untouched()
    assert not several.rows("smtp_users", client_idnr=OWNER)


def test_a_missing_mailbox_is_not_taken_from_another_owner(several: Old):
    for name, owner in (("ann", OWNER), ("tina", TINE)):
        account(several, name, "u1", owner, domain=owner)
    several.sql(f"DELETE FROM {several.table('dovecot_users')} WHERE username LIKE 'ann%'")
    mailbox = several.row("dovecot_users")
    converged(several, {"address": "ann@example.org", "quota": "1G"})
    assert several.row("dovecot_users", username="tina@example.org") == mailbox
    assert several.row("dovecot_users", username="ann@example.org")["quota_bytes"] == 1024
    several.sql(f"DELETE FROM {several.table('dovecot_users')} WHERE username LIKE 'ann%'")
    converged(several, {"address": "ann@example.org", "state": "absent"})
    assert several.rows("dovecot_users") == [mailbox]


def test_an_account_without_an_owner_is_taken_over_when_that_is_said(several: Old):
    account(several, "ann", "u1", None)
    destination(several, "u1", "ann@example.org", "ann@example.org")
    account(several, "bob", "u1", None, domain="other")
    wish = {"address": "ann@example.org", "quota": "1G"}
    assert "adopt: true" in refused(several, wish)
    assert several.accounts(prune=True)["counts"]["removed"] == 0
    converged(several, {**wish, "adopt": True})
    assert {row["email"]: row["client_idnr"] for row in several.rows("smtp_users")} == {
        "ann@example.org": OWNER,
        "bob@example.org": None,
    }
    rows = {row["username"]: row["quota_bytes"] for row in several.rows("dovecot_users")}
    assert rows == {"ann@example.org": 1024, "bob@example.org": 2000}
    # Both under one key: that of ours is taken.
    message = refused(several, {"address": "bob@example.org", "adopt": True})
    assert "'u1'" in message


def test_new_accounts_hang_on_the_ids_that_the_server_gives(several: Old):
    wishes = [
        fresh(f"p{n}@example.org", userid=f"id-{n}", aliases=[f"a{n}@example.org"])
        for n in range(7)
    ]
    converged(several, *wishes)
    converged(
        several,
        *({"address": w["address"], "state": "absent"} for w in wishes[:3]),
        fresh("new@example.org", userid="id-9", aliases=["a0@example.org"]),
        {"address": "p5@example.org", "aliases": ["a1@example.org", "a5@example.org"]},
    )
    wished = [*wishes[3:5], wishes[6]]
    expected = set().union(*(several.expected(w["userid"], w) for w in wished))
    expected |= several.expected(
        "id-9", {"address": "new@example.org", "aliases": ["a0@example.org"]}
    )
    expected |= several.expected(
        "id-5", {"address": "p5@example.org", "aliases": ["a1@example.org", "a5@example.org"]}
    )
    assert set(several.routes()) == expected


def test_the_statements_are_told_for_several_tines_as_well(several: Old):
    done = several.accounts(fresh("ann@example.org"), check=True, show_queries=True)
    assert any("users_id" in query["statement"] for query in done["queries"])
    several.accounts(fresh("ann@example.org"))
    done = several.accounts(
        {"address": "ann@example.org", "password_hash": OTHER}, check=True, show_queries=True
    )
    assert OTHER not in str(done)
    assert READY not in str(done)
