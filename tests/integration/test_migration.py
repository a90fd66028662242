# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""From every generation of tine's tables to those of 2026, and nobody loses anything."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pymysql
import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.schemes import verifies

from .conftest import Failed, Host, MariaDB
from .old_hosts import DOVECOT, MIB, OWNER, TINE, OldHost, mailbox_of, mebibytes
from .test_killed_module import CLIENTS, awaited

FEW = 41
MANY = 3000
# Both tables in step with time, then hosts where one of them was forgotten.
HOSTS = [
    *zip(list(DOVECOT)[:9], ("S0", "S1", "S2", "S3", "S4", "S5", "S6", "S6b", "S7")),
    ("D9", "S8"),
    ("D10", "several of 2026"),
    ("D8", "several of 2019"),
    ("D10", "several of 2026, broken off"),
    ("D0", "S7"),
    ("D4", "S6"),
    ("D9", "S2"),
    ("D10", "S8"),
]
NUMBERS = [FEW, pytest.param(MANY, marks=pytest.mark.long)]
TINES = (
    *("dovecot_users", "dovecot_usage", "dovecot_master_users"),
    *("smtp_users", "smtp_destinations", "smtp_virtual_domains"),
)


@pytest.fixture
def old(mariadb: MariaDB, collections: Path) -> OldHost:
    return OldHost(mariadb, collections, "old_d", "old_p")


@pytest.fixture
def migrate(tmp_path: Path) -> dict[str, Any]:
    """The options of a run."""
    return {"state": "current", "client_idnr": TINE, "backup_dir": str(tmp_path / "backup")}


@pytest.fixture(scope="module")
def fresh(mariadb: MariaDB, collections: Path) -> dict[bool, set[str]]:
    """How tables are defined that were never anything else, for one tine and for several."""
    found = {}
    for several in (False, True):
        host = OldHost(mariadb, collections, "fresh_d", "fresh_p")
        host.build("none", "several of 2026" if several else "none", 0)
        host.run("mail_schema")
        found[several] = defined(host)
    return found


def defined(host: Host) -> set[str]:
    """Each table's columns, keys and options, in no order."""
    return {f"{table}: {line}" for table in existing(host) for line in lines(host, table)}


def existing(host: Host) -> list[str]:
    found = host.sql(
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema IN (%s, %s)",
        *(host.dovecot, host.postfix),
    )
    return sorted(row["name"] for row in found)


def lines(host: Host, table: str) -> list[str]:
    (row,) = host.sql(f"SHOW CREATE TABLE {host.table(table)}")  # or view
    text = re.sub(r" (AUTO_INCREMENT=\d+|ROW_FORMAT=DYNAMIC)", "", list(row.values())[1])
    # A password column of 2015 is a character wider than ours, and stays so.
    text = text.replace("`password` varchar(256)", "`password` varchar(255)")
    return [line.strip().rstrip(",") for line in text.splitlines()]


def everything(host: Host) -> dict[str, Any]:
    """All rows of all tables, without their order."""
    return {table: sorted(map(repr, host.rows(table))) for table in existing(host)}


# ---- by meaning


def reached(host: Host) -> dict[str, set[str]]:
    """Where mail to every source ends, as Postfix follows it."""
    step: dict[str, set[str]] = {}
    for row in host.rows("smtp_destinations"):
        step.setdefault(row["source"], set()).add(row["destination"])
    return {source: followed(step, source, frozenset()) for source in step}


def followed(step: dict[str, set[str]], source: str, seen: frozenset[str]) -> set[str]:
    if source in seen or source not in step:
        return {source}
    ends = (followed(step, target, seen | {source}) for target in step[source])
    return set().union(*ends)


def meant(host: OldHost) -> dict[str, set[str]]:
    """The same, by what the people have."""
    step = {p.email: mailbox_of(p) for p in host.people}
    step |= {alias: {p.email} for p in host.people for alias in p.aliases}
    step |= {source: set(targets) for source, targets in host.unowned.items()}
    step |= {p.username: {p.username} for p in host.people if not p.forward_only} | step
    return {source: followed(step, source, frozenset()) for source in step}


def nobody_lost_anything(host: OldHost) -> None:
    assert reached(host) == meant(host)
    mailboxes = {row["userid"]: row for row in host.rows("dovecot_users")}
    users = {row["userid"]: row for row in host.rows("smtp_users")}
    dovecot, postfix = host.generations
    if dovecot in DOVECOT:
        assert len(mailboxes) == len(host.people)
    for person in host.people:
        user = users[person.userid]
        assert (user["username"], user["email"]) == (person.username, person.email)
        assert user["forward_only"] == person.forward_only
        assert user["client_idnr"] == (OWNER if postfix in ("S0", "S1", "S2") else TINE)
        assert verifies(person.password, user["passwd"])
        row = mailboxes[person.userid]
        assert row["username"] == person.username
        assert row["quota_bytes"] == mebibytes(person)
        assert verifies(person.password, row["password"])
        assert row["domain"] in ("", "example.org")
        assert row["status"] is row["expiry_date"] is None
        assert row["home"] in (f"/var/vmail/{person.number}", None)
        if dovecot in ("D0", "D1", "D2") and person.quota:
            assert row["quota_sieve_bytes"] == MIB
    strangers = [user for userid, user in users.items() if userid not in mailboxes]
    assert {user["email"] for user in strangers} <= set(host.unowned)
    assert all(user["forward_only"] for user in strangers)
    usage = {
        row["username"]: (row["storage"], row["messages"]) for row in host.rows("dovecot_usage")
    }
    assert usage == {p.username: (p.number, 7) for p in host.people if p.quota}
    login_names_lead_to_one(host, mailboxes)


def login_names_lead_to_one(host: OldHost, mailboxes: dict[str, Any]) -> None:
    by_address = {p.email: p.userid for p in host.people}
    for userid, row in mailboxes.items():
        assert row["loginname"] is not None
        assert by_address[row["loginname"]] == userid


# ---- every generation


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(("dovecot", "postfix"), HOSTS)
def test_every_generation_becomes_that_of_2026(
    *, old: OldHost, migrate: dict, fresh: dict, dovecot: str, postfix: str, number: int
):
    old.build(dovecot, postfix, number)
    before = defined(old), everything(old)
    predicted = old.run("mail_schema", check=True, **migrate)
    assert (defined(old), everything(old)) == before
    several = postfix.startswith("several")
    assert predicted["generation"] == {
        "dovecot": dovecot,
        "postfix": ("S7" if "2019" in postfix else "S8") if several else postfix,
        "multi_instance": several,
        "import_broken_off": "broken" in postfix,
        "own_columns": [],
    }
    done = old.run("mail_schema", **migrate)
    assert [done[k] for k in ("actions", "queries", "removed")] == [
        predicted[k] for k in ("actions", "queries", "removed")
    ]
    assert defined(old) == fresh[several]
    nobody_lost_anything(old)
    after = everything(old)
    assert old.run("mail_schema", check=True, **migrate)["queries"] == []
    assert not old.run("mail_schema", **migrate)["changed"]
    assert not old.run("mail_schema")["changed"]
    assert everything(old) == after


@pytest.mark.parametrize("collation", ["utf8mb4_general_ci", "utf8mb4_unicode_ci"])
def test_tables_keep_their_character_set(old: OldHost, migrate: dict, collation: str):
    old.build("D4", "S6", FEW, collation)
    old.run("mail_schema", **migrate)
    nobody_lost_anything(old)
    found = {
        row["collation"]
        for row in old.sql(
            "SELECT collation_name AS collation FROM information_schema.columns WHERE "
            "table_schema IN (%s, %s) AND table_name IN ('dovecot_users', 'smtp_users', "
            "'smtp_destinations', 'dovecot_usage') AND collation_name IS NOT NULL",
            *(old.dovecot, old.postfix),
        )
    }
    assert found == {collation}
    assert not old.run("mail_schema", **migrate)["changed"]


