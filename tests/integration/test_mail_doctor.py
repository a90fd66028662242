# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""mail_doctor against real MariaDBs: every fault alone, sound tables, every generation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.groupware.mailserver.plugins.module_utils._doctor.repairs import REPAIRS
from ansible_collections.groupware.mailserver.plugins.module_utils._edge.doctor import OPTIONS
from ansible_collections.groupware.mailserver.plugins.modules import mail_doctor

from .conftest import Failed, Host, MariaDB
from .crowd import fill
from .test_generations import GENERATIONS
from .test_through_ansible import played

HASH = "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ"
CLIENT = "57a8b3cbd5bfb9b0b5ca2cf3ee9da3e0b0f6f5f0"
SECRET = "Planted-secret"
MD5, SHA512 = "0123456789abcdef" * 2, f"$6$saltsalt${'x' * 86}"
TABLES = (
    *("smtp_destinations", "smtp_users", "dovecot_usage", "dovecot_users"),
    *("dovecot_master_users", "smtp_virtual_domains"),
)

Found = dict[tuple[str, str], list[str]]


def statement(table: str, **values: Any) -> str:
    listed = ", ".join("NULL" if v is None else repr(v) for v in values.values())
    return f"INSERT INTO {{{table}}} ({', '.join(values)}) VALUES ({listed})"


def mailbox(name: str, **values: Any) -> str:
    row = {"userid": f"u-{name}", "domain": "example.org", "username": f"{name}@example.org"}
    row |= {"loginname": row["username"], "password": HASH, "home": f"/var/vmail/{name}", **values}
    return statement("dovecot_users", **row)


def person(name: str, **values: Any) -> str:
    row = {"userid": f"u-{name}", "client_idnr": CLIENT, "username": f"{name}@example.org"}
    return statement("smtp_users", **{**row, "passwd": HASH, "email": row["username"], **values})


def route(name: str, source: str, target: str, **values: Any) -> str:
    row = {"userid": f"u-{name}", "source": source, "destination": target}
    return statement("smtp_destinations", **{**row, **values})


def account(name: str, **values: Any) -> list[str]:
    address = f"{name}@example.org"
    return [mailbox(name, **values), person(name), route(name, address, address)]


BOB = "bob@instance.example"
SOUND = [
    *(
        statement("smtp_virtual_domains", domain=d, instancename="")
        for d in ("example.org", "b.example")
    ),
    *account("ann"),
    route("ann", "info@example.org", "ann@example.org"),
    route("ann", "@b.example", "ann@example.org"),
    route("ann", "ann@example.org", "ann@far.example"),
    # A copy for each other: both keep theirs, so it ends.
    *account("dan"),
    route("dan", "dan@example.org", "ann@example.org"),
    route("ann", "ann@example.org", "dan@example.org"),
    # A username in a domain that nobody mails to.
    mailbox("bob", username=BOB, loginname="bob@example.org"),
    person("bob", username=BOB, email="bob@example.org"),
    route("bob", "bob@example.org", BOB),
    route("bob", BOB, BOB),
    route("bob", "b@example.org", "bob+folder@example.org"),
    # A userid as tine makes them fills its column.
    mailbox("eli", userid="e" * 40),
    person("eli", userid="e" * 40),
    route("eli", "eli@example.org", "eli@example.org", userid="e" * 40),
    # Who only forwards needs no mailbox, and no password.
    person("fay", forward_only=1, passwd=""),
    route("fay", "fay@example.org", "fay@far.example"),
    route("fay", "help@example.org", "postmaster@example.org"),
    statement("dovecot_usage", username=BOB, storage=1, messages=1),
    statement("dovecot_master_users", username="master", password=HASH, service="sieve"),
]
EIGHTY = f"{'l' * 60}@{'d' * 11}.example"

