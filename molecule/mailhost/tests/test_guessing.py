# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who guesses passwords is counted by fail2ban's filter, and what was typed is written nowhere."""

from __future__ import annotations

import base64
import contextlib
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.conversation import Login
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.doors import Host
from mailhost import PEOPLE, TOP, eventually

FILTER = TOP / "roles/fail2ban/templates/filter.conf.j2"
# The ways in which a client says its password, by port.
WAYS = {
    465: ["AUTH PLAIN {plain}", "AUTH LOGIN|{name}|{word}"],
    993: ["a AUTHENTICATE PLAIN {plain}", "a LOGIN {said_name} {said_word}"],
    995: ["AUTH PLAIN {plain}", "USER {said_name}|PASS {said_word}"],
    4190: ['AUTHENTICATE "PLAIN" "{plain}"'],
}


def coded(text):
    return base64.b64encode(text.encode()).decode()


@dataclass(frozen=True)
class Guess:
    """A wrong password, and how it is said where."""

    port: int
    way: str
    login: Login

    @property
    def forms(self):
        return {
            "plain": base64.b64encode(self.login.plain).decode(),
            "name": coded(self.login.username),
            "word": coded(self.login.password),
            "said_name": self.login.username,
            "said_word": self.login.password,
        }

    def made(self, host):
        """The last words of the server."""
        door = host.door(self.port)
        with contextlib.closing(door):
            door.open()
            replies = [door.ask(line) for line in self.way.format(**self.forms).split("|")]
            assert not door.accepts(replies[-1]), replies


@pytest.fixture(scope="module")
def guesses(mailhost):
    """One in each way for somebody whom nobody else asks for; Dovecot takes seconds for each."""
    made = [
        Guess(port, way, Login(f"{uuid.uuid4().hex}@example.org", f"guessed-{uuid.uuid4().hex}"))
        for port, ways in WAYS.items()
        for way in ways
    ]
    made.append(Guess(465, WAYS[465][0], Login(PEOPLE["bob"].username, "guessed-of-somebody")))
    host = Host(mailhost.ipv4, mailhost.hostname, 60.0)
    with ThreadPoolExecutor(len(made)) as pool:
        list(pool.map(lambda guess: guess.made(host), made))
    return made


def patterns():
    """The expressions of the filter, with what fail2ban puts into them."""
    text = re.search(r"^failregex = (.*?)\n\n", FILTER.read_text(), re.M | re.S)[1]
    for line in text.splitlines():
        known = line.strip().replace("%(__prefix_line)s", r".{15} \S+ dovecot\[\d+\]: ")
        yield known.replace("<HOST>", r"(?P<host>[0-9a-f.:]+)")


def counted(mailhost):
    """The lines that fail2ban would count."""
    lines = mailhost.journal("dovecot", since="-2min").splitlines()
    return [line for line in lines for pattern in patterns() if re.search(pattern, line)]


def test_fail2ban_counts_each_guess_once(mailhost, guesses):
    def times(guess):
        return len([line for line in counted(mailhost) if guess.login.username in line])

    *strangers, somebody = guesses
    eventually(lambda: all(map(times, guesses)), what="every guess is in the journal")
    assert [times(guess) for guess in strangers] == [1] * len(strangers)
    assert times(somebody) >= 1


def test_what_was_typed_is_written_nowhere(mailhost, guesses):
    journal = mailhost.journal(since="-5min")
    assert guesses[0].login.username in journal
    typed = [guess.forms[name] for guess in guesses for name in ("plain", "word", "said_word")]
    assert [form for form in typed if form in journal] == []
