# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aliases and forwards that stand in tables of their own, as until November 2010. SQL is data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Callable

from .._accounts.errors import shown
from .._accounts.schema import Step, quoted
from .generations import BY_EMAIL, BY_USERID, LISTS, ROUTES, is_list
from .ground import SHOWN, Ground

ADDRESS = 80  # characters of a source and a destination

# One row for each address in a text.
_SPLIT = (
    "{table} AS t JOIN JSON_TABLE(CONCAT('[', REPLACE(JSON_QUOTE(REGEXP_REPLACE(CONVERT(t.{column} "
    "USING utf8mb4), '[,;[:space:]]+', ',')), ',', '\",\"'), ']'), '$[*]' "
    "COLUMNS (address text PATH '$')) AS j"
)
_ROUTE = (
    "INSERT INTO {routes} (userid, source, destination, dispatch_address) {rows} "
    "ON DUPLICATE KEY UPDATE userid = {routes}.userid"
)

Place = Callable[[str], str]


def lists(ground: Ground) -> Iterator[Step]:
    """Their addresses become destinations, and they go."""
    _require_one_of_a_time(ground)
    there = [name for name in LISTS if is_list(name, ground.there(name))]
    forms = [f for f in (BY_EMAIL, BY_USERID) if all(ground.has(n, f[n]) for n in there)]
    told = " and ".join(map(ground.told, there))
    if there and not forms:
        ground.faults.append(
            f"{told} are of two generations, the one by address and the other by userid: drop "
            "the one that is not in use, or give it another name."
        )
    elif there:
        _require_short(ground, there)
        form = _ByEmail if forms[0] is BY_EMAIL else _ByUserid
        yield from _moving(ground, form(ground, there), told)
        places = ", ".join(map(ground.place, there))
        gone = tuple(map(ground.told, there))
        yield Step(f"drop table {told}", (f"DROP TABLE {places}",), True, gone)


def _moving(ground: Ground, form: _ByEmail | _ByUserid, told: str) -> Iterator[Step]:
    if ground.is_filled("smtp_destinations"):
        _require_moved(ground, form.pairs(ground.now), told)
    else:
        words = f"put {told} into {ground.told('smtp_destinations')}"
        yield Step(words, tuple(form.rows()))


# ---- what would stop it


def _require_one_of_a_time(ground: Ground) -> None:
    if ground.has("smtp_aliases", ROUTES):
        ground.faults.append(
            f"{ground.told('smtp_aliases')} is an older form of "
            f"{ground.told('smtp_destinations')}, and both are there: drop the one that is not "
            "in use, or give it another name."
        )


def _require_short(ground: Ground, there: Iterable[str]) -> None:
    for name in there:
        keys = BY_EMAIL[name][:1] if ground.has(name, BY_EMAIL[name]) else ()
        long = [f"CHAR_LENGTH({value}) > {ADDRESS}" for value in ("j.address", *keys)]
        found = ground.ask(
            f"SELECT j.address FROM {_split(ground, name, ground.now)} "
            f"WHERE {' OR '.join(long)} LIMIT {SHOWN}"
        )
        for (value,) in found:
            ground.faults.append(
                f"{ground.told(name)} holds {shown(value)} in a row with more than the "
                f"{ADDRESS} characters that tine's tables have for an address."
            )


def _require_moved(ground: Ground, pairs: Iterable[str], told: str) -> None:
    """A killed run has moved all that is listed; what somebody removed since never returns."""
    routes, users = ground.now("smtp_destinations"), ground.now("smtp_users")
    as_route = partial(ground.like, "smtp_destinations")
    # Aliases of who only forwards lead where they forward.
    found = ground.ask(
        f"SELECT p.source, p.destination FROM ({' UNION ALL '.join(pairs)}) AS p "
        "WHERE p.source <> '' AND p.destination <> '' AND NOT EXISTS ("
        f"SELECT 1 FROM {routes} AS d WHERE d.source = {as_route('p.source')} "
        f"AND (d.destination = {as_route('p.destination')} OR EXISTS ("
        f"SELECT 1 FROM {users} AS m JOIN {routes} AS f ON f.source = {as_route('m.email')} "
        f"WHERE m.email = {ground.like('smtp_users', 'p.destination')} AND m.forward_only = 1 "
        f"AND f.destination = d.destination))) LIMIT {SHOWN}"
    )
    for source, destination in found:
        ground.faults.append(
            f"{told} lists {shown(source)} to {shown(destination)}, which is not in "
            f"{ground.told('smtp_destinations')}: add it there, or drop the list if it is a "
            "left-over."
        )


# ---- how they become destinations


def _split(ground: Ground, name: str, place: Place) -> str:
    """Its rows, one for each address in the text."""
    form = BY_EMAIL if ground.has(name, BY_EMAIL[name]) else BY_USERID
    return _SPLIT.format(table=place(name), column=quoted(form[name][1]))


