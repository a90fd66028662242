# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages a second that a mail host accepts on port 587, with the mail filter and without.

usage: submission.py HOST [MESSAGES [SESSIONS]], for a host of molecule or one like it. Both are
measured in turn, three times; the host is as before afterwards.
"""

from __future__ import annotations

import contextlib
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "molecule/shared"))

from mailhost import PEOPLE, MailHost, letter

ANN = PEOPLE["ann"]
PORT = "submission/inet/smtpd_milters"


@contextlib.contextmanager
def without_the_filter(host: MailHost):
    """Postfix asks nobody about the headers."""
    host.run("postconf", "-P", f"{PORT}=")
    host.run("postfix", "reload")
    try:
        yield
    finally:
        host.run("postconf", "-P", f"{PORT}=$submission_milters")
        host.run("postfix", "reload")


def send(host: MailHost, count: int) -> float:
    """Seconds that one session takes for its messages, after its login."""
    with host.submission(ANN) as session:
        start = time.monotonic()
        for _turn in range(count):
            session.sendmail(ANN.address, [ANN.address], letter(ANN.address, ANN.address).content)
        return time.monotonic() - start


def rate(host: MailHost, messages: int, sessions: int) -> float:
    """Messages a second in all sessions together."""
    with ThreadPoolExecutor(sessions) as pool:
        each = [messages // sessions] * sessions
        seconds = list(pool.map(lambda count: send(host, count), each))
    host.run("postsuper", "-d", "ALL")
    return sum(each) / max(seconds)


def main(name: str, messages: str = "400", sessions: str = "4") -> None:
    host = MailHost(name)
    rates: dict[str, list[float]] = {"with": [], "without": []}
    for _turn in range(3):
        rates["with"].append(rate(host, int(messages), int(sessions)))
        with without_the_filter(host):
            rates["without"].append(rate(host, int(messages), int(sessions)))
    for kind, found in rates.items():
        said = ", ".join(f"{value:.0f}" for value in found)
        print(f"{kind} the filter: {median(found):.0f} messages/s ({said})")


if __name__ == "__main__":
    main(*sys.argv[1:])
