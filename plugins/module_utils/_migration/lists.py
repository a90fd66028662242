# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aliases and forwards that stand in tables of their own, as until November 2010. SQL is data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Callable

from .._accounts import schema
from .._accounts.errors import shown
from .._accounts.schema import COLLATION as UTF8
from .._accounts.schema import SORTED, Step, quoted
from .demands import ADDRESS
from .generations import BY_EMAIL, BY_USERID, LISTS, ROUTES, is_list
from .ground import SHOWN, Ground, loses_letters

# One row for each address in a text. Without a character set it would be that of the server.
_SPLIT = (
    "{table} AS t JOIN JSON_TABLE(CONCAT('[', REPLACE(JSON_QUOTE(REGEXP_REPLACE(CONVERT(t.{column} "
    "USING utf8mb4), '[,;[:space:]]+', ',')), ',', '\",\"'), ']'), '$[*]' "
    "COLUMNS (address text CHARACTER SET utf8mb4 PATH '$')) AS j"
)
# What leads to an account's mailbox: its address, or its name if it has none.
_OWN = "COALESCE(NULLIF({0}.email, ''), {0}.username)"
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
    if there and ground.has("smtp_destinations", ("users_id",)):
        ground.faults.append(
            f"{told} are of tables for one installation, and {ground.told('smtp_destinations')} "
            "is of those for several: drop the lists, or give them another name."
        )
    elif there and not forms:
        ground.faults.append(
            f"{told} are of two generations, the one by address and the other by userid: drop "
            "the one that is not in use, or give it another name."
        )
    elif there:
        for name in there:
            ground.require_unreferenced(name)
        _require_short(ground, there)
        form = _ByEmail if forms[0] is BY_EMAIL else _ByUserid
        yield from _moving(ground, form(ground, there), told)
        places = ", ".join(map(ground.place, there))
        gone = tuple(map(ground.told, there))
        yield Step(f"drop table {told}", (f"DROP TABLE {places}",), True, gone)


def _moving(ground: Ground, form: _ByEmail | _ByUserid, told: str) -> Iterator[Step]:
    """All lists of an account move at once, and only to who has no destinations yet.

    tine may have saved some accounts since the table of destinations is there: theirs are newer.
    """
    _require_room(ground)
    if "smtp_forwardings" in form.there:
        _require_no_copy(ground, form, told)
    for name in ("smtp_users", "smtp_destinations"):
        ground.require_defaults(name)
    filled = ground.is_filled("smtp_destinations")
    owned = form.owned(ground.now)
    if filled:
        _require_moved(ground, owned, told)
    if not filled or ground.any(
        f"{_waiting(ground, ground.now)} AND (u.forward_only = 0 OR "
        f"u.userid IN (SELECT p.userid FROM ({owned}) AS p))"
    ):
        words = f"put {told} into {ground.told('smtp_destinations')}"
        new = () if filled else form.nobodys()
        yield Step(words, (*new, *_routes(ground, *form.forwards_and_aliases())))


def _waiting(ground: Ground, place: Place) -> str:
    """Accounts without destinations, as SELECT."""
    return (
        f"SELECT DISTINCT u.userid FROM {place('smtp_users')} AS u "
        f"LEFT JOIN {place('smtp_destinations')} AS d "
        f"ON d.userid = {ground.like('smtp_destinations', 'u.userid', 'userid')} "
        "WHERE d.userid IS NULL"
    )


# ---- what would stop it


def _require_one_of_a_time(ground: Ground) -> None:
    if ground.has("smtp_aliases", ROUTES):
        ground.faults.append(
            f"{ground.told('smtp_aliases')} is an older form of "
            f"{ground.told('smtp_destinations')}, and both are there: drop the one that is not "
            "in use, or give it another name."
        )


def _require_no_copy(ground: Ground, form: _ByEmail | _ByUserid, told: str) -> None:
    """Who only forwards has no mailbox today, and what they forward to themselves would be lost."""
    for (address,) in ground.ask(f"{form.copies(ground.now)} LIMIT {SHOWN}"):
        ground.faults.append(
            f"{told} lists {shown(address)} to itself, which only forwards: set its forward_only "
            "to 0 if a copy is to stay in its mailbox, or take the address out of its list."
        )


def _require_short(ground: Ground, there: Iterable[str]) -> None:
    for column in ("email", "username"):
        known = ground.has("smtp_users", (column,))
        for value in ground.longer("smtp_users", column, ADDRESS) if known else ():
            ground.faults.append(
                f"{ground.told('smtp_users')}.{column} holds {shown(value)}; expected at most "
                f"{ADDRESS} characters, for destinations lead to it."
            )
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
        _require_letters(ground, name)


