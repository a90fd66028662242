# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The core stays pure: neither Ansible nor the driver."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

UTILS = Path(__file__).parents[5] / "plugins/module_utils"
CORE = sorted(
    p for name in ("_accounts", "_doctor", "_migration") for p in (UTILS / name).glob("*.py")
)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.name)
def test_the_core_knows_neither_ansible_nor_the_driver(path: Path):
    roots = {name.partition(".")[0] for name in imported(path)}
    assert not roots & {"ansible", "ansible_collections", "pymysql"}


def test_the_core_is_found():
    assert len(CORE) > 5
