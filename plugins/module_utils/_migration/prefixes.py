# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords whose scheme stood in a column of its own, until November 2010. SQL is data."""

from __future__ import annotations

from collections.abc import Iterator

from .._accounts.errors import shown
from .._accounts.schema import Step, quoted
from .generations import FORMER
from .ground import SHOWN, Ground

# Dovecot's own names where there are others; a hash in crypt's form says itself what it is.
_SCHEME = (
    "CASE WHEN LOWER({scheme}) IN ('plain', 'clear', 'cleartext') THEN '{{PLAIN}}' "
    "WHEN LOWER({scheme}) = 'des' OR LOWER({scheme}) LIKE '%\\_crypt' THEN '{{CRYPT}}' "
    "WHEN LOWER({scheme}) IN ('md5', 'plain-md5') AND {hash} LIKE '$%' THEN '{{CRYPT}}' "
    "WHEN LOWER({scheme}) = 'md5' THEN '{{PLAIN-MD5}}' "
    "ELSE CONCAT('{{', UPPER({scheme}), '}}') END"
)
# What has one already was written by somebody who knew better than the column.
_BARE = (
    "{hash} NOT REGEXP '(?i)^[{{](PLAIN|CLEARTEXT|CRYPT|[A-Z0-9]+-CRYPT|S?MD5|S?SHA[0-9]*|"
    "[A-Z]+-MD5|ARGON2[A-Z]*|PBKDF2|SCRAM-[A-Z0-9-]+|LANMAN|NTLM|OTP|SKEY|RPA)"
    "([.](HEX|B64|BASE64))?[}}]'"
)
# MariaDB assigns from left to right: the scheme is read before it goes, and goes with the row, so
# that the run after a killed one finds only what is left.
_PREFIXED = (
    "UPDATE {table} SET {hash} = CONCAT(" + _SCHEME + ", {hash}), {scheme} = '' "
    "WHERE {scheme} <> '' AND {hash} <> '' AND " + _BARE
)
_NAMES = (
    "SELECT DISTINCT {scheme} FROM {table} "
    "WHERE {scheme} NOT REGEXP '^[A-Za-z0-9._-]*$' LIMIT {most}"
)
_PASSWORDS = {"dovecot_users": "password", "smtp_users": "passwd"}


def prefixing(ground: Ground, name: str) -> Iterator[Step]:
    """The scheme goes before the hash, which stays as it is."""
    scheme = FORMER[name]
    if ground.has(name, (scheme,)):
        names = _NAMES.format(table=ground.now(name), scheme=quoted(scheme), most=SHOWN)
        for (value,) in ground.ask(names):
            ground.faults.append(
                f"{ground.told(name)}.{scheme} holds {shown(value)}; expected the name of a "
                "password scheme, as Dovecot has it."
            )
        ground.require_unchecked(name, _PASSWORDS[name], "gets a prefix")
        words = f"prefix the passwords in {ground.told(name)} with their {scheme}"
        sql = _PREFIXED.format(
            table=ground.place(name), hash=quoted(_PASSWORDS[name]), scheme=quoted(scheme)
        )
        yield Step(words, (sql,), True)
