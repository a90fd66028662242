# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is renewed is presented at every port, and a pair that does not fit never is."""

from __future__ import annotations

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._probe import served
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.doors import (
    PROTOCOLS,
    Host,
)

CERTIFICATE, KEY = "/etc/ssl/certs/ssl-mail.pem", "/etc/ssl/private/ssl-mail.key"
RENEWAL = "groupware-mailserver-certificate"
# Linked to in two steps, as certbot does, and written in place, as others do.
MAKE = """
cd /etc/ssl/private
openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=$NAME -addext subjectAltName=DNS:$NAME \
    -keyout renewed.key -out renewed.pem 2>/dev/null
"""
LINK = f"cd /etc/ssl/private; ln -sf $PWD/renewed.key {KEY}; ln -sf $PWD/renewed.pem {CERTIFICATE}"
SAVE = f"cd /etc/ssl/private; cp -a {CERTIFICATE} saved.pem; cp -a {KEY} saved.key"
BACK = f"cd /etc/ssl/private; mv saved.pem {CERTIFICATE}; mv saved.key {KEY}; rm -f renewed.*"


@pytest.fixture
def renewed(mailhost):
    """A new pair beside the old one, which comes back at the end; the timer rests."""
    mailhost.run("systemctl", "stop", f"{RENEWAL}.timer")
    mailhost.run("bash", "-ec", SAVE)
    mailhost.run("env", f"NAME={mailhost.hostname}", "bash", "-ec", MAKE)
    yield
    mailhost.run("bash", "-ec", BACK)
    # Also where no service was told of the new pair: Postfix's short-lived processes have read it.
    mailhost.run("systemctl", "reload", "postfix", "dovecot")
    mailhost.run("systemctl", "start", RENEWAL, f"{RENEWAL}.timer")


def faults(mailhost, tmp_path):
    """What mail_probe says of the ports, given the certificate that is in the file now."""
    copy = tmp_path / "ssl-mail.pem"
    copy.write_text(mailhost.output("cat", CERTIFICATE))
    host = Host(mailhost.ipv4, mailhost.hostname, 30.0)
    presented, found = served.look(host, list(PROTOCOLS), str(copy))
    assert [entry["port"] for entry in presented] == list(PROTOCOLS)
    return found


def test_a_renewed_certificate_is_presented_at_every_port(mailhost, renewed, tmp_path):
    mailhost.run("bash", "-ec", LINK)
    before = faults(mailhost, tmp_path)
    # A new process of Postfix presents what it finds.
    lasting = [port for port, protocol in PROTOCOLS.items() if protocol.name != "smtp"]
    assert len(before) >= len(lasting)
    for port in lasting:
        assert any(fault.startswith(f"{mailhost.ipv4}:{port} ") for fault in before)
    assert all(f"for {mailhost.hostname}, valid until 20" in fault for fault in before)
    mailhost.run("systemctl", "start", RENEWAL)
    assert faults(mailhost, tmp_path) == []


def test_a_certificate_without_its_key_is_not_presented(mailhost, renewed, tmp_path):
    mailhost.run("cp", "/etc/ssl/private/renewed.pem", CERTIFICATE)
    assert mailhost.run("systemctl", "start", RENEWAL, check=False).returncode != 0
    assert "are not a certificate and its key (key values mismatch)" in mailhost.journal(RENEWAL)
    assert "Not reloaded: dovecot, postfix." in mailhost.journal(RENEWAL)


def test_somebody_looks_each_minute(host):
    assert host.service(f"{RENEWAL}.timer").is_running
    assert host.service(f"{RENEWAL}.timer").is_enabled
