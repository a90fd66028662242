# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/doctor.md knows every fault and every repair, and none that there is not."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.groupware.mailserver.plugins.module_utils._doctor.findings import KINDS
from ansible_collections.groupware.mailserver.plugins.module_utils._doctor.repairs import REPAIRS

PAGE = Path(__file__).parents[5] / "docs/doctor.md"


def test_the_page_has_every_fault_and_every_repair():
    cells = re.findall(r"^\| (`.*?) \|", PAGE.read_text(), re.MULTILINE)
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted([*KINDS, *REPAIRS])
