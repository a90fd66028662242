# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A home moves with accounts.yml while its owner is logged in, and nobody misses a mail."""

from __future__ import annotations

import uuid

import pytest
from mailhost import INVENTORY, PEOPLE, letter

URSULA = PEOPLE["ursula"]
BOB = PEOPLE["bob"]


def moving_to(home):
    """The inventory, with another home for one person."""
    return {
        "mailserver_users": [
            {**entry, "home": home, "move_mail": True}
            if entry["address"] == URSULA.address
            else entry
            for entry in INVENTORY["mailserver_users"]
        ]
    }


def home(host):
    return host.output("doveadm", "user", "-f", "home", URSULA.username).strip()


def uids(session):
    """What a client knows a mailbox by."""
    validity = session.response("UIDVALIDITY")[1]
    return validity, session.uid("FETCH", "1:*", "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]


def test_mail_is_read_with_the_same_uids_in_its_new_home(playbooks, hosts):
    # It stays there, and is the old place of the next run of the tests.
    new_place = f"/var/vmail/moved/{uuid.uuid4()}"
    wish = moving_to(new_place)
    old_places = {host: home(host) for host in hosts}
    sessions, before = {}, {}
    for host in hosts:
        sent = letter(BOB.address, URSULA.address)
        host.submit(BOB, sent)
        host.arrived(URSULA, sent)
        with host.imap(URSULA) as session:
            before[host] = uids(session)
        sessions[host] = host.bare_imap(993)
        sessions[host].login(URSULA.username, URSULA.password)
    predicted = playbooks.succeed("accounts", "--check", "--diff", **wish)
    assert f"in {new_place}" in predicted.output
    moved = playbooks.succeed("accounts", **wish)
    for host in hosts:
        assert len(moved.changed[host.name]) == 3
        with pytest.raises((OSError, sessions[host].abort)):
            sessions[host].noop()
        assert home(host) == new_place
        assert host.run("test", "-e", old_places[host], check=False).returncode == 1
        with host.imap(URSULA) as session:
            assert uids(session) == before[host]
        sent = letter(BOB.address, URSULA.address)
        host.submit(BOB, sent)
        host.arrived(URSULA, sent)
        assert host.run("test", "-e", old_places[host], check=False).returncode == 1
        assert sent.token in host.output("grep", "-rh", "^Message-ID", f"{new_place}/Maildir")
    assert playbooks.succeed("accounts", **wish).changed == {}
