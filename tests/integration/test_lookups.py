# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every SQL statement of Postfix and Dovecot is answered by an index, whatever it is asked."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pymysql
import pytest
from ansible_collections.groupware.mailserver.tests.unit.roles.role_files import defaults

from . import crowd
from .conftest import Host, MariaDB
from .statements import CASES, VERB, Statement, escaped, found, rendered, without_comments

# The optimizer weighs the rows that an index leads to against all rows. At 20,000 rows an index
# that leads to ten wins by three orders of magnitude, as it does at a million; a condition that no
# index answers costs 20,000 rows, which cannot be missed. What could differ is tried with --long.
SIZES = [20_000, pytest.param(1_000_000, marks=pytest.mark.long)]
A_HANDFUL = 10

KNOWN = {
    "an address": "p12@d1.example",
    "an alias": "a12@d1.example",
    "a username that is no address": "ac3478d69a3c81fa62e60f5c3696165a4e5e6ac4@instance.example",
    "a username in another domain": "p12-secondary@big.example",
    "an address in the big domain": "p7@big.example",
    "postmaster": "postmaster@d1.example",
    "postmaster of the big domain": "postmaster@big.example",
    "postmaster of the instance": "postmaster@instance.example",
    "a catch-all": "@d1.example",
    "a domain": "d1.example",
    "the big domain": "big.example",
    "a domain of usernames": "instance.example",
}
UNKNOWN = {
    "nobody": "nobody@nowhere.example",
    "nobody of a domain": "nobody@d1.example",
    "nobody of the big domain": "nobody@big.example",
    "nobody of a domain of usernames": "nobody@instance.example",
    "no domain": "nowhere.example",
    "a bare word": "p12",
    "a number": "12",
    "a quote": "o'brien@d1.example",
    "a wildcard": "%@d1.example",
    "a long address": f"{'x' * 64}@{'y' * 180}.example",
    # Postfix takes SMTPUTF8; four bytes do not fit into a column of utf8mb3.
    "three bytes": "m€@d1.example",
    "four bytes": "🦉@d1.example",
    "four bytes in the domain": "nobody@🦉.example",
}
KEYS = {**KNOWN, **UNKNOWN}
# Other characters are refused by Dovecot before it asks (auth_username_chars).
USERNAME_CHARS = set(defaults("dovecot")["dovecot_username_chars"])
# The dictionary is asked for people who have logged in or got mail.
MAILBOXES = {what: key for what, key in KNOWN.items() if "username" in what and "@" in key}


@pytest.fixture(scope="session")
def files() -> dict[str, dict[str, str]]:
    return rendered()


def keys_of(statement: Statement) -> dict[str, str]:
    """What the statement can be asked."""
    if statement.dialect == "dict":
        return MAILBOXES
    if statement.dialect == "dovecot":
        return {what: key for what, key in KEYS.items() if not set(key) - USERNAME_CHARS}
    return KEYS


class Full(NamedTuple):
    """A host with full tables, and a connection that becomes like those of the services."""

    host: Host
    connection: Any

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall() or ())

    def connect_as_for(self, statement: Statement) -> None:
        self.connection.select_db(getattr(self.host, statement.role))
        # The client library of both releases, of which neither asks for anything else.
        self.rows("SET NAMES utf8mb4")


@pytest.fixture(scope="module", params=["mariadb", "trixie"])
def server(request: pytest.FixtureRequest) -> MariaDB:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module", params=SIZES)
def full(request: pytest.FixtureRequest, server: MariaDB, collections: Any) -> Iterator[Full]:
    host = Host(server, collections, "full_d", "full_p")
    host.create_databases()
    host.run("mail_schema")
    crowd.fill(host, request.param)
    connection = server.connect()
    connection.autocommit(False)
    yield Full(host, connection)
    connection.close()
    for database in (host.dovecot, host.postfix):
        host.sql(f"DROP DATABASE `{database}`")


# ---- what is wrong with a statement


def faults_of_plan(plan: list[dict[str, Any]]) -> list[str]:
    """What EXPLAIN tells that would grow with the tables."""
    faults = []
    for step in plan:
        table, extra = str(step["table"]), step["Extra"] or ""
        many = int(step["rows"] or 0) > A_HANDFUL
        # <union1,2> and the like are results, and a statement that inserts has only its values.
        if table.startswith("<") or step["select_type"] == "INSERT":
            continue
        if step["type"] in ("ALL", "index"):
            faults.append(f"{table} is read from end to end ({step['type']})")
        if many and re.search("filesort|temporary|join buffer", extra):
            faults.append(f"{step['rows']} rows of {table}: {extra}")
    return faults


