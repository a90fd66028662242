# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes in the words of mail: diff, actions, counts and queries, without any secret."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from .model import Account, ImapRow, Secret, SmtpRow
from .plan import Change
from .routes import Routes, routes
from .schema import Names
from .shape import Shape
from .wanted import ENABLED
from .writing import statements

SHOWN_ACCOUNTS = 200
SHOWN_ROWS = 200
KEPT, NEW = "(kept)", "(new)"


def summary(changes: Sequence[Change], wishes: int) -> dict[str, int]:
    """How many accounts are made, changed, removed and left as they are."""
    return {
        "created": sum(1 for change in changes if not change.before),
        "changed": sum(1 for change in changes if change.before and change.after),
        "removed": sum(1 for change in changes if not change.after),
        "unchanged": wishes - sum(1 for change in changes if not change.want.pruned),
    }


def diff(changes: Sequence[Change]) -> dict[str, str]:
    """Before and after as text, capped."""
    shown = changes[:SHOWN_ACCOUNTS]
    more = _more(len(changes) - len(shown))
    return {
        "before_header": "mail accounts",
        "after_header": "mail accounts",
        "before": "".join(_text(change.before) for change in shown) + more,
        "after": "".join(_text(change.after) for change in shown) + more,
    }


def _more(number: int) -> str:
    return f"(and {number} more accounts)\n" if number > 0 else ""


def _text(account: Account | None) -> str:
    if account is None:
        return ""
    lines = "".join(f"  {name}: {value}\n" for name, value in facts(account).items())
    return f"{account.address}:\n{lines}"


def facts(account: Account) -> dict[str, str]:
    """An account in words; of the password only whether it is new."""
    found = {"username": account.username}
    if account.imap:
        found.update(_imap_facts(account.imap, account.address))
    if account.smtp:
        found.update(_smtp_facts(account, account.smtp))
    return found


def _imap_facts(row: ImapRow, address: str) -> dict[str, str]:
    found = {
        "login name": "" if row.loginname in (None, address) else str(row.loginname),
        "quota": f"{row.quota} MiB" if row.quota else "unlimited",
        "message quota": str(row.quota_messages or ""),
        "sieve quota": f"{row.quota_sieve} bytes" if row.quota_sieve else "",
        "sieve script quota": str(row.quota_sieve_scripts or ""),
        "instance": row.instance or "",
        "imap status": row.status or ENABLED,
        "imap expiry": f"{row.expires} UTC" if row.expires else "",
    }
    shown = {name: value for name, value in found.items() if value}
    shown["user and group"] = f"{row.uid or ''}:{row.gid or ''}"
    shown["home"] = row.home or ""
    shown["imap password"] = _secrecy(row.password)
    return shown


def _smtp_facts(account: Account, row: SmtpRow) -> dict[str, str]:
    known = _routes(account)
    strays = sorted(f"{stray.source} -> {stray.target}" for stray in known.strays)
    found = {
        "owner": row.owner or "none",
        "smtp password": _secrecy(row.password),
        "aliases": ", ".join(
            sorted(a.source if a.dispatch else f"{a.source} (receives only)" for a in known.aliases)
        ),
        "forwards": ", ".join(sorted(known.forwards)),
        "forward only": "yes" if known.forward_only else "no",
        "status": row.status or ENABLED,
    }
    if row.expires:
        found["expires"] = f"{row.expires} UTC"
    if strays:
        found["other destinations"] = ", ".join(strays)
    return found


def _routes(account: Account) -> Routes:
    """As tine reads the rows, with either form of its aliases."""
    forms = (routes(account), routes(account, by_username=True))
    return min(forms, key=lambda form: len(form.strays))


def mail_to_move(changes: Sequence[Change]) -> list[dict[str, str]]:
    """Homes that change by their account's wish: who moves the mail needs from, to and username."""
    rows = [(c.before.imap, c.after.imap) for c in changes if c.before and c.after]
    return [
        {"username": becomes.username, "from": was.home or "", "to": becomes.home or ""}
        for was, becomes in rows
        if was and was.home and becomes and was.home != becomes.home
    ]


def _secrecy(password: object) -> str:
    return NEW if isinstance(password, Secret) else KEPT


def actions(changes: Sequence[Change]) -> list[str]:
    """One sentence per account, capped."""
    shown = [_action(change) for change in changes[:SHOWN_ACCOUNTS]]
    return shown + ([_more(len(changes) - len(shown)).strip()] if len(changes) > len(shown) else [])


def _action(change: Change) -> str:
    if change.after is None:
        home = change.before.imap.home if change.before and change.before.imap else None
        return f"remove {change.address}" + (f" (its mail in {home} stays)" if home else "")
    if change.before is None:
        return f"create {change.address}"
    differences = "; ".join(_differences(change.before, change.after))
    return f"change {change.before.address}: {differences}"


def _differences(before: Account, after: Account) -> Iterator[str]:
    was, becomes = facts(before), facts(after)
    if before.address != after.address:
        yield f"address becomes {after.address}"
    for name in {**was, **becomes}:
        if was.get(name) != becomes.get(name):
            yield _difference(name, was.get(name), becomes.get(name))
    if was == becomes and before.address == after.address:
        yield "rows as tine writes them"


def _difference(name: str, was: str | None, becomes: str | None) -> str:
    if becomes == NEW:
        return f"new {name}"
    return f"{name} {was or 'none'} -> {becomes or 'none'}"


def queries(names: Names, shape: Shape, changes: Sequence[Change]) -> list[dict[str, Any]]:
    """The statements that the changes come to, with placeholders for what is secret."""
    stored = {str(row.password) for c in changes for a in c[:2] if a for row in a.rows()} - {""}
    return [
        {
            "statement": statement.sql,
            "rows": len(statement.rows),
            "values": [[_shown(v, stored) for v in row] for row in statement.rows[:SHOWN_ROWS]],
        }
        for statement in statements(names, shape, changes, lambda *_secret: NEW, "UTC_TIMESTAMP()")
    ]


def _shown(value: object, stored: Collection[str]) -> object:
    """Stored hashes are moved only from one table to the other, but never shown."""
    if isinstance(value, str) and (value in stored or value.startswith("{")):
        return KEPT
    return value
