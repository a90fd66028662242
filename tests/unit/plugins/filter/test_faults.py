# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters take what an inventory gives, with the types that Ansible makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible_collections.groupware.mailserver.plugins.filter.faults import FilterModule

FILTERS = FilterModule().filters()
DOCUMENTED = Path(__file__).parents[4] / "plugins/filter"


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_is_documented(name: str):
    found = yaml.safe_load((DOCUMENTED / f"{name}.yml").read_text())
    assert found["DOCUMENTATION"]["name"] == name
    assert found["DOCUMENTATION"]["short_description"]
    assert found["EXAMPLES"]
    assert found["RETURN"]["_value"]


def test_values_from_an_inventory_are_judged_by_their_type():
    accounts = DataLoader().load(
        "[{address: ann@example.org, password: secret, quota: 2G, aliases: [info@example.org]},"
        " {address: bob@example.org, password: 0123, forward_only: 'yes'},"
        " {address: !unsafe 'carol@{{ x }}'}, 5]"
    )
    faults = FILTERS["account_faults"](accounts, ["example.org"])
    assert [fault.partition(": ")[0] for fault in faults] == [
        "account 2 (bob@example.org)",
        "account 2 (bob@example.org)",
        "account 3 (carol@{{ x }})",
        "account 4",
    ]
    assert "password: expected text, not a number: put it in quotes." in faults[0]
    assert "is not a boolean" in faults[1]


def test_domains_and_names_are_judged():
    assert FILTERS["domain_faults"](DataLoader().load("[example.org, 5, second.example]"))
    assert FILTERS["hostname_faults"](DataLoader().load("mail.example.org")) == []
    assert FILTERS["address_faults"](DataLoader().load("root@example.org")) == []
    assert FILTERS["address_faults"](DataLoader().load("[root@example.org]"))
