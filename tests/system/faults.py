# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults during a running mail load: nothing that was accepted is lost, and the host mends itself.

Builds a mail host of each release, hands it messages without a break as a foreign server does
(whatever is not accepted is tried again), and meanwhile stops and kills what a host depends on.
Tells after each fault how long it took until a new message was delivered and until a login worked,
and at the end how many messages were accepted, delivered, lost, and delivered more than once.

A message may arrive again where an acknowledgement was lost (RFC 5321 6.1, RFC 2033 4.2): that of
DATA, whose client tries again, or that of LMTP, where Postfix does. MESSAGES (2000) is the least
number; SUITES ("bookworm trixie") are the releases. Ends with 1 when a message was lost.
"""

from __future__ import annotations

import contextlib
import imaplib
import itertools
import json
import os
import smtplib
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "molecule/shared"), str(TOP / "tests/system")]

from mailhost import PEOPLE, Letter, MailHost, eventually, podman
from runs import Playbooks, inventory

MESSAGES = int(os.environ.get("MESSAGES", "2000"))
SUITES = os.environ.get("SUITES", "bookworm trixie").split()
READY = "localhost/groupware-mailserver-ready"
BED = TOP / "tests/bed/container.sh"
SENDERS = 4
PACE = 0.15  # seconds between two messages of one sender: the load outlasts the faults
LONGEST = 400  # seconds until a host has mended itself: Postfix leaves a dead database alone for 60
TO = [PEOPLE[name] for name in ("ann", "bob", "ursula", "chief")]
FULL = PEOPLE["bob"]

# In the container: how often each message of the run lies in a mailbox.
COUNT = """
import collections, json, os, re, sys
mark = re.compile(rb"^Message-ID: <(" + sys.argv[1].encode() + rb"[^@>]*)@", re.M | re.I)
found = collections.Counter()
for folder, _folders, files in os.walk("/var/vmail"):
    if os.path.basename(folder) in ("cur", "new"):
        for name in files:
            seen = mark.search(open(os.path.join(folder, name), "rb").read(65536))
            if seen:
                found[seen[1].decode()] += 1
