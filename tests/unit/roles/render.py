# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render a role's set of configuration files as Ansible does, without a host.

Runs by itself, because Ansible's import of collections and pytest's do not go together: reads cases
as JSON ({name: {role, set, variables}}) from standard input and writes {name: {path: content}}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar

ROLES = Path(__file__).parents[3] / "roles"
KNOWN = {
    "inventory_hostname": "mail",
    "groups": dict.fromkeys(
        ("mailserver_database", "mailserver_imap", "mailserver_smtp"), ["mail"]
    ),
    "hostvars": {},
    "mailserver_hostname": "mail.example.org",
    "mailserver_domains": ["example.org"],
    "mailserver_users": [{"address": "ann@example.org"}],
    "__mailserver_sql_password": {
        "dovecot": "password-of-dovecot",
        "dovecot_dict": "password-of-dovecot_dict",
        "postfix": "password-of-postfix",
    },
}


def variables(role: str, loader: DataLoader) -> dict[str, object]:
    """Return what Ansible would know in the role, templates unresolved."""
    found: dict[str, object] = {}
    for part in ("defaults", "vars"):
        for name in ("mailserver", role):
            file = ROLES / name / part / "main.yml"
            found |= loader.load_from_file(str(file), trusted_as_template=True)
    return found


def rendered(case: dict) -> dict[str, str]:
    loader = DataLoader()
    known = {**variables(case["role"], loader), **KNOWN, **case["variables"]}
    known["ansible_search_path"] = [str(ROLES / case["role"])]
    files = Templar(loader=loader, variables=known).template(known[case["set"]])
    return {file["path"]: file.get("content", file.get("secret_content")) for file in files}


if __name__ == "__main__":
    init_plugin_loader([])
    json.dump({name: rendered(case) for name, case in json.load(sys.stdin).items()}, sys.stdout)
