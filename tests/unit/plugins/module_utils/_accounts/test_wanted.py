# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wishes are read whole, and all that is wrong with them is told at once."""

from __future__ import annotations

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.errors import Invalid
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.model import Alias
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.wanted import (
    FIELDS,
    account_faults,
    address_faults,
    domain_faults,
    home_template,
    hostname_faults,
    mebibytes,
    owner_id,
    parse,
    system_name,
)
from hypothesis import given, settings
from hypothesis import strategies as st

ANN = {"address": "ann@example.org", "password": "secret"}


def wish(**said: object):
    ((wanted,), faults) = parse([{**ANN, **said}])
    assert faults == []
    return wanted


def faults_of(**said: object) -> list[str]:
    return account_faults([{**ANN, **said}])


@pytest.mark.parametrize(
    ("given", "mib"),
    [
        (0, 0),
        ("0", 0),
        ("unlimited", 0),
        ("Unlimited", 0),
        (1048576, 1),
        ("1048576", 1),
        ("1M", 1),
        ("1 MiB", 1),
        ("500M", 500),
        ("500mb", 500),
        ("2G", 2048),
        ("1.5G", 1536),
        ("1T", 1048576),
        (629145600, 600),
        (1572864, 1),
        ("1024K", 1),
        ("2048 KiB", 2),
    ],
)
def test_a_quota_is_kept_in_mebibytes(given: object, mib: int):
    assert mebibytes(given) == mib


@pytest.mark.parametrize(
    "given",
    [
        1,
        1048575,
        "1",
        "600",
        "512K",
        "0.5M",
        -1,
        "-1M",
        "",
        "M",
        "5 apples",
        "1e9",
        "٣M",
        True,
        None,
        [],
        1.5,
        "9" * 19 + "P",
        "1M\n",
        "nan",
        "1,5G",
    ],
)
def test_what_is_no_quota_is_refused(given: object):
    with pytest.raises(Invalid):
        mebibytes(given)


def test_what_is_not_said_is_none():
    wanted = wish(password=None)
    assert (wanted.username, wanted.secret, wanted.quota, wanted.aliases, wanted.forwards) == (
        None,
    ) * 5
    assert wanted.forward_only is None
    assert wanted.present
    assert wish(aliases=[]).aliases == frozenset()


def test_every_wish_has_an_id_of_its_own():
    wanted, _faults = parse([ANN, {**ANN, "address": "bob@example.org"}])
    assert len({want.fresh_id for want in wanted}) == 2
    assert all(len(want.fresh_id) == 40 for want in wanted)


def test_aliases_may_be_plain_or_say_whether_they_send():
    wanted = wish(
        aliases=[
            "A@example.org",
            {"address": "b@example.org", "dispatch_address": False},
            {"address": "@example.org"},
        ]
    )
    assert wanted.aliases == {
        Alias("a@example.org", True),
        Alias("b@example.org", False),
        Alias("@example.org", True),
    }


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"address": "nobody"}, "address: 'nobody' is not a mail address"),
        ({"address": None}, "an address is missing"),
        ({"address": 5}, "address: '5' is not a mail address"),
        ({"paswd": 1}, "'paswd' is not known here"),
        ({"state": "gone"}, "state: 'gone' is not one of present, absent"),
        ({"username": "ann"}, "username: 'ann' is not a username"),
        ({"password": 5}, "password: expected text, not a number"),
        ({"password": ""}, "password: is empty"),
        (
            {"password_hash": "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ"},
            "are both given",
        ),
        ({"password_scheme": "ROT13"}, "password_scheme: 'ROT13' is not one of"),
        ({"password": "x" * 73, "password_scheme": "BLF-CRYPT"}, "takes only 72 bytes"),
        ({"update_password": "never"}, "update_password: 'never' is not one of"),
        ({"quota": "2000"}, "quota: '2000' is less than 1M"),
        ({"aliases": "info@example.org"}, "aliases: 'info@example.org' is not a list"),
        ({"aliases": ["info"]}, "aliases: 'info' is not a mail address"),
        ({"aliases": [{"adress": "x@example.org"}]}, "aliases: 'adress' in an alias"),
        ({"aliases": [{}]}, "aliases: 'no address' in an alias"),
        ({"aliases": [{"address": "x@example.org", "dispatch_address": 1}]}, "is not a boolean"),
        ({"aliases": [["x"]]}, "is not an alias"),
        (
            {"aliases": ["x@example.org", "X@example.org"]},
            "aliases: 'x@example.org' is listed twice",
        ),
        ({"aliases": ["ann@example.org"]}, "is the account's own address"),
        ({"forwards": {"a": 1}}, "is not a list"),
        ({"forwards": ["a@example.com", "A@example.com"]}, "is listed twice"),
        ({"forwards": ["@example.com"]}, "is not a mail address"),
        ({"forwards": ["Ann@Example.org"]}, "forwards: 'ann@example.org' is the account itself"),
        (
            {"forwards": ["a@example.org"], "aliases": ["a@example.org"]},
            "is an alias of the account itself",
        ),
        ({"forward_only": "yes"}, "forward_only: 'yes' is not a boolean"),
        ({"forward_only": True, "forwards": []}, "forward_only needs forwards"),
        ({"reuse_mail": 1}, "reuse_mail: '1' is not a boolean"),
    ],
)
def test_each_fault_names_account_field_value_and_rule(said: dict, told: str):
    (fault,) = faults_of(**said)
    assert fault.startswith("account 1")
    assert told in fault


