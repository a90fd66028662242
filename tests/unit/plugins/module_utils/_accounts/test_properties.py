# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Laws of the plan, for random directories and random wishes."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

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
    plan,
    proposals,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.wanted import (
    Defaults,
    parse,
)
from ansible_collections.groupware.mailserver.tests.unit.plugins.module_utils._accounts.people import (  # noqa: E501
    DOMAINS,
    GROUPS,
    Entry,
    only,
    password_of,
    present,
    states,
    without,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

LAW = settings(deadline=None)  # as many examples as the profile says: "long" in conftest.py
DEFAULTS = Defaults()
EMPTY = Directory(domains=frozenset(DOMAINS))


def planned(current: Directory, entries: Iterable[Entry]) -> list[Change]:
    """The changes, or the faults that forbid them."""
    wishes, faults = parse(list(entries))
    assert not faults
    every = proposals(current, wishes, DEFAULTS, Keyring())
    assert not collisions(current, every, DEFAULTS)
    return plan(current, wishes, DEFAULTS, Keyring())


def refused(current: Directory, entries: Iterable[Entry]) -> list[str]:
    wishes, faults = parse(list(entries))
    return faults or collisions(current, proposals(current, wishes, DEFAULTS, Keyring()), DEFAULTS)


def applied(current: Directory, entries: Iterable[Entry]) -> Directory:
    """The directory after these wishes, as the tables would hold it."""
    changes = planned(current, entries)
    touched = {id(change.before) for change in changes}
    kept = [account for account in current.accounts if id(account) not in touched]
    return replace(current, accounts=[*kept, *(stored(c.after) for c in changes if c.after)])


def stored(account: Account) -> Account:
    """The account with hashes in place of wished passwords."""
    keyring = Keyring()

    def row(table: str, given):
        if not (given and isinstance(given.password, Secret)):
            return given
        return given._replace(password=keyring.hashed(given.userid, table, given.password))

    return account._replace(
        imap=row("dovecot_users", account.imap), smtp=row("smtp_users", account.smtp)
    )


def told(current: Directory) -> set[object]:
    """A directory without what only its past can tell: who made which userid, home and salt."""

    def row(given):
        known = {"userid": "", "password": password_of(given.password)} if given else {}
        return given and given._replace(**known, **({"home": ""} if hasattr(given, "home") else {}))

    return {(row(a.imap), row(a.smtp), a.destinations) for a in current.accounts}


@LAW
@given(states(), states())
def test_applying_a_plan_leaves_nothing_to_plan(first: list[Entry], second: list[Entry]):
    current = applied(EMPTY, first)
    assert planned(current, first) == []
    assert planned(applied(current, second), second) == []


@LAW
@given(states(), states())
def test_two_states_converge_to_each_other(first: list[Entry], second: list[Entry]):
    there = applied(applied(EMPTY, first), second)
    assert told(there) == told(applied(EMPTY, second))
    assert told(applied(there, first)) == told(applied(EMPTY, first))


@LAW
@given(states(), st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_that_of_wishes_matters(
    entries: list[Entry], chance: random.Random
):
    current = applied(EMPTY, entries)
    other = replace(current, accounts=chance.sample(current.accounts, len(current.accounts)))
    wishes = [{**without(entry), "quota": "7G"} for entry in entries]
    shuffled = chance.sample(wishes, len(wishes))
    assert told(applied(current, wishes)) == told(applied(other, shuffled))
    assert told(applied(EMPTY, entries)) == told(applied(EMPTY, entries[::-1]))


@LAW
@given(states(), states(), st.sampled_from(GROUPS), st.integers(0, 4))
def test_what_is_not_said_is_kept(
    first: list[Entry], second: list[Entry], group: tuple[str, ...], number: int
):
    """One person gets one group of options: what the first state said of the others still holds."""
    current = applied(EMPTY, first)
    before = {entry["address"].lower(): entry for entry in first}
    wish = only(second[number], *group)
    entry = before[wish["address"].lower()]
    assume("absent" not in (wish.get("state"), entry.get("state")))
    assume(not refused(current, [wish]))
    after = applied(current, [wish])
    others = [other for other in first if other is not entry]
    assert planned(after, [without(entry, *group), *others]) == []
    assert planned(after, [wish]) == []


# ---- directories as years and people leave them


def _lost_login(account: Account) -> Account:
    return account._replace(imap=account.imap and account.imap._replace(loginname=None))


def _lost_mailbox(account: Account) -> Account:
    return account._replace(imap=None)


def _other_mailbox(account: Account) -> Account:
    imap = account.imap
    return account._replace(imap=imap and imap._replace(username=f"old-{imap.username}"))


def _loud(account: Account) -> Account:
    return account._replace(smtp=account.smtp._replace(email=account.smtp.email.upper()))


def _nulled(account: Account) -> Account:
    return account._replace(smtp=account.smtp._replace(status=None, expires=None))


def _flagged(account: Account) -> Account:
    rows = account.destinations
    return account._replace(destinations=frozenset(row._replace(dispatch=True) for row in rows))


def _bare(account: Account) -> Account:
    return account._replace(destinations=frozenset())


def _strayed(account: Account) -> Account:
    odd = Destination(f"odd-{account.userid[:8]}@second.example", "z@far.example", dispatch=True)
    more = Destination(account.username, "z@far.example", dispatch=True)
    return account._replace(destinations=account.destinations | {odd, more})


WEAR = [_lost_login, _lost_mailbox, _other_mailbox, _loud, _nulled, _flagged, _bare, _strayed]


@st.composite
def worn(draw: st.DrawFn) -> Directory:
    current = applied(EMPTY, draw(states()))
    accounts = []
    for account in current.accounts:
        for damage in draw(st.lists(st.sampled_from(WEAR), max_size=3, unique=True)):
            account = damage(account)
        accounts.append(account)
    return replace(current, accounts=accounts)


@LAW
@given(worn(), states())
def test_what_years_have_left_becomes_as_new(current: Directory, entries: list[Entry]):
    there = applied(current, entries)
    assert planned(there, entries) == []
    assert {str(a.address).lower() for a in there.accounts} == {
        entry["address"].lower() for entry in present(entries)
    }
