# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the groupware.mailserver developers
"""The message that is sent, and the clock that goes with it."""

from __future__ import annotations

import contextlib
import email.utils
import re
import time
import typing as t
import uuid
from dataclasses import dataclass, field

from .errors import InvalidProbe

# RFC 5321 4.1.2 in short: something printable on both sides, nothing that ends a command.
ADDRESS: t.Final = re.compile(r"[!-;=?-~]+@[!-;=?-~]+")


def address(option: str, text: str) -> str:
    """The text, if it can stand in an SMTP command."""
    if ADDRESS.fullmatch(text):
        return text
    raise InvalidProbe(f"{option}: {text!r} is not a mail address: expected local@domain in ASCII")


def message_id(sender: str) -> str:
    """An identity that no other message has (RFC 5322 3.6.4)."""
    return f"<mail-probe.{uuid.uuid4().hex}@{sender.rpartition('@')[2]}>"


def message(*, sender: str, recipient: str, identity: str) -> bytes:
    """A small message that says what it is and that nobody answers (RFC 3834)."""
    lines = (
        f"From: <{sender}>",
        f"To: <{recipient}>",
        "Subject: Proof of mail",
        f"Date: {email.utils.formatdate()}",
        f"Message-ID: {identity}",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        "The module groupware.mailserver.mail_probe sent this message to see it arrive.",
        "It is removed again; if you read it, you may delete it.",
        "",
    )
    return "\r\n".join(lines).encode("ascii")


def pauses(first: float = 0.05, longest: float = 2.0) -> t.Iterator[float]:
    """How long to wait before asking again: soon at first, then ever more patiently."""
    while True:
        yield first
        first = min(first * 1.5, longest)


@dataclass
class Clock:
    """The steps so far, each with the seconds it took."""

    now: t.Callable[[], float] = time.monotonic
    steps: list[dict[str, t.Any]] = field(default_factory=list)

    @contextlib.contextmanager
    def step(self, name: str) -> t.Iterator[None]:
        """Times what is done inside; a step that fails is listed too."""
        start = self.now()
        try:
            yield
        finally:
            self.steps.append({"name": name, "seconds": round(self.now() - start, 3)})