def _require_letters(ground: Ground, name: str) -> None:
    """A letter that the column of an address does not have would become a question mark."""
    there = ground.there("smtp_users")
    has = there.columns.get("email") if there else None
    routes = ground.there("smtp_destinations")
    table = ground.tables["smtp_destinations"]
    known = routes.columns["source"].collation if routes else None
    made = known or schema.collation_of(ground.names, ground.actual, table)
    both = (has.collation if has and has.collation else UTF8, made)
    for charset in sorted({collation.partition("_")[0] for collation in both}):
        found = ground.ask(
            f"SELECT j.address FROM {_split(ground, name, ground.now)} "
            f"WHERE {loses_letters('j.address', charset)} LIMIT {SHOWN}"
        )
        for (value,) in found:
            ground.faults.append(
                f"{ground.told(name)} holds {shown(value)}, whose letters {charset} does not have: "
                f"convert {ground.told('smtp_users')} to utf8mb4, or correct the address."
            )


def _require_room(ground: Ground) -> None:
    """Every source may have many destinations."""
    there = ground.there("smtp_destinations")
    for name, key in (there.keys if there else {}).items():
        columns = set(key.columns)
        if key.unique and columns & set(ROUTES) and not columns >= {"source", "destination"}:
            ground.faults.append(
                f"{ground.told('smtp_destinations')} has the unique key {name} "
                f"({', '.join(key.columns)}), which has no room for all aliases and forwards: "
                "drop it."
            )