MIXED = {
    "D4": [
        "ALTER TABLE old_d.dovecot_usage DROP FOREIGN KEY "
        "`dovecot_usage::username--dovecot_users::username`",
        "ALTER TABLE old_d.dovecot_users MODIFY username varchar(80) COLLATE {0} NOT NULL",
    ],
    "S6": [
        "ALTER TABLE old_p.smtp_destinations DROP FOREIGN KEY "
        "`smtp_destinations::userid--smtp_users::userid`",
        "ALTER TABLE old_p.smtp_destinations CONVERT TO CHARACTER SET {charset} COLLATE {0}",
    ],
    "D0": ["ALTER TABLE old_d.dovecot_users MODIFY username varchar(80) COLLATE {0} NOT NULL"],
    "S2": [
        *(
            f"ALTER TABLE old_p.{name} DROP FOREIGN KEY `{name}::userid--smtp_users::userid`"
            for name in ("smtp_aliases", "smtp_forwardings")
        ),
        "ALTER TABLE old_p.smtp_aliases CONVERT TO CHARACTER SET {charset} COLLATE {0}",
        "ALTER TABLE old_p.smtp_users MODIFY email varchar(80) COLLATE {0} NOT NULL, "
        "MODIFY username varchar(80) COLLATE {0} NOT NULL",
    ],
}


@pytest.mark.parametrize("collation", ["utf8mb3_unicode_ci", "utf8mb4_unicode_ci"])
@pytest.mark.parametrize(("dovecot", "postfix"), [("D4", "S6"), ("D0", "S2")])
def test_tables_of_different_collations_are_brought_forward_at_once(
    *, old: OldHost, migrate: dict, dovecot: str, postfix: str, collation: str
):
    old.build(dovecot, postfix, FEW)
    for sql in MIXED[dovecot] + MIXED[postfix]:
        old.sql(sql.format(collation, charset=collation.partition("_")[0]))
    old.run("mail_schema", **migrate)
    nobody_lost_anything(old)
    assert not old.run("mail_schema", **migrate)["changed"]


def test_columns_of_ones_own_stay_and_are_told(old: OldHost, migrate: dict):
    old.build("D4", "S6", FEW)
    for table in ("dovecot_users", "smtp_users", "smtp_destinations"):
        old.sql(f"ALTER TABLE {old.table(table)} ADD COLUMN quota varchar(9) DEFAULT 'ours'")
    done = old.run("mail_schema", **migrate)
    assert done["generation"]["own_columns"] == [
        *("old_d.dovecot_users.quota", "old_p.smtp_users.quota", "old_p.smtp_destinations.quota"),
    ]
    assert {row["quota"] for row in old.rows("smtp_destinations")} == {"ours"}
    nobody_lost_anything(old)


def test_a_left_over_table_of_quotas_overwrites_no_limit(old: OldHost, migrate: dict):
    old.build("D9", "S8", FEW)
    connection = old.mariadb.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute("USE old_d")
        cursor.execute(DOVECOT["D2"][1])
        cursor.execute(
            "INSERT INTO dovecot_quotas SELECT username, 99 << 20, 99, 99, 99 FROM dovecot_users "
            "ORDER BY username LIMIT 9"
        )
        cursor.execute(
            "DELETE q FROM dovecot_quotas q LEFT JOIN dovecot_usage u USING (username) "
            "WHERE u.username IS NULL"
        )
        cursor.execute("COMMIT")
    before = old.rows("dovecot_quotas")
    assert before
    done = old.run("mail_schema", **migrate)
    nobody_lost_anything(old)
    assert done["removed"] == ["old_d.dovecot_quotas"]
    assert before[0]["username"] in Path(done["backup_file"]).read_text()


def refused(host: OldHost, told: str, options: dict[str, Any]) -> None:
    """In check mode and without, and nothing is changed."""
    before = defined(host), everything(host)
    for check in (True, False):
        with pytest.raises(Failed, match=told):
            host.run("mail_schema", check=check, **options)
    assert (defined(host), everything(host)) == before


@pytest.mark.parametrize("table", TINES)
@pytest.mark.parametrize("rows", [0, 1])
def test_what_has_the_name_of_a_table_of_tines_alone_is_told(
    *, old: OldHost, migrate: dict, table: str, rows: int
):
    old.build("none", "none", 0)
    old.sql(f"CREATE TABLE {old.table(table)} (mine int) CHARACTER SET utf8mb3")
    if rows:
        old.sql(f"INSERT INTO {old.table(table)} VALUES (1)")
    refused(old, rf"{table} has no column \w+.*give that another name", migrate)
    with pytest.raises(Failed, match=f"{table} has no column"):
        old.run("mail_schema")


def test_destinations_that_hang_on_nobody_are_told(old: OldHost, migrate: dict):
    old.build("D9", "S7", FEW)
    routes = old.table("smtp_destinations")
    foreign = "`smtp_destinations::userid--smtp_users::userid`"
    old.sql(f"ALTER TABLE {routes} DROP FOREIGN KEY {foreign}, DROP COLUMN userid")
    refused(old, "smtp_destinations has no column userid", migrate)


@pytest.mark.parametrize("table", TINES)
def test_a_view_with_the_name_of_a_table_is_told_and_stays(
    *, old: OldHost, migrate: dict, table: str
):
    """It would be created again and again, and never be there."""
    old.build("D10", "S8", FEW)
    for foreign in ("smtp_destinations", "dovecot_usage"):
        parent = "dovecot_users" if foreign.startswith("dovecot") else "smtp_users"
        column = "username" if foreign.startswith("dovecot") else "userid"
        key = f"{foreign}::{column}--{parent}::{column}"
        old.sql(f"ALTER TABLE {old.table(foreign)} DROP FOREIGN KEY `{key}`")
    own = old.table(table).replace(table, f"{table}_of_ones_own")
    if table in existing(old):
        old.sql(f"RENAME TABLE {old.table(table)} TO {own}")
    else:
        old.sql(f"CREATE TABLE {own} (domain varchar(50), instancename varchar(40))")
    old.sql(f"CREATE VIEW {old.table(table)} AS SELECT * FROM {own}")
    refused(old, f"{table} is a view", migrate)
    refused(old, f"{table} is a view", {})
    old.run("mail_schema", **{**migrate, "state": "stock"})
    assert old.sql(f"SELECT * FROM {old.table(table)}") == old.sql(f"SELECT * FROM {own}")
    (told,) = [
        finding
        for finding in old.run("mail_doctor")["findings"]
        if finding["table"].endswith(table) and finding["kind"] == "missing_table"
    ]
    assert told["examples"] == ["a view has its name"]


def test_domains_of_ones_own_become_those_of_the_host(old: OldHost, migrate: dict):
    old.build("D9", "S7", FEW)
    old.sql("CREATE TABLE old_p.smtp_virtual_domains (domain varchar(50) NOT NULL PRIMARY KEY)")
    old.sql("INSERT INTO old_p.smtp_virtual_domains VALUES ('own.example')")
    old.run("mail_schema", **migrate)
    assert old.rows("smtp_virtual_domains") == [{"domain": "own.example", "instancename": ""}]
    assert not old.run("mail_schema", **migrate)["changed"]


LEFT = [
    # A person's own pairs, which are in smtp_destinations, others, and what is no list of tine's.
    ("smtp_forwardings", "source varchar(80), destination text", "there", "dropped"),
    ("smtp_forwardings", "source varchar(80), destination text", "removed", "refused"),
    ("smtp_forwardings", "userid varchar(40), forward text", "there", "dropped"),
    ("smtp_forwardings", "userid varchar(40), forward text", "removed", "refused"),
    ("smtp_aliases", "email varchar(80), alias varchar(80)", "removed", "refused"),
    ("smtp_aliases", "userid varchar(40), alias varchar(80)", "removed", "refused"),
    ("smtp_aliases", "userid varchar(40), source text, destination text", "removed", "refused"),
    ("smtp_aliases", "anything text, alias text", "removed", "kept"),
]


@pytest.mark.parametrize(("table", "columns", "pair", "outcome"), LEFT)
def test_a_left_over_list_brings_nothing_back(
    *, old: OldHost, migrate: dict, table: str, columns: str, pair: str, outcome: str
):
    old.build("D9", "S8", FEW)
    person = next(p for p in old.people if p.forwards and not p.forward_only)
    target = person.forwards[0] if pair == "there" else "gone@far.example"
    given = {"userid": person.userid, "source": person.email, "email": person.email}
    names = [column.split()[0] for column in columns.split(", ")]
    old.sql(f"CREATE TABLE {old.table(table)} ({columns})")
    values = [given.get(name, target) for name in names]
    marks = ", ".join(["%s"] * len(values))
    old.sql(f"INSERT INTO {old.table(table)} VALUES ({marks})", *values)
    if outcome == "refused":
        before = defined(old), everything(old)
        with pytest.raises(Failed, match=f"old_p.{table} .*old_p.smtp_destinations"):
            old.run("mail_schema", **migrate)
        assert (defined(old), everything(old)) == before
        return
    done = old.run("mail_schema", **migrate)
    assert (f"old_p.{table}" in done["removed"]) == (outcome == "dropped")
    assert (table in existing(old)) == (outcome == "kept")
    nobody_lost_anything(old)


