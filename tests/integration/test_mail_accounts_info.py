# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""mail_accounts_info against a real MariaDB: every shape, every generation, and what it costs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
import yaml
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts import info
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.schema import Names
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.store import inspect
from ansible_collections.groupware.mailserver.plugins.module_utils._edge.info import OPTIONS
from ansible_collections.groupware.mailserver.plugins.modules import mail_accounts_info

from .conftest import Failed, Host
from .test_through_ansible import played

OWNER, TINE = "8fe8f1da99045c15d5b1aa9978d57fd67e8214c9", "0123456789abcdef" * 2
HASH = "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ"
MIB = 2**20


def insert(host: Host, table: str, **values: Any) -> None:
    columns, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    sql = f"INSERT INTO {host.table(table)} ({columns}) VALUES ({marks})"
    host.sql(sql, *values.values())


def imap(host: Host, name: str, **values: Any) -> None:
    row = {"userid": f"u-{name}", "username": f"{name}@example.org", "password": HASH}
    insert(host, "dovecot_users", **{"loginname": row["username"], **row, **values})


def smtp(host: Host, name: str, **values: Any) -> None:
    row = {"userid": f"u-{name}", "client_idnr": OWNER, "username": f"{name}@example.org"}
    insert(host, "smtp_users", **{"email": row["username"], "passwd": HASH, **row, **values})


def destination(host: Host, name: str, source: str, target: str, **values: Any) -> None:
    row = {"userid": f"u-{name}", "source": source, "destination": target}
    insert(host, "smtp_destinations", **{**row, **values})


def told(host: Host, **options: Any) -> list[dict[str, Any]]:
    return host.run("mail_accounts_info", **options)["accounts"]


def one(host: Host, **options: Any) -> dict[str, Any]:
    (account,) = told(host, **options)
    return account


def names(host: Host, **options: Any) -> list[str]:
    """The local parts of the addresses that are found."""
    return [account["address"].partition("@")[0] for account in told(host, **options)]


def test_an_account_is_told_in_the_words_that_it_was_wished_in(host: Host):
    host.user(
        "ann@example.org",
        username="ann@second.example",
        password_hash=HASH,
        quota="2G",
        aliases=["info@example.org", {"address": "b@example.org", "dispatch_address": False}]
        + ["@second.example"],
        forwards=["ann@example.com"],
    )
    userid = host.row("smtp_users")["userid"]
    usage = {"username": "ann@second.example", "storage": 1024 * MIB, "messages": 4711}
    insert(host, "dovecot_usage", **usage)
    host.sql(
        f"UPDATE {host.table('dovecot_users')} SET last_login_unix = 1788156000, "
        "expiry_date = '2099-01-31 17:00:00', last_modified_time = '2026-08-01 12:00:00'"
    )
    host.sql(
        f"UPDATE {host.table('smtp_users')} SET passwd = '{{CRYPT}}$6$x', "
        "expiry_date = '2099-01-31 17:00:00', last_modified_time = '2026-08-02 12:00:00'"
    )
    assert one(host) == {
        "address": "ann@example.org",
        "userid": userid,
        "username": "ann@second.example",
        "login_name": "ann@example.org",
        "domain": "example.org",
        "imap_domain": "second.example",
        "instance": None,
        "client_idnr": OWNER,
        "status": "enabled",
        "expires": "2099-01-31T17:00:00Z",
        "active": True,
        "quota": 2048 * MIB,
        "quota_mib": 2048,
        "quota_messages": 0,
        "quota_sieve": 0,
        "quota_sieve_scripts": 0,
        "usage_bytes": 1024 * MIB,
        "usage_messages": 4711,
        "usage_percent": 50.0,
        "uid": "vmail",
        "gid": "vmail",
        "home": "/var/vmail/second.example/ann",
        "aliases": [
            {"address": "@second.example", "dispatch_address": True},
            {"address": "b@example.org", "dispatch_address": False},
            {"address": "info@example.org", "dispatch_address": True},
        ],
        "catch_alls": ["second.example"],
        "forwards": ["ann@example.com"],
        "forward_only": False,
        "other_destinations": [],
        "imap_password_scheme": "SSHA256",
        "smtp_password_scheme": "CRYPT",
        "last_login": "2026-08-31T06:00:00Z",
        "last_modified": "2026-08-02T12:00:00Z",
        "lone": None,
        "differences": [],
    }


