# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of several hosts share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "shared"))

from mailhost import MailHost


@pytest.fixture(scope="module")
def mailhost():
    """The mail system that tests/bed/split.sh has started."""
    name = os.environ.get("SPLIT_HOSTS", "split")
    return MailHost(f"{name}-smtp", f"{name}-imap", f"{name}-database")
