# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits hold, people hear of them in time, and no mail is lost to a full mailbox."""

from __future__ import annotations

import contextlib

import pytest
from mailhost import PEOPLE, Sink, eventually, letter

ANN, SMALL, AWAY = PEOPLE["ann"], PEOPLE["small"], PEOPLE["away"]
OUTSIDE = "somebody@outside.test"
MEBIBYTE = 2**20


@contextlib.contextmanager
def limited(mailhost, person, **columns):
    """The person has other limits, and an empty mailbox before and afterwards."""
    emptied(mailhost, person)
    before = mailhost.sql(
        f"SELECT CONCAT_WS(',', {', '.join(columns)}) FROM dovecot_users"
        f" WHERE username = '{person.username}'"
    )[0].split(",")
    limits(mailhost, person, **columns)
    try:
        yield
    finally:
        limits(mailhost, person, **dict(zip(columns, before)))
        emptied(mailhost, person)


def limits(mailhost, person, **columns):
    """As tine or anybody else writes them; nothing is told to Dovecot."""
    said = ", ".join(f"{name} = {value}" for name, value in columns.items())
    mailhost.sql(f"UPDATE dovecot_users SET {said} WHERE username = '{person.username}'")


def emptied(mailhost, person):
    mailhost.mailboxes.run("doveadm", "expunge", "-u", person.username, "mailbox", "*", "all")


def append(session, size):
    typ, words = session.append("INBOX", None, None, b"Subject: x\r\n\r\n" + b"x" * int(size))
    assert typ == "OK", words


def quota(mailhost, person):
    """What IMAP says (RFC 9208): used and limit by resource, storage in KiB."""
    with mailhost.imap(person) as session:
        _typ, (_roots, (said,)) = session.getquotaroot("INBOX")
    words = said.decode().rpartition("(")[2].rstrip(")").split()
    return {words[i]: (int(words[i + 1]), int(words[i + 2])) for i in range(0, len(words), 3)}


def rcpt(session, recipient, *options):
    session.mail(OUTSIDE, options)
    code, words = session.rcpt(recipient)
    session.rset()
    return f"{code} {words.decode()}"


def warned(mailhost, person, percent):
    """The warning, as soon as the person has it."""

    def told():
        with mailhost.imap(person) as session:
            _typ, numbers = session.search(None, "SUBJECT", f'"more than {percent} %"')
            return numbers[0]

    return eventually(told, what=f"{person.address} is told of {percent} %")


def test_a_new_limit_counts_at_once(mailhost):
    """Nothing has to be counted again (doveadm quota recalc), neither up nor down."""
    with limited(mailhost, SMALL, quota_bytes=5), mailhost.imap(SMALL) as session:
        append(session, 1.5 * MEBIBYTE)
        assert quota(mailhost, SMALL)["STORAGE"][1] == 5 * 1024
        limits(mailhost, SMALL, quota_bytes=1)
        used, limit = quota(mailhost, SMALL)["STORAGE"]
        assert limit == 1024 < used


def test_a_full_mailbox_is_told_to_who_owns_it_and_to_who_sends(mailhost):
    """The warning goes in although there is no room any more."""
    with limited(mailhost, SMALL, quota_message=4):
        with mailhost.imap(SMALL) as session:
            append(session, 10)
            append(session, 10)
            assert session.copy("1:2", "INBOX")[0] == "OK"
        warned(mailhost, SMALL, 95)
        assert quota(mailhost, SMALL)["MESSAGE"] == (5, 4)
        with mailhost.smtp() as session:
            for recipient in (SMALL.address, "Small+extension@Example.org"):
                assert rcpt(session, recipient).startswith("552 5.2.2")
            assert rcpt(session, ANN.address).startswith("250")
        with mailhost.submission(ANN) as session:
            session.mail(ANN.address)
            assert session.rcpt(SMALL.address)[0] == 552
            assert session.rcpt(OUTSIDE)[0] == 250


def test_people_are_told_before_their_mailbox_is_full(mailhost):
    with limited(mailhost, SMALL, quota_bytes=2):
        with mailhost.imap(SMALL) as session:
            append(session, 1.7 * MEBIBYTE)
        warned(mailhost, SMALL, 80)
        with mailhost.smtp() as session:
            assert rcpt(session, SMALL.address).startswith("250")


def test_a_message_larger_than_the_mailbox_is_refused(mailhost):
    with limited(mailhost, SMALL, quota_bytes=2), mailhost.smtp() as session:
        size = f"SIZE={20 * MEBIBYTE}"
        assert rcpt(session, SMALL.address, size).startswith("552 5.2.")
        assert rcpt(session, ANN.address, size).startswith("250")


def test_who_forwards_everything_has_no_mailbox_to_fill(mailhost):
    with limited(mailhost, AWAY, quota_message=1), mailhost.imap(AWAY) as session:
        append(session, 10)
        sent = letter(OUTSIDE, AWAY.address)
        mailhost.send(sent)
        Sink.arrived(sent)


@pytest.mark.delivery
def test_accepted_mail_for_a_full_mailbox_waits_for_room(mailhost):
    with limited(mailhost, SMALL, quota_message=1):
        with mailhost.imap(SMALL) as session:
            append(session, 10)
        sent = letter(OUTSIDE, SMALL.address)
        text = sent.content.decode().replace("\r\n", "\n")
        mailhost.run("sendmail", "-i", "-f", sent.sender, sent.to, input=text)

        def reasons():
            waiting = (recipient for mail in mailhost.queue() for recipient in mail["recipients"])
            return [r.get("delay_reason", "") for r in waiting if r["address"] == SMALL.username]

        eventually(lambda: any(reasons()), what="a try that did not deliver it")
        emptied(mailhost, SMALL)
        mailhost.run("postqueue", "-f")
        mailhost.arrived(SMALL, sent)


def test_mail_is_taken_while_dovecot_is_away(mailhost):
    """Whether a mailbox is full cannot be known then; the message waits in the queue."""
    sent = letter(OUTSIDE, SMALL.address)
    mailhost.mailboxes.run("systemctl", "stop", "dovecot.service")
    try:
        mailhost.send(sent)
    finally:
        mailhost.mailboxes.run("systemctl", "start", "dovecot.service")
    mailhost.run("postqueue", "-f")
    mailhost.arrived(SMALL, sent)
    emptied(mailhost, SMALL)