# The fault -> statements that make it, and what is to be found.
FAULTS: dict[str, tuple[list[str], dict[tuple[str, str], list[str]]]] = {
    "loop": (
        [*account("cat")[:2], route("cat", "cat@example.org", "eve@example.org")]
        + [*account("eve")[:2], route("eve", "eve@example.org", "cat@example.org")],
        {("loop", "smtp_destinations"): ["cat@example.org -> eve@example.org -> cat@example.org"]},
    ),
    "loop through a catch-all": (
        [route("ann", "@example.org", "gone@example.org")],
        {("loop", "smtp_destinations"): ["@example.org -> @example.org"]},
    ),
    "forward to nowhere": (
        [route("ann", "x@example.org", "gone@example.org")],
        {("forward_to_nowhere", "smtp_destinations"): ["x@example.org -> gone@example.org"]},
    ),
    "forward to who has no mailbox": (
        [route("ann", "x@example.org", "gone@instance.example")],
        {("forward_to_nowhere", "smtp_destinations"): ["x@example.org -> gone@instance.example"]},
    ),
    "unhosted domain": (
        [person("gus", email="gus@other.example"), mailbox("gus", loginname="gus@other.example")]
        + [route("gus", "gus@other.example", "gus@example.org")]
        + [route("gus", "g@third.example", "gus@other.example")],
        {
            ("unhosted_domain", "smtp_users"): ["gus@other.example"],
            ("unhosted_domain", "smtp_destinations"): ["g@third.example"],
        },
    ),
    "two usernames": (
        [mailbox("hal", username="hal@instance.example"), *account("hal")[1:]],
        {("different_username", "smtp_users"): ["hal@example.org"]},
    ),
    "two userids": (
        [mailbox("hal", userid="other"), *account("hal")[1:]],
        {("different_userid", "smtp_users"): ["hal@example.org"]},
    ),
    "no mailbox": (account("ida")[1:], {("lone_smtp", "smtp_users"): ["ida@example.org"]}),
    "no mail": ([mailbox("ida")], {("lone_imap", "dovecot_users"): ["ida@example.org"]}),
    "no home": (account("jim", home=None), {("no_home", "dovecot_users"): ["jim@example.org"]}),
    "no lock": (
        ["DELETE FROM {mailserver_lock}"],
        {("missing_row", "mailserver_lock"): ["the row that writers lock"]},
    ),
    "usage of nobody": (
        [statement("dovecot_usage", username="gone@example.org")],
        {("orphan_usage", "dovecot_usage"): ["gone@example.org"]},
    ),
    "destination of nobody": (
        [route("gone", "gone@example.org", "gone@far.example")],
        {("orphan_destination", "smtp_destinations"): ["gone@example.org -> gone@far.example"]},
    ),
    "hash that is none": (
        account("jim", password=HASH[:-1]),
        {("malformed_hash", "dovecot_users"): ["jim@example.org (SSHA256)"]},
    ),
    "scheme of no Dovecot": (
        [*account("jim", password="{SSHA384}xyz")] + [*account("kim", password=f"{{{SECRET}}}xyz")],
        {
            ("unknown_scheme", "dovecot_users"): [
                "jim@example.org (SSHA384)",
                "kim@example.org (unknown)",
            ]
        },
    ),
    "no scheme": (
        account("jim", password=SECRET),
        {("no_scheme", "dovecot_users"): ["jim@example.org (no scheme)"]},
    ),
    "bare hashes": (
        [*account("jim", password=MD5), *account("kim", password=SHA512)],
        {
            ("bare_hash", "dovecot_users"): [
                "jim@example.org (PLAIN-MD5)",
                "kim@example.org (SHA512-CRYPT)",
            ]
        },
    ),
    "readable password": (
        [mailbox("jim", password=f"{{PLAIN}}{SECRET}")]
        + [person("jim", passwd=f"{{cleartext}}{SECRET}")]
        + [statement("dovecot_master_users", username="m", password=f"{{CLEAR}}{SECRET}")],
        {
            ("plain_password", "dovecot_users"): ["jim@example.org (PLAIN)"],
            ("plain_password", "smtp_users"): ["jim@example.org (CLEARTEXT)"],
            ("plain_password", "dovecot_master_users"): ["m (CLEAR)"],
        },
    ),
    "refused scheme": (
        [*account("jim", password=f"{{PLAIN-MD5}}{MD5}"), *account("kim", password="{CRYPT}abcd")],
        {
            ("refused_scheme", "dovecot_users"): [
                "jim@example.org (PLAIN-MD5)",
                "kim@example.org (CRYPT)",
            ]
        },
    ),
    "weak scheme": (
        account("jim", password=f"{{SHA256}}{MD5}{MD5}"),
        {("weak_scheme", "dovecot_users"): ["jim@example.org (SHA256)"]},
    ),
    "filled column": (
        [route("ann", EIGHTY, "ann@example.org")]
        + [statement("smtp_virtual_domains", domain=EIGHTY.partition("@")[2], instancename="")],
        {("filled_column", "smtp_destinations"): [f"source {EIGHTY}"]},
    ),
    "quota in bytes": (
        account("jim", quota_bytes=2**30),
        {("quota_in_bytes", "dovecot_users"): [f"jim@example.org ({2**30})"]},
    ),
    "capital letters": (
        # A login name without a domain may have them.
        [*account("kim", loginname="JSmith")]
        + [mailbox("jim", loginname="Jim@Example.ORG"), person("jim", email="Jim@Example.ORG")]
        + [route("jim", "Jim@Example.ORG", "jim@example.ORG")]
        + [statement("smtp_virtual_domains", domain="C.example", instancename="")],
        {
            ("upper_case_domain", "dovecot_users"): ["Jim@Example.ORG"],
            ("upper_case_domain", "smtp_users"): ["Jim@Example.ORG"],
            ("upper_case_domain", "smtp_destinations"): ["Jim@Example.ORG", "jim@example.ORG"],
            ("upper_case_domain", "smtp_virtual_domains"): ["C.example"],
        },
    ),
}
REPAIRED = {
    "usage of nobody": "orphan_usage",
    "destination of nobody": "orphan_destinations",
    "bare hashes": "bare_hashes",
    "capital letters": "lower_case_domains",
}


