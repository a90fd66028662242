# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A large wish that changed nothing last time, on tables that have not changed since.

The plan depends on the wish, the options, this code and what the tables hold, and on nothing else
as long as it is empty. A run that finds nothing to do notes a digest of the first three and one of
the tables; a later run that comes to the same two has nothing to do either. The server computes
that of the tables, in a fraction of the time that fetching them takes, and only for a known wish.

Why this weakens nothing. What is noted of the wish went through scrypt with a salt of its own: who
gets hold of the file and knows all of the wish but one password pays for each guess what guessing
at an expensive hash costs. What is noted of the tables is a checksum of all their rows. The file
lies on the managed host alone (0600 root), and nothing depends on it: one that is missing, damaged
or foreign is no record.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import importlib
import json
import os
import pkgutil
import secrets
import zoneinfo
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from . import private_file
from .schema import Names
from .shape import DESTINATION, IMAP, SMTP, Shape

_VERSION = 1
_SCRYPT = {"n": 1 << 15, "r": 8, "p": 3}  # OWASP Password Storage Cheat Sheet; 32 MiB
_KEPT = 16  # wishes of different hosts or owners that one host is given in turn
_SUM = "SELECT COUNT(*), SUM(CAST(CONV(LEFT(MD5({row}), 15), 16, 10) AS UNSIGNED)) FROM {table}"


class Note(NamedTuple):
    """What a run that changed nothing leaves: salted digests, and how many accounts it was."""

    salt: str
    wish: str
    tables: str
    accounts: int


class Record:
    """The notes of a host, by the databases and the owner that they are about."""

    def __init__(self, path: str, key: str) -> None:
        self._path = path
        self._key = hashlib.sha256(key.encode()).hexdigest()

    def known(self, wish: bytes) -> Note | None:
        """The note of a wish that once changed nothing, or None. Raises nothing."""
        note = self._notes().get(self._key)
        if note and hmac.compare_digest(_slow(wish, note.salt), note.wish):
            return note
        return None

    def note(self, wish: bytes, tables: bytes, accounts: int) -> None:
        """Put a wish that changed nothing on record. Raises nothing."""
        salt = secrets.token_hex(16)
        new = {self._key: Note(salt, _slow(wish, salt), tables.hex(), accounts)}
        with contextlib.suppress(OSError), _locked(self._path) as directory:
            others = {key: note for key, note in self._notes().items() if key != self._key}
            kept = dict(list({**new, **others}.items())[:_KEPT])
            text = json.dumps({"version": _VERSION, "notes": kept})
            private_file.replace(directory, os.path.basename(self._path), text.encode())

    def _notes(self) -> dict[str, Note]:
        try:
            found = json.loads(private_file.content(self._path))
            return {
                str(key): Note(str(salt), str(wish), str(tables), int(accounts))
                for key, (salt, wish, tables, accounts) in found["notes"].items()
                if found["version"] == _VERSION
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return {}


@contextlib.contextmanager
def _locked(path: str) -> Iterator[int]:
    with private_file.directory_of(path, make=True) as directory:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield directory


def _slow(digest: bytes, salt: str) -> str:
    return hashlib.scrypt(digest, salt=salt.encode(), maxmem=1 << 26, **_SCRYPT).hex()


def wish_digest(wish: bytes, options: Mapping[str, Any]) -> bytes:
    """One digest of all that a plan depends on beside the tables."""
    said = json.dumps([_VERSION, sorted(options.items())], sort_keys=True, default=str)
    parts = (wish, said.encode(), _code())
    return hashlib.sha512(b"".join(hashlib.sha512(part).digest() for part in parts)).digest()


def _code() -> bytes:
    """A digest of all that decides: another version, or another time zone, may plan otherwise."""
    core = __name__.rpartition(".")[0]
    above = core.rpartition(".")[0]
    total = hashlib.sha512(pkgutil.get_data(above, "_connection.py") or b"")
    for package in (core, f"{above}._edge"):
        total.update(_sources(package))
    for place in zoneinfo.TZPATH:
        with contextlib.suppress(OSError):
            total.update(str(os.stat(os.path.join(place, "tzdata.zi")).st_mtime_ns).encode())
    return total.digest()


def _sources(package: str) -> bytes:
    total = hashlib.sha512()
    path = importlib.import_module(package).__path__
    for name in sorted(found.name for found in pkgutil.iter_modules(path)):
        total.update(pkgutil.get_data(package, f"{name}.py") or b"")
    return total.digest()


def tables_digest(cursor: Any, names: Names, shape: Shape) -> bytes:
    """A digest of counts and sums over all that is read of the tables: every row adds its own."""
    destinations = {"owner": shape.owner, **shape.destination}
    parts = (
        ("dovecot_users", _columns(IMAP, shape.imap)),
        ("smtp_users", _columns(SMTP, shape.smtp)),
        ("smtp_destinations", _columns({"owner": "", **DESTINATION}, destinations)),
        ("smtp_virtual_domains", ["domain"]),
    )
    found: list[object] = [sorted(shape.lengths.items()), shape.collation, shape.owner]
    for table, columns in parts:
        row = f"JSON_ARRAY({', '.join(columns)})"
        cursor.execute(_SUM.format(row=row, table=names.table(table)))
        found += [columns, *(str(value) for value in cursor.fetchall()[0])]
    return hashlib.sha512(json.dumps(found).encode()).digest()


def _columns(fields: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    return [there[name] for name in fields if name in there]
