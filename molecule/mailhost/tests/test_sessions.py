# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open sessions of people who may not go on come to their end."""

from __future__ import annotations

import contextlib
import imaplib
import poplib
from dataclasses import dataclass
from typing import Callable

import pytest
from mailhost import PEOPLE, Person, eventually

SERVICE = "groupware-mailserver-end-sessions.service"
TIMER = "groupware-mailserver-end-sessions.timer"
PROGRAM = ("python3", "/usr/local/lib/groupware-mailserver-end-sessions.py")
CHANGES = {
    "disabled": {"status": "disabled"},
    "deleted": {"state": "absent"},
    "changed": {"password": "another-Ws8-planted"},
}
OTHERS = ("stays", "expiring", "missed", "locked", "renamed")
NAMES = (*CHANGES, *OTHERS)


def person(name):
    address = f"{name}.session@example.org"
    return Person(address, address, f"{name}-Ws7-planted")


def entry(name):
    one = person(name)
    return {"address": one.address, "password": one.password, "reuse_mail": True}


@dataclass
class Sessions:
    """Open sessions of one person: by each of these, how to ask whether it goes on."""

    asked: dict[str, Callable[[], object]]

    def open(self):
        return {door for door, ask in self.asked.items() if _answers(ask)}


def _answers(ask):
    try:
        return ask()
    except (imaplib.IMAP4.abort, poplib.error_proto, OSError, AssertionError):
        return False


ALL = {"imap", "pop3", "managesieve"}


@contextlib.contextmanager
def logged_in(mailhost, name):
    """Somebody with a session by every door that has sessions."""
    one = person(name)
    with contextlib.ExitStack() as stack:
        mail = mailhost.bare_imap(993)
        stack.callback(mail.shutdown)
        mail.login(one.username, one.password)
        post = poplib.POP3_SSL(
            mailhost.mailboxes.ipv4, 995, timeout=90, context=mailhost.mailboxes.tls()
        )
        stack.callback(post.close)
        post.user(one.username)
        post.pass_(one.password)
        sieve = stack.enter_context(mailhost.sieve())
        sieve.starttls(mailhost.mailboxes.tls())
        assert sieve.login(one).startswith("OK")
        found = Sessions(
            {
                "imap": lambda: mail.noop()[0] == "OK",
                "pop3": lambda: post.noop().startswith(b"+OK"),
                "managesieve": lambda: sieve.ask("NOOP")[-1].startswith("OK"),
            }
        )
        assert found.open() == ALL
        yield found


@pytest.fixture(scope="module")
def people(mailhost):
    mailhost.accounts(*map(entry, NAMES))
    yield
    absent = [{"address": person(name).address, "state": "absent"} for name in NAMES]
    mailhost.accounts(*absent)


@pytest.fixture
def untimed(mailhost):
    """Nothing ends sessions by itself for a while."""
    mailhost.mailboxes.run("systemctl", "stop", TIMER)
    yield
    # systemd refuses to start a unit again that was started five times in ten seconds.
    mailhost.mailboxes.run("systemctl", "reset-failed", TIMER)
    mailhost.mailboxes.run("systemctl", "start", TIMER)


def looks(mailhost):
    """What the timer does each minute."""
    mailhost.mailboxes.run("systemctl", "start", SERVICE)


def update(mailhost, name, assigned):
    username = person(name).username
    mailhost.sql(f"UPDATE dovecot_users SET {assigned} WHERE username = '{username}'")


def test_a_run_ends_the_sessions_of_whom_it_locks_out(mailhost, people, untimed):
    with contextlib.ExitStack() as stack:
        here = {n: stack.enter_context(logged_in(mailhost, n)) for n in (*CHANGES, "stays")}
        changes = [{**entry(name), **change} for name, change in CHANGES.items()]
        said = mailhost.play("accounts", mailserver_users=changes)
        assert {name: here[name].open() for name in CHANGES} == dict.fromkeys(CHANGES, set())
        assert here["stays"].open() == ALL
        assert "changed=2 " in said.partition("PLAY RECAP")[2]
        again = mailhost.play("accounts", mailserver_users=changes)
        assert "changed=0 " in again.partition("PLAY RECAP")[2]


def test_sessions_end_after_a_run_that_came_to_nothing_else(mailhost, people, untimed):
    """The accounts were written; the run died before it came to the sessions."""
    with logged_in(mailhost, "missed") as here:
        new = {**entry("missed"), "password": "another-Ws9-planted"}
        mailhost.accounts(new)
        assert here.open() == ALL
        looks(mailhost)
        assert here.open() == set()


def test_sessions_end_when_an_expiry_passes_by_itself(mailhost, people, untimed):
    with logged_in(mailhost, "expiring") as here, logged_in(mailhost, "stays") as other:
        update(mailhost, "expiring", "expiry_date = UTC_TIMESTAMP() + INTERVAL 3 SECOND")
        looks(mailhost)
        assert here.open() == ALL
        over = (
            "SELECT expiry_date <= UTC_TIMESTAMP() FROM dovecot_users "
            f"WHERE username = '{person('expiring').username}'"
        )
        eventually(lambda: mailhost.sql(over) == ["1"], what="the expiry passes")
        looks(mailhost)
        assert here.open() == set()
        assert other.open() == ALL


@pytest.mark.parametrize(
    ("name", "assigned"),
    [("locked", "status = 'blocked'"), ("renamed", "username = 'other.session@example.org'")],
)
def test_sessions_end_of_whom_tine_locks_out(mailhost, people, untimed, name, assigned):
    with logged_in(mailhost, name) as here:
        update(mailhost, name, assigned)
        looks(mailhost)
        assert here.open() == set()
    update(mailhost, name, "status = NULL")
    mailhost.sql(
        f"UPDATE dovecot_users SET username = '{person(name).username}' "
        "WHERE username = 'other.session@example.org'"
    )


def test_whom_nothing_happened_to_is_not_named(mailhost, people, untimed):
    with mailhost.imap(PEOPLE["ann"]):
        said = mailhost.mailboxes.output(*PROGRAM)
    assert said == ""


def test_the_timer_looks_each_minute_now_and_after_a_boot(mailhost):
    for state in ("is-active", "is-enabled"):
        mailhost.mailboxes.run("systemctl", state, TIMER)
    show = ("systemctl", "show", "--value", "--property=NextElapseUSecRealtime", TIMER)
    until = eventually(lambda: mailhost.mailboxes.output(*show), what="the timer has its next time")
    seconds = [
        int(mailhost.mailboxes.output("date", "+%s", f"--date={at}")) for at in (until, "now")
    ]
    assert seconds[0] - seconds[1] <= 60


def test_an_open_submission_session_of_the_inactive_sends_nothing_more(mailhost, people):
    one = person("stays")
    with mailhost.submission(one) as session:
        assert session.mail(one.address)[0] == 250
        assert session.rcpt(PEOPLE["ann"].address)[0] == 250
        session.rset()
        status = f"UPDATE smtp_users SET status = '{{}}' WHERE username = '{one.username}'"
        mailhost.sql(status.format("disabled"), "postfix")
        try:
            assert session.mail(one.address)[0] == 250
            assert session.rcpt(PEOPLE["ann"].address)[0] == 553
        finally:
            mailhost.sql(status.format("enabled"), "postfix")
