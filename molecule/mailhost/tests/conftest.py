# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests of a mail host share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "shared"))

from mailhost import MailHost

SERVICES = ("postfix@-", "postfix", "dovecot", "mariadb")


def pytest_addoption(parser):
    parser.addoption("--imap-host", default="", help="the container with the mailboxes")
    parser.addoption("--database-host", default="", help="the container with the database")


def pytest_configure(config):
    config.addinivalue_line("markers", "delivery: true however mail is delivered, LMTP or LDA")


@pytest.fixture(scope="module")
def mailhost(host, request):
    """The host under test, as its clients see it."""
    others = (request.config.getoption(name) for name in ("--imap-host", "--database-host"))
    return MailHost(host.backend.name, *others)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What the services said goes with a failure."""
    report = yield
    tested = item.funcargs.get("mailhost") if hasattr(item, "funcargs") else None
    if report.failed and tested:
        for one in {tested.name: tested, tested.mailboxes.name: tested.mailboxes}.values():
            said = one.journal(*SERVICES, since="-90s")
            report.sections.append((f"Journal of {one.name}", said[-6000:]))
    return report
