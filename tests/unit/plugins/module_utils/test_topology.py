# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts make whole mail systems."""

from __future__ import annotations

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._topology import (
    topology_faults,
)


def faults(database, imap, smtp, **addresses):
    hosts = dict.fromkeys([*database, *imap, *smtp], "")
    return topology_faults({**hosts, **addresses}, database, imap, smtp)


GOOD = [
    (["a"], ["a"], ["a"], {}),
    (["a", "b"], ["a", "b"], ["a", "b"], {}),
    (["a"], ["b"], ["c"], {"a": "10.0.0.1", "b": "10.0.0.2", "c": "10.0.0.3"}),
    (["a"], ["a"], ["b", "c"], {"a": "10.0.0.1", "b": "10.0.0.2", "c": "10.0.0.3"}),
    (["a"], ["a"], ["a", "b"], {"a": "10.0.0.1", "b": "10.0.0.2"}),
]


@pytest.mark.parametrize(("database", "imap", "smtp", "addresses"), GOOD)
def test_whole_systems_have_no_faults(database, imap, smtp, addresses):
    assert faults(database, imap, smtp, **addresses) == []


A, B, C = ({name: f"10.0.0.{n}"} for n, name in enumerate("abc", 1))
WRONG = [
    (["a"], ["a"], [], {**A}, ["mailserver_smtp has no host: expected"]),
    (["a"], [], ["a"], {**A}, ["mailserver_imap has no host: expected"]),
    (["a", "b"], ["c"], ["c"], {**A, **B, **C}, ["mailserver_database has 2 hosts, a, b: "]),
    (["a"], ["b", "c"], ["a"], {**A, **B, **C}, ["mailserver_imap has 2 hosts, b, c: "]),
    (["a"], ["b"], ["b"], {**A}, ["mailserver_address of b is '': expected the IPv4 address"]),
    (["a"], ["b"], ["b"], {**A, "b": "fd00::1"}, ["mailserver_address of b is 'fd00::1'"]),
    (["a"], ["b"], ["b"], {**A, "b": "10.0.0.01"}, ["mailserver_address of b is '10.0.0.01'"]),
    (["a"], ["b"], ["b"], {**A, "b": None}, ["mailserver_address of b is"]),
    (["a"], ["b"], ["b"], {**A, "b": "10.0.0.1"}, ["which is also that of a."]),
    # Beside a system of its own a host without the other groups belongs to nobody.
    (["a", "b"], ["a", "b"], ["a", "b", "c"], {**A, **B, **C}, ["mailserver_database has 2"] * 2),
]


@pytest.mark.parametrize(("database", "imap", "smtp", "addresses", "words"), WRONG)
def test_what_is_missing_is_said(database, imap, smtp, addresses, words):
    found = faults(database, imap, smtp, **addresses)
    assert len(found) == len(words)
    assert words[0] in " ".join(found)
