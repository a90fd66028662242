# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""mail_alias: single aliases and forwards, and every other row as it was."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Failed, Host
from .test_model import SWITCHES, TINE, fresh, tine_rows, told

ANN = "ann@example.org"


def rows(host: Host) -> set[tuple[str, str, int]]:
    return host.destinations()


def alias(host: Host, *aliases: str, account: str = ANN, **options: Any) -> dict[str, Any]:
    """Check mode foretells the run and writes nothing; a second run has nothing to do."""
    said = {"account": account, "aliases": list(aliases), **options}
    before = host.everything()
    foretold = host.run("mail_alias", **said, check=True)
    assert host.everything() == before
    done = host.run("mail_alias", **said)
    assert done == foretold
    after = host.everything()
    again = host.run("mail_alias", **said)
    assert (again["changed"], again["actions"]) == (False, [])
    assert host.everything() == after
    return done


def refused(host: Host, *aliases: str, account: str = ANN, **options: Any) -> str:
    before = host.everything()
    messages = []
    for check in (True, False):
        with pytest.raises(Failed) as failure:
            host.run("mail_alias", account=account, aliases=list(aliases), **options, check=check)
        messages.append(str(failure.value))
    assert host.everything() == before
    assert messages[0] == messages[1]
    return messages[0]


@pytest.fixture
def ann(host: Host) -> Host:
    """Ann, with an alias and a forward."""
    host.user(**fresh(ANN, aliases=["a@example.org"], forwards=["f@far.example"], quota="1G"))
    return host


HERS = {
    (ANN, ANN, 0),
    ("a@example.org", ANN, 1),
    (ANN, "f@far.example", 1),
}


def test_an_alias_comes_and_goes_and_the_others_stay(ann: Host):
    users = told(ann)["dovecot_users"], told(ann)["smtp_users"]
    done = alias(ann, "B@Example.org", "@second.example")
    assert done["counts"] == {"created": 0, "changed": 1, "removed": 0, "unchanged": 0}
    assert "b@example.org" in done["actions"][0]
    assert (done["sessions_to_end"], done["mail_to_move"]) == ([], [])
    assert rows(ann) == {*HERS, ("b@example.org", ANN, 1), ("@second.example", ANN, 1)}
    alias(ann, "b@example.org", state="absent")
    assert rows(ann) == {*HERS, ("@second.example", ANN, 1)}
    alias(ann, "@second.example", "never@example.org", state="absent")
    assert rows(ann) == HERS
    assert (told(ann)["dovecot_users"], told(ann)["smtp_users"]) == users


def test_a_forward_comes_and_goes_and_the_others_stay(ann: Host):
    alias(ann, forwards=["G@far.example", "h@far.example"])
    assert rows(ann) == {*HERS, (ANN, "g@far.example", 1), (ANN, "h@far.example", 1)}
    alias(ann, forwards=["g@far.example", "f@far.example", "x@far.example"], state="absent")
    assert rows(ann) == (HERS - {(ANN, "f@far.example", 1)}) | {(ANN, "h@far.example", 1)}


def test_both_at_once(ann: Host):
    alias(ann, "b@example.org", forwards=["g@far.example"])
    alias(ann, "a@example.org", "b@example.org", forwards=["f@far.example"], state="absent")
    assert rows(ann) == {(ANN, ANN, 0), (ANN, "g@far.example", 1)}


def test_a_flag_is_turned(ann: Host):
    done = alias(ann, "a@example.org", dispatch_address=False)
    assert "a@example.org (receives only)" in done["actions"][0]
    assert ("a@example.org", ANN, 0) in rows(ann)
    alias(ann, "a@example.org")
    assert rows(ann) == HERS
    # A flag is no reason to let an alias be.
    alias(ann, "a@example.org", dispatch_address=False, state="absent")
    assert rows(ann) == HERS - {("a@example.org", ANN, 1)}


def test_forward_only_people_get_a_row_for_each_forward(host: Host):
    host.user(**fresh(ANN, forwards=["f@far.example", "g@far.example"], forward_only=True))
    alias(host, "a@example.org", dispatch_address=False)
    there = {
        (s, f"{f}@far.example", flag) for f in "fg" for s, flag in ((ANN, 1), ("a@example.org", 0))
    }
    assert rows(host) == there
    alias(host, forwards=["h@far.example"])
    assert rows(host) == there | {(ANN, "h@far.example", 1), ("a@example.org", "h@far.example", 0)}
    alias(host, forwards=["h@far.example"], state="absent")
    assert rows(host) == there
    assert "none would be left" in refused(
        host, forwards=["f@far.example", "g@far.example"], state="absent"
    )
    alias(host, forwards=["g@far.example"], state="absent")
    assert "none would be left" in refused(host, forwards=["f@far.example"], state="absent")
    alias(host, "a@example.org", state="absent")
    assert rows(host) == {(ANN, "f@far.example", 1)}
    assert host.row("smtp_users")["forward_only"] == 1


