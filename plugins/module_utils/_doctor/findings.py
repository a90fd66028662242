# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong in the databases, in words, and what was found."""

from __future__ import annotations

from typing import Any, NamedTuple

EXAMPLES = 10


class Kind(NamedTuple):
    """A fault: what it means, and what to do about it."""

    meaning: str
    advice: str


_SCHEMA = "Run the playbook groupware.mailserver.migrate, or mail_schema with state: current."
_PASSWORD = (
    "Set the password anew (mail_user, or mail_accounts with upgrade_scheme: true), or have its "
    "owner change it in tine."
)

# In the order in which they are told: what keeps mail or people out goes first.
KINDS = {
    "broken_import": Kind(
        "tine's multi-instance file of 2026 was imported; the import stops with error 1005 before "
        "its last table",
        _SCHEMA,
    ),
    "missing_table": Kind("tables of today that are not there, or may not be read", _SCHEMA),
    "missing_column": Kind("columns of today that are not there", _SCHEMA),
    "missing_row": Kind(
        "rows of this collection that are not there: its modules write no account without", _SCHEMA
    ),
    "missing_key": Kind("keys of today that are not there", _SCHEMA),
    "different_column": Kind("columns that hold less than those of today, or else", _SCHEMA),
    "not_innodb": Kind(
        "tables without transactions and foreign keys",
        _SCHEMA,
    ),
    "mixed_collation": Kind(
        "columns of names with another collation than most: names that are equal in one table are "
        "not in another, and the server refuses to compare some of them",
        "Stop the services and convert the tables to one collation: ALTER TABLE ... CONVERT TO "
        "CHARACTER SET.",
    ),
    "loop": Kind(
        "addresses that lead back to themselves: Postfix takes no mail for them",
        "Remove one of the forwards or aliases (mail_alias with state: absent, or in tine).",
    ),
    "forward_to_nowhere": Kind(
        "destinations in a domain of this host that nobody has: their mail is returned",
        "Correct the alias or forward, or remove it (mail_alias with state: absent, or in tine).",
    ),
    "unhosted_domain": Kind(
        "addresses in domains that smtp_virtual_domains does not list: their mail is refused",
        "Host the domain (mailserver_domains, or mail_domain), or remove the address.",
    ),
    "different_username": Kind(
        "accounts with one username in smtp_users and another in dovecot_users: their mail returns",
        "Set tine's instanceName, domain and useEmailAsUsername alike for IMAP and SMTP and save "
        "the account, or correct one of the two rows.",
    ),
    "different_userid": Kind(
        "accounts with one userid in smtp_users and another in dovecot_users: tine does not find "
        "the pair, and changes only one half",
        "Find out which userid tine has, remove the other row, and save the account in tine.",
    ),
    "lone_smtp": Kind(
        "accounts without a row in dovecot_users: Postfix takes their mail, Dovecot has no mailbox",
        "Save the account again (mail_user, or in tine), or remove it.",
    ),
    "lone_imap": Kind(
        "accounts without a row in smtp_users: they can log in, and no mail reaches them",
        "Save the account again (mail_user with adopt: true, or in tine), or remove the row.",
    ),
    "no_home": Kind(
        "accounts without a home: Dovecot has no place for their mail, and it is not taken",
        "Say where it is (mail_user with home, or save the account in tine).",
    ),
    "duplicate_destination": Kind(
        "destinations that are there more than once: today's unique key cannot be added",
        "Run mail_doctor with repairs: [duplicate_destinations]; mail_schema with state: current "
        "keeps the same one.",
    ),
    "orphan_destination": Kind(
        "destinations of nobody: mail follows them, and no account lists them",
        "Look at them, and run mail_doctor with repairs: [orphan_destinations].",
    ),
    "orphan_usage": Kind(
        "mailbox sizes of nobody", "Run mail_doctor with repairs: [orphan_usage]."
    ),
    "truncated_hash": Kind(
        "password hashes that the end of their column has cut: nobody can log in with one",
        f"Run mail_schema, which widens the column. {_PASSWORD}",
    ),
    "malformed_hash": Kind(
        "password hashes that are none of their scheme: nobody can log in with one", _PASSWORD
    ),
    "unknown_scheme": Kind(
        "passwords in a scheme that no Dovecot knows: nobody can log in with one", _PASSWORD
    ),
    "no_scheme": Kind(
        "passwords that name no scheme and look like no hash: perhaps readable ones, and nobody "
        "can log in with one",
        _PASSWORD,
    ),
    "bare_hash": Kind(
        "password hashes that do not name their scheme: Dovecot takes them for its default scheme",
        "Run mail_doctor with repairs: [bare_hashes].",
    ),
    "plain_password": Kind("passwords that who reads the table can read", _PASSWORD),
    "refused_scheme": Kind("passwords in a scheme that Dovecot 2.4 refuses as weak", _PASSWORD),
    "weak_scheme": Kind(
        "passwords in a scheme without salt: one table of guesses opens all of them", _PASSWORD
    ),
    "too_long": Kind(
        "values that are too long for the column of today", "Shorten them before migrating."
    ),
    "filled_column": Kind(
        "values as long as their column: an older server may have cut them",
        "Compare them with what they should be, and correct the account.",
    ),
    "quota_in_bytes": Kind(
        "quotas of 10 TiB and more: quota_bytes holds MiB, and these look like bytes",
        "Set the quota anew (mail_user, or in tine).",
    ),
    "upper_case_domain": Kind(
        "addresses whose domain has capital letters, which tine does not write",
        "Run mail_doctor with repairs: [lower_case_domains].",
    ),
}
_ORDER = {kind: place for place, kind in enumerate(KINDS)}


class Findings:
    """What was found, by kind and table. An example is a name, never a password."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[str]] = {}

    def add(self, kind: str, table: str, example: str) -> None:
        self._found.setdefault((kind, table), []).append(example)

    def update(self, other: Findings) -> None:
        for key, examples in other._found.items():
            self._found.setdefault(key, []).extend(examples)

    def told(self, limit: int = EXAMPLES) -> list[dict[str, Any]]:
        """By gravity, with so many examples of each."""
        return [
            {
                "kind": kind,
                "table": table,
                "count": len(examples),
                "examples": sorted(examples)[:limit],
                **KINDS[kind]._asdict(),
            }
            for (kind, table), examples in sorted(self._found.items(), key=_gravity)
        ]


def _gravity(item: tuple[tuple[str, str], list[str]]) -> tuple[int, str]:
    (kind, table), _examples = item
    return _ORDER[kind], table


def lines(told: list[dict[str, Any]]) -> list[str]:
    """The findings for somebody who reads them."""
    return [
        "{table}: {meaning} ({count}: {some}). {advice}".format(**found, some=_some(found))
        for found in told
    ]


def _some(found: dict[str, Any]) -> str:
    more = ", ..." if found["count"] > len(found["examples"]) else ""
    return ", ".join(found["examples"]) + more
