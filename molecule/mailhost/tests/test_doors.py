# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""People come in with their password, by every door, and nobody else does."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from mailhost import PEOPLE, auth, eventually, letter

ANN, URSULA, SMALL = PEOPLE["ann"], PEOPLE["ursula"], PEOPLE["small"]
OUTSIDE = "somebody@outside.test"
WITH_A_MAILBOX = [person for name, person in PEOPLE.items() if name != "away"]


@pytest.mark.parametrize("person", WITH_A_MAILBOX, ids=lambda person: person.address)
def test_everybody_reads_and_sends_with_their_password(mailhost, person):
    with mailhost.imap(person), mailhost.submission(person):
        pass


@pytest.mark.parametrize("login", [URSULA.username, URSULA.address])
@pytest.mark.parametrize("port", [993, 143])
def test_imap_takes_the_username_and_the_address(mailhost, login, port):
    sent = letter(OUTSIDE, URSULA.address)
    mailhost.send(sent)
    mailhost.arrived(URSULA, sent)
    with mailhost.imap(URSULA, login=login, port=port) as session:
        _typ, numbers = session.search(None, "HEADER", "Message-ID", sent.token)
    assert len(numbers[0].split()) == 1


@pytest.mark.parametrize("login", [URSULA.username, URSULA.address, "Ursula@Example.org"])
@pytest.mark.parametrize("port", [587, 465])
def test_submission_takes_the_username_and_the_address(mailhost, login, port):
    with mailhost.submission(URSULA, login=login, port=port) as session:
        assert session.mail(URSULA.address)[0] == 250
        assert session.rcpt(ANN.address)[0] == 250


@pytest.mark.parametrize("port", [995, 110])
def test_pop3_lists_the_mail(mailhost, port):
    sent = letter(OUTSIDE, URSULA.address)
    mailhost.send(sent)
    mailhost.arrived(URSULA, sent)
    with mailhost.pop3(URSULA, port=port) as session:
        number = session.stat()[0]
        lines = session.top(number, 0)[1]
    assert any(sent.token.encode() in line for line in lines)


def test_managesieve_lets_a_person_in_after_starttls(mailhost):
    with mailhost.sieve() as sieve:
        assert '"STARTTLS"' in sieve.capabilities
        sieve.starttls(mailhost.mailboxes.tls())
        assert any(line.startswith('"SASL"') and "PLAIN" in line for line in sieve.capabilities)
        assert sieve.login(URSULA).startswith("OK")


def forget_the_login(mailhost, person):
    forgotten = "UPDATE dovecot_users SET last_login = NULL WHERE username"
    mailhost.sql(f"{forgotten} = '{person.username}'")


def the_login_is_written(mailhost, person):
    seen = (
        "SELECT ABS(TIMESTAMPDIFF(SECOND, last_login, UTC_TIMESTAMP())) < 60 FROM dovecot_users"
        f" WHERE username = '{person.username}'"
    )
    return mailhost.sql(seen) == ["1"]


def test_a_login_is_written_down(mailhost):
    forget_the_login(mailhost, URSULA)
    with mailhost.imap(URSULA):
        pass
    eventually(lambda: the_login_is_written(mailhost, URSULA), what="last_login is written")


def test_the_login_of_a_master_is_not_that_of_the_person(mailhost):
    master = "'boss', '{PLAIN}boss-planted', 'all'"
    mailhost.sql(f"REPLACE INTO dovecot_master_users VALUES ({master})")
    for person in (URSULA, ANN):
        forget_the_login(mailhost, person)
    for name in (URSULA.username, URSULA.address):
        with mailhost.imap(URSULA, login=f"{name}*boss", password="boss-planted"):
            pass
    # By the time that a later login is written, these would be.
    with mailhost.imap(ANN):
        pass
    eventually(lambda: the_login_is_written(mailhost, ANN), what="last_login is written")
    assert not the_login_is_written(mailhost, URSULA)
    mailhost.sql("DELETE FROM dovecot_master_users WHERE username = 'boss'")


# --- wrong passwords


def test_smtp_refuses_a_wrong_password(mailhost):
    with mailhost.smtp(587, starttls=True) as session:
        assert auth(session, ANN.username, "wrong")[0] == 535


def test_smtp_refuses_somebody_unknown(mailhost):
    with mailhost.smtp(465) as session:
        assert auth(session, "nobody@example.org", ANN.password)[0] == 535