OWN = "CREATE TABLE old_p.own (userid varchar({}) PRIMARY KEY) CHARACTER SET utf8mb3"


@pytest.mark.parametrize("column", ["destination", "userid"])
def test_foreign_keys_of_ones_own_stay(old: OldHost, migrate: dict, column: str):
    old.build("D4", "S6", FEW)
    routes = old.table("smtp_destinations")
    old.sql(OWN.format(80 if column == "destination" else 40))
    old.sql(f"INSERT INTO old_p.own SELECT DISTINCT {column} FROM {routes}")
    own = f"CONSTRAINT `o` FOREIGN KEY (`{column}`) REFERENCES `own` (`userid`)"
    old.sql(f"ALTER TABLE {routes} ADD {own}")
    # The userid is as long as that of S6b.
    old.sql(
        f"ALTER TABLE {routes} DROP FOREIGN KEY `smtp_destinations::userid--smtp_users::userid`"
    )
    old.sql("ALTER TABLE old_p.smtp_users MODIFY userid varchar(80) NOT NULL")
    old.run("mail_schema", **migrate)
    assert own in lines(old, "smtp_destinations")
    nobody_lost_anything(old)


def test_a_foreign_key_of_ones_own_in_the_way_is_told(old: OldHost, migrate: dict):
    old.build("D4", "S6b", FEW)
    old.sql(OWN.format(80))
    old.sql(
        "ALTER TABLE old_p.own ADD CONSTRAINT o FOREIGN KEY (userid) REFERENCES smtp_users (userid)"
    )
    before = defined(old), everything(old)
    with pytest.raises(Failed, match=r"old_p\.own has the foreign key o"):
        old.run("mail_schema", **migrate)
    assert (defined(old), everything(old)) == before


# ---- what people have made of their tables

