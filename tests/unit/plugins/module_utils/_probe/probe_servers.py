# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of one test: SMTP by aiosmtpd, and an IMAP server that answers what it is told to."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socketserver
import ssl
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# What the module makes of the two options that it requires.
OPTIONS = {
    "smtp_host": "mail.example.org",
    "smtp_port": 587,
    "smtp_security": "starttls",
    "imap_host": None,
    "imap_port": 993,
    "imap_security": "tls",
    "server_name": None,
    "validate_certs": True,
    "ca_path": None,
    "username": "ann@example.org",
    "password": "s3cret",
    "sender": None,
    "recipient": None,
    "recipient_username": None,
    "recipient_password": None,
    "mailbox": "INBOX",
    "timeout": 60.0,
    "delete": True,
}


def certificate(folder, *names, common_name="Somebody", days=2):
    """A self-signed certificate for these names, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=3))
        .not_valid_after(now + datetime.timedelta(days=days))
    )
    if names:
        alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    signed = builder.sign(key, hashes.SHA256())
    path = folder / f"{'-'.join(names) or 'nameless'}.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def _general(name):
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)


def serving(pem):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


class Post:
    """What the SMTP server took, and the reply it gives to it."""

    def __init__(self, reply="250 2.0.0 Ok: queued as 4B1C"):
        self.taken = []
        self.logins = []
        self.reply = reply

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 (the library's name)
        if self.reply.startswith("250"):
            self.taken.append(envelope.content.decode())
        return self.reply

    def check(self, known):
        def authenticator(server, session, envelope, mechanism, data):
            self.logins.append((data.login.decode(), data.password.decode()))
            return AuthResult(success=self.logins[-1] == known, handled=False)

        return authenticator


class OnFreePort(Controller):
    """Listens where the system finds room."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextlib.contextmanager
def smtp(pem, post, *, known, **options):
    """An SMTP server with STARTTLS and AUTH on a port of its own."""
    controller = OnFreePort(
        post,
        hostname="127.0.0.1",
        port=0,
        tls_context=serving(pem) if pem else None,
        authenticator=post.check(known),
        auth_required=True,
        auth_require_tls=bool(pem),
        **options,
    )
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


class Imap(socketserver.StreamRequestHandler):
    """Speaks just enough IMAP; the answers come from the server's `answers`."""

    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.say("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready")
        while line := self.rfile.readline().decode().strip():
            tag, _space, command = line.partition(" ")
            self.server.heard.append(command)
            if command.startswith("AUTHENTICATE"):
                self.say("+ ")
                self.server.heard.append(self.rfile.readline().decode().strip())
            self.answer(tag, command)
            if command == "LOGOUT":
                return

    def answer(self, tag, command):
        for beginning, answers in self.server.answers.items():
            if command.startswith(beginning):
                for line in answers() if callable(answers) else answers:
                    self.say(line.replace("TAG", tag, 1))
                return
        if command == "CAPABILITY":
            self.say("* CAPABILITY IMAP4rev1 UIDPLUS AUTH=PLAIN")
        self.say(f"{tag} OK done")


class TlsServer(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def get_request(self):
        connection, address = super().get_request()
        return self.context.wrap_socket(connection, server_side=True), address

    def handle_error(self, request, client_address):
        """A client that hangs up is none of the server's business."""


@contextlib.contextmanager
def imap(pem, **answers):
    """An IMAP server with TLS; yields its port and the commands that it has heard."""
    with TlsServer(("127.0.0.1", 0), Imap) as server:
        server.context = serving(pem)
        server.heard = []
        server.answers = {key.replace("_", " "): value for key, value in answers.items()}
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield server.server_address[1], server.heard
        finally:
            server.shutdown()


class Lines(socketserver.StreamRequestHandler):
    """Says one thing at first and after each line, until there is nothing left to say."""

    def handle(self):
        first, *rest = self.server.said
        self.say(first)
        for said in rest:
            line = self.rfile.readline()
            # A connection that says nothing is one that was looked for and not used.
            if not line:
                return
            self.server.heard.append(line.decode().strip())
            self.say(said)

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")


@contextlib.contextmanager
def lines(said):
    """A server without TLS that says this; yields its port and the lines that it has heard."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Lines) as server:
        server.daemon_threads = True
        server.said, server.heard = said, []
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield server.server_address[1], server.heard
        finally:
            server.shutdown()
