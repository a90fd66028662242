# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets stay where they belong: nowhere in a log, in no file that others may read."""

from __future__ import annotations

import base64
import json

import pytest
import yaml
from mailhost import INVENTORY, PEOPLE, TOP, auth, letter, sasl_plain

ROLE = yaml.safe_load((TOP / "roles/mailserver/vars/main.yml").read_text())
SQL_PASSWORDS = ROLE["__mailserver_sql_passwords_file"]
SAID = TOP / ".dev/changes"  # molecule/mailhost/molecule.yml, tests/bed/callback/changes.py

# Runs as nobody: what it can open, everybody can. The first line of its input are the secrets.
SEARCH = """
import json, os, stat, sys
secrets = [secret.encode() for secret in json.loads(SECRETS)]
BARRED = ("/proc", "/sys", "/dev", "/usr")
for folder, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if not os.path.join(folder, name).startswith(BARRED)]
    for name in files:
        path = os.path.join(folder, name)
        try:
            if not stat.S_ISREG(os.lstat(path).st_mode):
                continue
            content = open(path, "rb").read()
        except OSError:
            continue
        if any(secret in content for secret in secrets):
            print(path)
for number in filter(str.isdigit, os.listdir("/proc")):
    for name in ("cmdline", "environ"):
        try:
            content = open(f"/proc/{number}/{name}", "rb").read()
        except OSError:
            continue
        if number != str(os.getpid()) and any(secret in content for secret in secrets):
            print(f"/proc/{number}/{name}", content.split(b"\\0")[0])
"""


def planted():
    """Every secret of the inventory, clear and hash."""
    clear = [entry["password"] for entry in INVENTORY["mailserver_users"] if "password" in entry]
    hashes = [
        entry["password_hash"]
        for entry in INVENTORY["mailserver_users"]
        if "password_hash" in entry
    ]
    return [*clear, *hashes, *(text.partition("}")[2] for text in hashes)]


@pytest.fixture(scope="module")
def secrets(mailhost):
    """What is planted, and what was made of it on the host."""
    made = json.loads(mailhost.output("cat", SQL_PASSWORDS))
    stored = mailhost.sql("SELECT password FROM dovecot_users") + mailhost.sql(
        "SELECT passwd FROM smtp_users", "postfix"
    )
    hashes = [text.partition("}")[2] for text in stored]
    found = [*planted(), *made.values(), *filter(None, hashes)]
    assert len(found) > 2 * len(PEOPLE)
    sent = [sasl_plain(person.username, person.password) for person in PEOPLE.values()]
    return found + sent


@pytest.fixture(scope="module")
def traffic(mailhost):
    """Logins, right and wrong, so that there is something to have been written down."""
    ann = PEOPLE["ann"]
    with mailhost.imap(ann), mailhost.pop3(ann):
        pass
    mailhost.submit(ann, letter(ann.address, ann.address))
    with mailhost.smtp(587, starttls=True) as session:
        auth(session, "x@example.org", ann.password)


def test_nothing_that_was_said_while_the_host_came_about_holds_a_secret(mailhost, secrets):
    """Neither in check mode on the bare host nor in the first run, at -vvv and with all results."""
    said = "".join((SAID / name).read_text() for name in ("said.log", "said.jsonl"))
    assert f"<{mailhost.name}> EXEC" in said
    assert "/etc/dovecot/dovecot-sql.conf" in said
    forms = {form for secret in secrets for form in written(secret)}
    assert [form for form in forms if form in said] == []


def written(secret):
    """How a secret may look in what a run says."""
    return secret, json.dumps(secret)[1:-1], base64.b64encode(secret.encode()).decode()


def test_the_journal_holds_no_secret(mailhost, secrets, traffic):
    journal = mailhost.journal(since="-1d")
    assert "dovecot" in journal
    assert [secret for secret in secrets if secret in journal] == []


def test_the_files_of_the_logs_hold_no_secret(mailhost, secrets, traffic):
    logs = mailhost.run(
        "grep", "-rhaF", "-e", "", "/var/log", "--include=*.log", check=False
    ).stdout
    assert [secret for secret in secrets if secret in logs] == []


def test_nobody_else_can_read_a_secret(mailhost, secrets, traffic):
    script = f"SECRETS = {json.dumps(secrets)!r}\n{SEARCH}"
    nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    assert mailhost.run(*nobody, "python3", "-", input=script).stdout == ""
