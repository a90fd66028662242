# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A login without TLS is tried without a password, and how its answer is read."""

from __future__ import annotations

import base64
import contextlib
import ssl
from dataclasses import replace

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._probe import doors, refusals
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.conversation import Login
from ansible_collections.groupware.mailserver.tests.unit.plugins.module_utils._probe import (
    probe_servers as servers,
)

LOGIN = Login("ann@example.org", "s3cret")
SIEVE_READY = '"IMPLEMENTATION" "probe"\r\n"STARTTLS"\r\nOK "ready"'
EHLO = "250-mail.example.org\r\n250 AUTH PLAIN"


def cleartext(protocol, conversation, monkeypatch):
    """What comes of it at a server that says these lines, and what the server has heard."""
    with servers.lines(conversation) as (port, heard):
        monkeypatch.setitem(doors.PROTOCOLS, port, protocol)
        suspect = refusals.Suspect(
            host=doors.Host("127.0.0.1", "mail.example.org", 5.0),
            ports=[port],
            addresses=[],
            login=LOGIN,
            sender=LOGIN.username,
            disabled=None,
            unknown_recipient=None,
        )
        _tried, faults = refusals.look(suspect)
    return faults, heard


DOORS = {
    "smtp": (doors.SMTP, ["220 ready", EHLO], "AUTH PLAIN"),
    "imap": (doors.IMAP, ["* OK ready"], "a AUTHENTICATE PLAIN"),
    "pop3": (doors.POP3, ["+OK ready"], "AUTH PLAIN"),
    "sieve": (doors.SIEVE, [SIEVE_READY], 'AUTHENTICATE "PLAIN"'),
}


@pytest.mark.parametrize(
    ("name", "challenge"),
    [("smtp", "334 "), ("imap", "+ "), ("imap", "+"), ("imap", "* 1 EXISTS\r\n+ "), ("pop3", "+ ")]
    + [("sieve", '""'), ("sieve", "{0}\r\n"), ("sieve", "{0+}\r\n")],
)
def test_a_server_that_asks_for_the_password_gets_none(name, challenge, monkeypatch):
    protocol, greeting, begin = DOORS[name]
    faults, heard = cleartext(protocol, [*greeting, challenge], monkeypatch)
    assert len(faults) == 1
    assert refusals.ADVICE["cleartext_login"] in faults[0]
    assert heard[-1] == begin
    assert not any(secret in "".join(heard) for secret in secrets())


def secrets():
    return LOGIN.password, base64.b64encode(LOGIN.plain).decode()


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("smtp", "538 5.7.0 Encryption required"),
        ("imap", "a NO [PRIVACYREQUIRED] Plaintext authentication disallowed"),
        ("pop3", "-ERR Plaintext authentication disallowed"),
        ("sieve", 'NO (ENCRYPT-NEEDED) "Plaintext authentication disallowed"'),
    ],
)
def test_a_server_that_refuses_at_once_is_right(name, refusal, monkeypatch):
    protocol, greeting, begin = DOORS[name]
    faults, heard = cleartext(protocol, [*greeting, refusal], monkeypatch)
    assert faults == []
    assert heard[-1] == begin


@pytest.mark.parametrize("name", DOORS)
def test_a_login_with_tls_carries_the_response(name, monkeypatch):
    protocol, greeting, begin = DOORS[name]
    with servers.lines([*greeting, "535 no" if name == "smtp" else "-" * 3]) as (port, heard):
        monkeypatch.setitem(doors.PROTOCOLS, port, protocol)
        door = doors.Host("127.0.0.1", "mail.example.org", 5.0).door(port)
        with contextlib.closing(door):
            door.open(tls=False)
            with contextlib.suppress(doors.Refused):
                door.log_in(LOGIN)
    response = base64.b64encode(LOGIN.plain).decode()
    said = f'"{response}"' if name == "sieve" else response
    assert heard[-1] == f"{begin} {said}"


def test_a_server_that_cannot_prove_its_name_gets_no_password(tmp_path, monkeypatch):
    pem = servers.certificate(tmp_path, "mail.example.org")
    known = (LOGIN.username, LOGIN.password)
    with servers.smtp(pem, servers.Post(), known=known) as port:
        monkeypatch.setitem(doors.PROTOCOLS, port, doors.SMTP)
        strict = doors.Host("127.0.0.1", "mail.example.org", 5.0, validate_certs=True)
        trusting = replace(strict, ca_path=str(pem))
        for host, refusal in ((strict, True), (trusting, False)):
            with contextlib.closing(host.door(port)) as door:
                expected = pytest.raises(ssl.SSLCertVerificationError)
                with expected if refusal else contextlib.nullcontext():
                    door.open()
