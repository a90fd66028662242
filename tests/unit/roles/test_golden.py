# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles write on a host, beside what they wrote when somebody last looked (golden/).

After a wanted change: UPDATE_GOLDEN=1 make unit ARGS="-k golden", then read the diff of golden/.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.groupware.mailserver.tests.unit.roles import role_files

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
POSTFIX = {"role": "postfix", "set": "__postfix_files"}
DOVECOT = {"role": "dovecot", "set": "__dovecot_files"}
# The hosts of a mail system on three.
SPLIT = {
    "groups": {f"mailserver_{part}": [part] for part in ("database", "imap", "smtp")},
    "hostvars": {
        part: {
            "mailserver_address": f"10.0.0.{number}",
            "mailserver_hostname": f"{part}.example.org",
        }
        for number, part in enumerate(("database", "imap", "smtp"), 1)
    },
}
IMAP = {**SPLIT, "inventory_hostname": "imap", **SPLIT["hostvars"]["imap"]}
SMTP = {**SPLIT, "inventory_hostname": "smtp", **SPLIT["hostvars"]["smtp"]}
CASES = {
    "postfix": {**POSTFIX, "variables": {}},
    "postfix-other": {
        **POSTFIX,
        "variables": {
            "postfix_delivery": "lda",
            # As `-e postfix_loopback_only=yes` and inventories in INI form give it.
            "postfix_loopback_only": "yes",
            "postfix_relayhost": "[smtp.example.net]:587",
            "postfix_virtual_domains": "derived",
            "mailserver_inactive_mail": "reject",
            "postfix_reject_unknown_sender_domain": "false",
            "postfix_milters": ["inet:127.0.0.1:11332"],
            "postfix_postscreen": "yes",
            "mailserver_trusted_clients": ["192.0.2.10", "2001:db8:5::/64"],
            "postfix_settings": {"biff": "yes", "maximal_queue_lifetime": "2d"},
            "mailserver_postmaster": "o'brien@example.org",
            "postfix_header_from": "any",
            "postfix_sender_exceptions": {
                "scanner@example.org": ["o'neil%office@example.org", "Shop.example"],
                "4f1c2a@people.test": ["second.example"],
            },
        },
    },
    "dovecot-2.3": {
        **DOVECOT,
        "variables": {
            "__dovecot_generation": "2.3",
            "dovecot_sieve_before": {"first": "keep;", "second": "keep;"},
        },
    },
    "dovecot-2.4": {**DOVECOT, "variables": {"__dovecot_generation": "2.4"}},
    "postfix-split": {**POSTFIX, "variables": SMTP},
    "dovecot-2.3-split": {**DOVECOT, "variables": {**IMAP, "__dovecot_generation": "2.3"}},
    "dovecot-2.4-split": {**DOVECOT, "variables": {**IMAP, "__dovecot_generation": "2.4"}},
    "dovecot-2.3-logins": {**DOVECOT, "variables": {**SMTP, "__dovecot_generation": "2.3"}},
    "dovecot-2.4-logins": {**DOVECOT, "variables": {**SMTP, "__dovecot_generation": "2.4"}},
    "dovecot-2.4-other": {
        **DOVECOT,
        "variables": {
            "__dovecot_generation": "2.4",
            "mailserver_trusted_clients": ["192.0.2.10", "2001:db8:5::/64"],
            "dovecot_imap_client_workarounds": [],
            "dovecot_quota_full_tempfail": "no",
            "mailserver_quota_message": "ignore",
            "dovecot_quota_warnings": [],
            "dovecot_junk_headers": {"X-Spam": "Yes*", "X-Spam-Flag": 'a "YES"'},
            "dovecot_sieve_before": {"second": "keep;", "last": "keep;"},
            "dovecot_sieve_after": {"end": "keep;"},
            "dovecot_settings": {
                "mail_debug": True,
                "protocol imap": {"mail_max_userip_connections": 50},
            },
        },
    },
}


@pytest.fixture(scope="module")
def rendered():
    return role_files.rendered(CASES)


def write(directory, files):
    for path, content in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(content)


def read(directory):
    found = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {str(path.relative_to(directory)): path.read_text() for path in found}


@pytest.mark.parametrize("case", CASES)
def test_the_files_are_those_of_golden(case, rendered):
    if os.environ.get("UPDATE_GOLDEN"):
        write(GOLDEN / case, rendered[case])
    assert rendered[case] == read(GOLDEN / case)


def test_passwords_are_in_the_files_for_secrets_alone(rendered):
    holding = {path for case in rendered.values() for path in case if "password-of-" in case[path]}
    assert {path for path in holding if not path.startswith("sql/")} == {
        "dovecot-sql.conf",
        "dovecot-dict-sql.conf",
        "dovecot-master-sql.conf",
        "end-sessions.cnf",
    }


@pytest.mark.parametrize("case", CASES)
def test_lines_have_no_blanks_at_their_ends(case, rendered):
    ends = [
        f"{path}: {line}"
        for path, content in rendered[case].items()
        for line in content.splitlines()
        # An empty value in main.cf: the blank belongs to `name = `.
        if line != line.rstrip() and not line.endswith(" = ")
    ]
    assert ends == []