def test_many_faults_are_told_together():
    faults = account_faults(
        [
            {"address": "x", "quota": "y", "state": "z"},
            5,
            {**ANN, "aliases": ["@"]},
            None,
            "ann@example.org",
        ]
    )
    assert len(faults) == 7
    assert [fault.partition(":")[0] for fault in faults if "not an account" in fault] == [
        "account 2",
        "account 4",
        "account 5",
    ]


@pytest.mark.parametrize("given", [None, 5, "ann@example.org", {"address": "ann@example.org"}])
def test_what_is_no_list_is_told(given: object):
    assert len(account_faults(given)) == 1
    assert len(domain_faults(given)) == 1


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (
            {},
            {"address": "Ann@example.org"},
            "address 'ann@example.org' is also the address of account 1",
        ),
        (
            {"aliases": ["x@example.org"]},
            {"address": "x@example.org"},
            "address 'x@example.org' is also the alias",
        ),
        (
            {"aliases": ["x@example.org"]},
            {"address": "b@example.org", "aliases": ["X@example.org"]},
            "is also the alias of",
        ),
        (
            {"username": "u@example.org"},
            {"address": "b@example.org", "username": "u@example.org"},
            "also the username of",
        ),
        ({"username": "b@example.org"}, {"address": "b@example.org"}, "is also the username of"),
        ({"state": "absent"}, {}, "address 'ann@example.org' is also wished by account 1"),
        ({"state": "absent"}, {"state": "absent"}, "is also wished by account 1"),
    ],
)
def test_two_accounts_cannot_share_a_name(one: dict, other: dict, told: str):
    (fault,) = account_faults([{**ANN, **one}, {**ANN, **other}])
    assert fault.startswith("account 2")
    assert told in fault


def test_somebody_who_leaves_may_leave_the_address_as_an_alias():
    assert (
        account_faults(
            [
                {**ANN, "state": "absent"},
                {**ANN, "address": "b@example.org", "aliases": ["ann@example.org"]},
            ]
        )
        == []
    )


def test_addresses_and_aliases_need_a_hosted_domain_and_forwards_do_not():
    accounts = [
        {
            **ANN,
            "aliases": ["a@other.example", "@third.example"],
            "forwards": ["x@far.example"],
            "username": "u@instance",
        }
    ]
    assert account_faults(accounts) == []
    assert len(account_faults(accounts, ["Example.org"])) == 2
    assert account_faults(accounts, ["example.org", "other.example", "third.example"]) == []
    assert account_faults([{**ANN, "address": "x@bücher.example"}], ["BÜCHER.example"]) == []


def test_domain_faults_name_the_position():
    assert domain_faults(["example.org", "second.example"]) == []
    assert [
        fault.partition(":")[0] for fault in domain_faults(["a.example", "x", "A.example", 7])
    ] == ["domain 2", "domain 3", "domain 4"]


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("mail.example.org", True),
        ("mail", False),
        ("Mail.example.org", False),
        ("mail.exämple.org", False),
        ("mail.example.org.", False),
        ("-x.example.org", False),
        (None, False),
        (5, False),
        ("a." * 40 + "org", False),
    ],
)
def test_hostname_faults(name: object, right: bool):
    assert (hostname_faults(name) == []) is right


def test_address_faults():
    assert address_faults("Root@mail.example.org") == []
    assert len(address_faults("root")) == 1


@pytest.mark.parametrize("template", ["/var/vmail/%d/%n", "/m/%u", "/m/%n@%d/mail"])
def test_a_home_template_gives_everybody_a_home(template: str):
    assert home_template(template) == template


@pytest.mark.parametrize(
    "template", ["/m", "/m/%n", "m/%u", "/m/%x/%u", "/m/%%u", "/m/../%u", "/ü/%u", "/m\n/%u", ""]
)
def test_a_home_template_that_does_not_is_refused(template: str):
    with pytest.raises(Invalid):
        home_template(template)


def test_owners_and_system_users_are_names():
    assert owner_id("abc") == "abc"
    assert system_name("999") == "999"
    for parse_one, text in (
        (owner_id, "a b"),
        (owner_id, ""),
        (owner_id, "x" * 41),
        (system_name, "a:b"),
    ):
        with pytest.raises(Invalid):
            parse_one(text)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=5) | ANYTHING, max_size=3),
    ANYTHING,
)
def test_no_input_is_a_traceback(entries: object, domains: object):
    assert all(isinstance(fault, str) for fault in account_faults(entries, domains))
