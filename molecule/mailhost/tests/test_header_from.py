# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who submits a message is who it is from, in the envelope and in the headers."""

from __future__ import annotations

import base64
import json
import smtplib
import uuid

from header_from import ATTACKS, OWN, message
from mailhost import CLIENT, PEOPLE, auth, eventually, letter, podman

ANN, BOB = PEOPLE["ann"], PEOPLE["bob"]
SERVICE = "groupware-mailserver-header-from"
MAP = "/etc/postfix/sql/sql-sender_login_maps.cf"

# Submits from the foreign machine: a session for all, and a new one before Postfix loses its
# patience (smtpd_soft_error_limit). Prints the replies.
FOREIGN = """
import base64, json, smtplib, ssl, sys
given = json.load(sys.stdin)
context = ssl.create_default_context(cadata=given["certificate"])
context.check_hostname = False

def session():
    opened = smtplib.SMTP(given["host"], 587, timeout=60)
    opened.ehlo("client.example.test")
    opened.starttls(context=context)
    opened.login(*given["login"])
    return opened

opened, errors, replies = session(), 0, []
for sender, recipient, content in given["messages"]:
    if errors == 8:
        opened.quit()
        opened, errors = session(), 0
    opened.rset()
    reply = opened.docmd("MAIL", f"FROM:<{sender}>")
    if reply[0] == 250:
        reply = opened.rcpt(recipient)
    if reply[0] == 250:
        try:
            reply = opened.data(base64.b64decode(content))
        except smtplib.SMTPDataError as error:
            reply = error.smtp_code, error.smtp_error
    errors = errors + 1 if reply[0] >= 400 else 0
    replies.append([reply[0], reply[1].decode("utf-8", "replace")])
opened.quit()
print(json.dumps(replies))
"""


def submitted(mailhost, messages):
    """What the host says to these messages of ann's: (envelope sender, content) each."""
    given = {
        "host": mailhost.ipv4,
        "certificate": mailhost.certificate,
        "login": [ANN.username, ANN.password],
        "messages": [
            [sender, BOB.address, base64.b64encode(content).decode()]
            for sender, content in messages
        ],
    }
    script = ("exec", "-i", CLIENT, "python3", "-c", FOREIGN)
    return json.loads(podman(*script, input=json.dumps(given)).stdout)


def answers(mailhost, cases, sender=ANN.address):
    contents = [(sender, message(headers, uuid.uuid4().hex)) for headers in cases.values()]
    return dict(zip(cases, submitted(mailhost, contents)))


def test_nothing_of_ones_own_is_refused(mailhost):
    said = answers(mailhost, OWN)
    assert {name: reply for name, reply in said.items() if reply[0] != 250} == {}


def test_nobody_claims_to_be_somebody_else(mailhost):
    said = answers(mailhost, ATTACKS)
    assert {name: reply for name, reply in said.items() if reply[0] // 100 != 5} == {}
    words = said["somebody else of the host"][1]
    assert words == f"5.7.1 Not your address: From: {BOB.address} does not belong to {ANN.username}"


def test_a_notice_without_a_sender_is_no_way_around(mailhost):
    cases = {"own": OWN["the address"], "foreign": ATTACKS["somebody else of the host"]}
    said = answers(mailhost, cases, sender="")
    assert {name: reply[0] for name, reply in said.items()} == {"own": 250, "foreign": 550}


def test_a_letter_with_an_accent_is_another_one_in_the_envelope_too(mailhost):
    with mailhost.submission(ANN) as session:
        session.command_encoding = "utf-8"
        assert session.docmd("MAIL", "FROM:<ann@éxample.org> SMTPUTF8")[0] == 250
        assert session.rcpt(BOB.address)[0] == 553


def test_on_port_25_the_headers_are_what_they_are(mailhost):
    with mailhost.smtp() as session:
        session.mail("somebody@outside.test")
        session.rcpt(BOB.address)
        assert session.data(message(ATTACKS["somebody else of the host"]))[0] == 250


# ---- without the filter, or without what it asks


def ready(session):
    """A session in which only the message itself is missing."""
    assert session.mail(ANN.address)[0] == 250
    assert session.rcpt(BOB.address)[0] == 250
    assert session.docmd("DATA")[0] == 354
    return session


def sends(session):
    session.send(letter(ANN.address, BOB.address).content + b".\r\n")
    return session.getreply()


def works(mailhost):
    """Whether ann can send."""
    try:
        with mailhost.submission(ANN) as session:
            return sends(ready(session))[0] == 250
    except (AssertionError, OSError, smtplib.SMTPException):
        return False


def test_mail_waits_while_the_sender_map_cannot_be_read(mailhost):
    with mailhost.submission(ANN) as session:
        ready(session)  # Before: a new process of Postfix's proxymap would ask for the file, too.
        mailhost.run("mv", MAP, f"{MAP}.away")
        try:
            code, words = sends(session)
        finally:
            mailhost.run("mv", f"{MAP}.away", MAP)
    assert code == 451
    assert b"4.3.0 The owner of the sender's address cannot be told now" in words
    assert works(mailhost)


def test_mail_waits_while_the_database_is_away(mailhost):
    try:
        with mailhost.submission(ANN) as session:
            ready(session)
            mailhost.database.run("systemctl", "stop", "mariadb")
            assert sends(session)[0] == 451
    finally:
        mailhost.database.run("systemctl", "start", "mariadb")
        # Postfix leaves a database alone for a minute that it could not reach.
        mailhost.run("postfix", "reload")
        eventually(lambda: works(mailhost), within=90, what="mail is taken again")


def test_mail_waits_while_the_filter_is_away(mailhost):
    try:
        with mailhost.submission(ANN) as session:
            mailhost.run("systemctl", "stop", SERVICE)
            assert session.mail(ANN.address)[0] // 100 == 4
        with mailhost.smtp(465) as session:
            assert auth(session, ANN.username, ANN.password)[0] // 100 == 4
    finally:
        mailhost.run("systemctl", "start", SERVICE)
    assert works(mailhost)


def test_the_filter_comes_back_by_itself(mailhost):
    mailhost.run("systemctl", "kill", "--signal=KILL", SERVICE)
    eventually(lambda: works(mailhost), what="mail is taken again")


def test_the_filter_runs_now_and_after_a_boot_and_may_do_little(host, mailhost):
    unit = host.service(SERVICE)
    assert unit.is_running
    assert unit.is_enabled
    pid = mailhost.output("systemctl", "show", "--value", "--property=MainPID", SERVICE)
    status = dict(
        line.split(":\t") for line in mailhost.output("cat", f"/proc/{pid}/status").split("\n")
    )
    assert status["CapEff"].strip("0") == ""
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert mailhost.output("stat", "-c%U:%G %a", "/var/spool/postfix/header-from/socket") == (
        "groupware-milter:postfix 770"
    )
