# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan is right, and applying it leaves nothing to plan."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.collisions import (
    collisions,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.model import (
    Account,
    Destination,
    Secret,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.passwords import (
    Keyring,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.plan import (
    Change,
    Directory,
    home,
    plan,
    proposals,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.report import (
    actions,
    diff,
    queries,
    summary,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.routes import routes
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.schema import Names
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.shape import Shape
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.wanted import (
    OWNER,
    Defaults,
    parse,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.writing import (
    statements,
    together,
)
from hypothesis import given, settings
from hypothesis import strategies as st

DEFAULTS = Defaults()
HOSTED = frozenset(("example.org", "second.example"))
HASH = "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ"
NAMES = Names()


def wishes(*entries: dict):
    wanted, faults = parse(list(entries))
    assert faults == []
    return wanted


def applied(current: Directory, *entries: dict, keyring: Keyring | None = None) -> Directory:
    """The directory after these wishes."""
    keyring = keyring or Keyring()
    changes = plan(current, wishes(*entries), DEFAULTS, keyring)
    before = {id(change.before) for change in changes}
    kept = [account for account in current.accounts if id(account) not in before]
    after = [stored(change.after, keyring) for change in changes if change.after]
    return replace(current, accounts=[*kept, *after])


def stored(account: Account, keyring: Keyring) -> Account:
    def row(table: str, given):
        if isinstance(given.password, Secret):
            return given._replace(password=keyring.hashed(given.userid, table, given.password))
        return given

    return account._replace(
        imap=row("dovecot_users", account.imap), smtp=row("smtp_users", account.smtp)
    )


def there(*entries: dict) -> Directory:
    return applied(
        Directory(domains=HOSTED), *({"password_hash": HASH, **entry} for entry in entries)
    )


def planned(current: Directory, *entries: dict) -> list[Change]:
    return plan(current, wishes(*entries), DEFAULTS, Keyring())


def faults(current: Directory, *entries: dict) -> list[str]:
    return collisions(current, proposals(current, wishes(*entries), DEFAULTS, Keyring()), DEFAULTS)


ANN = {"address": "ann@example.org"}


def test_what_is_not_said_is_kept():
    current = there(
        {
            **ANN,
            "quota": "2G",
            "aliases": ["a@example.org"],
            "forwards": ["x@far.example"],
            "forward_only": True,
        }
    )
    assert planned(current, ANN) == []
    (change,) = planned(current, {**ANN, "quota": 0})
    assert change.after == change.before._replace(imap=change.before.imap._replace(quota=0))


def test_new_accounts_get_the_defaults_and_what_exists_does_not():
    (account,) = there(ANN).accounts
    assert (account.imap.quota, account.imap.uid, account.imap.home) == (
        0,
        "vmail",
        "/var/vmail/example.org/ann",
    )
    other = Defaults(home="/m/%u", uid="deliver", gid="deliver", quota=5)
    assert plan(there(ANN), wishes(ANN), other, Keyring()) == []


def test_an_absent_account_that_is_not_there_is_no_change():
    assert planned(there(), {**ANN, "state": "absent"}) == []
    (change,) = planned(there(ANN), {**ANN, "state": "absent"})
    assert change.after is None


def test_a_username_names_nobody_who_is_to_go():
    gone = {"address": "gone@example.org", "username": "ann@example.org", "state": "absent"}
    assert planned(there(ANN), gone) == []


def test_a_password_on_create_is_left_alone_later():
    later = {**ANN, "password": "other", "update_password": "on_create"}
    assert planned(there(ANN), later) == []
    assert planned(there(), later) != []


def test_a_password_that_verifies_is_kept_in_both_rows():
    assert planned(there(ANN), {**ANN, "password": "pw-a"}) == []
    (change,) = planned(there(ANN), {**ANN, "password": "pw-b"})
    assert isinstance(change.after.imap.password, Secret)
    assert isinstance(change.after.smtp.password, Secret)


def test_an_alias_that_tine_does_not_write_stays_until_aliases_are_said():
    current = there({**ANN, "username": "u@example.org"})
    (account,) = current.accounts
    stray = Destination("hand@example.org", "u@example.org", dispatch=True)
    current = replace(
        current, accounts=[account._replace(destinations=account.destinations | {stray})]
    )
    assert planned(current, {**ANN, "forwards": ["x@far.example"]})[0].after.destinations > {stray}
    (change,) = planned(current, {**ANN, "aliases": ["hand@example.org"]})
    assert change.after.destinations - change.before.destinations == {
        Destination("hand@example.org", "ann@example.org", dispatch=True)
    }
    assert change.before.destinations - change.after.destinations == {stray}


def test_an_old_flag_of_a_default_row_becomes_what_tine_writes_today():
    current = there(ANN)
    (account,) = current.accounts
    old = frozenset({Destination("ann@example.org", "ann@example.org", dispatch=True)})
    (change,) = planned(replace(current, accounts=[account._replace(destinations=old)]), ANN)
    assert change.after == account


def test_a_home_is_expanded_once():
    assert (
        home("/m/%d/%n/%u", "a%d@example.org", "example.org")
        == "/m/example.org/a%d/a%d@example.org"
    )


def test_routes_read_back_what_was_written():
    current = there(
        {
            **ANN,
            "aliases": ["a@example.org", {"address": "b@example.org", "dispatch_address": False}],
            "forwards": ["x@far.example"],
            "username": "u@inst",
        }
    )
    known = routes(current.accounts[0])
    assert {(a.source, a.dispatch) for a in known.aliases} == {
        ("a@example.org", True),
        ("b@example.org", False),
    }
    assert (known.forwards, known.forward_only, known.strays) == (
        {"x@far.example"},
        False,
        frozenset(),
    )


# ---- collisions


def test_nothing_collides_where_nothing_is_shared():
    current = there({**ANN, "aliases": ["a@example.org"]}, {"address": "bob@example.org"})
    assert (
        faults(current, ANN, {"address": "bob@example.org", "forwards": ["ann@example.org"]}) == []
    )


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            {"address": "a@example.org", "password": "x"},
            "'a@example.org' already is the alias of account ann@example.org",
        ),
        ({"address": "new@example.org"}, "needs a password"),
        ({"address": "new@far.example", "password": "x"}, "add far.example to the mail domains"),
        ({**ANN, "forward_only": True}, "forward_only needs forwards"),
        (
            {**ANN, "username": "bob@example.org"},
            "'bob@example.org' already is the username of account bob",
        ),
        (
            {**ANN, "forwards": ["bob@example.org"]},
            "circle: ann@example.org -> bob@example.org -> ann@example.org",
        ),
        ({**ANN, "forwards": ["bob+spam@example.org"]}, "in a circle"),
    ],
)
def test_a_collision_is_told_by_name(entry: dict, told: str):
    current = there(
        {**ANN, "aliases": ["a@example.org"]},
        {"address": "bob@example.org", "forwards": ["ann@example.org"]},
    )
    assert any(told in fault for fault in faults(current, entry)), faults(current, entry)


def test_a_long_chain_is_no_circle_and_costs_no_recursion():
    people = [
        {
            "address": f"p{n}@example.org",
            "forwards": [f"p{n + 1}@example.org"],
            "password_hash": HASH,
        }
        for n in range(3000)
    ]
    current = Directory(domains=HOSTED)
    assert faults(current, *people) == []
    (fault,) = faults(
        current,
        *people,
        {"address": "p3000@example.org", "forwards": ["p0@example.org"], "password_hash": HASH},
    )
    assert "in a circle" in fault


def test_a_circle_that_a_wish_opens_is_gone():
    current = there(
        {**ANN, "forwards": ["x@far.example"]},
        {"address": "bob@example.org", "forwards": ["ann@example.org"]},
    )
    assert (
        faults(
            current,
            {**ANN, "forwards": ["bob@example.org"]},
            {"address": "bob@example.org", "forwards": []},
        )
        == []
    )


def test_a_hash_has_to_fit_the_columns():
    current = replace(there(), lengths={"dovecot.dovecot_users.password": 100})
    assert "does not fit" in faults(current, {**ANN, "password": "x"})[0]
    assert faults(current, {**ANN, "password": "x", "password_scheme": "SSHA256"}) == []


# ---- reports and statements


def test_reports_tell_the_change_and_no_secret():
    current = there({**ANN, "quota": "1G"}, {"address": "bob@example.org"})
    changes = planned(
        current,
        {**ANN, "quota": "2G", "password": "plänted"},
        {"address": "bob@example.org", "state": "absent"},
        {"address": "new@example.org", "password": "plänted"},
    )
    text = f"{diff(changes)} {actions(changes)} {queries(NAMES, Shape(), changes)}"
    assert "plänted" not in text
    assert HASH not in text
    assert actions(changes) == [
        "change ann@example.org: quota 1024 MiB -> 2048 MiB; new imap password; new smtp password",
        "remove bob@example.org (its mail in /var/vmail/example.org/bob stays)",
        "create new@example.org",
    ]
    assert summary(changes, 4) == {"created": 1, "changed": 1, "removed": 1, "unchanged": 1}


def test_long_reports_end_with_a_number():
    changes = planned(
        there(), *({"address": f"p{n}@example.org", "password": "x"} for n in range(500))
    )
    assert len(actions(changes)) == 201
    assert actions(changes)[-1] == "(and 300 more accounts)"
    assert diff(changes)["after"].endswith("(and 300 more accounts)\n")


def test_rows_that_change_alike_share_a_statement():
    people = [{"address": f"p{n}@example.org"} for n in range(50)]
    changes = planned(there(*people), *({**person, "quota": "1G"} for person in people))
    (statement,) = statements(NAMES, Shape(), changes, lambda *_: "", "now")
    assert len(statement.rows) == 50
    assert statement.sql == (
        "UPDATE `dovecot`.`dovecot_users` SET quota_bytes = %s, last_modified_time = %s "
        "WHERE userid = %s AND domain <=> %s"
    )


def test_values_never_stand_in_a_statement():
    changes = planned(
        there(),
        {"address": "o'brien@example.org", "password": "x", "aliases": ["a'--@example.org"]},
    )
    assert not any(
        "'" in statement.sql
        for statement in statements(NAMES, Shape(), changes, lambda *_: "", "now")
    )


def test_changes_that_hand_over_a_name_stay_together():
    people = [{"address": f"p{n}@example.org", "aliases": [f"a{n}@example.org"]} for n in range(6)]
    changed = [
        {"address": f"p{n}@example.org", "aliases": [f"a{n ^ 1}@example.org"]} for n in range(6)
    ]
    portions = together(planned(there(*people), *changed), 3)
    assert sorted(len(portion) for portion in portions) == [2, 2, 2]
    (whole,) = together(planned(there(*people), *changed), 0)
    assert len(whole) == 6
    assert together([], 0) == []


# ---- properties

LOCALS = [f"p{n}" for n in range(5)]
ADDRESS = st.sampled_from([f"{name}@example.org" for name in LOCALS])
ALIAS = st.sampled_from([f"{name}@second.example" for name in LOCALS] + ["@second.example"])
ENTRY = st.fixed_dictionaries(
    {"address": ADDRESS, "password_hash": st.just(HASH)},
    optional={
        "state": st.sampled_from(["present", "absent"]),
        "username": st.sampled_from([f"u{n}@instance" for n in range(5)]),
        "quota": st.sampled_from([0, "1M", "2G"]),
        "aliases": st.lists(ALIAS, max_size=3, unique=True),
        "forwards": st.lists(ADDRESS | st.just("x@far.example"), max_size=3, unique=True),
        "forward_only": st.booleans(),
    },
)
PEOPLE = st.lists(ENTRY, max_size=5, unique_by=lambda entry: entry["address"])


def allowed(current: Directory, entries: list[dict]) -> bool:
    wanted, wrong = parse(entries)
    changes = proposals(current, wanted, DEFAULTS, Keyring())
    return not wrong and not collisions(current, changes, DEFAULTS)


@settings(max_examples=300, deadline=None)
@given(PEOPLE, PEOPLE)
def test_applying_a_plan_leaves_nothing_to_plan(first: list[dict], second: list[dict]):
    current = Directory(domains=HOSTED)
    for entries in (first, second):
        if not allowed(current, entries):
            continue
        current = applied(current, *entries)
        assert planned(current, *entries) == []
        assert allowed(current, entries)
        assert unique_rows(current)


def unique_rows(current: Directory) -> bool:
    """The keys that the tables insist on."""
    pairs = [
        (row.source, row.target) for account in current.accounts for row in account.destinations
    ]
    usernames = [account.smtp.username for account in current.accounts]
    emails = [account.smtp.email for account in current.accounts]
    return all(len(names) == len(set(names)) for names in (pairs, usernames, emails))


@settings(max_examples=100, deadline=None)
@given(PEOPLE, st.randoms(use_true_random=False))
def test_the_order_of_wishes_never_matters(entries: list[dict], random):
    shuffled = list(entries)
    random.shuffle(shuffled)
    empty = Directory(domains=HOSTED)
    if not allowed(empty, entries):
        assert not allowed(empty, shuffled)
        return

    def told(directory: Directory):
        return {
            (a.address, a.username, a.smtp.forward_only, a.destinations) for a in directory.accounts
        }

    assert told(applied(empty, *entries)) == told(applied(empty, *shuffled))


def test_our_owner_is_one_fixed_constant():
    assert OWNER == "8fe8f1da99045c15d5b1aa9978d57fd67e8214c9"
