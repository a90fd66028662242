# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: this is no interface of the collection and may change at any time.

"""Dovecot's sessions and deliveries that began while the mail was in another place."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .._accounts.errors import MailhostError
from .tree import normal

__all__ = ("Dovecot", "StillBusy", "Unanswered")

_UNKNOWN_USER = 67  # EX_NOUSER of doveadm user
_NOT_FOUND = 68  # doveadm kick: nobody was logged in
_NOT_RUNNING = ("No such file or directory", "Connection refused")
_CONNECTED = "03"  # SS_CONNECTED in /proc/net/unix
_ESTABLISHED = "01"  # TCP_ESTABLISHED in /proc/net/tcp
_LMTP_PORT = 24
_SECONDS = 0.1


class Unanswered(MailhostError):
    """doveadm says nothing that helps."""

    def __init__(self, asked: str, said: str) -> None:
        super().__init__(
            f"{asked} does not answer: {said.strip() or 'it says nothing'}. The mail is in its new "
            "place and can be read and delivered; run the play again once Dovecot answers."
        )


class StillBusy(MailhostError):
    """Something that may know the old place has not ended."""

    def __init__(self, timeout: int, what: str) -> None:
        super().__init__(
            f"{what} that began before the move did not end within {timeout} seconds, so the link "
            "in the old place stays. No mail is lost; run the play again later."
        )


@dataclass(frozen=True)
class Dovecot:
    """The Dovecot of this host, asked through doveadm."""

    doveadm: str | None
    timeout: int

    def home(self, username: str) -> str | None:
        """Where it looks for somebody's mail from now on; None for whom it does not know."""
        done = self._ask("user", "-f", "home", username)
        if done.returncode == 0:
            return normal(done.stdout.strip())
        if done.returncode == _UNKNOWN_USER:
            return None
        raise Unanswered("doveadm user", done.stderr)

    def end(self, usernames: Iterable[str]) -> None:
        """End the sessions of these people, and wait for what is being delivered to anybody.

        An LMTP process has looked up its recipients before it takes the message, so it may still
        be on its way to the old place. Nothing to end where no Dovecot runs.
        """
        deliveries = _deliveries()
        names = sorted(set(usernames)) if self.doveadm else []
        sessions = {name: self._sessions(name) for name in names}
        for name in names:
            self._kick(name)
        self._await(lambda: deliveries & _deliveries(), "A delivery of mail")
        for name in filter(sessions.get, names):
            self._await_end(name, sessions[name])

    def _await_end(self, username: str, sessions: set[str]) -> None:
        self._await(lambda: sessions & self._sessions(username), "A session")

    def _sessions(self, username: str) -> set[str]:
        """Processes that somebody is logged in to."""
        lines = self._ask("-f", "tab", "who", "-1", username).stdout.splitlines()
        column = lines[0].split("\t").index("pid") if lines else 0
        return {line.split("\t")[column] for line in lines[1:]}

    def _kick(self, username: str) -> None:
        done = self._ask("kick", username)
        running = not any(words in done.stderr for words in _NOT_RUNNING)
        if done.returncode not in (0, _NOT_FOUND) and running:
            raise Unanswered("doveadm kick", done.stderr)

    def _await(self, lasting: Callable[[], object], what: str) -> None:
        until = time.monotonic() + self.timeout
        while lasting():
            if time.monotonic() > until:
                raise StillBusy(self.timeout, what)
            time.sleep(_SECONDS)

    def _ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        if not self.doveadm:
            raise Unanswered("doveadm", "it is not installed on this host")
        return subprocess.run(
            [self.doveadm, *arguments[:-1], "--", arguments[-1]],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
        )


def _deliveries() -> set[str]:
    """Connections of LMTP, and processes of dovecot-lda, that are at work."""
    processes = {
        f"process {process}"
        for process in filter(str.isdigit, os.listdir("/proc"))
        if _read(f"/proc/{process}/comm").strip() == "dovecot-lda"
    }
    return processes | _lmtp_over_unix() | _lmtp_over_tcp()


def _lmtp_over_unix() -> set[str]:
    # Dovecot's sockets have absolute names; private/lmtp is a socket of Postfix's own.
    lines = [line.split() for line in _read("/proc/net/unix").splitlines()]
    return {
        f"unix {line[6]}"
        for line in lines
        if line[5] == _CONNECTED and re.match(r"/.*lmtp$", " ".join(line[7:]))
    }


def _lmtp_over_tcp() -> set[str]:
    text = _read("/proc/net/tcp") + _read("/proc/net/tcp6")
    lines = [line.split() for line in text.splitlines()]
    return {
        f"tcp {line[9]}"
        for line in lines
        if line[3] == _ESTABLISHED and line[1].endswith(f":{_LMTP_PORT:04X}")
    }


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
