# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole account model against a real MariaDB, row for row, beside what tine itself writes."""

from __future__ import annotations

import datetime
import itertools
import json
import re
from typing import Any

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.passwords import (
    matches,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.wanted import OWNER
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from .conftest import Failed, Host

TINE = "0123456789abcdef0123456789abcdef01234567"
READY = "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ"  # of "pw-a"
OTHER = "{SSHA256}GnHFWD+ENJTvfn+X7LpDlRdus2fj0E4KeFCTAYXABVGI6jMl"  # of "pw-b"
# Beside the rows: when they were written, and what the server makes of them by itself.
ASIDE = ("last_modified_time", "routing_domain", "address_domain", "source_domain", "alias_domain")
TABLES = ("dovecot_users", "smtp_users", "smtp_destinations")


def told(host: Host, *aside: str) -> dict[str, list[dict[str, Any]]]:
    """The rows, but for the columns aside."""
    return {
        table: sorted(
            (
                {name: value for name, value in row.items() if name not in (*ASIDE, *aside)}
                for row in host.rows(table)
            ),
            key=repr,
        )
        for table in TABLES
    }


def twice(host: Host, *accounts: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Check mode foretells the run and writes nothing; a second run has nothing to do."""
    before = host.everything()
    foretold = host.accounts(*accounts, check=True, **options)
    assert host.everything() == before
    done = host.accounts(*accounts, **options)
    assert done == foretold
    after = host.everything()
    again = host.accounts(*accounts, **options)
    assert (again["changed"], again["actions"]) == (False, [])
    assert host.everything() == after
    return done


def refused(host: Host, *accounts: dict[str, Any], **options: Any) -> str:
    """What is told of a wish that is not granted, in check mode and else; nothing is written."""
    before = host.everything()
    messages = []
    for check in (True, False):
        with pytest.raises(Failed) as failure:
            host.accounts(*accounts, check=check, **options)
        messages.append(str(failure.value))
    assert host.everything() == before
    assert messages[0] == messages[1]
    return messages[0]


def fresh(address: str, **said: Any) -> dict[str, Any]:
    """A wish that is enough for a new account."""
    return {"address": address, "password_hash": READY, **said}


# ---- every shape, as tine's rules (and not our code) make its destinations

SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "another username": {"username": "{n}.login@example.org"},
    "a username in another domain": {"username": "{n}@instance"},
    "aliases": {
        "aliases": [
            "{n}.a@example.org",
            {"address": "{n}.b@second.example", "dispatch_address": False},
            {"address": "{n}.c@example.org", "dispatch_address": True},
        ]
    },
    "the same aliases, flags turned": {
        "aliases": [
            {"address": "{n}.a@example.org", "dispatch_address": False},
            "{n}.b@second.example",
        ]
    },
    "forwards with a copy": {"forwards": ["{n}.x@far.example", "{n}.y@far.example"]},
    "forward only": {"forwards": ["{n}.x@far.example"], "forward_only": True},
    "forward only with aliases": {
        "forwards": ["{n}.x@far.example", "{n}.z@far.example"],
        "forward_only": True,
        "aliases": [
            "{n}.a@example.org",
            {"address": "{n}.b@example.org", "dispatch_address": False},
        ],
    },
    "another username, aliases and forwards": {
        "username": "{n}.login@example.org",
        "aliases": ["{n}.a@example.org"],
        "forwards": ["{n}.x@far.example"],
    },
    "another username, forward only with aliases": {
        "username": "{n}.login@example.org",
        "aliases": ["{n}.a@example.org"],
        "forwards": ["{n}.y@far.example"],
        "forward_only": True,
    },
}
SWITCHES = [
    {"account_name_destination": name, "destination_is_username": by_username}
    for name, by_username in itertools.product((True, False), repeat=2)
]


def shaped(shape: str, name: str) -> dict[str, Any]:
    """The wish for a shape of the account of this name, with everything said."""
    said = {
        "username": "{n}@example.org",
        "aliases": [],
        "forwards": [],
        "forward_only": False,
        **SHAPES[shape],
    }
    text = json.dumps(said).replace("{n}", name)
    return fresh(f"{name}@example.org", **json.loads(text))


def tine_writes(wish: dict[str, Any], switches: dict[str, bool]) -> set[tuple[str, str, int]]:
    """Section 5 of what is known of tine, written down without a look at our own code."""
    address, username = wish["address"], wish["username"]
    aliases = {
        alias["address"] if isinstance(alias, dict) else alias: int(
            alias["dispatch_address"] if isinstance(alias, dict) else True
        )
        for alias in wish["aliases"]
    }
    if wish["forward_only"]:
        return {
            (source, target, flag)
            for target in wish["forwards"]
            for source, flag in {address: 1, **aliases}.items()
        }
    inbox = username if switches["destination_is_username"] else address
    rows = {(address, username, 0), *((a, inbox, flag) for a, flag in aliases.items())}
    rows |= {(address, target, 1) for target in wish["forwards"]}
    if username != address and switches["account_name_destination"]:
        rows.add((username, username, 0))
    return rows


@pytest.mark.parametrize(
    ("first", "second"), list(itertools.combinations_with_replacement(SWITCHES, 2)), ids=repr
)
def test_every_shape_becomes_every_other_and_comes_back(host: Host, first: dict, second: dict):
    """One account for each pair of shapes, all changing at once, also tine's switches."""
    pairs = [
        (f"p{number}", one, other)
        for number, (one, other) in enumerate(itertools.product(SHAPES, repeat=2))
    ]
    ways = [
        ([shaped(one, name) for name, one, _other in pairs], first),
        ([shaped(other, name) for name, _one, other in pairs], second),
    ]
    userids: set[str] = set()
    for wishes, switches in (*ways, ways[0]):
        host.accounts(*wishes, **switches)
        rows = host.rows("smtp_destinations")
        expected = set().union(*(tine_writes(wish, switches) for wish in wishes))
        found = [(row["source"], row["destination"], row["dispatch_address"]) for row in rows]
        assert set(found) == expected
        assert len(found) == len(expected)
        owners = {row["username"]: row["userid"] for row in host.rows("smtp_users")}
        assert {row["userid"] for row in rows} == set(owners.values())
        for row in host.rows("smtp_users"):
            wish = wishes[int(row["email"][1:].partition("@")[0])]
            assert row["username"] == wish["username"]
            assert row["forward_only"] == wish["forward_only"]
        assert userids in (set(), set(owners.values()))
        userids = set(owners.values())
        before = host.everything()
        assert host.accounts(*wishes, **switches)["actions"] == []
        assert host.everything() == before


def test_a_catch_all_beside_an_alias_of_the_same_domain(host: Host):
    twice(
        host,
        fresh(
            "ann@example.org",
            aliases=[{"address": "@second.example", "dispatch_address": False}, "b@second.example"],
        ),
    )
    assert host.destinations() == {
        ("ann@example.org", "ann@example.org", 0),
        ("@second.example", "ann@example.org", 0),
        ("b@second.example", "ann@example.org", 1),
    }
    twice(host, {"address": "ann@example.org", "aliases": ["@second.example"]})
    assert ("@second.example", "ann@example.org", 1) in host.destinations()


def test_an_instance_makes_the_rows_that_tine_makes_there(host: Host):
    options = {
        "instance": "tine.example.net",
        "imap_domain": "example.org",
        "home_template": "/var/spool/mail/%d/%u",
        "uid": "999",
        "gid": "998",
        "default_quota": "2000M",
    }
    userid = "5" * 40
    twice(host, fresh("ann@example.org", userid=userid, aliases=["a@example.org"]), **options)
    rows = told(host)
    username = f"{userid}@tine.example.net"
    assert rows["dovecot_users"] == [
        {
            "userid": userid,
            "domain": "example.org",
            "username": username,
            "loginname": "ann@example.org",
            "password": READY,
            "quota_bytes": 2000,
            "quota_message": 0,
            "quota_sieve_bytes": 0,
            "quota_sieve_script": 0,
            "uid": "999",
            "gid": "998",
            "home": f"/var/spool/mail/example.org/{username}",
            "last_login": None,
            "last_login_unix": None,
            "instancename": "tine.example.net",
            "status": "enabled",
            "expiry_date": None,
        }
    ]
    assert rows["smtp_users"] == [
        {
            "userid": userid,
            "client_idnr": OWNER,
            "username": username,
            "passwd": READY,
            "email": "ann@example.org",
            "forward_only": 0,
            "status": "enabled",
            "expiry_date": None,
        }
    ]
    assert host.destinations() == {
        ("ann@example.org", username, 0),
        (username, username, 0),
        ("a@example.org", "ann@example.org", 1),
    }
    # The next task does not know the instance: what is not said is kept.
    assert not host.user("ann@example.org")["changed"]
    assert not host.user("ann@example.org", instance="other.example")["changed"]


def test_without_a_domain_an_instance_is_the_domain(host: Host):
    host.accounts(fresh("ann@example.org"), fresh("bob@example.org"), instance="tine.example.net")
    for row in host.rows("dovecot_users"):
        assert re.fullmatch("[0-9a-f]{40}", row["userid"])
        assert row["username"] == f"{row['userid']}@tine.example.net"
        assert row["domain"] == "tine.example.net"
        assert row["home"] == f"/var/vmail/tine.example.net/{row['userid']}"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("instance", "a" * 30 + ".bb.example"),
        ("instance", "x@y"),
        ("instance", "a b"),
        ("imap_domain", ".".join(["a" * 42] * 2)),
        ("imap_domain", "nodots"),
        ("client_idnr", "o" * 41),
        ("client_idnr", "a b"),
        ("home_template", "/var/mail/%n"),
        ("home_template", "relative/%u"),
    ],
)
def test_a_setting_that_no_column_holds_is_refused(host: Host, option: str, value: str):
    assert repr(value) in refused(host, fresh("ann@example.org"), **{option: value})


