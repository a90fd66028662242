# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQL statements that Postfix and Dovecot run, taken out of the files that the roles write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ansible_collections.groupware.mailserver.tests.unit.roles import role_files

CASES = {
    "postfix, domains declared": {
        "role": "postfix",
        "set": "__postfix_files",
        "variables": {"postfix_virtual_domains": "declared"},
    },
    # With the queries that leave out who is inactive, too.
    "postfix, domains derived": {
        "role": "postfix",
        "set": "__postfix_files",
        "variables": {
            "postfix_virtual_domains": "derived",
            "postfix_inactive_mail": "reject",
            "postfix_sender_exceptions": {"p12@d1.example": ["p7@big.example", "d2.example"]},
        },
    },
    "dovecot 2.3": {
        "role": "dovecot",
        "set": "__dovecot_files",
        "variables": {"__dovecot_generation": "2.3"},
    },
    "dovecot 2.4": {
        "role": "dovecot",
        "set": "__dovecot_files",
        "variables": {"__dovecot_generation": "2.4"},
    },
}
VERB = re.compile(r"\b(?:SELECT|INSERT|UPDATE|DELETE|REPLACE|CALL)\b")


def rendered(**variables: str) -> dict[str, dict[str, str]]:
    """What the roles write, by case and path."""
    cases = {n: {**c, "variables": {**c["variables"], **variables}} for n, c in CASES.items()}
    return role_files.rendered(cases)


@dataclass(frozen=True)
class Statement:
    """A statement as its file has it."""

    name: str
    role: str
    text: str
    dialect: str = "dovecot"  # whose variables are in it: postfix, dovecot, dict

    @property
    def of_everybody(self) -> bool:
        """It is to return everybody, so it reads everybody."""
        return self.name.endswith("iterate_query")

    def asked(self, key: str) -> str | None:
        """The statement as the server gets it for this key; None if it is not asked at all."""
        try:
            return _EXPAND[self.dialect](self.text, key)
        except _Suppressed:
            return None


class _Suppressed(Exception):
    """Postfix does not ask for such a key: a part of it that the query names is empty."""


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


# ---- variables


def _postfix(text: str, key: str) -> str:
    """As mysql_table(5) says."""
    user, at, domain = key.rpartition("@")
    known = {"s": key, "u": user if at else key, "d": domain if at else ""}

    def value(match: re.Match[str]) -> str:
        if match[1] == "%":
            return "%"
        if not known[match[1]]:
            raise _Suppressed
        return escaped(known[match[1]])

    return re.sub(r"%(.)", value, text)


def _known_to_dovecot(key: str) -> dict[str, str]:
    user, _at, domain = key.partition("@")
    named = {"user": key, "username": user, "domain": domain, "service": "imap"}
    named |= {"protocol": "imap", "local_ip": "192.0.2.1", "remote_ip": "192.0.2.2"}
    named |= {"u": key, "n": user, "d": domain, "s": "imap", "%": "%"}
    return {**named, "master_user": ""}


def _dovecot(text: str, key: str) -> str:
    """Variables of 2.3 (%u, %Lu, %{user}) and of 2.4 (%{user | domain | lower})."""

    def value(match: re.Match[str]) -> str:
        name, *filters = (part.strip() for part in (match[1] or match[2]).split("|"))
        found = _known_to_dovecot(key)[name]
        for filtered in filters:
            found = _FILTERS[filtered](found)
        return escaped(found)

    return re.sub(r"%(?:\{([^}]*)\}|[LU]?(.))", value, text)


_FILTERS = {
    "lower": str.lower,
    "upper": str.upper,
    "username": lambda value: value.partition("@")[0],
    "domain": lambda value: value.partition("@")[2],
}


def _dict(text: str, key: str) -> str:
    return text.replace("?", f"'{escaped(key)}'")


_EXPAND = {"postfix": _postfix, "dovecot": _dovecot, "dict": _dict}


# ---- files


def found(files: dict[str, str], role: str) -> Iterator[Statement]:
    """Every statement in the files of a role."""
    for path, content in files.items():
        settings = _settings_of_postfix(content)
        if path.endswith(".cf") and "query" in settings:
            yield Statement(path, role, settings["query"], "postfix")
        elif role == "dovecot":
            yield from _of_dovecot(path, parsed(content))


def without_comments(content: str) -> str:
    return "".join(
        f"{line}\n" for line in content.splitlines() if not line.lstrip().startswith("#")
    )


def _settings_of_postfix(content: str) -> dict[str, str]:
    """Settings by name; a line that begins with a blank continues the one before."""
    lines = re.sub(r"\n[ \t]+", " ", without_comments(content)).splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name.strip(): value.strip() for name, _equals, value in pairs}


@dataclass
class Section:
    """A section of Dovecot's configuration: `name { setting = value }`."""

    name: str
    settings: dict[str, str] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)

    def below(self) -> Iterator[Section]:
        yield self
        for section in self.sections:
            yield from section.below()

    def names(self, kind: str) -> dict[str, Section]:
        """The sections `kind NAME { }`, by name."""
        pairs = ((section.name.partition(" "), section) for section in self.sections)
        return {name: section for (first, _blank, name), section in pairs if first == kind}


def parsed(content: str) -> Section:
    stack = [Section("")]
    for line in re.sub(r"\\\n\s*", "", without_comments(content)).splitlines():
        text = line.strip()
        if text.endswith("{") and "=" not in text:
            stack[-1].sections.append(Section(text[:-1].strip()))
            stack.append(stack[-1].sections[-1])
        elif text == "}":
            stack.pop()
        elif "=" in text:
            name, _equals, value = text.partition("=")
            stack[-1].settings[name.strip()] = value.strip()
    assert len(stack) == 1, f"{stack[-1].name} is not closed"
    return stack[0]


def _of_dovecot(path: str, top: Section) -> Iterator[Statement]:
    for section in top.below():
        for name, value in section.settings.items():
            if name.endswith("query") or VERB.match(value):
                yield Statement(f"{path}: {section.name} {name}", "dovecot", value)
        if section.name == "map":
            keys = next((s.settings for s in section.sections if s.name == "fields"), {})
            values = section.settings["value_field"].split(",")
            yield from _of_map(path, section, section.settings["table"], [*keys], values)
        elif section.name.startswith("dict_map "):
            values = list(section.names("value_field"))
            keys = list(section.names("key_field"))
            yield from _of_map(path, section, section.settings["sql_table"], keys, values)


def _of_map(
    path: str, section: Section, table: str, keys: list[str], values: list[str]
) -> Iterator[Statement]:
    """What Dovecot's dictionary makes of a map: a look-up, a set, an unset and an increment."""
    if "username_field" in section.settings:
        keys = [*keys, section.settings["username_field"]]
    assert keys, f"{path}: the map of {table} has no key"
    where = " AND ".join(f"{key} = ?" for key in keys)
    value = ", ".join(f"{value} = 7" for value in values)
    row = f"({', '.join([*values, *keys])}) VALUES ({', '.join('7' for _value in values)}, "
    asked = {
        "lookup": f"SELECT {', '.join(values)} FROM {table} WHERE {where}",
        "set": f"INSERT INTO {table} {row}{', '.join('?' for _key in keys)}) "
        f"ON DUPLICATE KEY UPDATE {value}",
        "unset": f"DELETE FROM {table} WHERE {where}",
        "inc": f"UPDATE {table} SET {values[0]} = {values[0]} + 7 WHERE {where}",
    }
    for verb, text in asked.items():
        yield Statement(f"{path}: {verb} {values[0]} of {table}", "dovecot", text, "dict")
