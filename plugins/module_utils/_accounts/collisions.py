# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything about a wish that only the database can tell to be wrong, found before writing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from .errors import shown
from .model import Account, Secret
from .passwords import stored_length
from .plan import Change, Directory
from .wanted import Defaults, name_faults

EXTENSION = "+"  # recipient_delimiter: mail to ann+x reaches ann
ADOPTION = "Rows of another owner are left alone; taking them over is not supported yet."


def collisions(current: Directory, changes: Sequence[Change], defaults: Defaults) -> list[str]:
    """A sentence for everything that keeps these changes from being made."""
    faults = [fault for change in changes for fault in _own_faults(change, defaults)]
    faults += name_faults([change.want for change in changes], current.domains)
    faults += _password_faults(current, changes)
    faults += _one_account_twice(changes)
    faults += _claimed_names(current, changes)
    faults += _loops(current, changes)
    return faults


def _own_faults(change: Change, defaults: Defaults) -> Iterator[str]:
    want, before, after = change.want, change.before, change.after
    if before and before.smtp and before.smtp.owner != defaults.owner:
        yield (
            f"{want.label}: this account belongs to client_idnr {shown(before.smtp.owner)}, "
            f"not to {shown(defaults.owner)}. {ADOPTION}"
        )
    if after and not before and want.secret is None:
        yield f"{want.label}: a new account needs a password: give password or password_hash."
    if not (after and after.smtp):
        return
    if want.forward_only and not after.smtp.forward_only:
        yield f"{want.label}: forward_only needs forwards: name at least one address."
    if want.forwards and after.smtp.username in want.forwards:
        yield f"{want.label}: forwards: {shown(after.smtp.username)} is the account itself."


def _password_faults(current: Directory, changes: Iterable[Change]) -> Iterator[str]:
    """Schemes that a column cannot hold."""
    for change in changes:
        rows = list(change.after.rows()) if change.after else []
        needed = max(
            (stored_length(r.password) for r in rows if isinstance(r.password, Secret)), default=0
        )
        for column, length in current.lengths.items():
            if needed > length:
                yield (
                    f"{change.want.label}: password: a hash of {needed} characters does not fit "
                    f"into {column}, which holds {length}: run groupware.mailserver.mail_schema, "
                    "which widens it, or take another password_scheme."
                )


def _one_account_twice(changes: Iterable[Change]) -> Iterator[str]:
    first: dict[str, Change] = {}
    for change in changes:
        if change.before is None:
            continue
        other = first.setdefault(change.before.userid, change)
        if other is not change:
            yield f"{change.want.label}: is the same account as {other.want.label}."


def _claimed_names(current: Directory, changes: Sequence[Change]) -> list[str]:
    """Names that an account of a wish shares with another one, as things would be afterwards."""
    touched = {id(change.before) for change in changes if change.before}
    owners: dict[str, tuple[Account, str]] = {}
    for account in current.accounts:
        if id(account) not in touched:
            for word, name in account.names():
                owners.setdefault(current.key(name), (account, word))
    faults: list[str] = []
    for change in changes:
        if change.after:
            faults += _claim(current, change, change.after, owners)
    return faults


def _claim(
    current: Directory, change: Change, account: Account, owners: dict[str, tuple[Account, str]]
) -> list[str]:
    faults: dict[str, str] = {}
    for word, name in account.names():
        other, its_word = owners.setdefault(current.key(name), (account, word))
        if other is not account:
            faults.setdefault(
                current.key(name),
                f"{change.want.label}: {word} {shown(name)} already is the {its_word} of "
                f"{_named(other)}.",
            )
    return list(faults.values())


def _named(account: Account) -> str:
    if account.smtp is None:
        return (
            f"a row of dovecot_users without one in smtp_users (username {shown(account.username)},"
            f" userid {shown(account.userid)}): remove it, or give the account another username"
        )
    return f"account {account.address} (client_idnr {shown(account.smtp.owner)})"


def _loops(current: Directory, changes: Sequence[Change]) -> list[str]:
    """Circles through an account of a wish, each told once."""
    graph = _graph(current, changes)
    labels = {
        current.key(row.source): change.want.label
        for change in changes
        if change.after
        for row in change.after.destinations
    }
    return [
        f"{labels[circle[0]]}: mail would run in a circle: {' -> '.join(circle)}."
        for circle in _circles(graph, labels)
    ]


def _graph(current: Directory, changes: Sequence[Change]) -> dict[str, set[str]]:
    touched = {id(change.before) for change in changes if change.before}
    rows = [row for change in changes if change.after for row in change.after.destinations]
    rows += [r for a in current.accounts if id(a) not in touched for r in a.destinations]
    gone = {change.before.userid for change in changes if change.before}
    rows += [row for userid, row in current.beyond if userid not in gone]
    graph: dict[str, set[str]] = {}
    for row in rows:
        source, target = current.key(row.source), current.key(row.target)
        if source != target:
            graph.setdefault(source, set()).add(target)
        else:
            graph.setdefault(source, set())
    return graph


def _next(graph: dict[str, set[str]], name: str) -> str:
    """The source that Postfix finds for a recipient: itself, without extension, the catch-all."""
    local, _at, domain = name.rpartition("@")
    for found in (name, f"{local.partition(EXTENSION)[0]}@{domain}", f"@{domain}"):
        if found in graph:
            return found
    return ""


def _circles(graph: dict[str, set[str]], starts: Collection[str]) -> Iterator[list[str]]:
    """Depth first without recursion; a name that was left behind leads to no further circle."""
    done: set[str] = set()
    for start in sorted(starts):
        if start in done or not graph.get(start):
            continue
        path = [start]
        branches = [iter(sorted(graph[start]))]
        while path:
            target = next(branches[-1], None)
            if target is None:
                done.add(path.pop())
                branches.pop()
                continue
            found = _next(graph, target)
            if found in path:
                circle = path[path.index(found) :]
                first = min((name for name in circle if name in starts), default="")
                if first:
                    turn = circle.index(first)
                    yield [*circle[turn:], *circle[:turn], first]
            elif found and found not in done:
                path.append(found)
                branches.append(iter(sorted(graph[found])))
