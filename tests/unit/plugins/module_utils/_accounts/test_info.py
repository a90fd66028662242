# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of rows, without a database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.info import (
    Imap,
    Person,
    Question,
    Smtp,
    Summary,
    _pairs,
    moment,
    scheme,
)

NOW = datetime(2026, 8, 31, 12)
LATER = datetime(2026, 9, 1)


def imap(**said: Any) -> Imap:
    row = dict.fromkeys(Imap._fields)
    return Imap(**{**row, "userid": "u", "username": "ann@example.org", "quota": 0, **said})


def smtp(**said: Any) -> Smtp:
    row = dict.fromkeys(Smtp._fields)
    return Smtp(**{**row, "userid": "u", "username": "ann@example.org", **said})


@pytest.mark.parametrize(
    ("one", "other", "status", "active"),
    [
        (None, None, None, True),
        ("enabled", None, "enabled", True),
        (None, "blocked", "blocked", False),
        ("disabled", "enabled", "disabled", False),
        ("strange", "enabled", "strange", False),
    ],
)
def test_what_shuts_out_counts(
    one: str | None, other: str | None, status: str | None, active: bool
):
    person = Person(imap(status=one), smtp(status=other))
    assert (person.status, person.active(NOW)) == (status, active)


@pytest.mark.parametrize(
    ("one", "other", "expires", "active"),
    [
        (None, None, None, True),
        (LATER, None, LATER, True),
        (LATER, NOW, NOW, False),
        ("0000-00-00 00:00:00", LATER, LATER, True),
    ],
)
def test_the_earlier_expiry_counts(one: object, other: object, expires: object, active: bool):
    person = Person(imap(expires=one), smtp(expires=other))
    assert (person.expires, person.active(NOW)) == (expires, active)


def test_the_address_is_what_comes_nearest_to_it():
    assert Person(imap(loginname="a@b"), smtp(email="c@d")).address == "c@d"
    assert Person(imap(loginname="a@b"), smtp()).address == "a@b"
    assert Person(imap(username="ann"), None).address == "ann"
    assert Person(imap(username="ann"), None).domain == ""


def test_usage_is_a_part_of_the_quota():
    assert Person(imap(quota=1), None, (2**19, 7)).percent == 50.0
    assert Person(imap(quota=0), None, (2**19, 7)).percent is None
    assert Person(imap(quota=1), None).percent is None
    assert Question(over_percent=50).admits(Person(imap(quota=1), None, (2**19, 7)))
    assert not Question(over_percent=51).admits(Person(imap(quota=1), None, (2**19, 7)))


def test_rows_of_one_userid_are_paired_by_username_first():
    ann, bob = imap(username="ann@x"), imap(username="Bob@x")
    one, two, three = smtp(username="bob@x"), smtp(username="cat@x"), smtp(username="dan@x")
    assert list(_pairs([ann, bob], [one, two, three])) == [(bob, one), (ann, two), (None, three)]
    assert list(_pairs([bob], [two, one])) == [(None, two), (bob, one)]
    assert list(_pairs([ann, bob], [])) == [(ann, None), (bob, None)]


def test_a_scheme_is_only_told_if_it_is_one():
    assert scheme(None) is None
    assert scheme("") == "none"
    assert scheme("ssha512.b64") == "SSHA512"
    assert scheme("hunter2") == scheme("SSHA.hunter2") == "unknown"


def test_moments_are_utc():
    assert moment(NOW) == "2026-08-31T12:00:00Z"
    assert moment(None) is None
    assert moment("0000-00-00 00:00:00") is None


def test_a_summary_counts_what_passes():
    summary = Summary()
    summary.add(Person(imap(scheme="SSHA256"), smtp(scheme="", email="a@B", owner="o")), NOW)
    summary.add(Person(None, smtp(status="expired", forward_only=1)), NOW)
    told = summary.told()
    assert (told["accounts"], told["active"], told["unlimited"], told["forward_only"]) == (
        2,
        1,
        1,
        1,
    )
    assert told["domain"] == {"b": 1, "example.org": 1}
    assert told["lone"] == {"smtp": 1}
    assert told["imap_password_scheme"] == {"SSHA256": 1}
    assert told["smtp_password_scheme"] == {"none": 1}
