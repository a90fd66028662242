# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What check mode says on a bare host is what the run then does (tests/bed/callback/changes.py)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

RECORDS = Path(__file__).resolve().parents[3] / ".dev" / "changes"


@pytest.fixture
def recorded(host):
    """The changes of this host in one of the records."""

    def read(name: str) -> list[dict]:
        lines = (RECORDS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        return [change for change in map(json.loads, lines) if change["host"] == host.backend.name]

    return read


def tasks(changes: list[dict]) -> list[tuple[str, str]]:
    return sorted((change["task"], str(change["item"])) for change in changes)


def test_check_mode_on_the_bare_host_predicts_what_the_run_changes(recorded):
    predicted = tasks(recorded("predicted"))
    assert len(predicted) > 10
    assert predicted == tasks(recorded("changed"))


def test_a_second_run_changes_nothing(recorded):
    assert tasks(recorded("again")) == []


def test_the_prediction_names_every_package(host, recorded):
    said = {word for change in recorded("predicted") for word in _said(change).split()}
    log = host.file("/var/log/dpkg.log").content_string.splitlines()
    installed = {line.split()[3].split(":")[0] for line in log if line.split()[2] == "install"}
    since_the_image_was_built = installed - _in_the_image(log)
    assert "dovecot-core" in since_the_image_was_built
    assert since_the_image_was_built <= said


def _in_the_image(log: list[str]) -> set[str]:
    """The packages that were there before the first package of the mail host."""
    first = next(n for n, line in enumerate(log) if " install mariadb-" in line)
    return {line.split()[3].split(":")[0] for line in log[:first] if line.split()[2] == "install"}


def _said(change: dict) -> str:
    return f"{change['task']} {change['item']} " + json.dumps(change["said"]).replace("\\n", " ")


@pytest.mark.parametrize(
    "name",
    [
        "/etc/mysql/mariadb.conf.d/60-groupware-mailserver.cnf",
        "/etc/ssl/certs/ssl-mail.pem",
        "/etc/postfix/main.cf",
        "/etc/postfix/master.cf",
        "/etc/postfix/sql/sql-virtual_mailbox_domains.cf",
        "/etc/postfix/sql/sql-virtual_mailbox_maps.cf",
        "/etc/postfix/sql/sql-virtual_alias_maps_aliases.cf",
        "/etc/dovecot/dovecot.conf",
        "/etc/dovecot/dovecot-sql.conf",
        "/etc/dovecot/dovecot-dict-sql.conf",
        "/var/vmail",
        "vmail",
        "databases that would be created: dovecot, postfix",
        "SQL account that would be created: dovecot_dict",
        "SQL account that would be created: postfix",
        "create table postfix.smtp_users",
        "host example.org",
    ],
)
def test_the_prediction_names(recorded, name):
    assert any(name in _said(change) for change in recorded("predicted"))


def test_the_prediction_names_every_account(host, recorded):
    said = " ".join(_said(change) for change in recorded("predicted"))
    query = "SELECT email FROM postfix.smtp_users WHERE last_modified_time IS NOT NULL"
    addresses = host.check_output("mariadb -N -e %s", query).split()
    assert addresses
    assert all(f"create {address}" in said for address in addresses)
