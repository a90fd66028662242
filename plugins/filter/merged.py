# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of several variables as one, on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.merged import Merged


def merged_accounts(lists: Mapping[str, object]) -> list[Any]:
    """Return one entry for each person of these lists, by variable."""
    merged = Merged(lists)
    if merged.faults:
        raise AnsibleFilterError("\n".join(merged.faults))
    return list(merged)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"merged_accounts": merged_accounts}
