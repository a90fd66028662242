# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A probe on its way over real connections, with TLS, to servers that say yes or no."""

from __future__ import annotations

import base64
import re

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.errors import ProbeFailed
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.journey import (
    Journey,
    Probe,
)
from ansible_collections.groupware.mailserver.tests.unit.plugins.module_utils._probe import (
    probe_servers as servers,
)

OPTIONS = servers.OPTIONS

PASSWORD = 'Grüße "{{ #%$\\ '


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return servers.certificate(tmp_path_factory.mktemp("pem"), "mail.example.org")


def journey(smtp_port, imap_port, pem, **said):
    options = {
        **OPTIONS,
        "smtp_host": "127.0.0.1",
        "smtp_port": smtp_port,
        "imap_port": imap_port,
        "server_name": "mail.example.org",
        "ca_path": str(pem),
        "password": PASSWORD,
        "timeout": 5.0,
        **said,
    }
    return Journey(Probe.parse(options))


def steps(made):
    return [step["name"] for step in made.clock.steps]


def found(uids):
    return [f"* SEARCH {uids}", "TAG OK done"]


@pytest.fixture
def post():
    return servers.Post()


@pytest.fixture
def smtp_port(pem, post):
    with servers.smtp(pem, post, known=("ann@example.org", PASSWORD)) as port:
        yield port


def test_a_message_goes_round_and_is_removed(pem, post, smtp_port):
    searches = iter([found(""), found(""), found("7")])
    with servers.imap(pem, UID_SEARCH=lambda: next(searches)) as (imap_port, heard):
        made = journey(smtp_port, imap_port, pem)
        made.run(send=True)
    assert steps(made) == [
        *("smtp_connect", "smtp_starttls", "smtp_login", "imap_connect", "imap_login"),
        *("imap_select", "smtp_send", "imap_arrival", "imap_remove"),
    ]
    assert made.facts["message_id"] in post.taken[0]
    assert made.facts["reply"] == "250 2.0.0 Ok: queued as 4B1C"
    assert made.facts["tls"]["smtp"].startswith("TLSv1.")
    assert 0 < made.facts["round_trip"] < 5
    assert "UID EXPUNGE 7" in heard


def test_a_password_of_any_characters_reaches_both_servers(pem, post, smtp_port):
    with servers.imap(pem) as (imap_port, heard):
        journey(smtp_port, imap_port, pem).run(send=False)
    assert post.logins == [("ann@example.org", PASSWORD)]
    assert base64.b64encode(f"\0ann@example.org\0{PASSWORD}".encode()).decode() in heard


def test_check_mode_logs_in_and_sends_nothing(pem, post, smtp_port):
    with servers.imap(pem) as (imap_port, _heard):
        made = journey(smtp_port, imap_port, pem)
        made.run(send=False)
    assert steps(made)[-1] == "imap_select"
    assert post.taken == []


def test_the_message_stays_if_that_is_wanted(pem, smtp_port):
    with servers.imap(pem, UID_SEARCH=found("7")) as (imap_port, heard):
        journey(smtp_port, imap_port, pem, delete=False).run(send=True)
    assert not any(command.startswith("UID STORE") for command in heard)


def test_without_uidplus_no_other_message_is_expunged(pem, smtp_port):
    old = ["* CAPABILITY IMAP4rev1", "TAG OK done"]
    with servers.imap(pem, UID_SEARCH=found("7"), CAPABILITY=old) as (imap_port, heard):
        journey(smtp_port, imap_port, pem).run(send=True)
    assert any(command.startswith("UID STORE 7") for command in heard)
    assert not any("EXPUNGE" in command for command in heard)


def failure(made, *, send=True):
    with pytest.raises(ProbeFailed) as error:
        made.run(send=send)
    assert PASSWORD not in str(error.value)
    assert steps(made)[-1] == error.value.step
    return str(error.value)


