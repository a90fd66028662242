# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs after the first one, and what they say."""

from __future__ import annotations

import base64
import json
import re

import pytest
import yaml
from mailhost import INVENTORY, PEOPLE, TOP, letter

ROLE = yaml.safe_load((TOP / "roles/mailserver/vars/main.yml").read_text())
SQL_PASSWORDS = ROLE["__mailserver_sql_passwords_file"]

OUTSIDE = "somebody@outside.test"


def secrets(hosts):
    """Every secret that is planted, and every one that was made of it or beside it."""
    entries = INVENTORY["mailserver_users"]
    found = [entry["password"] for entry in entries if "password" in entry]
    found += [entry["password_hash"] for entry in entries if "password_hash" in entry]
    for host in hosts:
        found += json.loads(host.output("cat", SQL_PASSWORDS)).values()
        found += host.sql("SELECT password FROM dovecot_users")
        found += filter(None, host.sql("SELECT passwd FROM smtp_users", "postfix"))
    found += [text.partition("}")[2] for text in found if text.startswith("{")]
    found += [json.dumps(text)[1:-1] for text in found]
    found += [base64.b64encode(text.encode()).decode() for text in found]
    return set(found) - {""}


def test_a_second_run_changes_nothing_and_a_third_predicts_nothing(playbooks, hosts):
    again = playbooks.succeed("site")
    assert again.changed == {}
    assert set(again.counts.values()) == {0}
    predicted = playbooks.succeed("site", "--check", "--diff")
    assert predicted.changed == {}
    assert predicted.differences == set()


def test_mail_is_proved_by_the_playbook(playbooks, hosts):
    proved = playbooks.succeed("verify")
    for host in hosts:
        assert re.search(rf"{host.hostname}: port 587, round trip \d", proved.output)
        assert re.search(rf"{host.hostname}: port 465, round trip \d", proved.output)
    assert set(proved.counts.values()) == {0}
    for host in hosts:
        assert host.sql("SELECT COUNT(*) FROM dovecot_users WHERE username LIKE 'mailprobe%'") == [
            "0"
        ]
        assert host.output("find", "/var/vmail", "-name", "mailprobe*") == ""


def test_a_failing_proof_says_where_and_in_whose_words(playbooks, hosts):
    failed = playbooks.fail(
        "verify",
        mailserver_probe_username=PEOPLE["ann"].username,
        mailserver_probe_password="wrong-password-k9",
    )
    assert "smtp_login: localhost:587: 535 5.7.8" in failed.output
    assert "wrong-password-k9" not in failed.output


@pytest.mark.long
def test_new_sql_passwords_come_into_effect(playbooks, hosts):
    before = [host.output("cat", SQL_PASSWORDS) for host in hosts]
    rotated = playbooks.succeed("site", "-vvv", "--diff", mailserver_sql_passwords_rotate=True)
    after = [host.output("cat", SQL_PASSWORDS) for host in hosts]
    assert all(old != new for old, new in zip(before, after))
    assert [secret for secret in secrets(hosts) if secret in rotated.output] == []
    for host in hosts:
        sent = letter(OUTSIDE, PEOPLE["ann"].address)
        host.send(sent)
        host.arrived(PEOPLE["ann"], sent)
    assert playbooks.succeed("site").changed == {}
