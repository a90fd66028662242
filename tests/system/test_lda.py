# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail is delivered by dovecot-lda as well as by LMTP, and a host changes between them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from runs import TOP, environment

TESTS = TOP / "molecule/mailhost/tests"


@pytest.fixture(scope="module")
def by_lda(playbooks, hosts):
    """The same hosts with the pipe to dovecot-lda; LMTP again afterwards."""
    changed = playbooks.succeed("site", postfix_delivery="lda").changed
    yield changed
    playbooks.succeed("site", "--tags", "postfix")


def test_only_postfix_changes(by_lda, hosts):
    for host in hosts:
        assert by_lda[host.name]
        assert all("postfix" in task for task in by_lda[host.name])
        assert host.output("postconf", "-h", "virtual_transport") == "dovecot"


def test_everything_that_is_true_of_delivery_is_true_with_lda(by_lda, hosts):
    """The tests of molecule's scenario that are marked as delivery, once more."""
    command = (sys.executable, "-m", "pytest", "-m", "delivery", TESTS)
    options = {"env": environment(), "cwd": TOP, "stdout": subprocess.PIPE, "text": True}
    begun = [
        subprocess.Popen([*command, f"--hosts=podman://{host.name}"], **options) for host in hosts
    ]
    # The second one writes to its pipe meanwhile: less than that holds, unless much fails.
    for done in begun:
        print(done.communicate()[0][-20000:])
    assert [done.returncode for done in begun] == [0] * len(hosts)


@pytest.mark.long
def test_a_second_run_with_lda_changes_nothing(by_lda, playbooks):
    assert playbooks.succeed("site", postfix_delivery="lda").changed == {}
