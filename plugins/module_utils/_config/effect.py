# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: this is no interface of the collection and may change at any time.

"""Which configuration a running service has loaded, and what brings a new one into effect.

A *stamp* is a small root-only file that says what a service read when it was last started or
reloaded: a digest of its files, the settings that only a restart brings into effect, and the
fingerprints of files that belong to somebody else, such as a certificate. Who reloads the service
after such a file has changed (the program of the role certificate) notes it there. The stamp
of a configuration is written as ``SERVICE.next`` before the files move into place and becomes
``SERVICE.loaded`` after the reload. A run that dies in between leaves no ``loaded`` stamp for
what lies on disk, so the next run reloads.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence

from .files import ConfigFile

__all__ = ("Stamps", "action", "stamp")


def _fingerprint(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except FileNotFoundError:
        return "absent"


def stamp(
    files: Sequence[ConfigFile], watched: Sequence[str], restart_settings: Mapping[str, str]
) -> str:
    """Return the stamp of a set of files and of other files (absolute paths) that belong to it."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(repr((file.path, file.owner, file.group, file.mode)).encode())
        digest.update(file.content.encode("utf-8", "surrogateescape"))
    return json.dumps(
        {
            "digest": digest.hexdigest(),
            "restart": dict(restart_settings),
            "watched": {path: _fingerprint(path) for path in watched},
        }
    )


def action(loaded: str | None, wanted: str, different: bool) -> str:
    """Tell what brings the wanted stamp into effect: ``none``, ``reload`` or ``restart``.

    ``different``: the files on disk are not the wanted ones, so the service may have read others.
    """
    if loaded == wanted and not different:
        return "none"
    if loaded is None:
        # What the service runs with is unknown: only a restart is sure to change it.
        return "restart"
    old, new = json.loads(loaded), json.loads(wanted)
    return "reload" if old["restart"] == new["restart"] else "restart"


class Stamps:
    """The stamps of one service on the disk."""

    def __init__(self, directory: str, service: str) -> None:
        self._directory = directory
        self._loaded = os.path.join(directory, f"{service}.loaded")
        self._next = os.path.join(directory, f"{service}.next")

    @property
    def known(self) -> bool:
        """Tell whether this service has ever been configured by us."""
        return os.path.exists(self._loaded) or os.path.exists(self._next)

    def loaded(self) -> str | None:
        """Return the stamp of what the service has loaded; None where that is not known."""
        try:
            with open(self._loaded, encoding="utf-8") as file:
                text = file.read()
            json.loads(text)
        except (FileNotFoundError, ValueError):
            return None
        return text

    def announce(self, wanted: str) -> None:
        """Write down what is about to be installed, before the first file moves.

        What was loaded is in doubt from here on: even if the wanted configuration is the one that
        was loaded last, the service may have read what somebody else put in its place meanwhile.
        """
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        loaded = self.loaded()
        if loaded is not None:
            self._write(self._loaded, json.dumps({**json.loads(loaded), "digest": "in doubt"}))
        self._write(self._next, wanted)

    def _write(self, path: str, text: str) -> None:
        descriptor, partial = tempfile.mkstemp(dir=self._directory)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
