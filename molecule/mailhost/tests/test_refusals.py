# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host refuses, and in which words."""

from __future__ import annotations

import json
import socket

import pytest
from mailhost import ANSWER, CLIENT, PEOPLE, letter, podman

ANN, BOB, COPY = PEOPLE["ann"], PEOPLE["bob"], PEOPLE["copy"]
OUTSIDE = "somebody@outside.test"

# Speaks SMTP from the foreign machine; prints the replies.
FOREIGN = """
import json, smtplib, sys
session = smtplib.SMTP(sys.argv[1], 25, timeout=30)
session.ehlo("client.example.test")
replies = [session.mail(sys.argv[2]), session.rcpt(sys.argv[3])]
print(json.dumps([[code, words.decode()] for code, words in replies]))
"""


def refusal(mailhost, recipient, sender=OUTSIDE):
    """What port 25 says to this recipient."""
    with mailhost.smtp() as session:
        session.mail(sender)
        code, words = session.rcpt(recipient)
    return code, words.decode()


@pytest.mark.parametrize(
    "recipient", ["nobody@example.org", "ann.x@example.org", "an'n@example.org"]
)
def test_an_unknown_recipient_is_refused(mailhost, recipient):
    code, words = refusal(mailhost, recipient)
    assert code == 550
    assert "5.1.1" in words


def test_mail_from_outside_straight_to_a_username_is_refused(mailhost):
    code, words = refusal(mailhost, "4f1c2a@people.test")
    assert code == 554
    assert "No mail is taken for this domain" in words


@pytest.mark.parametrize(
    "recipient", [OUTSIDE, "x@outside.test@example.org", "a%outside.test@[127.0.0.1]"]
)
def test_nobody_relays_over_ipv4(mailhost, recipient):
    code, words = refusal(mailhost, recipient)
    assert code // 100 == 5, words


@pytest.mark.parametrize("address", ["ipv4", "ipv6"])
def test_another_machine_does_not_relay(mailhost, address):
    script = ("exec", "-i", CLIENT, "python3", "-")
    target = getattr(mailhost, address)
    assert target
    asked = podman(*script, target, OUTSIDE, "someone@elsewhere.test", input=FOREIGN)
    mail, (code, words) = json.loads(asked.stdout)
    assert mail[0] == 250
    assert code == 554
    assert "Relay access denied" in words


def test_another_machine_delivers_over_ipv6(mailhost):
    script = ("exec", "-i", CLIENT, "python3", "-")
    asked = podman(*script, mailhost.ipv6, OUTSIDE, ANN.address, input=FOREIGN)
    assert json.loads(asked.stdout)[1][0] == 250


def test_nobody_delivers_straight_to_the_domain_of_usernames(mailhost):
    code, words = refusal(mailhost, PEOPLE["ursula"].username)
    assert code == 554
    assert "No mail is taken for this domain" in words


@pytest.mark.parametrize(
    "sender",
    [BOB.address, "nobody@example.org", "newsletter@example.org", "boss@outside.test"],
)
@pytest.mark.parametrize("port", [587, 465])
def test_nobody_sends_as_somebody_else(mailhost, sender, port):
    with mailhost.submission(ANN, port=port) as session:
        session.mail(sender)
        code, words = session.rcpt(COPY.address)
    assert code == 553, words


def test_the_owner_of_a_catch_all_does_not_send_as_everybody(mailhost):
    with mailhost.submission(PEOPLE["rest"]) as session:
        session.mail("director@second.example")
        assert session.rcpt(COPY.address)[0] == 553


@pytest.mark.parametrize("sender", [ANN.address, "sales@example.org", "ann+list@example.org"])
def test_people_send_as_themselves_and_as_their_aliases(mailhost, sender):
    with mailhost.submission(ANN) as session:
        session.mail(sender)
        assert session.rcpt(COPY.address)[0] == 250


@pytest.mark.parametrize("port", [587, 465])
def test_submission_without_a_login_goes_nowhere(mailhost, port):
    with mailhost.smtp(port, starttls=port == 587) as session:
        session.mail(OUTSIDE)
        assert session.rcpt(ANN.address)[0] == 554


def test_a_message_over_size_is_refused_before_it_is_sent(mailhost):
    with mailhost.smtp() as session:
        limit = int(session.esmtp_features["size"])
        assert session.mail(OUTSIDE, [f"SIZE={limit + 1}"])[0] == 552


def test_nobody_is_told_who_is_here(mailhost):
    with mailhost.smtp() as session:
        assert session.docmd("VRFY", ANN.address)[0] == 502


def test_a_greeting_is_required(mailhost):
    with socket.create_connection((mailhost.ipv4, 25), timeout=ANSWER) as connection:
        lines = connection.makefile("rb")
        lines.readline()
        connection.sendall(b"MAIL FROM:<x@outside.test>\r\n")
        assert lines.readline().startswith(b"503")


SMUGGLING = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\n", b"\n.\r"]


@pytest.mark.parametrize("end", SMUGGLING, ids=repr)
def test_no_second_message_is_smuggled(mailhost, end):
    """CVE-2023-51764: what only looks like the end of a message must not end it."""
    first, second = letter(OUTSIDE, ANN.address), letter("ceo@outside.test", BOB.address)
    smuggled = (
        end
        + f"MAIL FROM:<{second.sender}>\r\nRCPT TO:<{second.to}>\r\nDATA\r\n".encode()
        + second.content
    )
    with socket.create_connection((mailhost.ipv4, 25), timeout=ANSWER) as connection:
        lines = connection.makefile("rb")
        lines.readline()
        for command in (
            "HELO client.example.test",
            f"MAIL FROM:<{first.sender}>",
            f"RCPT TO:<{first.to}>",
            "DATA",
        ):
            connection.sendall(command.encode() + b"\r\n")
            assert lines.readline()[:1] in b"23"
        connection.sendall(first.content + smuggled + b"\r\n.\r\n")
        first_reply = lines.readline()
    mailhost.queue_becomes_empty()
    assert not mailhost.has(BOB, second), first_reply
    if first_reply.startswith(b"250"):
        mailhost.arrived(ANN, first)


def test_commands_before_their_turn_are_refused(mailhost):
    with socket.create_connection((mailhost.ipv4, 25), timeout=ANSWER) as connection:
        lines = connection.makefile("rb")
        lines.readline()
        connection.sendall(b"HELO client.example.test\r\nMAIL FROM:<x@outside.test>\r\n")
        said = lines.readline() + lines.readline()
    assert b"5.5.0" in said or b"503" in said or b"554" in said or said == b""
