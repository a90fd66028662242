# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mail host as its clients see it: SMTP, IMAP, POP3 and ManageSieve from a foreign address."""

from __future__ import annotations

import base64
import contextlib
import imaplib
import json
import os
import poplib
import smtplib
import socket
import ssl
import subprocess
import time
import uuid
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

MOLECULE = Path(__file__).resolve().parents[1]
TOP = MOLECULE.parent
ANSWER = 90.0  # seconds for one answer: Dovecot 2.4 takes 60 to notice that its database is gone
SOON = 30.0  # seconds for something to come about
NAME = "groupware.mailserver"
CLIENT = "client"  # the foreign container, which also is the rest of the world


# --- the people ------------------------------------------------------------------------------


class _Inventory(yaml.SafeLoader):
    """YAML as Ansible reads it: `!unsafe` is text."""


_Inventory.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))

INVENTORY = yaml.load(  # noqa: S506 (a safe loader with one more tag)
    (MOLECULE / "inventory/group_vars/all/mailserver.yml").read_text(encoding="utf-8"), _Inventory
)
DOMAINS = INVENTORY["mailserver_domains"]
POSTMASTER = INVENTORY["mailserver_postmaster"]


@dataclass(frozen=True)
class Person:
    """Somebody who is in the inventory, and the password that they type."""

    address: str
    username: str
    password: str

    @classmethod
    def listed(cls, entry):
        # Whose hash is in the inventory types what the comment there says.
        password = entry.get("password", "hashed-7fQz2-planted")
        return cls(entry["address"], entry.get("username", entry["address"]), password)


PEOPLE = {
    entry["address"].partition("@")[0]: Person.listed(entry)
    for entry in INVENTORY["mailserver_users"]
}


def sasl_plain(username, password):
    """The response of SASL PLAIN, in UTF-8."""
    return base64.b64encode(f"\0{username}\0{password}".encode()).decode()


# --- waiting ---------------------------------------------------------------------------------


def eventually(question, *, within=SOON, what="an answer"):
    """Asks again, ever more patiently, until the answer is true."""
    start, pause = time.monotonic(), 0.05
    while not (answer := question()):
        waited = time.monotonic() - start
        assert waited < within, f"{what}: not within {within:g} seconds"
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)
    return answer


def podman(*arguments, check=True, timeout=300, **options):
    """Runs podman; the answer is a completed process with text."""
    done = subprocess.run(
        ["podman", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **_containers_conf()},
        **options,
    )
    if check:
        assert done.returncode == 0, f"podman {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done


def _containers_conf():
    written = TOP / ".dev/containers.conf"
    return {"CONTAINERS_CONF": str(written)} if written.exists() else {}


# --- messages --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Letter:
    """A message that can be told from every other one."""

    sender: str
    to: str
    token: str
    subject: str = "A letter"
    body: str = "Hello."
    header: str = "X-Test: yes"

    @property
    def content(self):
        lines = (
            f"From: <{self.sender or 'MAILER-DAEMON@outside.test'}>",
            f"To: <{self.to}>",
            f"Subject: {self.subject}",
            f"Message-ID: <{self.token}@outside.test>",
            "Date: Thu, 01 Jan 2026 12:00:00 +0000",
            self.header,
            "",
            self.body,
            "",
        )
        return "\r\n".join(lines).encode()


def letter(sender, to, **more):
    return Letter(sender, to, uuid.uuid4().hex, **more)


class Sink:
    """What has left the host for the rest of the world."""

    @staticmethod
    def messages(token):
        found = podman("exec", CLIENT, "grep", "-rlF", token, "/var/sink", check=False)
        return [podman("exec", CLIENT, "cat", path).stdout for path in found.stdout.split()]

    @classmethod
    def arrived(cls, sent):
        return eventually(lambda: cls.messages(sent.token), what=f"{sent} leaves the host")


# --- the host --------------------------------------------------------------------------------


