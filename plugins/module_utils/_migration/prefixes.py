# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords whose scheme stood in a column of its own, until November 2010. SQL is data."""

from __future__ import annotations

from collections.abc import Iterator

from .._accounts.schema import Step, quoted
from .generations import FORMER
from .ground import Ground

# Dovecot's own names where there are others; a hash in crypt's form says itself what it is.
_SCHEME = (
    "CASE WHEN LOWER({scheme}) IN ('plain', 'clear', 'cleartext') THEN '{{PLAIN}}' "
    "WHEN LOWER({scheme}) IN ('md5', 'plain-md5') AND {hash} LIKE '$%' THEN '{{CRYPT}}' "
    "WHEN LOWER({scheme}) = 'md5' THEN '{{PLAIN-MD5}}' "
    "ELSE CONCAT('{{', UPPER({scheme}), '}}') END"
)
_PREFIXED = (
    "UPDATE {table} SET {hash} = CONCAT(" + _SCHEME + ", {hash}) "
    "WHERE {scheme} <> '' AND {hash} <> '' AND {hash} NOT REGEXP '^[{{][A-Za-z0-9.-]+[}}]'"
)
_PASSWORDS = {"dovecot_users": "password", "smtp_users": "passwd"}


def prefixing(ground: Ground, name: str) -> Iterator[Step]:
    """The scheme goes before the hash, which stays as it is."""
    scheme = FORMER[name]
    if ground.has(name, (scheme,)):
        words = f"prefix the passwords in {ground.told(name)} with their {scheme}"
        sql = _PREFIXED.format(
            table=ground.place(name), hash=quoted(_PASSWORDS[name]), scheme=quoted(scheme)
        )
        yield Step(words, (sql,), True)
