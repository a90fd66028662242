# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Ansible managed
"""A mail filter (milter) of submission: who has logged in sends with addresses of their own.

usage: python3 header_from SOCKET FILE-OF-THE-SENDER-MAP RECIPIENT-DELIMITER
"""

from __future__ import annotations

import logging
import re
import sys

import Milter
from header_from import CLAIMING, MOST, Refused, check
from sender_map import SenderMap, Unavailable

SECONDS = 60  # for one answer of Postfix
log = logging.getLogger("header_from")


class HeaderFrom(Milter.Base):
    """One SMTP session; Postfix tells the sender and the headers of each of its messages."""

    senders: SenderMap

    def __init__(self) -> None:
        self._login: str | None = None
        self._headers: list[tuple[str, bytes]] = []

    def envfrom(self, _sender: str, *_parameters: str) -> int:
        self._login = self.getsymval("{auth_authen}")
        self._headers = []
        return Milter.CONTINUE

    @Milter.noreply
    @Milter.decode("bytes")
    def header(self, name: str, value: bytes) -> int:
        if name.strip().lower() in CLAIMING and len(self._headers) <= MOST:
            self._headers.append((name, value))
        return Milter.CONTINUE

    def eom(self) -> int:
        """Not earlier: a message without headers has an end, too."""
        try:
            check(self._headers, self._login, self.senders.owners)
        except Refused as why:
            words = f"Not your address: {_printable(str(why))}"
            return self._answer(Milter.REJECT, "550", "5.7.1", words, words)
        except Unavailable as why:
            words = "The owner of the sender's address cannot be told now, try again later"
            return self._answer(Milter.TEMPFAIL, "451", "4.3.0", words, f"{words} ({why})")
        return Milter.ACCEPT

    def _answer(self, verdict: int, code: str, status: str, words: str, logged: str) -> int:
        log.warning("%s: login=%s: %s %s", self.getsymval("i"), self._login, code, logged)
        self.setreply(code, status, words)
        return verdict


def _printable(text: str) -> str:
    """As a reply of SMTP can hold it; libmilter would take a percent sign for a format."""
    return re.sub(r"[^ -$&-~]", "?", text)[:300]


def main(socket: str, file: str, delimiters: str) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    HeaderFrom.senders = SenderMap(file, delimiters)
    Milter.factory = HeaderFrom
    Milter.set_flags(0)
    # A fault of this program is a temporary failure, and never lets a message pass.
    Milter.set_exception_policy(Milter.TEMPFAIL)
    Milter.runmilter("header_from", socket, SECONDS)


if __name__ == "__main__":
    main(*sys.argv[1:])