NAMED = "`{}::{}--{}::{}`"
FOREIGN = {
    "smtp_destinations": NAMED.format("smtp_destinations", "userid", "smtp_users", "userid"),
    "dovecot_usage": NAMED.format("dovecot_usage", "username", "dovecot_users", "username"),
}
SECRET = f"{{PBKDF2}}planted{'s' * 300}"
TRIGGER = "CREATE TRIGGER {0}.own BEFORE UPDATE ON {0}.{1} FOR EACH ROW SET @seen = NEW.{2}"
STOPS = {
    "one destination for each source": (
        *("D9", "S2"),
        [
            "CREATE TABLE old_p.smtp_destinations (userid varchar(40) NOT NULL, source varchar(80) "
            "NOT NULL, destination varchar(80) NOT NULL, UNIQUE KEY mine (source))"
        ],
        "old_p.smtp_destinations has the unique key mine",
    ),
    "lists beside tables for several": (
        *("D10", "several of 2026"),
        ["CREATE TABLE old_p.smtp_forwardings (userid varchar(40), forward text)"],
        "old_p.smtp_forwardings are of tables for one installation",
    ),
    "a number with a sign that refers to one without": (
        *("D10", "several of 2026"),
        [
            "ALTER TABLE old_p.smtp_destinations DROP FOREIGN KEY smtp_destinations_ibfk_1",
            "ALTER TABLE old_p.smtp_users MODIFY id int unsigned NOT NULL AUTO_INCREMENT",
        ],
        "old_p.smtp_users.id is unsigned and old_p.smtp_destinations.users_id is not",
    ),
    "versions": (
        *("D4", "S6"),
        [
            f"ALTER TABLE old_d.dovecot_usage DROP FOREIGN KEY {FOREIGN['dovecot_usage']}",
            "ALTER TABLE old_d.dovecot_users ADD SYSTEM VERSIONING",
        ],
        "dovecot_users is a table with versions",
    ),
    "partitions": (
        *("D4", "S6"),
        [
            f"ALTER TABLE old_d.dovecot_usage DROP FOREIGN KEY {FOREIGN['dovecot_usage']}",
            "ALTER TABLE old_d.dovecot_usage PARTITION BY KEY (username) PARTITIONS 2",
        ],
        "dovecot_usage is a table with partitions",
    ),
    "a hash that is too long": (
        *("D4", "S6"),
        [
            "ALTER TABLE old_d.dovecot_users MODIFY password text NOT NULL",
            f"UPDATE old_d.dovecot_users SET password = '{SECRET}' LIMIT 1",
        ],
        "old_d.dovecot_users.password holds a value of 315 characters",
    ),
    "a status of one's own": (
        *("D9", "S7"),
        ["ALTER TABLE old_d.dovecot_users ADD status enum('yes','no') DEFAULT 'yes'"],
        "old_d.dovecot_users has the status 'yes'",
    ),
    "a foreign key to a column that changes": (
        *("D4", "S6"),
        [
            "ALTER TABLE old_d.dovecot_users ADD KEY (userid)",
            "CREATE TABLE old_d.dovecot_own (userid varchar(40), CONSTRAINT o FOREIGN KEY (userid) "
            "REFERENCES dovecot_users (userid)) CHARACTER SET utf8mb3",
        ],
        "old_d.dovecot_own has the foreign key o.*holds old_d.dovecot_users.userid",
    ),
    "a key on what goes": (
        *("D6", "S4"),
        ["ALTER TABLE old_p.smtp_users ADD UNIQUE KEY mine (encryption_type, email)"],
        "smtp_users has the key mine, which needs encryption_type",
    ),
    "a column made of what goes": (
        *("D0", "S6"),
        ["ALTER TABLE old_d.dovecot_users ADD mine varchar(30) AS (CONCAT('x', scheme)) STORED"],
        "dovecot_users has the column mine, which needs scheme",
    ),
    "a trigger that reads what goes": (
        *("D0", "S6"),
        [TRIGGER.format("old_d", "dovecot_users", "scheme")],
        "dovecot_users has the trigger own, which needs scheme",
    ),
    "nobody's destination": (
        *("D4", "S6"),
        [
            "ALTER TABLE old_p.smtp_destinations MODIFY userid varchar(40) NULL",
            "UPDATE old_p.smtp_destinations SET userid = NULL LIMIT 1",
        ],
        "smtp_destinations has NULL for userid",
    ),
    "nobody's mailbox": (
        *("D4", "S6"),
        [
            f"ALTER TABLE old_d.dovecot_usage DROP FOREIGN KEY {FOREIGN['dovecot_usage']}",
            "ALTER TABLE old_d.dovecot_users MODIFY username varchar(80) NULL",
            "UPDATE old_d.dovecot_users SET username = NULL LIMIT 1",
        ],
        "dovecot_users has NULL for username",
    ),
    "a number that is too large": (
        *("D4", "S6"),
        [
            "ALTER TABLE old_d.dovecot_users MODIFY quota_bytes bigint unsigned NOT NULL",
            "UPDATE old_d.dovecot_users SET quota_bytes = 9223372036854775808 LIMIT 1",
        ],
        "quota_bytes holds '9223372036854775808'; expected a whole number from -9223372036854775",
    ),
    "a word for a number": (
        *("D4", "S6"),
        [
            "ALTER TABLE old_p.smtp_users DROP forward_only",
            "ALTER TABLE old_p.smtp_users ADD forward_only char(1) NOT NULL DEFAULT 'n'",
        ],
        "forward_only holds 'n'; expected a whole number from -128 to 127",
    ),
    "limits without the rest": (
        *("D2", "S6"),
        ["ALTER TABLE old_d.dovecot_quotas DROP sieve_quota"],
        "dovecot_quotas has no column sieve_quota",
    ),
    "an enumeration for a number": (
        *("D4", "S6"),
        ["ALTER TABLE old_p.smtp_users DROP forward_only"]
        + ["ALTER TABLE old_p.smtp_users ADD forward_only enum('0','1') NOT NULL DEFAULT '0'"],
        "forward_only is enum",
    ),
    "nobody's name": (
        *("D6", "S1"),
        ["UPDATE old_p.smtp_users SET email = '' LIMIT 1"],
        "smtp_users has an account without an address",
    ),
    "letters that the column does not have": (
        *("D9", "S2"),
        [
            "ALTER TABLE old_p.smtp_forwardings MODIFY forward text CHARACTER SET utf8mb4",
            "UPDATE old_p.smtp_forwardings SET forward = CONCAT(CONVERT(X'F09F9880' USING "
            "utf8mb4), '@far.example') LIMIT 1",
        ],
        "whose letters utf8mb3 does not have",
    ),
    "a name of a foreign key that a left-over has": (
        *("D4", "S6"),
        [
            "RENAME TABLE old_p.smtp_destinations TO old_p.before",
            "CREATE TABLE old_p.smtp_destinations AS SELECT * FROM old_p.before",
        ],
        "old_p.before has the foreign key",
    ),
    "a service that tine does not have": (
        *("D9", "S6"),
        [
            "ALTER TABLE old_d.dovecot_master_users MODIFY service varchar(20)",
            "INSERT INTO old_d.dovecot_master_users VALUES ('m', 'x', 'imap')",
        ],
        "service holds 'imap'; expected enum",
    ),
    "bytes that are no text": (
        *("D4", "S6"),
        [
            "ALTER TABLE old_d.dovecot_users MODIFY password blob NOT NULL",
            "UPDATE old_d.dovecot_users SET password = CONCAT('{PLAIN}', X'E4', 'planted') LIMIT 1",
        ],
        "password holds bytes that are no UTF-8",
    ),
    "a column of one's own that nobody can fill": (
        *("D4", "S1"),
        ["ALTER TABLE old_p.smtp_users ADD name varchar(80) NOT NULL"],
        "smtp_users.name, a column of your own, has neither NULL nor a default",
    ),
    "limits that nobody moved": (
        *("D2", "S6"),
        ["ALTER TABLE old_d.dovecot_users ADD quota_bytes bigint NOT NULL DEFAULT 0"],
        "dovecot_quotas has limits, and old_d.dovecot_users.quota_bytes has none",
    ),
    "a limit that is no number": (
        *("D2", "S6"),
        ["ALTER TABLE old_d.dovecot_quotas MODIFY mail_quota varchar(20)"]
        + ["UPDATE old_d.dovecot_quotas SET mail_quota = '5M' LIMIT 1"],
        "mail_quota holds '5M'; expected a whole number",
    ),
    "a copy of who only forwards, by address": (
        *("D4", "S1"),
        [
            "UPDATE old_p.smtp_forwardings AS f JOIN old_p.smtp_users AS u ON u.email = f.source "
            "SET f.destination = CONCAT(f.destination, ', ', u.email) WHERE u.forward_only = 1"
        ],
        "to itself, which only forwards",
    ),
    "a copy of who only forwards, by userid": (
        *("D4", "S2"),
        [
            "UPDATE old_p.smtp_forwardings AS f JOIN old_p.smtp_users AS u USING (userid) "
            "SET f.forward = u.email WHERE u.forward_only = 1"
        ],
        "to itself, which only forwards",
    ),
    "a name that is too long for a destination": (
        *("D4", "S2"),
        [
            "ALTER TABLE old_p.smtp_users MODIFY username varchar(255) NOT NULL",
            "UPDATE old_p.smtp_users SET username = CONCAT(REPEAT('y', 80), username) LIMIT 1",
        ],
        "smtp_users.username holds 'y",
    ),
    "an address that is too long for a name": (
        *("D4", "S1"),
        [
            "ALTER TABLE old_p.smtp_users MODIFY email varchar(255) NOT NULL",
            "UPDATE old_p.smtp_users SET email = CONCAT(REPEAT('y', 80), email) LIMIT 1",
        ],
        "for it becomes the username too",
    ),
    "a domain that is too long": (
        *("D4", "S6"),
        [
            "ALTER TABLE old_p.smtp_users MODIFY email varchar(255)",
            "UPDATE old_p.smtp_users SET email = CONCAT('a@', REPEAT('b', 99), '.example') LIMIT 1",
        ],
        "expected a domain of at most 80 characters",
    ),
    "more than a key can hold": (
        *("D4", "S6"),
        ["ALTER TABLE old_p.smtp_destinations MODIFY destination varchar(1024) NOT NULL"],
        "have room for 1104 characters",
    ),
    "letters that a login name does not have": (
        *("D4", "S6"),
        [
            f"ALTER TABLE old_d.dovecot_usage DROP FOREIGN KEY {FOREIGN['dovecot_usage']}",
            "UPDATE old_d.dovecot_users SET username = userid",
            "ALTER TABLE old_d.dovecot_users CONVERT TO CHARACTER SET latin1",
            "UPDATE old_p.smtp_users SET email = 'łódź@example.org' LIMIT 1",
        ],
        "letters latin1 does not have: convert old_d.dovecot_users",
    ),
    "letters that a userid does not have": (
        *("D4", "S1"),
        ["ALTER TABLE old_p.smtp_users MODIFY userid varchar(100) CHARACTER SET latin1 NOT NULL"],
        "letters latin1 does not have",
    ),
    "both names of a table": (
        *("D4", "S0"),
        ["CREATE TABLE old_p.smtp_forwardings (source varchar(80), destination text)"],
        "old_p.forwardings, which would become smtp_forwardings",
    ),
    "a foreign key to what goes": (
        *("D2", "S6"),
        [
            "CREATE TABLE old_d.dovecot_own (username varchar(80), CONSTRAINT o "
            "FOREIGN KEY (username) "
            "REFERENCES dovecot_quotas (username)) CHARACTER SET utf8mb3"
        ],
        "old_d.dovecot_own has the foreign key o, which needs old_d.dovecot_quotas, which goes",
    ),
    "a trigger that writes to what goes": (
        *("D4", "S2"),
        [
            "CREATE TRIGGER old_p.mine AFTER INSERT ON old_p.smtp_users FOR EACH ROW "
            "INSERT INTO smtp_aliases VALUES (NEW.userid, 'x@example.org')"
        ],
        "old_p.smtp_users has the trigger mine, which needs old_p.smtp_aliases, which goes",
    ),
    "a check of what goes": (
        *("D0", "S6"),
        ["ALTER TABLE old_d.dovecot_users ADD CONSTRAINT c CHECK (scheme <> 'x')"],
        "dovecot_users has the check c, which needs scheme, which goes",
    ),
    "a check of a hash that gets a prefix": (
        *("D6", "S4"),
        ["ALTER TABLE old_p.smtp_users ADD CONSTRAINT c CHECK (CHAR_LENGTH(passwd) <= 34)"],
        "smtp_users has the check c, which needs passwd, which gets a prefix",
    ),
    "a date that is none": (
        *("D9", "S7"),
        [
            "ALTER TABLE old_d.dovecot_users ADD expiry_date date NOT NULL DEFAULT '0000-00-00'",
        ],
        "dovecot_users has the expiry_date 0000-00-00",
    ),
    "two accounts of one userid": (
        *("D4", "S2"),
        [
            "INSERT INTO old_p.smtp_users (userid, client_idnr, username, passwd, email) "
            "SELECT userid, 99, 'second', 'x', 'second@example.org' FROM old_p.smtp_aliases LIMIT 1"
        ],
        "has several accounts with the userid",
    ),
    "a scheme that is none": (
        *("D0", "S6"),
        ["UPDATE old_d.dovecot_users SET scheme = 'PLAIN MD5' LIMIT 1"],
        "scheme holds 'PLAIN MD5'; expected the name of a password scheme",
    ),
    "a number for a time": (
        *("D4", "S6"),
        ["ALTER TABLE old_d.dovecot_users DROP last_login, ADD last_login int DEFAULT 1700000000"],
        r"last_login is int\(11\); expected datetime",
    ),
}


@pytest.mark.parametrize("case", STOPS)
def test_what_no_run_could_bring_to_its_end_is_told_before(old: OldHost, migrate: dict, case: str):
    dovecot, postfix, statements, told = STOPS[case]
    old.build(dovecot, postfix, FEW)
    for sql in statements:
        old.sql(sql)
    refused(old, told, migrate)
    with pytest.raises(Failed) as failure:
        old.run("mail_schema", **migrate)
    assert "planted" not in str(failure.value.result)
    old.run("mail_doctor")