print(json.dumps(found))
"""


# --- the load --------------------------------------------------------------------------------


@dataclass
class Load:
    """Messages from a foreign server that never gives up; every one can be told from the others."""

    host: MailHost
    run: str = field(default_factory=lambda: f"load-{uuid.uuid4().hex[:8]}")
    accepted: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)  # the answer to DATA was lost
    refused: Counter[int] = field(default_factory=Counter)  # tries that had another answer
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        senders = [threading.Thread(target=self._send) for _turn in range(SENDERS)]
        for sender in senders:
            sender.start()
        try:
            yield
        finally:
            self._over.set()
            for sender in senders:
                sender.join()

    def _send(self) -> None:
        while not self._over.is_set():
            number = next(self._numbers)
            token = f"{self.run}-{number}"
            person = TO[number % len(TO)]
            while not self.hand_over(Letter("load@outside.test", person.address, token)):
                time.sleep(1)
            time.sleep(PACE)

    def hand_over(self, sent: Letter) -> bool:
        """One try; a message that may have been taken is tried again too, as RFC 5321 says."""
        asked = False
        try:
            with smtplib.SMTP(address(self.host), 25, timeout=120) as session:
                session.ehlo("client.example.test")
                for code, _words in (session.mail(sent.sender), session.rcpt(sent.to)):
                    if code != 250:
                        self._refuse(code)
                        return False
                asked = True
                code, _words = session.data(sent.content)
        except smtplib.SMTPResponseException as error:
            self._refuse(error.smtp_code)
            return False
        except (OSError, smtplib.SMTPException):
            self.refused[0] += 1
            if asked:
                self.unsure.add(sent.token)
            return False
        if code != 250:
            self._refuse(code)
            return False
        self.accepted.add(sent.token)
        return True

    def _refuse(self, code: int) -> None:
        self.refused[code] += 1
        # A person of this host is never unknown, and its mail is never refused for good.
        assert code < 500, f"a message of the load was refused: {code}"


def address(host: MailHost) -> str:
    """A container may have another address after its start."""
    return MailHost(host.name).ipv4


# --- the faults ------------------------------------------------------------------------------


def database_stops(host: MailHost) -> None:
    host.run("systemctl", "stop", "mariadb")
    time.sleep(10)
    host.run("systemctl", "start", "mariadb")


def killed(*program: str) -> Callable[[MailHost], None]:
    """kill -9; what starts it again is systemd, or the master process of its service."""

    def kill(host: MailHost) -> None:
        """As soon as there is one: some live only while they have something to do."""
        command = ("pkill", "-KILL", *program)
        eventually(lambda: host.run(*command, check=False).returncode == 0, what=str(command))

    return kill


def disk_is_full(host: MailHost) -> None:
    """A small file system over one mailbox; it stays, and has room again after a while."""
    home = host.sql(f"SELECT home FROM dovecot_users WHERE username = '{FULL.username}'")[0]
    # With a copy of the mailbox. Dovecot's unit has its own view of the mounts: it starts again.
    script = f"""set -e
    systemctl stop postfix
    mkdir -p /mnt/store && mount -t tmpfs -o size=256m,mode=0700 tmpfs /mnt/store
    chown --reference={home} /mnt/store && cp -a {home}/. /mnt/store/
    mount --bind /mnt/store {home} && systemctl restart dovecot && systemctl start postfix
    dd if=/dev/zero of={home}/filler bs=64k 2>/dev/null || df {home} >&2
    """
    host.run("sh", "-c", script)
    begun = time.time()
    spoken = f"grep -c 'to=<{FULL.address}>.*status=deferred'"
    since = f"journalctl -o cat --since=@{begun:.0f} -u 'postfix*' | {spoken}"
    eventually(
        lambda: int(host.run("sh", "-c", since, check=False).stdout) >= 5,
        within=120,
        what="deliveries to the full disk wait",
    )
    host.run("rm", f"{home}/filler")


def host_dies(host: MailHost) -> None:
    podman("kill", host.name)
    subprocess.run([BED, "start", host.name, "-", "-"], check=True, stdout=subprocess.DEVNULL)


FAULTS: dict[str, Callable[[MailHost], None]] = {
    "MariaDB is stopped for 10 s": database_stops,
    "kill -9 of mariadbd": killed("-x", "mariadbd"),
    "kill -9 of Dovecot's auth": killed("-f", "^dovecot/auth( |$)"),
    "kill -9 of Dovecot's lmtp": killed("-f", "^dovecot/lmtp"),
    "kill -9 of Postfix's qmgr": killed("-x", "qmgr"),
    "the container is killed": host_dies,
    "the disk of a mailbox is full": disk_is_full,
}


def mended(load: Load, began: float) -> tuple[float, float]:
    """Seconds until a message was delivered that came after the fault, and until a login worked."""
    found: dict[str, float] = {}

    def waiting(name: str, question: Callable[[], object]) -> None:
        eventually(question, within=LONGEST, what=name)
        found[name] = time.monotonic() - began

    asked = {"mail": lambda: delivered(load), "login": lambda: logs_in(load.host)}
    threads = [threading.Thread(target=waiting, args=item) for item in asked.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(found) < len(asked):
        raise SystemExit(f"{load.host.name} has not mended itself within {LONGEST} seconds")
    return found["mail"], found["login"]


def delivered(load: Load) -> bool:
    sent = Letter("load@outside.test", TO[0].address, f"{load.run}-probe-{uuid.uuid4().hex}")
    if not load.hand_over(sent):
        return False
    with contextlib.suppress(AssertionError):
        return eventually(lambda: copies(load.host, sent.token), within=10)
    return False


def logs_in(host: MailHost) -> bool:
    try:
        with MailHost(host.name).imap(TO[0]):
            return True
    except (imaplib.IMAP4.error, OSError, AssertionError):
        return False


# --- the count -------------------------------------------------------------------------------


def copies(host: MailHost, mark: str) -> dict[str, int]:
    return json.loads(host.run("python3", "-c", COUNT, mark).stdout or "{}")


def emptied(host: MailHost) -> bool:
    """Postfix would try again by itself within minutes; nobody needs to wait for that."""
    host.run("postqueue", "-f", check=False)
    return not host.queue()


def counted(load: Load) -> int:
    eventually(lambda: emptied(load.host), within=LONGEST, what="the queue is empty")
    found = copies(load.host, load.run)
    lost = load.accepted - set(found)
    again = {token: number - 1 for token, number in found.items() if number > 1}
    unsure = sum(number for token, number in again.items() if token in load.unsure)
    print(
        f"  accepted {len(load.accepted)}, delivered {len(load.accepted & set(found))}, "
        f"lost {len(lost)}, duplicated {sum(again.values())} (of them {unsure} "
        f"after a lost answer to DATA); tries that were not accepted {sum(load.refused.values())}: "
        f"{dict(load.refused)} (0: the connection broke)",
        flush=True,
    )
    for token in sorted(lost)[:10]:
        print(f"  lost: {token}")
    return len(lost)


@contextlib.contextmanager
def mail_host(suite: str) -> Iterator[MailHost]:
    prefix = os.environ.get("SYSTEM_HOSTS", "groupware-mailserver-faults")
    name = f"{prefix}-{'debian12' if suite == 'bookworm' else 'debian13'}"
    subprocess.run([TOP / "tests/bed/image-ready.sh", suite], check=True)
    start = [BED, "start", name, f"{READY}:{suite}", f"{name}.example.test"]
    made = subprocess.run(start, check=True, capture_output=True, text=True).stdout
    try:
        with tempfile.TemporaryDirectory() as folder:
            Playbooks(inventory(Path(folder) / "inventory", [name])).succeed("site")
        yield MailHost(name)
    finally:
        if made:
            subprocess.run([BED, "remove", name], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    lost = 0
    for suite in SUITES:
        with mail_host(suite) as host:
            load = Load(host)
            print(f"{suite}: seconds until a new message is delivered, and until a login works")
            with load.running():
                for name, inject in FAULTS.items():
                    inject(host)
                    mail, login = mended(load, time.monotonic())
                    print(f"  {name:32}{mail:8.1f}{login:8.1f}", flush=True)
                while len(load.accepted) < MESSAGES:
                    time.sleep(1)
            lost += counted(load)
    raise SystemExit(1 if lost else 0)


if __name__ == "__main__":
    main()
