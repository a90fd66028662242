# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mail_probe against the real thing."""

from __future__ import annotations

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._probe import refusals
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.conversation import Login
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.doors import (
    PROTOCOLS,
    Host,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.errors import ProbeFailed
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.journey import (
    Journey,
    Probe,
)
from mailhost import PEOPLE

ANN, BOB = PEOPLE["ann"], PEOPLE["bob"]


@pytest.fixture
def journey(mailhost, tmp_path):
    """A probe of this host, with the options that a play would give."""
    issuer = tmp_path / "ssl-mail.pem"
    issuer.write_text(mailhost.certificate)

    def made(person, **said):
        options = {
            "smtp_host": mailhost.ipv4,
            "smtp_port": 587,
            "smtp_security": "starttls",
            "imap_host": None,
            "imap_port": 993,
            "imap_security": "tls",
            "server_name": mailhost.hostname,
            "validate_certs": True,
            "ca_path": str(issuer),
            "username": person.username,
            "password": person.password,
            "sender": person.address,
            "recipient": None,
            "recipient_username": None,
            "recipient_password": None,
            "mailbox": "INBOX",
            "timeout": 30.0,
            "delete": True,
        }
        return Journey(Probe.parse({**options, **said}))

    return made


PORTS = [(587, "starttls", 993, "tls"), (465, "tls", 143, "starttls")]


@pytest.mark.parametrize("ports", PORTS, ids=str)
def test_a_message_goes_round(journey, ports):
    names = ("smtp_port", "smtp_security", "imap_port", "imap_security")
    made = journey(PEOPLE["ursula"], **dict(zip(names, ports)))
    made.run(send=True)
    assert made.clock.steps[-1]["name"] == "imap_remove"
    assert 0 < made.facts["round_trip"] < 30


def test_nothing_stays_behind(mailhost, journey):
    made = journey(ANN)
    made.run(send=True)
    with mailhost.imap(ANN) as session:
        _typ, numbers = session.search(None, "HEADER", "Message-ID", made.facts["message_id"][1:-1])
    assert numbers[0].split() == []


def test_a_message_goes_to_somebody_else(journey):
    said = {"recipient": BOB.address, "recipient_username": BOB.username}
    journey(ANN, **said, recipient_password=BOB.password).run(send=True)


@pytest.mark.parametrize(
    "name", ["quotes", "percent", "shell", "backslash", "spaces", "umlaut", "braces"]
)
def test_a_password_may_hold_any_character(journey, name):
    journey(PEOPLE[name]).run(send=False)


def failure(made):
    with pytest.raises(ProbeFailed) as error:
        made.run(send=True)
    return str(error.value)


def test_a_wrong_password_is_told_in_the_words_of_postfix(mailhost, journey):
    text = failure(journey(ANN, password="wrong"))
    assert text.startswith(f"smtp_login: {mailhost.ipv4}:587: 535 5.7.8 ")


def test_a_spoofed_sender_is_told_in_the_words_of_postfix(journey):
    assert "553 5.7.1" in failure(journey(ANN, sender=BOB.address, recipient=ANN.address))


def test_a_certificate_for_another_name_is_refused(mailhost, journey):
    text = failure(journey(ANN, server_name="mail.elsewhere.test"))
    assert "expected mail.elsewhere.test, it has " in text
    assert mailhost.hostname in text


# --- what must be refused


def suspect(mailhost, **said):
    """Ann, from a machine that is not the mail host."""
    options = {
        "host": Host(mailhost.ipv4, mailhost.hostname, 60.0),
        "ports": list(PROTOCOLS),
        "addresses": [mailhost.ipv4, mailhost.ipv6],
        "login": Login(ANN.username, ANN.password),
        "sender": ANN.address,
        "disabled": None,
        "unknown_recipient": "nobody@example.org",
    }
    return refusals.Suspect(**{**options, **said})


def test_what_must_be_refused_is_refused(mailhost):
    tried, faults = refusals.look(suspect(mailhost, small_recipient=PEOPLE["small"].address))
    assert faults == []
    assert {entry["name"] for entry in tried} == set(refusals.ADVICE) - {"disabled_login"}


def test_what_is_accepted_is_told_with_its_port_and_without_a_password(mailhost):
    """Bob is not disabled, and Ann is somebody."""
    bob = Login(BOB.username, BOB.password)
    surprising = suspect(
        mailhost, disabled=bob, unknown_recipient=ANN.address, small_recipient=ANN.address
    )
    _tried, faults = refusals.look(surprising)
    doors = sorted(fault.partition("; ")[0].split(": ")[:2] for fault in faults)
    logins = [
        ["disabled_login", str(surprising.host.door(port))] for port in PROTOCOLS if port != 25
    ]
    entrances = [
        [name, str(surprising.host.door(25, address=address))]
        for address in surprising.addresses
        for name in ("unknown_recipient", "over_quota")
    ]
    assert doors == sorted(logins + entrances)
    assert BOB.password not in "".join(faults)
