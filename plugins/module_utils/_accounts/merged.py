# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""One person, one entry: the lists of several variables as one.

Ansible replaces a list of a group by that of a host. So there may be as many lists as variables
whose names begin with mailserver_users, and an entry is found again by its address.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .errors import kind

BASE = "mailserver_users"
LAST = "mailserver_users_host"
# Where one of these is said anew, what was said of the others before no longer holds.
_INSTEAD = {"password": "password_hash", "password_hash": "password"}


class Merged(list[Any]):
    """Accounts that know which variable they come from, and what contradicts itself in them."""

    def __init__(self, lists: Mapping[str, object]) -> None:
        """Merge the lists by variable: mailserver_users first, then by name, the host's last.

        A later one adds to an entry and overrides single fields of mailserver_users, and the
        host's overrides them all. Between the two none overrides another.
        """
        super().__init__()
        self.faults: list[str] = []
        self._places: list[str] = []
        self._known: dict[str, _Known] = {}
        for variable in sorted(lists, key=lambda name: (_rank(name), name)):
            self._add_list(variable, lists[variable])

    def position(self, index: int) -> str:
        """Where the account stands first, such as `account 3 of mailserver_users_sales`."""
        return self._places[index]

    def _add_list(self, variable: str, given: object) -> None:
        if not isinstance(given, (list, tuple)):
            # By its type only: there may be passwords in it.
            said = "" if variable == BASE else f"{variable}: "
            self.faults.append(f"{said}{kind(given)} is not a list of accounts.")
            return
        for number, entry in enumerate(given, 1):
            named = isinstance(entry, Mapping) and isinstance(entry.get("address"), str)
            known = self._known.get(_key(entry)) if named else None
            if known and variable not in known.variables:
                self.faults += known.add(variable, entry)
            else:
                # What is twice in one list stays twice, and is refused as that.
                self._append(variable, number, entry, named)

    def _append(self, variable: str, number: int, entry: Any, named: bool) -> None:
        place = f"account {number}"
        self._places.append(place if variable == BASE else f"{place} of {variable}")
        if not named:
            self.append(entry)
            return
        known = _Known()
        known.add(variable, entry)
        self._known.setdefault(_key(entry), known)
        self.append(known.entry)


class _Known:
    """One person, with the variable that each field comes from."""

    def __init__(self) -> None:
        self.entry: dict[str, Any] = {}
        self.variables: dict[str, None] = {}
        self._sources: dict[str, str] = {}

    def add(self, variable: str, entry: Mapping[str, Any]) -> list[str]:
        """Take what this variable says; a sentence for each contradiction."""
        self.variables[variable] = None
        faults = list(self._contradictions(variable, entry))
        for name in entry:
            other = _INSTEAD.get(name, "")
            if other not in entry and _rank(self._sources.get(other, variable)) < _rank(variable):
                self.entry.pop(other, None)
        self.entry.update({name: value for name, value in entry.items() if name != "address"})
        self.entry.setdefault("address", entry["address"])
        self._sources.update(dict.fromkeys(entry, variable))
        return faults

    def _contradictions(self, variable: str, entry: Mapping[str, Any]) -> Iterator[str]:
        for name, value in entry.items():
            source = self._sources.get(name, variable)
            if name == "address" or source == variable or _rank(source) != _rank(variable):
                continue
            if self.entry.get(name) != value:
                yield (
                    f"{self.entry['address']}: {name} is said in {source} and otherwise in "
                    f"{variable}: expected it in one of them, or what holds in {LAST}."
                )


def _rank(variable: str) -> int:
    return {BASE: 0, LAST: 2}.get(variable, 1)


def _key(entry: Mapping[str, Any]) -> str:
    return str(entry["address"]).strip().lower()
