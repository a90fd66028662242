# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every door for people in every state: each cell of the table is a real login or delivery."""

from __future__ import annotations

import contextlib
import imaplib
import poplib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from mailhost import PEOPLE, Person, Sink, auth, eventually, letter

OUTSIDE = "somebody@outside.test"
BOB = PEOPLE["bob"]

# What the role is told about each of them; NULL and the seconds of `soon` are written by SQL.
STATES = {
    "enabled": {"status": "enabled"},
    "null": {},
    "disabled": {"status": "disabled"},
    "blocked": {"status": "blocked"},
    "expired": {"status": "expired"},
    "past": {"expires": "2026-01-01T00:00:00Z"},
    "future": {"expires": "2126-01-01T00:00:00Z"},
    "soon": {},
    "deleted": {},
    "changed": {},
}
ACTIVE = ("enabled", "null", "future", "changed")
INACTIVE = ("disabled", "blocked", "expired", "past", "soon")
SECONDS = 5  # until `soon` expires


def person(state):
    return Person(
        f"{state}.state@example.org", f"{state}.state@example.org", f"{state}-Wq7-planted"
    )


def alias(state):
    return f"{state}.alias@example.org"


def entry(state, **more):
    one = person(state)
    said = {"address": one.address, "password": one.password, "aliases": [alias(state)]}
    return {**said, "reuse_mail": True, **STATES[state], **more}


MASTER_PASSWORD = "master-Wq9-planted"
FORMER, CHANGED = person("changed"), replace(person("changed"), password="another-Wq8-planted")
SUBJECTS = {
    **{state: person(state) for state in STATES},
    "changed": CHANGED,
    "former password": FORMER,
    "wrong password": replace(person("enabled"), password="wrong"),
}


# In the domain of a catch-all.
LEFT = Person("left.state@second.example", "left.state@second.example", "left-Wq7-planted")


# --- the doors: what a client is told, None where it is let in


def imap(mailhost, one):
    try:
        with mailhost.imap(one):
            return None
    except imaplib.IMAP4.error as error:
        return str(error)


def pop3(mailhost, one):
    session = poplib.POP3_SSL(
        mailhost.mailboxes.ipv4, 995, timeout=90, context=mailhost.mailboxes.tls()
    )
    with contextlib.closing(session):
        session.user(one.username)
        try:
            session.pass_(one.password)
        except poplib.error_proto as error:
            return str(error)
    return None


def managesieve(mailhost, one):
    with mailhost.sieve() as session:
        session.starttls(mailhost.mailboxes.tls())
        said = session.login(one)
    return None if said.startswith("OK") else said


def submission(mailhost, one):
    with mailhost.smtp(587, starttls=True) as session:
        code, words = auth(session, one.username, one.password)
    return None if code == 235 else f"{code} {words.decode()}"


def master_imap(mailhost, one):
    return imap(mailhost, as_master(one, "boss"))


def master_sieve(mailhost, one):
    return managesieve(mailhost, as_master(one, "clerk"))


def as_master(one, master):
    """A login as somebody with the password of a master."""
    wrong = one == SUBJECTS["wrong password"]
    password = "wrong" if wrong else MASTER_PASSWORD
    return replace(one, username=f"{one.username}*{master}", password=password)


MASTERS = {"master_imap": master_imap, "master_sieve": master_sieve}
DOORS = {"imap": imap, "pop3": pop3, "managesieve": managesieve, "submission": submission}
DOORS |= MASTERS


def answers(mailhost, subjects):
    """What every door says to each of them, all asked at once: a failure makes the next wait."""
    cells = [(door, name) for door in DOORS for name in subjects]
    with ThreadPoolExecutor(len(cells)) as pool:
        asked = pool.map(lambda cell: DOORS[cell[0]](mailhost, SUBJECTS[cell[1]]), cells)
        return dict(zip(cells, asked))


def takes(mailhost, recipient):
    """What port 25 says to a recipient."""
    with mailhost.smtp() as session:
        assert session.mail(OUTSIDE)[0] == 250
        code, words = session.rcpt(recipient)
    return f"{code} {words.decode()}"