def test_an_instance_name_leaves_room_for_the_username(host: Host):
    """userid@instance has to fit into 80 characters."""
    name = "a" * 31 + ".example"
    assert len(name) == 39
    twice(host, fresh("ann@example.org", userid="5" * 40), instance=name)
    assert len(host.row("smtp_users")["username"]) == 80


# ---- what tine itself wrote (single instance, username mode "domain")

A, B, C, D = (letter * 40 for letter in "abcd")
TINE_USERS = [
    # userid, username, loginname, password, MiB, home, status, expiry, passwd, forward_only
    (
        *(A, "alice@example.org", "alice@example.org", READY, 600, "alice", "enabled", None),
        *("{SSHA256}RZV1W3MdrAPL2zyHZsY9VYzCxT2r/jPWwJwK7SiRa1M2Ds1+", 0),
    ),
    (
        *(B, "bob@example.org", "robert@example.org", OTHER, 0, "bob", "enabled", None),
        *("{SSHA256}Swv+NpK29CrXr85byZKSLys/4157EpqRI62+JFFpGdW42/OO", 0),
    ),
    (
        *(C, "carol-second-example@example.org", "carol@second.example"),
        *("{SSHA256}BI5PPLWnAIKukLGI6pjoIXjrSdxmzHv4KTpQfMy8sjR8ZvYh", 1),
        *("carol-second-example", "disabled", None),
        *("{SSHA256}lS+QiqQRuk6/SZpD5IYGI3JOBVH5W5jaOOgTb8H2l8dhaTEc", 0),
    ),
    (
        *(D, "dave@example.org", "dave@example.org"),
        *("{SSHA256}z+asEDRzfFd8oT6sYgPt03B4qiJSTE7O5azcw9ipcjiIcxJ/", 2000),
        *("dave", "enabled", "2027-01-31 00:00:00"),
        *("{SSHA256}DYHI9junFyz6c9MnBq6Ysgh46KXFtNVf9if5m3he/gzmSIc7", 1),
    ),
]
TINE_DESTINATIONS = [
    (A, "a@example.org", "alice@example.org", 1),
    (A, "alice@example.org", "alice@example.org", 0),
    (A, "info@example.org", "alice@example.org", 0),
    (B, "bob@example.org", "bob@example.org", 0),
    (B, "robert@example.org", "bob@example.org", 0),
    (B, "robert@example.org", "x@ext.example", 1),
    (B, "robert@example.org", "y@ext.example", 1),
    (C, "c.a@second.example", "carol@second.example", 1),
    (C, "carol-second-example@example.org", "carol-second-example@example.org", 0),
    (C, "carol@second.example", "carol-second-example@example.org", 0),
    (D, "d1@example.org", "out2@ext.example", 1),
    (D, "d1@example.org", "out@ext.example", 1),
    (D, "dave@example.org", "out2@ext.example", 1),
    (D, "dave@example.org", "out@ext.example", 1),
]
# The same four people in our words.
TINE_PEOPLE = [
    {
        "address": "alice@example.org",
        "userid": A,
        "password": "pw-a",
        "quota": 629145600,
        "aliases": ["a@example.org", {"address": "info@example.org", "dispatch_address": False}],
        "forwards": [],
        "forward_only": False,
        "status": "enabled",
        "expires": "never",
    },
    {
        "address": "robert@example.org",
        "username": "bob@example.org",
        "userid": B,
        "password": "pw-b",
        "quota": "unlimited",
        "aliases": [],
        "forwards": ["x@ext.example", "y@ext.example"],
        "status": "enabled",
    },
    {
        "address": "carol@second.example",
        "username": "carol-second-example@example.org",
        "userid": C,
        "password": "pw-c",
        "quota": "1M",
        "aliases": ["c.a@second.example"],
        "forwards": [],
        "status": "disabled",
    },
    {
        "address": "dave@example.org",
        "userid": D,
        "password": "pw-d",
        "quota": "2000M",
        "aliases": ["d1@example.org"],
        "forwards": ["out@ext.example", "out2@ext.example"],
        "forward_only": True,
        "status": "enabled",
        "expires": "2027-01-31T01:00:00+01:00",
    },
]
TINE_OPTIONS = {
    "client_idnr": TINE,
    "imap_domain": "example.org",
    "home_template": "/var/spool/mail/%d/%n",
    "uid": "999",
    "gid": "999",
    "default_password_scheme": "SSHA256",
}


