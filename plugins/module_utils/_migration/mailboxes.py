# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of dovecot_users: limits, usage and login names. SQL is data."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from .._accounts.errors import shown
from .._accounts.schema import SORTED, ActualTable, Step, quoted
from .generations import QUOTAS, is_quotas, is_unique
from .ground import SHOWN, Ground, loses_letters
from .growth import grown
from .prefixes import prefixing

_COLUMNS = ("username", "mail_quota", "mail_size", "sieve_quota", "sieve_size")
# Up to the next MiB: 0 is no limit. What a mailbox may hold of Sieve never limited its messages.
_QUOTA = (
    "UPDATE {users} AS u LEFT JOIN {quotas} AS q ON u.username = {q_username} "
    "SET u.quota_bytes = CEIL(COALESCE(q.mail_quota, 0) / 1048576), "
    "u.quota_sieve_bytes = COALESCE(q.sieve_quota, 0) WHERE u.quota_bytes IS NULL"
)
_USAGE = (
    "INSERT INTO {usage} (username, storage, messages) "
    "SELECT u.username, COALESCE(q.mail_size, 0), COALESCE(q.sieve_size, 0) "
    "FROM {quotas} AS q JOIN {users} AS u ON u.username = {q_username} "
    "ON DUPLICATE KEY UPDATE username = {usage}.username"
)
# Whose login name can be known: that of one account alone, and nobody's username but theirs.
_LOGIN_NAMES = (
    f"SELECT {SORTED} MIN(w.username) AS username, w.name AS name FROM ("
    f"SELECT {SORTED} "
    "u.username, COALESCE({email}{username}) AS name FROM {users} AS u {people} "
    "WHERE u.loginname IS NULL GROUP BY u.username) AS w "
    "LEFT JOIN {users} AS o ON o.username = w.name AND o.username <> w.username "
    # No index of login names is there yet: it comes last, when none stands twice any more.
    "LEFT JOIN (SELECT DISTINCT loginname FROM {users} WHERE loginname IS NOT NULL) AS l "
    "ON l.loginname = {login} "
    "WHERE o.username IS NULL AND l.loginname IS NULL GROUP BY w.name HAVING COUNT(*) = 1"
)


def mailboxes(ground: Ground) -> Iterator[Step]:
    """dovecot_users and dovecot_usage, and dovecot_quotas, which becomes a part of both."""
    _require_quotas(ground)
    _require_taken(ground)
    moved = ("quota_bytes",) if _moves_quotas(ground) else ()
    yield from grown(ground, "dovecot_users", _rows(ground), moved)
    yield from grown(ground, "dovecot_usage")
    if _has_quotas(ground):
        told = ground.told(QUOTAS)
        words = f"put the usage of {told} into {ground.told('dovecot_usage')}"
        yield Step(words, (_quota_sql(ground, _USAGE),))
        yield Step(f"drop table {told}", (f"DROP TABLE {ground.place(QUOTAS)}",), True, (told,))


def _rows(ground: Ground) -> Iterator[Step]:
    there = ground.there("dovecot_users")
    if there is None:
        return
    yield from prefixing(ground, "dovecot_users")
    if _moves_quotas(ground):
        words = f"put the limits of {ground.told(QUOTAS)} into {ground.told('dovecot_users')}"
        yield Step(words, (_quota_sql(ground, _QUOTA),), True)
    yield from _login_names(ground, there)


# ---- quotas


def _has_quotas(ground: Ground) -> bool:
    return is_quotas(ground.there(QUOTAS))


def _require_quotas(ground: Ground) -> None:
    there = ground.there(QUOTAS)
    absent = [c for c in _COLUMNS if there and c not in there.columns]
    if _has_quotas(ground) and absent:
        ground.faults.append(
            f"{ground.told(QUOTAS)} has no column {' and no '.join(absent)}, which tine's had: add "
            "what is missing, or give it another name if no limit in it is to be kept."
        )
    elif _has_quotas(ground):
        for column in _COLUMNS[1:]:
            ground.require_numbers(QUOTAS, column, -(2**63), 2**63 - 1)
        ground.require_defaults("dovecot_usage")
        ground.require_unreferenced(QUOTAS)


