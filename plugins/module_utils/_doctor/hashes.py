# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a stored password, told by its form alone."""

from __future__ import annotations

import re

from .._accounts.info import OTHER_SCHEME, scheme
from .._accounts.passwords import KNOWN_HASHES

_READABLE = frozenset(("PLAIN", "CLEARTEXT", "CLEAR", "PLAIN-TRUNC"))
# What Dovecot 2.4.1 answers with "Weak password scheme used and refused".
_REFUSED = frozenset(
    (
        *("MD5", "PLAIN-MD5", "PLAIN-MD4", "LDAP-MD5", "SMD5", "HMAC-MD5"),
        *("MD5-CRYPT", "DES-CRYPT"),
    )
)
_NO_SALT = frozenset(("SHA", "SHA1", "SHA256", "SHA512", "CRAM-MD5", "DIGEST-MD5"))
_UNUSABLE = frozenset(("SSHA1", "SHA384", "SSHA384"))  # tine's alone
_UNKNOWN = frozenset(("LANMAN", "NTLM", "RPA", "SKEY"))  # those that Dovecot once had
_BASE64 = frozenset(("SSHA", "SSHA256", "SSHA512", "SHA", "SHA1", "SHA256", "SHA512"))
# Hashes that say themselves what they are, and what the how-to's default_pass_scheme took for one.
_BARE = {
    **{
        name: KNOWN_HASHES[name]
        for name in ("SHA512-CRYPT", "SHA256-CRYPT", "BLF-CRYPT", "ARGON2ID", "ARGON2I")
    },
    "MD5-CRYPT": r"\$1\$[./0-9A-Za-z]{1,8}\$[./0-9A-Za-z]{22}",
    "PLAIN-MD5": "[0-9a-fA-F]{32}",
}


def bare_scheme(stored: str) -> str:
    """The scheme of a hash that names none; empty if it is not to be told."""
    return next((name for name, form in _BARE.items() if re.fullmatch(form, stored)), "")


def verdict(stored: str, room: int | None = None) -> tuple[str, str] | None:
    """The kind of the fault and the scheme; room is the length of the column."""
    spelled, brace, rest = stored[1:].partition("}")
    if not stored.startswith("{") or not brace:
        bare = bare_scheme(stored)
        return ("bare_hash" if bare else "no_scheme"), bare or "no scheme"
    name = spelled.upper()
    if name in _UNUSABLE or name in _UNKNOWN:
        return "unknown_scheme", name
    known = scheme(spelled) or OTHER_SCHEME
    if known not in KNOWN_HASHES and known not in _REFUSED | _READABLE | _NO_SALT | _UNCHECKED:
        return "unknown_scheme", OTHER_SCHEME  # what stands in the braces may be a secret
    kind = _kind(known, rest, encoded="." in spelled)
    if kind == "malformed_hash" and len(stored) == room:
        kind = "truncated_hash"
    return (kind, known) if kind else None


_UNCHECKED = frozenset(("OTP", "SCRAM-SHA-1", "ARGON2"))  # known, and nothing to say about


def _kind(name: str, rest: str, encoded: bool) -> str:
    if name in _READABLE:
        return "plain_password"
    # crypt(3) of Dovecot 2.4 counts as DES-CRYPT whatever has no setting.
    if name in _REFUSED or (name == "CRYPT" and (rest.startswith("$1$") or rest[:1] != "$")):
        return "refused_scheme"
    if not encoded and not _well_formed(name, rest):
        return "malformed_hash"
    return "weak_scheme" if name in _NO_SALT else ""


def _well_formed(name: str, rest: str) -> bool:
    if name in _UNCHECKED or name not in KNOWN_HASHES:
        return True
    if name == "CRYPT" and rest[1:2] not in ("2", "5", "6"):
        return True  # yescrypt and the like: crypt(3) knows them
    if name in _BASE64 and len(rest) % 4:
        return False  # Dovecot insists on the padding; the hex forms have no odd lengths either
    return re.fullmatch(KNOWN_HASHES[name], rest) is not None
