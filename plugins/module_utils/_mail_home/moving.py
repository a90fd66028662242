# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: this is no interface of the collection and may change at any time.

"""Moves of homes: what is wrong with them, what is to be done for each, and the doing."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .._accounts.errors import MailhostError, shown
from .records import Move, Records
from .tree import InTheWay, Name, Tree, exchange, is_inside, normal

__all__ = (
    "Plan",
    "carry_out",
    "left_behind",
    "parsed",
    "plan",
    "unlink",
)

BY_HAND = (
    "stop Dovecot, move it by hand (cp -a, check, and a link in the old place that leads to the "
    "new one), start Dovecot and run the play again"
)


class CannotExchange(MailhostError):
    """The file system lacks the step that everything rests on."""

    def __init__(self, top: str) -> None:
        super().__init__(
            f"The file system of {top} cannot exchange two names in one step (NFS cannot), so mail "
            f"cannot move while it is in use: {BY_HAND}. Nothing was touched."
        )


class CannotMove(MailhostError):
    """The exchange failed; the mail is in its old place."""

    def __init__(self, move: Move, error: OSError) -> None:
        why = "which is on another mount" if error.errno == errno.EXDEV else error.strerror
        super().__init__(
            f"{move.username}: {move.source} cannot become {move.target}: {why}. "
            f"Its mail is where it was: {BY_HAND}."
        )


@dataclass(frozen=True)
class Plan:
    """The moves that are to be made, unfinished ones that are to be taken back first; or faults.

    Found are moves that somebody has made by hand, with a link in the old place.
    """

    todo: tuple[Move, ...]
    found: tuple[Move, ...]
    undo: tuple[Move, ...]
    faults: tuple[str, ...]


def parsed(given: Iterable[Mapping[str, str]]) -> list[Move]:
    """Moves from a module's options."""
    return [Move(m["username"], normal(m["from"]), normal(m["to"])) for m in given]


def _faults_of(move: Move, top: str) -> Iterator[str]:
    wrong = [
        f"{move.username}: {name}: {fault}"
        for name, path in (("from", move.source), ("to", move.target))
        for fault in _faults_of_path(path, top)
    ]
    yield from wrong
    if not wrong and move.source == move.target:
        yield f"{move.username}: from and to are the same path, {move.source}."


def _faults_of_path(path: str, top: str) -> Iterator[str]:
    if not path.startswith("/"):
        yield f"{shown(path)} is not an absolute path."
    elif {"", ".", ".."} & set(path[1:].split("/")):
        yield f"{shown(path)} is not a plain path: it has '.', '..' or two slashes in it."
    elif not is_inside(path, top):
        yield f"{path} is not inside the mail directory {top}."


def _faults_between(moves: Sequence[Move]) -> Iterator[str]:
    places = sorted(
        (
            (path.split("/"), path, move)
            for move in moves
            for path in dict.fromkeys((move.source, move.target))
        ),
        key=lambda place: place[0],
    )
    for (_parts, path, move), (_more, below, other) in zip(places, places[1:]):
        if path == below:
            yield f"{other.username}: {path} is named by {move.username} as well."
        elif is_inside(below, path):
            yield f"{other.username}: {below} lies inside {path} of {move.username}."


def plan(tree: Tree, records: Records, moves: Sequence[Move]) -> Plan:
    """What is to be done, from what is on disk and what was written down."""
    todo, found, undo = [], [], []
    wrong = {move: list(_faults_of(move, tree.top)) for move in moves}
    faults = [fault for told in wrong.values() for fault in told] + list(_faults_between(moves))
    for move in (move for move in moves if not wrong[move]):
        try:
            source, target = tree.name(move.source), tree.name(move.target)
            if not _is_done(source, target, move, records):
                undo += _before(tree, records, move, source, target)
                todo.append(move)
            elif source.kind == "link" and move not in records.outstanding:
                found.append(move)
        except InTheWay as part:
            faults.append(f"{move.username}: {part} is a link or no directory: {BY_HAND}.")
        except Stuck as fault:
            faults.append(f"{move.username}: {fault}")
    return Plan(tuple(todo), tuple(found), tuple(undo), tuple(faults))


