# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""mail_user and mail_accounts against a real MariaDB: check, run, again; and their rows."""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils import _connection
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.passwords import (
    matches,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.wanted import OWNER

from .conftest import Failed, Host

ANN = {"address": "ann@example.org", "password": "Secret of Ann"}
TINE = "0123456789abcdef0123456789abcdef01234567"


def rhythm(host: Host, *accounts: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Check mode predicts and writes nothing, the run does it, the second run has nothing to do."""
    before = host.everything()
    predicted = host.accounts(*accounts, check=True, **options)
    assert host.everything() == before
    done = host.accounts(*accounts, **options)
    after = host.everything()
    again = host.accounts(*accounts, **options)
    assert predicted["changed"] == done["changed"]
    assert predicted["actions"] == done["actions"]
    assert predicted["counts"] == done["counts"]
    assert predicted["diff"] == done["diff"]
    assert not again["changed"]
    assert again["diff"]["before"] == again["diff"]["after"] == ""
    assert host.everything() == after
    return done


def test_a_plain_account_leaves_the_rows_that_tine_writes(host: Host):
    done = rhythm(host, {**ANN, "quota": "600M"})
    imap = host.row("dovecot_users")
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    assert abs(now - imap.pop("last_modified_time")) < datetime.timedelta(minutes=1)
    assert re.fullmatch("[0-9a-f]{40}", imap["userid"])
    hashes = [imap.pop("password")]
    userid = imap["userid"]
    assert imap == {
        "userid": userid,
        "domain": "example.org",
        "username": "ann@example.org",
        "loginname": "ann@example.org",
        "quota_bytes": 600,
        "quota_message": 0,
        "quota_sieve_bytes": 0,
        "quota_sieve_script": 0,
        "uid": "vmail",
        "gid": "vmail",
        "home": "/var/vmail/example.org/ann",
        "last_login": None,
        "last_login_unix": None,
        "instancename": None,
        "status": "enabled",
        "expiry_date": None,
    }
    smtp = host.row("smtp_users")
    assert smtp.pop("last_modified_time")
    hashes.append(smtp.pop("passwd"))
    assert smtp == {
        "userid": userid,
        "client_idnr": OWNER,
        "username": "ann@example.org",
        "email": "ann@example.org",
        "forward_only": 0,
        "status": "enabled",
        "expiry_date": None,
        "routing_domain": None,
        "address_domain": "example.org",
    }
    assert host.rows("smtp_destinations") == [
        {
            "userid": userid,
            "source": "ann@example.org",
            "destination": "ann@example.org",
            "dispatch_address": 0,
            "status": None,
            "expiry_date": None,
            "last_modified_time": None,
            "source_domain": "example.org",
            "alias_domain": None,
        }
    ]
    assert len(set(hashes)) == 2
    assert all(h.startswith("{SHA512-CRYPT}$6$") and matches(ANN["password"], h) for h in hashes)
    assert done["actions"] == ["create ann@example.org"]
    assert done["counts"] == {"created": 1, "changed": 0, "removed": 0, "unchanged": 0}


# The four accounts of tine's own classes (single instance), said in our words, and their rows.
SHAPES = {
    "aliases": (
        {
            "address": "alice@example.org",
            "aliases": [
                "a@example.org",
                {"address": "info@example.org", "dispatch_address": False},
            ],
        },
        {
            ("alice@example.org", "alice@example.org", 0),
            ("a@example.org", "alice@example.org", 1),
            ("info@example.org", "alice@example.org", 0),
        },
    ),
    "another username, forwards with a copy": (
        {
            "address": "robert@example.org",
            "username": "bob@example.org",
            "forwards": ["x@ext.example", "y@ext.example"],
        },
        {
            ("robert@example.org", "bob@example.org", 0),
            ("bob@example.org", "bob@example.org", 0),
            ("robert@example.org", "x@ext.example", 1),
            ("robert@example.org", "y@ext.example", 1),
        },
    ),
    "another username in another domain": (
        {
            "address": "carol@second.example",
            "username": "carol-second-example@example.org",
            "aliases": ["c.a@second.example"],
        },
        {
            ("carol@second.example", "carol-second-example@example.org", 0),
            ("carol-second-example@example.org", "carol-second-example@example.org", 0),
            ("c.a@second.example", "carol@second.example", 1),
        },
    ),
    "forward only": (
        {
            "address": "dave@example.org",
            "aliases": ["d1@example.org"],
            "forward_only": True,
            "forwards": ["out@ext.example", "out2@ext.example"],
        },
        {
            ("dave@example.org", "out@ext.example", 1),
            ("dave@example.org", "out2@ext.example", 1),
            ("d1@example.org", "out@ext.example", 1),
            ("d1@example.org", "out2@ext.example", 1),
        },
    ),
    "catch-all": (
        {"address": "eve@example.org", "aliases": ["@second.example"]},
        {("eve@example.org", "eve@example.org", 0), ("@second.example", "eve@example.org", 1)},
    ),
    "username where nobody mails to": (
        {"address": "fay@example.org", "username": "1f@instance"},
        {("fay@example.org", "1f@instance", 0), ("1f@instance", "1f@instance", 0)},
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_leaves_the_destinations_that_tine_writes(host: Host, shape: str):
    account, expected = SHAPES[shape]
    rhythm(host, {**account, "password": "pass word", "password_scheme": "SSHA256"})
    assert host.destinations() == expected
    smtp, imap = host.row("smtp_users"), host.row("dovecot_users")
    assert smtp["userid"] == imap["userid"]
    assert smtp["username"] == imap["username"] == account.get("username", account["address"])
    assert imap["domain"] == imap["username"].split("@")[1]
    assert smtp["email"] == imap["loginname"] == account["address"]
    assert smtp["forward_only"] == account.get("forward_only", 0)


def test_all_shapes_at_once_and_back_to_nothing(host: Host):
    accounts = [
        {**account, "password": "pass word", "password_scheme": "SSHA256"}
        for account, _rows in SHAPES.values()
    ]
    done = rhythm(host, *accounts)
    assert done["counts"]["created"] == len(SHAPES)
    assert host.destinations() == set().union(*(rows for _account, rows in SHAPES.values()))
    gone = rhythm(host, *({"address": a["address"], "state": "absent"} for a in accounts))
    assert gone["counts"]["removed"] == len(SHAPES)
    assert not any(host.rows(t) for t in ("dovecot_users", "smtp_users", "smtp_destinations"))


@pytest.mark.parametrize("one", SHAPES)
@pytest.mark.parametrize("other", SHAPES)
def test_any_shape_becomes_any_other(host: Host, one: str, other: str):
    said = {
        "aliases": [],
        "forwards": [],
        "forward_only": False,
        "password": "pass word",
        "password_scheme": "SSHA256",
        "address": "zoe@example.org",
    }

    def shaped(shape: str) -> dict[str, Any]:
        account = {k: v for k, v in SHAPES[shape][0].items() if k not in ("address", "username")}
        return {**said, **account}

    host.accounts(shaped(one))
    userid = host.row("smtp_users")["userid"]
    result = host.accounts(shaped(other))
    assert result["changed"] == (shaped(one) != shaped(other))
    assert host.row("smtp_users")["userid"] == userid
    there = host.destinations()
    host.empty()
    host.sql(
        f"INSERT INTO {host.table('smtp_virtual_domains')} VALUES ('example.org', ''), "
        "('second.example', '')"
    )
    host.accounts(shaped(other))
    assert there == host.destinations()


def test_what_is_not_said_is_kept(host: Host):
    host.user(
        "ann@example.org",
        password="one",
        quota="2G",
        aliases=["a@example.org"],
        forwards=["x@ext.example"],
        home_template="/mail/%u",
    )
    before = host.everything()
    assert not host.user("ann@example.org")["changed"]
    assert host.everything() == before
    host.user("ann@example.org", quota=0)
    assert host.row("dovecot_users")["quota_bytes"] == 0
    assert host.row("dovecot_users")["home"] == "/mail/ann@example.org"
    assert len(host.destinations()) == 3
    done = host.user("ann@example.org", aliases=[])
    assert done["actions"] == ["change ann@example.org: aliases a@example.org -> none"]
    assert len(host.destinations()) == 2


def test_only_the_difference_is_written(host: Host):
    host.user("ann@example.org", password="one", aliases=["a@example.org", "b@example.org"])
    host.sql("UPDATE {} SET status='mark'".format(host.table("smtp_destinations")))
    host.user("ann@example.org", aliases=["b@example.org", "c@example.org"])
    marked = {row["source"]: row["status"] for row in host.rows("smtp_destinations")}
    assert marked == {"ann@example.org": "mark", "b@example.org": "mark", "c@example.org": None}


def test_a_password_is_verified_and_only_then_replaced(host: Host):
    host.user(**ANN)
    first = host.row("dovecot_users")["password"]
    assert not host.user(**ANN, password_scheme="SSHA512")["changed"]
    assert not host.user("ann@example.org", password="other", update_password="on_create")[
        "changed"
    ]
    done = host.user("ann@example.org", password="other", password_scheme="SSHA512")
    assert done["actions"] == ["change ann@example.org: new imap password; new smtp password"]
    assert "imap password: (kept)" in done["diff"]["before"]
    assert "imap password: (new)" in done["diff"]["after"]
    second = host.row("dovecot_users")["password"]
    assert second.startswith("{SSHA512}")
    assert first != second
    assert matches("other", second)


def test_a_hash_of_tine_that_verifies_is_kept(host: Host):
    host.user(**ANN)
    tine = "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ"
    host.sql(f"UPDATE {host.table('dovecot_users')} SET password = %s", tine)
    host.sql(f"UPDATE {host.table('smtp_users')} SET passwd = %s", tine)
    assert not host.user("ann@example.org", password="pw-a")["changed"]


def test_a_finished_hash_is_stored_as_it_is(host: Host):
    ready = "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ"
    rhythm(host, {"address": "ann@example.org", "password_hash": ready})
    assert host.row("dovecot_users")["password"] == host.row("smtp_users")["passwd"] == ready


@pytest.mark.parametrize(
    "scheme",
    ["SHA512-CRYPT", "SHA256-CRYPT", "SSHA512", "SSHA256", "BLF-CRYPT", "ARGON2ID", "PBKDF2"],
)
def test_every_scheme_is_stored_and_verified(host: Host, scheme: str):
    rhythm(host, {**ANN, "password_scheme": scheme})
    assert host.row("dovecot_users")["password"].startswith("{" + scheme + "}")


ODD = [
    "quo'te",
    'dou"ble',
    "back\\slash",
    "per%cent %s %(x)s",
    "dol$lar",
    "sp ace ",
    " lead",
    "#hash",
    "ümlaut €",
    "😀",
    "{{ x }}",
    "{PLAIN}x",
    "semi;colon",
    "-- comment",
    "`tick`",
    "tab\there",
    "*",
    "!",
]


@pytest.mark.parametrize("password", ODD)
def test_a_password_may_hold_any_character(host: Host, password: str):
    rhythm(host, {"address": "ann@example.org", "password": password, "password_scheme": "SSHA256"})
    assert matches(password, host.row("dovecot_users")["password"])
    assert matches(password, host.row("smtp_users")["passwd"])


@pytest.mark.parametrize("local", ["o'brien", "a=b", "per_cent", "~t", "a&b"])
def test_odd_characters_of_an_address_reach_the_tables_unchanged(host: Host, local: str):
    rhythm(
        host,
        {
            "address": f"{local}@example.org",
            "password": "pass word",
            "password_scheme": "SSHA256",
            "aliases": [f"{local}.alias@example.org", f"{local}+`${{x}}^|#?@example.org"],
            "forwards": [f"{local}@ext.example"],
        },
    )
    assert host.row("smtp_users")["email"] == f"{local}@example.org"
    assert host.row("dovecot_users")["home"] == f"/var/vmail/example.org/{local}"
    rhythm(host, {"address": f"{local}@example.org", "state": "absent"})


def test_addresses_are_stored_in_lower_case_and_punycode(host: Host):
    host.run("mail_domain", name=["Bücher.Example"])
    rhythm(
        host,
        {"address": "Ann@BÜCHER.example", "password": "pass word", "password_scheme": "SSHA256"},
    )
    assert host.row("smtp_users")["email"] == "ann@xn--bcher-kva.example"


def test_an_address_changes_when_the_username_is_said(host: Host):
    host.user(
        "robert@example.org",
        username="bob@example.org",
        password="pass word",
        quota="1G",
        aliases=["r@example.org"],
        forwards=["f@ext.example"],
    )
    userid = host.row("smtp_users")["userid"]
    rhythm(host, {"address": "bobby@example.org", "username": "bob@example.org"})
    assert host.row("dovecot_users")["loginname"] == "bobby@example.org"
    assert host.destinations(userid) == {
        ("bobby@example.org", "bob@example.org", 0),
        ("bob@example.org", "bob@example.org", 0),
        ("r@example.org", "bobby@example.org", 1),
        ("bobby@example.org", "f@ext.example", 1),
    }


def test_a_username_changes_only_when_it_is_said_and_its_home_stays(host: Host):
    host.user(**ANN)
    host.sql(f"INSERT INTO {host.table('dovecot_usage')} VALUES ('ann@example.org', 5, 1)")
    rhythm(host, {"address": "ann@example.org", "username": "anna@second.example"})
    row = host.row("dovecot_users")
    assert (row["username"], row["domain"]) == ("anna@second.example", "second.example")
    assert row["home"] == "/var/vmail/example.org/ann"
    assert host.row("dovecot_usage")["username"] == "anna@second.example"
    host.sql(f"DELETE FROM {host.table('dovecot_usage')}")


def test_two_accounts_exchange_their_addresses_and_usernames(host: Host):
    a, b = (
        {"password": "pass word", "password_scheme": "SSHA256"},
        {"password": "pass word 2", "password_scheme": "SSHA256"},
    )
    host.accounts(
        {**a, "address": "a@example.org", "username": "ua@example.org"},
        {**b, "address": "b@example.org", "username": "ub@example.org"},
    )
    ids = {row["username"]: row["userid"] for row in host.rows("smtp_users")}
    rhythm(
        host,
        {"address": "b@example.org", "username": "ua@example.org"},
        {"address": "a@example.org", "username": "ub@example.org"},
    )
    # Found by address, so it is the usernames that moved.
    assert {row["username"]: row["userid"] for row in host.rows("smtp_users")} == {
        "ua@example.org": ids["ub@example.org"],
        "ub@example.org": ids["ua@example.org"],
    }


def test_an_alias_moves_from_one_account_to_another(host: Host):
    x = {"password": "pass word", "password_scheme": "SSHA256"}
    host.accounts(
        {**x, "address": "a@example.org", "aliases": ["info@example.org"]},
        {**x, "address": "b@example.org"},
    )
    rhythm(
        host,
        {"address": "b@example.org", "aliases": ["info@example.org"]},
        {"address": "a@example.org", "aliases": []},
    )
    assert ("info@example.org", "b@example.org", 1) in host.destinations()


def test_somebody_who_leaves_leaves_the_address_to_a_colleague(host: Host):
    x = {"password": "pass word", "password_scheme": "SSHA256"}
    host.accounts({**x, "address": "a@example.org"}, {**x, "address": "b@example.org"})
    rhythm(
        host,
        {"address": "b@example.org", "aliases": ["a@example.org"]},
        {"address": "a@example.org", "state": "absent"},
    )
    assert ("a@example.org", "b@example.org", 1) in host.destinations()


def test_small_transactions_come_to_the_same(host: Host):
    accounts = [
        {
            "address": f"u{n}@example.org",
            "password": "pass word",
            "password_scheme": "SSHA256",
            "aliases": [f"a{n}@example.org"],
        }
        for n in range(10)
    ]
    before = host.row("mailserver_lock")["generation"]
    host.accounts(*accounts, transaction_size=3)
    assert host.row("mailserver_lock")["generation"] == before + 4
    assert not host.accounts(*accounts)["changed"]
    moved = [{**a, "aliases": [f"a{(n + 1) % 10}@example.org"]} for n, a in enumerate(accounts)]
    host.accounts(*moved, transaction_size=3)
    assert ("a0@example.org", "u9@example.org", 1) in host.destinations()
    assert len(host.destinations()) == 20


# ---- what is refused, by name, before anything is written


def tine_account(host: Host, name: str = "tina", userid: str = "t" * 40) -> None:
    """An account as tine would have written it, with tine's own client_idnr."""
    address = f"{name}@example.org"
    host.sql(
        f"INSERT INTO {host.table('dovecot_users')} (userid, domain, username, loginname, password)"
        " VALUES (%s, 'example.org', %s, %s, '{SSHA256}x')",
        userid,
        address,
        address,
    )
    host.sql(
        f"INSERT INTO {host.table('smtp_users')} (userid, client_idnr, username, passwd, email)"
        " VALUES (%s, %s, %s, '{SSHA256}x', %s)",
        userid,
        TINE,
        address,
        address,
    )
    host.sql(
        f"INSERT INTO {host.table('smtp_destinations')} "
        "(userid, source, destination, dispatch_address) VALUES (%s, %s, %s, 0), (%s, %s, %s, 1)",
        userid,
        address,
        address,
        userid,
        f"{name}.alias@example.org",
        address,
    )


NEW = {"password": "pass word", "password_scheme": "SSHA256"}
REFUSED = {
    "an account of another owner": (
        [{"address": "tina@example.org", "quota": "1G"}],
        f"belongs to client_idnr '{TINE}'",
    ),
    "removing an account of another owner": (
        [{"address": "tina@example.org", "state": "absent"}],
        f"belongs to client_idnr '{TINE}'",
    ),
    "an alias that is an address": (
        [{**NEW, "address": "new@example.org", "aliases": ["tina@example.org"]}],
        "new@example.org.*alias 'tina@example.org' already is the username of account tina",
    ),
    "an alias of another account": (
        [{**NEW, "address": "new@example.org", "aliases": ["Tina.Alias@example.org"]}],
        "alias 'tina.alias@example.org' already is the alias of account tina@example.org",
    ),
    "an address that is an alias": (
        [{**NEW, "address": "tina.alias@example.org"}],
        "'tina.alias@example.org' already is the alias of account tina",
    ),
    "a username of another account": (
        [{**NEW, "address": "new@example.org", "username": "old@example.org"}],
        "old@example.org|same account",
    ),
    "a new account without a password": ([{"address": "new@example.org"}], "needs a password"),
    "a domain that is not hosted": (
        [{**NEW, "address": "a@other.example", "aliases": ["x@third.example"]}],
        r"2 faults(.|\n)*add other.example(.|\n)*add third.example",
    ),
    "forward only without forwards": (
        [{**NEW, "address": "new@example.org", "forward_only": True}],
        "forward_only needs forwards",
    ),
    "a forward to the account itself": (
        [{**NEW, "address": "new@example.org", "forwards": ["new@example.org"]}],
        "is the account itself",
    ),
    "a forward to the own username": (
        [{"address": "old@example.org", "forwards": ["olduser@example.org"]}],
        "is the account itself",
    ),
    "a forward to itself with an extension": (
        [{**NEW, "address": "new@example.org", "forwards": ["new+x@example.org"]}],
        "run in a circle",
    ),
    "a circle of two new accounts": (
        [
            {**NEW, "address": "a@example.org", "forwards": ["b@example.org"]},
            {**NEW, "address": "b@example.org", "forwards": ["a@example.org"]},
        ],
        "circle: a@example.org -> b@example.org -> a@example.org",
    ),
    "a circle through what is there": (
        [
            {
                **NEW,
                "address": "new@example.org",
                "aliases": ["next@example.org"],
                "forwards": ["chain@example.org"],
            }
        ],
        "circle: new@example.org -> chain@example.org -> chain2@example.org -> next",
    ),
    "a circle through a catch-all": (
        [
            {
                **NEW,
                "address": "new@example.org",
                "aliases": ["@second.example"],
                "forwards": ["whoever@second.example"],
            }
        ],
        "run in a circle",
    ),
    "one address twice": (
        [{**NEW, "address": "a@example.org"}, {**NEW, "address": "A@Example.org"}],
        r"account 2 \(a@example.org\): address 'a@example.org' is also the address of account 1",
    ),
    "one alias twice": (
        [
            {**NEW, "address": "a@example.org", "aliases": ["x@example.org"]},
            {**NEW, "address": "b@example.org", "aliases": ["X@example.org"]},
        ],
        r"account 2 \(b@example.org\): alias 'x@example.org' is also the alias of account 1",
    ),
    "one account by address and by username": (
        [
            {"address": "old@example.org"},
            {"address": "new@example.org", "username": "olduser@example.org"},
        ],
        "is the same account as account 1",
    ),
    "a username that an address already is": (
        [{**NEW, "address": "new@example.org", "username": "tina@example.org"}],
        f"belongs to client_idnr '{TINE}'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_by_name_before_anything_is_written(host: Host, case: str):
    tine_account(host)
    x = {"password": "pass word", "password_scheme": "SSHA256"}
    host.accounts(
        {**x, "address": "old@example.org", "username": "olduser@example.org"},
        {**x, "address": "chain@example.org", "forwards": ["chain2@example.org"]},
        {**x, "address": "chain2@example.org", "forwards": ["next@example.org"]},
    )
    before = host.everything()
    accounts, told = REFUSED[case]
    for check in (True, False):
        with pytest.raises(Failed) as failure:
            host.accounts(*accounts, check=check)
        assert re.search(told, str(failure.value)), str(failure.value)
        assert "Nothing was written." in str(failure.value)
    assert host.everything() == before


def test_accounts_of_others_are_never_written(host: Host):
    tine_account(host)
    before = host.row("smtp_users"), host.row("dovecot_users")
    host.user(**ANN)
    assert (
        host.row("smtp_users", client_idnr=TINE),
        host.row("dovecot_users", userid="t" * 40),
    ) == before


def test_with_the_owner_said_an_account_of_that_owner_is_changed(host: Host):
    tine_account(host)
    done = host.user("tina@example.org", quota="1G", client_idnr=TINE)
    assert done["actions"] == ["change tina@example.org: quota 2000 MiB -> 1024 MiB"]
    assert host.row("smtp_users")["client_idnr"] == TINE


def test_a_lone_row_of_dovecot_is_told(host: Host):
    tine_account(host)
    host.sql(f"DELETE FROM {host.table('smtp_users')}")
    with pytest.raises(Failed, match="a row of dovecot_users without one in smtp_users"):
        host.user("tina@example.org", password="pass word")


def test_a_missing_row_of_dovecot_comes_back_with_the_same_password(host: Host):
    host.user(**ANN)
    stored = host.row("smtp_users")
    host.sql(f"DELETE FROM {host.table('dovecot_users')}")
    rhythm(host, {"address": "ann@example.org"})
    row = host.row("dovecot_users")
    assert (row["userid"], row["password"]) == (stored["userid"], stored["passwd"])


@pytest.mark.parametrize("stored", ["ánn@example.org", "ANN@example.org", "ann@example.org "])
def test_equal_is_what_the_column_takes_for_equal(host: Host, stored: str):
    tine_account(host)
    for table, columns in (
        ("smtp_users", ("username", "email")),
        ("dovecot_users", ("username", "loginname")),
    ):
        host.sql(
            f"UPDATE {host.table(table)} SET {columns[0]} = %s, {columns[1]} = %s", stored, stored
        )
    host.sql(f"DELETE FROM {host.table('smtp_destinations')}")
    with pytest.raises(Failed, match="belongs to client_idnr"):
        host.user(**ANN)
    with pytest.raises(Failed, match="already is the"):
        host.user("bob@example.org", password="pass word", aliases=["ann@example.org"])


def test_a_stored_spelling_is_kept(host: Host):
    host.user(**ANN, password_scheme="SSHA256", aliases=["a@example.org"])
    host.sql(
        f"UPDATE {host.table('smtp_users')} "
        "SET email = 'Ann@Example.org', username = 'ANN@example.org'"
    )
    host.sql(
        f"UPDATE {host.table('smtp_destinations')} "
        "SET source = UPPER(source), destination = UPPER(destination)"
    )
    assert not host.user(**ANN, aliases=["a@example.org"])["changed"]


def test_mail_of_somebody_else_is_not_handed_over(host: Host, tmp_path):
    template = f"{tmp_path}/%d/%n"
    mail = tmp_path / "example.org" / "ann" / "Maildir" / "cur"
    mail.mkdir(parents=True)
    assert host.user(**ANN, home_template=template, check=True)["changed"]
    (mail / "1").write_text("a message")
    for check in (True, False):
        with pytest.raises(Failed, match=r"already holds mail.*reuse_mail: true"):
            host.user(**ANN, home_template=template, check=check)
    assert host.user(**ANN, home_template=template, reuse_mail=True)["changed"]
    assert not host.user(**ANN, home_template=template)["changed"]


def test_many_faults_are_told_together(host: Host):
    with pytest.raises(Failed) as failure:
        host.accounts(
            {"address": "nobody"},
            {"address": "a@example.org", "quota": "5 bananas", "password": "x\n", "username": "u"},
            {"address": "b@example.org", "password_hash": "x"},
        )
    assert len(failure.value.result["faults"]) == 5


def test_a_hash_that_does_not_fit_the_column_is_refused(bare: Host):
    bare.run("mail_schema")
    bare.run("mail_domain", name=["example.org"])
    bare.sql(f"ALTER TABLE {bare.table('dovecot_users')} MODIFY password varchar(100) NOT NULL")
    with pytest.raises(
        Failed, match="a hash of 120 characters does not fit into mail_d.dovecot_users.password"
    ):
        bare.user(**ANN)
    assert bare.user(**ANN, password_scheme="SSHA256")["changed"]


# ---- check mode where there is nothing yet


def test_check_mode_without_tables_counts_on_the_known_domains(bare: Host):
    with pytest.raises(Failed, match="Run groupware.mailserver.mail_schema first"):
        bare.user(**ANN)
    predicted = bare.user(**ANN, check=True, known_domains=["example.org"])
    assert predicted["actions"] == ["create ann@example.org"]
    with pytest.raises(Failed, match="domain that this host does not have"):
        bare.user(**ANN, check=True)


def test_check_mode_on_a_bare_host_needs_neither_server_nor_driver(host: Host, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(_connection, "DIRECTORIES", ())
    monkeypatch.setattr(_connection, "pymysql", None)
    away = {"login_unix_socket": "/nowhere/sock", "check": True}
    assert host.user(**ANN, known_domains=["example.org"], **away)["counts"]["created"] == 1
    assert host.run("mail_domain", name=["example.org"], **away)["changed"]
    assert host.run("mail_schema", **away)["actions"][0] == "create table dovecot.dovecot_users"
    with pytest.raises(Failed, match="Failed to import the required Python library"):
        host.user(**ANN, login_unix_socket="/nowhere/sock")


def test_a_server_that_is_not_there_is_told(host: Host):
    with pytest.raises(Failed, match="No MariaDB answers at /nowhere/sock"):
        host.user(**ANN, login_unix_socket="/nowhere/sock")
    with pytest.raises(Failed, match="No MariaDB answers at 127.0.0.1:1"):
        host.user(**ANN, login_host=["127.0.0.1"], login_port=1)


# ---- secrets


def test_no_secret_is_in_any_output(host: Host):
    planted = ["Plänted'Secret\"1\\", "Planted Second $ecret"]
    ready = "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ"
    accounts = [
        {"address": "a@example.org", "password": planted[0]},
        {"address": "b@example.org", "password": planted[1]},
        {"address": "c@example.org", "password_hash": ready},
    ]
    said = [
        host.accounts(*accounts, check=True, show_queries=True),
        host.accounts(*accounts, show_queries=True),
        host.accounts(*({**a, "state": "absent"} for a in accounts), check=True, show_queries=True),
    ]
    for bad in ({"forwards": ["a@example.org"]}, {"quota": "1 banana"}):
        with pytest.raises(Failed) as failure:
            host.accounts({**accounts[0], **bad}, show_queries=True)
        said.append(failure.value.result)
    stored = [r["password"] for r in host.rows("dovecot_users")]
    stored += [r["passwd"] for r in host.rows("smtp_users")]
    text = json.dumps(said, ensure_ascii=False) + json.dumps(said)
    for secret in [*planted, ready, *stored]:
        assert secret not in text
        assert json.dumps(secret)[1:-1] not in text
        assert repr(secret)[1:-1] not in text
    assert '"(new)"' in text
    assert "INSERT INTO" in text


def test_queries_come_on_request_only(host: Host):
    assert "queries" not in host.user(**ANN, check=True)
    assert host.user(**ANN, check=True, show_queries=True)["queries"]


def test_an_sql_account_that_may_not_write_is_told(host: Host):
    host.sql("CREATE USER IF NOT EXISTS reader@localhost IDENTIFIED BY 'reads'")
    for database in (host.dovecot, host.postfix):
        host.sql(f"GRANT SELECT ON `{database}`.* TO reader@localhost")
    login = {"login_user": "reader", "login_password": "reads"}
    with pytest.raises(Failed, match="not allowed to: UPDATE command denied"):
        host.user("ann@example.org", password="x", **login)
    assert host.rows("smtp_users") == []
