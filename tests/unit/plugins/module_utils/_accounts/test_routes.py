# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where mail goes, as rows and back: what is written is read as it was meant."""

from __future__ import annotations

from datetime import datetime

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.model import (
    Account,
    Alias,
    Destination,
    SmtpRow,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.routes import (
    Routes,
    routes,
)
from hypothesis import given
from hypothesis import strategies as st

ANN, LOGIN = "ann@example.org", "login@instance"
FAR, FARTHER = "x@far.example", "y@far.example"
NO_TIME: datetime | None = None


def account(
    rows: frozenset[Destination],
    username: str = LOGIN,
    forward_only: bool = False,
    email: str | None = ANN,
) -> Account:
    smtp = SmtpRow("u1", "o", username, "{X}", email, forward_only, None, NO_TIME)
    return Account(None, smtp, rows)


def row(source: str, target: str, dispatch: bool = False) -> Destination:
    return Destination(source, target, dispatch)


def test_the_rows_that_tine_writes():
    wished = Routes(ANN, LOGIN, frozenset([Alias("a@example.org", True)]), frozenset([FAR]))
    assert wished.rows() == {
        row(ANN, LOGIN),
        row(LOGIN, LOGIN),
        row(ANN, FAR, True),
        row("a@example.org", ANN, True),
    }
    assert wished.rows(account_name=False) == wished.rows() - {row(LOGIN, LOGIN)}
    assert wished.rows(by_username=True) - wished.rows() == {row("a@example.org", LOGIN, True)}


def test_the_rows_of_one_who_only_forwards():
    wished = Routes(
        ANN,
        LOGIN,
        frozenset([Alias("a@example.org", False)]),
        frozenset([FAR, FARTHER]),
        forward_only=True,
    )
    rows = wished.rows()
    assert rows == wished.rows(account_name=False) == wished.rows(by_username=True)
    assert rows == {
        row(ANN, FAR, True),
        row(ANN, FARTHER, True),
        row("a@example.org", FAR),
        row("a@example.org", FARTHER),
    }


NAMES = [f"{letter}@example.org" for letter in "abcd"]
TARGETS = [f"{letter}@far.example" for letter in "wxyz"]


@st.composite
def meant(draw: st.DrawFn) -> Routes:
    """Anything that can be wished of an account."""
    sources = draw(st.lists(st.sampled_from(NAMES), unique=True))
    forwards = draw(st.frozensets(st.sampled_from(TARGETS)))
    return Routes(
        ANN,
        draw(st.sampled_from([ANN, LOGIN])),
        frozenset(Alias(source, draw(st.booleans())) for source in sources),
        forwards,
        bool(forwards) and draw(st.booleans()),
    )


@given(meant(), st.booleans(), st.booleans())
def test_what_is_written_is_read_as_it_was_meant(wished: Routes, name: bool, by_username: bool):
    rows = wished.rows(account_name=name, by_username=by_username)
    read = routes(account(rows, wished.username, wished.forward_only), by_username=by_username)
    assert read == wished


@given(
    meant(),
    st.frozensets(
        st.builds(
            Destination,
            st.sampled_from([*NAMES, ANN, LOGIN, "odd@example.org"]),
            st.sampled_from([*TARGETS, ANN, LOGIN, "odd@far.example"]),
            st.booleans(),
        ),
        max_size=5,
    ),
)
def test_no_row_is_lost_by_reading_and_writing(wished: Routes, odd: frozenset[Destination]):
    """What tine would not write is kept as a stray; only the flags that tine gives may change."""
    if wished.forward_only:  # tine has no way to the own mailbox then
        own = {wished.address, wished.username}
        odd = frozenset(r for r in odd if r.source not in own or r.target != wished.username)
    there = wished.rows() | odd
    read = routes(account(there, wished.username, wished.forward_only))
    again = read.rows()
    lost = {(r.source, r.target) for r in there} - {(r.source, r.target) for r in again}
    assert lost == set()


@pytest.mark.parametrize(
    "stray", [row("a@example.org", LOGIN), row(LOGIN, FAR), row("b@example.org", "elsewhere@x.y")]
)
def test_what_tine_does_not_see_is_a_stray(stray: Destination):
    rows = Routes(ANN, LOGIN).rows() | {stray}
    read = routes(account(rows))
    assert read.strays == {stray}
    assert (read.aliases, read.forwards) == (frozenset(), frozenset())


def test_spellings_are_the_same_name():
    rows = frozenset(
        [row("ANN@example.org", LOGIN.upper()), row("A@example.org", "Ann@Example.org")]
    )
    read = routes(account(rows, LOGIN.upper()))
    assert read.strays == frozenset()
    assert read.aliases == {Alias("A@example.org", False)}


def test_flags_of_two_rows_of_one_alias_are_one():
    rows = frozenset(
        [
            row(ANN, FAR, True),
            row(ANN, FARTHER, True),
            row("a@example.org", FAR, True),
            row("a@example.org", FARTHER),
        ]
    )
    assert routes(account(rows, forward_only=True)).aliases == {Alias("a@example.org", True)}


def test_an_account_without_an_address_is_read_by_its_username():
    rows = frozenset([row(LOGIN, LOGIN), row(LOGIN, FAR, True), row("a@example.org", LOGIN, True)])
    read = routes(account(rows, email=None))
    assert (read.address, read.forwards) == (LOGIN, {FAR})
    assert read.aliases == {Alias("a@example.org", True)}
