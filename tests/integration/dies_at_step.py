# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module that is killed right before its step of that number changes anything on disk."""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys

from ansible.module_utils.testing import patch_module_args

MODULES = "ansible_collections.groupware.mailserver.plugins.modules"
CHANGES = {"os.mkdir", "os.symlink", "os.rename", "os.remove", "os.chown", "os.chmod"}

module = importlib.import_module(f"{MODULES}.{sys.argv[1]}")
left = int(sys.argv[2])


def step(event: str, arguments: tuple) -> None:
    global left
    looked_up = event == "ctypes.dlsym" and arguments[1] == "renameat2"
    written = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
    if event in CHANGES or looked_up or written:
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1


assert ctypes
with patch_module_args(json.load(sys.stdin)):
    sys.addaudithook(step)
    module.main()