class _ByEmail:
    """Both lists say an address, and nobody owns a row."""

    def __init__(self, ground: Ground, there: Sequence[str]) -> None:
        self.ground = ground
        self.there = there

    def pairs(self, place: Place) -> Iterator[str]:
        """Every source and destination, as SELECT."""
        as_user = partial(self.ground.like, "smtp_users", column="email")
        if "smtp_aliases" in self.there:
            yield (
                f"SELECT {as_user('j.address')} AS source, {as_user('t.email')} AS destination "
                f"FROM {_split(self.ground, 'smtp_aliases', place)}"
            )
        if "smtp_forwardings" in self.there:
            yield (
                f"SELECT {as_user('t.source')} AS source, {as_user('j.address')} AS destination "
                f"FROM {_split(self.ground, 'smtp_forwardings', place)}"
            )

    def rows(self) -> Iterator[str]:
        """Sources that are nobody's and lead away become accounts that only forward."""
        users = self.ground.place("smtp_users")
        pairs = self.pairs(self.ground.place)
        listed = f"({' UNION ALL '.join(pairs)}) AS p"
        met = f"LEFT JOIN {users} AS u ON u.email = p.source"
        local = f"{users} AS m ON m.email = p.destination"
        yield (
            f"INSERT INTO {users} (userid, client_idnr, username, passwd, email, forward_only) "
            "SELECT SHA1(LOWER(MIN(p.source))), '', MIN(p.source), '', MIN(p.source), 1 "
            f"FROM {listed} {met} LEFT JOIN {local} WHERE u.email IS NULL AND m.email IS NULL "
            "AND p.source <> '' AND p.destination <> '' GROUP BY p.source"
        )
        yield from _routes(
            self.ground,
            f"SELECT u.userid, p.source, p.destination FROM {listed} JOIN {users} AS u "
            "ON u.email = p.source WHERE p.destination <> ''",
            f"SELECT m.userid, p.source, p.destination FROM {listed} JOIN {local} {met} "
            "WHERE u.email IS NULL AND p.source <> ''",
        )


class _ByUserid:
    """Both lists say a userid, whose address is the one end of each."""

    def __init__(self, ground: Ground, there: Sequence[str]) -> None:
        self.ground = ground
        self.there = there

    def pairs(self, place: Place) -> Iterator[str]:
        """Every source and destination, as SELECT."""
        self._require_users()
        return filter(None, self._forwards_and_aliases(place))

    def rows(self) -> Iterator[str]:
        """As INSERT."""
        self._require_users()
        return _routes(self.ground, *self._forwards_and_aliases(self.ground.place))

    def _require_users(self) -> None:
        for name in self.there:
            self.ground.require_parents(name, "userid", "smtp_users", "userid")

    def _forwards_and_aliases(self, place: Place) -> tuple[str, str]:
        users = place("smtp_users")
        owned = f"JOIN {users} AS u ON u.userid = {self.ground.like('smtp_users', 't.userid')}"
        given = "j.address <> '' AND u.email IS NOT NULL"
        forwards = aliases = ""
        if "smtp_forwardings" in self.there:
            forwards = (
                "SELECT u.userid, u.email AS source, j.address AS destination "
                f"FROM {_split(self.ground, 'smtp_forwardings', place)} {owned} WHERE {given}"
            )
        if "smtp_aliases" in self.there:
            aliases = (
                "SELECT u.userid, j.address AS source, u.email AS destination "
                f"FROM {_split(self.ground, 'smtp_aliases', place)} {owned} WHERE {given}"
            )
        return forwards, aliases


def _routes(ground: Ground, forwards: str, aliases: str) -> Iterator[str]:
    """As tine writes them; what only forwards has the aliases lead there as well."""
    users, routes = ground.place("smtp_users"), ground.place("smtp_destinations")
    as_route = partial(ground.like, "smtp_destinations")
    if forwards:
        rows = f"SELECT f.userid, f.source, f.destination, 1 FROM ({forwards}) AS f"
        yield _ROUTE.format(routes=routes, rows=rows)
    if aliases:
        yield _ROUTE.format(
            routes=routes,
            rows="SELECT a.userid, a.source, COALESCE(r.destination, a.destination), 1 "
            f"FROM ({aliases}) AS a JOIN {users} AS m ON m.userid = a.userid "
            f"LEFT JOIN {routes} AS r ON m.forward_only = 1 "
            f"AND r.userid = {as_route('m.userid')} AND r.source = {as_route('m.email')}",
        )
    yield _ROUTE.format(
        routes=routes,
        rows=f"SELECT userid, email, username, 0 FROM {users} "
        "WHERE forward_only = 0 AND email IS NOT NULL UNION ALL "
        f"SELECT userid, username, username, 0 FROM {users} "
        "WHERE forward_only = 0 AND username <> email",
    )