def test_the_last_forward_of_one_who_keeps_a_copy_may_go(ann: Host):
    alias(ann, forwards=["f@far.example"], state="absent")
    assert rows(ann) == HERS - {(ANN, "f@far.example", 1)}


@pytest.mark.parametrize("state", ["present", "absent"])
def test_an_account_that_is_not_there_is_told(ann: Host, state: str):
    message = refused(ann, "b@example.org", account="bob@example.org", state=state)
    assert "bob@example.org: there is no such account" in message


def test_an_account_is_told_by_its_address(ann: Host):
    ann.user(**fresh("bob@example.org", username="bobby@instance"))
    assert "no such account" in refused(ann, "b@example.org", account="bobby@instance.example")
    assert "no such account" in refused(ann, "b@example.org", account="a@example.org")
    alias(ann, "b@example.org", account="BOB@Example.org")
    assert ("b@example.org", "bob@example.org", 1) in rows(ann)


def test_what_belongs_to_somebody_else_is_refused(ann: Host):
    tine_rows(ann)
    ann.user(**fresh("bob2@example.org", username="b2@example.org", aliases=["b.a@example.org"]))
    for name, word in (
        ("b.a@example.org", "alias"),
        ("bob2@example.org", "address"),
        ("b2@example.org", "username"),
        ("info@example.org", "alias"),
        ("carol@second.example", "address"),
        ("Carol-Second-Example@example.org", "username"),
    ):
        message = refused(ann, name)
        assert f"alias {name.lower()!r} already is the {word} of" in message
    # To take away what is not there is granted, whoever has it.
    before = ann.everything()
    assert not ann.run("mail_alias", account=ANN, aliases=["b.a@example.org"], state="absent")[
        "changed"
    ]
    assert ann.everything() == before


def test_an_account_of_another_owner_is_refused_or_taken_over(ann: Host):
    tine_rows(ann)
    before = told(ann)["smtp_users"]
    for state in ("present", "absent"):
        message = refused(ann, "info@example.org", account="alice@example.org", state=state)
        assert TINE in message
    alias(ann, "new@example.org", account="alice@example.org", client_idnr=TINE)
    assert told(ann)["smtp_users"] == before
    alias(ann, "new2@example.org", account="alice@example.org", adopt=True)
    assert ann.row("smtp_users", email="alice@example.org")["client_idnr"] != TINE


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"forwards": [ANN]}, "is the account itself"),
        ({"forwards": ["a.login@example.org"]}, "is the account itself"),
        ({"forwards": ["a@example.org"]}, "circle|is an alias of the account itself"),
        ({"forwards": ["ann+x@example.org"]}, "circle"),
        ({"forwards": ["loop@example.org"]}, "circle"),
        ({"forwards": ["x@far.example", "X@far.example"]}, "listed twice"),
        ({"aliases": [ANN]}, "own address"),
        ({"aliases": ["a.login@example.org"]}, "own username"),
        ({"aliases": ["b@example.org", "B@example.org"]}, "listed twice"),
        ({"aliases": ["b@example.org"], "forwards": ["b@example.org"]}, "alias of the account"),
        ({"aliases": ["b@nowhere.example"]}, "nowhere.example"),
        ({"aliases": ["no address"]}, "is not a mail address"),
        ({"forwards": ["@second.example"]}, "is not a mail address"),
        ({"aliases": ["a'; DROP TABLE smtp_users; --"]}, "is not a mail address"),
        ({"aliases": ["nul\0@example.org"]}, "is not a"),
        ({"aliases": [""]}, "is not a"),
        ({"aliases": ["x" * 65 + "@example.org"]}, "too long"),
    ],
)
def test_what_cannot_be_is_refused_by_name(ann: Host, options: dict[str, Any], rule: str):
    ann.user(ANN, username="a.login@example.org")
    ann.user(**fresh("loop@example.org", forwards=["a@example.org"]))
    before = ann.everything()
    for check in (True, False):
        with pytest.raises(Failed, match=rule) as failure:
            ann.run("mail_alias", account=ANN, **options, check=check)
        assert failure.value.result["faults"]
    assert ann.everything() == before


