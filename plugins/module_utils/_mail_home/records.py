# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: this is no interface of the collection and may change at any time.

"""Which homes are on their way: written down before they move, so that a next run can finish."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .._accounts import private_file
from .._accounts.errors import MailhostError

__all__ = ("Move", "Records", "recorded", "writable")

_FILE = "mail_move/moves.json"


@dataclass(frozen=True)
class Move:
    """A home and where it goes; both are normal paths in the mail directory."""

    username: str
    source: str
    target: str

    def told(self) -> dict[str, str]:
        return {"username": self.username, "from": self.source, "to": self.target}


class Unreadable(MailhostError):
    """What was written down cannot be used."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"{path} cannot be used ({why}). It tells which mail is on its way to a new place: if "
            "you remove it, remove the links that are left in the old places as well."
        )


class Busy(MailhostError):
    """Another run is moving mail."""

    def __init__(self) -> None:
        super().__init__("Another run is moving mail on this host: run the play again later.")


@dataclass
class Records:
    """Moves whose link still stands in the old place, and those that are over."""

    path: str
    outstanding: tuple[Move, ...] = ()
    settled: tuple[Move, ...] = ()
    directory: int | None = None

    def begin(self, moves: Iterable[Move]) -> None:
        """Write down moves before they are made; a place has one record."""
        new = tuple(moves)
        places = {place for move in new for place in (move.source, move.target)}
        self.settled = tuple(m for m in self.settled if not {m.source, m.target} & places)
        sources = {move.source for move in new}
        self.outstanding = tuple(m for m in self.outstanding if m.source not in sources) + new
        self._write()

    def settle(self, moves: Iterable[Move]) -> None:
        """Write down that the links of these moves are gone."""
        over = tuple(moves)
        self.outstanding = tuple(m for m in self.outstanding if m not in over)
        self.settled = tuple(m for m in self.settled if m not in over) + over
        self._write()

    def _write(self) -> None:
        if self.directory is None:
            raise AssertionError("the records are not open for writing")
        found = {
            "outstanding": [move.told() for move in self.outstanding],
            "settled": [move.told() for move in self.settled],
        }
        text = json.dumps(found, indent=1, sort_keys=True).encode()
        private_file.replace(self.directory, os.path.basename(self.path), text)


def recorded(state_directory: str) -> Records:
    """What was written down on this host."""
    path = os.path.join(state_directory, _FILE)
    try:
        found = json.loads(private_file.content(path))
        return Records(path, _moves(found["outstanding"]), _moves(found["settled"]))
    except FileNotFoundError:
        return Records(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unreadable(path, str(error)) from None


def _moves(found: list[dict[str, str]]) -> tuple[Move, ...]:
    return tuple(Move(move["username"], move["from"], move["to"]) for move in found)


@contextlib.contextmanager
def writable(state_directory: str) -> Iterator[Records]:
    """The records, for as long as nobody else may move mail."""
    path = os.path.join(state_directory, _FILE)
    os.makedirs(state_directory, mode=0o700, exist_ok=True)
    with _private(path) as directory:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy from None
        records = recorded(state_directory)
        records.directory = directory
        yield records


@contextlib.contextmanager
def _private(path: str) -> Iterator[int]:
    with contextlib.ExitStack() as stack:
        try:
            directory = stack.enter_context(private_file.directory_of(path, make=True))
        except OSError as error:
            raise Unreadable(os.path.dirname(path), str(error)) from None
        yield directory