def execute(host: Host, statements: Sequence[str]) -> None:
    """One after the other, without looking at foreign keys."""
    connection = host.mariadb.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION foreign_key_checks = 0, sql_mode = ''")
            for text in statements:
                cursor.execute(re.sub(r"\{([a-z]+_\w+)\}", lambda m: host.table(m[1]), text))
    finally:
        connection.close()


def clear(host: Host) -> None:
    execute(host, [f"DELETE FROM {{{table}}}" for table in TABLES])
    execute(host, ["REPLACE INTO {mailserver_lock} VALUES (1, 0)"])


@pytest.fixture(scope="module", params=["mariadb", pytest.param("trixie", marks=pytest.mark.long)])
def hospital(request: pytest.FixtureRequest, collections: Path) -> Host:
    """A database of each MariaDB, with today's tables."""
    host = Host(request.getfixturevalue(request.param), collections, "ward_d", "ward_p")
    host.create_databases()
    host.run("mail_schema")
    return host


@pytest.fixture
def ward(hospital: Host) -> Host:
    """In it, people of every kind, and nothing wrong."""
    clear(hospital)
    execute(hospital, SOUND)
    return hospital


def found(result: dict[str, Any]) -> Found:
    return {
        (finding["kind"], finding["table"].partition(".")[2]): finding["examples"]
        for finding in result["findings"]
    }


def rows(host: Host) -> list[Any]:
    return [sorted(host.rows(table), key=repr) for table in TABLES]


def test_its_documentation_has_every_option_and_repair():
    options = yaml.safe_load(mail_doctor.DOCUMENTATION)["options"]
    assert set(options) == set(OPTIONS)
    assert options["repairs"]["choices"] == list(REPAIRS)


def test_a_sound_database_gives_nothing(ward: Host):
    before = rows(ward)
    result = ward.run("mail_doctor", repairs=list(REPAIRS))
    assert (result["findings"], result["not_checked"], result["report"]) == ([], [], [])
    assert result["sound"]
    assert not result["changed"]
    assert result["repaired"] == {name: [] for name in REPAIRS}
    assert rows(ward) == before


@pytest.mark.parametrize("fault", FAULTS)
def test_exactly_the_fault_is_found(ward: Host, fault: str):
    statements, expected = FAULTS[fault]
    execute(ward, statements)
    before = rows(ward)
    result = ward.run("mail_doctor")
    assert found(result) == expected
    assert not result["sound"]
    assert not result["changed"]
    assert len(result["report"]) == len(expected)
    assert rows(ward) == before
    for secret in (SECRET, MD5, SHA512, HASH, HASH[9:20]):
        assert secret not in json.dumps(result)


def test_no_more_examples_are_told_than_asked_for(ward: Host):
    execute(ward, [route("ann", f"x{n}@example.org", "gone@example.org") for n in range(12)])
    (finding,) = ward.run("mail_doctor", examples=3)["findings"]
    assert (finding["count"], len(finding["examples"])) == (12, 3)
    assert ward.run("mail_doctor")["report"][0].endswith(f", ...). {finding['advice']}")
    with pytest.raises(Failed, match="expected 1 or more"):
        ward.run("mail_doctor", examples=0)


# ---- repairs


