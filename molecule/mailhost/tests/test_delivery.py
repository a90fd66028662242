# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail reaches whom it is for, and only those."""

from __future__ import annotations

import pytest
from mailhost import DOMAINS, PEOPLE, POSTMASTER, Sink, eventually, letter

pytestmark = pytest.mark.delivery

ANN, BOB, URSULA = PEOPLE["ann"], PEOPLE["bob"], PEOPLE["ursula"]
CHIEF, COPY, AWAY, REST = PEOPLE["chief"], PEOPLE["copy"], PEOPLE["away"], PEOPLE["rest"]
OUTSIDE = "somebody@outside.test"


@pytest.mark.parametrize("port", [587, 465])
def test_a_submitted_message_is_delivered(mailhost, port):
    sent = letter(ANN.address, BOB.address)
    mailhost.submit(ANN, sent, port=port)
    assert "Hello." in mailhost.arrived(BOB, sent)


def test_a_message_from_another_server_is_delivered(mailhost):
    sent = letter(OUTSIDE, ANN.address)
    mailhost.send(sent)
    mailhost.arrived(ANN, sent)


def test_the_chosen_way_delivers(mailhost):
    sent = letter(OUTSIDE, ANN.address)
    mailhost.send(sent)
    text = mailhost.arrived(ANN, sent)
    by_lmtp = mailhost.output("postconf", "-h", "virtual_transport").startswith("lmtp:")
    assert (" with LMTP" in text) == by_lmtp


def test_mail_reaches_somebody_whose_username_is_in_a_domain_of_its_own(mailhost):
    sent = letter(OUTSIDE, URSULA.address)
    mailhost.send(sent)
    mailhost.arrived(URSULA, sent)


def test_an_alias_reaches_its_owner(mailhost):
    sent = letter(OUTSIDE, "sales@example.org")
    mailhost.send(sent)
    mailhost.arrived(ANN, sent)


def test_case_of_letters_does_not_matter(mailhost):
    sent = letter(OUTSIDE, "ANN@Example.ORG")
    mailhost.send(sent)
    mailhost.arrived(ANN, sent)


def test_a_forward_with_a_copy_goes_out_and_stays(mailhost):
    sent = letter(OUTSIDE, COPY.address)
    mailhost.send(sent)
    mailhost.arrived(COPY, sent)
    (left,) = Sink.arrived(sent)
    assert "X-Envelope-To: copy@outside.test" in left


def test_a_forward_without_a_copy_only_goes_out(mailhost):
    sent = letter(OUTSIDE, AWAY.address)
    mailhost.send(sent)
    (left,) = Sink.arrived(sent)
    assert "X-Envelope-To: away@outside.test" in left
    mailhost.queue_becomes_empty()
    assert files_with(mailhost, sent) == []


def test_a_person_may_write_to_the_rest_of_the_world(mailhost):
    sent = letter(ANN.address, OUTSIDE)
    mailhost.submit(ANN, sent)
    (left,) = Sink.arrived(sent)
    assert f"X-Envelope-From: {ANN.address}" in left


def test_the_domain_of_a_username_bars_no_domain_below_it(mailhost):
    sent = letter(OUTSIDE, "ursula@mail.people.test")
    mailhost.send(sent)
    mailhost.arrived(URSULA, sent)


def test_a_catch_all_takes_what_nobody_else_takes(mailhost):
    sent = letter(OUTSIDE, "whoever@second.example")
    mailhost.send(sent)
    mailhost.arrived(REST, sent)


def test_a_catch_all_leaves_their_mail_to_the_others(mailhost):
    sent = letter(OUTSIDE, "abuse@second.example")
    mailhost.send(sent)
    mailhost.arrived(CHIEF, sent)
    mailhost.queue_becomes_empty()
    assert not mailhost.has(REST, sent)


@pytest.mark.parametrize("address", ["ann+Invoices@example.org", "sales+Berlin@example.org"])
def test_an_extension_reaches_the_account(mailhost, address):
    sent = letter(OUTSIDE, address)
    mailhost.send(sent)
    mailhost.arrived(ANN, sent)


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("local", ["postmaster", "abuse", "PostMaster"])
def test_every_domain_has_somebody_in_charge(mailhost, local, domain):
    assert CHIEF.address == POSTMASTER
    sent = letter(OUTSIDE, f"{local}@{domain}")
    mailhost.send(sent)
    mailhost.arrived(CHIEF, sent)


def test_postmaster_without_a_domain_is_taken(mailhost):
    with mailhost.smtp() as session:
        session.mail("")
        assert session.docmd("RCPT TO:<postmaster>")[0] == 250


def test_the_mail_of_root_reaches_the_postmaster(mailhost):
    sent = letter("root", "root")
    mailhost.run("sendmail", "-i", "root", input=sent.content.decode().replace("\r\n", "\n"))
    mailhost.arrived(CHIEF, sent)


def test_a_notice_with_the_null_sender_is_delivered(mailhost):
    sent = letter("", ANN.address)
    mailhost.send(sent)
    assert "Return-Path: <>" in mailhost.arrived(ANN, sent)


def test_two_recipients_both_get_the_message_once(mailhost):
    sent = letter(ANN.address, BOB.address)
    mailhost.submit(ANN, sent, recipients=[BOB.address, URSULA.address, "ursula@example.org"])
    mailhost.arrived(BOB, sent)
    mailhost.arrived(URSULA, sent)
    mailhost.queue_becomes_empty()
    assert len(files_with(mailhost, sent)) == 2


def test_mail_at_rest_belongs_to_the_mail_user_alone(mailhost):
    sent = letter(OUTSIDE, ANN.address)
    mailhost.send(sent)
    mailhost.arrived(ANN, sent)
    (path,) = files_with(mailhost, sent)
    owner, mode = mailhost.mailboxes.output("stat", "-c", "%U %a", path).split()
    assert owner == "vmail"
    assert mode.endswith("0")


def test_a_script_of_the_person_sorts_their_mail(mailhost):
    script = (
        'require ["fileinto", "mailbox"];\r\n'
        'if header :contains "subject" "Sort this" { fileinto :create "Sorted"; }\r\n'
    )
    sent = letter(OUTSIDE, BOB.address, subject="Sort this, please")
    with mailhost.sieve() as sieve:
        sieve.starttls(mailhost.mailboxes.tls())
        assert sieve.login(BOB).startswith("OK")
        sieve.store("sorting", script)
        mailhost.send(sent)
        mailhost.arrived(BOB, sent, mailbox="Sorted")
        sieve.forget("sorting")


def test_what_is_delivered_counts_in_the_database(mailhost):
    sent = letter(OUTSIDE, URSULA.address)
    mailhost.send(sent)
    mailhost.arrived(URSULA, sent)
    with mailhost.imap(URSULA) as session:
        _typ, data = session.select("INBOX", readonly=True)
    counted = f"SELECT messages FROM dovecot_usage WHERE username = '{URSULA.username}'"
    wanted = [data[0].decode()]
    eventually(lambda: mailhost.sql(counted) == wanted, what=f"dovecot_usage says {wanted}")
    used = f"SELECT storage > 0 FROM dovecot_usage WHERE username = '{URSULA.username}'"
    assert mailhost.sql(used) == ["1"]


def files_with(mailhost, sent):
    """The message as it lies on the disk; Dovecot's caches repeat parts of it."""
    search = ("grep", "-rlF", "--exclude=dovecot*", sent.token, "/var/vmail")
    return mailhost.mailboxes.run(*search, check=False).stdout.split()
