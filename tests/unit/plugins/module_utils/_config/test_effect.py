# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What brings a configuration into effect, and that a killed run is not forgotten."""

from __future__ import annotations

import json
import stat

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._config.effect import (
    Stamps,
    action,
    stamp,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._config.files import ConfigFile

FILES = [ConfigFile("main.cf", "biff = no\n")]
LOOPBACK = {"inet_interfaces": "loopback-only"}
ALL = {"inet_interfaces": "all"}
NOW = stamp(FILES, [], ALL)
OTHER_TEXT = stamp([ConfigFile("main.cf", "biff = yes\n")], [], ALL)
OTHER_INTERFACES = stamp(FILES, [], LOOPBACK)


@pytest.mark.parametrize(
    ("loaded", "different", "expected"),
    [
        (NOW, False, "none"),
        (NOW, True, "reload"),
        (OTHER_TEXT, False, "reload"),
        (OTHER_TEXT, True, "reload"),
        (OTHER_INTERFACES, False, "restart"),
        (OTHER_INTERFACES, True, "restart"),
        (None, False, "restart"),
        (None, True, "restart"),
    ],
)
def test_the_least_that_is_enough_is_done(loaded, different, expected):
    assert action(loaded, NOW, different) == expected


@pytest.mark.parametrize(
    "changed",
    [{"content": "x"}, {"owner": "bin"}, {"group": "bin"}, {"mode": 0o600}, {"path": "other.cf"}],
)
def test_the_stamp_knows_content_and_permissions(changed):
    other = ConfigFile(**{"path": "main.cf", "content": "biff = no\n", **changed})
    assert stamp([other], [], ALL) != NOW


def test_the_stamp_knows_the_files_that_are_watched(tmp_path):
    certificate = tmp_path / "cert.pem"
    watched = [str(certificate)]
    absent = stamp(FILES, watched, ALL)
    certificate.write_text("old")
    old = stamp(FILES, watched, ALL)
    certificate.write_text("new")
    assert len({NOW, absent, old, stamp(FILES, watched, ALL)}) == 4


def test_the_stamp_tells_no_content():
    assert "hush" not in stamp([ConfigFile("x", "hush-9")], [], ALL)


@pytest.fixture
def stamps(tmp_path):
    return Stamps(str(tmp_path / "state"), "postfix")


def reloaded(tmp_path):
    """Do what the handler does."""
    (tmp_path / "state" / "postfix.next").rename(tmp_path / "state" / "postfix.loaded")


def test_a_service_is_unknown_until_it_is_announced(stamps):
    assert not stamps.known
    assert stamps.loaded() is None
    stamps.announce(NOW)
    assert stamps.known
    assert stamps.loaded() is None


def test_what_was_reloaded_is_loaded(stamps, tmp_path):
    stamps.announce(NOW)
    reloaded(tmp_path)
    assert stamps.loaded() == NOW
    assert action(stamps.loaded(), NOW, False) == "none"


def test_a_run_killed_before_the_reload_is_finished_by_the_next(stamps, tmp_path):
    stamps.announce(NOW)
    reloaded(tmp_path)
    stamps.announce(OTHER_TEXT)
    # Killed here: the files are in place, nobody has reloaded.
    assert action(stamps.loaded(), OTHER_TEXT, False) == "reload"


def test_a_run_killed_before_the_restart_is_finished_by_the_next(stamps, tmp_path):
    stamps.announce(NOW)
    reloaded(tmp_path)
    stamps.announce(OTHER_INTERFACES)
    assert action(stamps.loaded(), OTHER_INTERFACES, False) == "restart"


def test_going_back_after_a_killed_run_reloads_too(stamps, tmp_path):
    # The service may have read what stood there between the two runs.
    stamps.announce(NOW)
    reloaded(tmp_path)
    stamps.announce(OTHER_TEXT)
    stamps.announce(NOW)
    assert action(stamps.loaded(), NOW, False) == "reload"


def test_the_state_is_for_its_owner_alone(stamps, tmp_path):
    stamps.announce(NOW)
    files = list((tmp_path / "state").iterdir())
    assert [path.name for path in files] == ["postfix.next"]
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    assert json.loads(files[0].read_text())["restart"] == ALL
