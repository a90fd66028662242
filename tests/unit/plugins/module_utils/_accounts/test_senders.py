# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exceptions to sender ownership are checked before a host is touched."""

from __future__ import annotations

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.senders import (
    sender_exception_faults,
)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"scanner@example.org": ["office@example.org", "shop.example"]},
        {"4f1c2a@people.test": ["o'neil%x@example.org"]},
    ],
)
def test_what_is_well_formed(given):
    assert sender_exception_faults(given) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["scanner@example.org"], "is not a dictionary"),
        ({"scanner": ["shop.example"]}, "is not a username"),
        ({"scanner@example.org": "shop.example"}, "expected a list of addresses and domains"),
        ({"scanner@example.org": []}, "expected a list of addresses and domains"),
        ({"scanner@example.org": ["shop"]}, "'scanner@example.org': 'shop' is not a domain"),
        ({"scanner@example.org": ["@shop.example"]}, "is not a mail address"),
        ({"scanner@example.org": ["x') OR ('1@shop.example"]}, "is not a supported mail address"),
        ({"scanner@example.org": ["shöp.example"]}, "write xn--shp-tna.example"),
        ({"scanner@example.org": [5]}, "'scanner@example.org'"),
    ],
)
def test_what_is_wrong_is_told(given, words):
    (fault,) = sender_exception_faults(given)
    assert words in fault
