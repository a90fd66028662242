# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""pytest: each host's tests in one process, in their order, beside those of the other host.

Most of the time they wait for mail. For pytest-xdist with `--dist loadgroup`.
"""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What belongs to no host stays together, too."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        host = callspec.params.get("_testinfra_host", "none") if callspec else "none"
        item.add_marker(pytest.mark.xdist_group(str(host)))
