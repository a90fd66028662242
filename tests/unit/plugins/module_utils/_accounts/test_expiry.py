# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""When an account expires: zones, summer time, and what is no moment."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.errors import (
    Invalid,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.expiry import (
    NEVER,
    expiry,
)
from hypothesis import given
from hypothesis import strategies as st

MOMENTS = {
    "2027-01-31T18:00:00+01:00": datetime(2027, 1, 31, 17),
    "2027-01-31 18:00 +01:00": datetime(2027, 1, 31, 17),
    "2027-01-31T18:00+0100": datetime(2027, 1, 31, 17),
    "2027-01-31T17:00Z": datetime(2027, 1, 31, 17),
    "2027-01-31 17:00 UTC": datetime(2027, 1, 31, 17),
    "2027-01-31 18:00 Europe/Berlin": datetime(2027, 1, 31, 17),
    "2027-07-31 18:00 Europe/Berlin": datetime(2027, 7, 31, 16),
    "2027-07-31 18:00 America/Argentina/Ushuaia": datetime(2027, 7, 31, 21),
    "2027-01-01 00:00 Pacific/Kiritimati": datetime(2026, 12, 31, 10),
    "2027-12-31T23:30:00-01:00": datetime(2028, 1, 1, 0, 30),
    "2027-01-31T18:00:59.000Z": datetime(2027, 1, 31, 18, 0, 59),
    "9999-12-31T23:59:59Z": datetime(9999, 12, 31, 23, 59, 59),
}


@pytest.mark.parametrize("text", MOMENTS)
def test_a_moment_is_kept_in_utc_without_a_zone(text: str):
    assert expiry(text) == MOMENTS[text]


@pytest.mark.parametrize("text", ["never", "Never", "NEVER"])
def test_never_is_a_word(text: str):
    assert expiry(text) == NEVER


def test_the_hour_that_comes_twice_is_the_first_and_the_one_that_is_left_out_is_passed():
    assert expiry("2027-10-31 02:30 Europe/Berlin") == datetime(2027, 10, 31, 0, 30)
    assert expiry("2027-10-31 03:00 Europe/Berlin") == datetime(2027, 10, 31, 2)
    assert expiry("2027-03-28 02:30 Europe/Berlin") == datetime(2027, 3, 28, 1, 30)
    assert expiry("2027-03-28 03:30 Europe/Berlin") == datetime(2027, 3, 28, 1, 30)


@pytest.mark.parametrize("text", ["2027-01-31T18:00:00", "2027-01-31 18:00", "2027-01-31 18:00:00"])
def test_a_moment_without_a_zone_is_refused_as_such(text: str):
    with pytest.raises(Invalid, match="has no time zone"):
        expiry(text)


@pytest.mark.parametrize(
    "text",
    ["2027-01-31 18:00 Europe/Atlantis", "2027-01-31 18:00 CEST", "2027-01-31 18:00 localtime"],
)
def test_an_unknown_zone_is_refused_as_such(text: str):
    with pytest.raises(Invalid, match="has an unknown time zone"):
        expiry(text)


NO_MOMENTS = [
    "",
    "x",
    "2027-01-31",
    "2027-1-31T18:00Z",
    "2027-02-29T00:00Z",
    "2027-13-01T00:00Z",
    "2027-01-31T24:00:01Z",
    "2027-01-31T18:60Z",
    "2027-01-31T18:00+25:00",
    "2027-01-31T18:00+01",
    "2027-01-31T18:00:00.5Z",
    "2027-01-31 18:00 /etc/localtime",
    "2027-01-31 18:00 ../UTC",
    " 2027-01-31T18:00Z",
    "2027-01-31T18:00Z\n",
    "0001-01-01T00:00+01:00",
    "9999-12-31T23:59:59-01:00",
    "0000-01-01T00:00Z",
    "\uff12\uff10\uff12\uff17-01-31T18:00Z",
    "1800000000",
    "None",
]


@pytest.mark.parametrize("text", NO_MOMENTS)
def test_what_is_no_moment_is_refused_with_an_example(text: str):
    with pytest.raises(Invalid, match="expected a date and a time with its zone"):
        expiry(text)


@pytest.mark.parametrize("given_", [None, 5, True, 1.5, [], {}, datetime(2027, 1, 31)])
def test_other_types_are_no_moments(given_: object):
    with pytest.raises(Invalid):
        expiry(given_)


def test_what_yaml_has_made_a_moment_is_one():
    zone = timezone(timedelta(hours=1))
    assert expiry(datetime(2027, 1, 31, 18, tzinfo=zone)) == datetime(2027, 1, 31, 17)


@given(
    st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)),
    st.integers(-23 * 60, 23 * 60),
)
def test_the_same_moment_is_the_same_in_every_zone(moment: datetime, minutes: int):
    utc = moment.replace(microsecond=0)
    there = utc.replace(tzinfo=timezone.utc).astimezone(timezone(timedelta(minutes=minutes)))
    assert expiry(there.isoformat()) == utc
    assert expiry(f"{utc.isoformat()}Z") == utc


@given(st.text(max_size=40))
def test_any_text_is_a_moment_or_is_refused(text: str):
    with contextlib.suppress(Invalid):
        assert isinstance(expiry(text), (datetime, str))
