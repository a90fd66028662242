# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Laws of the modules, for random people, against the tables of a real server."""

from __future__ import annotations

from typing import Any, Callable

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.wanted import OWNER
from ansible_collections.groupware.mailserver.tests.unit.plugins.module_utils._accounts.people import (  # noqa: E501
    DOMAINS,
    Entry,
    password_of,
    present,
    states,
)
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from .conftest import Failed, Host

EXAMPLES = [pytest.param(12, id="some"), pytest.param(150, id="many", marks=pytest.mark.long)]
# What tells when and by whom a row was made, not what it says.
HISTORY = ("userid", "last_modified_time")


def holds(examples: int, *strategies: Any) -> Callable[[Callable[..., None]], None]:
    """The decorated law holds for so many examples (making one smaller would take minutes)."""
    manner = settings(max_examples=examples, deadline=None, phases=[Phase.reuse, Phase.generate])

    def tried(law: Callable[..., None]) -> None:
        manner(given(*strategies)(law))()

    return tried


def cleared(host: Host) -> Host:
    host.empty()
    for domain in DOMAINS:
        host.sql(f"INSERT INTO {host.table('smtp_virtual_domains')} VALUES (%s, '')", domain)
    return host


def told(host: Host) -> dict[str, Any]:
    """What the tables say about people, whatever happened before."""
    owners = {row["userid"]: row["username"].lower() for row in host.rows("smtp_users")}
    found = {
        table: sorted(
            sorted(
                (name, _plain(name, value)) for name, value in row.items() if name not in HISTORY
            )
            for row in host.rows(table)
        )
        for table in ("dovecot_users", "smtp_users")
    }
    found["smtp_destinations"] = sorted(
        (
            owners[row["userid"]],
            *(row[name] for name in ("source", "destination")),
            row["dispatch_address"],
        )
        for row in host.rows("smtp_destinations")
    )
    return found


def _plain(name: str, value: Any) -> str:
    return password_of(value) if name in ("password", "passwd") else repr(value)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_a_second_run_finds_nothing_to_do_and_does_nothing(prepared: Host, examples: int):
    @holds(examples, states(), states())
    def law(first: list[Entry], second: list[Entry]) -> None:
        host = cleared(prepared)
        for entries in (first, second):
            host.accounts(*entries)
            before = host.everything()
            again = host.accounts(*entries)
            assert (again["changed"], again["actions"]) == (False, [])
            assert host.everything() == before


@pytest.mark.parametrize("examples", EXAMPLES)
def test_what_was_there_before_makes_no_difference(prepared: Host, examples: int):
    @holds(examples, states(), states())
    def law(first: list[Entry], second: list[Entry]) -> None:
        host = cleared(prepared)
        host.accounts(*second)
        alone = told(host)
        cleared(host).accounts(*first)
        host.accounts(*second)
        assert told(host) == alone


@pytest.mark.parametrize("examples", EXAMPLES)
def test_check_mode_writes_nothing_and_foretells_all(prepared: Host, examples: int):
    @holds(examples, states(), states())
    def law(first: list[Entry], second: list[Entry]) -> None:
        host = cleared(prepared)
        host.accounts(*first)
        before = host.everything()
        foretold = host.accounts(*second, check=True)
        assert host.everything() == before
        assert host.accounts(*second) == foretold


@pytest.mark.parametrize("examples", EXAMPLES)
def test_the_order_of_people_makes_no_difference(prepared: Host, examples: int):
    @holds(examples, states(), states(), st.randoms(use_true_random=False))
    def law(first: list[Entry], second: list[Entry], chance: Any) -> None:
        found = []
        for turn in range(2):
            host = cleared(prepared)
            for entries in (first, second):
                host.accounts(*(chance.sample(entries, len(entries)) if turn else entries))
            found.append(told(host))
        assert found[0] == found[1]


# ---- tables as years and people leave them

WEAR = {
    "a login name that is gone": "UPDATE {dovecot_users} SET loginname = NULL "
    "WHERE username LIKE %s",
    "a mailbox that is gone": "DELETE FROM {dovecot_users} WHERE username LIKE %s",
    "a mailbox of another name": "UPDATE {dovecot_users} SET username = CONCAT('old-', username) "
    "WHERE username LIKE %s",
    "a loud address": "UPDATE {smtp_users} SET email = UPPER(email) WHERE username LIKE %s",
    "a loud mailbox": "UPDATE {dovecot_users} SET username = UPPER(username) "
    "WHERE username LIKE %s",
    "no destinations": "DELETE FROM {smtp_destinations} WHERE source LIKE %s",
    "flags turned": "UPDATE {smtp_destinations} SET dispatch_address = 1 - dispatch_address "
    "WHERE source LIKE %s",
    "a destination of no use": "INSERT INTO {smtp_destinations} (userid, source, destination, "
    "dispatch_address) SELECT userid, CONCAT('odd-', email), 'z@far.example', 1 "
    "FROM {smtp_users} WHERE username LIKE %s AND email IS NOT NULL",
    "times and states": "UPDATE {smtp_users} SET last_modified_time = NULL, status = NULL "
    "WHERE username LIKE %s",
    "an empty domain": "UPDATE {dovecot_users} SET domain = '' WHERE username LIKE %s",
}
DAMAGES = st.lists(
    st.tuples(st.sampled_from(sorted(WEAR)), st.integers(0, 4)), max_size=4, unique=True
)


