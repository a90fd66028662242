# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: this is no interface of the collection and may change at any time.

"""Wrong values of dovecot.conf that ``doveconf`` lets pass.

A process of Dovecot finds them when a client comes: a misspelt mechanism breaks every login, a
misspelt plugin every mailbox.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

__all__ = ("faults",)

_MECHANISMS = frozenset(
    ("plain", "login", "cram-md5", "digest-md5", "scram-sha-1", "scram-sha-256", "apop", "ntlm")
    + ("scram-sha-1-plus", "scram-sha-256-plus", "gssapi", "gss-spnego", "otp", "skey", "rpa")
    + ("anonymous", "external", "oauthbearer", "xoauth2", "winbind")
)
_PROTOCOLS = frozenset(("ANY", "LATEST", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"))


def _unknown(name: str, given: Iterable[str], known: frozenset[str]) -> list[str]:
    return [
        f"{name}: '{word}' is not known to this Dovecot: expected {', '.join(sorted(known))}"
        for word in sorted(set(given) - known)
    ]


def _named(plugins: str) -> list[str]:
    """Return the names in a list of 2.3 (``quota sieve``) or 2.4 (a line ``quota = yes`` each)."""
    return re.findall(r"^\w+(?= =)", plugins, re.MULTILINE) or plugins.split()


def faults(settings: Mapping[str, str], plugins: Mapping[str, str], known: set[str]) -> list[str]:
    """Return a sentence for every wrong value.

    ``settings``: what ``doveconf -h`` says by name; ``plugins``: its mail_plugins by protocol;
    ``known``: the plugins that are installed.
    """
    found = []
    # Dovecot takes nothing for "any character", and with it names that reach into the SQL query.
    if not settings["auth_username_chars"]:
        found.append("auth_username_chars must not be empty: it guards the SQL queries")
    found += _unknown("auth_mechanisms", settings["auth_mechanisms"].lower().split(), _MECHANISMS)
    found += _unknown("ssl_min_protocol", settings["ssl_min_protocol"].split(), _PROTOCOLS)
    for protocol, listed in plugins.items():
        found += _unknown(f"mail_plugins of {protocol}", _named(listed), frozenset(known))
    return found
