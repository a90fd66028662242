# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that brings a renewed certificate into effect: who is behind, what it refuses."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._config.effect import stamp
from ansible_collections.groupware.mailserver.tests.unit.plugins.module_utils._probe import (
    probe_servers,
)
from ansible_collections.groupware.mailserver.tests.unit.roles.role_files import TOP

SPEC = importlib.util.spec_from_file_location(
    "certificate_in_effect", TOP / "roles/certificate/files/certificate_in_effect.py"
)
program = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(program)


@pytest.fixture
def stamps(tmp_path, monkeypatch):
    folder = tmp_path / "stamps"
    folder.mkdir()
    monkeypatch.setattr(program, "STAMPS", folder)
    return folder


def now(*paths):
    return {str(path): program.fingerprint(path) for path in paths}


def test_a_service_is_behind_until_it_is_noted(stamps, tmp_path):
    pair = [tmp_path / "cert", tmp_path / "key"]
    loaded = stamps / "postfix.loaded"
    loaded.write_text(stamp([], [str(path) for path in pair], {}))
    (stamps / "mariadb.loaded").write_text(stamp([], [], {}))
    assert list(program.services_behind(now(*pair))) == []
    pair[0].write_text("renewed")
    assert list(program.services_behind(now(*pair))) == [loaded]
    program.remember(loaded, now(*pair))
    assert list(program.services_behind(now(*pair))) == []
    # The next run of the roles has nothing left to do.
    assert loaded.read_text() == stamp([], [str(path) for path in pair], {})
    assert json.loads(loaded.read_text())["watched"] == now(*pair)


def test_a_pair_that_fits_has_no_fault(tmp_path):
    path = str(probe_servers.certificate(tmp_path, "mail.example.org"))
    assert program.fault_of(path, path) == ""


def test_what_does_not_fit_is_told(tmp_path):
    one, other = (str(probe_servers.certificate(tmp_path, name)) for name in ("a.test", "b.test"))
    assert "key values mismatch" in program.fault_of(one, other)
    old = str(probe_servers.certificate(tmp_path, "old.test", days=-1))
    assert "has expired (notAfter=" in program.fault_of(old, old)
    assert "no such file or directory" in program.fault_of(one, str(tmp_path / "none"))


def test_a_service_that_fails_leaves_the_others_to_be_reloaded(stamps, tmp_path, monkeypatch):
    path = str(probe_servers.certificate(tmp_path, "mail.example.org"))
    reads = stamp([], [path], {})
    for service in ("dovecot", "postfix"):
        (stamps / f"{service}.loaded").write_text(reads)
    with open(path, "a") as renewed:
        renewed.write("\n")
    systemctl = tmp_path / "systemctl"
    systemctl.write_text("#!/bin/sh\ntest $2 != dovecot\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert program.main(path, path) == 1
    assert [behind.stem for behind in program.services_behind(now(Path(path)))] == ["dovecot"]
