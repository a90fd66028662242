# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs of the playbooks, on the hosts of molecule.

Those that are not there are made from nothing. They stay (`make containers-clean`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "molecule/shared"), str(TOP / "tests/system")]

from mailhost import CLIENT, MailHost
from runs import Playbooks, environment, inventory

BED = TOP / "tests/bed"
# Two runs on one machine need hosts of their own: SYSTEM_HOSTS=other make system
PREFIX = os.environ.get("SYSTEM_HOSTS", "mailhost")
HOSTS = {f"{PREFIX}-debian12": "bookworm", f"{PREFIX}-debian13": "trixie"}
BASE = "localhost/groupware-mailserver-base"


def bed(*command):
    subprocess.run([BED / command[0], *command[1:]], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def playbooks(tmp_path_factory):
    return Playbooks(inventory(tmp_path_factory.mktemp("system") / "inventory", HOSTS))


def prepared(playbooks, limit):
    """What molecule does to these hosts before anything else."""
    playbook = TOP / "molecule/mailhost/prepare.yml"
    subprocess.run(
        ["ansible-playbook", "-i", playbooks.inventory, playbook, f"--limit={limit}"],
        check=True,
        env=environment(),
        stdout=subprocess.DEVNULL,
    )


@pytest.fixture(scope="session")
def outside(playbooks):
    """The machine that takes outside mail."""
    bed("container.sh", "start", CLIENT, f"{BASE}:trixie", "client.example.test,outside.test")
    prepared(playbooks, CLIENT)


@pytest.fixture(scope="session")
def started(outside, playbooks):
    """Both hosts, bare or as molecule has left them."""
    for host, release in HOSTS.items():
        bed("container.sh", "start", host, f"{BASE}:{release}", f"{host}.example.test")
    prepared(playbooks, ",".join(HOSTS))
    return list(HOSTS)


@pytest.fixture(scope="session")
def hosts(started, playbooks):
    """Both hosts, built."""
    playbooks.succeed("site")
    return [MailHost(name) for name in HOSTS]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What the services said goes with a failure."""
    report = yield
    moved = item.funcargs.get("moved")
    known = [moved.host] if moved else item.funcargs.get("hosts", [])
    for tested in known if report.failed else []:
        said = tested.journal("postfix@-", "postfix", "dovecot", "mariadb", since="-90s")
        report.sections.append((f"Journal of {tested.name}", said[-4000:]))
    return report
