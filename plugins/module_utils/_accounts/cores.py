# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expensive work on all cores.

By threads: every library that hashes for us releases the interpreter's lock. Processes would
inherit the open connection to the database, and would have to be handed the passwords.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_PORTION = 16  # at most so many items are finished before an interrupt is heeded
_MEMINFO = Path("/proc/meminfo")


def on_all_cores(
    work: Callable[[Item], Result], items: Sequence[Item], memory: int = 0
) -> list[Result]:
    """The results in the order of the items; memory is what one piece of work needs, in KiB."""
    hands = min(_hands(memory), len(items))
    if hands > 1:
        try:
            return _shared(work, items, hands)
        except (RuntimeError, MemoryError):
            pass  # no thread to be had, or no memory for so many: one after the other
    return [work(item) for item in items]


def _shared(work: Callable[[Item], Result], items: Sequence[Item], hands: int) -> list[Result]:
    size = min(_PORTION, -(-len(items) // (4 * hands)))
    portions = [items[start : start + size] for start in range(0, len(items), size)]
    with ThreadPoolExecutor(hands) as pool:
        done = pool.map(lambda portion: [work(item) for item in portion], portions)
        return [result for portion in done for result in portion]


def _hands(memory: int) -> int:
    cores = _cores()
    free = _free_memory()
    if memory and free is not None:
        return max(1, min(cores, free // 2 // memory))
    return cores


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def _free_memory() -> int | None:
    """What the kernel could give without swapping, in KiB."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", _MEMINFO.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found.group(1)) if found else None