def tine_rows(host: Host) -> None:
    for userid, username, login, stored, quota, home, status, expiry, passwd, only in TINE_USERS:
        host.sql(
            f"INSERT INTO {host.table('dovecot_users')} (userid, domain, username, loginname, "
            "password, quota_bytes, uid, gid, home, status, expiry_date, last_modified_time) "
            "VALUES (%s, 'example.org', %s, %s, %s, %s, '999', '999', %s, %s, %s, "
            "'2026-11-22 09:13:53')",
            *(userid, username, login, stored, quota, f"/var/spool/mail/example.org/{home}"),
            *(status, expiry),
        )
        host.sql(
            f"INSERT INTO {host.table('smtp_users')} (userid, client_idnr, username, passwd, email,"
            " forward_only, status, expiry_date, last_modified_time) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, '2026-11-22 09:13:53')",
            *(userid, TINE, username, passwd, login, only, status, expiry),
        )
    for row in TINE_DESTINATIONS:
        host.sql(
            f"INSERT INTO {host.table('smtp_destinations')} (userid, source, destination, "
            "dispatch_address) VALUES (%s, %s, %s, %s)",
            *row,
        )


def test_what_tine_wrote_is_as_wished_when_the_wish_says_the_same(host: Host):
    tine_rows(host)
    before = host.everything()
    done = host.accounts(*TINE_PEOPLE, **TINE_OPTIONS)
    assert (done["changed"], done["actions"], done["sessions_to_end"]) == (False, [], [])
    assert host.everything() == before
    # Nor is anything changed that is not said, or by a task that does not know tine's settings.
    assert not host.accounts(*TINE_PEOPLE, client_idnr=TINE)["changed"]
    assert not host.accounts(*({"address": p["address"]} for p in TINE_PEOPLE), client_idnr=TINE)[
        "changed"
    ]
    assert host.everything() == before


def test_from_nothing_the_same_rows_are_written_as_by_tine(host: Host):
    tine_rows(host)
    there = told(host, "password", "passwd")
    host.empty()
    host.sql(
        f"INSERT INTO {host.table('smtp_virtual_domains')} VALUES ('example.org', ''), "
        "('second.example', '')"
    )
    twice(host, *TINE_PEOPLE, **TINE_OPTIONS)
    assert told(host, "password", "passwd") == there
    for row in host.rows("dovecot_users"):
        assert matches(f"pw-{row['userid'][0]}", row["password"])


def test_no_change_of_one_person_of_tine_touches_another(host: Host):
    tine_rows(host)
    there = told(host)
    twice(host, {"address": "alice@example.org", "quota": "1G"}, client_idnr=TINE)
    now = told(host)
    assert now["smtp_users"] == there["smtp_users"]
    assert now["smtp_destinations"] == there["smtp_destinations"]
    assert [row for row in now["dovecot_users"] if row not in there["dovecot_users"]] == [
        {**there["dovecot_users"][0], "quota_bytes": 1024}
    ]


# ---- status and expiry

EXPIRIES = {
    "2027-01-31T18:00:00+01:00": "2027-01-31 17:00:00",
    "2027-01-31T18:00:00-0530": "2027-01-31 23:30:00",
    "2027-01-31 18:00 Europe/Berlin": "2027-01-31 17:00:00",
    "2027-07-31 18:00 Europe/Berlin": "2027-07-31 16:00:00",
    "2027-01-31T17:00:00Z": "2027-01-31 17:00:00",
    "2027-01-31 17:00 UTC": "2027-01-31 17:00:00",
    "2027-12-31T23:59:59.000-01:00": "2028-01-01 00:59:59",
    "2028-02-29T00:00:00Z": "2028-02-29 00:00:00",
    "2027-10-31 02:30 Europe/Berlin": "2027-10-31 00:30:00",  # the first of the two
    "2020-01-01T00:00:00Z": "2020-01-01 00:00:00",
}


def test_an_expiry_is_stored_in_utc_in_both_tables(host: Host):
    names = {f"p{number}@example.org": text for number, text in enumerate(EXPIRIES)}
    twice(host, *(fresh(name, expires=text) for name, text in names.items()))
    for table in ("dovecot_users", "smtp_users"):
        stored = {row["username"]: str(row["expiry_date"]) for row in host.rows(table)}
        assert stored == {name: EXPIRIES[text] for name, text in names.items()}
    twice(host, *({"address": name, "expires": "Never"} for name in names))
    assert {row["expiry_date"] for row in host.rows("smtp_users")} == {None}
    assert {row["expiry_date"] for row in host.rows("dovecot_users")} == {None}


@pytest.mark.parametrize(
    "text",
    [
        "2027-01-31T18:00:00",
        "2027-01-31",
        "2027-02-30T00:00:00Z",
        "2027-01-31T25:00:00Z",
        "2027-01-31T18:00:00+25:00",
        "2027-01-31 18:00 Europe/Atlantis",
        "2027-01-31 18:00 ../../etc/passwd",
        "2027-01-31T18:00:00.5Z",
        "0001-01-01T00:00:00+01:00",
        "2027-01-31T18:00:00Z\n",
        "tomorrow",
        "",
        "1800000000",
        "２０２７-01-31T18:00:00Z",
    ],
)
def test_what_is_no_moment_everywhere_is_refused(host: Host, text: str):
    told_ = refused(host, fresh("ann@example.org", expires=text))
    assert "expires: " in told_
    assert "Europe/Berlin" in told_


def test_null_status_means_enabled_and_is_left_alone(host: Host):
    tine_rows(host)
    for table in ("dovecot_users", "smtp_users"):
        host.sql(f"UPDATE {host.table(table)} SET status = NULL, expiry_date = NULL")
    before = host.everything()
    people = [
        {"address": p["address"], "status": "enabled", "expires": "never"} for p in TINE_PEOPLE
    ]
    assert not host.accounts(*people, client_idnr=TINE)["changed"]
    assert host.everything() == before
    done = twice(host, {"address": "alice@example.org", "status": "blocked"}, client_idnr=TINE)
    assert done["sessions_to_end"] == ["alice@example.org"]
    assert "status enabled -> blocked" in done["actions"][0]
    assert host.row("smtp_users", userid=A)["status"] == "blocked"
    assert host.row("dovecot_users", userid=A)["status"] == "blocked"
    assert host.row("smtp_users", userid=B)["status"] is None


