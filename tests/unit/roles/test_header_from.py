# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mail filter of submission: what it takes for one's own, and how it asks."""

from __future__ import annotations

import importlib.util
import re
import time

import pytest
from ansible_collections.groupware.mailserver.tests.unit.roles.role_files import TOP


def loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PROGRAM = TOP / "roles/postfix/files/header_from"
decision = loaded(PROGRAM / "header_from.py")
sender_map = loaded(PROGRAM / "sender_map.py")
messages = loaded(TOP / "molecule/shared/header_from.py")
GOLDEN = TOP / "tests/unit/roles/golden"
ANN = messages.ANN


def owners(address):
    """As the sender map answers: ann owns what is hers, bob the rest of the host."""
    bare = sender_map.without_extension(address, "+")
    if bare in messages.OWNED:
        return [ANN]
    return [messages.BOSS] if bare == messages.BOSS else []


def headers(raw):
    """The headers as cleanup(8) hands them over: up to the first line that is none."""
    found = []
    for line in re.split(rb"\r?\n(?![ \t])", raw):
        named = re.match(rb"([!-9;-~]+)[ \t]*:[ \t]*(.*)\Z", line, re.DOTALL)
        if not named:
            break
        found.append((named[1].decode(), named[2]))
    return found


@pytest.mark.parametrize("name", messages.OWN)
def test_what_is_ones_own_is_taken(name):
    decision.check(headers(messages.OWN[name]), ANN, owners)


@pytest.mark.parametrize("name", messages.ATTACKS)
def test_who_claims_to_be_somebody_else_is_refused(name):
    with pytest.raises(decision.Refused):
        decision.check(headers(messages.ATTACKS[name]), ANN, owners)


@pytest.mark.parametrize("login", [None, ""])
def test_nobody_owns_nothing(login):
    with pytest.raises(decision.Refused, match="nobody has logged in"):
        decision.check([("From", ANN.encode())], login, owners)


def test_a_login_is_itself_in_capitals_too():
    decision.check([("From", ANN.encode())], ANN.upper(), owners)


def test_the_refusal_names_the_header_and_the_address():
    with pytest.raises(decision.Refused) as refused:
        decision.check([("From", ANN.encode()), ("sender", b"bob@example.org")], ANN, owners)
    assert str(refused.value) == f"Sender: bob@example.org does not belong to {ANN}"


def test_each_address_is_asked_for_once():
    asked = []

    def asking(address):
        asked.append(address)
        return owners(address)

    decision.check([("From", f'"{ANN}" <{ANN.upper()}>, sales@example.org'.encode())], ANN, asking)
    assert asked == [ANN, "sales@example.org"]


@pytest.mark.parametrize(
    "value",
    ["a" * 4096, "a " * 2048, "a" * 2048 + " " * 2048, "(" * 4096, '"' * 4095, "=?a?q?" * 682]
    + ["<" * 4096, "a," * 2048, "a@" * 2048, "a@a" + "-" * 4090, "a." * 2048, "=?a?q?x?=" * 455],
    ids=lambda value: value[:9],
)
def test_no_header_takes_long(value):
    start = time.process_time()
    with pytest.raises(decision.Refused):
        decision.check([("From", value.encode())], ANN, owners)
    assert time.process_time() - start < 2


# ---- the sender map


@pytest.mark.parametrize("case", ["postfix", "postfix-other"])
def test_the_file_of_postfix_is_understood(case):
    content = (GOLDEN / case / "sql/sql-sender_login_maps.cf").read_text()
    settings = sender_map.parsed(content)
    assert set(settings) == {"hosts", "user", "password", "dbname", "query"}
    assert settings["hosts"].startswith("unix:/")
    query = sender_map.expanded(settings["query"], "ann@example.org")
    assert query.startswith("SELECT person.username FROM smtp_users person ")
    assert query.count("'ann@example.org'") == settings["query"].count("%s")
    assert "NOT LIKE '@%'" in query
    assert ("o''neil%office@example.org" in query) == (case == "postfix-other")


@pytest.mark.parametrize(
    ("case", "place"),
    [
        ("postfix", {"unix_socket": "/run/mysqld/mysqld.sock"}),
        (
            "postfix-split",
            {"host": "10.0.0.1", "ssl": {"ca": "/etc/ssl/groupware-mailserver/ca.pem"}},
        ),
    ],
)
def test_the_database_is_where_postfix_finds_it(case, place):
    content = (GOLDEN / case / "sql/sql-sender_login_maps.cf").read_text()
    assert sender_map.place(sender_map.parsed(content)) == place


def test_what_the_filter_cannot_expand_is_an_error():
    with pytest.raises(KeyError):
        sender_map.expanded("SELECT '%u'", "ann@example.org")


@pytest.mark.parametrize(
    ("address", "delimiters", "bare"),
    [
        ("ann+list@example.org", "+", "ann@example.org"),
        ("ann+a+b@example.org", "+", "ann@example.org"),
        ("ann-list@example.org", "+", "ann-list@example.org"),
        ("ann-a+b@example.org", "+-", "ann@example.org"),
        ("+ann@example.org", "+", "+ann@example.org"),
        ("ann+list@example.org", "", "ann+list@example.org"),
    ],
)
def test_extensions_are_those_of_postfix(address, delimiters, bare):
    assert sender_map.without_extension(address, delimiters) == bare


def test_who_names_too_many_authors_is_refused():
    own = ("From", f"Ann <{ANN}>".encode())
    more = ("Resent-From", ANN.encode())
    decision.check([own, *[more] * (decision.MOST - 1)], ANN, owners)
    with pytest.raises(decision.Refused, match=f"at most {decision.MOST}"):
        decision.check([own, *[more] * decision.MOST], ANN, owners)


@pytest.mark.parametrize("name", ["boss @ example.org", "a@b@example.org", f"{ANN}@evil.test"])
def test_an_address_is_seen_wherever_its_sign_stands(name):
    with pytest.raises(decision.Refused):
        decision.check([("From", f'"{name}" <{ANN}>'.encode())], ANN, owners)
