# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server quotes of a row is in no error: it may be a password."""

from __future__ import annotations

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.errors import (
    StepRefused,
)

PLACE = "column `old_d`.`dovecot_users`.`password` at row 1"


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (f"Incorrect string value: '\\xE4plan'ted' for {PLACE}", f"string value: for {PLACE}"),
        ("Duplicate entry 'planted' for key 'email'", "Duplicate entry for key 'email'"),
        ("Truncated incorrect DECIMAL value: 'planted' (error 1292)", "value: (error 1292)"),
        ("Truncated incorrect DECIMAL value: 'planted'", "DECIMAL value:."),
        ("Unknown column 'scheme' in 'CHECK'", "Unknown column 'scheme' in 'CHECK'"),
    ],
)
def test_a_refused_step_names_no_value(reason: str, told: str):
    said = str(StepRefused("alter table old_d.dovecot_users", reason, ""))
    assert "plan" not in said
    assert told in said