def test_default_status_is_for_new_accounts_only(host: Host):
    host.user(**fresh("old@example.org"))
    twice(
        host,
        fresh("old@example.org"),
        fresh("new@example.org"),
        fresh("said@example.org", status="enabled"),
        default_status="disabled",
    )
    stored = {row["email"]: row["status"] for row in host.rows("smtp_users")}
    assert stored == {
        "old@example.org": "enabled",
        "new@example.org": "disabled",
        "said@example.org": "enabled",
    }
    assert {row["username"]: row["status"] for row in host.rows("dovecot_users")} == stored


# ---- whose session should not go on

PAST, FUTURE = "2001-01-01T00:00:00Z", "2101-01-01T00:00:00Z"
SESSIONS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "nothing said": ({}, {}, False),
    "a quota": ({}, {"quota": "1G"}, False),
    "an alias": ({}, {"aliases": ["a@example.org"]}, False),
    "forward only": ({}, {"forwards": ["x@far.example"], "forward_only": True}, False),
    "a new password": ({}, {"password_hash": OTHER}, True),
    "the same password": ({"password_hash": READY}, {"password": "pw-a"}, False),
    "on create only": ({}, {"password_hash": OTHER, "update_password": "on_create"}, False),
    "disabled": ({}, {"status": "disabled"}, True),
    "blocked": ({}, {"status": "blocked"}, True),
    "expired": ({}, {"status": "expired"}, True),
    "from blocked to disabled": ({"status": "blocked"}, {"status": "disabled"}, False),
    "enabled again": ({"status": "blocked"}, {"status": "enabled"}, False),
    "an expiry that is over": ({}, {"expires": PAST}, True),
    "an expiry to come": ({}, {"expires": FUTURE}, False),
    "an expiry further back": ({"expires": PAST}, {"expires": "2000-01-01T00:00:00Z"}, False),
    "no expiry any more": ({"expires": PAST}, {"expires": "never"}, False),
    "renamed": ({}, {"username": "zoe@second.example"}, True),
    "gone": ({}, {"state": "absent"}, True),
    "gone after it was blocked": ({"status": "blocked"}, {"state": "absent"}, True),
}


def test_sessions_end_where_they_should_and_nowhere_else(host: Host):
    places = [(f"p{number}", case) for number, case in enumerate(SESSIONS)]

    def wishes(turn: int) -> list[dict[str, Any]]:
        entries = [{"address": f"{n}@example.org", **SESSIONS[c][turn]} for n, c in places]
        return json.loads(json.dumps(entries).replace("zoe@", "zoe1@"))

    made = host.accounts(*({"password_hash": READY, **wish} for wish in wishes(0)))
    assert made["sessions_to_end"] == []
    done = host.accounts(*wishes(1))
    ended = {name.partition("@")[0] for name in done["sessions_to_end"]}
    assert {case for name, case in places if name in ended} == {
        case for case, (_first, _second, ends) in SESSIONS.items() if ends
    }
    assert host.accounts(*wishes(1))["sessions_to_end"] == []


def test_a_hash_made_stronger_ends_no_session(host: Host):
    host.user("ann@example.org", password="pw-a", password_scheme="SSHA256")
    wish = {"address": "ann@example.org", "password": "pw-a", "password_scheme": "SHA512-CRYPT"}
    assert not host.accounts(wish)["changed"]
    done = twice(host, wish, upgrade_scheme=True)
    assert (done["changed"], done["sessions_to_end"]) == (True, [])
    for row, column in (
        (host.row("dovecot_users"), "password"),
        (host.row("smtp_users"), "passwd"),
    ):
        assert row[column].startswith("{SHA512-CRYPT}")
        assert matches("pw-a", row[column])


def test_another_password_is_not_an_upgrade(host: Host):
    host.user("ann@example.org", password="pw-a", password_scheme="SSHA256")
    wish = {"address": "ann@example.org", "password": "pw-b", "password_scheme": "SSHA512"}
    done = twice(host, wish, upgrade_scheme=True)
    assert done["sessions_to_end"] == ["ann@example.org"]
    assert matches("pw-b", host.row("dovecot_users")["password"])


# ---- quotas, user and group, home

LIMITS = [
    ("quota", "600M", "quota_bytes", 600),
    ("quota", 2**30 + 5, "quota_bytes", 1024),
    ("quota", "unlimited", "quota_bytes", 0),
    ("quota", "1.5G", "quota_bytes", 1536),
    ("quota_messages", 1000, "quota_message", 1000),
    ("quota_messages", "unlimited", "quota_message", 0),
    ("quota_messages", "7", "quota_message", 7),
    ("quota_sieve", "1M", "quota_sieve_bytes", 2**20),
    ("quota_sieve", 5, "quota_sieve_bytes", 5),
    ("quota_sieve", "unlimited", "quota_sieve_bytes", 0),
    ("quota_sieve_scripts", 3, "quota_sieve_script", 3),
    ("quota_sieve_scripts", 0, "quota_sieve_script", 0),
]


def test_every_limit_reaches_its_column_and_only_that(host: Host):
    columns = {column: 0 for _o, _v, column, _s in LIMITS}
    people = {f"p{number}@example.org": limit for number, limit in enumerate(LIMITS)}
    twice(host, *(fresh(name, **{limit[0]: limit[1]}) for name, limit in people.items()))

    def stored() -> dict[str, dict[str, int]]:
        rows = {row["username"]: row for row in host.rows("dovecot_users")}
        return {name: {c: rows[name][c] for c in columns} for name in people}

    there = {name: {**columns, limit[2]: limit[3]} for name, limit in people.items()}
    assert stored() == there
    assert not host.accounts(*({"address": name} for name in people), default_quota="9G")["changed"]
    twice(host, *({"address": name, "quota_messages": 42} for name in people))
    assert stored() == {name: {**row, "quota_message": 42} for name, row in there.items()}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quota", 1),
        ("quota", 2**20 - 1),
        ("quota", "-1"),
        ("quota", -1),
        ("quota", "1X"),
        ("quota", 2**63),
        ("quota", "9999999999P"),
        ("quota", True),
        ("quota", []),
        ("quota", {"a": 1}),
        ("quota_messages", -1),
        ("quota_messages", 2**31),
        ("quota_messages", "many"),
        ("quota_messages", 1.5),
        ("quota_messages", True),
        ("quota_sieve", -5),
        ("quota_sieve", "3G"),
        ("quota_sieve", []),
        ("quota_sieve_scripts", "1M"),
        ("quota_sieve_scripts", 10**30),
    ],
)
def test_a_limit_that_is_none_is_refused(host: Host, field: str, value: Any):
    assert f"{field}: " in refused(host, fresh("ann@example.org", **{field: value}))


