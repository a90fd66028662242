# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the groupware.mailserver developers
"""Every port of a mail host, and as much of its protocol as it takes to be let in or refused."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import typing as t
from dataclasses import dataclass

from .conversation import Context, Login, Server
from .errors import InvalidProbe, Refused


@dataclass(frozen=True)
class Protocol:
    """The words of one protocol; what ends a reply is what is true of its last line."""

    name: str
    last_line: re.Pattern[str]
    accepted: re.Pattern[str]
    challenge: re.Pattern[str]  # it goes on with the login, and asks for the response
    starttls: str
    login: str
    response: str = " {}"
    hello: str = ""


SMTP: t.Final = Protocol(
    name="smtp",
    last_line=re.compile(r"\d{3}( |$)"),
    accepted=re.compile(r"2\d\d"),
    challenge=re.compile(r"334\b"),
    starttls="STARTTLS",
    login="AUTH PLAIN",
    hello="EHLO mail-probe.invalid",
)
IMAP: t.Final = Protocol(
    name="imap",
    last_line=re.compile(r"(a|\*) (OK|NO|BAD|BYE|PREAUTH)\b|\+( |$)", re.IGNORECASE),
    accepted=re.compile(r"(a|\*) (OK|PREAUTH)\b", re.IGNORECASE),
    challenge=re.compile(r"\+"),
    starttls="a STARTTLS",
    login="a AUTHENTICATE PLAIN",
)
POP3: t.Final = Protocol(
    name="pop3",
    last_line=re.compile(r"[+-]"),
    accepted=re.compile(r"\+OK"),
    challenge=re.compile(r"\+( |$)"),
    starttls="STLS",
    login="AUTH PLAIN",
)
SIEVE: t.Final = Protocol(
    name="sieve",
    # A challenge is an empty string: quoted, or a literal (RFC 5804 2.1).
    last_line=re.compile(r'(OK|NO|BYE)\b|""$|\{0\+?\}$', re.IGNORECASE),
    accepted=re.compile(r"OK\b", re.IGNORECASE),
    challenge=re.compile(r'""|\{'),
    starttls="STARTTLS",
    login='AUTHENTICATE "PLAIN"',
    response=' "{}"',
)

PROTOCOLS: t.Final = {
    25: SMTP,
    587: SMTP,
    465: SMTP,
    143: IMAP,
    993: IMAP,
    110: POP3,
    995: POP3,
    4190: SIEVE,
}
TLS_AT_ONCE: t.Final = frozenset((465, 993, 995))
SUBMISSION: t.Final = (587, 465)
# Dovecot takes a client with the address of the server for a trusted one, and makes everybody with
# the address of a client that fails wait: on the host itself, probes come from this address.
ELSEWHERE: t.Final = "127.0.0.2"
LONGEST_REPLY: t.Final = 200
SIZE: t.Final = re.compile(r"250[ -]SIZE (\d+)$", re.IGNORECASE)


def known_ports(ports: t.Iterable[int]) -> list[int]:
    """The ports, if it is known what is spoken there."""
    ports = list(ports)
    for port in ports:
        if port not in PROTOCOLS:
            expected = ", ".join(str(known) for known in PROTOCOLS)
            raise InvalidProbe(
                f"ports: {port} is no port of a mail host: expected some of {expected}"
            )
    return ports


@dataclass(frozen=True)
class Host:
    """A mail host, and how long it may take to answer."""

    address: str
    name: str
    timeout: float
    ca_path: str | None = None
    validate_certs: bool = False

    def addresses(self) -> list[str]:
        """All that the name stands for, IPv4 and IPv6."""
        try:
            found = socket.getaddrinfo(self.address, None, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise InvalidProbe(f"smtp_host: {self.address}: {error.strerror}") from error
        return [str(entry[4][0]) for entry in found]

    def door(self, port: int, *, address: str | None = None) -> Door:
        """One connection to come."""
        return Door(
            Server(
                host=address or self.address,
                port=port,
                security="tls" if port in TLS_AT_ONCE else "starttls",
                name=self.name,
                ca_path=self.ca_path,
                validate_certs=self.validate_certs,
                timeout=self.timeout,
            )
        )


class Door:
    """One connection to one port, line by line."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.protocol = PROTOCOLS[server.port]
        self.context: Context = server.context()
        self.connection: socket.socket
        self.size = 0  # bytes of the largest message, as SMTP says it (RFC 1870); 0 is no limit

    def __str__(self) -> str:
        return f"{self.server} ({self.protocol.name})"

    def open(self, *, as_stranger: bool = False, tls: bool = True) -> None:
        """Connect up to where a login is possible; with TLS, unless it is to be done without."""
        self.connection = self._from_elsewhere() if as_stranger else self._connected()
        if self.server.speaks_tls_at_once:
            self._start_tls()
        self._expect(self._reply())
        self._hello()
        if tls and not self.server.speaks_tls_at_once:
            self._expect(self.ask(self.protocol.starttls))
            self._start_tls()
            if self.protocol is SIEVE:  # RFC 5804 2.2: it lists its capabilities again
                self._expect(self._reply())
            self._hello()

    def _connected(self, source: str = "", host: str = "") -> socket.socket:
        server = self.server
        return socket.create_connection(
            (host or server.host, server.port), server.timeout, (source, 0) if source else None
        )

    def _from_elsewhere(self) -> socket.socket:
        direct = self._connected()
        own, its = direct.getsockname()[0], direct.getpeername()[0]
        if own != its:
            return direct
        direct.close()
        return self._connected(ELSEWHERE, "127.0.0.1" if ":" in its else its)

    def _start_tls(self) -> None:
        self.connection = self.context.wrap_socket(self.connection)
        self.lines = self.connection.makefile("rb")

    def _hello(self) -> None:
        if self.protocol.hello:
            self._expect(self.ask(self.protocol.hello))

    def _expect(self, reply: str) -> None:
        if not self.accepts(reply):
            raise Refused(reply)

    def _reply(self) -> str:
        """The last line of a reply."""
        if not hasattr(self, "lines"):
            self.lines = self.connection.makefile("rb")
        while True:
            line = self.lines.readline()
            if not line:
                raise Refused("the connection was closed without a word")
            text = line.decode("utf-8", "replace").rstrip()
            if size := SIZE.match(text):
                self.size = int(size[1])
            if self.protocol.last_line.match(text):
                return text[:LONGEST_REPLY]

    def ask(self, line: str) -> str:
        """What the server answers."""
        self.connection.sendall(line.encode() + b"\r\n")
        return self._reply()

    def log_in(self, login: Login) -> str:
        """What the server answers to this login (RFC 4616)."""
        response = base64.b64encode(login.plain).decode()
        return self.ask(self.protocol.login + self.protocol.response.format(response))

    def begin_login(self) -> str:
        """What the server answers to the wish to log in; who asks so tells no secret."""
        return self.ask(self.protocol.login)

    def accepts(self, reply: str) -> bool:
        return self.protocol.accepted.match(reply) is not None

    def goes_on(self, reply: str) -> bool:
        return self.accepts(reply) or self.protocol.challenge.match(reply) is not None

    def close(self) -> None:
        if hasattr(self, "connection"):
            with contextlib.suppress(OSError):
                self.connection.close()
