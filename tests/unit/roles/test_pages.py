# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages for people are in step with the tree."""

from __future__ import annotations

import os
import re

import pytest
import yaml
from ansible_collections.groupware.mailserver.plugins.module_utils._interface import (
    interface_faults,
)
from ansible_collections.groupware.mailserver.tests.unit.roles import variables_page
from ansible_collections.groupware.mailserver.tests.unit.roles.role_files import (
    ROLES,
    TOP,
    defaults,
    is_template,
    loaded,
    options,
    spec,
)

DOCS = TOP / "docs"
README = TOP / "README.md"
EXAMPLE = TOP / "examples" / "inventory.yml"


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def rows(text, heading):
    """Yield the rows of the tables under a heading, without their heads."""
    section = re.split(rf"^#+ {re.escape(heading)}$", text, flags=re.MULTILINE)[1]
    section = re.split(r"^#+ ", section, flags=re.MULTILINE)[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [cells(line) for line in table[2:]]


def code_blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_variables_md_is_made_from_the_specifications():
    if os.environ.get("UPDATE_GOLDEN"):
        (DOCS / "variables.md").write_text(variables_page.page())
    assert (DOCS / "variables.md").read_text() == variables_page.page()


def test_variables_md_has_every_role():
    assert set(variables_page.ORDER) == set(ROLES)


def howto_claims():
    for line in (DOCS / "from-the-howto.md").read_text().splitlines():
        row = cells(line)
        if not line.startswith("|") or len(row) < 2:
            continue
        for code in re.findall(r"`([^`]+)`", row[1] if len(row) == 3 else row[0]):
            yield code.replace(r"\|", "|")


def test_from_the_howto_names_settings_that_the_roles_write():
    golden = TOP / "tests" / "unit" / "roles" / "golden"
    written = "\n".join(path.read_text() for path in golden.rglob("*") if path.is_file())
    claims = {code for code in howto_claims() if re.search(r"[ =]", code)}
    wrong = [code for code in claims if code not in written and not re.match(r"\w+: ", code)]
    assert len(claims) > 80
    assert wrong == []


def test_pages_name_variables_that_exist():
    known = {name for role in ROLES for name in options(role)}
    prefix = "|".join(ROLES)
    for page in [*DOCS.glob("*.md"), README]:
        named = set(re.findall(rf"`((?:{prefix})_\w+)(?::[^`]*)?`", page.read_text()))
        groups = {"mailserver_database", "mailserver_imap", "mailserver_smtp"}
        # Settings of the services themselves.
        settings = {"dovecot_config_version", "dovecot_destination_recipient_limit"}
        # Lists of people may have any name.
        lists = {"mailserver_users_", "mailserver_users_host", "mailserver_users_sales"}
        tables = {"dovecot_users", "dovecot_usage", "dovecot_last_login", "dovecot_dict"}
        tables |= {"dovecot_sessions_to_end", "dovecot_master_users", "dovecot_quotas"}
        tags = {name for name in named if re.search(r"_(install|configure|run)$", name)}
        assert named - known - tags - groups - settings - lists - tables == set(), page.name


def test_links_between_pages_lead_somewhere():
    for page in [*DOCS.glob("*.md"), README]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def short_description(module):
    text = (TOP / "plugins" / "modules" / f"{module}.py").read_text()
    return yaml.safe_load(text.split('r"""')[1].split('"""')[0])["short_description"]


def test_the_readme_lists_the_modules():
    files = (TOP / "plugins" / "modules").glob("*.py")
    modules = sorted(file.stem for file in files if file.stem != "__init__")
    assert rows(README.read_text(), "Modules") == [
        [f"`{module}`", short_description(module)] for module in modules
    ]


def test_the_readme_lists_the_roles():
    assert sorted(rows(README.read_text(), "Roles")) == sorted(
        [f"`{role}`", spec(role)["short_description"]] for role in ROLES
    )


def test_the_readme_lists_the_playbooks():
    listed = {row[0] for row in rows(README.read_text(), "Playbooks")}
    assert listed == {f"`{file.stem}`" for file in (TOP / "playbooks").glob("*.yml")}


def test_the_readme_names_targets_that_make_has():
    makefile = (TOP / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z][a-z-]+)", README.read_text()):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_inventory_of_the_readme_is_the_example():
    inventory, *_others = code_blocks(README.read_text(), "yaml")
    assert EXAMPLE.read_text().endswith(inventory)
    assert len(inventory.splitlines()) == 15


@pytest.fixture
def example():
    return loaded(EXAMPLE)["all"]


def test_the_example_is_a_host_that_passes_the_check(example):
    fixed = {k: v for k, v in defaults("mailserver").items() if not is_template(v)}
    assert interface_faults({**fixed, **example["vars"]}) == []


def test_the_example_has_its_host_in_all_three_groups(example):
    groups = {"mailserver_database", "mailserver_imap", "mailserver_smtp"}
    assert set(example["children"]) == groups
    hosts = [list(group["hosts"]) for group in example["children"].values()]
    assert hosts == [[example["vars"]["mailserver_hostname"]]] * 3