def worn(host: Host, damages: list[tuple[str, int]]) -> None:
    tables = {
        name: host.table(name) for name in ("dovecot_users", "smtp_users", "smtp_destinations")
    }
    for damage, number in damages:
        host.sql(WEAR[damage].format(**tables), f"_{number}@%")


@pytest.mark.parametrize("examples", EXAMPLES)
def test_what_years_have_left_becomes_as_new(prepared: Host, examples: int):
    @holds(examples, states(), DAMAGES, states())
    def law(first: list[Entry], damages: list[tuple[str, int]], second: list[Entry]) -> None:
        host = cleared(prepared)
        host.accounts(*first)
        worn(host, damages)
        host.accounts(*second)
        before = host.everything()
        assert host.accounts(*second)["actions"] == []
        assert host.everything() == before
        there = len(present(second))
        assert len(host.rows("smtp_users")) == len(host.rows("dovecot_users")) == there


# ---- prune

FOREIGN = (
    "INSERT INTO {smtp_users} (userid, client_idnr, username, passwd, email) "
    "VALUES ('tine-pair', 'tine', 'tina@example.org', 'x', 'tina@example.org'), "
    "('tine-smtp', 'tine', 'list@example.org', 'x', 'list@example.org')",
    "INSERT INTO {dovecot_users} (userid, username, loginname, password) "
    "VALUES ('tine-pair', 'tina@example.org', 'tina@example.org', 'x'), "
    "('nobody', 'lone@example.org', NULL, 'x')",
    "INSERT INTO {smtp_destinations} (userid, source, destination, dispatch_address) "
    "VALUES ('tine-pair', 'tina@example.org', 'tina@example.org', 0), "
    "('tine-smtp', 'list@example.org', 'tina@example.org', 1)",
    "REPLACE INTO {dovecot_master_users} VALUES ('0badcafe', 'x', 'sieve')",
)
THEIRS = {
    "dovecot_users": "userid IN ('tine-pair', 'nobody')",
    "smtp_users": "client_idnr = 'tine'",
    "smtp_destinations": "userid LIKE 'tine-%'",
    "dovecot_master_users": "1",
    "smtp_virtual_domains": "1",
}


def foreign(host: Host) -> None:
    """Rows that are not ours: tine's, one of nobody, and a master user."""
    for statement in FOREIGN:
        host.sql(statement.format(**{name: host.table(name) for name in THEIRS}))


def theirs(host: Host) -> list[Any]:
    return [
        sorted(map(repr, host.sql(f"SELECT * FROM {host.table(table)} WHERE {condition}")))
        for table, condition in THEIRS.items()
    ]


@pytest.mark.parametrize("examples", EXAMPLES)
def test_prune_removes_what_is_ours_and_not_given_and_nothing_else(prepared: Host, examples: int):
    @holds(examples, states(), states())
    def law(first: list[Entry], second: list[Entry]) -> None:
        host = cleared(prepared)
        host.accounts(*present(second))
        alone = told(host)
        host = cleared(prepared)
        host.accounts(*first)
        foreign(host)
        before = theirs(host)
        host.accounts(*present(second), prune=True, prune_limit="100%")
        assert theirs(host) == before
        assert not host.accounts(*present(second), prune=True, prune_limit="0")["changed"]
        host.sql(f"DELETE FROM {host.table('dovecot_users')} WHERE {THEIRS['dovecot_users']}")
        host.sql(f"DELETE FROM {host.table('smtp_users')} WHERE {THEIRS['smtp_users']}")
        assert told(host) == alone


def leftover(rows: list[dict[str, Any]], entries: list[Entry]) -> set[str]:
    """Addresses of accounts that no entry means: not by address, nor by username if it is new."""
    there = {row["email"] for row in rows}
    wished = {entry["address"].lower() for entry in entries}
    taken = {entry["username"] for entry in entries if entry["address"].lower() not in there}
    return {row["email"] for row in rows if row["username"] not in taken} - wished


@pytest.mark.parametrize("examples", EXAMPLES)
def test_prune_beyond_its_limit_names_them_and_writes_nothing(prepared: Host, examples: int):
    @holds(examples, states(), states())
    def law(first: list[Entry], second: list[Entry]) -> None:
        host = cleared(prepared)
        host.accounts(*first)
        foreign(host)
        gone = leftover(host.rows("smtp_users", client_idnr=OWNER), present(second))
        assume(gone)
        before = host.everything()
        with pytest.raises(Failed, match="prune_limit") as failure:
            host.accounts(*present(second), prune=True, prune_limit=str(len(gone) - 1))
        assert host.everything() == before
        assert all(address in str(failure.value) for address in gone)