def test_imap_refuses_a_wrong_password(mailhost):
    with (
        pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"),
        mailhost.imap(ANN, password="wrong"),
    ):
        pass


def test_pop3_refuses_a_wrong_password(mailhost):
    session = poplib.POP3_SSL(
        mailhost.mailboxes.ipv4, 995, timeout=30, context=mailhost.mailboxes.tls()
    )
    session.user(ANN.username)
    with pytest.raises(poplib.error_proto, match="AUTH"):
        session.pass_("wrong")
    session.close()


def test_managesieve_refuses_a_wrong_password(mailhost):
    with mailhost.sieve() as sieve:
        sieve.starttls(mailhost.mailboxes.tls())
        assert sieve.login(replace(ANN, password="wrong")).startswith("NO")


NAMES = ["' OR '1'='1", "ann@example.org' -- ", 'a"b@example.org', "%u"]


def test_a_name_is_never_a_piece_of_a_query(mailhost):
    """All at once: after each failure Dovecot waits longer with its answer."""

    def tried(name):
        return mailhost.run("doveadm", "auth", "test", name, ANN.password, check=False).returncode

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(tried, NAMES)) == [77] * len(NAMES)


# --- no password before TLS


def test_port_25_offers_no_login(mailhost):
    with mailhost.smtp() as session:
        assert not session.has_extn("auth")


def test_port_25_offers_no_login_under_tls_either(mailhost):
    with mailhost.smtp(starttls=True) as session:
        assert not session.has_extn("auth")
        assert auth(session, ANN.username, ANN.password)[0] == 503


def test_submission_wants_tls_before_anything_else(mailhost):
    with mailhost.smtp(587) as session:
        assert not session.has_extn("auth")
        assert auth(session, ANN.username, ANN.password)[0] == 530
        assert session.mail(ANN.address)[0] == 530


def test_imap_takes_no_password_in_the_clear(mailhost):
    session = mailhost.bare_imap()
    assert "LOGINDISABLED" in session.capabilities
    assert not [name for name in session.capabilities if name.startswith("AUTH=")]
    with pytest.raises(imaplib.IMAP4.error, match="PRIVACYREQUIRED"):
        session.login(ANN.username, ANN.password)
    session.shutdown()


def test_pop3_takes_no_name_in_the_clear(mailhost):
    session = poplib.POP3(mailhost.mailboxes.ipv4, 110, timeout=30)
    with pytest.raises(poplib.error_proto):
        session.user(ANN.username)
    session.close()


def test_managesieve_takes_no_password_in_the_clear(mailhost):
    with mailhost.sieve() as sieve:
        assert '"SASL" ""' in sieve.capabilities
        assert sieve.login(ANN).startswith("NO")


# --- quota


def test_imap_shows_the_quota(mailhost):
    with mailhost.imap(SMALL) as session:
        _typ, (_roots, quotas) = session.getquotaroot("INBOX")
    assert b"STORAGE" in quotas[0]
    assert quotas[0].split(b"STORAGE ")[1].split(b")")[0].split()[1] == b"2048"


def test_who_has_no_quota_has_no_limit(mailhost):
    with mailhost.imap(ANN) as session:
        _typ, (_roots, quotas) = session.getquotaroot("INBOX")
    assert not any(b"STORAGE" in quota for quota in quotas if quota)


def test_a_mailbox_does_not_grow_over_its_quota(mailhost):
    sent = letter(OUTSIDE, SMALL.address, body="x" * 76 + "\r\n")
    with mailhost.imap(SMALL) as session:
        typ, words = session.append("INBOX", None, None, sent.content + b"y" * 3 * 2**20)
    assert typ == "NO"
    assert b"OVERQUOTA" in words[0]


# --- the certificate and the protocol


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_nobody_speaks_an_old_tls(mailhost, version):
    contexts = [mailhost.mailboxes.tls(), mailhost.tls()]
    for context in contexts:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    imap, smtp = contexts
    with pytest.raises((ssl.SSLError, ConnectionError)):
        imaplib.IMAP4_SSL(mailhost.mailboxes.ipv4, 993, ssl_context=imap, timeout=30)
    with pytest.raises((ssl.SSLError, ConnectionError, smtplib.SMTPException)):
        smtplib.SMTP_SSL(mailhost.ipv4, 465, context=smtp, timeout=30)
