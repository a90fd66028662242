# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where mail would go: nowhere, in a circle, or not even in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .._accounts.collisions import circles, next_source
from .._accounts.model import fold
from .findings import Findings
from .records import Person, Records, Route, Tables

# Taken for every hosted domain, whoever has them: RFC 5321 4.5.1, RFC 2142.
_ALWAYS = ("postmaster", "abuse")


def routing(tables: Tables, records: Records) -> Findings:
    """Everything that Postfix would defer, return or refuse."""
    found = Findings()
    if records.people is not None and records.routes is not None:
        table = tables.name("smtp_destinations")
        for circle in loops(records.routes):
            found.add("loop", table, " -> ".join(circle))
        for route in _nowhere(records.people, records.routes, records.domains):
            found.add("forward_to_nowhere", table, str(route))
    if records.domains:
        for name, address in _unhosted(records, records.domains):
            found.add("unhosted_domain", tables.name(name), address)
    return found


def _domain(address: str) -> str:
    _local, at, domain = address.rpartition("@")
    return domain if at else ""


def loops(routes: Sequence[Route]) -> Iterator[list[str]]:
    """The circles. An address that leads to itself as well ends Postfix's search there."""
    graph: dict[str, tuple[str, ...]] = {}
    ends = set()
    for route in routes:
        source, target = fold(route.source), fold(route.target)
        known = graph.setdefault(source, ())
        if source == target:
            ends.add(source)
        elif target not in known:
            graph[source] = (*known, target)
    graph.update(dict.fromkeys(ends, ()))
    return circles(graph, [source for source, targets in graph.items() if targets])


def _nowhere(
    people: Sequence[Person], routes: Sequence[Route], hosted: frozenset[str] | None
) -> Iterator[Route]:
    """Destinations in our domains that neither are a mailbox nor lead on."""
    sources: dict[str, tuple[str, ...]] = {fold(route.source): () for route in routes}
    mailboxes = {fold(person.username) for person in people if not person.forward_only}
    local = {_domain(fold(person.username)) for person in people}
    local |= hosted or {_domain(source) for source in sources}
    local.discard("")
    for route in routes:
        target = fold(route.target)
        if target in mailboxes or target in sources or _domain(target) not in local:
            continue
        name, _at, domain = target.rpartition("@")
        if not name:  # a whole domain leads to another, whose addresses are looked up one by one
            continue
        bare = f"{name.partition('+')[0]}@{domain}"
        if bare not in mailboxes and name not in _ALWAYS and not next_source(sources, target):
            yield route


def _unhosted(records: Records, hosted: frozenset[str]) -> Iterator[tuple[str, str]]:
    hosted = hosted | {""}
    for person in records.people or ():
        if person.email and _domain(fold(person.email)) not in hosted:
            yield "smtp_users", person.email
    told = {fold(person.email) for person in records.people or () if person.email}
    for route in records.routes or ():
        source = fold(route.source)
        # The row of a username to itself: usernames may lie in a domain that nobody mails to.
        if source == fold(route.target) or source in told or _domain(source) in hosted:
            continue
        told.add(source)
        yield "smtp_destinations", route.source