def kept(mailhost, one, sent):
    """Whether the message is in the mailbox, for people who may not look themselves."""
    found = mailhost.mailboxes.run(
        *("doveadm", "search", "-u", one.username, "mailbox", "INBOX", "header", "message-id"),
        sent.token,
        check=False,
    )
    return found.stdout.split()


def expires_soon(mailhost):
    """`soon` is active for some more seconds."""
    for database, table in (("dovecot", "dovecot_users"), ("postfix", "smtp_users")):
        mailhost.sql(
            f"UPDATE {table} SET expiry_date = UTC_TIMESTAMP() + INTERVAL {SECONDS} SECOND"
            f" WHERE username = '{person('soon').username}'",
            database,
        )


def has_expired(mailhost):
    over = "SELECT expiry_date <= UTC_TIMESTAMP() FROM smtp_users WHERE username = '{}'"
    return mailhost.sql(over.format(person("soon").username), "postfix") == ["1"]


@pytest.fixture(scope="module")
def people(mailhost):
    """Everybody of the table."""
    left = {"address": LEFT.address, "password": LEFT.password, "status": "disabled"}
    present = [entry(state) for state in STATES]
    mailhost.accounts(*present, {**left, "reuse_mail": True})
    changes = [{"address": person("deleted").address, "state": "absent"}, entry("changed")]
    changes[1]["password"] = CHANGED.password
    mailhost.accounts(*changes)
    for database, table in (("dovecot", "dovecot_users"), ("postfix", "smtp_users")):
        null = f"UPDATE {table} SET status = NULL, expiry_date = NULL WHERE username = "
        mailhost.sql(f"{null}'{person('null').username}'", database)
    mailhost.sql(
        "REPLACE INTO dovecot_master_users (username, password, service) VALUES "
        f"('boss', '{{PLAIN}}{MASTER_PASSWORD}', 'all'), "
        f"('clerk', '{{PLAIN}}{MASTER_PASSWORD}', 'sieve')"
    )
    yield
    mailhost.sql("DELETE FROM dovecot_master_users WHERE username IN ('boss', 'clerk')")
    everybody = [LEFT, *map(person, STATES)]
    absent = [{"address": one.address, "state": "absent"} for one in everybody]
    mailhost.accounts(*absent)


@pytest.fixture(scope="module")
def in_time(mailhost, people):
    """What the doors say to `soon` before the end and to everybody after it."""
    expires_soon(mailhost)
    before = answers(mailhost, ["soon"])
    eventually(lambda: has_expired(mailhost), what="the expiry passes")
    return {"before": before, "after": answers(mailhost, SUBJECTS)}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("state", ACTIVE)
def test_the_active_come_in(in_time, door, state):
    assert in_time["after"][door, state] is None


REFUSED = [(state, door) for door in DOORS for state in (*INACTIVE, "deleted", "former password")]
# A master does not need the person's password.
NOT_ASKED = {("former password", door) for door in MASTERS}


@pytest.mark.parametrize(("state", "door"), [cell for cell in REFUSED if cell not in NOT_ASKED])
def test_the_inactive_stay_out_and_hear_nothing_about_it(in_time, state, door):
    # With the right password of a master, whose words are others, they are like nobody at all.
    like = "deleted" if door in MASTERS else "wrong password"
    said, told = in_time["after"][door, state], in_time["after"][door, like]
    assert said is not None
    assert told is not None
    said, told = (
        words.replace(SUBJECTS[name].username, "") for words, name in ((said, state), (told, like))
    )
    assert said == told


@pytest.mark.parametrize("door", DOORS)
def test_before_an_expiry_the_person_comes_in(in_time, door):
    assert in_time["before"][door, "soon"] is None


def test_a_master_comes_in_by_the_service_of_its_row_alone(mailhost, people):
    one = person("enabled")
    assert imap(mailhost, as_master(one, "clerk")) is not None
    assert managesieve(mailhost, as_master(one, "boss")) is None


