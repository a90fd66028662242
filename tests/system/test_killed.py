# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that dies between a new configuration and its reload is finished by the next one."""

from __future__ import annotations

import os
import signal

import pytest
from mailhost import PEOPLE, letter
from runs import LONGEST

ANN = PEOPLE["ann"]
GREETING = "Written before the kill."


def dovecot_greets(host):
    """What the running Dovecot says; it reads its configuration only at a reload."""
    session = host.bare_imap()
    session.shutdown()
    return session.welcome.decode()


def times_loaded(host):
    """How often Postfix has read its configuration so far."""
    said = host.output("journalctl", "--no-pager", "-o", "cat", "-t", "postfix/master")
    return said.count("reload -- version") + said.count("daemon started")


def killed_after(process, task, count):
    """Reads what the run says, and kills all of it when this task is done on that many hosts."""
    output, inside = [], False
    for line in process.stdout:
        output.append(line)
        if line.startswith("TASK ["):
            inside = task in line
        count -= inside and line.startswith("changed: [")
        if not count:
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    process.wait(LONGEST)
    assert not count, "".join(output)[-8000:]


def test_dovecot_gets_what_a_killed_run_has_left(playbooks, hosts):
    settings = {"dovecot_settings": {"login_greeting": GREETING}}
    run = playbooks.start("site", "--tags", "dovecot", **settings)
    killed_after(run, "The configuration that Dovecot accepts is in place", len(hosts))
    for host in hosts:
        assert GREETING in host.output("cat", "/etc/dovecot/dovecot.conf")
        assert host.output("ls", "/var/lib/groupware-mailserver/dovecot.next")

    finished = playbooks.succeed("site", "--tags", "dovecot", **settings)
    assert all(finished.changed[host.name] for host in hosts)
    for host in hosts:
        assert GREETING in dovecot_greets(host)
    assert playbooks.succeed("site", "--tags", "dovecot", **settings).changed == {}


def test_postfix_gets_what_a_killed_run_has_left(playbooks, hosts):
    settings = {"postfix_settings": {"smtpd_banner": f"$myhostname ESMTP {GREETING}"}}
    settings["postfix_settings"]["transport_maps"] = (
        "inline:{ {outside.test = smtp:[outside.test]} }"
    )
    before = [times_loaded(host) for host in hosts]
    run = playbooks.start("site", "--tags", "postfix", **settings)
    killed_after(run, "The configuration that Postfix accepts is in place", len(hosts))
    assert [times_loaded(host) for host in hosts] == before
    for host in hosts:
        assert GREETING in host.output("cat", "/etc/postfix/main.cf")

    finished = playbooks.succeed("site", "--tags", "postfix", **settings)
    assert all(finished.changed[host.name] for host in hosts)
    assert all(times_loaded(host) > old for host, old in zip(hosts, before))
    assert playbooks.succeed("site", "--tags", "postfix", **settings).changed == {}


@pytest.fixture(scope="module", autouse=True)
def as_before(playbooks, hosts):
    """The hosts go back to what their inventory says, and work."""
    yield
    playbooks.succeed("site")
    for host in hosts:
        sent = letter("somebody@outside.test", ANN.address)
        host.send(sent)
        host.arrived(ANN, sent)
