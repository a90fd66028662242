# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration that its program rejects never stands where a service reads it."""

from __future__ import annotations

import pytest
from mailhost import PEOPLE, letter

ANN, BOB = PEOPLE["ann"], PEOPLE["bob"]
FILES = ("/etc/postfix", "/etc/dovecot")

# Postfix's own check lets these pass; its daemons fail when they meet them. All are told at once.
UNCHECKED = {
    "smtpd_tls_security_level": "enrypt",
    "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_dest",
    "virtual_mailbox_maps": "proxy:mysqll:/etc/postfix/x.cf",
    "message_size_limit": "50M",
    "smtpd_helo_required": "yess",
}
BROKEN = {
    "unchecked": (
        {"postfix_settings": UNCHECKED},
        {"enrypt", "reject_unauth_dest", "mysqll", "50M", "yess"},
    ),
    # These fail there, one at a time.
    "smtpd_bannner": ({"postfix_settings": {"smtpd_bannner": "x"}}, {"smtpd_bannner"}),
    "ipv7": ({"postfix_settings": {"inet_protocols": "ipv7"}}, {"ipv7"}),
    "mail_unknown_thing": (
        {"dovecot_settings": {"mail_unknown_thing": "yes"}},
        {"mail_unknown_thing"},
    ),
    "requird": ({"dovecot_settings": {"ssl": "requird"}}, {"requird"}),
    "many": (
        {"dovecot_settings": {"protocol imap": {"mail_max_userip_connections": "many"}}},
        {"many"},
    ),
}


def standing(host):
    """The files as the services find them, to the last byte."""
    return host.output("sh", "-c", f"find {' '.join(FILES)} -type f | sort | xargs sha256sum")


# One of each kind for every change.
LONG = {"ipv7", "requird", "many"}


@pytest.mark.parametrize(
    ("overlay", "words"),
    [
        pytest.param(*broken, id=name, marks=[pytest.mark.long] * (name in LONG))
        for name, broken in BROKEN.items()
    ],
)
def test_a_broken_setting_fails_the_play_and_mail_goes_on(playbooks, hosts, overlay, words):
    before = [standing(host) for host in hosts]
    (variable,) = overlay
    failed = playbooks.fail("site", "--tags", variable.partition("_")[0], **overlay)
    assert failed.output.count("does not accept the new configuration") >= len(hosts)
    assert not {word for word in words if word not in failed.output}
    assert [standing(host) for host in hosts] == before
    for host in hosts:
        sent = letter(ANN.address, BOB.address)
        host.submit(ANN, sent)
        host.arrived(BOB, sent)


def test_check_mode_finds_a_broken_setting_too(playbooks, hosts):
    broken = {"postfix_settings": {"smtpd_tls_security_level": "enrypt"}}
    failed = playbooks.fail("site", "--tags", "postfix", "--check", **broken)
    assert failed.output.count("does not accept the new configuration") >= len(hosts)


@pytest.mark.long
def test_nothing_is_left_to_do_after_a_broken_setting_is_gone(playbooks, hosts):
    assert playbooks.succeed("site").changed == {}
