# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mail server of the rest of the world: takes every message on port 25, over IPv4 and IPv6.

Each becomes a file in /var/sink: the envelope as lines `X-Envelope-From: ...` and
`X-Envelope-To: ...`, then the message as it came.
"""

from __future__ import annotations

import itertools
import os
import socket
import socketserver
import time
from pathlib import Path

SINK = Path("/var/sink")
NUMBER = itertools.count()


def keep(sender: str, recipients: list[str], message: bytes) -> None:
    """Write one message, so that a reader never sees half of it."""
    envelope = [f"X-Envelope-From: {sender}", *(f"X-Envelope-To: {name}" for name in recipients)]
    name = f"{time.time_ns()}-{next(NUMBER)}.eml"
    (SINK / f".{name}").write_bytes("\n".join([*envelope, ""]).encode() + message)
    os.rename(SINK / f".{name}", SINK / name)


class Session(socketserver.StreamRequestHandler):
    """As much SMTP as a sending server needs."""

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def message(self) -> bytes:
        lines = []
        for line in iter(self.rfile.readline, b""):
            if line == b".\r\n":
                break
            lines.append(line.removeprefix(b".").replace(b"\r\n", b"\n"))
        return b"".join(lines)

    def handle(self) -> None:
        sender = ""
        recipients: list[str] = []
        self.say("220 outside.test ESMTP")
        for line in iter(self.rfile.readline, b""):
            command, _space, rest = line.decode(errors="replace").strip().partition(" ")
            address = rest.partition("<")[2].partition(">")[0]
            command = command.upper()
            if command == "QUIT":
                self.say("221 bye")
                return
            if command == "DATA":
                self.say("354 go ahead")
                keep(sender, recipients, self.message())
                sender, recipients = "", []
            elif command == "MAIL":
                sender, recipients = address, []
            elif command == "RCPT":
                recipients.append(address)
            self.say("250 outside.test")


class Server(socketserver.ThreadingTCPServer):
    """Both address families on one socket."""

    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


if __name__ == "__main__":
    SINK.mkdir(exist_ok=True)
    with Server(("::", 25), Session) as server:
        server.serve_forever()
