# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module as a managed host does, in its own process: options on stdin, result on stdout."""

from __future__ import annotations

import importlib
import json
import sys

from ansible.module_utils.testing import patch_module_args

MODULES = "ansible_collections.groupware.mailserver.plugins.modules"

with patch_module_args(json.load(sys.stdin)):
    importlib.import_module(f"{MODULES}.{sys.argv[1]}").main()
