# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Defaults, specifications, checks and use of the variables are in step."""

from __future__ import annotations

import re

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils import _interface
from ansible_collections.groupware.mailserver.tests.unit.roles.role_files import (
    ROLES,
    TOP,
    defaults,
    internal,
    is_template,
    options,
    spec,
)

# Variables of the interface that nothing can be wrong with, or that only a playbook reads.
NOT_JUDGED = {
    "mailserver_sql_passwords_rotate",
    "mailserver_probe_username",
    "mailserver_probe_from",
    "mailserver_probe_password",
}
PYTHON_TYPES = {
    "str": str,
    "path": str,
    "int": int,
    "bool": bool,
    "list": list,
    "dict": dict,
    "raw": object,
}


def required(role):
    return {name for name, option in options(role).items() if option.get("required")}


@pytest.mark.parametrize("role", ROLES)
def test_each_default_is_specified_and_each_option_has_its_line(role):
    assert [n for n in options(role) if n not in required(role)] == list(defaults(role))


@pytest.mark.parametrize("role", ROLES)
def test_the_specified_defaults_are_the_defaults(role):
    fixed = {name: value for name, value in defaults(role).items() if not is_template(value)}
    assert fixed == {n: o["default"] for n, o in options(role).items() if "default" in o}


@pytest.mark.parametrize("role", ROLES)
def test_a_default_from_elsewhere_is_told_in_the_description(role):
    # Not as `default`: Ansible would template it with the specification and print it when a check
    # fails, passwords included.
    for name, value in defaults(role).items():
        if is_template(value):
            told = options(role)[name]["description"][-1]
            sources = re.fullmatch(r"{{ (mailserver_\w+) }}", value)
            assert told.startswith("The default is "), name
            assert not sources or f"#role:main:{sources[1]})" in told, name


@pytest.mark.parametrize("role", ROLES)
def test_the_defaults_have_the_specified_types(role):
    for name, option in options(role).items():
        if "default" in option:
            default = option["default"]
            assert isinstance(default, PYTHON_TYPES[option["type"]]), name
            chosen = default if isinstance(default, list) else [default]
            assert not [one for one in chosen if one not in option.get("choices", chosen)], name


@pytest.mark.parametrize("role", ROLES)
def test_variables_carry_the_name_of_their_role(role):
    assert all(name.startswith(f"{role}_") for name in options(role))
    assert all(name.startswith(f"__{role}_") for name in internal(role))


@pytest.mark.parametrize("role", ROLES)
def test_registered_variables_and_facts_are_internal(role):
    for path in (TOP / "roles" / role).rglob("tasks/*.yml"):
        text = path.read_text()
        registered = re.findall(r"^\s+register: (\w+)", text, re.MULTILINE)
        facts = re.findall(r"set_fact:\n\s+(\w+):", text)
        assert all(name.startswith(f"__{role}_") for name in registered + facts), path


@pytest.mark.parametrize("role", [role for role in ROLES if role != "mailserver"])
def test_the_interface_is_read_in_defaults_alone(role):
    found = [
        f"{path.relative_to(TOP)}: {name}"
        for path in (TOP / "roles" / role).rglob("*")
        if path.is_file() and path.parent.name not in ("defaults", "meta")
        # `groupware.mailserver.…` is the collection, `__mailserver_…` what the dependency hands on.
        for name in re.findall(r"(?<![\w.])mailserver_\w+", path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_is_used(role):
    used = "".join(
        path.read_text()
        for folder in ("roles", "playbooks")
        for path in (TOP / folder).rglob("*")
        if path.is_file() and path.name != "argument_specs.yml"
    )
    # Once in its own line of the defaults, and at least once more.
    once = [n for n in options(role) if len(re.findall(rf"\b{n}\b", used)) < 2]
    assert [name for name in once if name not in required(role)] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_internal_variable_is_used(role):
    used = "".join(p.read_text() for p in (TOP / "roles").rglob("*") if p.is_file())
    assert [n for n in internal(role) if len(re.findall(rf"\b{n}\b", used)) < 2] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_template_is_used(role):
    folder = TOP / "roles" / role
    texts = {p: p.read_text() for p in folder.rglob("*") if p.is_file()}
    for template in folder.rglob("templates/**/*.j2"):
        others = "".join(text for path, text in texts.items() if path != template)
        assert template.name in others, template.relative_to(TOP)


def test_the_check_before_the_play_knows_the_whole_interface():
    judged = set(internal("mailserver")["__mailserver_interface"])
    assert judged | NOT_JUDGED == set(options("mailserver"))
    assert judged == set(_interface._RULES) | {"mailserver_users"}


def test_one_password_is_made_for_each_sql_account():
    made = internal("mailserver")["__mailserver_sql_passwords_made"]
    assert tuple(made) == _interface.SQL_ACCOUNTS
    assert tuple(internal("mariadb")["__mariadb_accounts"]) == _interface.SQL_ACCOUNTS


def test_secrets_are_marked():
    marked = {n for role in ROLES for n, option in options(role).items() if option.get("no_log")}
    assert marked == {
        "mailserver_sql_passwords",
        "mailserver_probe_password",
    }


@pytest.mark.parametrize("role", ROLES)
def test_a_role_says_what_it_does(role):
    assert spec(role)["version_added"] == "0.1.0"
    assert spec(role)["short_description"]
    assert all(option["description"] for option in options(role).values())
