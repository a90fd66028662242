# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts do what they say: people's own, tine's lists, and those of the site."""

from __future__ import annotations

import contextlib

import pytest
from mailhost import PEOPLE, Sink, eventually, letter

BOB, URSULA = PEOPLE["bob"], PEOPLE["ursula"]
OUTSIDE = "somebody@outside.test"
MEMBERS = [f"member{number}@outside.test" for number in range(6)]
LIST = (
    'require ["envelope", "copy", "reject"];\r\n'
    'if envelope :domain :is "from" "outside.test" {\r\n'
    + "".join(f'redirect :copy "{member}";\r\n' for member in MEMBERS)
    + "discard; }\r\n"
)
VACATION = 'require "vacation";\r\nvacation :days 1 "I am away.";\r\n'


@contextlib.contextmanager
def managesieve(mailhost, person):
    with mailhost.sieve() as sieve:
        sieve.starttls(mailhost.mailboxes.tls())
        assert sieve.login(person).startswith("OK")
        yield sieve


@contextlib.contextmanager
def script(mailhost, person, text):
    """The person's own script, while it matters."""
    with managesieve(mailhost, person) as sieve:
        sieve.store("tried", text)
        try:
            yield
        finally:
            sieve.forget("tried")


@pytest.mark.delivery
def test_a_vacation_answers_from_the_address_that_was_written_to(mailhost):
    """Also where the username is not the address."""
    sent = letter(OUTSIDE, URSULA.address)
    with script(mailhost, URSULA, VACATION.replace("away", f"away {sent.token}")):
        mailhost.send(sent)
        (answer,) = Sink.arrived(sent)
    assert f"I am away {sent.token}." in answer
    assert f"From: <{URSULA.address}>" in answer
    assert f"X-Envelope-To: {OUTSIDE}" in answer


@pytest.mark.delivery
def test_a_list_of_tine_reaches_all_its_members(mailhost):
    sent = letter(OUTSIDE, BOB.address)
    with script(mailhost, BOB, LIST):
        mailhost.send(sent)
        eventually(
            lambda: len(Sink.messages(sent.token)) == len(MEMBERS), what="every member has it"
        )
    assert not mailhost.has(BOB, sent)


@pytest.mark.delivery
@pytest.mark.parametrize(
    ("header", "mailbox"), [("X-Spam: Yes, score=9", "Junk"), ("X-Stamp: leftover", "Leftover")]
)
def test_a_script_of_the_site_files_mail(mailhost, header, mailbox):
    sent = letter(OUTSIDE, BOB.address, header=header)
    mailhost.send(sent)
    mailhost.arrived(BOB, sent, mailbox=mailbox)


@pytest.mark.delivery
def test_a_script_of_the_site_comes_before_that_of_the_person(mailhost):
    own = 'require "fileinto";\r\nfileinto "Drafts";\r\n'
    spam = letter(OUTSIDE, BOB.address, header="X-Spam: Yes")
    stamped = letter(OUTSIDE, BOB.address, header="X-Stamp: site")
    with script(mailhost, BOB, own):
        mailhost.send(spam)
        mailhost.arrived(BOB, spam, mailbox="Junk")
        mailhost.send(stamped)
        mailhost.arrived(BOB, stamped, mailbox="Drafts")


def test_the_scripts_of_the_site_are_compiled(mailhost):
    """A delivery that had to compile one would tell so: it may not write it."""
    find = "find /etc/dovecot/mailserver-sieve -name '*.sieve' -size +0"
    scripts = mailhost.output("sh", "-c", find).split("\n")
    assert len(scripts) == 3
    for path in scripts:
        compiled = path.replace(".sieve", ".svbin")
        mailhost.run("find", path, compiled, "-user", "root", "-perm", "644")
        assert mailhost.run("test", path, "-nt", compiled, check=False).returncode == 1
        assert mailhost.run("sieve-dump", compiled).returncode == 0
    assert "svbin" not in mailhost.journal("dovecot", since="-2min")


def test_a_script_that_does_not_compile_is_refused(mailhost):
    script = {"path": "mailserver-sieve/before/wrong.sieve", "content": 'require "nosuch";\n'}
    main = {
        "path": "dovecot.conf",
        "content": mailhost.run("cat", "/etc/dovecot/dovecot.conf").stdout,
    }
    given = {"service": "dovecot", "directory": "/etc/dovecot", "files": [script, main]}
    with pytest.raises(AssertionError, match="wrong.sieve: .*unknown Sieve capability"):
        mailhost.module("service_config", "--check", **given)


def test_people_keep_as_many_scripts_as_their_limits_allow(mailhost):
    limits = (
        "UPDATE dovecot_users SET quota_sieve_script = {}, quota_sieve_bytes = {}"
        f" WHERE username = '{BOB.username}'"
    )
    mailhost.sql(limits.format(2, 200))
    try:
        with managesieve(mailhost, BOB) as sieve:
            assert "OK" in sieve.ask('PUTSCRIPT "one" "keep;"')[-1]
            assert "QUOTA/MAXSTORAGE" in sieve.ask('HAVESPACE "two" 300')[-1]
            assert "OK" in sieve.ask('PUTSCRIPT "two" "keep;"')[-1]
            assert "QUOTA/MAXSCRIPTS" in sieve.ask('PUTSCRIPT "three" "keep;"')[-1]
            for name in ("one", "two"):
                assert "OK" in sieve.ask(f'DELETESCRIPT "{name}"')[-1]
    finally:
        mailhost.sql(limits.format(0, 0))