@pytest.mark.parametrize("fault", REPAIRED)
def test_a_repair_mends_what_it_says_and_check_mode_tells_it(ward: Host, fault: str):
    execute(ward, FAULTS[fault][0])
    before = rows(ward)
    said = {"repairs": [REPAIRED[fault]]}
    predicted = ward.run("mail_doctor", check=True, **said)
    assert rows(ward) == before
    assert found(predicted) == FAULTS[fault][1]
    done = ward.run("mail_doctor", **said)
    assert rows(ward) != before
    assert done["changed"]
    for told in ("changed", "repaired", "actions", "diff"):
        assert done[told] == predicted[told]
    assert sum(part["count"] for part in done["repaired"][REPAIRED[fault]]) == sum(
        len(examples) for examples in FAULTS[fault][1].values()
    )
    after = rows(ward)
    again = ward.run("mail_doctor", **said)
    assert not again["changed"]
    assert not set(found(again)) & set(FAULTS[fault][1])
    assert rows(ward) == after
    assert not any(secret in json.dumps([predicted, done]) for secret in (MD5, SHA512))


def test_nothing_is_repaired_that_is_not_asked_for(ward: Host):
    for fault in REPAIRED:
        execute(ward, FAULTS[fault][0] if fault != "capital letters" else [])
    before = rows(ward)
    assert not ward.run("mail_doctor")["changed"]
    assert rows(ward) == before
    ward.run("mail_doctor", repairs=["orphan_usage"])
    changed = [table for table, one, other in zip(TABLES, before, rows(ward)) if one != other]
    assert changed == ["dovecot_usage"]


def test_a_prefix_makes_of_a_bare_hash_what_it_was(ward: Host):
    execute(ward, FAULTS["bare hashes"][0])
    ward.run("mail_doctor", repairs=["bare_hashes"])
    stored = {row["username"]: row["password"] for row in ward.rows("dovecot_users")}
    assert stored["jim@example.org"] == f"{{PLAIN-MD5}}{MD5}"
    assert stored["kim@example.org"] == f"{{SHA512-CRYPT}}{SHA512}"
    assert stored["ann@example.org"] == HASH


def test_a_prefix_is_for_one_hash_alone(hospital: Host):
    """Names that differ in capital letters are one to the server, where no key keeps them apart."""
    clear(hospital)
    users = hospital.table("smtp_users")
    execute(hospital, [f"ALTER TABLE {users} DROP KEY username"])
    crypt = "$2y$10$" + "x" * 53
    one = person("ann", passwd=MD5, email="one@example.org")
    execute(hospital, [one, person("ANN", userid="two", passwd=crypt, email="two@example.org")])
    hospital.run("mail_doctor", repairs=["bare_hashes"])
    stored = {row["email"]: row["passwd"] for row in hospital.rows("smtp_users")}
    clear(hospital)
    execute(hospital, [f"ALTER TABLE {users} ADD UNIQUE KEY username (username)"])
    assert stored == {
        "one@example.org": f"{{PLAIN-MD5}}{MD5}",
        "two@example.org": f"{{BLF-CRYPT}}{crypt}",
    }


def test_small_letters_are_for_domains_alone(ward: Host):
    execute(ward, FAULTS["capital letters"][0])
    ward.run("mail_doctor", repairs=["lower_case_domains"])
    assert ward.row("smtp_users", userid="u-jim")["email"] == "Jim@example.org"
    assert ward.destinations("u-jim") == {("Jim@example.org", "jim@example.org", 1)}
    assert "c.example" in {row["domain"] for row in ward.rows("smtp_virtual_domains")}


# ---- tables of other times


@pytest.fixture
def keyless(hospital: Host) -> Iterator[Host]:
    """As before 2024: one destination may stand twice."""
    clear(hospital)
    table = hospital.table("smtp_destinations")
    execute(hospital, [f"ALTER TABLE {table} DROP KEY force_unique", *SOUND])
    yield hospital
    clear(hospital)
    execute(hospital, [f"ALTER TABLE {table} ADD UNIQUE KEY force_unique (source, destination)"])


def test_of_duplicates_the_row_of_its_account_stays(keyless: Host):
    twins = [
        route("ann", "t@example.org", "ann@example.org", dispatch_address=0),
        route("ann", "T@example.org", "ann@example.org", dispatch_address=1),
        route("ann", "t@example.org", "ann@example.org", dispatch_address=0),
        route("dan", "t@example.org", "ann@example.org", dispatch_address=1),
        route("dan", "ann@example.org", "ann@example.org", dispatch_address=1),
    ]
    execute(keyless, twins)
    before = {row["userid"]: row for row in keyless.rows("smtp_users")}
    count = len(keyless.rows("smtp_destinations"))
    said = {"repairs": ["duplicate_destinations"]}
    predicted = keyless.run("mail_doctor", check=True, **said)
    kind = ("duplicate_destination", "smtp_destinations")
    assert [line.lower() for line in found(predicted)[kind]] == [
        "ann@example.org -> ann@example.org (2 times)",
        "t@example.org -> ann@example.org (4 times)",
    ]
    assert len(keyless.rows("smtp_destinations")) == count
    done = keyless.run("mail_doctor", **said)
    assert done["repaired"] == predicted["repaired"]
    assert done["repaired"]["duplicate_destinations"][0]["count"] == 4
    assert found(done) == {("missing_key", "smtp_destinations"): ["force_unique"]}
    assert not keyless.run("mail_doctor", **said)["changed"]
    kept = [r for r in keyless.rows("smtp_destinations") if r["source"].lower() == "t@example.org"]
    assert [(row["userid"], row["dispatch_address"]) for row in kept] == [("u-ann", 1)]
    assert len(keyless.rows("smtp_destinations")) == count - 4
    assert {row["userid"]: row for row in keyless.rows("smtp_users")} == before


