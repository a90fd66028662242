# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write down what runs of converge.yml change, for a test that compares them.

In RECORDED_CHANGES (a directory) lie afterwards ``predicted.jsonl`` of the last run in check mode,
``changed.jsonl`` of the first run after it, and ``again.jsonl`` of later ones: an object per change
with host, task, item and all that was said of it. ``said.jsonl`` holds every result since the last
prediction, changed or not, as ``-vvv`` would show it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from ansible.playbook.handler import Handler
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: changes
type: notification
short_description: Write down what runs of converge.yml change
description: Only for the tests of this collection.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "changes"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._directory = Path(os.environ["RECORDED_CHANGES"])
        self._started = False
        self._record: Path | None = None

    def v2_playbook_on_start(self, playbook) -> None:
        self._started = os.path.basename(playbook._file_name) == "converge.yml"

    def v2_playbook_on_play_start(self, play) -> None:
        if self._started and self._record is None:
            self._record = self._file(play.check_mode or self._checking())

    @staticmethod
    def _checking() -> bool:
        from ansible import context

        return bool(context.CLIARGS["check"])

    def _file(self, check_mode: bool) -> Path:
        self._directory.mkdir(parents=True, exist_ok=True)
        if check_mode:
            for old in self._directory.glob("*.jsonl"):
                old.unlink()
        changed = self._directory / "changed.jsonl"
        record = self._directory / ("again.jsonl" if changed.exists() else "changed.jsonl")
        record = self._directory / "predicted.jsonl" if check_mode else record
        record.write_text("", encoding="utf-8")
        return record

    def v2_runner_on_ok(self, result) -> None:
        self._say(result)
        if not result.task.loop:
            self._write(result)

    def v2_runner_item_on_ok(self, result) -> None:
        self._say(result)
        self._write(result)

    def v2_runner_on_skipped(self, result) -> None:
        self._say(result)

    def _say(self, result) -> None:
        if self._record:
            with (self._directory / "said.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(result.result, default=str) + "\n")

    def _write(self, result) -> None:
        said = result.result
        if self._record and said.get("changed") and not isinstance(result.task, Handler):
            change = {
                "host": result.host.get_name(),
                "task": result.task.get_name(),
                "item": said.get("item"),
                "said": {key: said.get(key) for key in ("diff", "msg", "stdout", "actions")},
            }
            with self._record.open("a", encoding="utf-8") as file:
                file.write(json.dumps(change, default=str) + "\n")
