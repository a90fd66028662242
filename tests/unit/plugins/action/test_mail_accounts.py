# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose copy may go: that of a run which has ended, and nothing else."""

from __future__ import annotations

import os
import subprocess

import pytest
from ansible_collections.groupware.mailserver.plugins.action import mail_accounts
from ansible_collections.groupware.mailserver.plugins.module_utils._edge.source import COPY

CHANCE = "0123456789abcdef"


def is_left(pid: object, started: object, chance: str = CHANCE) -> bool:
    """Whether a copy on this controller, made by this process, may go."""
    return mail_accounts._is_left(
        f"/run/groupware.mailserver.{mail_accounts._controller()}.{pid}.{started}.{chance}"
    )


@pytest.fixture
def ended() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_run_names_its_copies_as_the_module_expects_them():
    assert COPY.fullmatch(f"{mail_accounts._run()}.{CHANCE}")


def test_the_copy_of_a_living_run_stays():
    assert not is_left(os.getpid(), mail_accounts._started(os.getpid()))


def test_the_copy_of_a_run_that_has_ended_goes(ended: int):
    assert is_left(ended, 1)


def test_the_copy_goes_when_its_number_is_another_process():
    assert is_left(os.getpid(), 1)


@pytest.fixture
def hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc tells nothing of any process, as with hidepid of those of others."""
    monkeypatch.setattr(mail_accounts, "_started", lambda pid: None)


@pytest.mark.usefixtures("hidden")
def test_the_copy_of_a_run_stays_where_proc_hides_it():
    assert not is_left(os.getpid(), 1)


@pytest.mark.usefixtures("hidden")
def test_the_copy_of_another_users_run_stays(monkeypatch: pytest.MonkeyPatch):
    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert not is_left(os.getpid(), 1)


@pytest.mark.usefixtures("hidden")
def test_the_copy_of_a_run_that_has_ended_goes_also_where_proc_hides_others(ended: int):
    assert is_left(ended, 1)


@pytest.mark.parametrize("name", ["x", "x.1", "1", "1.x", "-1.1", "99999999999.1", "1.1.x", ""])
def test_a_name_that_no_run_gives_is_no_copy(name: str):
    start = f"/run/groupware.mailserver.{mail_accounts._controller()}"
    assert not mail_accounts._is_left(f"{start}.{name}")
    assert not mail_accounts._is_left(f"{start}.{name}.{CHANCE}")
