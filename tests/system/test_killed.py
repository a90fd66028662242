# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that dies between a new configuration and its reload is finished by the next one."""

from __future__ import annotations

import os
import signal
import socket

import pytest
from mailhost import ANSWER, INVENTORY, PEOPLE, letter
from runs import LONGEST

ANN = PEOPLE["ann"]
GREETING = "Written before the kill."


# What each service writes when it reads its configuration.
LOADED = {
    "dovecot": ("reloading configuration", "starting up for"),
    "postfix": ("reload -- version", "daemon started"),
}


def times_loaded(host, service):
    """How often the service has read its configuration so far."""
    said = host.output("journalctl", "--no-pager", "-o", "cat", "-u", f"{service}*")
    return sum(said.count(words) for words in LOADED[service])


def greeting_of(host, service):
    """What the service says to a newcomer."""
    if service == "dovecot":
        session = host.bare_imap()
        session.shutdown()
        return session.welcome.decode()
    with socket.create_connection((host.ipv4, 25), timeout=ANSWER) as connection:
        return connection.recv(1024).decode()


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


SETTINGS = {
    "dovecot": {"dovecot_settings": {"login_greeting": GREETING}},
    "postfix": {
        "postfix_settings": {
            **INVENTORY["postfix_settings"],
            "smtpd_banner": f"$myhostname ESMTP {GREETING}",
        }
    },
}


@pytest.fixture(params=["dovecot", pytest.param("postfix", marks=pytest.mark.long)])
def service(request, playbooks, hosts):
    """The hosts go back to what their inventory says, and work."""
    yield request.param
    playbooks.succeed("site", "--tags", request.param)
    for host in hosts:
        sent = letter("somebody@outside.test", ANN.address)
        host.send(sent)
        host.arrived(ANN, sent)


def test_a_service_gets_what_a_killed_run_has_left(playbooks, hosts, service):
    site = ("site", "--tags", service)
    settings = SETTINGS[service]
    before = [times_loaded(host, service) for host in hosts]
    run = playbooks.start(*site, **settings)
    task = f"The configuration that {service.title()} accepts is in place"
    killed_after(run, task, len(hosts))
    assert [times_loaded(host, service) for host in hosts] == before
    main = {"dovecot": "/etc/dovecot/dovecot.conf", "postfix": "/etc/postfix/main.cf"}[service]
    assert all(GREETING in host.output("cat", main) for host in hosts)

    finished = playbooks.succeed(*site, **settings)
    assert all(finished.changed[host.name] for host in hosts)
    assert all(times_loaded(host, service) > old for host, old in zip(hosts, before))
    assert all(GREETING in greeting_of(host, service) for host in hosts)
    assert playbooks.succeed(*site, **settings).changed == {}
