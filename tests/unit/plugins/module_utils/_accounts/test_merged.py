# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""One person, one entry: the lists of several variables become one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.merged import Merged
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.wanted import (
    account_faults,
)

SECRET = "hunter2"


def ann(**said: Any) -> dict[str, Any]:
    return {"address": "ann@example.org", **said}


def merged(**lists: Any) -> Merged:
    return Merged({name.replace("users", "mailserver_users"): lists[name] for name in lists})


def test_one_list_stays_as_it_is():
    given = [ann(quota="2G"), {"address": "bob@example.org"}, 5, {"quota": 1}]
    people = merged(users=given)
    assert (list(people), people.faults) == (given, [])


def test_people_of_all_lists_are_there_in_their_order():
    people = merged(users_b=[{"address": "b@x"}], users_a=[{"address": "a@x"}], users=[ann()])
    assert [person["address"] for person in people] == ["ann@example.org", "a@x", "b@x"]


def test_entries_of_one_address_are_one_person():
    people = merged(
        users=[ann(quota="1G")], users_sales=[{"address": " ANN@Example.org", "aliases": ["s@x"]}]
    )
    assert (list(people), people.faults) == ([ann(quota="1G", aliases=["s@x"])], [])


@pytest.mark.parametrize(
    ("lists", "quota"),
    [
        ({"users": "1G", "users_a": "2G"}, "2G"),
        ({"users": "1G", "users_host": "2G"}, "2G"),
        ({"users_a": "1G", "users_host": "2G"}, "2G"),
        ({"users_zoo": "1G", "users_host": "2G"}, "2G"),
        ({"users": "1G", "users_a": "2G", "users_host": "3G"}, "3G"),
        ({"users_a": "1G", "users_b": "1G"}, "1G"),
    ],
)
def test_the_nearer_list_overrides_a_field(lists: dict[str, str], quota: str):
    people = merged(**{name: [ann(quota=said, state="present")] for name, said in lists.items()})
    assert (list(people), people.faults) == ([ann(quota=quota, state="present")], [])


def test_two_groups_must_not_contradict_each_other():
    people = merged(users_a=[ann(password=SECRET)], users_b=[ann(password="other")])
    assert people.faults == [
        "ann@example.org: password is said in mailserver_users_a and otherwise in "
        "mailserver_users_b: expected it in one of them, or what holds in mailserver_users_host."
    ]


@pytest.mark.parametrize(
    ("first", "then"), [("password", "password_hash"), ("password_hash", "password")]
)
def test_one_kind_of_password_overrides_the_other(first: str, then: str):
    people = merged(users=[ann(**{first: SECRET})], users_host=[ann(**{then: "x"})])
    assert list(people) == [ann(**{then: "x"})]


def test_two_kinds_of_password_of_two_groups_stay_to_be_refused():
    (person,) = merged(users_a=[ann(password=SECRET)], users_b=[ann(password_hash="x")])
    assert person == ann(password=SECRET, password_hash="x")


def test_two_entries_of_one_list_stay_two():
    people = merged(users=[ann(), ann()], users_host=[ann(quota="1G")])
    assert list(people) == [ann(quota="1G"), ann()]
    (fault,) = account_faults(people)
    assert "is also the address of account 1 (ann@example.org)" in fault


def test_faults_name_the_list_of_the_first_entry():
    people = merged(users=[ann()], users_sales=[ann(quota="x"), {"address": "b"}])
    assert [fault.partition(": ")[0] for fault in account_faults(people)] == [
        "account 1 (ann@example.org)",
        "account 2 of mailserver_users_sales (b)",
    ]


@pytest.mark.parametrize(
    ("given", "word"), [(SECRET, "text"), ({"a": SECRET}, "a dictionary"), (None, "nothing")]
)
def test_what_is_no_list_is_told_without_it(given: Any, word: str):
    people = merged(users=given, users_sales=given)
    assert people == []
    assert people.faults == [
        f"{word} is not a list of accounts.",
        f"mailserver_users_sales: {word} is not a list of accounts.",
    ]


def test_the_variables_themselves_are_not_changed():
    given = [ann()]
    merged(users=given, users_host=[ann(quota="1G")])
    assert given == [ann()]
