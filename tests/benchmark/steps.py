# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs mail_accounts with options from stdin, and says how long each of its steps took.

The steps are functions of the core that are wrapped from outside. One that has gone is an error:
this table is kept with the code. The time of a step within a step counts for the inner one.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
import time
from collections import Counter
from typing import Any, Callable

BEGAN = time.perf_counter()

from ansible.module_utils.testing import patch_module_args

UTILS = "ansible_collections.groupware.mailserver.plugins.module_utils"
MODULE = "ansible_collections.groupware.mailserver.plugins.modules.mail_accounts"
STEPS = {
    "is there a record of it": ("_edge.accounts", "_Accounts.recall"),
    "note it for the next run": ("_accounts.unchanged", "Record.note"),
    "read and check the wishes": ("_accounts.wanted", "parse"),
    "look at the tables": ("_accounts.store", "inspect"),
    "fetch the rows": ("_accounts.store", "SqlStore.load"),
    "verify passwords": ("_accounts.passwords", "Keyring.verify"),
    "plan": ("_accounts.plan", "proposals"),
    "look for collisions": ("_accounts.collisions", "collisions"),
    "hash passwords": ("_accounts.passwords", "Keyring.prepare"),
    "write": ("_accounts.store", "SqlStore.apply"),
    "remember passwords": ("_accounts.passwords", "Keyring.remember"),
    "report": ("_edge.accounts", "_finish"),
}

spent: Counter[str] = Counter()
running: list[str] = []
since = BEGAN


def _passed() -> None:
    """The time since the last change of steps counts for the step that was running."""
    global since
    now = time.perf_counter()
    spent[running[-1] if running else "the rest"] += now - since
    since = now


def timed(step: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*given: Any, **named: Any) -> Any:
        _passed()
        running.append(step)
        try:
            return function(*given, **named)
        finally:
            _passed()
            running.pop()

    return run


def wrap(step: str, module: str, name: str) -> None:
    """Put the timed function wherever the plain one is known by its name."""
    owner: Any = importlib.import_module(f"{UTILS}.{module}")
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    plain = getattr(owner, last)
    for place in [owner, *sys.modules.values()] if not path else [owner]:
        if getattr(place, "__dict__", {}).get(last) is plain:
            setattr(place, last, timed(step, plain))


def main() -> None:
    module = importlib.import_module(MODULE)
    for step, place in STEPS.items():
        wrap(step, *place)
    _passed()
    spent["start Python and import"] = spent.pop("the rest")
    out = io.StringIO()
    with (
        patch_module_args(json.load(sys.stdin)),
        contextlib.redirect_stdout(out),
        contextlib.suppress(SystemExit),
    ):
        module.main()
    _passed()
    result = json.loads(out.getvalue())
    if result.get("failed"):
        raise SystemExit(result["msg"])
    for step, seconds in spent.most_common():
        print(f"  {step:32} {seconds:8.3f}")
    print(f"  {'together':32} {sum(spent.values()):8.3f}  {json.dumps(result['counts'])}")


if __name__ == "__main__":
    main()
