# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wrong inventory ends the play before a host is touched: these hosts do not even exist."""

from __future__ import annotations

import json
import re

import pytest
from mailhost import podman
from runs import Playbooks, inventory, written

SECRET = "planted-Xq4w8"


def ann(**more):
    return {"address": "ann@example.org", "password": SECRET, **more}


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory):
    folder = inventory(tmp_path_factory.mktemp("nowhere") / "inventory", ["nowhere"])
    return Playbooks(folder)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """An inventory that says nothing but where the hosts are."""
    folder = inventory(tmp_path_factory.mktemp("empty") / "inventory", ["nowhere"])
    (folder / "group_vars").unlink()
    return Playbooks(folder)


def stopped_early(run):
    assert "UNREACHABLE" not in run.output
    assert set(run.counts.values()) <= {0}
    assert SECRET not in run.output


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"mailserver_domains": ["example.org"]}, "mailserver_hostname"),
        ({"mailserver_hostname": "mail.example.org"}, "mailserver_domains"),
    ],
)
def test_what_is_missing_is_named(empty, variables, words):
    run = empty.fail("site", **variables)
    stopped_early(run)
    assert f"{words}: is missing: expected" in run.output


WRONG = [
    ({"mailserver_hostname": "mail"}, ["mailserver_hostname", "'mail'"]),
    ({"mailserver_hostname": "mail .example.org"}, ["mailserver_hostname", "'mail .example.org'"]),
    ({"mailserver_hostname": 7}, ["mailserver_hostname", "'7'"]),
    ({"mailserver_domains": []}, ["mailserver_domains"]),
    ({"mailserver_domains": "example.org"}, ["mailserver_domains", "'example.org'"]),
    ({"mailserver_domains": ["-example.org"]}, ["mailserver_domains", "'-example.org'"]),
    ({"mailserver_domains": ["ann@example.org"]}, ["mailserver_domains", "'ann@example.org'"]),
    ({"mailserver_postmaster": "nobody"}, ["mailserver_postmaster", "'nobody'"]),
    ({"mailserver_users": {"address": "x"}}, ["mailserver_users"]),
    ({"mailserver_users": [ann(address="ann")]}, ["mailserver_users", "'ann'"]),
    ({"mailserver_users": [ann(address="a b@example.org")]}, ["mailserver_users", "a b@"]),
    ({"mailserver_users": [ann(), ann()]}, ["mailserver_users", "ann@example.org"]),
    ({"mailserver_users": [ann(quota="2X")]}, ["mailserver_users", "ann@example.org", "'2X'"]),
    ({"mailserver_users": [ann(quota=1000)]}, ["mailserver_users", "ann@example.org", "1000"]),
    ({"mailserver_users": [ann(pasword="x")]}, ["mailserver_users", "pasword"]),
    ({"mailserver_users": [ann(password="")]}, ["mailserver_users", "ann@example.org", "password"]),
    ({"mailserver_users": [ann(password=f"{SECRET}\nx")]}, ["ann@example.org", "line end"]),
    ({"mailserver_users": [ann(password_hash=f"{{SHA512-CRYPT}}{SECRET}")]}, ["ann@example.org"]),
    ({"mailserver_users": [{"address": "b@example.org", "password_hash": SECRET}]}, ["b@example"]),
    ({"mailserver_users": [ann(aliases=["sales"])]}, ["ann@example.org", "'sales'"]),
    ({"mailserver_users": [ann(forwards=["out side@x.org"])]}, ["ann@example.org", "out side@"]),
    ({"mailserver_users": [ann(state="gone")]}, ["ann@example.org", "'gone'"]),
    (
        {"mailserver_sql_passwords": {"postfix": f"{SECRET} x"}},
        ["mailserver_sql_passwords", "blank"],
    ),
    ({"mailserver_sql_passwords": {"postfix": f"{SECRET}\n"}}, ["sql_passwords", "line end"]),
    ({"mailserver_sql_passwords": SECRET}, ["mailserver_sql_passwords"]),
    ({"mailserver_users": [SECRET]}, ["mailserver_users"]),
    ({"mailserver_sql_passwords": {"root": SECRET}}, ["mailserver_sql_passwords", "'root'"]),
    ({"mailserver_dovecot_database": "a`b"}, ["mailserver_dovecot_database", "a`b"]),
    ({"mailserver_mail_directory": "var/vmail"}, ["mailserver_mail_directory", "'var/vmail'"]),
    ({"mailserver_certificate_file": "cert.pem"}, ["mailserver_certificate_file", "'cert.pem'"]),
]


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """One run for all faults: each is that of another host."""
    hosts = [f"nowhere-{number}" for number in range(len(WRONG))]
    folder = inventory(tmp_path_factory.mktemp("wrong") / "inventory", hosts)
    (folder / "host_vars").mkdir()
    for host, (variables, _words) in zip(hosts, WRONG):
        written(variables).rename(folder / f"host_vars/{host}.yml")
    run = Playbooks(folder).fail("site")
    stopped_early(run)
    return run


@pytest.mark.parametrize(
    "number", range(len(WRONG)), ids=[json.dumps(given)[:60] for given, _words in WRONG]
)
def test_what_is_wrong_is_named_with_its_value(refused, number):
    (said,) = re.findall(rf"^fatal: \[nowhere-{number}\]: FAILED! => (.*)$", refused.output, re.M)
    assert [word for word in WRONG[number][1] if word not in json.loads(said)["msg"]] == []


def test_everything_that_is_wrong_is_said_at_once(nowhere):
    run = nowhere.fail("site", mailserver_hostname="mail", mailserver_domains=["x y"])
    assert "mailserver_hostname" in run.output
    assert "mailserver_domains" in run.output


@pytest.mark.parametrize("playbook", ["accounts", "verify"])
def test_the_other_playbooks_check_too(nowhere, playbook):
    run = nowhere.fail(playbook, mailserver_hostname="mail")
    stopped_early(run)
    assert "mailserver_hostname" in run.output


DISGUISE = """
cp -a /etc/os-release /etc/debian_version /root/
cp --remove-destination /usr/lib/os-release /etc/os-release
sed -i 's/13/11/g; s/trixie/bullseye/g' /etc/os-release
echo 11.11 >/etc/debian_version
"""
UNDO = "rm /etc/os-release && mv /root/os-release /root/debian_version /etc/"


def test_an_unsupported_release_is_named(started, playbooks):
    """Debian 11, as far as its files say."""
    host = started[-1]
    podman("exec", host, "sh", "-ec", DISGUISE)
    try:
        run = playbooks.fail("site", "--limit", host)
    finally:
        podman("exec", host, "sh", "-ec", UNDO)
    assert f"{host} runs Debian 11.11. Expected Debian 12 or 13." in " ".join(run.output.split())
    assert set(run.counts.values()) == {0}