def test_a_wrong_password_is_told_in_the_words_of_the_server(pem, smtp_port):
    text = failure(journey(smtp_port, 1, pem, password="wrong"))
    assert re.match(r"smtp_login: 127\.0\.0\.1:\d+: 535 5\.7\.8 Auth", text)
    assert "check the username and the password" in text


def test_a_mailbox_that_refuses_keeps_the_message_from_being_sent(pem, post, smtp_port):
    no = ["TAG NO [AUTHENTICATIONFAILED] Authentication failed."]
    with servers.imap(pem, AUTHENTICATE=no) as (imap_port, _heard):
        text = failure(journey(smtp_port, imap_port, pem))
    assert text.startswith(f"imap_login: 127.0.0.1:{imap_port}: [AUTHENTICATIONFAILED]")
    assert post.taken == []


def test_a_mailbox_that_does_not_exist_is_named_by_the_server(pem, smtp_port):
    no = ["TAG NO Mailbox doesn't exist: Nowhere"]
    with servers.imap(pem, SELECT=no) as (imap_port, _heard):
        text = failure(journey(smtp_port, imap_port, pem, mailbox="Nowhere"))
    assert "imap_select" in text
    assert "NO Mailbox doesn't exist: Nowhere" in text


def test_a_message_that_is_refused_is_told_in_the_words_of_the_server(pem, post, smtp_port):
    post.reply = "552 5.3.4 Message too big"
    with servers.imap(pem) as (imap_port, _heard):
        text = failure(journey(smtp_port, imap_port, pem))
    assert text.startswith(f"smtp_send: 127.0.0.1:{smtp_port}: 552 5.3.4 Message too big; ")


def test_a_message_that_does_not_arrive_is_named_with_the_queue_to_look_at(pem, smtp_port):
    with servers.imap(pem, UID_SEARCH=found("")) as (imap_port, _heard):
        made = journey(smtp_port, imap_port, pem, timeout=0.5)
        text = failure(made)
    assert f"{made.facts['message_id']} was not in INBOX after 0.5 seconds" in text
    assert "queued as 4B1C" in text
    assert "postqueue -p" in text


def test_a_certificate_for_another_name_is_told_with_both_names(pem, smtp_port):
    text = failure(journey(smtp_port, 1, pem, server_name="imap.example.net"))
    assert text.startswith("smtp_starttls: ")
    assert "(expected imap.example.net, it has mail.example.org)" in text
    assert "server_name" in text


def test_a_certificate_of_an_unknown_issuer_is_refused_by_default(pem, smtp_port):
    text = failure(journey(smtp_port, 1, pem, ca_path=None))
    assert "self" in text
    assert "signed certificate (expected mail.example.org, it has mail.example.org)" in text
    assert "ca_path" in text


def test_a_certificate_is_taken_unseen_only_if_that_is_asked_for(pem, smtp_port):
    with servers.imap(pem) as (imap_port, _heard):
        made = journey(smtp_port, imap_port, pem, ca_path=None, validate_certs=False)
        made.run(send=False)
    assert steps(made)[-1] == "imap_select"


def test_a_server_without_starttls_gets_no_password(post):
    with servers.smtp(None, post, known=("ann@example.org", PASSWORD)) as port:
        made = Journey(Probe.parse({**OPTIONS, "smtp_host": "127.0.0.1", "smtp_port": port}))
        text = failure(made)
    assert "smtp_starttls" in text
    assert "the server offers no STARTTLS" in text
    assert post.logins == []


def test_a_port_that_speaks_tls_at_once_is_recognised(pem):
    with servers.imap(pem) as (imap_port, _heard):
        text = failure(journey(imap_port, imap_port, pem, timeout=0.5))
    assert "smtp_connect" in text
    assert "needs security 'tls'" in text


def test_a_closed_port_is_named(pem):
    text = failure(journey(1, 1, pem))
    assert text.startswith("smtp_connect: 127.0.0.1:1: Connection refused; check that the service")