def test_user_group_and_home_of_one_account(host: Host):
    twice(
        host,
        fresh("ann@example.org", uid="ann", gid="1000", home="/srv/mail/ann"),
        fresh("bob@example.org"),
        uid="mailusers",
        gid="5000",
    )
    rows = {row["username"]: row for row in host.rows("dovecot_users")}
    facts = {name: (row["uid"], row["gid"], row["home"]) for name, row in rows.items()}
    assert facts == {
        "ann@example.org": ("ann", "1000", "/srv/mail/ann"),
        "bob@example.org": ("mailusers", "5000", "/var/vmail/example.org/bob"),
    }
    assert not host.accounts({"address": "ann@example.org"}, uid="x", gid="y")["changed"]
    done = twice(host, {"address": "bob@example.org", "uid": "bob"})
    assert done["mail_to_move"] == []
    assert host.row("dovecot_users", username="bob@example.org")["uid"] == "bob"


def test_a_home_only_moves_when_that_is_said(host: Host):
    host.user(**fresh("ann@example.org"))
    wish = {"address": "ann@example.org", "home": "/srv/mail/ann"}
    assert "move_mail: true" in refused(host, wish)
    done = twice(host, {**wish, "move_mail": True})
    assert done["mail_to_move"] == [
        {"username": "ann@example.org", "from": "/var/vmail/example.org/ann", "to": wish["home"]}
    ]
    assert not host.accounts(wish)["changed"]
    assert host.row("dovecot_users")["home"] == "/srv/mail/ann"


@pytest.mark.parametrize(
    "home", ["srv/mail", "/", "/srv/../etc", "/srv//x", "/srv/%u", "/srv/a b", "/" + "x" * 256, ""]
)
def test_a_home_that_is_none_is_refused(host: Host, home: str):
    assert "home: " in refused(host, fresh("ann@example.org", home=home))


def test_a_template_that_comes_out_too_long_is_refused(host: Host):
    template = "/" + "x" * 240 + "/%u"
    assert "dovecot_users.home" in refused(host, fresh("ann@example.org"), home_template=template)


# ---- userid and login name


def test_a_userid_is_kept_for_ever(host: Host):
    twice(host, fresh("ann@example.org", userid="the-id_of.ann#~#1"))
    assert host.row("dovecot_users")["userid"] == "the-id_of.ann#~#1"
    assert {row["userid"] for row in host.rows("smtp_destinations")} == {"the-id_of.ann#~#1"}
    assert not host.user("ann@example.org")["changed"]
    message = refused(host, {"address": "ann@example.org", "userid": "another"})
    assert "'another'" in message
    assert "'the-id_of.ann#~#1'" in message
    twice(host, {"address": "ann@example.org", "state": "absent"})
    twice(host, fresh("ann@example.org"))
    assert re.fullmatch("[0-9a-f]{40}", host.row("smtp_users")["userid"])


@pytest.mark.parametrize("userid", ["", "x" * 41, "a b", "a'b", "a\\", "a%", "ä", "a\n"])
def test_a_userid_that_is_none_is_refused(host: Host, userid: str):
    assert "userid: " in refused(host, fresh("ann@example.org", userid=userid))


def test_a_userid_of_somebody_else_is_refused(host: Host):
    tine_rows(host)
    host.user(**fresh("ann@example.org", userid="ours"))
    for userid in (A, A.upper(), "ours", "OURS"):
        message = refused(host, fresh("new@example.org", userid=userid))
        assert f"userid: {userid.lower()!r} already is" in message


def test_a_userid_of_a_lone_mailbox_is_refused(host: Host):
    tine_rows(host)
    host.sql(f"DELETE FROM {host.table('smtp_users')}")
    assert f"userid: {A!r} already is" in refused(host, fresh("new@example.org", userid=A))


def test_a_userid_twice_in_one_task_is_refused(host: Host):
    message = refused(
        host, fresh("a@example.org", userid="same"), fresh("b@example.org", userid="Same")
    )
    assert "account 2 (b@example.org): userid 'same'" in message
    assert "account 1 (a@example.org)" in message


def test_a_login_name_is_kept_until_another_is_said(host: Host):
    twice(host, fresh("ann@example.org", login_name="annie@example.org"))
    assert host.row("dovecot_users")["loginname"] == "annie@example.org"
    assert not host.user("ann@example.org")["changed"]
    twice(host, {"address": "ann@example.org", "quota": "1G"})
    host.run("mail_alias", account="ann@example.org", aliases=["a@example.org"])
    assert host.row("dovecot_users")["loginname"] == "annie@example.org"
    done = twice(host, {"address": "ann@example.org", "login_name": "ann@example.org"})
    assert "login name annie@example.org" in done["actions"][0]
    assert host.row("dovecot_users")["loginname"] == "ann@example.org"


def test_a_login_name_follows_the_address_as_with_tine(host: Host):
    host.user(**fresh("ann@example.org", username="a@example.org"))
    twice(host, {"address": "anna@example.org", "username": "a@example.org"})
    assert host.row("dovecot_users")["loginname"] == "anna@example.org"
    host.sql(f"UPDATE {host.table('dovecot_users')} SET loginname = NULL")
    twice(host, {"address": "anna@example.org"})
    assert host.row("dovecot_users")["loginname"] == "anna@example.org"


def test_a_login_name_of_somebody_else_is_refused(host: Host):
    tine_rows(host)
    for name in ("alice@example.org", "a@example.org", "bob@example.org", "Robert@example.org"):
        message = refused(host, fresh("new@example.org", login_name=name))
        assert f"login name {name.lower()!r} already is the" in message
    host.user(**fresh("ann@example.org", login_name="annie@example.org"))
    assert "already is the login name" in refused(
        host, fresh("new@example.org", aliases=["annie@example.org"])
    )
    assert "already is the login name" in refused(host, fresh("annie@example.org"))


# ---- names of the account itself


def test_an_alias_that_is_the_own_username_is_refused(host: Host):
    host.user(**fresh("ann@example.org", username="a@example.org"))
    for switches in SWITCHES:
        wish = {"address": "ann@example.org", "aliases": ["a@example.org"]}
        assert "'a@example.org'" in refused(host, wish, **switches)


def test_a_forward_to_the_own_username_is_refused(host: Host):
    host.user(**fresh("ann@example.org", username="a@example.org"))
    host.sql(f"UPDATE {host.table('smtp_users')} SET username = 'A@example.org'")
    wish = {"address": "ann@example.org", "forwards": ["a@example.org"]}
    assert "is the account itself" in refused(host, wish)


@pytest.mark.parametrize("said", [{}, {"aliases": ["b@example.org"]}], ids=repr)
def test_an_alias_that_becomes_the_address_is_no_alias_any_more(host: Host, said: dict[str, Any]):
    host.user(
        **fresh(
            "ann@example.org",
            username="login@example.org",
            aliases=["new@example.org", "b@example.org"],
        )
    )
    twice(host, {"address": "new@example.org", "username": "login@example.org", **said})
    assert host.destinations() == {
        ("new@example.org", "login@example.org", 0),
        ("login@example.org", "login@example.org", 0),
        ("b@example.org", "new@example.org", 1),
    }


