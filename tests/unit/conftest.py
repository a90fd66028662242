# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts this checkout on the path as a collection, wherever it lies."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from pathlib import Path

from hypothesis import settings

CHECKOUT = Path(__file__).parents[2]


def _is_importable() -> bool:
    try:
        return importlib.util.find_spec("ansible_collections.groupware.mailserver") is not None
    except ModuleNotFoundError:
        return False


def _link() -> None:
    place = Path(tempfile.mkdtemp(prefix="collections-")) / "ansible_collections" / "groupware"
    place.mkdir(parents=True)
    (place / "mailserver").symlink_to(CHECKOUT)
    sys.path.insert(0, str(place.parents[1]))


if not _is_importable():
    _link()

settings.register_profile("long", max_examples=1000)
