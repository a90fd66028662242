# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided about a master user, without a database."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.errors import Invalid
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.master_users import (
    Found,
    MasterUser,
    Wish,
    faults,
    known_name,
    new_name,
    parse,
    plan,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.model import Secret
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.passwords import (
    DEFAULT_SCHEME,
    SCHEMES,
    Keyring,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.schema import Names

SECRET = Secret("Secret of Ann", None, "SHA512-CRYPT")
GIVEN = {"name": "ann", "state": "present", "update_password": "always", "service": None}


def changed(row: MasterUser | None, wish: Wish) -> MasterUser | None:
    (change,) = plan(Found(row), wish, Keyring())
    assert change.before == row
    return change.after


def test_a_new_one_gets_the_least_service():
    assert changed(None, Wish("ann", secret=SECRET)) == MasterUser("ann", SECRET, "sieve")


def test_what_is_not_said_is_kept():
    row = MasterUser("Ann", "{SSHA256}x", "all")
    assert plan(Found(row), Wish("ann"), Keyring()) == []
    assert changed(row, Wish("ann", secret=SECRET)) == MasterUser("Ann", SECRET, "all")


def test_a_hash_that_is_there_is_kept():
    row = MasterUser("ann", "{SSHA256}x", None)
    assert plan(Found(row), Wish("ann", secret=Secret(None, "{SSHA256}x", "")), Keyring()) == []


@pytest.mark.parametrize("name", ["a", "7", "back.up-2_x", "abcdef0", "abcdef012", "x" * 80])
def test_names_that_can_be(name: str):
    assert new_name(name.upper()) == name


@pytest.mark.parametrize("name", ["0123abcd", "a*b", "a@b", ".a", "a b", "", "x" * 81, 7])
def test_names_that_cannot_be(name: object):
    with pytest.raises(Invalid):
        new_name(name)


@pytest.mark.parametrize("name", ["0123abcd", "admin@example.org", "ä"])
def test_whatever_the_table_holds_can_go(name: str):
    assert known_name(name) == name


def test_every_scheme_needs_its_room():
    for scheme in SCHEMES:
        wish = Wish("ann", secret=Secret("Secret of Ann", None, scheme))
        found = Found(length=72, service_type="enum('sieve','all')")
        told = faults(Names(), found, wish, plan(found, wish, Keyring()))
        assert [("does not fit" in fault) for fault in told] == (
            [] if scheme in ("SSHA256", "BLF-CRYPT") else [True]
        )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"password": "a\nb"}, "password: holds a line end"),
        ({"password": ""}, "password: is empty"),
        ({"password_hash": "{MD5}x"}, "password_hash: scheme MD5 is refused"),
        ({"password": "x" * 73, "password_scheme": "BLF-CRYPT"}, "only 72 bytes"),
    ],
)
def test_a_bad_password_is_told_and_not_shown(said: dict[str, Any], words: str):
    _wish, told = parse({**GIVEN, **said}, DEFAULT_SCHEME)
    (fault,) = told
    assert words in fault
    assert not any(str(value) in fault for value in said.values() if len(value) > 12)
