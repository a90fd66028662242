# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""prune removes what nobody wishes any more: its own, within its limit, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.wanted import OWNER

from .conftest import Failed, Host
from .test_model import READY, TINE, fresh, refused, tine_rows, told, twice

PEOPLE = [f"{letter}@example.org" for letter in "abcdefghij"]


@pytest.fixture
def ten(host: Host) -> Host:
    """Ten people of ours."""
    host.accounts(*(fresh(name) for name in PEOPLE))
    return host


def left(host: Host, owner: str = OWNER) -> list[str]:
    return sorted(row["email"] for row in host.rows("smtp_users", client_idnr=owner))


@pytest.mark.parametrize(
    ("limit", "stay", "goes"),
    [
        ("5", 5, True),
        (5, 5, True),
        ("4", 5, False),
        ("50%", 5, True),
        ("49%", 5, False),
        ("100%", 0, True),
        ("0", 9, False),
        ("0%", 9, False),
        ("0", 10, True),
        (" 1 ", 9, True),
    ],
)
def test_the_limit_is_a_number_or_a_part(ten: Host, limit: Any, stay: int, goes: bool):
    kept = [{"address": name} for name in PEOPLE[:stay]]
    if goes:
        done = twice(ten, *kept, prune=True, prune_limit=limit)
        assert done["counts"]["removed"] == 10 - stay
        assert left(ten) == PEOPLE[:stay]
        assert len(ten.rows("dovecot_users")) == len(ten.rows("smtp_destinations")) == stay
    else:
        message = refused(ten, *kept, prune=True, prune_limit=limit)
        assert f"prune would remove {10 - stay} of 10 accounts" in message
        assert ", ".join(PEOPLE[stay:]) in message


def test_five_is_the_limit_that_nobody_said(ten: Host):
    assert "prune_limit is 5" in refused(ten, *({"address": n} for n in PEOPLE[:4]), prune=True)
    twice(ten, *({"address": n} for n in PEOPLE[:5]), prune=True)


@pytest.mark.parametrize("limit", ["-1", "5.5", "101%", "five", "%", "5 %", "1e3", "5%%"])
def test_a_limit_that_is_none_is_refused(ten: Host, limit: str):
    assert repr(limit) in refused(ten, {"address": PEOPLE[0]}, prune=True, prune_limit=limit)


def test_nothing_at_all_is_written_over_the_limit(ten: Host):
    wishes = [fresh("new@example.org"), {"address": PEOPLE[0], "quota": "1G"}]
    message = refused(ten, *wishes, prune=True, transaction_size=1)
    assert "prune would remove 9 of 10" in message


def test_many_that_would_go_are_not_all_named(host: Host):
    host.accounts(*(fresh(f"p{n:02}@example.org") for n in range(30)))
    message = refused(host, prune=True)
    assert "p19@example.org and 10 more" in message
    assert "p20@example.org" not in message


def test_without_prune_nobody_goes(ten: Host):
    assert not ten.accounts({"address": PEOPLE[0]})["changed"]
    assert not ten.accounts({"address": PEOPLE[0]}, prune=False, prune_limit="100%")["changed"]


def test_a_part_of_nobody_is_nobody(host: Host):
    tine_rows(host)
    before = host.everything()
    done = host.accounts(prune=True, prune_limit="100%")
    assert (done["changed"], done["counts"]["removed"]) == (False, 0)
    assert host.everything() == before


# ---- what is not ours stays


def test_rows_of_others_stay(ten: Host):
    tine_rows(ten)
    for userid, name in (("lone", "lone@example.org"), ("z" * 40, "lone2@second.example")):
        ten.sql(
            f"INSERT INTO {ten.table('dovecot_users')} (userid, domain, username, loginname, "
            "password) VALUES (%s, 'example.org', %s, %s, '{SSHA256}x')",
            *(userid, name, name),
        )
    ten.sql(
        f"INSERT INTO {ten.table('dovecot_master_users')} VALUES ('0badf00d', %s, 'sieve')", READY
    )
    ten.sql(
        f"INSERT INTO {ten.table('smtp_destinations')} (userid, source, destination) "
        "VALUES (%s, 'odd@second.example', 'bob@example.org')",
        "b" * 40,
    )
    ten.sql(f"INSERT INTO {ten.table('dovecot_usage')} VALUES ('lone@example.org', 5, 1)")
    masters = ten.rows("dovecot_master_users")

    def others() -> dict[str, list[Any]]:
        rows = told(ten)
        ours = {row["userid"] for row in ten.rows("smtp_users", client_idnr=OWNER)}
        return {t: [r for r in found if r["userid"] not in ours] for t, found in rows.items()}

    before = others()
    assert len(before["smtp_users"]) == 4
    assert len(before["dovecot_users"]) == 6
    done = twice(ten, prune=True, prune_limit="100%")
    assert done["counts"]["removed"] == 10
    assert left(ten) == []
    assert told(ten) == others() == before
    assert ten.rows("dovecot_master_users") == masters
    assert ten.rows("smtp_virtual_domains")
    assert ten.row("dovecot_usage")["storage"] == 5
    ten.sql(f"DELETE FROM {ten.table('dovecot_master_users')}")


