# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set of files: compared, staged, moved into place, kept."""

from __future__ import annotations

import grp
import os
import pwd
import stat

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._config.errors import UnsafePath
from ansible_collections.groupware.mailserver.plugins.module_utils._config.files import (
    ConfigFile,
    back_up,
    differences,
    install,
    staged,
)

OWNER = pwd.getpwuid(os.getuid()).pw_name
GROUP = grp.getgrgid(os.getgid()).gr_name
SECRET = "hush-9"


def file(path, content="x = 1\n", mode=0o644, secret=False):
    return ConfigFile(path, content, OWNER, GROUP, mode, secret)


MAIN = file("main.cf", "biff = no\n")
MAP = file("sql/map.cf", f"password = {SECRET}\n", mode=0o640, secret=True)
SET = (MAP, MAIN)


@pytest.fixture
def directory(tmp_path):
    made = tmp_path / "etc"
    made.mkdir()
    return made


def put(directory, files=SET):
    with staged(str(directory), files) as stage:
        install(stage, str(directory), files)


def different(directory, files=SET):
    return [d.path.removeprefix(f"{directory}/") for d in differences(str(directory), files)]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "sql/../../x", "sql//x", "./x", "sql/"]
)
def test_a_path_that_leaves_the_directory_is_refused(path):
    with pytest.raises(UnsafePath, match="relative path without"):
        file(path)


def test_what_is_installed_is_not_different(directory):
    assert different(directory) == ["sql/map.cf", "main.cf"]
    put(directory)
    assert different(directory) == []
    assert (directory / "main.cf").read_text() == "biff = no\n"


def test_permissions_are_those_of_the_file_and_its_directory_is_as_open(directory):
    put(directory)
    assert mode(directory / "main.cf") == 0o644
    assert mode(directory / "sql/map.cf") == 0o640
    assert mode(directory / "sql") == 0o750


def test_changed_permissions_are_a_difference(directory):
    put(directory)
    (directory / "sql/map.cf").chmod(0o644)
    (found,) = differences(str(directory), SET)
    assert found.before == f"{OWNER}:{GROUP} 0644\n"
    assert found.after == f"{OWNER}:{GROUP} 0640\n"


@pytest.mark.parametrize("standing", [None, "password = hush-old\n"])
def test_a_secret_is_not_in_the_difference(directory, standing):
    if standing:
        put(directory, [file("sql/map.cf", standing, mode=0o640)])
    found = differences(str(directory), SET)
    assert "sql/map.cf" in found[0].path
    assert "hush" not in repr(found)


def test_line_ends_and_foreign_bytes_are_kept_and_compared(directory):
    odd = file("main.cf", "a = 1\r\nb = \udcff\n")
    put(directory, [odd])
    assert (directory / "main.cf").read_bytes() == b"a = 1\r\nb = \xff\n"
    assert different(directory, [odd]) == []


def test_nothing_stands_in_the_directory_while_the_set_is_staged(directory):
    with staged(str(directory), SET) as stage:
        assert not (directory / "main.cf").exists()
        assert os.path.exists(os.path.join(stage, "sql/map.cf"))
    assert list(directory.iterdir()) == []


def test_a_stage_is_removed_after_a_failure(directory):
    with pytest.raises(ZeroDivisionError), staged(str(directory), SET):
        raise ZeroDivisionError
    assert list(directory.iterdir()) == []


def test_what_a_killed_run_left_is_removed(directory):
    with staged(str(directory), SET) as left:
        os.rename(left, str(directory / ".groupware-mailserver-left"))
    put(directory)
    assert sorted(path.name for path in directory.iterdir()) == ["main.cf", "sql"]


def test_a_link_is_replaced_and_what_it_leads_to_is_kept(directory, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("theirs\n")
    (directory / "main.cf").symlink_to(elsewhere)
    put(directory)
    assert elsewhere.read_text() == "theirs\n"
    assert not (directory / "main.cf").is_symlink()


def test_what_stood_before_is_kept_once(directory, tmp_path):
    backup = tmp_path / "backups" / "postfix"
    (directory / "main.cf").write_text("theirs\n")
    back_up(str(directory), SET, str(backup))
    (directory / "main.cf").write_text("ours\n")
    back_up(str(directory), SET, str(backup))
    assert {p.name: p.read_text() for p in backup.rglob("*") if p.is_file()} == {
        "main.cf": "theirs\n"
    }
    assert mode(backup) == 0o700


def test_nothing_is_kept_of_a_directory_without_our_files(directory, tmp_path):
    back_up(str(directory), SET, str(tmp_path / "backups" / "postfix"))
    assert not (tmp_path / "backups").exists()