def _require_moved(ground: Ground, owned: str, told: str) -> None:
    """Who has destinations has all that is listed; what somebody removed since never returns."""
    routes, users = ground.now("smtp_destinations"), ground.now("smtp_users")
    as_route = partial(ground.like, "smtp_destinations", column="source")
    owner = ground.like("smtp_destinations", "p.userid", "userid")
    target = ground.like("smtp_users", "p.destination", "email")
    # Aliases of who only forwards lead where they forward.
    found = ground.ask(
        f"SELECT p.userid, p.source, p.destination FROM ({owned}) AS p WHERE (p.userid IS NULL OR "
        f"EXISTS (SELECT 1 FROM {routes} AS h WHERE h.userid = {owner})) AND NOT EXISTS ("
        f"SELECT 1 FROM {routes} AS d WHERE d.source = {as_route('p.source')} "
        f"AND (d.destination = {as_route('p.destination')} OR EXISTS ("
        f"SELECT 1 FROM {users} AS m JOIN {routes} AS f ON f.source = {as_route('m.email')} "
        f"WHERE m.email = {target} AND m.forward_only = 1 "
        f"AND f.destination = d.destination))) LIMIT {SHOWN}"
    )
    for userid, source, destination in found:
        add = "add it there" if userid else "make the former an account that only forwards"
        ground.faults.append(
            f"{told} lists {shown(source)} to {shown(destination)}, which is not in "
            f"{ground.told('smtp_destinations')}: {add}, or drop the list if it is a left-over."
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

    def _pairs(self, place: Place) -> Iterator[str]:
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

    def _met(self, place: Place) -> str:
        """FROM and all pairs p, with whose source (u) and whose destination (m) they are."""
        users = place("smtp_users")
        return (
            f"FROM ({' UNION ALL '.join(self._pairs(place))}) AS p "
            f"LEFT JOIN {users} AS u ON u.email = p.source "
            f"LEFT JOIN {users} AS m ON m.email = p.destination "
            "WHERE p.source <> '' AND p.destination <> '' AND p.source <> p.destination"
        )

    def owned(self, place: Place) -> str:
        """Whose they are, the source and the destination, as SELECT."""
        return (
            "SELECT COALESCE(u.userid, m.userid) AS userid, p.source, p.destination "
            f"{self._met(place)}"
        )

    def copies(self, place: Place) -> str:
        """Addresses of accounts that only forward, and also to themselves, as SELECT."""
        as_user = partial(self.ground.like, "smtp_users", column="email")
        return (
            f"SELECT u.email FROM {_split(self.ground, 'smtp_forwardings', place)} "
            f"JOIN {place('smtp_users')} AS u ON u.email = {as_user('t.source')} "
            f"WHERE u.forward_only = 1 AND u.email = {as_user('j.address')}"
        )

    def nobodys(self) -> Iterator[str]:
        """Sources that are nobody's and lead away become accounts that only forward."""
        yield (
            f"INSERT INTO {self.ground.place('smtp_users')} "
            "(userid, client_idnr, username, passwd, email, forward_only) "
            "SELECT SHA1(LOWER(MIN(p.source))), '', MIN(p.source), '', MIN(p.source), 1 "
            f"{self._met(self.ground.place)} AND u.email IS NULL AND m.email IS NULL "
            "GROUP BY p.source"
        )

    def forwards_and_aliases(self) -> tuple[str, str]:
        """What leads away from an account's address, and what leads to it."""
        met = self._met(self.ground.place)
        return (
            f"SELECT u.userid, p.source, p.destination {met} AND u.email IS NOT NULL",
            f"SELECT m.userid, p.source, p.destination {met} "
            "AND u.email IS NULL AND m.email IS NOT NULL",
        )


class _ByUserid:
    """Both lists say a userid, whose address is the one end of each."""

    def __init__(self, ground: Ground, there: Sequence[str]) -> None:
        self.ground = ground
        self.there = there
        for name in there:
            ground.require_parents(name, "userid", "smtp_users", "userid")
            self._require_one(name)

    def _require_one(self, name: str) -> None:
        """Of two accounts with one userid, of two installations, a list says not whose it is."""
        ground = self.ground
        userid = ground.like("smtp_users", "t.userid", "userid")
        for (value,) in ground.ask(
            f"SELECT DISTINCT u.userid FROM (SELECT {SORTED} userid FROM "
            f"{ground.now('smtp_users')} GROUP BY userid HAVING COUNT(*) > 1) AS u "
            f"JOIN {ground.now(name)} AS t ON u.userid = {userid} LIMIT {SHOWN}"
        ):
            ground.faults.append(
                f"{ground.told('smtp_users')} has several accounts with the userid "
                f"{shown(value)}, and {ground.told(name)} does not say whose its rows are: give "
                "them userids of their own."
            )

    def owned(self, place: Place) -> str:
        """Whose they are, the source and the destination, as SELECT."""
        return " UNION ALL ".join(filter(None, self._selects(place)))

    def copies(self, place: Place) -> str:
        """Addresses of accounts that only forward, and also to themselves, as SELECT."""
        own = _OWN.format("u")
        address = self.ground.like("smtp_users", "j.address", "email")
        userid = self.ground.like("smtp_users", "t.userid", "userid")
        return (
            f"SELECT {own} FROM {_split(self.ground, 'smtp_forwardings', place)} "
            f"JOIN {place('smtp_users')} AS u ON u.userid = {userid} "
            f"WHERE u.forward_only = 1 AND {own} = {address}"
        )

    def nobodys(self) -> Iterator[str]:
        """All of them are somebody's."""
        return iter(())

    def forwards_and_aliases(self) -> tuple[str, str]:
        """What leads away from an account's address, and what leads to it."""
        return self._selects(self.ground.place)

    def _selects(self, place: Place) -> tuple[str, str]:
        own = _OWN.format("u")
        address = self.ground.like("smtp_users", "j.address", "email")
        userid = self.ground.like("smtp_users", "t.userid", "userid")
        owned = (
            f"JOIN {place('smtp_users')} AS u ON u.userid = {userid} "
            f"WHERE j.address <> '' AND {own} <> {address}"
        )
        forwards = aliases = ""
        if "smtp_forwardings" in self.there:
            forwards = (
                f"SELECT u.userid, {own} AS source, {address} AS destination "
                f"FROM {_split(self.ground, 'smtp_forwardings', place)} {owned}"
            )
        if "smtp_aliases" in self.there:
            aliases = (
                f"SELECT u.userid, {address} AS source, {own} AS destination "
                f"FROM {_split(self.ground, 'smtp_aliases', place)} {owned}"
            )
        return forwards, aliases


def _routes(ground: Ground, forwards: str, aliases: str) -> Iterator[str]:
    """As tine writes them; what only forwards has the aliases lead there as well."""
    users, routes = ground.place("smtp_users"), ground.place("smtp_destinations")
    waiting = f"{quoted(ground.names.postfix)}.`smtp_users_waiting`"
    as_route = partial(ground.like, "smtp_destinations", column="source")
    owner = ground.like("smtp_destinations", "m.userid", "userid")
    yield (
        f"CREATE OR REPLACE TEMPORARY TABLE {waiting} (KEY (userid)) "
        f"{_waiting(ground, ground.place)}"
    )
    if forwards:
        rows = (
            f"SELECT f.userid, f.source, f.destination, 1 FROM ({forwards}) AS f "
            f"JOIN {waiting} AS w ON w.userid = f.userid"
        )
        yield _ROUTE.format(routes=routes, rows=rows)
    if aliases:
        yield _ROUTE.format(
            routes=routes,
            rows="SELECT a.userid, a.source, COALESCE(r.destination, a.destination), 1 "
            f"FROM ({aliases}) AS a JOIN {waiting} AS w ON w.userid = a.userid "
            f"JOIN {users} AS m ON m.userid = a.userid "
            f"LEFT JOIN {routes} AS r ON m.forward_only = 1 "
            f"AND r.userid = {owner} AND r.source = {as_route(_OWN.format('m'))}",
        )
    yield _ROUTE.format(
        routes=routes,
        rows="SELECT u.userid, u.email, u.username, 0 "
        f"FROM {users} AS u JOIN {waiting} AS w ON w.userid = u.userid "
        "WHERE u.forward_only = 0 AND u.email IS NOT NULL UNION ALL "
        "SELECT u.userid, u.username, u.username, 0 "
        f"FROM {users} AS u JOIN {waiting} AS w ON w.userid = u.userid "
        "WHERE u.forward_only = 0 AND u.username <> u.email",
    )
