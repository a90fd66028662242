# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with values of an inventory, told on the controller before a host is touched."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.senders import (
    sender_exception_faults,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.wanted import (
    account_faults,
    address_faults,
    domain_faults,
    hostname_faults,
)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "account_faults": account_faults,
            "address_faults": address_faults,
            "domain_faults": domain_faults,
            "hostname_faults": hostname_faults,
            "sender_exception_faults": sender_exception_faults,
        }
