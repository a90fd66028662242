# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What src may name, and which files go once they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.errors import Invalid
from ansible_collections.groupware.mailserver.plugins.module_utils._edge.source import _opened

COPY = f"groupware.mailserver.{'0a' * 8}.12.345.{'b1' * 8}"


def opened(given: Any, remote_src: bool = False) -> None:
    for file in _opened({"src": [given], "format": "jsonl", "remote_src": remote_src}):
        file.close()


@pytest.fixture(params=["people.jsonl", COPY, f"{COPY}.jsonl", COPY.replace("12", "x")])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    path.write_text("")
    return path


def test_a_copy_of_the_action_plugin_goes(tmp_path: Path):
    path = tmp_path / COPY
    path.write_text("")
    opened({"copy": str(path), "name": "people.jsonl"})
    assert not path.exists()


def test_a_file_on_the_host_stays(file: Path):
    opened(str(file), remote_src=True)
    assert file.exists()


def test_no_copy_is_taken_on_the_host(file: Path):
    with pytest.raises(Invalid, match="expected a path"):
        opened({"copy": str(file), "name": "people.jsonl"}, remote_src=True)
    assert file.exists()


@pytest.mark.parametrize("name", ["people.jsonl", f"{COPY}.jsonl", COPY.replace("12", "x")])
def test_what_is_not_named_as_a_copy_is_none(tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_text("")
    with pytest.raises(Invalid, match="expected a path"):
        opened({"copy": str(path), "name": "people.jsonl"})
    assert path.exists()
