# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the groupware.mailserver developers
"""The two conversations of a probe: submission over SMTP and reading over IMAP."""

from __future__ import annotations

import base64
import contextlib
import imaplib
import smtplib
import ssl
import typing as t
from dataclasses import dataclass, replace

from . import certificate
from .errors import Refused


@dataclass(frozen=True)
class Login:
    """Who speaks to a server."""

    username: str
    password: str

    @property
    def plain(self) -> bytes:
        """The response of SASL PLAIN, UTF-8 whatever the library thinks (RFC 4616)."""
        return f"\0{self.username}\0{self.password}".encode()

    @property
    def secrets(self) -> tuple[str, str]:
        """What must not be shown: the password, and the response that contains it."""
        return self.password, self.plain.decode()


@dataclass(frozen=True)
class Server:
    """Where a service is, and how the connection to it is protected."""

    host: str
    port: int
    security: str
    name: str
    ca_path: str | None
    validate_certs: bool
    timeout: float

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def speaks_tls_at_once(self) -> bool:
        return self.security == "tls"

    def context(self) -> Context:
        """The TLS settings with which this server is spoken to."""
        context = Context(ssl.PROTOCOL_TLS_CLIENT)
        context.name = self.name
        if not self.validate_certs:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self.ca_path:
            context.load_verify_locations(self.ca_path)
        else:
            context.load_default_certs()
        return context


class Context(ssl.SSLContext):
    """TLS that asks for one name, whatever address the connection went to."""

    name: str
    presented: bytes = b""

    def wrap_socket(self, *args: t.Any, **options: t.Any) -> ssl.SSLSocket:
        options["server_hostname"] = self.name
        connection = super().wrap_socket(*args, **options)
        self.presented = connection.getpeercert(binary_form=True) or b""
        return connection


class Submission:
    """One SMTP connection, every refusal in the words of the server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.context = server.context()
        self.smtp: smtplib.SMTP

    def connect(self) -> None:
        server = self.server
        with _refusals():
            if server.speaks_tls_at_once:
                self.smtp = smtplib.SMTP_SSL(
                    server.host, server.port, timeout=server.timeout, context=self.context
                )
            else:
                self.smtp = smtplib.SMTP(server.host, server.port, timeout=server.timeout)
            self.smtp.ehlo()

    def starttls(self) -> None:
        if not self.smtp.has_extn("starttls"):
            raise Refused("the server offers no STARTTLS", _SECURITY)
        with _refusals():
            _accepted(self.smtp.starttls(context=self.context), 220)
            self.smtp.ehlo()

    def login(self, login: Login) -> None:
        offered = self.smtp.esmtp_features.get("auth", "").split()
        if "PLAIN" not in offered:
            raise Refused(f"AUTH PLAIN is expected, the server offers {offered}", _MECHANISMS)
        response = base64.b64encode(login.plain).decode()
        with _refusals():
            _accepted(self.smtp.docmd("AUTH", f"PLAIN {response}"), 235)

    def send(self, sender: str, recipient: str, content: bytes) -> str:
        """Hands the message over and returns what the server said to it."""
        with _refusals():
            _accepted(self.smtp.mail(sender), 250)
            _accepted(self.smtp.rcpt(recipient), 250)
            return _accepted(self.smtp.data(content), 250)

    def tls_version(self) -> str:
        return _tls_version(self.smtp.sock)

    def close(self) -> None:
        if hasattr(self, "smtp"):
            with contextlib.suppress(OSError):
                self.smtp.quit()


class Mailbox:
    """One IMAP connection, every refusal in the words of the server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.context = server.context()
        self.imap: imaplib.IMAP4

    def connect(self) -> None:
        server = self.server
        with _refusals():
            if server.speaks_tls_at_once:
                self.imap = imaplib.IMAP4_SSL(
                    server.host, server.port, timeout=server.timeout, ssl_context=self.context
                )
            else:
                self.imap = imaplib.IMAP4(server.host, server.port, timeout=server.timeout)

    def starttls(self) -> None:
        if "STARTTLS" not in self.imap.capabilities:
            raise Refused("the server offers no STARTTLS", _SECURITY)
        with _refusals():
            self.imap.starttls(ssl_context=self.context)

    def login(self, login: Login) -> None:
        with _refusals():
            self.imap.authenticate("PLAIN", lambda _challenge: login.plain)
            # Dovecot says more about itself to somebody it knows (UIDPLUS).
            _typ, listed = self.imap.capability()
        self.capabilities = listed[-1].decode().upper().split()

    def select(self, mailbox: str) -> None:
        with _refusals():
            _ok(self.imap.select(quoted(mailbox)))

    def find(self, identity: str) -> list[str]:
        """The messages with this identity that have arrived by now."""
        with _refusals():
            _ok(self.imap.noop())
            found = _ok(self.imap.uid("SEARCH", "HEADER", "Message-ID", f'"{identity}"'))
        return found.split()

    def remove(self, uids: list[str]) -> None:
        """Removes these messages and no others, or only marks them where RFC 4315 is unknown."""
        chosen = ",".join(uids)
        with _refusals():
            _ok(self.imap.uid("STORE", chosen, "+FLAGS.SILENT", r"(\Deleted)"))
            if "UIDPLUS" in self.capabilities:
                _ok(self.imap.uid("EXPUNGE", chosen))

    def tls_version(self) -> str:
        return _tls_version(self.imap.sock)

    def close(self) -> None:
        if hasattr(self, "imap"):
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                self.imap.logout()


