# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the groupware.mailserver developers
"""A whole probe: both servers are asked first, then the message goes round."""

from __future__ import annotations

import contextlib
import ssl
import time
import typing as t
from dataclasses import dataclass, field

from .conversation import Login, Mailbox, Server, Submission, wrong_certificate
from .errors import InvalidProbe, ProbeFailed, Refused
from .message import Clock, address, message, message_id, pauses


@dataclass(frozen=True)
class Probe:
    """Where a message is sent, as whom, and where it is waited for."""

    smtp: Server
    imap: Server
    sender: str
    recipient: str
    login: Login
    reader: Login
    mailbox: str
    timeout: float
    delete: bool

    @classmethod
    def parse(cls, options: t.Mapping[str, t.Any]) -> Probe:
        """The probe that these options of the module ask for."""
        if options["timeout"] <= 0:
            raise InvalidProbe(f"timeout: {options['timeout']:g} is no time: expected seconds > 0")
        login = Login(options["username"], options["password"])
        sender = options["sender"] or options["recipient"] or login.username
        recipient = options["recipient"] or sender
        return cls(
            smtp=_server("smtp", options),
            imap=_server("imap", options),
            sender=address("sender", sender),
            recipient=address("recipient", recipient),
            login=login,
            reader=_reader(login, options),
            mailbox=options["mailbox"],
            timeout=options["timeout"],
            delete=options["delete"],
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        return (*self.login.secrets, *self.reader.secrets)


def _reader(login: Login, options: t.Mapping[str, t.Any]) -> Login:
    username, password = options["recipient_username"], options["recipient_password"]
    if username is None and password is None:
        return login
    if username is None or password is None:
        raise InvalidProbe("recipient_username and recipient_password belong together: give both")
    return Login(username, password)


def _server(service: str, options: t.Mapping[str, t.Any]) -> Server:
    host = options[f"{service}_host"] or options["smtp_host"]
    port = options[f"{service}_port"]
    if not 0 < port < 65536:
        raise InvalidProbe(f"{service}_port: {port} is not a port: expected 1 to 65535")
    return Server(
        host=host,
        port=port,
        security=options[f"{service}_security"],
        name=options["server_name"] or host,
        ca_path=options["ca_path"],
        validate_certs=options["validate_certs"],
        timeout=options["timeout"],
    )


@dataclass
class Journey:
    """One probe on its way: what it did so far is in the clock and the facts."""

    probe: Probe
    clock: Clock = field(default_factory=Clock)
    facts: dict[str, t.Any] = field(default_factory=dict)

    def run(self, *, send: bool) -> None:
        """Logs in at both servers and, if a message is to be sent, sees it through."""
        submission, mailbox = Submission(self.probe.smtp), Mailbox(self.probe.imap)
        with contextlib.closing(submission), contextlib.closing(mailbox):
            self._open("smtp", submission, self.probe.login)
            self._open("imap", mailbox, self.probe.reader)
            with self._step("imap_select", mailbox):
                mailbox.select(self.probe.mailbox)
            if send:
                self._send_round(submission, mailbox)

    def _open(self, service: str, talk: Submission | Mailbox, login: Login) -> None:
        with self._step(f"{service}_connect", talk):
            talk.connect()
        if not talk.server.speaks_tls_at_once:
            with self._step(f"{service}_starttls", talk):
                talk.starttls()
        self.facts.setdefault("tls", {})[service] = talk.tls_version()
        with self._step(f"{service}_login", talk):
            talk.login(login)

    def _send_round(self, submission: Submission, mailbox: Mailbox) -> None:
        probe, identity = self.probe, message_id(self.probe.sender)
        content = message(sender=probe.sender, recipient=probe.recipient, identity=identity)
        self.facts["message_id"] = identity
        start = self.clock.now()
        with self._step("smtp_send", submission):
            self.facts["reply"] = submission.send(probe.sender, probe.recipient, content)
        with self._step("imap_arrival", mailbox):
            uids = self._arrived(mailbox, identity)
        self.facts["round_trip"] = round(self.clock.now() - start, 3)
        if probe.delete:
            with self._step("imap_remove", mailbox):
                mailbox.remove(uids)

    def _arrived(self, mailbox: Mailbox, identity: str) -> list[str]:
        deadline = self.clock.now() + self.probe.timeout
        for pause in pauses():
            uids = mailbox.find(identity)
            if uids:
                return uids
            left = deadline - self.clock.now()
            if left <= 0:
                break
            time.sleep(min(pause, left))
        raise Refused(
            f"{identity} was not in {self.probe.mailbox} after {self.probe.timeout:g} seconds,"
            f" although the mail server had said: {self.facts['reply']}"
        )

    @contextlib.contextmanager
    def _step(self, name: str, talk: Submission | Mailbox) -> t.Iterator[None]:
        try:
            with self.clock.step(name):
                yield
        except ssl.SSLCertVerificationError as cause:
            raise self._failed(name, talk, _explained(talk, cause)) from cause
        except (Refused, OSError) as cause:
            raise self._failed(name, talk, cause) from cause

    def _failed(self, step: str, talk: Submission | Mailbox, cause: Exception) -> ProbeFailed:
        return ProbeFailed(step, str(talk.server), cause, self.probe.secrets)


def _explained(talk: Submission | Mailbox, cause: ssl.SSLCertVerificationError) -> Exception:
    try:
        return wrong_certificate(talk, cause)
    except (Refused, OSError):
        return cause
