# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told about wrong mailserver_* variables, before a host is touched."""

from __future__ import annotations

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._interface import (
    SQL_ACCOUNTS,
    interface_faults,
)

SECRET = "hush-9"
GOOD = {
    "mailserver_hostname": "mail.example.org",
    "mailserver_domains": ["example.org", "bücher.example"],
    "mailserver_users": [
        {"address": "ann@example.org", "password": SECRET, "aliases": ["postmaster@example.org"]},
        {"address": "bob@example.org", "password": " {{ 'ü\"%#$\\", "quota": "2G"},
    ],
    "mailserver_users_files": ["/etc/people.csv"],
    "mailserver_users_prune": True,
    "mailserver_inactive_mail": "reject",
    "mailserver_quota_message": "ignore",
    "mailserver_users_prune_limit": "2%",
    "mailserver_postmaster": "postmaster@example.org",
    "mailserver_dovecot_database": "dovecot",
    "mailserver_postfix_database": "postfix",
    "mailserver_address": "10.0.0.1",
    "mailserver_sql_passwords": {"dovecot": "a1!&()*+,-./:;=>?@[]^_{|}~"},
    "mailserver_trusted_clients": ["192.0.2.10", "2001:db8:5::/64"],
    "mailserver_fail2ban": False,
    "mailserver_mail_user": "vmail",
    "mailserver_mail_directory": "/var/vmail",
    "mailserver_certificate_file": "/etc/ssl/certs/ssl-mail.pem",
    "mailserver_certificate_key_file": "/etc/letsencrypt/live/mail.example.org/privkey.pem",
}


def faults(**changed):
    return interface_faults({**GOOD, **{f"mailserver_{n}": value for n, value in changed.items()}})


def test_a_good_interface_has_no_faults():
    assert faults() == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("hostname", None, ["is missing", "such as mail.example.org"]),
        ("trusted_clients", "192.0.2.10", ["is not a list of addresses"]),
        ("trusted_clients", ["192.0.2.10/24"], ["'192.0.2.10/24'", "expected 192.0.2.10"]),
        ("trusted_clients", ["::/0"], ["'::/0'", "is the whole world"]),
        ("fail2ban", "maybe", ["'maybe'", "true or false"]),
        ("hostname", "localhost", ["'localhost'", "is not a domain", "such as example.org"]),
        ("hostname", "mail_1.example.org", ["'mail_1.example.org'", "is not a domain"]),
        ("hostname", "10.0.0.1", ["'10.0.0.1'", "its last label is a number"]),
        ("hostname", "mail.example.org.", ["is not a domain"]),
        ("hostname", 25, ["'25'", "expected text"]),
        ("quota_message", "5", ["'5'", "neither count nor ignore"]),
        ("hostname", "example.org", ["also in mailserver_domains", "such as mail.example.org"]),
        ("hostname", "EXAMPLE.org", ["also in mailserver_domains"]),
        ("domains", None, ["is missing", "such as [example.org]"]),
        ("domains", [], ["is missing"]),
        ("domains", "example.org", ["'example.org'", "is not a list"]),
        ("domains", ["example.org", "exa mple.org"], ["domain 2", "'exa mple.org'"]),
        ("domains", ["example.org", "Example.ORG"], ["domain 2", "is also domain 1"]),
        ("domains", ["example.org", f"{'x' * 50}.org"], ["too long", "54 characters, at most 50"]),
        ("users_files", "people.csv", ["text is not a list of files", "such as [people.csv]"]),
        ("users_files", [5], ["is not a list of files"]),
        ("users_prune", "often", ["'often' is not true or false"]),
        ("users_prune_limit", "some", ["'some' is not a prune_limit"]),
        ("postmaster", "ann", ["'ann'", "is not a mail address: expected local@domain"]),
        ("postmaster", "a b@example.org", ["'a b@example.org'"]),
        ("postmaster", "abuse@example.org", ["would forward to itself"]),
        ("dovecot_database", "my.db", ["'my.db'", "is not a database name"]),
        ("postfix_database", "`x`; DROP", ["is not a database name: expected letters"]),
        ("mail_user", "V Mail", ["'V Mail'", "is not a user name: expected at most 20 lower-case"]),
        ("mail_directory", "var/vmail", ["'var/vmail'", "is not an absolute path"]),
        ("mail_directory", "/var/v mail", ["without blanks"]),
        ("certificate_file", "", ["''", "is not an absolute path"]),
        ("certificate_key_file", None, ["is not an absolute path"]),
        ("sql_passwords", "hush-9", ["is not a dictionary", "dovecot, dovecot_dict, postfix"]),
        ("sql_passwords", {"tine": SECRET}, ["'tine' is no SQL account"]),
        ("sql_passwords", {"dovecot": "hush -9"}, ["of dovecot", "a blank"]),
        ("sql_passwords", {"postfix": "hush\n-9"}, ["of postfix", "a line end"]),
        ("sql_passwords", {"postfix": "hush#-9"}, ["'#'"]),
        ("sql_passwords", {"postfix": "hush\x07-9"}, ["a control character"]),
        ("sql_passwords", {"postfix": "hüsh-9"}, ["'ü'"]),
        ("sql_passwords", {"postfix": ""}, ["the password of postfix is not text"]),
        ("sql_passwords", {"postfix": 1234}, ["the password of postfix is not text"]),
        ("users", {"ann@example.org": {"password": SECRET}}, ["is not a list of accounts"]),
        ("users", ["ann@example.org"], ["account 1", "expected a dictionary"]),
        ("users", [{"password": SECRET}], ["account 1", "an address is missing"]),
        ("users", [{"address": "ann"}], ["account 1 (ann)", "expected local@domain"]),
        ("users", [{"address": "ann@other.org"}], ["add other.org to the mail domains"]),
        ("users", [{"address": "ann@example.org", "qouta": 0}], ["'qouta' is not known"]),
        ("users", [{"address": "ann@example.org", "quota": 4}], ["is less than 1M"]),
        ("users", [{"address": "ann@example.org", "state": "gone"}], ["'gone' is not one of"]),
        (
            "users",
            [{"address": "ann@example.org", "password": f"{SECRET}\n"}],
            ["account 1 (ann@example.org): password"],
        ),
        (
            "users",
            [{"address": "ann@example.org", "password": SECRET, "password_hash": SECRET}],
            ["password and password_hash are both given"],
        ),
        (
            "users",
            [{"address": "ann@example.org"}, {"address": "ANN@example.org"}],
            ["account 2", "'ann@example.org'", "account 1"],
        ),
    ],
)
def test_what_is_wrong_is_told_by_name_and_with_what_is_expected(name, value, words):
    # The postmaster's address is an alias of a user that this case takes away.
    others = {"postmaster": "ann@example.org"} if name != "postmaster" else {"users": []}
    found = faults(**{**others, name: value})
    assert any(
        fault.startswith(f"mailserver_{name}: ") and all(word in fault for word in words)
        for fault in found
    ), found
    assert not any("hush" in fault or "hüsh" in fault for fault in found)


def test_everything_is_told_at_once():
    found = faults(hostname=None, domains=None, mail_user="", users=[{"address": "a"}])
    assert [fault.partition(":")[0] for fault in found] == [
        "mailserver_hostname",
        "mailserver_domains",
        "mailserver_mail_user",
        "mailserver_users",
    ]


@pytest.mark.parametrize("account", SQL_ACCOUNTS)
def test_each_sql_account_may_have_a_password(account):
    assert faults(sql_passwords={account: SECRET}) == []
