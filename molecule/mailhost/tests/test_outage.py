# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database goes away during mail flow: mail waits, nothing is lost, nobody repairs anything."""

from __future__ import annotations

import contextlib
import imaplib
import json
import smtplib
import time

import pytest
from mailhost import PEOPLE, auth, eventually, letter

ANN, BOB, URSULA = PEOPLE["ann"], PEOPLE["bob"], PEOPLE["ursula"]
OUTSIDE = "somebody@outside.test"
BACK = 30  # seconds after the start of the database

# Asks Dovecot on the host, in its own protocol, who somebody is and which password they have,
# several at a time and without a break, as on a busy host, while the database goes and comes.
# Prints which answers there were.
ASK = """
import collections, json, socket, subprocess, sys, threading, time
OUTAGES, NAMES = int(sys.argv[1]), sys.argv[2:]
ASKING = [(kind, name) for kind in ("USER", "PASS") for name in NAMES]
answers, lasts = collections.Counter(), {}

def connected():
    connection = socket.socket(socket.AF_UNIX)
    connection.connect("/run/dovecot/auth-master")
    lines = connection.makefile("rw")
    print("VERSION", 1, 0, sep="\\t", file=lines, flush=True)
    while not lines.readline().startswith("SPID"):
        pass
    return lines

def ask(kind, name):
    lines = connected()
    while True:
        print(kind, 1, name, "service=lmtp", sep="\\t", file=lines, flush=True)
        line = lines.readline()
        if not line:
            lines = connected()
            continue
        lasts[kind, name] = line.partition("\\t")[0]
        answers[lasts[kind, name]] += 1
        time.sleep(0.01)

def answered():
    lasts.clear()
    end = time.monotonic() + 100
    while not {"USER", "PASS"} <= set(lasts.values()):
        assert time.monotonic() < end, (lasts, answers)
        time.sleep(0.01)

for asking in ASKING:
    threading.Thread(target=ask, args=asking, daemon=True).start()
for _ in range(OUTAGES):
    answered()
    subprocess.run(["systemctl", "reset-failed", "mariadb"], check=True)
    subprocess.run(["systemctl", "restart", "mariadb"], check=True)
answered()
print(json.dumps(answers))
"""


@pytest.fixture
def stopped(mailhost):
    """Stops the database; whatever happens, the host is whole again afterwards."""

    def stop():
        mailhost.run("systemctl", "stop", "mariadb")

    yield stop
    mailhost.run("pkill", "-CONT", "-x", "qmgr", check=False)
    mailhost.run("systemctl", "start", "mariadb")
    eventually(lambda: answered(mailhost), within=90, what="logins work again")
    # Postfix leaves a database alone for a minute that it could not reach; other tests do not wait.
    mailhost.run("postfix", "reload")
    eventually(lambda: all_taken(mailhost), within=90, what="mail is taken again")
    eventually(lambda: emptied(mailhost), within=90, what="the queue is empty")


def answered(mailhost):
    """Whether both doors let Ann in."""
    try:
        with mailhost.imap(ANN), mailhost.submission(ANN):
            return True
    except (imaplib.IMAP4.error, AssertionError, OSError, smtplib.SMTPException):
        return False


def emptied(mailhost):
    """Asks for delivery now, instead of when Postfix would try again."""
    mailhost.run("postqueue", "-f")
    return not mailhost.queue()


def all_taken(mailhost):
    """Whether mail is taken for all of these, whichever process of Dovecot is asked about them."""
    return all(code_for(mailhost, one.address) == 250 for one in (ANN, BOB, URSULA))


def code_for(mailhost, recipient):
    """The code that port 25 gives for this recipient."""
    with mailhost.smtp() as session:
        code, _words = session.mail(OUTSIDE)
        return session.rcpt(recipient)[0] if code == 250 else code


def test_mail_waits_while_the_database_is_away(mailhost, stopped):
    on_its_way, at_home = letter(OUTSIDE, ANN.address), letter(ANN.address, BOB.address)
    # Accepted, but not delivered before the database is gone: the queue manager is asleep.
    mailhost.run("pkill", "-STOP", "-x", "qmgr")
    mailhost.send(on_its_way)
    stopped()
    mailhost.run("pkill", "-CONT", "-x", "qmgr")
    mailhost.run("sendmail", "-i", "-f", at_home.sender, at_home.to, input=at_home.content.decode())

    # Only temporary failures, for whom we know and for whom we do not.
    for recipient in (ANN.address, "nobody@example.org", "x@elsewhere.test"):
        assert code_for(mailhost, recipient) // 100 == 4
    asked = time.monotonic()
    with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"), mailhost.imap(ANN):
        pass
    assert time.monotonic() - asked < BACK
    with mailhost.smtp(587, starttls=True) as session:
        # Postfix cannot tell a failing Dovecot from a wrong password every time.
        assert auth(session, ANN.username, ANN.password)[0] in (454, 535)

    mailhost.run("systemctl", "start", "mariadb")
    start = time.monotonic()
    eventually(lambda: answered(mailhost), within=BACK, what="logins work again")
    assert time.monotonic() - start < BACK

    eventually(lambda: emptied(mailhost), within=150, what="everything queued is delivered")
    mailhost.arrived(ANN, on_its_way)
    mailhost.arrived(BOB, at_home)


def test_the_database_may_go_away_a_second_time(mailhost, stopped):
    """A worker that has met one outage must also live through the next (Dovecot 2.4.1 did not)."""
    stopped()
    eventually(lambda: not answered(mailhost), what="the outage is noticed")
    mailhost.run("systemctl", "start", "mariadb")
    eventually(lambda: answered(mailhost), within=BACK, what="logins work again")
    # That Postfix asks again by itself, a minute later, is shown above; this is about Dovecot.
    mailhost.run("postfix", "reload")
    sent = eventually(lambda: taken(mailhost), within=120, what="mail is taken again")
    eventually(lambda: emptied(mailhost), within=90, what="everything queued is delivered")
    mailhost.arrived(ANN, sent)


def test_nobody_is_unknown_because_the_database_was_away(mailhost, stopped):
    """Dovecot 2.3 asks without a name while it connects again: it must hear an error."""
    people = (ANN.username, BOB.username, URSULA.address)
    said = mailhost.output("python3", "-c", ASK, "4", *people)
    assert set(json.loads(said)) <= {"USER", "PASS", "FAIL"}, said


def taken(mailhost):
    """Tries to hand a message over, as a foreign server does again and again.

    Each time with other addresses: a process of smtpd(8) remembers those that it could not look up.
    """
    token = f"try{time.monotonic_ns()}"
    sent = letter(f"{token}@outside.test", ANN.address.replace("@", f"+{token}@"))
    with contextlib.suppress(smtplib.SMTPException):
        mailhost.send(sent)
        return sent
    assert code_for(mailhost, ANN.address) in (250, 450, 451)
    return None
