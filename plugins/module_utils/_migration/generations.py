# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of which of tine's generations tables are, by nothing but their form.

Every mark says what a generation has that the one before it had not; tables are of the last one
up to which nothing is missing. Postfix's tables before 2010-11-17 have other names: see OLD.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from .._accounts.schema import DOVECOT, Actual, ActualTable, Names, primary, tables_of

STATUS = frozenset(("status", "expiry_date", "last_modified_time"))
# Lists of addresses before there were smtp_destinations, by email and by userid: whatever has the
# name alone is somebody's own.
BY_EMAIL = {"smtp_aliases": ("email", "alias"), "smtp_forwardings": ("source", "destination")}
BY_USERID = {"smtp_aliases": ("userid", "alias"), "smtp_forwardings": ("userid", "forward")}
ROUTES = ("userid", "source", "destination")  # smtp_aliases for a week, then smtp_destinations
LISTS = tuple(BY_EMAIL)
QUOTAS = "dovecot_quotas"
# What a table of tine's has had at all times: without it, it has the name alone.
_ALWAYS = {
    "dovecot_users": {"userid", "username", "password"},
    "dovecot_usage": {"username", "storage", "messages"},
    "dovecot_master_users": {"username", "password", "service"},
    "smtp_users": {"userid", "email", "passwd", "forward_only"},
    "smtp_destinations": {"source", "destination"},
    "smtp_virtual_domains": {"domain"},
}
# Columns of former generations, which leave when what is in them has found its new place.
# A quota of smtp_users is tine's only beside its encryption_type.
FORMER = {"dovecot_users": "scheme", "smtp_users": "encryption_type"}


@dataclass(frozen=True)
class Generation:
    """What is there, in the names of the documentation."""

    dovecot: str = "none"
    postfix: str = "none"
    several: bool = False  # the tables for several tines
    broken: bool = False  # their import of 2026, which ends before its last table
    own: tuple[str, ...] = ()  # columns that are not tine's

    def told(self) -> dict[str, object]:
        return {
            "dovecot": self.dovecot,
            "postfix": self.postfix,
            "multi_instance": self.several,
            "import_broken_off": self.broken,
            "own_columns": list(self.own),
        }

    def __str__(self) -> str:
        several = ", for several instances" if self.several else ""
        return f"{self.dovecot} (Dovecot) and {self.postfix} (Postfix{several})"


def named(names: Names, actual: Actual) -> Actual:
    """The ordinary tables under their names to come: those of 2009 had no prefix."""
    renamed = renamings(names, actual)
    tables = {
        (schema, renamed.get(table, table) if schema == names.postfix else table): there
        for (schema, table), there in actual.tables.items()
        if not there.kind
    }
    return replace(actual, tables=tables)


def renamings(names: Names, actual: Actual) -> dict[str, str]:
    """Tables of Postfix's database that only get another name."""

    def has(table: str, *columns: str) -> bool:
        there = actual.tables.get((names.postfix, table))
        if there is None or there.kind:
            return False
        return set(columns) <= set(there.columns)

    found = {}
    if not has("smtp_users") and has("users", "email", "passwd", "encryption_type"):
        found["users"] = "smtp_users"
        if has("forwardings", "source", "destination"):
            found["forwardings"] = "smtp_forwardings"
    if not has("smtp_destinations") and has("smtp_aliases", *ROUTES):
        found["smtp_aliases"] = "smtp_destinations"
    return found


def is_list(name: str, there: ActualTable | None) -> bool:
    """Whether a table is one of tine's lists of addresses."""
    columns = set(there.columns) if there else set()
    return any(set(form[name]) <= columns for form in (BY_EMAIL, BY_USERID))


def is_quotas(there: ActualTable | None) -> bool:
    """Whether it is the table of limits that there was until December 2010."""
    return there is not None and {"username", "mail_quota"} <= set(there.columns)


def lacking(name: str, there: ActualTable) -> list[str]:
    """The columns without which a table has the name of one of tine's alone."""
    columns = set(there.columns)
    linked = name != "smtp_destinations" or columns & {"userid", "users_id"}
    return sorted(_ALWAYS.get(name, set()) - columns) + ([] if linked else ["userid"])


