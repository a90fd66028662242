# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the collection's playbooks, and what can be read from them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import yaml

TOP = Path(__file__).resolve().parents[2]
from mailhost import CLIENT

GROUPS = ("mailserver_database", "mailserver_imap", "mailserver_smtp")
LONGEST = 1200  # seconds for one run of a playbook

TASK = re.compile(r"^(TASK|RUNNING HANDLER) \[(.*)\] \**$")
CHANGED = re.compile(r"^changed: \[([^\] ]+)")
RECAP = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.M)
DIFFERENT = re.compile(r"^\+\+\+ (.*)$", re.M)


@dataclass
class Run:
    """One run of a playbook: what it said, and what follows from that."""

    status: int
    output: str
    changed: dict[str, list[str]] = field(init=False)

    def __post_init__(self):
        self.changed = defaultdict(list)
        kind = task = ""
        for line in self.output.splitlines():
            if named := TASK.match(line):
                kind, task = named.groups()
            elif (done := CHANGED.match(line)) and kind == "TASK":
                self.changed[done[1]].append(task)

    @property
    def counts(self):
        """Host -> how many tasks have changed something."""
        return {host: int(changed) for host, changed, *_rest in RECAP.findall(self.output)}

    @property
    def differences(self):
        """The heads of the diffs: which file, which database, which account."""
        return set(DIFFERENT.findall(self.output))


class _Variables(yaml.SafeDumper):
    """YAML in which nothing is a template."""


_Variables.add_representer(str, lambda dumper, text: dumper.represent_scalar(_tag(text), text))


def _tag(text):
    return "!unsafe" if "{{" in text or "{%" in text else "tag:yaml.org,2002:str"


def written(variables):
    """A file with these variables, for as long as the tests run."""
    path = Path(tempfile.mkdtemp(dir=_EXTRA.name)) / "variables.yml"
    path.write_text(yaml.dump(variables, Dumper=_Variables, allow_unicode=True), encoding="utf-8")
    return path


_EXTRA = tempfile.TemporaryDirectory(prefix="system-tests-")


@dataclass(frozen=True)
class Playbooks:
    """Runs playbooks of the collection on the hosts of an inventory."""

    inventory: Path

    def command(self, name, *arguments, **variables):
        extra = ["-e", f"@{written(variables)}"] if variables else []
        playbook = f"groupware.mailserver.{name}"
        return ["ansible-playbook", "-i", str(self.inventory), playbook, *arguments, *extra]

    def start(self, name, *arguments, **variables):
        """A run that can be watched and killed: it has a process group of its own."""
        return subprocess.Popen(
            self.command(name, *arguments, **variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env=environment(),
            start_new_session=True,
        )

    def run(self, name, *arguments, **variables):
        """A run to its end, whatever that is."""
        process = self.start(name, *arguments, **variables)
        try:
            output, _nothing = process.communicate(timeout=LONGEST)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return Run(process.returncode, output)

    def succeed(self, name, *arguments, **variables):
        done = self.run(name, *arguments, **variables)
        assert done.status == 0, done.output[-8000:]
        return done

    def fail(self, name, *arguments, **variables):
        done = self.run(name, *arguments, **variables)
        assert done.status != 0, done.output[-8000:]
        return done


def environment():
    settings = {
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_INJECT_FACT_VARS": "false",
        "ANSIBLE_FORCE_COLOR": "false",
        "ANSIBLE_NOCOLOR": "true",
        "PYTHONUNBUFFERED": "1",
    }
    written = TOP / ".dev/containers.conf"
    if written.exists():
        settings["CONTAINERS_CONF"] = str(written)
    return {**os.environ, **settings}


def inventory(folder, hosts, **more):
    """An inventory with the people of molecule's, over these hosts."""
    members = dict.fromkeys(hosts, more)
    groups = {name: {"hosts": members} for name in GROUPS}
    groups["outside"] = {"hosts": {CLIENT: {}}}
    folder.mkdir()
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": groups}}))
    (folder / "group_vars").symlink_to(TOP / "molecule/inventory/group_vars")
    return folder
