# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""When an account expires: a moment that somebody wrote, and the same in UTC as tine stores it."""

from __future__ import annotations

import re
from datetime import datetime, timezone, tzinfo
from typing import Union
from zoneinfo import ZoneInfo

from .errors import Invalid

NEVER = "never"
Expiry = Union[datetime, str]  # UTC without a zone, or NEVER

_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.0+)?"
    r" ?(Z|[+-]\d\d:?\d\d|[A-Za-z]+(?:/[A-Za-z0-9_+-]+)*)?"
)
_OF_A_MACHINE = ("localtime", "posixrules", "Factory")  # files beside the zones
_EXPECTED = (
    "expected a date and a time with its zone, such as 2027-01-31T18:00:00+01:00, "
    "2027-01-31 18:00 Europe/Berlin or 2027-01-31T17:00:00Z, or never."
)


def expiry(given: object) -> Expiry:
    """The moment in UTC, to the second (dovecot_users.expiry_date), or NEVER.

    A time without a zone is refused: it would be another moment on another machine.
    """
    text = given.isoformat() if isinstance(given, datetime) else str(given)
    if text.lower() == NEVER:
        return NEVER
    match = _MOMENT.fullmatch(text)
    if not match:
        raise Invalid(text, f"is not a moment: {_EXPECTED}")
    day, time, zone = match.groups()
    if not zone:
        raise Invalid(text, f"has no time zone: {_EXPECTED}")
    return _in_utc(text, f"{day}T{time}", _zone(text, zone))


def _zone(text: str, name: str) -> tzinfo:
    if name in ("Z", "UTC"):
        return timezone.utc
    if name[0] in "+-":
        digits = name.replace(":", "")
        return _parsed(text, f"2000-01-01T00:00:00{digits[:3]}:{digits[3:]}").tzinfo or timezone.utc
    try:
        if name not in _OF_A_MACHINE:
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        pass
    raise Invalid(text, f"has an unknown time zone: {_EXPECTED}")


def _parsed(text: str, iso: str) -> datetime:
    try:
        return datetime.fromisoformat(iso)
    except ValueError:
        raise Invalid(text, f"is not a moment: {_EXPECTED}") from None


def _in_utc(text: str, iso: str, zone: tzinfo) -> datetime:
    local = _parsed(text, iso).replace(tzinfo=zone)
    try:
        return local.astimezone(timezone.utc).replace(tzinfo=None)
    except OverflowError:
        raise Invalid(text, f"is not a moment: {_EXPECTED}") from None