def test_tine_can_be_the_owner_if_that_is_said(ten: Host):
    tine_rows(ten)
    done = twice(
        ten, {"address": "alice@example.org"}, client_idnr=TINE, prune=True, prune_limit="75%"
    )
    assert done["counts"]["removed"] == 3
    assert left(ten, TINE) == ["alice@example.org"]
    assert left(ten) == PEOPLE


def test_mail_and_actions_of_those_who_go(ten: Host):
    done = twice(ten, *({"address": name} for name in PEOPLE[1:]), prune=True)
    assert done["actions"] == ["remove a@example.org (its mail in /var/vmail/example.org/a stays)"]
    assert done["sessions_to_end"] == ["a@example.org"]
    assert done["counts"] == {"created": 0, "changed": 0, "removed": 1, "unchanged": 9}
    assert "a@example.org" in done["diff"]["before"]


# ---- who is meant


def test_a_wish_that_renames_is_no_reason_to_go(ten: Host):
    userid = ten.row("smtp_users", email="a@example.org")["userid"]
    rest = [{"address": name} for name in PEOPLE[1:]]
    renamed = {"address": "anna@example.org", "username": "a@example.org"}
    done = twice(ten, renamed, *rest, prune=True, prune_limit="0")
    assert done["counts"]["changed"] == 1
    assert ten.row("smtp_users", email="anna@example.org")["userid"] == userid


@pytest.mark.parametrize("email", ["changed@example.org", None])
def test_an_address_that_was_changed_by_hand(ten: Host, email: str | None):
    ten.sql(
        f"UPDATE {ten.table('smtp_users')} SET email = %s WHERE username = 'a@example.org'", email
    )
    rest = [{"address": name} for name in PEOPLE[1:]]
    # The username tells whose it is.
    named = {"address": "a@example.org", "username": "a@example.org"}
    foretold = ten.accounts(named, *rest, prune=True, prune_limit="0", check=True)
    assert foretold["counts"] == {"created": 0, "changed": 1, "removed": 0, "unchanged": 9}
    # Nobody wishes it: it goes, and is told by what it has.
    message = refused(ten, *rest, prune=True, prune_limit="0")
    assert (
        f"prune would remove 1 of 10 accounts, and prune_limit is 0: {email or 'a@example.org'}"
        in (message)
    )
    done = twice(ten, *rest, prune=True)
    assert done["counts"]["removed"] == 1
    assert len(ten.rows("smtp_users")) == len(ten.rows("dovecot_users")) == 9


def test_one_who_is_to_go_anyway_does_not_count(ten: Host):
    rest = [{"address": name} for name in PEOPLE[3:]]
    gone = [{"address": name, "state": "absent"} for name in PEOPLE[:2]]
    message = refused(ten, *rest, *gone, prune=True, prune_limit="0")
    assert "prune would remove 1 of 10 accounts, and prune_limit is 0: c@example.org" in message
    done = twice(ten, *rest, *gone, prune=True, prune_limit="1")
    assert done["counts"]["removed"] == 3
    assert left(ten) == PEOPLE[3:]


def test_a_wish_to_be_gone_does_not_save_whoever_has_that_username(ten: Host):
    """By its username an account is not meant by a wish to be gone; so nobody wishes it."""
    ten.sql(
        f"UPDATE {ten.table('smtp_users')} SET email = 'new@example.org' "
        "WHERE username = 'a@example.org'"
    )
    rest = [{"address": name} for name in PEOPLE[1:]]
    done = twice(ten, *rest, {"address": "a@example.org", "state": "absent"}, prune=True)
    assert done["counts"]["removed"] == 1
    assert left(ten) == PEOPLE[1:]


@pytest.mark.parametrize("spelling", ["Á@example.org", "A@EXAMPLE.ORG", "a@example.org "])
def test_a_spelling_that_the_server_takes_for_equal_is_the_same_person(ten: Host, spelling: str):
    ten.sql(
        f"UPDATE {ten.table('smtp_users')} SET email = %s WHERE email = 'a@example.org'", spelling
    )
    userid = ten.row("smtp_users", email=spelling)["userid"]
    done = ten.accounts(*({"address": name} for name in PEOPLE), prune=True, prune_limit="0")
    assert not done["changed"]
    assert ten.row("smtp_users", email=spelling)["userid"] == userid


