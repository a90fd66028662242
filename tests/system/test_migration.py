# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""An old host's databases and mail come to a new host, as docs/migration.md says.

The newer release refuses more, so that it is the one of every day.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import smtplib
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import TOP, bed
from mailhost import MailHost, Person, Sink, letter
from runs import Playbooks, Run, inventory

sys.path.append(str(TOP))

from tests.integration.conftest import MariaDB
from tests.integration.old_hosts import EXTERNAL, OldHost
from tests.integration.old_hosts import Person as Old

RELEASES = ["trixie", pytest.param("bookworm", marks=pytest.mark.long)]
READY = "localhost/groupware-mailserver-ready"
# Ann and Ben have passwords that both Dovecots take; mail for the third goes far away.
# The row of the fourth has no home, as tables have allowed since 2010.
ANN, BEN, FAR, HOMELESS = 16, 20, 8, 15
VARIABLES = {
    "mailserver_domains": ["example.org", "second.example"],
    "mailserver_postmaster": f"p{ANN}@example.org",
    "mailserver_users": [],
    "postfix_settings": {"transport_maps": f"inline:{{ {{{EXTERNAL} = smtp:[outside.test]}} }}"},
}


def hashed(password: str) -> str:
    salt = b"salt"
    digest = hashlib.sha256(password.encode() + salt).digest()
    return "{SSHA256}" + base64.b64encode(digest + salt).decode()


@dataclass(frozen=True)
class Dump:
    """What the old host gives away: its people and a copy of its databases."""

    people: list[Old]
    text: str

    def person(self, number: int) -> Person:
        old = self.people[number]
        return Person(old.email, old.username, old.password)


@pytest.fixture(scope="module")
def old_server():
    """The old host's MariaDB, which has no way into pytest's own directories."""
    directory = Path(tempfile.mkdtemp(prefix="mailserver-"))
    shutil.chown(directory, "mysql", "mysql")
    server = MariaDB(directory)
    server.install()
    server.start()
    yield server
    server.stop()
    shutil.rmtree(directory)


