# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes between the hosts of one mail system is for them alone, and nobody else reads it."""

from __future__ import annotations

import contextlib
import json
import re
import socket

import pytest
import yaml
from capture import captured
from mailhost import ANSWER, CLIENT, PEOPLE, TOP, Sink, eventually, letter, podman, sasl_plain

VARS = yaml.safe_load((TOP / "roles/mailserver/vars/main.yml").read_text())
SQL_PASSWORDS = VARS["__mailserver_sql_passwords_file"]
PEERS = VARS["__mailserver_peers_directory"]
CA = f"{PEERS}/ca.pem"
SQL, LMTP, QUOTA, RELAY, IMAPS = 3306, 24, 12340, 10025, 993
ANN, BOB = PEOPLE["ann"], PEOPLE["bob"]
OUTSIDE = "somebody@outside.test"
END_SESSIONS = ("python3", VARS["__mailserver_end_sessions"])
MAP = "/etc/postfix/sql/sql-virtual_mailbox_maps.cf"
# The mail filter's own question, as its service asks it.
OWNERS = """
import sys
sys.path.insert(0, "/usr/local/lib/groupware-mailserver-header-from")
from sender_map import SenderMap
print(*SenderMap("/etc/postfix/sql/sql-sender_login_maps.cf", "+").owners(sys.argv[1]))
"""
NO_TLS = "/etc/mysql/mariadb.conf.d/zz-no-tls.cnf"

CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)"


def reaches(container, host, port):
    """Whether a connection comes about; how it is refused if not."""
    done = podman("exec", container, "python3", "-c", CONNECT, host.ipv4, str(port), check=False)
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


# --- who may come


def test_a_stranger_reaches_nothing_that_is_between_the_hosts(mailhost):
    assert "refused" in reaches(CLIENT, mailhost.database, SQL)
    assert "refused" in reaches(CLIENT, mailhost.mailboxes, LMTP)
    assert "refused" in reaches(CLIENT, mailhost.mailboxes, QUOTA)
    assert "refused" in reaches(CLIENT, mailhost, RELAY)
    assert reaches(CLIENT, mailhost.mailboxes, IMAPS) == ""


def test_the_hosts_reach_what_they_need(mailhost):
    assert reaches(mailhost.name, mailhost.database, SQL) == ""
    assert reaches(mailhost.mailboxes.name, mailhost.database, SQL) == ""
    assert reaches(mailhost.name, mailhost.mailboxes, LMTP) == ""
    assert reaches(mailhost.name, mailhost.mailboxes, QUOTA) == ""
    assert reaches(mailhost.mailboxes.name, mailhost, RELAY) == ""


def test_the_database_host_does_not_deliver(mailhost):
    assert "refused" in reaches(mailhost.database.name, mailhost.mailboxes, LMTP)


def test_the_firewall_stands_again_after_that_of_the_host_was_reloaded(mailhost):
    """nftables.service begins with an empty ruleset."""
    mailhost.database.run("systemctl", "restart", "nftables")
    table = ("nft", "list", "table", "inet", "groupware_mailserver")
    eventually(lambda: mailhost.database.run(*table, check=False).returncode == 0)
    assert "refused" in reaches(CLIENT, mailhost.database, SQL)
    mailhost.database.run("systemctl", "stop", "nftables")
    mailhost.database.run("systemctl", "start", "groupware-mailserver-firewall")
    assert "refused" in reaches(CLIENT, mailhost.database, SQL)


def listening(host):
    lines = host.output("ss", "-Hlnt").splitlines()
    addresses = (line.split()[3] for line in lines)
    outer = (a for a in addresses if not a.startswith(("127.", "[::1]")))
    return {int(address.rpartition(":")[2]) for address in outer}


def test_each_host_listens_for_its_part_alone(mailhost):
    assert listening(mailhost) == {RELAY, 25, 465, 587}
    assert listening(mailhost.mailboxes) == {LMTP, QUOTA, 143, 993, 110, 995, 4190}
    assert listening(mailhost.database) == {SQL}


# --- who is believed


def test_mail_is_delivered_to_a_verified_host(mailhost):
    sent = letter(OUTSIDE, ANN.address)
    mailhost.send(sent)
    mailhost.arrived(ANN, sent)
    said = mailhost.journal("postfix*", since="-30s")
    assert f"Verified TLS connection established to {mailhost.mailboxes.ipv4}" in said


@pytest.fixture
def other_name(mailhost):
    """The certificate of the IMAP host is not what Postfix expects."""
    setting = "lmtp_tls_secure_cert_match"
    before = mailhost.output("postconf", setting)
    mailhost.run("postconf", f"{setting} = elsewhere.example.test")
    mailhost.run("postfix", "reload")
    yield
    mailhost.run("postconf", before)
    mailhost.run("postfix", "reload")
    mailhost.run("postqueue", "-f")