def test_databases_that_are_exchanged_are_told(old: OldHost, migrate: dict):
    old.build("D9", "S8", FEW)
    exchanged = {"dovecot_database": "old_p", "postfix_database": "old_d"}
    refused(old, "exchange the two", {**migrate, **exchanged})
    refused(old, "exchange the two", exchanged)


def numbers_of_ones_own(column: str, table: str) -> list[str]:
    return [f"ALTER TABLE {table} ADD {column} int NOT NULL AUTO_INCREMENT PRIMARY KEY FIRST"]


GOES = {
    "rows of a fixed length": (
        *("D4", "S1"),
        ["ALTER TABLE old_p.smtp_aliases ROW_FORMAT=FIXED"]
        + ["ALTER TABLE old_p.smtp_users ROW_FORMAT=FIXED"],
    ),
    "Aria": (
        *("D4", "S1"),
        ["ALTER TABLE old_p.smtp_users ENGINE=Aria ROW_FORMAT=PAGE"],
    ),
    "a number of one's own for mailboxes": (
        *("D4", "S6"),
        numbers_of_ones_own("number", "old_d.dovecot_users"),
    ),
    "a number of one's own for people": (
        *("D9", "S8"),
        ["ALTER TABLE old_p.smtp_users ADD id int NOT NULL AUTO_INCREMENT UNIQUE"],
    ),
    "a number of one's own for people of 2010": (
        *("D9", "S2"),
        ["ALTER TABLE old_p.smtp_users ADD id int NOT NULL AUTO_INCREMENT UNIQUE"],
    ),
    "a time that nobody has": (
        *("D4", "S6"),
        ["ALTER TABLE old_d.dovecot_users DROP last_login, ADD last_login int DEFAULT NULL"],
    ),
    "a bit": (
        *("D4", "S6"),
        ["ALTER TABLE old_p.smtp_users MODIFY forward_only bit(1) NOT NULL DEFAULT b'0'"],
    ),
    "a foreign key to what may be NULL from now on": (
        *("D4", "S5"),
        [
            "CREATE TABLE old_p.own (email varchar(80), CONSTRAINT o FOREIGN KEY (email) "
            "REFERENCES smtp_users (email)) CHARACTER SET utf8mb3"
        ],
    ),
    "capital letters": (
        *("D6", "S6"),
        ["ALTER TABLE old_d.dovecot_users CHANGE loginname loginName varchar(255)"]
        + ["ALTER TABLE old_p.smtp_users CHANGE passwd PassWd varchar(80) NOT NULL"],
    ),
    "a userid in ASCII": (
        *("D4", "S6"),
        [
            f"ALTER TABLE old_p.smtp_destinations DROP FOREIGN KEY {FOREIGN['smtp_destinations']}",
            "ALTER TABLE old_p.smtp_users MODIFY userid varchar(40) CHARACTER SET ascii NOT NULL",
        ],
    ),
    "unsigned numbers": (
        *("D10", "several of 2026"),
        [
            "ALTER TABLE old_p.smtp_destinations DROP FOREIGN KEY smtp_destinations_ibfk_1",
            "ALTER TABLE old_p.smtp_users MODIFY id int unsigned NOT NULL AUTO_INCREMENT",
            "ALTER TABLE old_p.smtp_destinations MODIFY users_id int unsigned NOT NULL",
        ],
    ),
    "a foreign key that does not cascade": (
        *("D9", "S7"),
        [
            f"ALTER TABLE old_p.smtp_destinations DROP FOREIGN KEY {FOREIGN['smtp_destinations']}",
            f"ALTER TABLE old_p.smtp_destinations ADD CONSTRAINT {FOREIGN['smtp_destinations']} "
            "FOREIGN KEY (userid) REFERENCES smtp_users (userid)",
            f"ALTER TABLE old_d.dovecot_usage DROP FOREIGN KEY {FOREIGN['dovecot_usage']}",
            f"ALTER TABLE old_d.dovecot_usage ADD CONSTRAINT {FOREIGN['dovecot_usage']} "
            "FOREIGN KEY (username) REFERENCES dovecot_users (username)",
        ],
    ),
    "other types behind a foreign key": (
        *("D4", "S6"),
        [
            f"ALTER TABLE old_p.smtp_destinations DROP FOREIGN KEY {FOREIGN['smtp_destinations']}",
            "ALTER TABLE old_p.smtp_users MODIFY userid char(40) NOT NULL",
            "ALTER TABLE old_p.smtp_destinations MODIFY userid char(40) NOT NULL, ADD CONSTRAINT "
            "mine FOREIGN KEY (userid) REFERENCES smtp_users (userid)",
            f"ALTER TABLE old_d.dovecot_usage DROP FOREIGN KEY {FOREIGN['dovecot_usage']}",
            "ALTER TABLE old_d.dovecot_users MODIFY username char(80) NOT NULL",
            "ALTER TABLE old_d.dovecot_usage MODIFY username char(80) NOT NULL, ADD CONSTRAINT "
            f"{FOREIGN['dovecot_usage']} FOREIGN KEY (username) "
            "REFERENCES dovecot_users (username) ON DELETE CASCADE ON UPDATE CASCADE",
        ],
    ),
    "large numbers": (
        *("D10", "several of 2026"),
        [
            "ALTER TABLE old_p.smtp_destinations DROP FOREIGN KEY smtp_destinations_ibfk_1",
            "ALTER TABLE old_p.smtp_users MODIFY id bigint NOT NULL AUTO_INCREMENT",
            "ALTER TABLE old_p.smtp_destinations MODIFY users_id bigint NOT NULL, "
            "ADD FOREIGN KEY (users_id) REFERENCES smtp_users (id)",
        ],
    ),
    "texts for addresses": (
        *("D4", "S6"),
        [
            "ALTER TABLE old_p.smtp_destinations MODIFY source text NOT NULL, "
            "MODIFY destination text NOT NULL"
        ],
    ),
    "keys with capital letters": (
        *("D9", "S7"),
        ["ALTER TABLE old_p.smtp_users DROP KEY email, ADD KEY EMAIL (email, userid)"]
        + ["ALTER TABLE old_p.smtp_destinations ADD KEY Source (source, userid)"],
    ),
    "blocks of MyISAM": (
        *("D4", "S1"),
        ["ALTER TABLE old_p.smtp_users ENGINE=MyISAM KEY_BLOCK_SIZE=2"],
    ),
    "quotas of one's own": ("D4", "S6", ["CREATE TABLE old_d.dovecot_quotas (username int)"]),
    "an index of one's own with a name of ours": (
        *("D4", "S6"),
        ["ALTER TABLE old_p.smtp_destinations ADD FULLTEXT KEY source (source)"],
    ),
}

AS_TINE_HAS_IT = [
    "ALTER TABLE old_d.dovecot_users CHANGE loginName loginname varchar(255)",
    "ALTER TABLE old_p.smtp_users CHANGE PassWd passwd varchar(256) NOT NULL",
]


@pytest.mark.parametrize("case", GOES)
def test_what_is_unusual_goes_along(old: OldHost, migrate: dict, case: str):
    dovecot, postfix, statements = GOES[case]
    old.build(dovecot, postfix, FEW)
    for sql in statements:
        old.sql(sql)
    predicted = old.run("mail_schema", check=True, **migrate)
    done = old.run("mail_schema", **migrate)
    assert done["queries"] == predicted["queries"]
    assert old.run("mail_schema", **migrate)["actions"] == []
    assert not old.run("mail_schema")["changed"]
    for sql in AS_TINE_HAS_IT if case == "capital letters" else ():
        old.sql(sql)
    nobody_lost_anything(old)
    person = old.people[0]
    wish = {"address": person.email, "adopt": True, "aliases": ["more@example.org"]}
    old.sql(
        f"REPLACE INTO {old.table('smtp_virtual_domains')} (domain, instancename) "
        "VALUES ('example.org', ''), ('second.example', '')"
    )
    assert old.run("mail_user", **wish)["changed"]
    assert not old.run("mail_user", **wish)["changed"]
    found = {finding["kind"] for finding in old.run("mail_doctor")["findings"]}
    assert not found & {"missing_table", "missing_column", "different_column", "missing_row"}