def test_its_documentation_has_every_field():
    options = yaml.safe_load(mail_accounts_info.DOCUMENTATION)["options"]
    contains = yaml.safe_load(mail_accounts_info.RETURN)["accounts"]["contains"]
    summary = yaml.safe_load(mail_accounts_info.RETURN)["summary"]["contains"]
    assert list(contains) == options["fields"]["choices"] == list(info.FIELDS)
    assert list(summary) == list(info.Summary().told())
    assert set(options) == set(OPTIONS)


def test_it_reads_and_writes_nothing(host: Host):
    host.user("ann@example.org", password="Planted secret", aliases=["@example.org"])
    before = host.everything()
    result = host.run("mail_accounts_info")
    assert result["changed"] is False
    assert host.run("mail_accounts_info", check=True) == result
    assert host.everything() == before
    assert "$6$" not in json.dumps(result)
    assert not any(row["passwd"][14:] in json.dumps(result) for row in host.rows("smtp_users"))


def test_forward_only_and_rows_that_tine_would_not_write(host: Host):
    smtp(host, "fay", forward_only=1)
    imap(host, "fay")
    destination(host, "fay", "fay@example.org", "fay@example.com")
    destination(host, "fay", "f@example.org", "fay@example.com", dispatch_address=0)
    smtp(host, "hal", username="h@inst")
    imap(host, "hal", username="h@inst")
    destination(host, "hal", "hal@example.org", "h@inst", dispatch_address=0)
    destination(host, "hal", "h@inst", "h@inst", dispatch_address=0)
    destination(host, "hal", "hand@example.org", "h@inst")
    fay, hal = told(host)
    assert fay["forward_only"]
    assert fay["forwards"] == ["fay@example.com"]
    assert fay["aliases"] == [{"address": "f@example.org", "dispatch_address": False}]
    assert hal["aliases"] == hal["forwards"] == []
    hand = {"source": "hand@example.org", "destination": "h@inst", "dispatch_address": True}
    assert hal["other_destinations"] == [hand]
    (hal,) = told(host, username=["h@inst"], destination_is_username=True)
    assert hal["aliases"] == [{"address": "hand@example.org", "dispatch_address": True}]
    assert hal["other_destinations"] == []


def test_lone_rows_and_rows_that_differ_are_told_as_such(host: Host):
    imap(host, "ian")
    smtp(host, "sue")
    smtp(host, "tom", status="disabled", expiry_date="2020-01-01")
    imap(host, "tom", username="tim@example.org", loginname="Tom@example.org")
    ian, sue, tom = told(host)
    assert (ian["lone"], ian["client_idnr"], ian["aliases"]) == ("imap", None, None)
    assert (sue["lone"], sue["home"], sue["quota"], sue["aliases"]) == ("smtp", None, None, [])
    assert tom["lone"] is None
    assert tom["differences"] == ["username", "status", "expires"]
    assert (tom["status"], tom["expires"], tom["active"]) == (
        "disabled",
        "2020-01-01T00:00:00Z",
        False,
    )
    summary = host.run("mail_accounts_info", summary_only=True)["summary"]
    assert summary["lone"] == {"imap": 1, "smtp": 1}


def test_no_status_is_enabled_and_an_expiry_that_has_passed_shuts_out(host: Host):
    for name, values in {
        "ann": {},
        "bob": {"status": "enabled", "expiry_date": "2020-01-01"},
        "cat": {"status": "blocked"},
    }.items():
        imap(host, name, **values)
        smtp(host, name, **values)
    ann, bob, cat = told(host, fields=["status", "expires", "active"])
    assert ann.items() >= {"status": "enabled", "expires": "never", "active": True}.items()
    assert bob["active"] is False
    assert cat["active"] is False
    assert names(host, status=["enabled"]) == ["ann", "bob"]
    assert names(host, status=["blocked", "expired"]) == ["cat"]
    assert names(host, status=[]) == []


@pytest.mark.parametrize(
    ("stored", "scheme"),
    [
        (HASH, "SSHA256"),
        ("{sha512-crypt}$6$x", "SHA512-CRYPT"),
        ("{SSHA512.HEX}00", "SSHA512"),
        ("$6$secret", "none"),
        ("", "none"),
        ("{secret", "none"),
        ("{secret}x", "unknown"),
        ("{SHA.secret}x", "unknown"),
    ],
)
def test_a_scheme_is_told_and_never_a_part_of_the_password(host: Host, stored: str, scheme: str):
    imap(host, "ann", password=stored)
    account = one(host)
    assert account["imap_password_scheme"] == scheme
    assert "secret" not in json.dumps(account)