def test_an_alias_that_becomes_the_username_is_no_alias_any_more(host: Host):
    host.user(**fresh("ann@example.org", aliases=["a@example.org", "b@example.org"]))
    twice(host, {"address": "ann@example.org", "username": "a@example.org"})
    assert host.destinations() == {
        ("ann@example.org", "a@example.org", 0),
        ("a@example.org", "a@example.org", 0),
        ("b@example.org", "ann@example.org", 1),
    }


def test_a_forward_that_becomes_the_address_is_no_forward_any_more(host: Host):
    forwards = ["later@example.org", "x@far.example"]
    host.user(**fresh("ann@example.org", username="l@example.org", forwards=forwards))
    wish = {"address": "later@example.org", "username": "l@example.org"}
    twice(host, wish)
    assert host.destinations() == {
        ("later@example.org", "l@example.org", 0),
        ("l@example.org", "l@example.org", 0),
        ("later@example.org", "x@far.example", 1),
    }


def test_the_last_forward_of_one_who_only_forwards_cannot_become_the_address(host: Host):
    host.user(
        **fresh(
            "ann@example.org",
            username="l@example.org",
            forwards=["later@example.org"],
            forward_only=True,
        )
    )
    wish = {"address": "later@example.org", "username": "l@example.org"}
    assert "none would be left" in refused(host, wish)
    twice(host, {**wish, "forward_only": False})
    assert host.row("smtp_users")["forward_only"] == 0


# ---- rows of others, and rows that lack their mate


def test_an_account_of_another_owner_is_taken_over_when_that_is_said(host: Host):
    tine_rows(host)
    wish = {"address": "alice@example.org", "quota": "1G"}
    message = refused(host, wish)
    assert TINE in message
    assert "adopt: true" in message
    there = told(host)
    done = twice(host, {**wish, "adopt": True})
    assert f"owner {TINE} -> {OWNER}" in done["actions"][0]
    assert done["sessions_to_end"] == []
    now = told(host)
    assert now["smtp_destinations"] == there["smtp_destinations"]
    assert now["smtp_users"] == sorted(
        [{**r, "client_idnr": OWNER} if r["userid"] == A else r for r in there["smtp_users"]],
        key=repr,
    )
    assert not host.user("alice@example.org")["changed"]


def test_removing_an_account_of_another_owner_needs_the_same_word(host: Host):
    tine_rows(host)
    wish = {"address": "alice@example.org", "state": "absent"}
    assert "adopt: true" in refused(host, wish)
    twice(host, {**wish, "adopt": True})
    assert not host.rows("smtp_users", userid=A)
    assert len(host.rows("smtp_users")) == 3


def test_a_lone_mailbox_is_taken_over_when_that_is_said(host: Host):
    tine_rows(host)
    host.sql(f"DELETE FROM {host.table('smtp_users')}")
    there = told(host)["dovecot_users"]
    wish = {"address": "robert@example.org", "aliases": ["r@example.org"]}
    assert "adopt: true" in refused(host, {**wish, "password_hash": OTHER})
    done = twice(host, {**wish, "adopt": True})
    assert done["counts"]["changed"] == 1
    assert told(host)["dovecot_users"] == there
    smtp = host.row("smtp_users")
    assert (smtp["userid"], smtp["username"], smtp["passwd"], smtp["client_idnr"]) == (
        B,
        "bob@example.org",
        OTHER,
        OWNER,
    )
    assert host.destinations() == {
        ("robert@example.org", "bob@example.org", 0),
        ("bob@example.org", "bob@example.org", 0),
        ("r@example.org", "robert@example.org", 1),
    }


def test_a_lone_mailbox_with_a_new_password_has_one_password(host: Host):
    tine_rows(host)
    host.sql(f"DELETE FROM {host.table('smtp_users')}")
    for update, password in (("on_create", "pw-a"), ("always", "other")):
        host.sql(f"DELETE FROM {host.table('smtp_users')}")
        twice(
            host,
            {
                "address": "alice@example.org",
                "adopt": True,
                "password": "other",
                "password_scheme": "SSHA256",
                "update_password": update,
            },
        )
        assert matches(password, host.row("dovecot_users", userid=A)["password"])
        assert matches(password, host.row("smtp_users")["passwd"])


def test_a_lone_mailbox_beside_an_account_of_ours_without_one(host: Host):
    """Two halves of one person under two userids: nothing that can be joined by a word."""
    host.user(**fresh("alice@example.org", userid="ours"))
    host.sql(f"DELETE FROM {host.table('dovecot_users')}")
    host.sql(
        f"INSERT INTO {host.table('dovecot_users')} (userid, domain, username, loginname, password)"
        " VALUES (%s, 'example.org', 'alice@example.org', 'alice@example.org', %s)",
        *(A, READY),
    )
    for adopt in (False, True):
        message = refused(host, {"address": "alice@example.org", "adopt": adopt})
        assert f"userid {A!r}" in message


def test_a_lone_mailbox_with_a_long_userid_is_refused_by_name(host: Host):
    """dovecot_users.userid holds 80 characters, smtp_users.userid 40."""
    tine_rows(host)
    host.sql(f"DELETE FROM {host.table('smtp_users')}")
    host.sql(
        f"UPDATE {host.table('dovecot_users')} SET userid = REPEAT('x', 50) WHERE userid = %s", A
    )
    message = refused(host, {"address": "alice@example.org", "adopt": True})
    assert "smtp_users.userid" in message


# ---- names that change hands although they are spelled in another way


def test_names_in_capitals_change_hands(host: Host):
    host.accounts(
        fresh("a@example.org", username="ua@example.org"),
        fresh("b@example.org", username="ub@example.org"),
    )
    for table in ("dovecot_users", "smtp_users"):
        host.sql(f"UPDATE {host.table(table)} SET username = UPPER(username)")
    for table, column in (("dovecot_users", "loginname"), ("smtp_users", "email")):
        host.sql(f"UPDATE {host.table(table)} SET {column} = UPPER({column})")
    twice(
        host,
        {"address": "b@example.org", "username": "ua@example.org"},
        {"address": "a@example.org", "username": "ub@example.org"},
    )
    stored = {row["email"].lower(): row["username"] for row in host.rows("smtp_users")}
    assert stored == {"a@example.org": "ub@example.org", "b@example.org": "ua@example.org"}


def test_three_accounts_hand_their_addresses_round(host: Host):
    host.accounts(
        *(fresh(f"{n}@example.org", username=f"u{n}@example.org") for n in "abc"),
    )
    turned = [
        {"address": f"{new}@example.org", "username": f"u{old}@example.org"}
        for old, new in zip("abc", "bca")
    ]
    # Found by their addresses: so it is the usernames that go round.
    twice(host, *turned)
    assert {row["email"]: row["username"] for row in host.rows("smtp_users")} == {
        "b@example.org": "ua@example.org",
        "c@example.org": "ub@example.org",
        "a@example.org": "uc@example.org",
    }