def test_a_domain_of_ones_own_stays(old: OldHost, migrate: dict):
    """S3 had one in its key; elsewhere it is not tine's."""
    old.build("D4", "S6", FEW)
    old.sql(
        "ALTER TABLE old_p.smtp_users DROP PRIMARY KEY, MODIFY client_idnr varchar(40), "
        "ADD PRIMARY KEY (userid), ADD domain varchar(80) DEFAULT 'own.example'"
    )
    done = old.run("mail_schema", **migrate)
    assert done["removed"] == []
    assert done["generation"]["own_columns"] == ["old_p.smtp_users.domain"]
    assert old.row("smtp_users", userid=old.people[0].userid)["domain"] == "own.example"


def test_columns_with_more_room_than_todays_keep_it(old: OldHost, migrate: dict):
    old.build("D4", "S6", FEW)
    domain, stored, target = "d" * 100, "x" * 300, f"{'t' * 100}@far.example"
    for sql in (
        "ALTER TABLE old_d.dovecot_users MODIFY domain varchar(255), "
        "MODIFY password varchar(512) NOT NULL DEFAULT ''",
        "ALTER TABLE old_p.smtp_users MODIFY email varchar(255) DEFAULT ''",
        "ALTER TABLE old_p.smtp_destinations MODIFY destination varchar(255)",
    ):
        old.sql(sql)
    old.sql(
        "INSERT INTO old_d.dovecot_users (userid, domain, username, password) "
        "VALUES ('long', %s, 'long@instance', %s)",
        *(domain, stored),
    )
    old.sql("UPDATE old_p.smtp_destinations SET destination = %s LIMIT 1", target)
    old.run("mail_schema", **migrate)
    row = old.row("dovecot_users", userid="long")
    assert (row["domain"], row["password"]) == (domain, stored)
    assert old.rows("smtp_destinations", destination=target)
    assert not old.run("mail_schema", **migrate)["changed"]


def test_limits_of_who_has_left_are_no_reason_to_stop(old: OldHost, migrate: dict):
    """As a run leaves them that was killed before it dropped the table."""
    old.build("D2", "S6", FEW)
    old.sql("DELETE FROM old_d.dovecot_quotas")
    old.sql(
        "INSERT INTO old_d.dovecot_quotas (username, mail_quota, mail_size, sieve_quota, "
        "sieve_size) VALUES ('gone@example.org', 5000000, 0, 0, 0)"
    )
    old.sql("ALTER TABLE old_d.dovecot_users ADD quota_bytes bigint NOT NULL DEFAULT 0")
    assert "old_d.dovecot_quotas" in old.run("mail_schema", **migrate)["removed"]
    assert not old.run("mail_schema", **migrate)["changed"]


def test_who_had_no_userid_gets_one_of_their_own(old: OldHost, migrate: dict):
    old.build("D4", "S1", FEW)
    old.sql("ALTER TABLE old_p.smtp_users MODIFY userid varchar(100) CHARACTER SET latin1 NULL")
    for table in ("smtp_aliases", "smtp_forwardings"):
        old.sql(f"DELETE FROM old_p.{table}")
    old.sql("UPDATE old_p.smtp_users SET userid = NULL LIMIT 3")
    old.run("mail_schema", **migrate)
    made = [row for row in old.rows("smtp_users") if row["userid"] == sha1(row["email"])]
    assert len(made) >= 3
    assert not old.run("mail_schema", **migrate)["changed"]


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


SCHEMES = [
    ("md5_crypt", "$1$abc$0123456789012345678901", "{CRYPT}$1$abc$0123456789012345678901"),
    ("SHA512-CRYPT", "$6$abc$x", "{SHA512-CRYPT}$6$abc$x"),
    ("PLAIN", "{abc}planted", "{PLAIN}{abc}planted"),
    ("MD5", "{CRYPT}$1$abc$x", "{CRYPT}$1$abc$x"),
    ("MD5", "{ssha}x", "{ssha}x"),
]


@pytest.mark.parametrize(("scheme", "stored", "becomes"), SCHEMES)
def test_a_killed_run_gives_no_second_prefix(
    old: OldHost, migrate: dict, scheme: str, stored: str, becomes: str
):
    old.build("D0", "S6", FEW)
    userid = old.people[0].userid
    old.sql(
        "ALTER TABLE old_d.dovecot_users MODIFY password varchar(100) COLLATE utf8mb3_bin NOT NULL"
    )
    old.sql(
        "UPDATE old_d.dovecot_users SET scheme = %s, password = %s WHERE userid = %s",
        *(scheme, stored, userid),
    )
    ahead = old.run("mail_schema", check=True, **migrate)["queries"]
    with old.mariadb.connect() as connection, connection.cursor() as cursor:
        for sql in ahead:
            cursor.execute(sql)
            if "password" in sql and sql.startswith("UPDATE"):
                connection.commit()
                break
    assert old.row("dovecot_users", userid=userid)["password"] == becomes
    old.run("mail_schema", **migrate)
    assert old.row("dovecot_users", userid=userid)["password"] == becomes


def test_a_default_that_is_a_password_is_not_told(old: OldHost, migrate: dict):
    old.build("D10", "S8", FEW)
    old.sql("ALTER TABLE old_d.dovecot_users ALTER password SET DEFAULT '{PLAIN}planted'")
    old.sql("ALTER TABLE old_p.smtp_users ALTER passwd SET DEFAULT '{PLAIN}planted'")
    assert "planted" not in str(old.run("mail_doctor"))
    assert "planted" not in str(old.run("mail_schema", check=True, **migrate))


def test_an_empty_address_is_none_and_an_alias_is_somebody_elses_name(old: OldHost, migrate: dict):
    old.build("D9", "S2", FEW)
    person = old.people[0]
    old.sql(
        "INSERT INTO old_p.smtp_users (userid, client_idnr, username, passwd, email) "
        "VALUES ('none', 7, 'none@instance', 'x', '')"
    )
    old.sql("INSERT INTO old_p.smtp_aliases VALUES ('none', 'nameless@example.org')")
    for alias in ("", person.email):
        old.sql("INSERT INTO old_p.smtp_aliases VALUES (%s, %s)", person.userid, alias)
    old.run("mail_schema", **migrate)
    assert old.row("smtp_users", userid="none")["email"] is None
    assert not old.rows("smtp_destinations", source="")
    assert old.row("smtp_destinations", userid="none")["destination"] == "none@instance"
    pairs = old.rows("smtp_destinations", source=person.email)
    assert [row["dispatch_address"] for row in pairs if row["destination"] == person.email] == [0]
    assert not old.run("mail_schema", **migrate)["changed"]


def test_a_status_that_nobody_knows_is_no_matter_of_finished_tables(old: OldHost, migrate: dict):
    """Who has it is not active, as before."""
    old.build("D10", "S8", FEW)
    old.sql("UPDATE old_p.smtp_users SET status = 'suspended' LIMIT 1")
    old.run("mail_schema", **migrate)
    assert len(old.rows("smtp_users", status="suspended")) == 1
    assert not old.run("mail_schema", **migrate)["changed"]


def test_many_may_have_no_address(old: OldHost, migrate: dict):
    old.build("D6", "S6", FEW)
    old.sql("ALTER TABLE old_p.smtp_users DROP KEY email")
    for name in ("one", "two"):
        old.sql(
            "INSERT INTO old_p.smtp_users (userid, client_idnr, username, passwd, email) "
            "VALUES (%s, 7, %s, 'x', '')",
            *(name if name == "one" else "", name),
        )
    old.run("mail_schema", **migrate)
    assert [old.row("smtp_users", username=name)["email"] for name in ("one", "two")] == [None] * 2
    assert len(old.row("smtp_users", username="two")["userid"]) == 40
    assert not old.run("mail_schema", **migrate)["changed"]