def deferred(mailhost):
    """Why the message in the queue is not delivered."""

    def reasons():
        return [r.get("delay_reason", "") for m in mailhost.queue() for r in m["recipients"]]

    return eventually(lambda: list(filter(None, reasons())), what="the message is deferred")[0]


def test_mail_waits_for_the_right_host(mailhost, other_name):
    sent = letter(OUTSIDE, BOB.address)
    mailhost.send(sent)
    assert "Server certificate not verified" in deferred(mailhost)
    assert not mailhost.has(BOB, sent)


@contextlib.contextmanager
def dovecot_with(host, setting, value):
    conf = "/etc/dovecot/dovecot.conf"
    host.run("sed", "-i.real", f"s|^{setting} = .*|{setting} = {value}|", conf)
    host.run("systemctl", "reload", "dovecot")
    try:
        yield
    finally:
        host.run("mv", f"{conf}.real", conf)
        host.run("systemctl", "reload", "dovecot")


def relay_of_another_authority(mailhost):
    return dovecot_with(mailhost.mailboxes, "ssl_client_ca_file", "/etc/ssl/certs/ssl-mail.pem")


def relay_of_another_name(mailhost):
    """The name of the container finds the host, and is not in its certificate."""
    return dovecot_with(mailhost.mailboxes, "submission_host", f"{mailhost.name}:{RELAY}")


@contextlib.contextmanager
def relay_without_tls(mailhost):
    master = "/etc/postfix/master.cf"
    service = f"{mailhost.ipv4}:{RELAY}/inet/smtpd_tls_security_level"
    mailhost.run("cp", "-p", master, f"{master}.real")
    mailhost.run("postconf", "-P", f"{service}=none")
    mailhost.run("postfix", "reload")
    try:
        yield
    finally:
        mailhost.run("mv", f"{master}.real", master)
        mailhost.run("postfix", "reload")


@contextlib.contextmanager
def redirected(mailhost, person, recipient):
    def managesieve(*command):
        with mailhost.sieve() as sieve:
            sieve.starttls(mailhost.mailboxes.tls())
            assert sieve.login(person).startswith("OK")
            getattr(sieve, command[0])(*command[1:])

    managesieve("store", "redirected", f'redirect "{recipient}";')
    try:
        yield
    finally:
        managesieve("forget", "redirected")


@pytest.mark.parametrize(
    "relay", [relay_of_another_authority, relay_of_another_name, relay_without_tls]
)
def test_sieve_gives_its_mail_to_the_right_host_alone(mailhost, relay):
    sent = letter(OUTSIDE, BOB.address)
    with redirected(mailhost, BOB, OUTSIDE):
        with relay(mailhost):
            mailhost.send(sent)
            assert "temporary failure" in deferred(mailhost)
            assert Sink.messages(sent.token) == []
        mailhost.run("postqueue", "-f")
        Sink.arrived(sent)


def doveadm_auth(host):
    return host.run("doveadm", "auth", "test", ANN.username, ANN.password, check=False)


def lookup(mailhost):
    return mailhost.run("postmap", "-q", ANN.username, f"mysql:{MAP}", check=False)


@contextlib.contextmanager
def other_authority(host):
    """The host knows an authority that has signed nothing here."""
    host.run("cp", "-p", CA, f"{CA}.real")
    host.run("cp", "/etc/ssl/certs/ssl-mail.pem", CA)
    host.run("systemctl", "restart", "dovecot")
    try:
        yield
    finally:
        host.run("mv", f"{CA}.real", CA)
        host.run("systemctl", "restart", "dovecot")


def owners(mailhost):
    return mailhost.run("python3", "-c", OWNERS, ANN.address, check=False)


@contextlib.contextmanager
def another_database(mailhost):
    """The server has a certificate that nobody vouches for."""
    with other_authority(mailhost), other_authority(mailhost.mailboxes):
        yield


@contextlib.contextmanager
def a_database_without_tls(mailhost):
    """The server offers none and asks for none: anybody between the hosts could play it."""
    one = "CONCAT(QUOTE(user), '@', QUOTE(host))"
    with_tls = f"SELECT GROUP_CONCAT({one}) FROM mysql.user WHERE ssl_type = 'ANY'"
    (accounts,) = mailhost.sql(with_tls)
    mailhost.sql(f"ALTER USER {accounts} REQUIRE NONE")
    mailhost.database.run("tee", NO_TLS, input="[mariadbd]\nskip-ssl\n")
    mailhost.database.run("systemctl", "restart", "mariadb")
    try:
        yield
    finally:
        mailhost.database.run("rm", NO_TLS)
        mailhost.database.run("systemctl", "restart", "mariadb")
        mailhost.sql(f"ALTER USER {accounts} REQUIRE SSL")