def test_of_duplicates_somebodys_row_stays_before_nobodys(keyless: Host):
    """What leads away is nobody's own: the other repair may not take the last row of it."""
    table = keyless.table("smtp_destinations")
    key = "smtp_destinations::userid--smtp_users::userid"
    pair = ("help@example.org", "desk@far.example")
    execute(
        keyless,
        [
            f"ALTER TABLE {table} DROP FOREIGN KEY `{key}`",
            route("ann", *pair),
            route("ann", *pair, userid="a-gone"),
        ],
    )
    try:
        done = keyless.run("mail_doctor", repairs=["duplicate_destinations", "orphan_destinations"])
        assert done["changed"]
        assert not keyless.run("mail_doctor", repairs=list(REPAIRS))["changed"]
        left = keyless.rows("smtp_destinations", source=pair[0], destination=pair[1])
        assert [row["userid"] for row in left] == ["u-ann"]
    finally:
        execute(
            keyless,
            [
                f"ALTER TABLE {table} ADD CONSTRAINT `{key}` FOREIGN KEY (userid) REFERENCES "
                f"{keyless.table('smtp_users')} (userid) ON DELETE CASCADE ON UPDATE CASCADE"
            ],
        )


NUMBERS = [
    "MODIFY forward_only bit(1) NOT NULL DEFAULT b'0'",
    "MODIFY forward_only char(1) NOT NULL DEFAULT '0'",
    "MODIFY forward_only enum('0','1') NOT NULL DEFAULT '0'",
]


@pytest.mark.parametrize("form", NUMBERS)
def test_who_only_forwards_is_known_whatever_the_column_is(bare: Host, form: str):
    bare.run("mail_schema")
    execute(bare, [*SOUND, person("zed"), route("zed", "zed@example.org", "zed@example.org")])
    # The numbers of an enumeration are not its values.
    through = [NUMBERS[1], form] if "enum" in form else [form]
    execute(bare, [f"ALTER TABLE {{smtp_users}} {change}" for change in through])
    different = ("different_column", "smtp_users")
    lone = {("lone_smtp", "smtp_users"): ["zed@example.org"]}
    told = found(bare.run("mail_doctor"))
    assert different in told
    assert {place: what for place, what in told.items() if place != different} == lone


def test_limits_are_read_whatever_the_column_is(bare: Host):
    bare.run("mail_schema")
    execute(bare, [*SOUND, "ALTER TABLE {dovecot_users} MODIFY quota_bytes varchar(30)"])
    execute(bare, [f"UPDATE {{dovecot_users}} SET quota_bytes = '{10 << 40}' LIMIT 1"])
    assert ("quota_in_bytes", "dovecot_users") in found(bare.run("mail_doctor"))


def test_a_domain_that_leads_to_another_is_sound(ward: Host):
    domain = statement("smtp_virtual_domains", domain="c.example", instancename="")
    execute(ward, [domain, route("ann", "@c.example", "@example.org")])
    assert found(ward.run("mail_doctor")) == {}


