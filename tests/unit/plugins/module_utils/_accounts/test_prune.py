# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many accounts may be pruned, and which they are."""

from __future__ import annotations

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.errors import (
    Invalid,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.prune import (
    NAMED,
    Limit,
    leftovers,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.wanted import parse
from hypothesis import given
from hypothesis import strategies as st


def wishes(*entries: dict[str, object]):
    wanted, faults = parse(list(entries))
    assert faults == []
    return wanted


@pytest.mark.parametrize(
    ("given_", "owned", "most"),
    [
        ("5", 1000, 5),
        (5, 3, 5),
        ("0", 10, 0),
        ("0%", 10, 0),
        ("5%", 0, 0),
        ("5%", 19, 0),
        ("5%", 20, 1),
        ("100%", 7, 7),
        ("33%", 100, 33),
        (" 2% ", 100, 2),
        ("000000005", 9, 5),
    ],
)
def test_a_limit_is_a_number_or_a_part_rounded_down(given_: object, owned: int, most: int):
    assert Limit.parse(given_).of(owned) == most


@pytest.mark.parametrize(
    "given_", ["", "-1", "1.5", "101%", "%", "5 %", "five", "1e2", None, True, [], 1.5, "9" * 10]
)
def test_what_is_no_limit_is_refused(given_: object):
    with pytest.raises(Invalid, match="prune_limit"):
        Limit.parse(given_)


@given(st.integers(0, 10**9 - 1), st.booleans(), st.integers(0, 10**6))
def test_a_part_is_never_more_than_all(number: int, percent: bool, owned: int):
    limit = Limit(min(number, 100), percent=True) if percent else Limit(number)
    assert 0 <= limit.of(owned) <= (owned if percent else number)


def gone(number: int):
    return leftovers([(f"u{n:03}", f"p{n:03}@x.y", f"p{n:03}@x.y") for n in range(number)], [])


def test_as_many_as_the_limit_may_go():
    assert Limit(3).faults(gone(3), 9, kept=True) == []
    (fault,) = Limit(2).faults(gone(3), 9, kept=True)
    assert "prune would remove 3 of 9 accounts, and prune_limit is 2: " in fault
    assert "p000@x.y, p001@x.y, p002@x.y" in fault
    assert "more" not in fault
    assert "30%, that is 2," in Limit(30, percent=True).faults(gone(3), 9, kept=True)[0]


def test_at_most_a_few_are_named():
    (fault,) = Limit(0).faults(gone(NAMED + 7), NAMED + 7, kept=True)
    assert f"p{NAMED - 1:03}@x.y and 7 more" in fault
    assert f"p{NAMED:03}" not in fault


OWNED = [
    ("u1", "ann@example.org", "ann@example.org"),
    ("u2", "login@instance", "bob@example.org"),
    ("u3", "cat@example.org", None),
    ("u4", "DAN@example.org", "Dan@Example.org "),
]


def left(*entries: dict[str, object]) -> list[str]:
    return [want.address for want in leftovers(OWNED, wishes(*entries))]


def test_who_is_not_wished_is_a_leftover():
    assert left() == ["Dan@Example.org ", "ann@example.org", "bob@example.org", "cat@example.org"]
    assert left({"address": "ann@example.org"}, {"address": "dan@example.org"}) == [
        "bob@example.org",
        "cat@example.org",
    ]


def test_a_leftover_is_a_wish_to_be_gone_for_exactly_that_account():
    (want,) = leftovers(OWNED[1:2], [])
    assert (want.present, want.pruned) == (False, True)
    assert (want.userid, want.username) == ("u2", "login@instance")
    assert want.label == "prune (bob@example.org)"


def test_nobody_goes_by_a_list_that_keeps_nobody():
    (fault,) = Limit(5).faults(gone(2), 2, kept=False)
    assert "say prune_limit: 100%" in fault
    assert Limit(5).faults([], 0, kept=False) == []
    assert Limit(100, percent=True).faults(gone(2), 2, kept=False) == []
