# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes in the words of mail: diff, actions, counts and queries, without any secret."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .model import Account, Secret
from .plan import Change, Directory, routes
from .schema import Names
from .store import statements

SHOWN_ACCOUNTS = 200
SHOWN_ROWS = 200
KEPT, NEW = "(kept)", "(new)"


def summary(changes: Sequence[Change], wishes: int) -> dict[str, int]:
    """How many accounts are made, changed, removed and left as they are."""
    return {
        "created": sum(1 for change in changes if not change.before),
        "changed": sum(1 for change in changes if change.before and change.after),
        "removed": sum(1 for change in changes if not change.after),
        "unchanged": wishes - len(changes),
    }


def diff(changes: Sequence[Change]) -> dict[str, str]:
    """Before and after as text, capped."""
    shown = changes[:SHOWN_ACCOUNTS]
    more = _more(len(changes) - len(shown))
    return {
        "before_header": "mail accounts",
        "after_header": "mail accounts",
        "before": "".join(_text(change.before, change.after) for change in shown) + more,
        "after": "".join(_text(change.after, change.before) for change in shown) + more,
    }


def _more(number: int) -> str:
    return f"(and {number} more accounts)\n" if number > 0 else ""


def _text(account: Account | None, other: Account | None) -> str:
    if account is None:
        return ""
    lines = "".join(f"  {name}: {value}\n" for name, value in facts(account, other).items())
    return f"{account.address}:\n{lines}"


def facts(account: Account, other: Account | None = None) -> dict[str, str]:
    """An account in words; of the password only whether it is new."""
    known = routes(Directory(), account)
    found = {"username": account.username}
    if account.imap:
        found["quota"] = f"{account.imap.quota} MiB" if account.imap.quota else "unlimited"
        found["home"] = account.imap.home or ""
        found["imap password"] = _secrecy(account.imap.password)
    if account.smtp:
        found["smtp password"] = _secrecy(account.smtp.password)
        found["aliases"] = ", ".join(
            sorted(a.source if a.dispatch else f"{a.source} (receives only)" for a in known.aliases)
        )
        found["forwards"] = ", ".join(sorted(known.forwards))
        found["forward only"] = "yes" if known.forward_only else "no"
        found["status"] = account.smtp.status or "enabled"
    strays = sorted(f"{stray.source} -> {stray.target}" for stray in known.strays)
    if strays:
        found["other destinations"] = ", ".join(strays)
    return found


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
    for name in becomes:
        if was.get(name) != becomes[name]:
            yield _difference(name, was.get(name), becomes[name])
    if was == becomes and before.address == after.address:
        yield "rows as tine writes them"


def _difference(name: str, was: str | None, becomes: str) -> str:
    if becomes == NEW:
        return f"new {name}"
    return f"{name} {was or 'none'} -> {becomes or 'none'}"


def queries(names: Names, changes: Sequence[Change]) -> list[dict[str, Any]]:
    """The statements that the changes come to, with placeholders for what is secret."""
    return [
        {
            "statement": statement.sql,
            "rows": len(statement.rows),
            "values": [[_shown(value) for value in row] for row in statement.rows[:SHOWN_ROWS]],
        }
        for statement in statements(names, changes, lambda *_secret: NEW, "UTC_TIMESTAMP()")
    ]


def _shown(value: object) -> object:
    """Stored hashes are moved only from one table to the other, but never shown."""
    if isinstance(value, str) and value.startswith("{"):
        return KEPT
    return value