def test_filters_find_what_they_say(host: Host):
    for name, owner in (("ann", OWNER), ("bob", TINE), ("änni", OWNER)):
        userid = f"u-{name.replace('ä', 'ae')}"
        smtp(host, name, userid=userid, client_idnr=owner)
        imap(host, name, userid=userid, quota_bytes=10)
    imap(host, "zoe", loginname="zoe@xn--bcher-kva.example", quota_bytes=0)
    destination(host, "bob", "info@example.org", "bob@example.org")
    destination(host, "bob", "@example.org", "bob@example.org")
    insert(host, "dovecot_usage", username="bob@example.org", storage=9 * MIB, messages=2)
    assert names(host) == ["ann", "bob", "zoe", "änni"]
    assert names(host, address=["BOB@example.org", "none@example.org"]) == ["bob"]
    # As the column's collation sees it.
    assert names(host, address=["anni@example.org"]) == ["änni"]
    assert names(host, address=["zoe@bücher.example"]) == ["zoe"]
    assert names(host, username=["zoe@example.org"]) == ["zoe"]
    assert names(host, userid=["u-ann", "u-zoe"]) == ["ann", "zoe"]
    assert names(host, alias=["info@example.org", "ann@example.org"]) == ["bob"]
    assert names(host, alias=["@example.org"], userid=["u-ann"]) == []
    assert names(host, domain=["xn--bcher-kva.example"]) == ["zoe"]
    assert names(host, domain=["bücher.example"]) == ["zoe"]
    assert names(host, domain=["example.org"], client_idnr=[TINE.upper()]) == ["bob"]
    assert names(host, client_idnr=[OWNER]) == ["ann", "änni"]
    assert names(host, over_quota_percent=90) == ["bob"]
    assert names(host, over_quota_percent=90.1) == []
    assert names(host, address=["bob@example.org"], client_idnr=[OWNER]) == []
    assert names(host, address=[]) == names(host, client_idnr=[]) == names(host, domain=[]) == []


@pytest.mark.parametrize(
    "given", ["' OR 1 = 1 -- ", "%", "_", "\\", "\0", "a\nb", "😀", "😀@example.org", "{marks}", ""]
)
def test_odd_filters_find_nobody(host: Host, given: str):
    smtp(host, "ann")
    imap(host, "ann")
    destination(host, "ann", "info@example.org", "ann@example.org")
    for option in ("address", "username", "userid", "alias", "client_idnr"):
        assert told(host, **{option: [given]}) == []


def test_what_nothing_can_be_found_by_is_refused(host: Host):
    for options in ({"limit": 0}, {"over_quota_percent": -1}, {"domain": ["no domain"]}):
        with pytest.raises(Failed, match="is not a|is not"):
            host.run("mail_accounts_info", **options)


def test_fields_limit_and_summary(host: Host):
    for name in ("cat", "ann", "bob"):
        smtp(host, name)
        imap(host, name, quota_bytes=0 if name == "ann" else 100)
    insert(host, "dovecot_usage", username="bob@example.org", storage=5, messages=2)
    result = host.run("mail_accounts_info", fields=["usage_messages"], limit=2)
    assert result["accounts"] == [
        {"address": "ann@example.org", "userid": "u-ann", "usage_messages": None},
        {"address": "bob@example.org", "userid": "u-bob", "usage_messages": 2},
    ]
    only = host.run("mail_accounts_info", summary_only=True, limit=2)
    assert only["accounts"] == []
    assert only["summary"] == result["summary"]
    assert only["summary"] == {
        "accounts": 3,
        "active": 3,
        "forward_only": 0,
        "unlimited": 1,
        "quota_mib": 200,
        "usage_bytes": 5,
        "usage_messages": 2,
        "status": {"enabled": 3},
        "domain": {"example.org": 3},
        "client_idnr": {OWNER: 3},
        "lone": {},
        "imap_password_scheme": {"SSHA256": 3},
        "smtp_password_scheme": {"SSHA256": 3},
    }


# ---- generations