# ---- small transactions


def test_forwards_that_turn_round_are_no_circle_in_small_transactions(host: Host):
    host.accounts(
        fresh("a@example.org", forwards=["b@example.org"]), fresh("b@example.org", forwards=[])
    )
    for first, second in (("b", "a"), ("a", "b")):
        twice(
            host,
            {"address": f"{first}@example.org", "forwards": [f"{second}@example.org"]},
            {"address": f"{second}@example.org", "forwards": []},
            transaction_size=1,
        )
        assert (f"{first}@example.org", f"{second}@example.org", 1) in host.destinations()


def test_everybody_forwards_the_other_way_round_in_small_transactions(host: Host):
    """Every step in between has forwards of both states: none of them may be a circle."""
    names = [f"p{number}@example.org" for number in range(8)]
    chain = [
        fresh(name, forwards=[*([then] if then else []), f"copy{n}@far.example"])
        for n, (name, then) in enumerate(zip(names, [*names[1:], None]))
    ]
    back = [
        {"address": name, "forwards": [*([then] if then else []), f"other{n}@far.example"]}
        for n, (name, then) in enumerate(zip(names, [None, *names[:-1]]))
    ]
    for wishes in (chain, back, chain, back):
        twice(host, *wishes, transaction_size=1)
    forwards = {(s, t) for s, t, flag in host.destinations() if flag and t in names}
    assert forwards == set(zip(names[1:], names[:-1]))


# ---- secrets that do not look like one


def test_a_stored_hash_without_a_scheme_is_not_shown(host: Host):
    """As before 2010: a row that lacks its mate hands its hash on, but not to the reader."""
    host.user(**fresh("ann@example.org"))
    digest = "5f4dcc3b5aa765d61d8327deb882cf99"
    host.sql(f"UPDATE {host.table('smtp_users')} SET passwd = %s", digest)
    host.sql(f"DELETE FROM {host.table('dovecot_users')}")
    for check in (True, False):
        done = host.user("ann@example.org", show_queries=True, check=check)
        assert done["changed"]
        assert digest not in json.dumps(done)
    assert host.row("dovecot_users")["password"] == digest


# ---- bulk is the same as one by one


def directory(people: int) -> list[dict[str, Any]]:
    """Some of everything, aliases that are nobody else's, forwards without circles."""
    shapes = list(SHAPES)
    return [
        {
            **shaped(shapes[number % len(shapes)], f"p{number}"),
            "userid": f"id-{number}",
            "quota": f"{number % 7 + 1}G",
            "status": ("enabled", "disabled", "blocked")[number % 3],
            "expires": ("never", FUTURE)[number % 2],
            "uid": f"u{number % 3}",
        }
        for number in range(people)
    ]


def test_one_by_one_in_bulk_and_in_portions_come_to_the_same(host: Host):
    people = directory(30)
    turned = [
        {**one, **{k: v for k, v in other.items() if k not in ("address", "userid")}}
        for one, other in zip(people, directory(31)[1:])
    ]
    turned = [json.loads(json.dumps(t).replace(f"p{n + 1}", f"p{n}")) for n, t in enumerate(turned)]
    pictures = []
    for way in ("one", "bulk", "portions"):
        host.empty()
        host.sql(
            f"INSERT INTO {host.table('smtp_virtual_domains')} VALUES ('example.org', ''), "
            "('second.example', '')"
        )
        for state in (people, turned):
            if way == "one":
                for person in state:
                    host.user(**person)
            else:
                host.accounts(*state, transaction_size=3 if way == "portions" else 0)
        pictures.append(told(host, "home"))
    assert pictures[0] == pictures[1] == pictures[2]


MANY = 620  # more than store.MANY: whole tables are read instead of rows by name


def test_many_people_come_to_the_same_as_few_at_a_time(host: Host):
    people = directory(MANY)
    host.accounts(*people)
    whole = told(host)
    assert len(whole["smtp_users"]) == MANY
    before = host.everything()
    assert host.accounts(*people)["actions"] == []
    assert host.everything() == before
    host.empty()
    host.sql(
        f"INSERT INTO {host.table('smtp_virtual_domains')} VALUES ('example.org', ''), "
        "('second.example', '')"
    )
    for start in range(0, MANY, 310):
        host.accounts(*people[start : start + 310])
    assert told(host) == whole


def test_among_many_everything_is_found_as_among_few(host: Host):
    """Foreign accounts, odd spellings, lone rows and circles: told alike, however it is read."""
    tine_rows(host)
    host.sql(f"DELETE FROM {host.table('smtp_users')} WHERE userid = %s", C)
    host.sql(
        f"UPDATE {host.table('smtp_users')} SET email = 'ÁLICE@example.org' WHERE userid = %s", A
    )
    host.user(**fresh("chain@example.org", forwards=["next@example.org"]))
    wrong = [
        {"address": "dave@example.org", "quota": "1G"},
        fresh("w1@example.org", aliases=["alice@example.org"]),
        fresh("w2@example.org", aliases=["a@example.org"]),
        fresh("w3@example.org", username="bob@example.org"),
        fresh("w4@example.org", aliases=["carol@second.example"]),
        fresh("w5@example.org", aliases=["next@example.org"], forwards=["chain@example.org"]),
        fresh("w6@example.org", login_name="info@example.org"),
        fresh("w7@example.org", userid=D),
        fresh("w8@example.org", forwards=["w8+x@example.org"]),
        fresh("w9@nowhere.example"),
    ]
    many = [fresh(f"p{number}@example.org") for number in range(MANY)]
    told_ = []
    for others in ([], many):
        with pytest.raises(Failed) as failure:
            host.accounts(*wrong, *others)
        told_.append(sorted(failure.value.result["faults"]))
    assert told_[0] == told_[1]
    assert {fault.partition(" (")[0] for fault in told_[0]} == {
        f"account {number}" for number in range(1, 11)
    }
    # Rows that somebody keeps under a name that the server takes for equal.
    taken = {"address": "alice@example.org", "quota": "1G"}
    done = host.accounts(taken, *many, client_idnr=TINE)
    assert done["counts"] == {"created": MANY, "changed": 1, "removed": 0, "unchanged": 0}
    assert host.row("smtp_users", userid=A)["email"] == "ÁLICE@example.org"
    assert host.accounts(taken, *many, client_idnr=TINE)["actions"] == []


# ---- whatever is written into a field

ODD = st.one_of(
    st.sampled_from(
        [
            "'; DROP TABLE smtp_users; --",
            "a' OR '1'='1",
            'a"b',
            "a\\",
            "a\\'b",
            "100%",
            "%s",
            "%(x)s",
            "a_b",
            "nul\0",
            "line\nend",
            "\r",
            "\u2028",
            "🦊",
            "x" * 5000,
            "{0}",
            "{smtp_users}",
            "`",
            "",
            " ",
        ]
    ),
    st.text(max_size=12),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.booleans(),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)
