# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/variables.md from the argument specifications of the roles."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml
from ansible_collections.groupware.mailserver.tests.unit.roles.role_files import options, spec

# In the order in which a host is built.
ORDER = ("mailserver", "mariadb", "certificate", "postfix", "dovecot", "fail2ban", "accounts")
HEAD = """\
# Variables

`mailserver_hostname` and `mailserver_domains` are enough for a host; `mailserver_users` are its
people. Everything else has a default.

The `mailserver_*` variables are the interface of the whole collection. The other roles take their
own variables from them, so one change reaches every role. Set them in the inventory, for all three
groups `mailserver_database`, `mailserver_imap` and `mailserver_smtp`.

Ansible shows the same text: `ansible-doc -t role groupware.mailserver.postfix`.

This page is made from the argument specifications of the roles. To make it again, run
`UPDATE_GOLDEN=1 make unit ARGS="-k variables"`.

## An entry of mailserver_users

Its keys are those of `accounts` in the module `mail_accounts`, where `ansible-doc
groupware.mailserver.mail_accounts` describes them. Only `address` is required, and `password` or
`password_hash` for a new account. What an entry does not say of an account that exists is kept.
"""


def _text(markup: str) -> str:
    """Ansible's markup as Markdown."""
    text = re.sub(r"O\([\w.]+?(\w+)#module:(\w+)\)", r"`\2` of the module `\1`", markup)
    text = re.sub(r"O\((?:[\w.]+#\w+:)?(?:main:)?([^)]+)\)", r"`\1`", text)
    text = re.sub(r"[PM]\(groupware\.mailserver\.(\w+)(?:#\w+)?\)", r"`\1`", text)
    # A value may hold brackets of its own, but none that are not closed, save C({) and C(}).
    text = re.sub(r"[CV]\(((?:[^()]|\([^)]*\))*)\)", r"`\1`", text)
    return text.replace("|", r"\|")


def _paragraphs(option: dict) -> list[str]:
    given = option["description"]
    return [given] if isinstance(given, str) else given


def _source(option: dict) -> str | None:
    """Return the variable that the default is taken from, where the last paragraph says so."""
    told = re.fullmatch(r"The default is O\(.*:(mailserver_\w+)\)\.", _paragraphs(option)[-1])
    return told and told[1]


def _described(option: dict) -> str:
    shown = _paragraphs(option)[: -1 if _source(option) else None]
    return " ".join(_text(part) for part in shown)


def _value(value: object) -> str:
    if value == "":
        return "empty"
    shown = yaml.safe_dump(value, default_flow_style=True, width=1000).strip()
    return f"`{shown.removesuffix('...').strip()}`"


def _default(option: dict) -> str:
    if option.get("required"):
        return "**required**"
    if "default" in option:
        return _value(option["default"])
    source = _source(option)
    return f"`{source}`" if source else "see there"


def _kind(option: dict) -> str:
    if "choices" in option:
        return " or ".join(_value(choice) for choice in option["choices"])
    return f"list of {option['elements']}" if "elements" in option else option["type"]


def _section(role: str) -> Iterator[str]:
    described = " ".join(_text(part) for part in spec(role)["description"])
    yield f"\n## Role {role}\n\n{described}\n"
    yield "| Variable | Type | Default | |\n|---|---|---|---|"
    for name, option in options(role).items():
        yield f"| `{name}` | {_kind(option)} | {_default(option)} | {_described(option)} |"


def page() -> str:
    return "\n".join([HEAD.rstrip(), *(line for role in ORDER for line in _section(role)), ""])