MULTI = (
    "DROP TABLE {smtp_destinations}, {smtp_users}",
    "CREATE TABLE {smtp_users} (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, "
    "userid varchar(40) NOT NULL, client_idnr varchar(40), username varchar(80) NOT NULL, "
    "passwd varchar(256) NOT NULL, email varchar(80), forward_only tinyint(1) NOT NULL DEFAULT 0, "
    "UNIQUE KEY username (username), UNIQUE KEY userid_client_idnr (userid, client_idnr), "
    "UNIQUE KEY email (email)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3",
    "CREATE TABLE {smtp_destinations} (users_id int NOT NULL, source varchar(80) NOT NULL, "
    "destination varchar(80) NOT NULL, KEY users_id (users_id), KEY source (source), "
    "CONSTRAINT smtp_destinations_ibfk_1 FOREIGN KEY (users_id) REFERENCES {smtp_users} (id) "
    "ON DELETE CASCADE ON UPDATE CASCADE) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3",
)


@pytest.fixture
def multi(bare: Host) -> Host:
    """Multi-instance tables of 2023, in which two accounts share a userid."""
    bare.run("mail_schema")
    for statement in MULTI:
        tables = ("smtp_users", "smtp_destinations")
        bare.sql(statement.format(**{table: bare.table(table) for table in tables}))
    imap(bare, "ann", instancename="one")
    smtp(bare, "ann")
    smtp(bare, "bob", userid="u-ann", client_idnr=TINE)
    smtp(bare, "cat", client_idnr=None)
    for key, source in enumerate(("a@example.org", "b@example.org", "c@example.org"), 1):
        target = ("ann", "bob", "cat")[key - 1] + "@example.org"
        insert(bare, "smtp_destinations", users_id=key, source=source, destination=target)
    return bare


def test_multi_instance_tables_are_read(multi: Host):
    ann, bob, cat = told(multi)
    assert [account["aliases"] for account in (ann, bob, cat)] == [
        [{"address": source, "dispatch_address": None}]
        for source in ("a@example.org", "b@example.org", "c@example.org")
    ]
    assert (ann["instance"], ann["lone"], ann["client_idnr"]) == ("one", None, OWNER)
    assert (bob["userid"], bob["lone"], bob["client_idnr"]) == ("u-ann", "smtp", TINE)
    assert (cat["client_idnr"], cat["status"], ann["status"]) == (None, None, "enabled")
    assert names(multi, alias=["b@example.org"], client_idnr=[TINE]) == ["bob"]
    absent = multi.run("mail_accounts_info", summary_only=True)["absent"]
    assert absent == [
        "column mail_p.smtp_users.expiry_date",
        "column mail_p.smtp_users.last_modified_time",
        "column mail_p.smtp_users.status",
        "column mail_p.smtp_destinations.dispatch_address",
    ]


OLD = (
    "CREATE TABLE {dovecot_users} (userid varchar(40) NOT NULL, domain varchar(80) NOT NULL, "
    "username varchar(80) NOT NULL, password varchar(100) NOT NULL, "
    "quota_bytes bigint NOT NULL DEFAULT 2000, quota_message int NOT NULL DEFAULT 0, "
    "uid varchar(20), gid varchar(20), home varchar(256), last_login datetime, "
    "PRIMARY KEY (userid, domain), UNIQUE (username)) ENGINE=InnoDB DEFAULT CHARSET=latin1",
    "CREATE TABLE {smtp_users} (userid varchar(40) NOT NULL, client_idnr varchar(40) NOT NULL, "
    "username varchar(80) NOT NULL, passwd varchar(80) NOT NULL, email varchar(80), "
    "forward_only tinyint(1) NOT NULL DEFAULT 0, PRIMARY KEY (userid, client_idnr), "
    "UNIQUE (username), UNIQUE (email)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 "
    "COLLATE=utf8mb3_unicode_ci",
    "CREATE TABLE {smtp_destinations} (userid varchar(40) NOT NULL, source varchar(80) NOT NULL, "
    "destination varchar(80) NOT NULL) ENGINE=MyISAM DEFAULT CHARSET=utf8mb3 "
    "COLLATE=utf8mb3_unicode_ci",
)


@pytest.fixture
def old(bare: Host) -> Host:
    """Tables of 2010 to 2019, as the well-known wiki had them, in mixed collations."""
    for statement in OLD:
        tables = ("dovecot_users", "smtp_users", "smtp_destinations")
        bare.sql(statement.format(**{table: bare.table(table) for table in tables}))
    row = {"userid": "u-ann", "domain": "example.org", "username": "ann@example.org"}
    last_login = "2018-08-31 06:00:00"
    insert(bare, "dovecot_users", **row, password=HASH, quota_bytes=5, last_login=last_login)
    smtp(bare, "ann")
    destination(bare, "ann", "info@example.org", "ann@example.org")
    return bare


