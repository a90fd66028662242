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


def pytest_configure(config):
    config.addinivalue_line("markers", "delivery: true however mail is delivered, LMTP or LDA")


@pytest.fixture(scope="module")
def mailhost(host):
    """The host under test, as its clients see it."""
    return MailHost(host.backend.name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What the services said goes with a failure."""
    report = yield
    tested = item.funcargs.get("mailhost") if hasattr(item, "funcargs") else None
    if report.failed and tested:
        said = tested.journal(*SERVICES, since="-90s")
        report.sections.append((f"Journal of {tested.name}", said[-6000:]))
    return report