def test_who_has_been_saved_since_keeps_that_and_the_others_get_theirs(old: OldHost, migrate: dict):
    """A run ends when the new table is there and empty, and tine saves somebody."""
    old.build("D9", "S2", FEW)
    saved = next(person for person in old.people if person.aliases and not person.forwards)
    waiting = ("CREATE OR REPLACE TEMPORARY TABLE `old_p`.`smtp_users_waiting`",)
    assert killed_before(old, 0, waiting, migrate)
    routes = old.table("smtp_destinations")
    assert old.rows("smtp_destinations") == []
    kept = [(saved.email, saved.username), *((alias, saved.email) for alias in saved.aliases)]
    kept += [("new@example.org", saved.email)]
    for source, destination in kept:
        old.sql(
            f"INSERT INTO {routes} (userid, source, destination) VALUES (%s, %s, %s)",
            *(saved.userid, source, destination),
        )
    old.run("mail_schema", **migrate)
    rows = old.rows("smtp_destinations", userid=saved.userid)
    assert {(row["source"], row["destination"]) for row in rows} == set(kept)
    old.sql(f"DELETE FROM {routes} WHERE source = 'new@example.org'")
    if saved.email != saved.username:
        old.sql(
            f"INSERT INTO {routes} (userid, source, destination) VALUES (%s, %s, %s)",
            *(saved.userid, saved.username, saved.username),
        )
    nobody_lost_anything(old)
    assert not old.run("mail_schema", **migrate)["changed"]


def test_a_pair_that_is_removed_while_it_is_made_one_stays_away(old: OldHost, migrate: dict):
    """Whoever wants to remove it waits until it is one."""
    old.build("D9", "S7", FEW)
    execute, waited = pymysql.cursors.Cursor.execute, []

    def removing(cursor: Any, sql: str, *values: Any) -> Any:
        if sql.startswith("DELETE") and "smtp_destinations_once" in sql and not waited:
            other = old.mariadb.connect()
            with other, other.cursor() as second:
                execute(second, "SET SESSION innodb_lock_wait_timeout = 1")
                execute(second, "USE old_p")
                with pytest.raises(pymysql.OperationalError) as refusal:
                    execute(
                        second,
                        f"DELETE d FROM {old.table('smtp_destinations')} AS d JOIN "
                        "old_p.smtp_destinations AS t USING (source, destination) "
                        "WHERE t.userid <> d.userid",
                    )
            waited.append(refusal.value.args[0])
        return execute(cursor, sql, *values)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pymysql.cursors.Cursor, "execute", removing)
        old.run("mail_schema", **migrate)
    assert waited == [1205]
    nobody_lost_anything(old)


def test_a_step_that_is_refused_says_that_the_others_stay(old: OldHost, migrate: dict):
    """Somebody may have all rights but that for triggers."""
    old.build("D9", "S8", FEW)
    old.sql("CREATE OR REPLACE USER few@localhost IDENTIFIED BY 'fünf€'")
    for database in ("old_d", "old_p"):
        old.sql(f"GRANT ALL ON {database}.* TO few@localhost")
        old.sql(f"REVOKE TRIGGER ON {database}.* FROM few@localhost")
    login = {"login_user": "few", "login_password": "fünf€"}
    told = "create trigger.*TRIGGER command denied.*The steps before it are done"
    with pytest.raises(Failed, match=told):
        old.run("mail_schema", **migrate, **login)
    assert old.run("mail_schema", **migrate)["actions"][0].startswith("create trigger")


# ---- killed


def killed_before(host: OldHost, number: int, kinds: tuple[str, ...], options: dict) -> bool:
    """Whether a run of its own was killed before its statement of these kinds of that number."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            dies_before(number, kinds)
            host.run("mail_schema", **options)
            os._exit(0)
        os._exit(1)
    _pid, status = os.waitpid(child, 0)
    awaited(host, CLIENTS, "the server still has the client that was killed")
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


def dies_before(number: int, kinds: tuple[str, ...]) -> None:
    """From now on in this process."""
    left = [number]
    execute = pymysql.cursors.Cursor.execute

    def counted(cursor: Any, sql: str, *values: Any) -> Any:
        if sql.startswith(kinds):
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
        return execute(cursor, sql, *values)

    pymysql.cursors.Cursor.execute = counted


# Every step ends with a COMMIT: before it what is done stands or goes, as MariaDB sees it.
STEPS = ("COMMIT",)
WRITES = ("ALTER", "CREATE", "DROP", "RENAME", "UPDATE", "INSERT", "DELETE", "COMMIT")
# All kinds of steps that there are, and in the long run every statement of every host.
KILLED = [
    *((*pair, 9, STEPS) for pair in (("D0", "S0"), ("D9", "S2"), ("D7", "S6b"))),
    *(pytest.param(*pair, FEW, WRITES, marks=pytest.mark.long) for pair in HOSTS),
]


@pytest.mark.parametrize(("dovecot", "postfix", "number", "kinds"), KILLED)
def test_a_run_that_was_killed_anywhere_is_finished_by_the_next(
    *, old: OldHost, migrate: dict, dovecot: str, postfix: str, number: int, kinds: tuple[str, ...]
):
    old.build(dovecot, postfix, number)
    done = old.run("mail_schema", **migrate)
    whole = defined(old), everything(old)
    killed = 0
    while True:
        old.build(dovecot, postfix, number)
        if not killed_before(old, killed, kinds, migrate):
            break
        old.run("mail_schema", **migrate)
        assert (defined(old), everything(old)) == whole, killed
        killed += 1
    assert killed >= len(done["actions"])
    print(f"killed {killed} times in {len(done['actions'])} steps")


def served(host: OldHost, options: dict[str, Any], number: int | None) -> int:
    """A run whose server is killed and comes back before its statement of that number.

    How many statements it had.
    """
    seen = [0]
    execute = pymysql.cursors.Cursor.execute

    def counted(cursor: Any, sql: str, *values: Any) -> Any:
        if sql.startswith(WRITES):
            if seen[0] == number:
                host.mariadb.kill()
                host.mariadb.start()
            seen[0] += 1
        return execute(cursor, sql, *values)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pymysql.cursors.Cursor, "execute", counted)
        host.run("mail_schema", **options)
    return seen[0]


@pytest.mark.parametrize("apart", [20, pytest.param(1, marks=pytest.mark.long)])
def test_a_run_goes_on_when_its_server_was_killed_and_is_back(
    old: OldHost, migrate: dict, apart: int
):
    old.build("D0", "S0", 9)
    statements = served(old, migrate, None)
    whole = defined(old), everything(old)
    assert statements > 40
    for number in range(0, statements, apart):
        old.build("D0", "S0", 9)
        assert served(old, migrate, number) >= statements
        assert (defined(old), everything(old)) == whole, number


# ---- the way back


def triggers(host: Host) -> list[dict[str, Any]]:
    return host.sql(
        "SELECT trigger_name, event_object_table, action_statement, sql_mode, definer "
        "FROM information_schema.triggers WHERE trigger_schema IN (%s, %s) ORDER BY 1",
        *(host.dovecot, host.postfix),
    )


def brought_back(host: Host, path: str | Path) -> None:
    client = ["mariadb", "--no-defaults", f"--socket={host.mariadb.socket}"]
    with Path(path).open() as file:
        subprocess.run(client, stdin=file, check=True)


def test_what_is_taken_away_is_in_a_file_that_brings_it_back(
    old: OldHost, migrate: dict, tmp_path: Path
):
    old.build("D0", "S0", FEW)
    # What no text is made of, in a column of one's own.
    old.sql("ALTER TABLE old_d.dovecot_users ADD COLUMN photo blob DEFAULT x'ff00fe'")
    own = "BEGIN SET @a = NEW.username; SET @b = 'it''s; a text'; END"
    old.sql(f"CREATE TRIGGER old_d.own BEFORE INSERT ON old_d.dovecot_users FOR EACH ROW {own}")
    before = defined(old), everything(old), triggers(old)
    assert old.run("mail_schema", check=True, **migrate)["backup_file"] == ""
    done = old.run("mail_schema", **migrate)
    path = Path(done["backup_file"])
    assert path.parent == tmp_path / "backup"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert (defined(old), everything(old), triggers(old)) != before
    brought_back(old, path)
    assert (defined(old), everything(old), triggers(old)) == before
    assert set(done["removed"]) == {
        *("old_p.users", "old_p.forwardings", "old_p.smtp_users.encryption_type"),
        *("old_p.smtp_users.quota", "old_p.smtp_forwardings", "old_d.dovecot_users.scheme"),
        "old_d.dovecot_quotas",
    }
    assert not old.run("mail_schema", **migrate, backup=False)["backup_file"]


def test_what_only_grows_needs_no_file(old: OldHost, migrate: dict, tmp_path: Path):
    old.build("D9", "S8", FEW)
    assert old.run("mail_schema", **migrate)["backup_file"] == ""
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize("why", ["writable to all", "too large"])
def test_a_file_that_cannot_be_written_stops_the_run_before_it_starts(
    *, old: OldHost, migrate: dict, tmp_path: Path, why: str
):
    old.build("D0", "S0", 4)
    before = defined(old), everything(old)
    backups = tmp_path / "backup"
    backups.mkdir(mode=0o700)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if why == "too large":
        resource.setrlimit(resource.RLIMIT_FSIZE, (99, hard))
    else:
        backups.chmod(0o777)
    try:
        with pytest.raises(Failed, match="Nothing was changed"):
            old.run("mail_schema", **migrate)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (defined(old), everything(old)) == before
    assert not list(backups.iterdir())


def test_a_pass_that_is_done_again_keeps_the_file_of_the_first(
    old: OldHost, migrate: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The server ends the connection before the lists are dropped, once."""
    old.build("D0", "S0", FEW)
    before = defined(old), everything(old)
    execute, ended = pymysql.cursors.Cursor.execute, []

    def interrupted(cursor: Any, sql: str, *values: Any) -> Any:
        if sql.startswith("DROP TABLE") and not ended:
            ended.append(cursor.connection.thread_id())
            old.sql(f"KILL {ended[0]}")
            monkeypatch.setattr("time.strftime", lambda form: f"later {form}")
        return execute(cursor, sql, *values)

    monkeypatch.setattr(pymysql.cursors.Cursor, "execute", interrupted)
    done = old.run("mail_schema", **migrate)
    assert ended
    assert [str(path) for path in (tmp_path / "backup").iterdir()] == [done["backup_file"]]
    nobody_lost_anything(old)
    brought_back(old, done["backup_file"])
    assert (defined(old), everything(old)) == before


