# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose open sessions should not go on after a change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from .model import Account, Secret
from .plan import Change
from .wanted import ENABLED


def sessions_to_end(changes: Sequence[Change], now: datetime) -> list[str]:
    """Usernames whose open sessions should not go on: gone, renamed, locked, or a new password.

    now is UTC without a zone, as the rows hold expiry dates.
    """
    return sorted(
        {c.before.username for c in changes if c.before and _ends(c.before, c.after, now)}
    )


def _ends(before: Account, after: Account | None, now: datetime) -> bool:
    if after is None or before.username != after.username:
        return True
    if any(isinstance(row.password, Secret) and not row.password.known for row in after.rows()):
        return True
    return _is_active(before, now) and not _is_active(after, now)


def _is_active(account: Account, now: datetime) -> bool:
    return all(
        (row.status or ENABLED) == ENABLED and not (row.expires and row.expires <= now)
        for row in account.rows()
    )