def test_what_the_form_of_the_tables_lacks(mariadb: MariaDB, collections: Path):
    host = Host(mariadb, collections, "lack_d", "lack_p")
    host.create_databases()
    host.run("mail_schema")
    users, routes = host.table("smtp_users"), host.table("smtp_destinations")
    foreign = "`smtp_destinations::userid--smtp_users::userid`"
    execute(
        host,
        [
            f"ALTER TABLE {routes} DROP FOREIGN KEY {foreign}, DROP KEY source, DROP COLUMN status",
            f"ALTER TABLE {routes} CONVERT TO CHARACTER SET latin1 COLLATE latin1_swedish_ci",
            f"ALTER TABLE {users} MODIFY passwd varchar(80) NOT NULL, "
            "MODIFY username varchar(90) NOT NULL, ADD mine int",
            "ALTER TABLE {dovecot_users} MODIFY password varchar(100) NOT NULL, "
            "MODIFY domain varchar(80), DROP PRIMARY KEY",
            f"DROP TABLE {host.table('mailserver_lock')}",
            f"ALTER TABLE {host.table('smtp_virtual_domains')} ENGINE=MyISAM",
            mailbox("ann", password=f"{{SSHA512}}{'QUJD' * 22}QUI="[:100]),
            mailbox("bob", password=f"{{CRYPT}}{SHA512}"),
            person("ann"),
            person("bob", username=f"b{'o' * 70}b@example.org"),
        ],
    )
    latin = "is latin1_swedish_ci, most utf8mb3_general_ci"
    result = host.run("mail_doctor")
    assert found(result) == {
        ("missing_table", "mailserver_lock"): ["the table is missing"],
        ("missing_column", "smtp_destinations"): ["status"],
        ("missing_key", "dovecot_users"): ["PRIMARY"],
        ("missing_key", "smtp_destinations"): ["foreign key to smtp_users", "source"],
        ("different_column", "dovecot_users"): [
            "domain allows NULL",
            "password is varchar(100), today varchar(255)",
        ],
        ("different_column", "smtp_users"): ["passwd is varchar(80), today varchar(256)"],
        ("not_innodb", "smtp_virtual_domains"): ["MyISAM"],
        ("mixed_collation", "smtp_destinations"): [
            f"{column} {latin}"
            for column in ("alias_domain", "destination", "source", "source_domain", "userid")
        ],
        ("truncated_hash", "dovecot_users"): [
            "ann@example.org (SSHA512)",
            "bob@example.org (CRYPT)",
        ],
        ("different_username", "smtp_users"): ["bob@example.org"],
        ("too_long", "smtp_users"): [f"username b{'o' * 70}b@example.org"],
    }
    assert result["not_checked"] == [
        "lack_p.smtp_virtual_domains is empty: which domains are hosted is not known"
    ]


def test_letters_that_only_some_tables_have_are_themselves(mariadb: MariaDB, collections: Path):
    host = Host(mariadb, collections, "lack_d", "lack_p")
    host.create_databases()
    host.run("mail_schema")
    foreign = "`smtp_destinations::userid--smtp_users::userid`"
    execute(
        host,
        [
            f"ALTER TABLE {{smtp_destinations}} DROP FOREIGN KEY {foreign}",
            "ALTER TABLE {smtp_destinations} CONVERT TO CHARACTER SET utf8mb4",
            "SET NAMES utf8mb4",
            *SOUND,
            route("gone", "😀@example.org", "😁@far.example"),
        ],
    )
    said = {"repairs": ["orphan_destinations"]}
    done = host.run("mail_doctor", **said)
    (part,) = done["repaired"]["orphan_destinations"]
    assert part["examples"] == ["remove 😀@example.org -> 😁@far.example (userid u-gone)"]
    assert not host.rows("smtp_destinations", userid="u-gone")
    assert not host.run("mail_doctor", **said)["changed"]


ODD = {
    "dovecot_users": [
        "ALTER TABLE {dovecot_users} MODIFY username varchar(80) NULL, MODIFY userid int",
        "ALTER TABLE {dovecot_users} MODIFY password varbinary(255), MODIFY loginname text",
        "INSERT INTO {dovecot_users} (username, password) VALUES (NULL, 'x')",
    ],
    "smtp_destinations": [
        "ALTER TABLE {smtp_destinations} MODIFY source varchar(80) NULL",
        "INSERT INTO {smtp_destinations} (userid, source, destination) VALUES (1, NULL, 'x@y')",
    ],
    "smtp_destinations of nobody": [
        "ALTER TABLE {smtp_destinations} MODIFY userid varchar(40) NULL",
        "INSERT INTO {smtp_destinations} (userid, source, destination) VALUES (NULL, 'a@b', 'c@d')",
        "INSERT INTO {smtp_destinations} (userid, source, destination) VALUES ('x', 'e@f', 'c@d')",
    ],
    "two of nobody, and binary names": [
        "ALTER TABLE {smtp_destinations} DROP KEY force_unique, MODIFY userid varbinary(40) NULL, "
        "MODIFY dispatch_address tinyint(1) NULL",
        *[
            "INSERT INTO {smtp_destinations} (userid, source, destination, dispatch_address) "
            "VALUES (NULL, 'a@b', 'c@d', NULL)"
        ]
        * 2,
        person("ann"),
        route("ann", "ann@example.org", "ann@example.org"),
    ],
    "smtp_destinations.userid": ["ALTER TABLE {smtp_destinations} DROP COLUMN userid"],
}


