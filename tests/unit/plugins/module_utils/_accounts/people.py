# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random people for the property tests, as plain options; the one place that knows the fields.

A state is what a directory as a whole shall be: five people, each present or absent, with every
field said. Names are dealt out, so that no state collides with itself; but two states deal
differently, so that aliases, addresses and mailbox names change hands between them.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.passwords import (
    matches,
)
from hypothesis import strategies as st

Entry = dict[str, Any]

DOMAINS = ("example.org", "second.example")
NUMBERS = range(5)
READY = (
    "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ",
    "{SSHA256}eBVjnfWKSWBOuMYfdVnxBxVVIXgGs5gVC5z4cUqZ0JGTp1Ye",
)
CLEAR = ("secret", "another one", "pass % _ \\ ' \"")

# One line for each field that concerns nobody but its own account: what may be said of it.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "quota": st.sampled_from([0, "unlimited", "1M", "500M", 2**31, "2.5G"]),
    "quota_messages": st.sampled_from([0, "unlimited", 1, 10_000]),
    "quota_sieve": st.sampled_from([0, "1M", 12_345]),
    "quota_sieve_scripts": st.sampled_from([0, 5]),
    "uid": st.sampled_from(["vmail", "5000"]),
    "gid": st.sampled_from(["vmail", "mail"]),
    "status": st.sampled_from(["enabled", "disabled", "blocked", "expired"]),
    "expires": st.sampled_from(
        ["never", "2031-01-31T18:00:00+01:00", "2031-01-31T17:00:00Z", "1999-12-31T23:59:59Z"]
    ),
}
PASSWORDS: st.SearchStrategy[Entry] = st.sampled_from(
    [{"password_hash": ready} for ready in READY]
    + [{"password": clear, "password_scheme": "SSHA256"} for clear in CLEAR]
)


def address(number: int) -> str:
    """The address of a person, by which every state knows the same one."""
    return f"p{number}@example.org"


ALIASES = [f"a{number}@second.example" for number in NUMBERS] + [
    "@second.example",
    "x.y@example.org",
]
MAILBOXES = [f"u{number}@instance" for number in NUMBERS]


@st.composite
def states(draw: st.DrawFn) -> list[Entry]:
    """Everything about five people, free of collisions and of circles."""
    order = draw(st.permutations(NUMBERS))
    present = [number for number in order if draw(st.integers(0, 4))]
    absent = [number for number in order if number not in present]
    aliases = _dealt(draw, ALIASES + [address(number) for number in absent], present)
    mailboxes = dict(zip(present, draw(st.permutations(MAILBOXES))))
    entries = [{"address": address(number), "state": "absent"} for number in absent]
    for place, number in enumerate(present):
        entry = {
            "address": draw(spelled(address(number))),
            "username": draw(st.sampled_from([address(number), mailboxes[number]])),
            "login_name": draw(st.sampled_from([address(number), f"l{number}@second.example"])),
            "home": draw(st.sampled_from([f"/no/mail/p{number}", f"/no/mail/{number}"])),
            "move_mail": True,
            "aliases": [draw(_alias(name)) for name in aliases[number]],
            **draw(_routes(_names(present[place + 1 :], aliases))),
            **draw(PASSWORDS),
            **{name: draw(values) for name, values in FIELDS.items()},
        }
        entries.append(entry)
    return draw(st.permutations(entries))


def _dealt(draw: st.DrawFn, names: list[str], people: list[int]) -> dict[int, list[str]]:
    """Each name to one person or to nobody."""
    hands: dict[int, list[str]] = {number: [] for number in people}
    for name in names:
        number = draw(st.sampled_from([*people, None]))
        if number is not None:
            hands[number].append(name)
    return hands


def _names(people: list[int], aliases: dict[int, list[str]]) -> list[str]:
    """Where a person may forward to: whoever comes later, so that there is no way back."""
    names = [name for number in people for name in (address(number), *aliases[number])]
    return [name for name in names if not name.startswith("@")] + ["x@far.example", "y@far.example"]


def _routes(targets: list[str]) -> st.SearchStrategy[Entry]:
    forwards = st.lists(st.sampled_from(targets), max_size=3, unique=True)
    some = st.lists(st.sampled_from(targets), min_size=1, max_size=3, unique=True)
    copies = st.builds(lambda names: {"forwards": names, "forward_only": False}, forwards)
    return copies | st.builds(lambda names: {"forwards": names, "forward_only": True}, some)


def _alias(name: str) -> st.SearchStrategy[Any]:
    flagged = st.booleans().map(lambda flag: {"address": name, "dispatch_address": flag})
    return spelled(name) | flagged


def spelled(name: str) -> st.SearchStrategy[str]:
    """The name as people write it."""
    return st.sampled_from([name, name, name.upper(), name.title()])


# What can be said alone: each of these groups of options leaves the others as they are.
GROUPS = (
    ("aliases",),
    ("forwards", "forward_only"),
    ("password", "password_hash", "password_scheme"),
    ("username",),
    ("login_name",),
    ("home", "move_mail"),
    *((name,) for name in FIELDS),
)


def only(entry: Entry, *options: str) -> Entry:
    """Of an entry, who it is about and these options."""
    return {name: value for name, value in entry.items() if name in ("address", "state", *options)}


def without(entry: Entry, *options: str) -> Entry:
    return {name: value for name, value in entry.items() if name not in options}


def present(entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.get("state") != "absent"]


def password_of(stored: str) -> str:
    """Which of the passwords above a stored hash stands for; itself, if for none."""
    if stored in READY:
        return stored
    return next((clear for clear in CLEAR if matches(clear, stored)), stored)
