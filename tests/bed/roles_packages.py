# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the Debian packages that the roles install: __ROLE_packages in their vars/main.yml."""

from __future__ import annotations

from pathlib import Path

import yaml

ROLES = Path(__file__).parents[2] / "roles"


def packages() -> set[str]:
    """Of all roles."""
    found: set[str] = set()
    for path in ROLES.glob("*/vars/main.yml"):
        found.update(yaml.safe_load(path.read_text()).get(f"__{path.parts[-3]}_packages", []))
    return found


if __name__ == "__main__":
    print("\n".join(sorted(packages())))