@pytest.mark.parametrize("table", ODD)
def test_columns_of_any_kind_are_read(mariadb: MariaDB, collections: Path, table: str):
    host = Host(mariadb, collections, "lack_d", "lack_p")
    host.create_databases()
    host.run("mail_schema")
    keys = {
        "dovecot_usage": "dovecot_usage::username--dovecot_users::username",
        "dovecot_last_login": "dovecot_last_login::username--dovecot_users::username",
        "smtp_destinations": "smtp_destinations::userid--smtp_users::userid",
    }
    execute(
        host, [f"ALTER TABLE {{{name}}} DROP FOREIGN KEY `{key}`" for name, key in keys.items()]
    )
    # MariaDB takes it although names are compared with it.
    execute(host, ["ALTER TABLE {dovecot_users} DROP KEY loginname", *ODD[table]])
    result = host.run("mail_doctor", repairs=list(REPAIRS), check=True)
    assert not result["sound"]
    said = "column lack_p.smtp_destinations.userid is not there"
    assert (said in result["not_checked"]) == (table == "smtp_destinations.userid")
    assert host.run("mail_doctor", repairs=list(REPAIRS))["repaired"] == result["repaired"]
    assert not host.run("mail_doctor", repairs=list(REPAIRS))["changed"]


def test_the_broken_import_of_2026_is_known(mariadb: MariaDB, collections: Path):
    host = Host(mariadb, collections, "broken", "broken")
    generation(host, "multi of 2026")
    execute(host, ["DROP TABLE broken.smtp_virtual_domains"])
    findings = found(host.run("mail_doctor"))
    assert ("broken_import", "smtp_virtual_domains") in findings
    assert not any(kind == "missing_table" and "domains" in t for kind, t in findings)


def generation(host: Host, name: str) -> None:
    """The tables of a generation, with two accounts and a fault of each database."""
    host.create_databases()
    known = GENERATIONS[name]
    execute(host, [f"USE {host.dovecot}", *filter(str.strip, known.sql.split(";"))])
    hook = "users_id" if known.multi else "userid"
    number = {"id": 1} if known.multi else {}
    flags = {} if "loginname" in known.lacks else {"loginname": "ann@example.org"}
    people = {"userid": "u-ann", "username": "ann@example.org"}
    execute(
        host,
        [
            statement(
                "dovecot_users", **people, domain="example.org", password=SECRET, home="/h", **flags
            ),
            statement(
                "smtp_users",
                **people,
                **number,
                client_idnr=CLIENT,
                passwd=HASH,
                email="ann@example.org",
            ),
            *(
                statement(
                    "smtp_destinations",
                    **{hook: 1 if known.multi else "u-ann"},
                    source=source,
                    destination=target,
                )
                for source, target in (
                    ("ann@example.org", "ann@example.org"),
                    ("info@example.org", "gone@example.org"),
                )
            ),
            statement(
                "smtp_destinations",
                **{hook: 7 if known.multi else "u-gone"},
                source="gus@example.org",
                destination="gus@far.example",
            ),
        ],
    )


@pytest.mark.parametrize("name", GENERATIONS)
def test_every_generation_is_examined_and_repaired(mariadb: MariaDB, collections: Path, name: str):
    host = Host(mariadb, collections, "ages", "ages")
    generation(host, name)
    result = host.run("mail_doctor", repairs=list(REPAIRS), check=True)
    of_rows = {
        kind: examples
        for kind, examples in found(result).items()
        if kind[0] not in ("missing_table", "missing_column", "missing_key", "different_column")
    }
    assert of_rows == {
        ("forward_to_nowhere", "smtp_destinations"): ["info@example.org -> gone@example.org"],
        ("no_scheme", "dovecot_users"): ["ann@example.org (no scheme)"],
        ("orphan_destination", "smtp_destinations"): ["gus@example.org -> gus@far.example"],
    }
    absent = [line for line in result["not_checked"] if "loginname" in line]
    assert bool(absent) == ("loginname" in GENERATIONS[name].lacks)
    done = host.run("mail_doctor", repairs=list(REPAIRS))
    assert done["repaired"] == result["repaired"]
    assert [name for name, parts in done["repaired"].items() if parts] == ["orphan_destinations"]
    assert not host.run("mail_doctor", repairs=list(REPAIRS))["changed"]
    assert len(host.rows("smtp_destinations")) == 2


