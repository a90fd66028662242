# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the groupware.mailserver developers
"""What a mail host has to refuse. Nothing is sent: no conversation comes as far as DATA."""

from __future__ import annotations

import contextlib
import typing as t
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .conversation import Login
from .doors import SUBMISSION, TLS_AT_ONCE, Door, Host
from .errors import TEMPORARY, TRY_LATER, Refused, said, without_secrets

STRANGER: t.Final = "somebody@example.com"  # RFC 2606: nobody hosts it
UNLIMITED: t.Final = 1 << 30  # bytes of a message for a server that names no limit

ADVICE: t.Final = {
    "relay": "it relays for strangers: check mynetworks and smtpd_relay_restrictions",
    "unknown_recipient": "it takes mail for nobody: check virtual_mailbox_maps and catch-alls",
    "over_quota": "a full mailbox is not known at RCPT: check quota-status and its policy service",
    "forged_sender": "people send as others: check smtpd_sender_login_maps and master.cf",
    "no_login": "submission takes mail without a login: check its restrictions in master.cf",
    "disabled_login": "who is disabled comes in: check the password query of Dovecot",
    "cleartext_login": "passwords are taken without TLS: check ssl and smtpd_tls_auth_only",
}


@dataclass(frozen=True)
class Refusal:
    """One thing to try that must be refused, and at which port."""

    name: str
    port: int
    attempt: t.Callable[[Door], str]
    address: str | None = None
    as_stranger: bool = True  # not as somebody with an address that the server trusts
    tls: bool = True


@dataclass(frozen=True)
class Suspect:
    """Whom to try things as. What is not given is not tried."""

    host: Host
    ports: t.Sequence[int]
    addresses: t.Sequence[str]  # all that the name of the host has, unless they are named
    login: Login
    sender: str
    disabled: Login | None
    unknown_recipient: str | None
    small_recipient: str | None = None  # whose mailbox holds less than a message may be large

    @property
    def secrets(self) -> tuple[str, ...]:
        return (*self.login.secrets, *(self.disabled.secrets if self.disabled else ()))

    def refusals(self) -> t.Iterator[Refusal]:
        """Everything to try; a further attempt belongs here, and its advice into ADVICE."""
        for port in self.ports:
            if port == 25:
                yield from self._at_the_entrance()
            if port in SUBMISSION:
                yield Refusal("no_login", port, self._without_login)
                yield Refusal("forged_sender", port, self._forged(self._nobody()))
                yield Refusal("forged_sender", port, self._forged(STRANGER))
            if self.disabled and port != 25:
                yield Refusal("disabled_login", port, _login(self.disabled))
            if port not in TLS_AT_ONCE:
                yield Refusal("cleartext_login", port, Door.begin_login, tls=False)

    def _at_the_entrance(self) -> t.Iterator[Refusal]:
        """From where the connection comes from by itself: mynetworks may do more."""
        for address in self.addresses or self.host.addresses():
            attempts = {"relay": [_recipient(sender, STRANGER) for sender in ("", self.sender)]}
            if self.unknown_recipient:
                attempts["unknown_recipient"] = [_recipient("", self.unknown_recipient)]
            if self.small_recipient:
                attempts["over_quota"] = [_largest(self.small_recipient)]
            for name, attempted in attempts.items():
                for attempt in attempted:
                    yield Refusal(name, 25, attempt, address, as_stranger=False, tls=False)

    def _nobody(self) -> str:
        return f"{uuid.uuid4().hex}@{self.sender.rpartition('@')[2]}"

    def _without_login(self, door: Door) -> str:
        return _recipient(self.sender, self.sender)(door)

    def _forged(self, sender: str) -> t.Callable[[Door], str]:
        def attempt(door: Door) -> str:
            reply = door.log_in(self.login)
            if not door.accepts(reply):
                raise Refused(f"the login itself was not accepted: {reply}")
            return _recipient(sender, self.sender)(door)

        return attempt


def _login(login: Login) -> t.Callable[[Door], str]:
    return lambda door: door.log_in(login)


def _recipient(sender: str, recipient: str) -> t.Callable[[Door], str]:
    """The reply to RCPT; with smtpd_delay_reject, MAIL tells nothing."""

    def attempt(door: Door) -> str:
        reply = door.ask(f"MAIL FROM:<{sender}>")
        return door.ask(f"RCPT TO:<{recipient}>") if door.accepts(reply) else reply

    return attempt


def _largest(recipient: str) -> t.Callable[[Door], str]:
    """The reply to RCPT for a message as large as the server takes any (RFC 1870)."""

    def attempt(door: Door) -> str:
        reply = door.ask(f"MAIL FROM:<> SIZE={door.size or UNLIMITED}")
        return door.ask(f"RCPT TO:<{recipient}>") if door.accepts(reply) else reply

    return attempt


def look(suspect: Suspect) -> tuple[list[dict[str, t.Any]], list[str]]:
    """What was refused with which words, and a sentence for everything that was not."""
    tried = list(suspect.refusals())
    # All at once: Dovecot thinks for seconds about each login that it refuses.
    with ThreadPoolExecutor(len(tried) or 1) as pool:
        answers = list(pool.map(lambda refusal: _answer(suspect.host, refusal), tried))
    listed, faults = [], []
    for refusal, (reply, fault) in zip(tried, answers):
        where = str(suspect.host.door(refusal.port, address=refusal.address))
        reply = without_secrets(reply, suspect.secrets)
        listed.append({"name": refusal.name, "server": where, "reply": reply})
        if fault:
            faults.append(f"{refusal.name}: {where}: {reply}; {fault}")
    return listed, faults


def _answer(host: Host, refusal: Refusal) -> tuple[str, str]:
    """The reply, and what is wrong with it."""
    door = host.door(refusal.port, address=refusal.address)
    with contextlib.closing(door):
        try:
            door.open(as_stranger=refusal.as_stranger, tls=refusal.tls)
            reply = refusal.attempt(door)
        except (Refused, OSError) as cause:
            return said(cause), "this could not be tried: check that the service answers there"
    if door.goes_on(reply):
        return reply, f"expected a refusal: {ADVICE[refusal.name]}"
    return reply, f"expected a refusal for good: {TRY_LATER}" if TEMPORARY.match(reply) else ""