def test_tables_of_an_old_generation_are_read(old: Host):
    ann = one(old, address=["ann@example.org"])
    assert (
        ann.items()
        >= {
            "login_name": None,
            "status": None,
            "expires": None,
            "active": True,
            "instance": None,
            "quota_mib": 5,
            "quota_sieve": None,
            "usage_bytes": None,
            "last_login": "2018-08-31T06:00:00Z",
            "last_modified": None,
            "differences": [],
            "lone": None,
        }.items()
    )
    assert ann["aliases"] == [{"address": "info@example.org", "dispatch_address": None}]
    assert names(old, alias=["info@example.org"]) == ["ann"]
    assert names(old, status=["enabled"]) == ["ann"]
    assert names(old, status=["disabled"]) == []
    absent = old.run("mail_accounts_info")["absent"]
    assert "column mail_d.dovecot_users.loginname" in absent
    assert "table mail_d.dovecot_usage" in absent


def test_one_of_the_databases_is_enough(old: Host):
    old.sql(f"DROP TABLE {old.table('smtp_users')}, {old.table('smtp_destinations')}")
    ann = one(old)
    assert (ann["address"], ann["lone"], ann["aliases"]) == ("ann@example.org", "imap", None)
    assert names(old, client_idnr=[OWNER]) == []
    assert names(old, alias=["info@example.org"]) == []


def test_without_tables_check_mode_finds_nobody_and_the_run_tells(bare: Host):
    result = bare.run("mail_accounts_info", check=True)
    assert result["accounts"] == []
    assert "table mail_p.smtp_users" in result["absent"]
    with pytest.raises(Failed, match="Neither mail_d.dovecot_users nor mail_p.smtp_users is there"):
        bare.run("mail_accounts_info")


# ---- what it costs and what it needs


@pytest.fixture
def reader(host: Host) -> Iterator[dict[str, Any]]:
    """The login of a SQL account that may only read the tables that it needs."""
    host.sql("CREATE OR REPLACE USER reader@localhost IDENTIFIED BY 'reads only'")
    for table in ("dovecot_users", "dovecot_usage", "smtp_users", "smtp_destinations"):
        host.sql(f"GRANT SELECT ON {host.table(table)} TO reader@localhost")
    yield {"login_user": "reader", "login_password": "reads only"}
    host.sql("DROP USER reader@localhost")


def test_select_is_all_that_it_needs(host: Host, reader: dict[str, Any]):
    host.user("ann@example.org", password="Secret of Ann", aliases=["info@example.org"])
    assert told(host, **reader) == told(host)
    # A writer that holds the lock and rows of the account is not waited for.
    other = pymysql.connect(unix_socket=host.mariadb.socket, user="root", ssl_disabled=True)
    with other.cursor() as cursor:
        cursor.execute(f"UPDATE {host.table('mailserver_lock')} SET generation = generation + 1")
        cursor.execute(f"UPDATE {host.table('smtp_users')} SET status = 'blocked'")
        assert one(host, **reader)["status"] == "enabled"
        other.rollback()
    other.close()


def test_a_play_gets_the_answer_and_the_action_group_gives_the_login(host: Host, tmp_path: Path):
    host.user("ann@example.org", password="Secret of Ann", aliases=["info@example.org"])
    found = "mail.accounts | map(attribute='aliases') | flatten | map(attribute='address') | list"
    tasks = [
        {
            "groupware.mailserver.mail_accounts_info": {"domain": ["example.org"]},
            "register": "mail",
        },
        {
            "ansible.builtin.assert": {
                "that": [
                    "mail is not changed",
                    f"({found}) == ['info@example.org']",
                    "mail.summary.accounts == 1",
                    "mail.accounts[0].active is true",
                    "mail.accounts[0].lone is none",
                ]
            }
        },
    ]
    played(host, tmp_path, tasks)
    played(host, tmp_path, tasks, "--check")


