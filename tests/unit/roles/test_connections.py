# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""MariaDB lets in every connection that Postfix and Dovecot, as the roles set them, can open."""

from __future__ import annotations

import re

import pytest
from ansible_collections.groupware.mailserver.tests.integration.statements import parsed
from ansible_collections.groupware.mailserver.tests.unit.roles.role_files import TOP, defaults

GOLDEN = TOP / "tests/unit/roles/golden"
OTHERS = 100  # tine, Ansible and people

# Where the files are silent, on both releases (postconf -d, doveconf -d).
POSTFIX_PROCESSES = 100  # default_process_limit
DOVECOT_WORKERS = 30  # auth_worker_max_count of 2.3, process_limit of 2.4
DOVECOT_PROCESSES = 100  # default_process_limit


def postfix_connections(case: str) -> int:
    """A proxymap process keeps a connection for each map that it has been asked for."""
    main, master = ((GOLDEN / case / name).read_text() for name in ("main.cf", "master.cf"))
    maps = set(re.findall(r"[^\s,]*mysql:[^\s,]+\.cf", main + master))
    assert all(name.startswith("proxy:mysql:") for name in maps)
    limit = re.search(r"^default_process_limit = (\d+)$", main, re.MULTILINE)
    (service,) = re.findall(r"^proxymap +(?:\S+ +){5}(\S+) +proxymap$", master, re.MULTILINE)
    processes = {"-": int(limit[1]) if limit else POSTFIX_PROCESSES}.get(service)
    return (processes or int(service)) * len(maps)


def dovecot_connections(generation: str) -> int:
    """An auth worker has one; a process of the dictionary has one for each dictionary at most."""
    top = parsed((GOLDEN / f"dovecot-{generation}/dovecot.conf").read_text())
    services = top.names("service")
    limit = int(top.settings.get("default_process_limit", DOVECOT_PROCESSES))

    def processes(service: str, default: int) -> int:
        return int(services[service].settings.get("process_limit", default))

    workers = int(top.settings.get("auth_worker_max_count", DOVECOT_WORKERS))
    names = {section.name: section for section in top.sections}
    dictionaries = (
        names["dict"].settings if generation == "2.3" else names["dict_server"].names("dict")
    )
    assert dictionaries
    return processes("auth-worker", workers) + processes("dict", limit) * len(dictionaries)


@pytest.mark.parametrize("postfix", ["postfix", "postfix-other"])
@pytest.mark.parametrize("generation", ["2.3", "2.4"])
def test_the_server_lets_in_all_that_the_services_can_open(postfix: str, generation: str):
    # An SMTP host of its own has a Dovecot of its own for logins.
    logins = DOVECOT_WORKERS
    needed = postfix_connections(postfix) + dovecot_connections(generation) + logins + OTHERS
    assert needed <= defaults("mariadb")["mariadb_max_connections"]


def test_the_limit_of_the_server_is_needed():
    """MariaDB's own would not do, even without anybody else."""
    assert postfix_connections("postfix") + dovecot_connections("2.4") > 151
