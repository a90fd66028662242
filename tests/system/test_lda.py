# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail is delivered by dovecot-lda as well as by LMTP, and a host changes between them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from runs import TOP, environment


@pytest.fixture(scope="module")
def by_lda(playbooks, hosts):
    """The same hosts with the pipe to dovecot-lda; LMTP again afterwards."""
    changed = playbooks.succeed("site", postfix_delivery="lda").changed
    yield changed
    playbooks.succeed("site")


def test_only_postfix_changes(by_lda, hosts):
    for host in hosts:
        assert by_lda[host.name]
        assert all("postfix" in task for task in by_lda[host.name])
        assert host.output("postconf", "-h", "virtual_transport") == "dovecot"


def test_everything_that_is_true_of_delivery_is_true_with_lda(by_lda, hosts):
    """The tests of molecule's scenario that are marked as delivery, once more."""
    chosen = ",".join(f"podman://{host.name}" for host in hosts)
    tests = TOP / "molecule/mailhost/tests"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "delivery", f"--hosts={chosen}", tests],
        env=environment(),
        cwd=TOP,
        check=False,
        capture_output=True,
        text=True,
    )
    print(done.stdout[-20000:])
    assert done.returncode == 0


def test_a_second_run_with_lda_changes_nothing(by_lda, playbooks):
    assert playbooks.succeed("site", postfix_delivery="lda").changed == {}