@pytest.mark.parametrize("state", ["present", "absent"])
def test_nothing_to_say_is_refused(ann: Host, state: str):
    assert "name at least one" in refused(ann, state=state)
    assert "name at least one" in refused(ann, forwards=[], state=state)


@pytest.mark.parametrize("account", ["", "ann", "ann@nowhere", "a\nb@example.org", "x" * 300])
def test_an_account_that_is_no_address_is_refused(ann: Host, account: str):
    assert "address: " in refused(ann, "b@example.org", account=account)


def test_many_faults_are_told_together(ann: Host):
    with pytest.raises(Failed) as failure:
        ann.run("mail_alias", account="x", aliases=["y"], forwards=["z"])
    assert len(failure.value.result["faults"]) == 3


# ---- rows of tine, and rows that tine would not write


def test_what_tine_would_not_write_stays_until_it_is_named(ann: Host):
    ann.user(ANN, username="a.login@example.org")
    userid = ann.row("smtp_users")["userid"]
    strays = {
        ("stray@example.org", "a.login@example.org", 1),
        (ANN, "a.login@example.org", 0),
        ("far@example.org", "elsewhere@far.example", 0),
    }
    for source, target, flag in strays - {(ANN, "a.login@example.org", 0)}:
        ann.sql(
            f"INSERT INTO {ann.table('smtp_destinations')} (userid, source, destination, "
            "dispatch_address) VALUES (%s, %s, %s, %s)",
            *(userid, source, target, flag),
        )
    before = rows(ann)
    assert strays <= before
    alias(ann, "b@example.org", forwards=["g@far.example"])
    assert rows(ann) == before | {("b@example.org", ANN, 1), (ANN, "g@far.example", 1)}
    alias(ann, "b@example.org", forwards=["g@far.example"], state="absent")
    assert rows(ann) == before
    alias(ann, "stray@example.org", state="absent")
    assert rows(ann) == before - {("stray@example.org", "a.login@example.org", 1)}


def test_one_alias_of_tine_is_changed_as_tine_would(ann: Host):
    tine_rows(ann)
    before = rows(ann)
    alias(ann, "info@example.org", account="alice@example.org", client_idnr=TINE)
    changed = {("info@example.org", "alice@example.org", 1)}
    assert rows(ann) == (before - {("info@example.org", "alice@example.org", 0)}) | changed
    alias(ann, "r@example.org", account="robert@example.org", client_idnr=TINE)
    assert ("r@example.org", "robert@example.org", 1) in rows(ann)
    alias(ann, "d2@example.org", account="dave@example.org", client_idnr=TINE)
    assert {row for row in rows(ann) if row[0] == "d2@example.org"} == {
        ("d2@example.org", "out@ext.example", 1),
        ("d2@example.org", "out2@ext.example", 1),
    }


@pytest.mark.parametrize("switches", SWITCHES, ids=repr)
def test_with_every_switch_of_tine(host: Host, switches: dict[str, bool]):
    host.user(**fresh(ANN, username="a@instance", aliases=["x@example.org"]), **switches)
    before = rows(host)
    alias(host, "b@example.org", **switches)
    inbox = "a@instance" if switches["destination_is_username"] else ANN
    assert rows(host) == before | {("b@example.org", inbox, 1)}
    alias(host, "b@example.org", state="absent", **switches)
    assert rows(host) == before


def test_an_alias_stored_in_another_spelling_is_the_same(ann: Host):
    ann.sql(
        f"UPDATE {ann.table('smtp_destinations')} SET source = 'Á@Example.org' "
        "WHERE source = 'a@example.org'"
    )
    assert not ann.run("mail_alias", account=ANN, aliases=["a@example.org"])["changed"]
    alias(ann, "a@example.org", dispatch_address=False)
    assert len(rows(ann)) == 3
    alias(ann, "a@example.org", state="absent")
    assert len(rows(ann)) == 2


def test_a_forward_stored_in_another_spelling_is_the_same(ann: Host):
    ann.sql(
        f"UPDATE {ann.table('smtp_destinations')} SET destination = 'F@Far.example' "
        "WHERE destination = 'f@far.example'"
    )
    assert not ann.run("mail_alias", account=ANN, forwards=["f@far.example"])["changed"]
    alias(ann, forwards=["f@far.example"], state="absent")
    assert len(rows(ann)) == 2


def test_no_secret_is_told(ann: Host):
    done = ann.run(
        "mail_alias", account=ANN, aliases=["b@example.org"], show_queries=True, check=True
    )
    assert any("INSERT" in query["statement"] for query in done["queries"])
    assert ann.row("smtp_users")["passwd"] not in str(done)
