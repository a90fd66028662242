# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the collections of a requirements.yml out of the `ansible` package, without Galaxy.

usage: collections_from_wheel.py REQUIREMENTS DESTINATION
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import yaml

# The release that holds the versions requirements.yml names. Its wheel is only unpacked: that it is
# meant for a newer Python and a newer ansible-core does not matter.
ANSIBLE = "ansible==14.5.0"


def downloaded(directory: str) -> Path:
    """The wheel, without what it depends on."""
    command = [sys.executable, "-m", "pip", "download", "-qqq", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--python-version", "3.13"]
    subprocess.run([*command, "-d", directory, ANSIBLE], check=True)
    (wheel,) = Path(directory).glob("*.whl")
    return wheel


def extract(wheel: Path, name: str, destination: Path) -> None:
    """Replace one collection below DESTINATION by the wheel's."""
    folder = name.replace(".", "/")
    prefix = f"ansible_collections/{folder}/"
    shutil.rmtree(destination / folder, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        members = [member for member in archive.namelist() if member.startswith(prefix)]
        archive.extractall(destination.parent, members)


def version(collection: Path) -> str:
    """What a collection calls its version."""
    manifest = json.loads((collection / "MANIFEST.json").read_text())
    return str(manifest["collection_info"]["version"])


def main(requirements: str, destination: str) -> None:
    """Extract each collection and see that it is the version asked for."""
    tree = Path(destination)
    with tempfile.TemporaryDirectory() as directory:
        wheel = downloaded(directory)
        for wanted in yaml.safe_load(Path(requirements).read_text())["collections"]:
            extract(wheel, wanted["name"], tree)
            found = version(tree / wanted["name"].replace(".", "/"))
            if found != wanted["version"]:
                sys.exit(f"{ANSIBLE} holds {wanted['name']} {found}, not {wanted['version']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
