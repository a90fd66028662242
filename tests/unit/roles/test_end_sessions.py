# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that ends sessions: what it reads, on both generations."""

from __future__ import annotations

import importlib.util

import pytest
from ansible_collections.groupware.mailserver.tests.unit.roles.role_files import TOP, internal

SPEC = importlib.util.spec_from_file_location(
    "end_sessions", TOP / "roles/dovecot/files/end_sessions.py"
)
program = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(program)

WHO = {
    "2.3": "username\tproto\tpid\tip\nann\timap\t7\t::1\nbob\tlmtp\t8\t\n",
    "2.4": "username\tservice\tpid\tip\tdest_ip\nann\timap\t7\t::1\t::1\nbob\tlmtp\t8\t\t\n",
}


@pytest.mark.parametrize("generation", WHO)
def test_logins_are_listed_and_deliveries_are_not(generation):
    assert list(program.listed(WHO[generation])) == [("ann", "7")]


def test_nobody_is_logged_in():
    assert list(program.listed("username\tproto\tpid\tip\n")) == []
    assert list(program.listed("")) == []


def test_who_may_stay_is_who_may_log_in():
    said = internal("mailserver")["__mailserver_sql_active"]
    assert program.ACTIVE.split() == said.split()


def test_what_was_seen_is_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(program, "STATE", str(tmp_path / "state" / "seen"))
    stuck = program.Memory(12, frozenset([program.Session("ann", "7")]))
    read = []
    for seen in (stuck, program.Memory(3)):
        with program.memory() as remembered:
            read.append(remembered.read())
            remembered.write(seen)
    with program.memory() as remembered:
        read.append(remembered.read())
    assert read == [program.Memory(), stuck, program.Memory(3)]


@pytest.mark.parametrize("damaged", ["x\n", "12\n", "[1", "[1, [3]]", ""])
def test_a_damaged_memory_is_none(tmp_path, monkeypatch, damaged):
    monkeypatch.setattr(program, "STATE", str(tmp_path / "seen"))
    (tmp_path / "seen").write_text(damaged)
    with program.memory() as remembered:
        assert remembered.read() == program.Memory()
