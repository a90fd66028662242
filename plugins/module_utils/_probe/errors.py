# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the groupware.mailserver developers
"""What can go wrong on the way of a message, worded for the person who reads the play."""

from __future__ import annotations

import base64
import re
import socket
import ssl
import typing as t

from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.errors import (
    MailhostError,
)

# What to do next, by the step that broke.
ADVICE: t.Final = {
    "connect": "check that the service runs there and that no firewall is in between",
    "starttls": "check the certificate and the TLS settings of the service",
    "login": "check the username and the password, and that the account is active",
    "select": "check the name of the mailbox",
    "send": "the log of the mail host says more about this message",
    "arrival": "look into the mail queue (postqueue -p) and the log of the mail host",
    "remove": "the message is still in the mailbox and may be deleted by hand",
}
TRY_LATER: t.Final = (
    "the server calls this temporary: its log names the cause, often a database that is not running"
)
HIDDEN: t.Final = "(hidden)"
# A server that names a reason in a reply begins it with a code of three digits.
TEMPORARY: t.Final = re.compile(
    r"4\d\d\b|.*\[(UNAVAILABLE|INUSE|SERVERBUG|SYS/TEMP)\]|.*\(TRYLATER\)", re.IGNORECASE
)


class InvalidProbe(MailhostError):
    """An option that no server needs to be asked about."""


class Refused(Exception):
    """The server answered, and the answer was no."""

    def __init__(self, reply: str, advice: str | None = None) -> None:
        super().__init__(reply)
        self.advice = advice


class ProbeFailed(MailhostError):
    """One step did not succeed: which, at which server, and in whose words."""

    def __init__(self, step: str, server: str, cause: Exception, secrets: t.Iterable[str]) -> None:
        words = without_secrets(said(cause), secrets)
        super().__init__(f"{step}: {server}: {words}; {advice(step, cause)}")
        self.step = step
        self.reply = words


def said(cause: Exception) -> str:
    """The words of the cause, without the dressing of Python."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the certificate was not accepted: {cause.verify_message.rstrip('.')}"
    if isinstance(cause, ssl.SSLError):
        return f"no TLS came about: {getattr(cause, 'reason', None) or cause}"
    if _timed_out(cause):
        return "no answer in time"
    if isinstance(cause, OSError):
        return cause.strerror or str(cause) or type(cause).__name__
    return " ".join(str(cause).split()) or "the connection was closed without a word"


def advice(step: str, cause: Exception) -> str:
    """What the reader of the message can do about it."""
    if isinstance(cause, Refused) and cause.advice:
        return cause.advice
    if isinstance(cause, ssl.SSLError) or not isinstance(cause, OSError):
        kind = step.rpartition("_")[2]
        return TRY_LATER if TEMPORARY.match(said(cause)) else ADVICE[kind]
    if isinstance(cause, socket.gaierror):
        return "check the name of the host"
    if _timed_out(cause) and step.endswith("connect"):
        return f"{ADVICE['connect']}; a port that starts with TLS needs security 'tls'"
    return ADVICE["connect"]


def _timed_out(cause: Exception) -> bool:
    # smtplib makes a closed connection out of a silent one.
    return isinstance(cause, socket.timeout) or isinstance(cause.__context__, socket.timeout)


def without_secrets(text: str, secrets: t.Iterable[str]) -> str:
    """The text with every form removed in which a server could have echoed a secret."""
    for form in sorted({form for secret in secrets for form in _forms(secret)}, key=len)[::-1]:
        text = text.replace(form, HIDDEN)
    return text


def _forms(secret: str) -> t.Iterator[str]:
    if secret:
        yield secret
        yield base64.b64encode(secret.encode()).decode()
        yield " ".join(secret.split()) or secret