def read_by(full: Full, sql: str) -> int:
    """How many rows the server reads for a statement, those of its triggers and keys included."""
    full.rows("FLUSH STATUS")
    full.rows(sql)
    read = full.rows("SHOW SESSION STATUS LIKE 'Handler_read%'")
    full.connection.rollback()
    return sum(int(row["Value"]) for row in read if not row["Variable_name"].endswith("_deleted"))


def faults(full: Full, statement: Statement) -> list[str]:
    full.connect_as_for(statement)
    told = []
    for what, key in keys_of(statement).items():
        sql = statement.asked(key)
        if sql is None:
            continue
        told += [f"{statement.name}, {what}: {fault}" for fault in faults_of(full, sql)]
    return told


def faults_of(full: Full, sql: str) -> list[str]:
    try:
        told = faults_of_plan(full.rows(f"EXPLAIN {sql}"))
        read = read_by(full, sql)
    except pymysql.MySQLError as error:
        return [str(error)]
    return [*told, f"{read} rows are read"] if read > 2 * A_HANDFUL else told


# ---- tests


@pytest.mark.parametrize("case", CASES)
def test_no_statement_is_forgotten(files: Any, case: str):
    """Every verb of SQL and every map in the files is in a statement that was found."""
    known = list(found(files[case], CASES[case]["role"]))
    text = "".join(without_comments(content) for content in files[case].values())
    assert known
    assert len(VERB.findall(text)) == sum(
        len(VERB.findall(statement.text)) for statement in known if statement.dialect != "dict"
    )
    tables = re.findall(r"^\s*(?:sql_)?table = (\w+)", text, re.MULTILINE)
    lookups = [s for s in known if s.dialect == "dict" and s.text.startswith("SELECT")]
    assert [re.search(r"FROM (\w+)", s.text)[1] for s in lookups] == tables


@pytest.mark.parametrize("case", CASES)
def test_every_statement_is_answered_by_an_index(full: Full, files: Any, case: str):
    told = [
        fault
        for statement in found(files[case], CASES[case]["role"])
        if not statement.of_everybody
        for fault in faults(full, statement)
    ]
    assert told == []


# Tables from before the collation was named, and of servers with other defaults.
@pytest.mark.parametrize(
    "collation", ["latin1_swedish_ci", "utf8mb3_unicode_ci", "utf8mb4_general_ci"]
)
def test_postfix_may_ask_columns_of_any_collation(
    server: MariaDB, collections: Any, files: Any, collation: str
):
    host = Host(server, collections, "collated_d", "collated_p")
    host.create_databases()
    host.run("mail_schema")
    crowd.fill(host, 3000)
    connection = server.connect()
    full = Full(host, connection)
    key = "`smtp_destinations::userid--smtp_users::userid`"
    full.rows(f"ALTER TABLE {host.table('smtp_destinations')} DROP FOREIGN KEY {key}")
    for name in ("smtp_users", "smtp_destinations", "smtp_virtual_domains"):
        charset = collation.partition("_")[0]
        table = host.table(name)
        full.rows(f"ALTER TABLE {table} CONVERT TO CHARACTER SET {charset} COLLATE {collation}")
    told = [
        fault
        for case in CASES
        if case.startswith("postfix")
        for statement in found(files[case], "postfix")
        for fault in faults(full, statement)
    ]
    connection.close()
    assert told == []


def test_the_keys_are_in_the_tables(full: Full):
    """Or the statements would all be about nobody."""
    for key in KNOWN.values():
        user, _at, domain = key.rpartition("@")
        where = f"source_domain = '{domain}'"
        where += f" AND source = '{key}'" if user and user != "postmaster" else ""
        where = where if "secondary" not in key else f"source = '{key}'"
        table = full.host.table("smtp_destinations")
        assert full.host.sql(f"SELECT 1 FROM {table} WHERE {where} LIMIT 1"), key