ADDRESSES = st.text(max_size=6).map(lambda text: f"{text}@example.org")
FUZZED = (
    *("address", "username", "login_name", "userid", "password", "password_hash", "quota"),
    *("quota_messages", "quota_sieve", "quota_sieve_scripts", "uid", "gid", "home", "status"),
    *("expires", "aliases", "forwards", "forward_only", "adopt", "state", "password_scheme"),
    *("update_password", "reuse_mail", "move_mail"),
)
LISTS = st.lists(
    st.one_of(
        ADDRESSES, ODD, st.fixed_dictionaries({"address": ADDRESSES, "dispatch_address": ODD})
    ),
    max_size=3,
)
ATEXT = st.text("abAB09&'-=_~", min_size=1, max_size=8)
SPELLED = ATEXT.map(lambda text: f"a{text}b@example.org")
ODDLY = st.text("ab09`{}|#$?^'+", min_size=1, max_size=8).map(lambda text: f"{text}@example.org")
# What may well be granted; everything else is drawn from all kinds of nonsense.
FINE: dict[str, st.SearchStrategy[Any]] = {
    "address": SPELLED,
    "username": SPELLED,
    "login_name": SPELLED,
    "userid": st.text("aZ09_.#~-'%", min_size=1, max_size=8),
    "password": st.text(min_size=9, max_size=30),
    "uid": st.text("aZ09_.-' ", min_size=1, max_size=8),
    "home": st.text("aZ/.'\\%_ \"`;", max_size=20).map(lambda text: f"/{text}"),
    "aliases": st.lists(ODDLY, max_size=3, unique=True),
    "forwards": st.lists(ODDLY, max_size=3, unique=True),
    "quota": st.integers(2**20, 2**45),
    "expires": st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='seconds')}Z"),
}


SECRET = "Never'shown\"\\"


@st.composite
def said(draw: st.DrawFn) -> dict[str, Any]:
    """Some fields, with values that fit them and values that do not."""
    fields = draw(st.lists(st.sampled_from(FUZZED), min_size=1, max_size=3, unique=True))
    nonsense = st.one_of(ODD, ADDRESSES, LISTS)
    drawn = {
        field: draw(FINE[field] if field in FINE and draw(st.integers(0, 5)) else nonsense)
        for field in fields
    }
    if isinstance(drawn.get("password"), str):
        # What is searched for in the output can't be in another field by chance.
        drawn["password"] = SECRET + drawn["password"]
    return drawn


# What Ansible itself says of a value that is not of the option's type, before we see it.
BEFORE_US = ("argument", "value of", "parameters", "Elements value", "Unable to", "cannot be")


def test_nothing_that_is_written_into_a_field_reaches_the_server_as_sql(prepared: Host):
    manner = settings(max_examples=300, deadline=None, phases=[Phase.generate], derandomize=True)
    outcomes = {"stored": 0, "refused": 0}

    @manner
    @given(said())
    def law(fields: dict[str, Any]) -> None:
        prepared.empty()
        prepared.sql(
            f"INSERT INTO {prepared.table('smtp_virtual_domains')} VALUES ('example.org','')"
        )
        wish = {"address": "ann@example.org", "password": SECRET, "password_scheme": "SSHA256"}
        if "password_hash" in fields:
            del wish["password"]
        wish = {**wish, **fields}
        try:
            done = prepared.accounts(wish, show_queries=True)
        except Failed as failure:
            done = failure.result
        text = json.dumps(done)
        outcomes["refused" if done.get("failed") else "stored"] += 1
        if done.get("failed"):
            assert not prepared.rows("smtp_users")
            assert "faults" in done or any(word in text for word in BEFORE_US), text
        elif done["changed"]:
            _is_stored(prepared, wish)
        assert "error in your SQL syntax" not in text
        assert "Traceback" not in text
        assert json.dumps(SECRET)[1:-1] not in text

    law()
    assert min(outcomes.values()) > 15


def _is_stored(host: Host, wish: dict[str, Any]) -> None:
    """Exactly what was said, but for case."""
    smtp, imap = host.row("smtp_users"), host.row("dovecot_users")
    assert smtp["email"] == str(wish["address"]).lower()
    for field, stored in (
        ("username", smtp["username"]),
        ("userid", smtp["userid"]),
        ("login_name", imap["loginname"]),
        ("uid", imap["uid"]),
        ("gid", imap["gid"]),
        ("home", imap["home"]),
    ):
        if wish.get(field) is not None:
            assert stored.lower() == str(wish[field]).lower()
    if isinstance(wish.get("password"), str):
        assert matches(wish["password"], imap["password"])
    sources = {source for source, _target, _flag in host.destinations()}
    aliases = wish.get("aliases")
    for alias in aliases if isinstance(aliases, list) else ():
        name = alias["address"] if isinstance(alias, dict) else alias
        assert name.lower() in sources


def test_faults_of_every_kind_are_told_together_and_each_names_its_account(host: Host):
    """Those too that Ansible would find by itself, alone and without a name."""
    said = refused(
        host,
        fresh("ann@example.org", state="gone"),
        fresh("bob@example.org", statsu="disabled", forward_only="perhaps"),
        {"username": "cid@example.org", "password": "planted-Qz7"},
        fresh("dan@example.org", status="off", password_hash="{SSHA256}planted"),
    )
    for words in ("gone", "statsu", "perhaps", "account 3", "off", "password_hash"):
        assert words in said
    assert all(f"account {number}" in said for number in (1, 2, 3, 4))
    assert "planted" not in said


@pytest.mark.parametrize(
    "hint", ["DELETE FROM", "smtp_users", "%s"], ids=["statement", "table", "mark"]
)
def test_a_name_that_looks_like_sql_is_a_name(host: Host, hint: str):
    """Characters that an address may have and SQL knows."""
    local = {"DELETE FROM": "'or'1'='1'--", "smtp_users": "{smtp_users}", "%s": "a_b"}[hint]
    if hint == "smtp_users":
        assert "is no character of a login name" in refused(host, fresh(f"{local}@example.org"))
        twice(host, fresh("ann@example.org", aliases=[f"{local}@example.org"]))
        assert (f"{local}@example.org", "ann@example.org", 1) in host.destinations()
        return
    host.user(**fresh("axb@example.org"))
    twice(host, fresh(f"{local}@example.org", aliases=[f"{local}.x@example.org"]))
    twice(host, {"address": f"{local}@example.org", "state": "absent"})
    assert [row["email"] for row in host.rows("smtp_users")] == ["axb@example.org"]
    assert datetime.datetime.now() > host.row("smtp_users")["last_modified_time"] - (
        datetime.timedelta(days=1)
    )