def test_an_alias_of_one_who_goes_is_free_for_another(host: Host):
    host.accounts(
        fresh("a@example.org", aliases=["info@example.org"], forwards=["b@example.org"]),
        fresh("b@example.org"),
        fresh("c@example.org"),
    )
    for size in (0, 1):
        taken = ["info@example.org", "a@example.org"]
        wishes = [{"address": "b@example.org", "aliases": taken}, {"address": "c@example.org"}]
        done = twice(host, *wishes, prune=True, transaction_size=size)
        assert (done["counts"]["removed"], done["counts"]["changed"]) == (1, 1)
        assert ("info@example.org", "b@example.org", 1) in host.destinations()
        assert ("a@example.org", "b@example.org", 1) in host.destinations()
        host.accounts(
            {"address": "b@example.org", "aliases": []},
            fresh("a@example.org", aliases=["info@example.org"], forwards=["b@example.org"]),
        )


def test_an_address_of_one_who_goes_is_free_for_a_new_account(host: Host):
    host.accounts(fresh("old@example.org", username="name@instance", aliases=["new@example.org"]))
    # By its username it is the same person, who gets another address.
    userid = host.row("smtp_users")["userid"]
    done = twice(host, fresh("new@example.org", username="name@instance"), prune=True)
    assert done["counts"] == {"created": 0, "changed": 1, "removed": 0, "unchanged": 0}
    assert host.row("smtp_users", email="new@example.org")["userid"] == userid
    done = twice(host, fresh("old@example.org", username="old@instance"), prune=True)
    assert done["counts"] == {"created": 1, "changed": 0, "removed": 1, "unchanged": 0}
    assert host.row("smtp_users")["userid"] != userid


def test_small_transactions_prune_as_well(ten: Host):
    wishes = [fresh(f"new{n}@example.org") for n in range(3)]
    kept = [{"address": name, "quota": "1G"} for name in PEOPLE[:6]]
    generation = ten.row("mailserver_lock")["generation"]
    done = ten.accounts(*wishes, *kept, prune=True, transaction_size=2)
    assert done["counts"] == {"created": 3, "changed": 6, "removed": 4, "unchanged": 0}
    assert ten.row("mailserver_lock")["generation"] == generation + 7
    assert left(ten) == sorted([*PEOPLE[:6], *(f"new{n}@example.org" for n in range(3))])
    assert not ten.accounts(*wishes, *kept, prune=True, transaction_size=2)["changed"]


def test_a_file_prunes_as_well(ten: Host, tmp_path: Path):
    people = tmp_path / "people.jsonl"
    people.write_text("".join(json.dumps({"address": name}) + "\n" for name in PEOPLE[:8]))
    said = {"src": [str(people)], "remote_src": True, "prune": True}
    foretold = ten.run("mail_accounts", **said, check=True)
    assert left(ten) == PEOPLE
    assert ten.run("mail_accounts", **said) == foretold
    assert left(ten) == PEOPLE[:8]
    assert not ten.run("mail_accounts", **said)["changed"]


def test_a_fault_of_a_wish_keeps_everybody(ten: Host):
    message = refused(ten, fresh("x@nowhere.example"), prune=True, prune_limit="100%")
    assert "nowhere.example" in message
    assert left(ten) == PEOPLE


def test_among_many_the_same_go(host: Host):
    many = [fresh(f"p{n}@example.org") for n in range(610)]
    host.accounts(*many, *(fresh(name) for name in PEOPLE))
    tine_rows(host)
    before = told(host)
    done = host.accounts(*many, prune=True, prune_limit="2%")
    assert done["counts"] == {"created": 0, "changed": 0, "removed": 10, "unchanged": 610}
    gone = {name: [r for r in before[name] if r not in rows] for name, rows in told(host).items()}
    assert sorted(row["email"] for row in gone["smtp_users"]) == PEOPLE
    assert sorted(row["username"] for row in gone["dovecot_users"]) == PEOPLE
    assert sorted(row["source"] for row in gone["smtp_destinations"]) == PEOPLE
    assert not host.accounts(*many, prune=True, prune_limit="0")["changed"]
    assert {row["passwd"] for row in host.rows("smtp_users", client_idnr=OWNER)} == {READY}
    with pytest.raises(Failed, match="prune would remove 609 of 610"):
        host.accounts(many[0], prune=True)
