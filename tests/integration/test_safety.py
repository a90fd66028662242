# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nobody may do by accident, and what everybody must be able to do at any time."""

from __future__ import annotations

import json

import pytest

from .conftest import Failed, Host

NEW = {"password": "pass word", "password_scheme": "SSHA256"}
ANN, BOB = "ann@example.org", "bob@example.org"


def test_a_home_is_not_handed_to_somebody_else(host: Host):
    host.user(ANN, **NEW)
    host.user("ann.m@example.org", username=ANN)
    host.accounts({"address": "ann.m@example.org", "username": "ann.m@example.org", "adopt": True})
    before = host.everything()
    home = host.row("dovecot_users")["home"]
    for told in (
        {"address": BOB, "home": home},
        {"address": BOB, "home": home, "reuse_mail": True},
    ):
        with pytest.raises(Failed, match=f"home: '{home}' is the home of ann"):
            host.user(**NEW, **told)
    assert host.everything() == before


def test_two_new_people_have_two_homes(host: Host):
    both = [{**NEW, "address": address, "home": "/var/vmail/one"} for address in (ANN, BOB)]
    with pytest.raises(Failed, match=r"account 2 \(bob@example.org\): home: '/var/vmail/one' is"):
        host.accounts(*both)
    assert host.rows("dovecot_users") == []


def test_nobody_is_gone_who_has_only_another_address(host: Host):
    host.user(ANN, **NEW)
    host.user("ann.m@example.org", username=ANN)
    with pytest.raises(Failed, match="is to be gone, but names account ann.m@"):
        host.user(ANN, state="absent")
    # The colleague who has that name by now is wished by name, so it is not hers to lose.
    settled = host.accounts({"address": ANN, "state": "absent"}, {"address": "ann.m@example.org"})
    assert not settled["changed"]


def test_who_goes_is_not_told_by_the_name_of_somebody_else(host: Host):
    host.accounts({**NEW, "address": ANN}, {**NEW, "address": BOB})
    for _turn in "before", "after":
        with pytest.raises(Failed, match="is to be gone, but names account ann@example.org"):
            host.user(BOB, state="absent", username=ANN)
        host.user(BOB, state="absent")


def test_who_has_the_address_goes_although_it_is_the_username_of_somebody_else(host: Host):
    host.user(ANN, **NEW)
    host.user("ann.m@example.org", username=ANN)
    host.user("new@example.org", **NEW)
    host.sql(f"UPDATE {host.table('smtp_users')} SET email = %s WHERE username LIKE 'new@%%'", ANN)
    assert host.user(ANN, state="absent")["changed"]
    assert [row["username"] for row in host.rows("smtp_users")] == [ANN]


def test_a_lone_mailbox_is_not_said_to_be_gone(host: Host):
    host.user(ANN, **NEW)
    host.sql(f"DELETE FROM {host.table('smtp_users')}")
    with pytest.raises(Failed, match="a row of dovecot_users without one in smtp_users"):
        host.user(ANN, state="absent")
    assert host.user(ANN, state="absent", adopt=True)["changed"]
    assert host.rows("dovecot_users") == []


WRONG_BEFORE = {
    "an alias of two": "INSERT INTO {t} (userid, source, destination) SELECT userid, "
    "'shared@example.org', email FROM {s}",
    "a circle": "INSERT INTO {t} (userid, source, destination) SELECT a.userid, a.email, b.email "
    "FROM {s} a JOIN {s} b ON a.email <> b.email",
    "a domain that is gone": "DELETE FROM {v}",
}


@pytest.mark.parametrize("what", WRONG_BEFORE)
def test_somebody_can_be_locked_whatever_was_wrong_before(host: Host, what: str):
    host.accounts({**NEW, "address": ANN}, {**NEW, "address": BOB})
    tables = {"t": "smtp_destinations", "s": "smtp_users", "v": "smtp_virtual_domains"}
    host.sql(WRONG_BEFORE[what].format(**{k: host.table(v) for k, v in tables.items()}))
    both = [{"address": address, "status": "disabled"} for address in (ANN, BOB)]
    assert host.accounts(*both)["counts"]["changed"] == 2
    assert host.user(ANN, password="stolen no more", password_scheme="SSHA256")["changed"]
    assert {row["status"] for row in host.rows("dovecot_users")} == {"disabled"}


def test_a_list_that_keeps_nobody_prunes_nobody(host: Host):
    host.user(ANN, **NEW)
    for people in ([], [{"address": BOB, "state": "absent"}]):
        with pytest.raises(Failed, match="no account is given that is to be present"):
            host.accounts(*people, prune=True)
    assert len(host.rows("smtp_users")) == 1


@pytest.mark.parametrize("module", ["mail_user", "mail_accounts"])
def test_a_misspelt_field_does_not_show_its_secret(host: Host, module: str):
    entry = {"address": ANN, "passwort": "SECRET IN A WRONG PLACE"}
    given = entry if module == "mail_user" else {"accounts": [entry]}
    with pytest.raises(Failed, match="passwort") as failed:
        host.run(module, **given)
    assert "SECRET IN" not in json.dumps(failed.value.result)


def test_options_are_judged_together_and_by_name(host: Host):
    wrong = {"transaction_size": -5, "client_idnr": "a b", "default_quota": "10X"}
    with pytest.raises(Failed) as failed:
        host.accounts({**NEW, "address": ANN}, **wrong)
    assert len(failed.value.result["faults"]) == 3
    assert all(option in str(failed.value) for option in wrong)


def test_what_was_written_before_a_failure_is_told_with_it(host: Host):
    people = [{**NEW, "address": f"p{number}@example.org"} for number in range(4)]
    host.accounts(*people)
    host.sql(
        f"CREATE TRIGGER {host.postfix}.stop BEFORE UPDATE ON {host.table('smtp_users')} FOR EACH "
        "ROW IF NEW.username = 'p3@example.org' THEN SIGNAL SQLSTATE '45000' SET "
        "MESSAGE_TEXT = 'the disk is full'; END IF"
    )
    try:
        locked = [{**person, "status": "disabled"} for person in people]
        with pytest.raises(Failed, match="the disk is full.*2 accounts were written") as failed:
            host.accounts(*locked, transaction_size=2)
    finally:
        host.sql(f"DROP TRIGGER {host.postfix}.stop")
    assert failed.value.result["changed"]
    assert failed.value.result["sessions_to_end"] == ["p0@example.org", "p1@example.org"]
    again = host.accounts(*locked, transaction_size=2)
    assert again["sessions_to_end"] == ["p2@example.org", "p3@example.org"]
