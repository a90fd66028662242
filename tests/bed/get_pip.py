# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for the get-pip script that ansible-test downloads.

It takes pip from ensurepip, and with it the pip that is asked for.
ansible-test runs it in a bare virtual environment with arguments like
``--disable-pip-version-check pip==24.2 --no-setuptools --no-wheel``.
"""

from __future__ import annotations

import os
import subprocess
import sys

packages = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
# ansible-test's pip is a wrapper that would run this script again.
environment = {name: value for name, value in os.environ.items() if name != "GET_PIP"}
install = ["pip", "install", "-q", "--disable-pip-version-check", *packages]
for module in (["ensurepip"], install):
    subprocess.run(
        [sys.executable, "-m", *module], env=environment, check=True, stdout=subprocess.DEVNULL
    )
