# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What does not belong together: accounts in one database, and rows of nobody."""

from __future__ import annotations

from collections.abc import Sequence

from .._accounts.model import fold
from .findings import Findings
from .records import Mailbox, Person, Records, Tables, same


def pairs(tables: Tables, records: Records) -> Findings:
    """Everything that needs a row of another table and has none."""
    found = Findings()
    if records.mailboxes is not None and records.people is not None:
        _accounts(found, tables, records.mailboxes, records.people)
    if records.people is not None:
        owners = {same(person.hook) for person in records.people}
        for route in records.routes or ():
            if same(route.hook) not in owners:
                found.add("orphan_destination", tables.name("smtp_destinations"), str(route))
    if records.mailboxes is not None:
        usernames = {fold(mailbox.username) for mailbox in records.mailboxes}
        for username in records.usage or ():
            if fold(username) not in usernames:
                found.add("orphan_usage", tables.name("dovecot_usage"), username)
    return found


def _accounts(
    found: Findings, tables: Tables, mailboxes: Sequence[Mailbox], people: Sequence[Person]
) -> None:
    imap: dict[str, set[str]] = {}
    for mailbox in mailboxes:
        imap.setdefault(fold(mailbox.userid), set()).add(fold(mailbox.username))
    smtp = {fold(person.userid) for person in people}
    alone = {fold(m.username): m for m in mailboxes if fold(m.userid) not in smtp}
    table = tables.name("smtp_users")
    for person in people:
        username = fold(person.username)
        mates = imap.get(fold(person.userid))
        if mates is None and username in alone:
            del alone[username]
            found.add("different_userid", table, person.name)
        elif mates is None and not person.forward_only:
            found.add("lone_smtp", table, person.name)
        elif mates and username not in mates:
            found.add("different_username", table, person.name)
    for mailbox in alone.values():
        found.add("lone_imap", tables.name("dovecot_users"), mailbox.name)
