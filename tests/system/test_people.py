# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""People come, change and go with accounts.yml: at once, and without touching a service."""

from __future__ import annotations

import imaplib
from dataclasses import replace

import pytest
from mailhost import INVENTORY, PEOPLE, Person, auth, letter

NEW = Person("new@example.org", "new@example.org", "new-Pk2v5-planted")
HOME = "/var/vmail/example.org/new"
OUTSIDE = "somebody@outside.test"


def listed(*entries):
    return {"mailserver_users": [*INVENTORY["mailserver_users"], *entries]}


def entry(person, **more):
    return {"address": person.address, "password": person.password, **more}


def processes(host):
    """When the services were started, and how often they have read their configuration."""
    started = host.output("systemctl", "show", "-p", "ExecMainStartTimestamp", "dovecot", "mariadb")
    said = host.output("journalctl", "--no-pager", "-o", "cat", "-u", "dovecot", "-u", "postfix*")
    return started, said.lower().count("reload")


@pytest.fixture(scope="module")
def people(playbooks, hosts):
    """Changes the people; in the end all is as in the inventory."""
    before = [processes(host) for host in hosts]
    for host in hosts:
        host.run("rm", "-rf", HOME)

    def change(*entries):
        return playbooks.succeed("accounts", **listed(*entries))

    yield change
    change(entry(NEW, state="absent"))
    assert [processes(host) for host in hosts] == before


def test_a_newcomer_has_mail_at_once(people, hosts):
    added = people(entry(NEW, aliases=["fresh@example.org"]))
    for host in hosts:
        assert len(added.changed[host.name]) == 1
        sent = letter(OUTSIDE, "fresh@example.org")
        host.send(sent)
        host.arrived(NEW, sent)
    assert people(entry(NEW, aliases=["fresh@example.org"])).changed == {}


def test_a_new_password_counts_at_once_and_the_old_one_no_more(people, hosts):
    later = replace(NEW, password="later-Tn7c1-planted")
    changed = people(entry(later))
    assert later.password not in changed.output
    for host in hosts:
        with host.imap(later), host.submission(later):
            pass
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"), host.imap(NEW):
            pass


def test_who_has_left_is_known_nowhere_and_leaves_the_mail(people, hosts):
    people(entry(NEW))
    for host in hosts:
        kept = letter(OUTSIDE, NEW.address)
        host.send(kept)
        host.arrived(NEW, kept)
    people(entry(NEW, state="absent"))
    for host in hosts:
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"), host.imap(NEW):
            pass
        with host.smtp(587, starttls=True) as session:
            assert auth(session, NEW.username, NEW.password)[0] == 535
        with host.smtp() as session:
            session.mail(OUTSIDE)
            assert session.rcpt(NEW.address)[0] == 550
        assert host.run("test", "-d", HOME, check=False).returncode == 0


def test_an_account_over_old_mail_is_refused_unless_that_is_wanted(playbooks, people, hosts):
    refused = playbooks.fail("accounts", **listed(entry(NEW)))
    assert "already holds mail" in refused.output
    people(entry(NEW, reuse_mail=True))
    for host in hosts:
        with host.imap(NEW) as session:
            assert len(session.search(None, "ALL")[1][0].split()) > 0


def test_everybody_else_is_untouched(people, hosts):
    for host in hosts:
        with host.imap(PEOPLE["ann"]), host.submission(PEOPLE["ursula"]):
            pass