def test_what_triggers_do_is_answered_by_an_index(full: Full):
    triggers = full.host.sql(
        "SELECT TRIGGER_NAME AS name, ACTION_STATEMENT AS text FROM information_schema.TRIGGERS "
        "WHERE TRIGGER_SCHEMA IN (%s, %s)",
        *(full.host.dovecot, full.host.postfix),
    )
    assert triggers
    for trigger in triggers:
        for key in MAILBOXES.values():
            text = re.sub(r"NEW\.username", f"'{escaped(key)}'", trigger["text"])
            text = re.sub(r"NEW\.last_login_unix", "1700000000", text)
            assert not re.search(r"\b(NEW|OLD)\.", text), text
            assert faults_of_plan(full.rows(f"EXPLAIN {text}")) == []


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith("dovecot")])
def test_who_iterates_gets_everybody_without_sorting(full: Full, files: Any, case: str):
    (statement,) = [s for s in found(files[case], "dovecot") if s.of_everybody]
    full.connect_as_for(statement)
    plan = full.rows(f"EXPLAIN {statement.asked('')}")
    assert [step["type"] for step in plan] == ["index"]
    assert not re.search("filesort|temporary", plan[0]["Extra"])


def test_a_worker_without_a_connection_gets_an_error_and_not_nobody(full: Full, files: Any):
    """Dovecot 2.3 then puts nothing at all for %u (the guard EXP of the queries)."""
    guarded = [s for s in found(files["dovecot 2.3"], "dovecot") if "'%u' = ''" in s.text]
    assert {s.name.rpartition(" ")[2] for s in guarded} == {"password_query", "user_query"}
    for statement in guarded:
        full.connect_as_for(statement)
        with pytest.raises(pymysql.MySQLError, match="out of range"):
            full.rows(statement.asked(""))


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_postfix_gets_an_answer_from_every_map_for_any_key(
    mariadb: MariaDB, collections: Any, suite: str
):
    """An error of SQL would keep Postfix from asking at all for a minute: strangers choose keys."""
    host = Host(mariadb, collections, "asked_d", "asked_p")
    place = mariadb.directory / f"postfix-{suite}"
    password = write_maps(place, host)
    host.create_databases()
    host.run("mail_schema")
    crowd.fill(host, 3000)
    host.sql("CREATE OR REPLACE USER postfix@localhost IDENTIFIED BY %s", password)
    host.sql(f"GRANT SELECT ON `{host.postfix}`.* TO postfix@localhost")
    answers = {path.name: asked_by_postfix(place, path, suite) for path in place.glob("sql/*.cf")}
    assert {name: err for name, (_out, err) in answers.items() if err} == {}
    said = {name: out.splitlines() for name, (out, _err) in answers.items()}
    assert f"{KNOWN['an alias']}\tp12@d1.example" in said["sql-virtual_alias_maps_aliases.cf"]
    refused = "instance.example\tREJECT No mail is taken for this domain"
    assert said["sql-internal_domains.cf"] == [refused]
    hosted = ["d1.example", "big.example", "instance.example"]
    assert said["sql-virtual_mailbox_domains.cf"] == [f"{domain}\t1" for domain in hosted]


def write_maps(place: Path, host: Host) -> str:
    """The maps that the role writes, for this server; returns the password in them."""
    case = "postfix, domains derived"
    there = {"__mailserver_sql_socket": host.mariadb.socket, "postfix_database": host.postfix}
    maps = rendered(**there)[case]
    (place / "sql").mkdir(parents=True, exist_ok=True)
    (place / "main.cf").write_text("compatibility_level = 3.6\n")
    for path, content in maps.items():
        if path.startswith("sql/"):
            (place / path).write_text(content)
    (password,) = {
        re.search("^password = (.*)$", m, re.M)[1] for m in maps.values() if "query" in m
    }
    return password


def asked_by_postfix(place: Path, path: Path, suite: str) -> tuple[str, str]:
    """What the Postfix of a release answers from a map for all keys, and its complaints."""
    command = ["podman", "run", "--rm", "-i", "--network", "none"]
    command += ["--volume", f"{place.parent}:{place.parent}"]
    command += [f"localhost/groupware-mailserver-ready:{suite}"]
    command += ["postmap", "-c", str(place), "-q", "-", f"mysql:{path}"]
    keys = "".join(f"{key}\n" for key in KEYS.values())
    done = subprocess.run(
        command, input=keys, capture_output=True, check=False, text=True, timeout=120
    )
    return done.stdout, done.stderr