def _require_taken(ground: Ground) -> None:
    """Limits that are there twice are in use in the newer place."""
    there = ground.there("dovecot_users")
    if not _has_quotas(ground) or _moves_quotas(ground) or there is None:
        return
    users = ground.now("dovecot_users")
    if not ground.any(f"SELECT 1 FROM {users} WHERE quota_bytes > 0") and ground.any(
        f"SELECT 1 FROM {ground.now(QUOTAS)} AS q JOIN {users} AS u "
        f"ON u.username = {ground.like('dovecot_users', 'q.username', 'username')} "
        "WHERE q.mail_quota > 0"
    ):
        column = f"{ground.told('dovecot_users')}.quota_bytes"
        ground.faults.append(
            f"{ground.told(QUOTAS)} has limits, and {column} has none: let that allow NULL and be "
            "NULL, and the limits go there; or give the old table another name if nobody is to "
            "have a limit."
        )


def _moves_quotas(ground: Ground) -> bool:
    """Whether limits are still to be moved: a limit that is there already is the newer one.

    The column may hold NULL until they are, so the next run after a killed one knows.
    """
    there = ground.there("dovecot_users")
    has = there.columns.get("quota_bytes") if there else None
    return _has_quotas(ground) and (has is None or has.nullable)


def _quota_sql(ground: Ground, sql: str) -> str:
    return sql.format(
        users=ground.place("dovecot_users"),
        usage=ground.place("dovecot_usage"),
        quotas=ground.place(QUOTAS),
        q_username=ground.like("dovecot_users", "q.username", "username"),
    )


# ---- login names


def _login_names(ground: Ground, there: ActualTable) -> Iterator[Step]:
    users, told = ground.place("dovecot_users"), ground.told("dovecot_users")
    known = "loginname" in there.columns
    twice = f"SELECT {SORTED} loginname FROM {users} GROUP BY loginname HAVING COUNT(*) > 1"
    doubled = (
        known
        and not is_unique(there, "loginname")
        and ground.any(f"{twice} AND loginname IS NOT NULL")
    )
    if doubled:
        yield Step(
            f"no login name for accounts in {told} that share one",
            (
                f"UPDATE {users} AS u JOIN ({twice}) AS t ON t.loginname = u.loginname "
                "SET u.loginname = NULL",
            ),
            True,
        )
    empty = known and ground.any(f"SELECT 1 FROM {users} WHERE loginname = ''")
    if empty:
        sql = f"UPDATE {users} SET loginname = NULL WHERE loginname = ''"
        yield Step(f"no login name where it is empty in {told}", (sql,))
    nobody = f"SELECT 1 FROM {users}" + (" WHERE loginname IS NULL" if known else "")
    wanted = ground.any(nobody) and (
        not known or ground.any(_names_of(ground, ground.now("smtp_users"), now=True))
    )
    if doubled or empty or wanted:
        _require_letters(ground)
        found = _names_of(ground, ground.place("smtp_users"), now=False)
        name = f"{quoted(ground.names.dovecot)}.`login_names`"
        yield Step(
            f"login names for who has none in {told}",
            (
                f"CREATE OR REPLACE TEMPORARY TABLE {name} (KEY (username)) {found}",
                f"UPDATE {users} AS u JOIN {name} AS n ON n.username = u.username "
                "SET u.loginname = n.name",
            ),
        )


def _require_letters(ground: Ground) -> None:
    """A letter that the column of a login name does not have would stop the run."""
    users, people = ground.there("dovecot_users"), ground.there("smtp_users")
    has = users.columns["username"].collation if users else None
    if has is None or people is None or has.startswith("utf8"):
        return
    charset = has.partition("_")[0]
    for (value,) in ground.ask(
        f"SELECT email FROM {ground.now('smtp_users')} "
        f"WHERE {loses_letters('email', charset)} LIMIT {SHOWN}"
    ):
        ground.faults.append(
            f"{ground.told('smtp_users')} has the address {shown(value)}, whose letters {charset} "
            f"does not have: convert {ground.told('dovecot_users')} to utf8mb4."
        )


def _names_of(ground: Ground, people: str, now: bool) -> str:
    """The address of an account, or else its username."""
    there = ground.there("smtp_users")
    as_username = partial(ground.like, "dovecot_users", column="username")
    email = joined = ""
    if not now or there is not None:
        same = f"s.username = {ground.like('smtp_users', 'u.username', 'username')}"
        if now and there is not None and "username" not in there.columns:
            same = "FALSE"
        found = (f"MIN(IF({same}, s.email, NULL))", "MIN(s.email)")
        email = "".join(f"{as_username(one)}, " for one in found)
        userid = ground.like("smtp_users", "u.userid", "userid")
        joined = f"LEFT JOIN {people} AS s ON s.userid = {userid}"
    return _LOGIN_NAMES.format(
        email=email,
        username=as_username("u.username"),
        login=ground.like("dovecot_users", "w.name", "loginname"),
        users=ground.place("dovecot_users"),
        people=joined,
    )