def quoted(mailbox: str) -> str:
    """The name of a mailbox as IMAP writes it (RFC 3501 5.1.3, modified UTF-7)."""
    text, foreign = "", ""
    for character in f"{mailbox}\0":
        if character > "~":
            foreign += character
            continue
        text += _shifted(foreign) + ("&-" if character == "&" else character)
        foreign = ""
    return '"' + text.rstrip("\0").replace("\\", "\\\\").replace('"', '\\"') + '"'


def _shifted(foreign: str) -> str:
    if not foreign:
        return ""
    coded = base64.b64encode(foreign.encode("utf-16-be")).decode()
    return "&" + coded.rstrip("=").replace("/", ",") + "-"


def wrong_certificate(conversation: Submission | Mailbox, cause: ssl.SSLError) -> Refused:
    """Which name was expected, and which names the certificate has."""
    listed = ", ".join(certificate.names(_presented(conversation))) or "no name at all"
    reason = getattr(cause, "verify_message", str(cause)).rstrip(".")
    return Refused(
        f"the certificate was not accepted: {reason}"
        f" (expected {conversation.server.name}, it has {listed})",
        "give the name it has as server_name, its issuer as ca_path, or install a valid one",
    )


def _presented(conversation: Submission | Mailbox) -> bytes:
    """The certificate that a server shows to somebody who does not check it."""
    again = type(conversation)(replace(conversation.server, validate_certs=False))
    again.connect()
    if not again.server.speaks_tls_at_once:
        again.starttls()
    again.close()
    return again.context.presented


_SECURITY: t.Final = "a port that speaks TLS at once needs security 'tls'"
_MECHANISMS: t.Final = "offer PLAIN after TLS: Dovecot's auth_mechanisms decides"


def _accepted(reply: tuple[int, bytes], expected: int) -> str:
    code, text = reply
    words = " ".join(text.decode("utf-8", "replace").split())
    if code != expected and not (expected == 250 and code == 251):
        raise Refused(f"{code} {words}")
    return f"{code} {words}"


def _ok(reply: tuple[str, list[t.Any]]) -> str:
    typ, data = reply
    words = (data[-1] or b"").decode("utf-8", "replace") if data else ""
    if typ != "OK":
        raise Refused(f"{typ} {words}")
    return words


def _tls_version(sock: t.Any) -> str:
    return str(sock.version())


@contextlib.contextmanager
def _refusals() -> t.Iterator[None]:
    """Turns what the two libraries raise into the words of the server."""
    try:
        yield
    except smtplib.SMTPResponseException as error:
        text = error.smtp_error
        words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        raise Refused(f"{error.smtp_code} {words}") from error
    except imaplib.IMAP4.error as error:
        raise Refused(str(error)) from error
