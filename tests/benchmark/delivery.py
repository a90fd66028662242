# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many messages a second reach their mailbox: by LMTP, by the pipe to dovecot-lda, by discard.

On one host of each release, built from its roles, in turn and told as the median of ROUNDS (3):
smtp-source hands over messages for one recipient or for ten, MESSAGES (500) copies in all, and the
clock stops when the queue is empty. discard is Postfix with all its lookups and no delivery, the
limit. SUITES ("bookworm trixie") are the hosts. Ends with 0 when it has measured, whatever it has
found.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP))

from tests.benchmark.accounts import figure, median, note
from tests.benchmark.lookups import CONTAINER, MailHost, mail_host

MESSAGES = int(os.environ.get("MESSAGES", "500"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
SUITES = os.environ.get("SUITES", "bookworm trixie").split()
PEOPLE = 10
WAYS = {"lmtp": "lmtp:unix:private/dovecot-lmtp", "lda": "dovecot", "discard": "discard:"}

# Where a message is for ten, smtp-source writes them as aliases of these people: it puts a number
# before the address of each but one (Postfix 3.7), or counts on behind the local parts (3.10).
NUMBERED = "bench@example.org"
ADDRESSES = [f"bench-{person}@example.org" for person in range(PEOPLE)]
ALIASES = [
    [f"bench{number}@example.org" for number in range(person, MESSAGES + PEOPLE, PEOPLE)]
    + [NUMBERED if person == 1 else f"{person or PEOPLE}{NUMBERED}"]
    for person in range(PEOPLE)
]

# In the container: hand the messages over, then wait until the queue is empty.
DELIVER = """
import json, os, subprocess, sys, time
began = time.perf_counter()
sources = [
    subprocess.Popen(["smtp-source", *options, "127.0.0.1:25"])
    for options in json.loads(sys.argv[1])
]
if any([source.wait() for source in sources]):
    sys.exit("smtp-source has failed")
folders = ["/var/spool/postfix/" + name for name in ("maildrop", "incoming", "active", "deferred")]
def queued():
    return any(files for folder in folders for _path, _folders, files in os.walk(folder))
while queued():
    time.sleep(0.02)
print(time.perf_counter() - began)
"""


def add_people() -> None:
    """The mailboxes, beside the people of the example."""
    people = [
        {"address": address, "password": "bench-bench", "aliases": aliases}
        for address, aliases in zip(ADDRESSES, ALIASES)
    ]
    subprocess.run(
        ["ansible-playbook", "-i", TOP / "examples/inventory.yml", "-i", TOP / "demo/hosts.yml"]
        + ["groupware.mailserver.accounts", "-e", json.dumps({"mailserver_users_bench": people})],
        env={**os.environ, "DEMO_CONTAINER": CONTAINER, "ANSIBLE_PIPELINING": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
    )


def sources(recipients: int) -> list[list[str]]:
    """The options of each smtp-source: ten sessions at a time, all mailboxes alike."""
    said = ["-f", "load@example.org", "-l", "2000"]
    if recipients == 1:
        number = str(MESSAGES // PEOPLE)
        return [[*said, "-m", number, "-t", address] for address in ADDRESSES]
    # One session of each: where several count together, two of a message may be the same person.
    number = str(MESSAGES // recipients // PEOPLE)
    return [[*said, "-m", number, "-r", str(recipients), "-t", NUMBERED]] * PEOPLE


def rate(host: MailHost, way: str, recipients: int) -> float:
    """Copies a second in the mailboxes, by one way."""
    host.run("postconf", "-e", f"virtual_transport={WAYS[way]}")
    host.run("postfix", "reload")
    before = delivered(host)
    seconds = float(host.run("python3", "-c", DELIVER, json.dumps(sources(recipients))))
    arrived = delivered(host) - before
    if way != "discard" and arrived != MESSAGES:
        raise SystemExit(f"{way}: {arrived} of {MESSAGES} copies were delivered")
    return MESSAGES / seconds


def delivered(host: MailHost) -> int:
    found = host.run(
        "sh", "-c", "find /var/vmail/example.org/ -path '*bench-*/Maildir/new/*' | wc -l"
    )
    return int(found)


def measured(host: MailHost, recipients: int) -> dict[str, float]:
    rounds = [{way: rate(host, way, recipients) for way in WAYS} for _round in range(ROUNDS)]
    return {way: median([one[way] for one in rounds]) for way in WAYS}


def main() -> None:
    for suite in SUITES:
        with mail_host(suite) as host:
            add_people()
            for recipients in (1, 10):
                rates = measured(host, recipients)
                told = ", ".join(f"{way} {value:.0f}" for way, value in rates.items())
                note(f"\n{suite}, {recipients} recipients, copies a second: {told}")
                name = f"delivery-{suite}-{recipients}-lmtp"
                figure(f"{name}-over-lda", rates["lmtp"] / rates["lda"], 3, above=True)
                figure(f"{name}-over-discard", rates["lmtp"] / rates["discard"], 0.6, above=True)


if __name__ == "__main__":
    main()
