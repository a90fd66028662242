# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill ansible-test's cache with the script that puts pip into its virtual environments.

ansible-test downloads it from a place of its own, which a machine with only a package index does
not reach. Try that place for a few seconds; where it is out of reach, put get_pip.py there.
"""

from __future__ import annotations

import re
import shutil
import urllib.request
from pathlib import Path

import ansible_test

SOURCE = Path(ansible_test.__file__).parent
CACHE = Path.home() / ".ansible/test/cache"


def found(pattern: str, file: str) -> str:
    """What ansible-test's own source says."""
    match = re.search(pattern, (SOURCE / file).read_text())
    assert match, f"ansible-test has changed: no {pattern} in {file}"
    return match[1]


def main() -> None:
    """Leave the script where ansible-test looks for it first."""
    version = found(r"pip='([\d.]+)'", "_internal/python_requirements.py")
    url = found(r"url = '(https://.*)' % pip_version", "_util/target/setup/requirements.py")
    script = CACHE / f"get_pip_{version.replace('.', '_')}.py"
    if script.exists():
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        with urllib.request.urlopen(url % version, timeout=5) as download:
            script.write_bytes(download.read())
    except OSError:
        shutil.copy(Path(__file__).with_name("get_pip.py"), script)


if __name__ == "__main__":
    main()