class Stuck(Exception):
    """Why one home cannot move, as a sentence."""


def _is_done(source: Name, target: Name, move: Move, records: Records) -> bool:
    if target.kind != "directory":
        return False
    known = move in (*records.outstanding, *records.settled)
    return _leads(source, move) or (source.kind == "missing" and known)


def _before(tree: Tree, records: Records, move: Move, source: Name, target: Name) -> list[Move]:
    """The unfinished moves to take back before this one is made; Stuck where it cannot be made."""
    # A link to itself is what a killed run has left: nothing else makes one.
    if target.kind != "missing" and not _leads(target, move):
        raise Stuck(f"{move.target} already exists: move it away, or choose another home.")
    if source.kind == "other":
        raise Stuck(f"{move.source} is no directory.")
    if source.device != target.device:
        raise Stuck(f"{move.source} and {move.target} are on two file systems: {BY_HAND}.")
    undo = [m for m in records.outstanding if m.source == move.source and m.target != move.target]
    if source.kind == "link" and not any(_leads(source, m) and _has(tree, m) for m in undo):
        raise Stuck(f"{move.source} is a link, and none that this module has left there.")
    return undo


def _leads(name: Name, move: Move) -> bool:
    return name.kind == "link" and name.target == move.target


def _has(tree: Tree, move: Move) -> bool:
    return tree.name(move.target).kind == "directory"


def carry_out(tree: Tree, records: Records, planned: Plan) -> None:
    """Make the moves. Whenever this ends, by whatever, each mailbox has all its mail in one place.

    Raises CannotExchange before anything is touched, CannotMove for the first that fails.
    """
    if planned.todo and not tree.exchanges():
        raise CannotExchange(tree.top)
    for move in planned.undo:
        _take_back(tree, move)
    if planned.todo or planned.found:
        records.begin((*planned.todo, *planned.found))
    for move in planned.todo:
        _make(tree, move)


def _make(tree: Tree, move: Move) -> None:
    with _both(tree, move) as ((before, old), (after, new)):
        # Somebody without mail gets an empty home, so that the first mail finds the new place.
        tree.make_directory(before, old)
        if not _leads(tree.name(move.target), move):
            os.symlink(move.target, new, dir_fd=after)
        try:
            exchange(before, old, after, new)
        except OSError as error:
            if tree.name(move.target).kind == "link":
                os.unlink(new, dir_fd=after)
            raise CannotMove(move, error) from error
        os.fsync(after)
        os.fsync(before)


def _take_back(tree: Tree, move: Move) -> None:
    """A move that was never told to the database is undone.

    Who reads the link before that and follows it after may get ELOOP or ENOENT, once: one link
    cannot be right in both places.
    """
    with _both(tree, move) as ((before, old), (after, new)):
        if tree.name(move.source).kind == "link":
            exchange(before, old, after, new)
            os.fsync(before)
        if _leads(tree.name(move.target), move):
            os.unlink(new, dir_fd=after)
            os.fsync(after)


@contextlib.contextmanager
def _both(tree: Tree, move: Move) -> Iterator[tuple[tuple[int, str], tuple[int, str]]]:
    with tree.parent(move.source, make=True) as old, tree.parent(move.target, make=True) as new:
        yield old, new


def left_behind(tree: Tree, moves: Iterable[Move]) -> list[str]:
    """Homes that Dovecot looks for in the new place while their mail is in the old one."""
    return [
        f"{move.username}: its mail is in {move.source}, but is looked for in {move.target}: "
        "move it by hand while Dovecot is stopped."
        for move in moves
        if tree.name(move.source).kind == "directory"
    ]


def unlink(tree: Tree, move: Move) -> None:
    """The link in the old place goes; anything else that stands there is left alone."""
    with contextlib.suppress(FileNotFoundError), tree.parent(move.source) as (directory, name):
        if _leads(tree.name(move.source), move):
            os.unlink(name, dir_fd=directory)
            os.fsync(directory)
