# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work on all cores gives what work on one gives, and does without cores that are not to be had."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts import cores

FREE = 8 << 20  # KiB
MANY = list(range(1000))


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(4)))
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemTotal: 1 kB\nMemAvailable:   {FREE} kB\n")
    monkeypatch.setattr(cores, "_MEMINFO", meminfo)


def hands(expected: int, memory: int = 0) -> int:
    """How many threads did some of the work, when each of them waits for the expected number."""
    seen = set()
    together = threading.Barrier(expected)

    def work(_item: int) -> None:
        if threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            together.wait(timeout=30)

    cores.on_all_cores(work, MANY, memory)
    return len(seen)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 17, 1000])
def test_the_results_come_in_the_order_of_the_items(count: int):
    assert cores.on_all_cores(lambda item: item * 2, MANY[:count]) == [n * 2 for n in MANY[:count]]


def test_every_core_works():
    assert hands(4) == 4


def test_no_more_than_fit_into_half_of_the_free_memory():
    assert hands(2, memory=FREE // 4) == 2
    assert hands(1, memory=FREE) == 1


def test_where_the_free_memory_is_unknown_every_core_works(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cores, "_MEMINFO", Path("/nonexistent"))
    assert hands(4, memory=FREE) == 4


def test_a_fault_in_the_work_is_told():
    def work(item: int) -> None:
        raise KeyError(item)

    with pytest.raises(KeyError):
        cores.on_all_cores(work, MANY)


def test_without_threads_the_work_is_done_all_the_same(monkeypatch: pytest.MonkeyPatch):
    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert cores.on_all_cores(str, MANY) == [str(item) for item in MANY]


def test_what_has_no_room_beside_others_is_done_alone():
    busy = threading.Lock()

    def work(item: int) -> int:
        if not busy.acquire(blocking=False):
            raise MemoryError
        try:
            return sum(range(20000)) + item  # long enough for another thread to come
        finally:
            busy.release()

    assert cores.on_all_cores(work, MANY[:200]) == [work(item) for item in MANY[:200]]


NO_ROOM = """
import resource
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts import passwords
stored = passwords.hashed(passwords.Secret("secret", None, "ARGON2ID"))
pages = int(open("/proc/self/statm").read().split()[0])
size = pages * resource.getpagesize() + (32 << 20)
resource.setrlimit(resource.RLIMIT_AS, (size, size))
try:
    print(passwords.matches("secret", stored))
except MemoryError:
    print("no memory")
"""


def test_a_hash_for_which_there_is_no_memory_is_not_taken_for_another_password():
    program = [sys.executable, "-c", NO_ROOM]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(program, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "no memory\n"
