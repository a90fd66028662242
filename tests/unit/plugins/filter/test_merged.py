# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that merges lists of people, and its documentation."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.groupware.mailserver.plugins.filter.merged import FilterModule

FILTER = FilterModule().filters()["merged_accounts"]
DOCUMENTED = yaml.safe_load(
    (Path(__file__).parents[4] / "plugins/filter/merged_accounts.yml").read_text()
)


def test_the_example_gives_the_sample():
    (task,) = yaml.safe_load(DOCUMENTED["EXAMPLES"])
    assert FILTER(task["vars"]["lists"]) == DOCUMENTED["RETURN"]["_value"]["sample"]


def test_all_contradictions_are_told():
    lists = {
        "mailserver_users": "nobody",
        "mailserver_users_sales": [{"address": "ann@example.org", "quota": "1G"}],
        "mailserver_users_staff": [{"address": "ann@example.org", "quota": "2G"}],
    }
    with pytest.raises(AnsibleFilterError) as told:
        FILTER(lists)
    one, other = str(told.value).splitlines()
    assert one == "text is not a list of accounts."
    assert other.startswith(
        "ann@example.org: quota is said in mailserver_users_sales and otherwise"
    )