def is_unique(there: ActualTable, *columns: str) -> bool:
    """Whether a key of these columns alone lets no value stand twice."""
    return any(key.unique and key.columns == columns for key in there.keys.values())


def generation_of(names: Names, actual: Actual) -> Generation:
    """Which generation each database holds, and what in it is not tine's."""
    present = named(names, actual)
    tines = {place: t for place, t in present.tables.items() if not lacking(place[1], t)}
    several = present.several(names)
    return Generation(
        dovecot=_dovecot({name: t for (s, name), t in tines.items() if s == names.dovecot}),
        postfix=_postfix(
            {name: t for (s, name), t in tines.items() if s == names.postfix},
            renamings(names, actual),
            several,
        ),
        several=several,
        broken=several and (names.postfix, "smtp_virtual_domains") not in present.tables,
        own=tuple(_own(names, present)),
    )


def _last(first: str, marks: Mapping[str, bool]) -> str:
    for generation, there in marks.items():
        if not there:
            break
        first = generation
    return first


def _dovecot(tables: Mapping[str, ActualTable]) -> str:
    users, masters = tables.get("dovecot_users"), tables.get("dovecot_master_users")
    if users is None:
        return "none"
    columns = users.columns
    services = masters.columns["service"].type if masters else ""
    unique = any(key.unique and key.columns == ("loginname",) for key in users.keys.values())
    return _last(
        "D0",
        {
            "D1": "scheme" not in columns,
            "D2": all(columns[name].nullable for name in ("uid", "gid", "home") if name in columns),
            "D3": "quota_bytes" in columns and not is_quotas(tables.get(QUOTAS)),
            "D4": "loginname" in columns or (columns["password"].length or 0) > 100,
            "D5": "instancename" in columns,
            "D6": {"loginname", "last_login_unix"} <= set(columns),
            "D7": masters is not None,
            "D8": unique,
            "D9": "'all'" in services,
            "D10": set(columns) >= STATUS,
        },
    )


def _postfix(tables: Mapping[str, ActualTable], renamed: Mapping[str, str], several: bool) -> str:
    users, routes = tables.get("smtp_users"), tables.get("smtp_destinations")
    if users is None:
        return "none"
    columns = users.columns
    flags = routes.columns if routes else {}
    last = _last(
        "S0",
        {
            "S1": "users" not in renamed,
            "S2": "username" in columns,
            "S3": routes is not None and not any(is_list(n, tables.get(n)) for n in LISTS),
            "S4": "client_idnr" in columns and "smtp_aliases" not in renamed,
            "S5": "encryption_type" not in columns,
            "S6": columns["email"].nullable,
            "S7": several or "dispatch_address" in flags,
            "S8": set(flags) >= {*STATUS, "dispatch_address"} and set(columns) >= STATUS,
        },
    )
    # A mixture that was never shipped, but printed as a comment and copied by people.
    return "S6b" if last == "S4" and columns["email"].nullable else last


def _own(names: Names, actual: Actual) -> Iterator[str]:
    for table in tables_of(names, actual):
        there = actual.table(names, table)
        known = {column.name for column in table.columns} | former(table.name, there)
        database = names.dovecot if table.database == DOVECOT else names.postfix
        for column in there.columns if there else ():
            if column not in known:
                yield f"{database}.{table.name}.{column}"


def former(table: str, there: ActualTable | None) -> set[str]:
    """The columns of former generations that a table still has."""
    columns = there.columns if there else {}
    found = {FORMER.get(table, "")} & set(columns)
    if found and table == "smtp_users":
        found |= {"quota"} & set(columns)
    # S3 had the domain where the generations before and after it have the owner.
    owner = columns.get("client_idnr")
    keyed = there is not None and "domain" in primary(there)
    if table == "smtp_users" and "id" not in columns and (owner is None or keyed):
        found |= {"domain"} & set(columns)
    return found