def test_a_scheme_in_a_column_of_its_own_counts(mariadb: MariaDB, collections: Path):
    """As before November 2010; what becomes of it is for mail_schema."""
    host = Host(mariadb, collections, "ages", "ages")
    generation(host, "wiki of 2010")
    scheme = "ADD scheme varchar(20) NOT NULL DEFAULT 'SSHA256'"
    execute(
        host,
        [
            f"ALTER TABLE ages.dovecot_users {scheme}",
            f"UPDATE ages.dovecot_users SET password = '{HASH[9:]}'",
            "ALTER TABLE ages.smtp_users ADD encryption_type varchar(20) NOT NULL DEFAULT 'md5'",
            f"UPDATE ages.smtp_users SET passwd = '{MD5}'",
        ],
    )
    result = host.run("mail_doctor", repairs=["bare_hashes"])
    assert not result["changed"]
    kinds = {kind: examples for (kind, _table), examples in found(result).items()}
    assert "bare_hash" not in kinds
    assert "no_scheme" not in kinds
    assert kinds["refused_scheme"] == ["ann@example.org (MD5)"]


# ---- whoever asks, and wherever they lie


def test_two_servers_are_examined_together(mariadb: MariaDB, trixie: MariaDB, collections: Path):
    first, second = (Host(server, collections, "mail", "mail") for server in (mariadb, trixie))
    for host, theirs in ((first, "smtp_"), (second, "dovecot_")):
        host.create_databases()
        host.run("mail_schema")
        execute(host, [s for s in SOUND if f"{{{theirs}" not in s])
        # What a server has besides is not looked at.
        execute(host, ["DROP TABLE mail.dovecot_usage"] if host is second else [])
    said = {"postfix_login_unix_socket": trixie.socket}
    assert first.run("mail_doctor", **said)["report"] == []
    execute(first, [mailbox("ida"), statement("dovecot_usage", username="gone@example.org")])
    execute(second, [person("jim"), route("gone", "gone@example.org", "gone@far.example")])
    result = first.run("mail_doctor", **said, repairs=["orphan_usage", "orphan_destinations"])
    assert found(result) == {
        ("lone_smtp", "smtp_users"): ["jim@example.org"],
        ("lone_imap", "dovecot_users"): ["ida@example.org"],
    }
    assert result["actions"] == [
        "orphan_destinations: 1 in mail.smtp_destinations",
        "orphan_usage: 1 in mail.dovecot_usage",
    ]


def test_who_may_only_read_can_ask(ward: Host):
    execute(ward, ["CREATE OR REPLACE USER reader@localhost IDENTIFIED BY 'r'"])
    for database in (ward.dovecot, ward.postfix):
        execute(ward, [f"GRANT SELECT ON {database}.* TO reader@localhost"])
    said = {"login_user": "reader", "login_password": "r"}
    assert ward.run("mail_doctor", **said)["report"] == []
    execute(ward, FAULTS["usage of nobody"][0])
    assert ward.run("mail_doctor", check=True, **said, repairs=["orphan_usage"])["changed"]
    with pytest.raises(Failed, match="not allowed"):
        ward.run("mail_doctor", **said, repairs=["orphan_usage"])


def test_where_nothing_is_to_be_examined_it_says_so(bare: Host):
    with pytest.raises(Failed, match="Neither mail_d.dovecot_users nor mail_p.smtp_users"):
        bare.run("mail_doctor")


def test_no_secret_is_in_anything_that_a_play_prints(host: Host, tmp_path: Path):
    faults = ("bare hashes", "no scheme", "scheme of no Dovecot", "readable password")
    for number, fault in enumerate(faults):
        renamed = [re.sub("(jim|kim)", rf"\g<1>{number}", text) for text in FAULTS[fault][0]]
        execute(host, renamed)
    task = {"groupware.mailserver.mail_doctor": {"repairs": ["bare_hashes"]}}
    output = played(host, tmp_path, [task])
    assert "changed=1 " in output
    for secret in (SECRET, MD5, SHA512):
        assert secret not in output
    host.sql(f"DELETE FROM {host.table('dovecot_master_users')}")


@pytest.mark.long
def test_a_hundred_thousand_accounts_are_sound(bare: Host):
    """Nine seconds of processor time, beside that of the server, and 220 MiB."""
    bare.run("mail_schema")
    fill(bare, 300_000)
    result = bare.finish(bare.start("mail_doctor", repairs=list(REPAIRS)))
    assert (result["findings"], result["changed"]) == ([], False)