@pytest.mark.parametrize(
    ("pretended", "why"),
    [(another_database, "certificate"), (a_database_without_tls, "SSL is required|no TLS")],
)
def test_nobody_gives_a_password_to_another_database(mailhost, pretended, why):
    both = (mailhost, mailhost.mailboxes)
    with pretended(mailhost):
        assert re.search(why, lookup(mailhost).stderr)
        asked = owners(mailhost)
        assert "Unavailable" in asked.stderr
        assert re.search(why, asked.stderr)
        for host in both:
            assert doveadm_auth(host).returncode != 0
            assert re.search(why, host.journal("dovecot", since="-30s"))
        ended = mailhost.mailboxes.run(*END_SESSIONS, check=False)
        assert ended.returncode == 1
        assert re.search(why, ended.stderr)
    eventually(lambda: lookup(mailhost).stdout == "1\n", what="Postfix finds its maps again")
    assert ANN.username in owners(mailhost).stdout
    for host in both:
        eventually(lambda host=host: doveadm_auth(host).returncode == 0, what="logins go on")
    assert mailhost.mailboxes.run(*END_SESSIONS).returncode == 0


LOGIN = """
import json, pymysql, sys
given = json.load(sys.stdin)
try:
    pymysql.connect(**given)
except pymysql.OperationalError as error:
    print(error.args[0])
else:
    print("in")
"""


def sql_login(container, **given):
    return container.run("python3", "-c", LOGIN, input=json.dumps(given)).stdout.strip()


def test_sql_is_spoken_with_tls_or_not_at_all(mailhost):
    passwords = json.loads(mailhost.database.output("cat", SQL_PASSWORDS))
    given = {"host": mailhost.database.ipv4, "user": "dovecot", "password": passwords["dovecot"]}
    assert sql_login(mailhost.mailboxes, **given) == "1045"
    assert sql_login(mailhost.mailboxes, **given, ssl={"ca": CA}) == "in"
    # Postfix is not on that host: nor is its account.
    given |= {"user": "postfix", "password": passwords["postfix"]}
    assert sql_login(mailhost.mailboxes, **given, ssl={"ca": CA}) == "1045"


def test_the_key_of_the_authority_is_where_it_was_made(mailhost):
    key = f"{PEERS}/ca.key"
    assert mailhost.database.output("stat", "-c", "%U %a", key) == "root 600"
    for host in (mailhost, mailhost.mailboxes):
        assert host.run("test", "-e", key, check=False).returncode == 1


# --- who could read it


@pytest.fixture(scope="module")
def secrets(mailhost):
    """SQL passwords, the people's, and what is stored of them."""
    made = json.loads(mailhost.database.output("cat", SQL_PASSWORDS))
    hashes = [text.partition("}")[2] for text in mailhost.sql("SELECT password FROM dovecot_users")]
    clear = [ANN.password, BOB.password]
    sent = [sasl_plain(person.username, person.password) for person in (ANN, BOB)]
    return [*made.values(), *clear, *sent, *filter(None, hashes)]


def test_no_password_goes_in_clear_between_the_hosts(mailhost, secrets):
    marker, sent = letter("", "").token, letter(ANN.address, BOB.address)
    with captured(mailhost.database.name) as sql, captured(mailhost.mailboxes.name) as lmtp:
        # Connections to SQL that begin here, logins included.
        for host in (mailhost, mailhost.mailboxes):
            host.run("systemctl", "restart", "dovecot")
        mailhost.run("postfix", "reload")
        mailhost.submit(ANN, sent)
        mailhost.arrived(BOB, sent)
        mailhost.mailboxes.run(*END_SESSIONS)
        with socket.create_connection((mailhost.mailboxes.ipv4, 143), timeout=ANSWER) as plain:
            plain.sendall(f"{marker} NOOP\r\n".encode())
            plain.recv(4096)
    for capture, ports in ((sql, (SQL,)), (lmtp, (LMTP, SQL))):
        for port in ports:
            assert capture.seen.count(port.to_bytes(2, "big")) > 10
    # What is not encrypted would be seen.
    assert marker.encode() in lmtp.seen
    assert b"11." in sql.seen or b"10." in sql.seen  # the greeting of MariaDB says its version
    assert b"STARTTLS" in lmtp.seen
    seen = sql.seen + lmtp.seen
    assert [secret for secret in secrets if secret.encode() in seen] == []
    assert sent.token.encode() not in seen