@pytest.mark.parametrize("door", [imap, managesieve, submission])
def test_a_master_is_no_person(mailhost, people, door):
    assert door(mailhost, Person("boss", "boss", MASTER_PASSWORD)) is not None


# --- incoming mail


@pytest.mark.parametrize("to", [lambda state: person(state).address, alias], ids=["own", "alias"])
@pytest.mark.parametrize("state", [*ACTIVE, *INACTIVE])
def test_mail_is_delivered_to_the_inactive_too(mailhost, in_time, state, to):
    sent = letter(OUTSIDE, to(state))
    mailhost.send(sent)
    eventually(lambda: kept(mailhost, person(state), sent), what=f"{state} has the message")


def test_mail_for_the_deleted_is_refused(mailhost, people):
    assert takes(mailhost, person("deleted").address).startswith("550 5.1.1")
    assert takes(mailhost, alias("deleted")).startswith("550 5.1.1")


# --- mailserver_inactive_mail: reject

# Bob has this alias as well as `disabled`, who forwards everything to a place outside.
SHARED = "shared.alias@example.org"


@pytest.fixture(scope="module")
def rejecting(mailhost, in_time):
    """The host as `mailserver_inactive_mail: reject` makes it."""
    for owner, target in ((person("disabled"), "private@outside.test"), (BOB, BOB.address)):
        mailhost.sql(
            "INSERT INTO smtp_destinations (userid, source, destination) "
            f"SELECT userid, '{SHARED}', '{target}' FROM smtp_users "
            f"WHERE username = '{owner.username}'",
            "postfix",
        )
    mailhost.play("site", "--tags=postfix_configure", mailserver_inactive_mail="reject")
    yield
    mailhost.play("site", "--tags=postfix_configure")
    mailhost.sql(f"DELETE FROM smtp_destinations WHERE source = '{SHARED}'", "postfix")


@pytest.mark.parametrize("to", [lambda state: person(state).address, alias], ids=["own", "alias"])
@pytest.mark.parametrize("state", [state for state in INACTIVE if state != "soon"])
def test_mail_for_the_inactive_is_refused(mailhost, rejecting, state, to):
    assert takes(mailhost, to(state)).startswith("550 5.2.1")
    assert takes(mailhost, to(state).replace("@", "+folder@")).startswith("550 5.2.1")


@pytest.mark.parametrize("to", [lambda state: person(state).address, alias], ids=["own", "alias"])
@pytest.mark.parametrize("state", ACTIVE)
def test_mail_for_the_active_is_delivered(mailhost, rejecting, state, to):
    sent = letter(OUTSIDE, to(state))
    mailhost.send(sent)
    mailhost.arrived(SUBJECTS[state], sent)


def test_mail_is_refused_from_the_moment_of_the_expiry(mailhost, rejecting):
    expires_soon(mailhost)
    assert takes(mailhost, alias("soon")).startswith("250")
    eventually(lambda: has_expired(mailhost), what="the expiry passes")
    assert takes(mailhost, alias("soon")).startswith("550 5.2.1")
    assert takes(mailhost, person("soon").address).startswith("550 5.2.1")


def test_people_cannot_write_to_the_inactive_either(mailhost, rejecting):
    with mailhost.submission(BOB) as session:
        assert session.mail(BOB.address)[0] == 250
        code, words = session.rcpt(person("blocked").address)
    assert (code, words[:5]) == (550, b"5.2.1")


def test_a_catch_all_does_not_take_the_mail_of_the_inactive(mailhost, rejecting):
    assert takes(mailhost, LEFT.address).startswith("550 5.2.1")
    assert takes(mailhost, "whoever@second.example").startswith("250")


def test_an_alias_of_several_reaches_the_active_alone(mailhost, rejecting):
    sent = letter(OUTSIDE, SHARED)
    mailhost.send(sent)
    mailhost.arrived(BOB, sent)
    mailhost.queue_becomes_empty()
    assert Sink.messages(sent.token) == []


def test_the_deleted_are_unknown(mailhost, rejecting):
    assert takes(mailhost, person("deleted").address).startswith("550 5.1.1")
