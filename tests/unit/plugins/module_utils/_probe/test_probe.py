# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe decides by itself: its options, its message, its words."""

from __future__ import annotations

import base64
import email
import itertools
import socket
import ssl

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._probe import (
    certificate,
    errors,
    message,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.conversation import (
    Login,
    quoted,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.journey import Probe
from ansible_collections.groupware.mailserver.tests.unit.plugins.module_utils._probe import (
    probe_servers as servers,
)

OPTIONS = servers.OPTIONS


def probe(**said):
    return Probe.parse({**OPTIONS, **said})


def test_one_host_and_one_login_are_enough():
    asked = probe()
    assert (asked.imap.host, asked.imap.name) == ("mail.example.org", "mail.example.org")
    assert (asked.sender, asked.recipient) == ("ann@example.org", "ann@example.org")
    assert asked.reader == asked.login


def test_a_message_to_somebody_else_is_still_from_the_sender():
    asked = probe(sender="ann@example.org", recipient="bob@example.org", username="ann")
    assert (asked.sender, asked.recipient) == ("ann@example.org", "bob@example.org")


def test_the_name_in_the_certificate_may_differ_from_the_host():
    asked = probe(smtp_host="10.0.0.5", server_name="mail.example.org")
    assert (asked.smtp.host, asked.smtp.name) == ("10.0.0.5", "mail.example.org")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"username": "ann"}, "sender: 'ann' is not a mail address: expected local@domain"),
        ({"recipient": "bob@x\r\nQUIT"}, "'bob@x\\r\\nQUIT' is not a mail address"),
        ({"sender": "änn@example.org"}, "'änn@example.org' is not a mail address"),
        ({"timeout": 0.0}, "timeout: 0 is no time: expected seconds > 0"),
        ({"smtp_port": 70000}, "smtp_port: 70000 is not a port: expected 1 to 65535"),
        ({"recipient_username": "bob"}, "recipient_username and recipient_password belong"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_expected(said, words):
    with pytest.raises(errors.InvalidProbe) as error:
        probe(**said)
    assert words in str(error.value)


def test_the_message_says_that_nobody_shall_answer():
    identity = message.message_id("ann@example.org")
    sent = message.message(sender="ann@example.org", recipient="bob@x.org", identity=identity)
    parsed = email.message_from_bytes(sent)
    assert parsed["Message-ID"] == identity
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["To"] == "<bob@x.org>"


def test_no_two_messages_have_one_identity():
    assert message.message_id("a@b.org") != message.message_id("a@b.org")


def test_asking_again_becomes_more_patient():
    waits = list(itertools.islice(message.pauses(), 20))
    assert waits == sorted(waits)
    assert waits[-1] == 2.0


def test_a_step_is_timed_even_if_it_fails():
    clock = message.Clock(now=iter([1.0, 1.5, 2.0, 4.0]).__next__)
    with clock.step("smtp_connect"):
        pass
    with pytest.raises(KeyError), clock.step("smtp_login"):
        raise KeyError
    assert clock.steps == [
        {"name": "smtp_connect", "seconds": 0.5},
        {"name": "smtp_login", "seconds": 2.0},
    ]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("INBOX", '"INBOX"'),
        ('A "b"\\c', '"A \\"b\\"\\\\c"'),
        ("Entwürfe", '"Entw&APw-rfe"'),
        ("A&B", '"A&-B"'),
        ("ü&ü", '"&APw-&-&APw-"'),
    ],
)
def test_a_mailbox_is_named_as_imap_writes_it(name, written):
    assert quoted(name) == written


SECRET = 'Grüße "{{ #%$\\ '


@pytest.mark.parametrize(
    "echo",
    [
        SECRET,
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(Login("ann", SECRET).plain).decode(),
    ],
)
def test_a_password_does_not_come_back_in_the_words_of_a_server(echo):
    refused = errors.Refused(f"535 5.7.8 bad login: {echo}")
    failed = errors.ProbeFailed("smtp_login", "mail:587", refused, Login("ann", SECRET).secrets)
    assert echo not in str(failed)
    assert "535 5.7.8 bad login: (hidden)" in str(failed)


@pytest.mark.parametrize(
    ("step", "cause", "words"),
    [
        ("smtp_login", errors.Refused("535 5.7.8 no"), "check the username and the password"),
        ("smtp_login", errors.Refused("454 4.7.0 later"), "the server calls this temporary"),
        ("imap_login", errors.Refused("[UNAVAILABLE] sorry"), "the server calls this temporary"),
        ("imap_select", errors.Refused("NO no such mailbox"), "check the name of the mailbox"),
        ("smtp_connect", ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        ("smtp_connect", socket.gaierror(-2, "Name or service not known"), "the name of the host"),
        ("smtp_connect", socket.timeout(), "a port that starts with TLS needs security 'tls'"),
        ("imap_connect", ssl.SSLError(1, "[SSL] wrong version number"), "no TLS came about"),
    ],
)
def test_the_words_say_what_happened_and_what_to_do(step, cause, words):
    text = str(errors.ProbeFailed(step, "mail:25", cause, []))
    assert text.startswith(f"{step}: mail:25: ")
    assert words in text


@pytest.mark.parametrize("names", [("mail.example.org", "10.0.0.5"), ("mx.example.org",)])
def test_the_names_in_a_certificate_are_read(tmp_path, names):
    assert certificate.names(der(servers.certificate(tmp_path, *names))) == list(names)


def test_without_other_names_the_common_name_counts(tmp_path):
    pem = servers.certificate(tmp_path, common_name="mail.example.org")
    assert certificate.names(der(pem)) == ["mail.example.org"]


def der(pem):
    return ssl.PEM_cert_to_DER_cert(pem.read_text().partition("-----BEGIN PRIVATE")[0])