def populate(host: Host, number: int) -> None:
    """So many accounts with an alias each, and usage."""
    host.empty()
    seq = f"`{host.dovecot}`.seq_1_to_{number}"
    rows = {
        "dovecot_users": "(userid, domain, username, loginname, password) "
        "SELECT SHA1(seq), 'example.org', CONCAT('p', seq, '@example.org'), "
        f"CONCAT('p', seq, '@example.org'), '{HASH}'",
        "dovecot_usage": "(username, storage, messages) "
        "SELECT CONCAT('p', seq, '@example.org'), 1, 1",
        "smtp_users": "(userid, client_idnr, username, passwd, email) "
        f"SELECT SHA1(seq), '{OWNER}', CONCAT('p', seq, '@example.org'), '{HASH}', "
        "CONCAT('p', seq, '@example.org')",
        "smtp_destinations": "(userid, source, destination, dispatch_address) "
        "SELECT SHA1(seq), CONCAT('p', seq, '@example.org'), CONCAT('p', seq, '@example.org'), 0",
    }
    for table, select in rows.items():
        host.sql(f"INSERT INTO {host.table(table)} {select} FROM {seq}")
    alias = "(userid, source, destination) SELECT SHA1(seq), CONCAT('alias', seq, '@example.org'), "
    host.sql(
        f"INSERT INTO {host.table('smtp_destinations')} {alias}"
        f"CONCAT('p', seq, '@example.org') FROM {seq}"
    )
    # What EXPLAIN estimates would else depend on when the server last looked.
    host.sql(f"ANALYZE TABLE {', '.join(host.table(table) for table in rows)}")


class Recorder:
    """A cursor that keeps the statements which it is given."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor
        self.rowcount = 0
        self.statements: list[str] = []

    def execute(self, sql: str, values: Any = None) -> None:
        self.statements.append(self.cursor.mogrify(sql, values))
        self.cursor.execute(sql, values)

    def executemany(self, sql: str, values: Any) -> None:
        raise AssertionError("nothing is written")

    def fetchall(self) -> Any:
        return self.cursor.fetchall()


ONE = {
    "addresses": "p7@example.org",
    "usernames": "p7@example.org",
    "userids": "902ba3cda1883801594b6e1b452790cc53948fda",
    "aliases": "alias7@example.org",
}


def plans(host: Host, name: str) -> list[dict[str, Any]]:
    """How the server looks up one account: a line for each table of each statement."""
    connection = pymysql.connect(unix_socket=host.mariadb.socket, user="root", charset="utf8")
    with connection.cursor() as cursor:
        tables = info.Tables(Names(host.dovecot, host.postfix), inspect(cursor, Names()))
        recorder = Recorder(cursor)
        reader = info.Reader(recorder, tables)
        userids = reader.userids(info.Question(**{name: [ONE[name]]}))
        (person,) = reader.people(userids)
        assert person.address == "p7@example.org"
        assert person.rows is not None
        assert len(person.rows) == 2
    connection.close()
    return [line for statement in recorder.statements for line in host.sql(f"EXPLAIN {statement}")]


@pytest.mark.parametrize("name", ONE)
def test_one_account_among_many_is_found_by_keys(host: Host, name: str):
    populate(host, 5000)
    lines = plans(host, name)
    assert {line["table"] for line in lines} >= {"dovecot_users", "dovecot_usage", "smtp_users"}
    for line in lines:
        assert line["type"] in ("const", "eq_ref", "ref", "range"), line
        assert int(line["rows"]) <= 2, line


def rows_read(host: Host, **options: Any) -> int:
    """How many rows the engine has read for a run of the module."""

    def count() -> int:
        status = host.sql("SHOW GLOBAL STATUS WHERE Variable_name LIKE 'Handler_read%'")
        return sum(int(line["Value"]) for line in status)

    idle = -count() + count()
    before = count()
    told(host, **options)
    return count() - before - idle


@pytest.mark.parametrize("name", ["address", "username", "userid", "alias"])
def test_what_one_account_costs_does_not_depend_on_how_many_there_are(host: Host, name: str):
    wish = {name: [dict(zip(("address", "username", "userid", "alias"), ONE.values()))[name]]}
    populate(host, 10)
    few = rows_read(host, **wish)
    populate(host, 5000)
    assert rows_read(host, **wish) <= few + 2


def test_many_accounts_are_read_in_portions(host: Host):
    populate(host, info.PORTION + 1)
    insert(host, "dovecot_users", userid="lone", username="zz@example.org", password=HASH)
    result = host.run("mail_accounts_info", fields=["aliases", "lone"])
    accounts = result["accounts"]
    assert len(accounts) == result["summary"]["accounts"] == info.PORTION + 2
    assert [a["address"] for a in accounts] == sorted(a["address"] for a in accounts)
    for account in accounts[:-1]:
        number = re.sub(r"\D", "", account["address"])
        aliases = [alias["address"] for alias in account["aliases"]]
        assert aliases == [f"alias{number}@example.org"]
    assert accounts[-1]["lone"] == "imap"
