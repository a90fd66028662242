# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles as data: their defaults, specifications and text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

TOP = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (TOP / "roles").iterdir())


class _Loader(yaml.SafeLoader):
    """YAML as Ansible writes it: !unsafe and !vault are text."""


_Loader.add_multi_constructor("!", lambda loader, _suffix, node: loader.construct_scalar(node))


def loaded(path: Path) -> dict:
    return yaml.load(path.read_text(), _Loader) or {}  # noqa: S506 - a SafeLoader


def defaults(role: str) -> dict:
    return loaded(TOP / "roles" / role / "defaults" / "main.yml")


def internal(role: str) -> dict:
    file = TOP / "roles" / role / "vars" / "main.yml"
    return loaded(file) if file.exists() else {}


def spec(role: str) -> dict:
    file = TOP / "roles" / role / "meta" / "argument_specs.yml"
    return loaded(file)["argument_specs"]["main"]


def options(role: str) -> dict:
    return spec(role)["options"]


def is_template(value: object) -> bool:
    return isinstance(value, str) and "{{" in value


def rendered(cases: dict[str, dict]) -> dict[str, dict[str, str]]:
    """Return what the roles write, by case and path; cases as render.py takes them."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("render.py"))],
        input=json.dumps(cases),
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "ANSIBLE_LOCALHOST_WARNING": "False"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
