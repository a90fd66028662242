# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook accounts, with people in variables of groups and hosts, and in files."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.passwords import (
    matches,
)

from .conftest import Host

SECRET = "Planted %s {{ x }}"
HASH = "{SSHA256}" + base64.b64encode(b"digest and salt, together 36 bytes..").decode()


@dataclass
class Inventory:
    """A directory with one host, which is this machine. Files of people lie beside it."""

    host: Host
    path: Path

    def says(self, file: str, **variables: Any) -> None:
        """Write the variables of a group or host; the secret is not to be templated."""
        path = self.path / file
        path.parent.mkdir(exist_ok=True)
        said = json.dumps(SECRET)
        path.write_text(json.dumps(variables).replace(said, f"!unsafe {said}"))

    def run(self, *options: str, code: int = 0) -> str:
        """What the playbook prints."""
        groups = ("mailserver_database", "mailserver_imap", "mailserver_smtp", "sales", "staff")
        own = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "mailserver_hostname": "mail.example.net",
            "mailserver_domains": ["example.org"],
        }
        children = {group: {"hosts": {"here": None}} for group in groups}
        (self.path / "hosts.yml").write_text(json.dumps({"all": {"children": children}}))
        self.says("group_vars/mailserver_database.yml", **own)
        # Where the tests' server is, instead of the one that the roles make.
        socket = json.dumps({"__mailserver_sql_socket": self.host.mariadb.socket})
        result = subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", str(self.path)]
            + ["--diff", "-e", socket, *options, "groupware.mailserver.accounts"],
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(
                    (str(self.host.collections), os.environ.get("ANSIBLE_COLLECTIONS_PATH", ""))
                ),
                "LC_ALL": "C.UTF-8",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert result.returncode == code, result.stdout + result.stderr
        assert SECRET not in result.stdout + result.stderr
        return result.stdout + result.stderr

    def usernames(self) -> set[str]:
        return {row["username"] for row in self.host.rows("dovecot_users")}


@pytest.fixture
def inventory(host: Host, tmp_path: Path) -> Inventory:
    (tmp_path / "inventory").mkdir()
    return Inventory(host, tmp_path / "inventory")


def person(name: str, **said: Any) -> dict[str, Any]:
    return {"address": f"{name}@example.org", **said}


def test_groups_hosts_and_files_make_one_set_of_people(inventory: Inventory, host: Host):
    inventory.says("group_vars/all.yml", mailserver_users=[person("ann", password=SECRET)])
    inventory.says(
        "group_vars/sales.yml",
        mailserver_users_sales=[person("ann", quota="1G"), person("bob", password_hash=HASH)],
        mailserver_users_files=["../people.csv", str(inventory.path.parent / "more.jsonl")],
    )
    inventory.says("group_vars/staff.yml", mailserver_users_staff=[person("ann", aliases=[])])
    inventory.says("host_vars/here.yml", mailserver_users_host=[person("ann", quota="2G")])
    (inventory.path.parent / "people.csv").write_text(
        f"address,password_hash\neve@example.org,{HASH}\n"
    )
    (inventory.path.parent / "more.jsonl").write_text(json.dumps(person("joe", password_hash=HASH)))
    inventory.run()
    assert inventory.usernames() == {f"{n}@example.org" for n in ("ann", "bob", "eve", "joe")}
    ann = host.row("dovecot_users", username="ann@example.org")
    assert ann["quota_bytes"] == 2048
    assert matches(SECRET, ann["password"])
    assert "changed=0 " in inventory.run()


def test_groups_that_contradict_each_other_end_the_play_early(inventory: Inventory):
    inventory.says("group_vars/sales.yml", mailserver_users_sales=[person("ann", password=SECRET)])
    inventory.says("group_vars/staff.yml", mailserver_users_staff=[person("ann", password="x")])
    out = inventory.run(code=2)
    assert "password is said in mailserver_users_sales and otherwise in mailserver_users_st" in out
    assert inventory.usernames() == set()


def test_people_are_pruned_only_where_it_is_asked_for(inventory: Inventory):
    (inventory.path.parent / "people.csv").write_text(
        f"address,password_hash\neve@example.org,{HASH}\n"
    )
    inventory.says("group_vars/staff.yml", mailserver_users_files=["../people.csv"])
    people = [person(name, password_hash=HASH) for name in ("ann", "bob", "joe")]
    inventory.says("group_vars/all.yml", mailserver_users=people)
    inventory.run()
    inventory.says("group_vars/all.yml", mailserver_users=people[:1])
    assert "changed=0 " in inventory.run()
    prune = {"mailserver_users": people[:1], "mailserver_users_prune": True}
    inventory.says("group_vars/all.yml", **prune, mailserver_users_prune_limit=1)
    assert "prune would remove 2 of 4 accounts" in inventory.run(code=2)
    inventory.says("group_vars/all.yml", **prune)
    inventory.run()
    assert inventory.usernames() == {"ann@example.org", "eve@example.org"}


def test_new_people_have_the_status_of_the_role(inventory: Inventory, host: Host):
    inventory.says(
        "group_vars/all.yml",
        mailserver_users=[person("ann", password_hash=HASH)],
        accounts_status="disabled",
        accounts_quota="3G",
    )
    inventory.run()
    row = host.row("dovecot_users", username="ann@example.org")
    assert row["quota_bytes"] == 3072
    assert row["status"] == "disabled"


def test_the_rows_are_those_of_the_tine_beside_us(inventory: Inventory, host: Host):
    inventory.says("group_vars/all.yml", mailserver_users=[person("ann", password_hash=HASH)])
    inventory.says(
        "group_vars/mailserver_imap.yml",
        accounts_client_idnr="tine-of-example",
        accounts_instance="tine.example.org",
        accounts_imap_domain="imap.example.org",
        accounts_account_name_destination=False,
        accounts_transaction_size=1,
    )
    inventory.run()
    (row,) = host.rows("dovecot_users")
    assert row["username"] == f"{row['userid']}@tine.example.org"
    assert (row["instancename"], row["domain"]) == ("tine.example.org", "imap.example.org")
    assert [row["client_idnr"] for row in host.rows("smtp_users")] == ["tine-of-example"]
    assert host.destinations() == {("ann@example.org", row["username"], 0)}
    assert "changed=0 " in inventory.run()


def test_an_encrypted_password_is_merged_as_well(inventory: Inventory, host: Host):
    (inventory.path.parent / "key").write_text("key of the vault")
    key = f"--vault-password-file={inventory.path.parent}/key"
    encrypted = subprocess.run(
        [Path(sys.executable).with_name("ansible-vault"), "encrypt_string", key, SECRET],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    (inventory.path / "group_vars").mkdir()
    (inventory.path / "group_vars" / "all.yml").write_text(
        f"mailserver_users:\n  - address: ann@example.org\n    password: {encrypted}"
    )
    inventory.says("group_vars/sales.yml", mailserver_users_sales=[person("ann", quota="1G")])
    inventory.run(key)
    assert matches(SECRET, host.row("dovecot_users", username="ann@example.org")["password"])
