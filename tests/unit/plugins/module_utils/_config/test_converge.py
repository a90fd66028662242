# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a set of files to a checked set in place: with a checking program of our own."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._config.checks import (
    SERVICES,
    Candidate,
    Service,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._config.converge import converge
from ansible_collections.groupware.mailserver.plugins.module_utils._config.errors import (
    ConfigurationRefused,
    NotInstalled,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._config.files import ConfigFile

OWNER = pwd.getpwuid(os.getuid()).pw_name
GROUP = grp.getgrgid(os.getgid()).gr_name


def complaints(candidate):
    """A program that dislikes the word `wrong`."""
    texts = [Path(candidate.path(file)).read_text() for file in candidate.files]
    return [f"fatal: {text.strip()}" for text in texts if "wrong" in text]


def restart_settings(files):
    return {file.path: file.content for file in files if "restart" in file.content}


@pytest.fixture(autouse=True)
def services(monkeypatch):
    monkeypatch.setitem(SERVICES, "there", Service("sh", complaints, restart_settings))
    monkeypatch.setitem(
        SERVICES, "missing", Service("no-such-program", complaints, restart_settings)
    )


@pytest.fixture
def run(tmp_path):
    directory = tmp_path / "etc"
    directory.mkdir()
    (directory / "main.cf").write_text("theirs\n")

    def run(content="ours\n", service="there", check_mode=False, watch=()):
        return converge(
            service=service,
            directory=str(directory),
            files=[ConfigFile("main.cf", content, OWNER, GROUP)],
            watch=watch,
            state_directory=str(tmp_path / "state"),
            backup_directory=str(tmp_path / "backups"),
            check_mode=check_mode,
        )

    return run


def tree(directory):
    return {
        str(path.relative_to(directory)): path.read_text()
        for path in directory.rglob("*")
        if path.is_file()
    }


def reloaded(tmp_path, service="there"):
    (tmp_path / "state" / f"{service}.next").rename(tmp_path / "state" / f"{service}.loaded")


def test_the_first_run_keeps_what_stood_and_asks_for_a_restart(run, tmp_path):
    result = run()
    assert (result["changed"], result["action"]) == (True, "restart")
    assert result["files"] == [str(tmp_path / "etc" / "main.cf")]
    assert tree(tmp_path / "etc") == {"main.cf": "ours\n"}
    assert tree(tmp_path / "backups") == {"there/main.cf": "theirs\n"}


def test_a_second_run_has_nothing_to_do(run, tmp_path):
    run()
    reloaded(tmp_path)
    assert run() == {"changed": False, "action": "none", "files": [], "diff": []}


def test_a_change_is_shown_and_asks_for_a_reload(run, tmp_path):
    run()
    reloaded(tmp_path)
    result = run("ours, new\n")
    assert result["action"] == "reload"
    assert [(d["before"], d["after"]) for d in result["diff"]] == [("ours\n", "ours, new\n")]


def test_a_refused_configuration_changes_nothing(run, tmp_path):
    run()
    reloaded(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(ConfigurationRefused, match="fatal: wrong") as refused:
        run("wrong\n")
    assert "the old one stays in place" in str(refused.value)
    assert tree(tmp_path) == before


def test_check_mode_predicts_and_writes_nothing(run, tmp_path):
    before = tree(tmp_path)
    predicted = run(check_mode=True)
    assert tree(tmp_path) == before
    assert predicted == run()


def test_without_the_program_nothing_is_put_in_place(run, tmp_path):
    before = tree(tmp_path)
    with pytest.raises(NotInstalled, match="no-such-program is not on this host"):
        run(service="missing")
    assert tree(tmp_path) == before


def test_check_mode_refuses_what_the_run_would_refuse(run):
    with pytest.raises(ConfigurationRefused):
        run("wrong\n", check_mode=True)


def test_check_mode_on_a_bare_host_predicts_without_the_program_and_the_directory(tmp_path):
    result = converge(
        service="missing",
        directory=str(tmp_path / "absent"),
        files=[ConfigFile("sql/x.cf", "wrong\n", OWNER, GROUP)],
        watch=[str(tmp_path / "no-certificate")],
        state_directory=str(tmp_path / "state"),
        backup_directory=str(tmp_path / "backups"),
        check_mode=True,
    )
    assert (result["changed"], result["action"]) == (True, "restart")
    assert list(tmp_path.iterdir()) == []


def test_a_run_killed_before_the_reload_is_finished_by_the_next(run, tmp_path):
    run()
    reloaded(tmp_path)
    run("ours, new\n")
    result = run("ours, new\n")
    assert (result["changed"], result["action"], result["files"]) == (True, "reload", [])
    reloaded(tmp_path)
    assert run("ours, new\n")["changed"] is False


def test_a_renewed_certificate_asks_for_a_reload(run, tmp_path):
    certificate = tmp_path / "cert.pem"
    certificate.write_text("old")
    run(watch=[str(certificate)])
    reloaded(tmp_path)
    certificate.write_text("new")
    assert run(watch=[str(certificate)])["action"] == "reload"


def test_what_somebody_changed_by_hand_is_put_right_and_reloaded(run, tmp_path):
    run()
    reloaded(tmp_path)
    (tmp_path / "etc" / "main.cf").write_text("by hand\n")
    assert run()["action"] == "reload"
    assert tree(tmp_path / "etc") == {"main.cf": "ours\n"}


def test_a_setting_that_a_reload_does_not_reach_asks_for_a_restart(run, tmp_path):
    run()
    reloaded(tmp_path)
    assert run("restart me\n")["action"] == "restart"


@pytest.mark.parametrize(
    ("complaint", "known"),
    [
        ('postconf: open "/etc/postfix/sql/x.cf": No such file or directory', True),
        ('postconf: open "/etc/postfix/other.cf": No such file or directory', False),
        ('postconf: open "/etc/postfix/sql/x.cf": Permission denied', False),
    ],
)
def test_a_file_that_comes_with_the_set_is_not_missing(complaint, known):
    files = [ConfigFile("sql/x.cf", "")]
    assert Candidate("/stage", "/etc/postfix", files, live=False).known(complaint) is known
