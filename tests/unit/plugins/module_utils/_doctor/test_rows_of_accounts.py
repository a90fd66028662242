# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Circles, dead ends, and what does not belong together, without a database."""

from __future__ import annotations

from typing import Any

from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.schema import (
    Actual,
    Names,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._doctor.findings import (
    KINDS,
    Findings,
    lines,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._doctor.pairs import pairs
from ansible_collections.groupware.mailserver.plugins.module_utils._doctor.records import (
    Mailbox,
    Person,
    Records,
    Route,
    Tables,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._doctor.routing import (
    loops,
    routing,
)

TABLES = Tables(Names(), Actual())


def routes(*pairs_of_names: str) -> list[Route]:
    return [Route("u", *pair.split()) for pair in pairs_of_names]


def person(name: str, **said: Any) -> Person:
    address = f"{name}@x.org"
    row = {"hook": name, "userid": name, "username": address, "email": address}
    return Person(**{**row, "forward_only": False, **said})


def mailbox(name: str, **said: Any) -> Mailbox:
    address = f"{name}@x.org"
    return Mailbox(**{"userid": name, "username": address, "name": address, **said})


def told(found: Findings) -> dict[str, list[str]]:
    return {finding["kind"]: finding["examples"] for finding in found.told()}


def test_a_circle_is_told_once():
    found = list(loops(routes("a@x b@x", "b@x c@x", "c@x A@x", "d@x a@x")))
    assert found == [["a@x", "b@x", "c@x", "a@x"]]


def test_who_keeps_a_copy_ends_the_circle():
    assert not list(loops(routes("a@x b@x", "b@x a@x", "a@x a@x")))


def test_a_copy_under_another_name_does_not_end_it():
    """Postfix looks the address up again and again: only one that leads to itself ends that."""
    found = list(loops(routes("a@x n@i", "n@i n@i", "a@x b@x", "b@x a@x")))
    assert found == [["a@x", "b@x", "a@x"]]


def test_a_catch_all_takes_what_has_no_address_of_its_own():
    assert list(loops(routes("@x gone@x"))) == [["@x", "@x"]]
    assert not list(loops(routes("@x a@x", "a@x a@x")))
    assert list(loops(routes("a@x b+tag@x", "b@x a@x"))) == [["a@x", "b@x", "a@x"]]


def nowhere(*listed: str, domains: frozenset[str] | None = None, **said: Any) -> list[str]:
    records = Records(people=[person("ann", **said)], routes=routes(*listed), domains=domains)
    return told(routing(TABLES, records)).get("forward_to_nowhere", [])


def test_a_dead_end_is_in_our_own_domains_only():
    assert nowhere("ann@x.org gone@x.org") == ["ann@x.org -> gone@x.org"]
    assert nowhere("ann@x.org gone@far.org") == []
    hosted = frozenset(("far.org",))
    assert nowhere("a@far.org gone@far.org", domains=hosted) == ["a@far.org -> gone@far.org"]


def test_what_is_taken_without_an_account_of_its_own():
    assert nowhere("ann@x.org abuse@x.org", "b@x.org Postmaster@x.org") == []
    assert nowhere("b@x.org ann+tag@x.org") == []
    assert nowhere("b@x.org gone@x.org", "@x.org ann@x.org") == []
    assert nowhere("b@x.org ANN@x.org", forward_only=True) == ["b@x.org -> ANN@x.org"]


def test_an_address_in_a_foreign_domain_is_told_once():
    records = Records(
        people=[person("ann"), person("bob", email="bob@far.org", username="bob@instance")],
        routes=routes("bob@far.org bob@instance", "bob@instance bob@instance", "b@Far.org b@x")
        + routes("b@far.org c@x", "ann@x.org ann@x.org"),
        domains=frozenset(("x.org",)),
    )
    found = [f for f in routing(TABLES, records).told() if f["kind"] == "unhosted_domain"]
    assert [(finding["table"], finding["examples"]) for finding in found] == [
        ("postfix.smtp_destinations", ["b@Far.org"]),
        ("postfix.smtp_users", ["bob@far.org"]),
    ]


def test_halves_of_accounts():
    records = Records(
        mailboxes=[mailbox("ann"), mailbox("bob"), mailbox("cat", username="other")]
        + [mailbox("dan", userid="other")],
        people=[person("ANN", username="Ann@X.org"), person("cat"), person("dan"), person("eve")]
        + [person("fay", forward_only=True)],
    )
    assert told(pairs(TABLES, records)) == {
        "different_username": ["cat@x.org"],
        "different_userid": ["dan@x.org"],
        "lone_smtp": ["eve@x.org"],
        "lone_imap": ["bob@x.org"],
    }


def test_half_of_the_databases_says_nothing_about_pairs():
    assert told(pairs(TABLES, Records(mailboxes=[mailbox("ann")]))) == {}
    assert told(pairs(TABLES, Records(people=[person("ann")], usage=["ann"]))) == {}


def test_the_gravest_goes_first_and_says_what_to_do():
    found = Findings()
    for kind in reversed(KINDS):
        found.add(kind, "postfix.smtp_users", "b")
        found.add(kind, "postfix.smtp_users", "a")
    listed = found.told(1)
    assert [finding["kind"] for finding in listed] == list(KINDS)
    assert all(finding["examples"] == ["a"] and finding["count"] == 2 for finding in listed)
    assert all(line.endswith(".") and " (2: a, ...). " in line for line in lines(listed))
