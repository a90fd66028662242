# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host is as its own programs like it."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("service", ["mariadb", "postfix", "dovecot"])
def test_a_service_runs_now_and_after_a_boot(host, service):
    unit = host.service(service)
    assert unit.is_running
    assert unit.is_enabled


@pytest.mark.parametrize(
    "command",
    ["doveconf -n", "postconf -n", "postconf -M", "postfix check"],
)
def test_a_program_has_no_complaint_about_its_configuration(mailhost, command):
    done = mailhost.run(*command.split(), check=False)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "warning:" not in done.stdout.lower()


def test_no_setting_of_postfix_is_unused(mailhost):
    """postconf warns of names that nothing reads, misspelt ones for instance."""
    assert mailhost.run("postconf", "-n").stderr == ""
    assert mailhost.run("postconf", "-P").stderr == ""


def test_doveadm_finds_everybody(mailhost):
    known = mailhost.output("doveadm", "user", "*").split("\n")
    assert known == sorted(known, key=known.index)
    assert set(known) == set(mailhost.sql("SELECT username FROM dovecot_users"))


def test_only_mail_is_listened_for_from_outside(mailhost):
    listed = mailhost.output("ss", "-Hlnt").split("\n")
    addresses = {line.split()[3] for line in listed}
    ports = {
        int(address.rpartition(":")[2])
        for address in addresses
        if not address.startswith(("127.", "[::1]"))
    }
    assert ports == {25, 465, 587, 143, 993, 110, 995, 4190}


MAPS = [
    ("virtual_mailbox_domains", "example.org", True),
    ("virtual_mailbox_domains", "outside.test", False),
    ("virtual_mailbox_maps", "ann@example.org", True),
    ("virtual_mailbox_maps", "nobody@example.org", False),
]


@pytest.mark.parametrize(("setting", "key", "known"), MAPS)
def test_postfix_itself_can_read_its_maps(mailhost, setting, key, known):
    """As root every map can be read; the services are the user postfix."""
    table = mailhost.output("postconf", "-hx", setting)
    done = mailhost.run(
        "setpriv",
        "--reuid=postfix",
        "--regid=postfix",
        "--clear-groups",
        "postmap",
        "-q",
        key,
        table.removeprefix("proxy:"),
        check=False,
    )
    assert (done.returncode == 0) == known, done.stderr
    assert done.stderr == ""
