# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules as Ansible packs and runs them, with all that it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.passwords import (
    matches,
)

from .conftest import Host

SECRETS = ["Plänted 'one' \"\\ %s $x {{ y }}", "Planted-Two"]


def played(host: Host, path: Path, tasks: list[dict[str, Any]], *options: str) -> str:
    """The output of a play with these tasks; passwords marked unsafe, as in an inventory."""
    login = {"login_unix_socket": host.mariadb.socket}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "module_defaults": {"group/groupware.mailserver.mailserver": login},
        "tasks": tasks,
    }
    text = json.dumps([play], ensure_ascii=False)
    for secret in SECRETS:
        said = json.dumps(secret, ensure_ascii=False)
        text = text.replace(said, f"!unsafe {said}")
    (path / "play.yml").write_text(text)
    result = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "-c", "local"]
        + ["-vvv", "--diff", *options, str(path / "play.yml")],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(host.collections), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_a_play_keeps_the_secrets_and_the_action_group_gives_the_login(host: Host, tmp_path: Path):
    accounts = [
        {"address": f"p{number}@example.org", "password": secret, "password_scheme": "SSHA256"}
        for number, secret in enumerate(SECRETS)
    ]
    tasks = [
        {"groupware.mailserver.mail_schema": {}},
        {"groupware.mailserver.mail_domain": {"name": ["third.example"]}},
        {"groupware.mailserver.mail_accounts": {"accounts": accounts, "show_queries": True}},
        {"groupware.mailserver.mail_user": {**accounts[0], "quota": "1G"}},
    ]
    predicted = played(host, tmp_path, tasks, "--check")
    first = played(host, tmp_path, tasks)
    second = played(host, tmp_path, tasks)
    assert "changed=3 " in first
    assert "changed=1 " not in second
    assert "changed=0 " in second
    stored = [row["password"] for row in host.rows("dovecot_users")]
    stored += [row["passwd"] for row in host.rows("smtp_users")]
    for number, secret in enumerate(SECRETS):
        row = host.row("dovecot_users", username=f"p{number}@example.org")
        assert matches(secret, row["password"])
    for output in (predicted, first, second):
        for secret in [*SECRETS, *stored]:
            assert secret not in output
            assert json.dumps(secret)[1:-1] not in output
    assert "imap password: (new)" in first