def test_additions_go_and_come_back(old: OldHost, migrate: dict):
    old.build("D9", "S8", FEW)
    stock = {**migrate, "state": "stock"}
    old.run("mail_schema", **migrate)
    with_additions = defined(old)
    predicted = old.run("mail_schema", check=True, **stock)
    done = old.run("mail_schema", **stock)
    assert done["actions"] == predicted["actions"]
    assert not old.run("mail_schema", **stock)["changed"]
    left = {line.partition(": ")[2].partition(" ")[0].strip("`") for line in defined(old)}
    assert not left & {"source_domain", "alias_domain", "routing_domain", "address_domain"}
    assert set(existing(old)) == {
        *("dovecot_users", "dovecot_usage", "dovecot_master_users", "smtp_users"),
        *("smtp_destinations", "smtp_virtual_domains"),
    }
    assert set(done["removed"]) == {
        *("old_d.dovecot_last_login", "old_d.dovecot_sessions_to_end", "old_p.mailserver_lock"),
        *("old_p.smtp_users.routing_domain", "old_p.smtp_users.address_domain"),
        *("old_p.smtp_destinations.source_domain", "old_p.smtp_destinations.alias_domain"),
    }
    assert "dovecot_last_login" in Path(done["backup_file"]).read_text()
    assert "dovecot_users: `password` varchar(100) NOT NULL" in defined(old)
    nobody_lost_anything(old)
    old.run("mail_schema")
    assert defined(old) == with_additions


def test_what_has_the_name_of_an_addition_alone_stays(old: OldHost, migrate: dict):
    old.build("D9", "S8", FEW)
    old.sql("CREATE TABLE old_d.dovecot_last_login (username varchar(80), ip int, seen datetime)")
    routes, mailboxes = old.table("smtp_destinations"), old.table("dovecot_users")
    old.sql(f"ALTER TABLE {routes} ADD COLUMN source_domain varchar(80) DEFAULT 'ours'")
    old.sql(f"ALTER TABLE {routes} ADD KEY source_domain (source_domain)")
    old.sql(f"ALTER TABLE {mailboxes} ADD KEY home (home, uid)")
    before = defined(old), everything(old)
    assert not old.run("mail_schema", **{**migrate, "state": "stock"})["changed"]
    assert (defined(old), everything(old)) == before


# ---- what cannot be brought forward


@pytest.mark.parametrize(
    ("dovecot", "postfix", "sql", "told"),
    [
        (
            *("D6", "S4", "ALTER TABLE smtp_users MODIFY email varchar(80) COLLATE utf8mb3_bin"),
            "username utf8mb3_general_ci and email utf8mb3_bin",
        ),
        ("D6", "S3", "SELECT 1", "set client_idnr"),
        ("D6", "S1", f"UPDATE smtp_forwardings SET destination = '{'x' * 81}' LIMIT 1", "81|80"),
        ("D3", "S7", "UPDATE smtp_users SET username = 'twice' LIMIT 2", "2 rows with username"),
        ("D3", "S7", "UPDATE smtp_destinations SET userid = 'gone' LIMIT 1", "not in old_p.smtp_u"),
    ],
)
def test_what_would_stop_a_run_is_told_before_it_starts(
    *, old: OldHost, migrate: dict, dovecot: str, postfix: str, sql: str, told: str
):
    old.build(dovecot, postfix, FEW)
    connection = old.mariadb.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute("USE old_p")
        if postfix == "S7":
            cursor.execute("ALTER TABLE smtp_users DROP KEY username")
            cursor.execute(
                "ALTER TABLE smtp_destinations "
                "DROP FOREIGN KEY `smtp_destinations::userid--smtp_users::userid`"
            )
        cursor.execute(sql)
    before = defined(old), everything(old)
    options = {**migrate, "client_idnr": None if "client" in told else TINE}
    for check in (True, False):
        with pytest.raises(Failed, match=told):
            old.run("mail_schema", check=check, **options)
    assert (defined(old), everything(old)) == before


def test_an_owner_that_is_no_id_is_refused(old: OldHost, migrate: dict):
    old.build("D6", "S3", FEW)
    before = everything(old)
    with pytest.raises(Failed, match="is not a client_idnr: expected 1 to 40"):
        old.run("mail_schema", **{**migrate, "client_idnr": "x', email = 'x"})
    assert everything(old) == before


def test_a_mysql_is_told_from_a_mariadb(collections: Path, tmp_path: Path):
    """MariaDB can be made to say that it is another version."""
    directory = Path(tempfile.mkdtemp(prefix="mailserver-"))
    shutil.chown(directory, "mysql", "mysql")
    server = MariaDB(directory)
    server.install()
    server.start("--version=8.4.3")
    try:
        host = Host(server, collections)
        with pytest.raises(Failed, match=r"version 8\.4\.3: expected MariaDB.*not unique"):
            host.run("mail_schema", state="current")
    finally:
        server.stop()
        shutil.rmtree(directory)


# ---- the other server


@pytest.mark.long
@pytest.mark.parametrize(("dovecot", "postfix"), HOSTS)
def test_every_generation_on_the_other_server(
    *, trixie: MariaDB, collections: Path, migrate: dict, dovecot: str, postfix: str
):
    old = OldHost(trixie, collections, "old_d", "old_p")
    old.build(dovecot, postfix, FEW)
    predicted = old.run("mail_schema", check=True, **migrate)
    done = old.run("mail_schema", **migrate)
    assert done["queries"] == predicted["queries"]
    nobody_lost_anything(old)
    assert not old.run("mail_schema", **migrate)["changed"]


@pytest.mark.long
def test_a_dump_of_one_server_loads_into_the_other(
    old: OldHost, trixie: MariaDB, migrate: dict, collections: Path
):
    other = OldHost(trixie, collections, "old_d", "old_p")
    for source, target in ((old, other), (other, old)):
        source.build("D0", "S2", FEW)
        source.run("mail_schema", **migrate)
        dump = ["mariadb-dump", "--no-defaults", f"--socket={source.mariadb.socket}", "--databases"]
        text = subprocess.run([*dump, "old_d", "old_p"], check=True, capture_output=True).stdout
        target.create_databases()
        client = ["mariadb", "--no-defaults", f"--socket={target.mariadb.socket}"]
        subprocess.run(client, input=text, check=True)
        assert everything(target) == everything(source)
        assert not target.run("mail_schema", **migrate)["changed"]
