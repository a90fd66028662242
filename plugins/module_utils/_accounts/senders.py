# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: this is no interface of the collection and may change at any time.

"""Who may send as addresses that are not theirs: {username: [address or domain]}."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .errors import Invalid, kind, shown
from .model import Address, domain_name, user_name

__all__ = ("sender_exception_faults",)


def sender_exception_faults(given: object) -> list[str]:
    """All that is wrong with the exceptions."""
    if not isinstance(given, Mapping):
        return [f"{kind(given)} is not a dictionary: expected lists of addresses by username."]
    return [fault for name, places in given.items() for fault in _faults(name, places)]


def _faults(username: object, places: object) -> Iterator[str]:
    try:
        user_name(username)
    except Invalid as fault:
        yield str(fault)
    if not isinstance(places, (list, tuple)) or not places:
        yield f"{shown(username)}: expected a list of addresses and domains, not {shown(places)}."
        return
    for place in places:
        try:
            _address_or_domain(place)
        except Invalid as fault:
            yield f"{shown(username)}: {fault}"


def _address_or_domain(given: object) -> None:
    named = str(Address.parse(given)) if "@" in str(given) else domain_name(given)
    if named != str(given).lower():
        raise Invalid(given, f"is a domain outside ASCII: write {named}.")
