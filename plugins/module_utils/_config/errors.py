# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: this is no interface of the collection and may change at any time.

"""What can be wrong with a set of configuration files."""

from __future__ import annotations

from collections.abc import Sequence

from .._accounts.errors import (
    MailhostError,
)

__all__ = ("ConfigurationRefused", "InvalidMode", "NotInstalled", "UnsafePath")


class ConfigurationRefused(MailhostError):
    """The program that would read the files does not accept them."""

    def __init__(self, service: str, faults: Sequence[str]) -> None:
        super().__init__(
            f"{service} does not accept the new configuration, so the old one stays in place:\n"
            + "\n".join(f"  {fault}" for fault in faults)
            + "\nCorrect the variable that this setting comes from and run the play again."
        )


class NotInstalled(MailhostError):
    """The program that would judge the files is not there."""

    def __init__(self, service: str, program: str) -> None:
        super().__init__(
            f"The program {program} is not on this host, so the configuration of {service} "
            f"cannot be checked: install {service} first."
        )


class InvalidMode(MailhostError):
    """Permissions that are no octal number."""

    def __init__(self, mode: str) -> None:
        super().__init__(f"'{mode}' is no mode of a file: expected octal digits such as '0640'")


class UnsafePath(MailhostError):
    """A path that leaves the directory of the set."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"'{path}' is not a path inside the directory: expected a relative path without '..'"
        )