@dataclass(frozen=True)
class MailHost:
    """One mail host in its container; its mailboxes and its database may be in others."""

    name: str
    imap_name: str = ""
    database_name: str = ""

    @cached_property
    def mailboxes(self):
        """The host with the mailboxes."""
        return MailHost(self.imap_name) if self.imap_name else self

    @cached_property
    def database(self):
        """The host with the database."""
        return MailHost(self.database_name) if self.database_name else self

    # From within

    def run(self, *command, check=True, **options):
        return podman("exec", "-i", self.name, *command, check=check, **options)

    def output(self, *command):
        return self.run(*command).stdout.strip()

    def sql(self, statement, database="dovecot"):
        """The first column of what MariaDB answers."""
        return self.database.output("mariadb", "-NBr", database, "-e", statement).split("\n")

    def journal(self, *units, since="-3min"):
        chosen = [part for unit in units for part in ("-u", unit)]
        return self.run("journalctl", "--no-pager", f"--since={since}", *chosen, check=False).stdout

    def play(self, playbook, *arguments, **variables):
        """Runs a playbook of the collection on this mail system alone."""
        extra = f"--extra-vars={json.dumps(variables)}"
        hosts = ",".join({self.name, self.mailboxes.name, self.database.name})
        return self._ansible(
            "ansible-playbook", f"--limit={hosts}", extra, *arguments, f"{NAME}.{playbook}"
        )

    def accounts(self, *entries):
        """Runs mail_accounts alone, which takes a third of the time of its playbook."""
        return self.database.module("mail_accounts", accounts=entries)

    def module(self, name, *arguments, **options):
        """Runs a module of the collection on this host."""
        given = f"-a{json.dumps(options)}"
        return self._ansible(
            "ansible", self.name, f"--module-name={NAME}.{name}", given, *arguments
        )

    def _ansible(self, *command):
        done = subprocess.run(
            [*command, f"--inventory={os.environ.get('MAIL_INVENTORY', MOLECULE / 'inventory')}"],
            check=False,
            capture_output=True,
            text=True,
            timeout=600,
            env={**os.environ, **_containers_conf()},
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        return done.stdout

    def queue(self):
        listed = self.output("postqueue", "-j").splitlines()
        return [json.loads(line) for line in listed]

    def queue_becomes_empty(self):
        eventually(lambda: not self.queue(), what=f"the queue of {self.name} is empty")

    # From outside

    @cached_property
    def _network(self):
        (seen,) = json.loads(podman("inspect", self.name).stdout)
        (network,) = seen["NetworkSettings"]["Networks"].values()
        return network

    @property
    def ipv4(self):
        return self._network["IPAddress"]

    @property
    def ipv6(self):
        return self._network["GlobalIPv6Address"]

    @cached_property
    def hostname(self):
        return self.output("hostname")

    @cached_property
    def certificate(self):
        """The certificate of the services; a self-signed one is its own issuer."""
        return self.output("cat", "/etc/ssl/certs/ssl-mail.pem")

    def tls(self):
        """TLS that accepts this host's certificate for its own name, and nothing else."""
        context = _Named(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.certificate)
        context.name = self.hostname
        return context

    @contextlib.contextmanager
    def smtp(self, port=25, *, starttls=False):
        """SMTP, with TLS on 465 and wherever it is asked for."""
        if port == 465:
            session = smtplib.SMTP_SSL(self.ipv4, port, timeout=ANSWER, context=self.tls())
        else:
            session = smtplib.SMTP(self.ipv4, port, timeout=ANSWER)
        with session:
            session.ehlo("client.example.test")
            if starttls:
                session.starttls(context=self.tls())
                session.ehlo("client.example.test")
            yield session

    @contextlib.contextmanager
    def submission(self, person, *, port=587, login=None):
        """SMTP after a login."""
        with self.smtp(port, starttls=port != 465) as session:
            code, words = auth(session, login or person.username, person.password)
            assert code == 235, f"{code} {words}"
            yield session

    def submit(self, person, sent, *, port=587, recipients=None):
        with self.submission(person, port=port) as session:
            refused = session.sendmail(sent.sender, recipients or [sent.to], sent.content)
        assert refused == {}

    def send(self, sent):
        """Hands a message over as a foreign mail server does."""
        with self.smtp() as session:
            assert session.sendmail(sent.sender, [sent.to], sent.content) == {}

    def bare_imap(self, port=143):
        if port == 993:
            context = self.mailboxes.tls()
            return imaplib.IMAP4_SSL(self.mailboxes.ipv4, port, ssl_context=context, timeout=ANSWER)
        return imaplib.IMAP4(self.mailboxes.ipv4, port, timeout=ANSWER)

    @contextlib.contextmanager
    def imap(self, person, *, login=None, password=None, port=993):
        """IMAP after a login, with the INBOX open."""
        with self.bare_imap(port) as session:
            if port != 993:
                session.starttls(ssl_context=self.mailboxes.tls())
            name, word = login or person.username, password or person.password
            session.authenticate("PLAIN", lambda _challenge: f"\0{name}\0{word}".encode())
            assert session.select("INBOX")[0] == "OK"
            yield session

    @contextlib.contextmanager
    def pop3(self, person, *, port=995):
        address, context = self.mailboxes.ipv4, self.mailboxes.tls()
        if port == 995:
            session = poplib.POP3_SSL(address, port, timeout=ANSWER, context=context)
        else:
            session = poplib.POP3(address, port, timeout=ANSWER)
            session.stls(context=context)
        try:
            session.user(person.username)
            session.pass_(person.password)
            yield session
        finally:
            session.quit()

    @contextlib.contextmanager
    def sieve(self):
        address = (self.mailboxes.ipv4, 4190)
        with socket.create_connection(address, timeout=ANSWER) as connection:
            yield Sieve(connection)

    def arrived(self, person, sent, *, mailbox="INBOX"):
        """The message, header and body, as soon as the person has it."""
        with self.imap(person) as session:
            return eventually(
                lambda: found(session, sent, mailbox),
                what=f"{person.address} on {self.name} gets {sent} in {mailbox}",
            )

    def has(self, person, sent):
        with self.imap(person) as session:
            return found(session, sent, "INBOX")


def found(session, sent, mailbox):
    """The text of the message if it is in the mailbox by now."""
    if session.select(f'"{mailbox}"', readonly=True)[0] != "OK":
        return None
    _typ, numbers = session.search(None, "HEADER", "Message-ID", sent.token)
    if not numbers[0].split():
        return None
    _typ, data = session.fetch(numbers[0].split()[0], "(BODY.PEEK[])")
    return data[0][1].decode("utf-8", "replace")


def auth(session, username, password):
    """AUTH PLAIN over SMTP; the reply, whatever it is."""
    return session.docmd("AUTH", f"PLAIN {sasl_plain(username, password)}")


class _Named(ssl.SSLContext):
    """TLS that asks for one name, although the connection goes to an address."""

    def wrap_socket(self, *arguments, **options):
        options["server_hostname"] = self.name
        return super().wrap_socket(*arguments, **options)


class Sieve:
    """As much ManageSieve (RFC 5804) as a client needs to store a script."""

    def __init__(self, connection):
        self._take(connection)
        self.capabilities = self.answer()

    def _take(self, connection):
        self.connection = connection
        self.lines = connection.makefile("rb")

    def answer(self):
        """The lines up to the one that ends the answer, which is the last of them."""
        lines = []
        while not lines or not lines[-1].startswith(("OK", "NO", "BYE")):
            line = self.lines.readline()
            assert line, f"the connection was closed after {lines}"
            lines.append(line.decode().rstrip("\r\n"))
        return lines

    def ask(self, command):
        self.connection.sendall(command.encode() + b"\r\n")
        return self.answer()

    def starttls(self, context):
        assert self.ask("STARTTLS")[-1].startswith("OK")
        self._take(context.wrap_socket(self.connection))
        self.capabilities = self.answer()

    def login(self, person):
        answer = sasl_plain(person.username, person.password)
        return self.ask(f'AUTHENTICATE "PLAIN" "{answer}"')[-1]

    def store(self, name, script):
        """Makes this script the active one."""
        length = len(script.encode())
        assert self.ask(f'PUTSCRIPT "{name}" {{{length}+}}\r\n{script}')[-1].startswith("OK")
        assert self.ask(f'SETACTIVE "{name}"')[-1].startswith("OK")

    def forget(self, name):
        assert self.ask('SETACTIVE ""')[-1].startswith("OK")
        assert self.ask(f'DELETESCRIPT "{name}"')[-1].startswith("OK")
