# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of ours that nobody wishes any more, and how many of them may go in one run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .errors import Invalid
from .model import fold
from .wanted import Wanted

NAMED = 20
# A list that keeps nobody is a file that was cut off, or a variable that was not set.
_NOBODY = (
    "prune: no account is given that is to be present, so that prune would remove all: give the "
    "accounts that are to stay, or say prune_limit: 100% if none is."
)


@dataclass(frozen=True)
class Limit:
    """How many accounts may be pruned: a number, or a part of all that are ours."""

    number: int
    percent: bool = False

    @classmethod
    def parse(cls, given: object) -> Limit:
        """5 is five accounts, 5% five in a hundred."""
        match = re.fullmatch(r"([0-9]{1,9})(%?)", str(given).strip())
        if not match or (match[2] and int(match[1]) > 100):
            raise Invalid(
                given, "is not a prune_limit: expected a number of accounts such as 5, or 5%."
            )
        return cls(int(match[1]), bool(match[2]))

    def of(self, owned: int) -> int:
        """The number of accounts, where so many are ours."""
        return owned * self.number // 100 if self.percent else self.number

    def faults(self, pruned: Sequence[Wanted], owned: int, kept: bool) -> list[str]:
        """What is wrong with pruning these of ours; kept says whether anybody is to stay."""
        if len(pruned) <= self.of(owned):
            return [] if kept or not pruned or self == Limit(100, percent=True) else [_NOBODY]
        named = ", ".join(want.address for want in pruned[:NAMED])
        more = f" and {len(pruned) - NAMED} more" if len(pruned) > NAMED else ""
        said = f"{self.number}%, that is {self.of(owned)}," if self.percent else f"{self.number}"
        return [
            f"prune would remove {len(pruned)} of {owned} accounts, and prune_limit is {said}: "
            f"{named}{more}. Raise prune_limit for this run if they are to go, or name them with "
            "state: absent."
        ]


def leftovers(
    owned: Iterable[tuple[str, str, str | None]], wishes: Iterable[Wanted]
) -> list[Wanted]:
    """A wish to be gone for each of our accounts (userid, username, address) that no wish names.

    By its address alone: whether a wish means it by its username shows when it has been read.
    """
    names = {want.address for want in wishes}
    return [
        Wanted(
            address=address or username,
            fresh_id=userid,
            position=lambda _index: "prune",
            present=False,
            username=username,  # two owners may have the same userid
            userid=userid,
            pruned=True,
        )
        for userid, username, address in sorted(owned, key=lambda one: one[2] or one[1])
        if fold(address or "") not in names
    ]
