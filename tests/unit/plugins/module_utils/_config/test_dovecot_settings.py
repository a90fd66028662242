# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of dovecot.conf that doveconf lets pass."""

from __future__ import annotations

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._config.dovecot_settings import (
    faults,
)

GOOD = {
    "auth_username_chars": "abc",
    "auth_mechanisms": "plain login",
    "ssl_min_protocol": "TLSv1.2",
}
KNOWN = {"quota", "imap_quota", "sieve"}


@pytest.mark.parametrize("listed", ["quota imap_quota", "quota = yes\nimap_quota = yes", ""])
def test_good_values_have_no_faults(listed):
    assert faults(GOOD, {"imap": listed}, KNOWN) == []


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("auth_username_chars", "", "must not be empty"),
        ("auth_mechanisms", "plian login", "'plian'"),
        ("ssl_min_protocol", "TLSv1.9", "'TLSv1.9'"),
    ],
)
def test_a_wrong_value_is_told(name, value, word):
    (fault,) = faults({**GOOD, name: value}, {}, KNOWN)
    assert fault.startswith(name)
    assert word in fault


@pytest.mark.parametrize("listed", ["quota qouta", "quota = yes\nqouta = yes"])
def test_a_plugin_that_is_not_installed_is_told(listed):
    (fault,) = faults(GOOD, {"lmtp": listed}, KNOWN)
    assert fault.startswith("mail_plugins of lmtp: 'qouta'")
