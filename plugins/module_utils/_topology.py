# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: this is no interface of the collection and may change at any time.

"""What can be told to be wrong with the groups before a host is touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ._accounts.errors import (
    shown,
)
from ._interface import is_ipv4

__all__ = ("topology_faults",)

_WHOLE = "expected every mail host in all three groups, or one mail system on several hosts"


def topology_faults(
    addresses: Mapping[str, object],
    database: Sequence[str],
    imap: Sequence[str],
    smtp: Sequence[str],
) -> list[str]:
    """Return a sentence for everything that keeps these hosts from being whole mail systems.

    ``addresses`` has the mailserver_address of every host of the three groups.
    """
    whole = set(database) & set(imap) & set(smtp)
    if set(addresses) <= whole:
        return []
    groups = {"mailserver_database": database, "mailserver_imap": imap, "mailserver_smtp": smtp}
    return [*_members(groups), *_addresses(addresses)]


def _members(groups: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for name, hosts in groups.items():
        if not hosts:
            yield f"{name} has no host: {_WHOLE}."
        elif len(hosts) > 1 and name != "mailserver_smtp":
            yield f"{name} has {len(hosts)} hosts, {', '.join(hosts)}: {_WHOLE}, with one there."


def _addresses(addresses: Mapping[str, object]) -> Iterator[str]:
    owners: dict[object, str] = {}
    for host, given in addresses.items():
        if not is_ipv4(given):
            yield (
                f"mailserver_address of {host} is {shown(given)}: expected the IPv4 address by "
                "which the other hosts of the mail system reach it, such as 10.0.0.1."
            )
        elif owners.setdefault(given, host) != host:
            yield f"mailserver_address of {host} is {given}, which is also that of {owners[given]}."
