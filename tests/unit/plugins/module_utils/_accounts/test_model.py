# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses, domains and usernames parse themselves or say what is wrong."""

from __future__ import annotations

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.errors import Invalid
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.model import (
    Address,
    Secret,
    domain_name,
    hosted_domain,
    user_name,
)
from hypothesis import given, settings
from hypothesis import strategies as st

GOOD = {
    "ann@example.org": "ann@example.org",
    "Ann.B@Example.ORG": "ann.b@example.org",
    "o'brien@example.org": "o'brien@example.org",
    "a&b=c~d@example.org": "a&b=c~d@example.org",
    "x@bücher.example": "x@xn--bcher-kva.example",
    "x@xn--bcher-kva.example": "x@xn--bcher-kva.example",
    "x@a-b.example": "x@a-b.example",
    "x@1.example": "x@1.example",
    "l" * 64 + "@example.org": "l" * 64 + "@example.org",
}
BAD = {
    "": "expected local@domain",
    "ann": "expected local@domain",
    "@example.org": "expected local@domain",
    "ann@": "expected local@domain",
    "ann@localhost": "is not a domain",
    "ann@exa mple.org": "is not a domain",
    "ann@example.org ": "is not a domain",
    "ann@example.org\n": "is not a domain",
    "ann@example..org": "is not a domain",
    "ann@-a.org": "is not a domain",
    "ann@a-.org": "is not a domain",
    "ann@" + "a" * 64 + ".org": "is not a domain",
    "ann@192.168.0.1": "last label is a number",
    "ann@[192.168.0.1]": "is not a domain",
    "ann@straße.example": "two different IDN spellings",
    "ann@a_b.org": "is not a domain",
    " ann@example.org": "before the @",
    "an n@example.org": "before the @",
    "ann\n@example.org": "before the @",
    "ann\0@example.org": "before the @",
    ".ann@example.org": "before the @",
    "ann.@example.org": "before the @",
    "a..b@example.org": "before the @",
    "a@b@example.org": "before the @",
    '"a b"@example.org': "before the @",
    "a\\b@example.org": "before the @",
    "a,b@example.org": "before the @",
    "(a)@example.org": "before the @",
    "änn@example.org": "outside ASCII",
    "-ann@example.org": "starts with a hyphen",
    "l" * 65 + "@example.org": "too long before the @",
    "l" * 60 + "@" + "d" * 20 + ".example.org": "at most 80",
}
NOT_HOSTED = ["a/b@example.org", "a*b@example.org", "a%b@example.org", "a!b@example.org"]


NO_MAILBOX = [f"a{character}b@example.org" for character in "+#$?^`{|}"]


@pytest.mark.parametrize("text", NO_MAILBOX)
def test_what_cannot_be_logged_in_to_or_delivered_to_is_an_alias_at_most(text: str):
    assert str(Address.source(text)) == text
    for parse in (Address.hosted, user_name):
        with pytest.raises(Invalid):
            parse(text)


@pytest.mark.parametrize("text", GOOD)
def test_an_address_is_lower_case_and_ascii(text: str):
    assert str(Address.hosted(text)) == GOOD[text]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_address_says_why(text: str):
    with pytest.raises(Invalid) as fault:
        Address.parse(text)
    assert BAD[text] in str(fault.value)


@pytest.mark.parametrize("text", NOT_HOSTED)
def test_a_foreign_address_may_hold_what_none_of_ours_may(text: str):
    assert str(Address.parse(text)) == text
    with pytest.raises(Invalid, match="cannot be hosted"):
        Address.hosted(text)


@pytest.mark.parametrize("value", [None, 5, True, [], {}, 1.5, b"ann@example.org"])
def test_another_type_is_a_fault_and_no_traceback(value: object):
    for parse in (Address.parse, Address.hosted, Address.source, domain_name, user_name):
        with pytest.raises(Invalid, match="expected text"):
            parse(value)


def test_only_an_alias_may_be_a_catch_all():
    assert str(Address.source("@Example.org")) == "@example.org"
    with pytest.raises(Invalid):
        Address.hosted("@example.org")


def test_a_hosted_domain_fits_its_table():
    assert hosted_domain("d" * 46 + ".org") == "d" * 46 + ".org"
    with pytest.raises(Invalid, match="at most 50"):
        hosted_domain("d" * 47 + ".org")


@pytest.mark.parametrize("name", ["bob@example.org", "1f@instance", "Bob@Example.org"])
def test_a_username_may_live_in_a_domain_that_nobody_mails_to(name: str):
    assert user_name(name) == name.lower()


@pytest.mark.parametrize(
    "name", ["bob", "bob@", "@x", "b/b@x", "b*b@x", "b b@x", "../b@x", "b@x/..", "b@é"]
)
def test_what_is_no_username_is_refused(name: str):
    with pytest.raises(Invalid):
        user_name(name)


def test_a_secret_does_not_show_itself():
    secret = Secret("clear text", "{PLAIN}ready", "SSHA256")
    assert "clear" not in f"{secret!r} {secret}"
    assert "ready" not in f"{secret!r} {secret}"


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=90) | st.from_regex(r"\A[a-z.+'-]{1,20}@[a-zA-Zäöü.-]{1,40}\Z"))
def test_whatever_is_taken_is_stable_and_safe(text: str):
    try:
        address = Address.hosted(text)
    except Invalid:
        return
    assert Address.hosted(str(address)) == address
    assert str(address).isascii()
    assert str(address).isprintable()
    assert not set(str(address)) & set(" /\\\"'*%"[0:4] + "*%")
    assert len(str(address)) <= 80