def copied(server: MariaDB, dovecot: str, postfix: str) -> Dump:
    """Tables of these generations, with duplicates, umlauts and long names."""
    old = OldHost(server, server.directory)
    old.build(dovecot, postfix, 41)
    for number in (ANN, BEN):
        person = old.people[number]
        old.sql(
            "UPDATE dovecot.dovecot_users SET password = %s WHERE userid = %s",
            *(hashed(person.password), person.userid),
        )
    command = ["mariadb-dump", "--no-defaults", f"--socket={server.socket}"]
    command += ["--single-transaction", "--add-drop-database", "--databases", "dovecot", "postfix"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Dump(old.people, done.stdout)


@pytest.fixture(scope="module")
def dump(old_server) -> Dump:
    """The form that the well-known wiki page made."""
    return copied(old_server, "D4", "S6")


@dataclass(frozen=True)
class Moved:
    """What the runs said, in the order of the guide."""

    playbooks: Playbooks
    host: MailHost
    refused: Run
    ahead: Run
    migrated: Run
    built: Run
    proved: Run


def tables(host: MailHost) -> str:
    return host.output("mariadb-dump", "--skip-dump-date", "--databases", "dovecot", "postfix")


OLD_MAIL = letter("far@outside.test", f"p{ANN}@example.org", subject="From the old host")


@pytest.fixture(scope="module", params=RELEASES)
def moved(request, outside, dump, tmp_path_factory) -> Moved:
    """The steps of the guide, one after the other."""
    name = f"migrated-{request.param}"
    bed("image-ready.sh", request.param)
    bed("container.sh", "remove", name)
    bed("container.sh", "start", name, f"{READY}:{request.param}", f"{name}.example.test")
    playbooks = Playbooks(inventory(tmp_path_factory.mktemp("moved") / "inventory", [name]))
    host = MailHost(name)
    playbooks.succeed("site", "--tags=mariadb_install,mariadb_configure,mariadb_run", **VARIABLES)
    host.run("mariadb", input=dump.text)
    before = tables(host)
    refused = playbooks.fail("site", **VARIABLES)
    ahead = playbooks.succeed("migrate", "--check", "--diff", **VARIABLES)
    assert tables(host) == before
    migrated = playbooks.succeed("migrate", **VARIABLES)
    built = playbooks.succeed("site", **VARIABLES)
    # A mailbox is copied to where its row says.
    home = f"/var/vmail/{ANN}"
    host.run("mkdir", "-p", *(f"{home}/Maildir/{part}" for part in ("cur", "new", "tmp")))
    host.run("tee", f"{home}/Maildir/cur/1.old:2,S", input=OLD_MAIL.content.decode())
    host.run("mariadb", "-e", "UPDATE dovecot.dovecot_users SET uid = NULL, gid = NULL")
    host.run("chown", "-R", "vmail:vmail", home)
    proved = playbooks.succeed("verify", **VARIABLES)
    yield Moved(playbooks, host, refused, ahead, migrated, built, proved)
    bed("container.sh", "remove", name)


def test_site_refuses_tables_of_another_time_and_names_the_way(moved):
    assert "the playbook groupware.mailserver.migrate" in moved.refused.output


def test_check_mode_tells_what_is_there_and_changes_nothing(moved):
    expected = {moved.host.name: ["They are migrated"]}
    assert moved.ahead.changed == moved.migrated.changed == expected
    for said in (moved.ahead.output, moved.migrated.output):
        assert said.count('"dovecot": "D4"') == said.count('"postfix": "S6"') == 1
        assert "Dovecot 2.4 refuses as weak" in said
        assert "pässword" not in said
    assert "/var/backups/groupware.mailserver/" in moved.migrated.output


def test_everybody_logs_in_with_the_password_of_before(moved, dump):
    for number in (ANN, BEN):
        person = dump.person(number)
        for login in (person.address, person.username):
            with moved.host.imap(person, login=login):
                pass


def test_the_mail_of_before_is_there(moved, dump):
    assert "From the old host" in moved.host.has(dump.person(ANN), OLD_MAIL)


def test_aliases_and_forwards_go_on(moved, dump):
    host = moved.host
    sent = letter("far@outside.test", f"alias{ANN}@example.org")
    host.send(sent)
    host.arrived(dump.person(ANN), sent)
    away = letter("far@outside.test", f"p{FAR}@example.org")
    host.send(away)
    Sink.arrived(away)
    there = letter(f"p{BEN}@example.org", f"p{ANN}@example.org")
    host.submit(dump.person(BEN), there)
    host.arrived(dump.person(ANN), there)


def test_a_quota_of_before_holds(moved, dump):
    name = dump.person(ANN).username
    said = moved.host.output("doveadm", "-f", "tab", "quota", "get", "-u", name)
    (line,) = said.splitlines()[1:2]
    assert str(5 * 1024) in line.split("\t")


def test_mail_for_who_has_no_home_is_to_come_later_and_the_doctor_has_told(moved, dump):
    assert "accounts without a home" in moved.migrated.output
    person = dump.person(HOMELESS)
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
        moved.host.send(letter("far@outside.test", person.address))
    assert refusal.value.recipients[person.address][0] == 450


def test_a_second_migration_changes_nothing(moved):
    assert moved.playbooks.succeed("migrate", **VARIABLES).changed == {}


def services(host: MailHost) -> list[str]:
    command = ("systemctl", "is-active", "postfix", "dovecot")
    return host.run(*command, check=False).stdout.split()


def test_services_stop_before_what_they_read_is_removed(moved, old_server):
    """A host that runs gets the tables of 2009, as if it had stayed where it was."""
    host, older = moved.host, copied(old_server, "D0", "S0")
    assert services(host) == ["active", "active"]
    host.run("mariadb", input=older.text)
    ahead = moved.playbooks.succeed("migrate", "--check", **VARIABLES)
    done = moved.playbooks.succeed("migrate", **VARIABLES)
    tasks = {"They are stopped", "They are migrated"}
    for run in (ahead, done):
        assert {name: set(changed) for name, changed in run.changed.items()} == {host.name: tasks}
    assert services(host) == ["inactive", "inactive"]
    moved.playbooks.succeed("site", **VARIABLES)
    assert services(host) == ["active", "active"]
    sent = letter("far@outside.test", f"alias{ANN}@example.org")
    host.send(sent)
    host.arrived(older.person(ANN), sent)
