# Copyright (c) 2026, the groupware.mailserver developers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings the files of src to the managed host. Everything else is the module's."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shlex
import signal
import threading
import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.groupware.mailserver.plugins.module_utils._edge.source import COPY

ENCRYPTED = b"$ANSIBLE_VAULT;"
PREFIX = "groupware.mailserver"
# A copy without a name of a living run of this controller is some other controller's. Between its
# arrival and the moment at which the module opens it, which takes its name away, lie seconds.
OLD = 60  # minutes

# As the user who runs the module. What is cut off is not kept, because nobody could read it; O_EXCL
# (set -C) and a random name keep other users of /tmp from putting a file there before.
RECEIVE = """
set -C; umask 077
for place in {places}; do [ -w "$place" ] && break; done
find "$place" -maxdepth 1 -type f -name {anybody} -mmin +{old} -exec rm -f {{}} +
find "$place" -maxdepth 1 -type f -name {ours}
copy="$place"/{name}
{content} > "$copy" && [ "$(wc -c < "$copy")" -eq {size} ] || {{ rm -f "$copy"; exit 1; }}
echo "$copy"
"""


class Interrupted(BaseException):
    """A signal that ends this run, after the copies are gone."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class ActionModule(ActionBase):
    """Gives the module copies of files that lie on the controller."""

    _supports_async = True  # without files to bring

    def run(
        self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None
    ) -> dict[str, t.Any]:
        """Run the module; its own result is the result."""
        super().run(tmp, task_vars)
        names = self._names()
        if not names:
            return self._execute_module(task_vars=task_vars, wrap_async=self._task.async_val)
        if self._task.async_val:
            raise AnsibleActionFail(
                "src cannot be brought to the host for async, because its copy could outlast the "
                "play: use it without async, or with remote_src."
            )
        return self._with_files(
            [self._find_needle("files", name) for name in names], names, task_vars
        )

    def _names(self) -> list[str]:
        """The files to bring, as the task calls them."""
        given = self._task.args.get("src")
        if not given or boolean(self._task.args.get("remote_src", False), strict=False):
            return []
        names = [given] if isinstance(given, str) else given
        if not isinstance(names, list) or not all(isinstance(n, str) and n for n in names):
            raise AnsibleActionFail("src is not a file: expected a path, or a list of paths.")
        return names

    def _with_files(
        self, paths: list[str], names: list[str], task_vars: dict[str, t.Any] | None
    ) -> dict[str, t.Any]:
        contents = [self._content(path) for path in paths]
        copies = _Copies(self)
        with _interruptible():
            try:
                src = [{"copy": copies.bring(contents.pop(0)), "name": name} for name in names]
                args = {**self._task.args, "src": src}
                result = self._execute_module(module_args=args, task_vars=task_vars)
                copies.taken = not result.get("failed")
                return result
            finally:
                copies.remove()

    def _content(self, path: str) -> bytes:
        """The file in clear, which stays in memory."""
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise AnsibleActionFail(f"src: {path} cannot be read: {error.strerror}.") from error
        if not content.startswith(ENCRYPTED):
            return content
        return self._loader.get_text_file_contents(path).encode(errors="surrogateescape")


class _Copies:
    """Copies on the managed host, each with a name that tells whose it is."""

    def __init__(self, action: ActionModule) -> None:
        self.action = action
        self.connection = action._connection
        self.places = ["/run", *action.get_shell_option("system_tmpdirs", ["/var/tmp", "/tmp"])]
        self.names: list[str] = []
        self.taken = False

    def bring(self, content: bytes) -> str:
        """Make a copy that its user alone can read, and return its path."""
        if not self.connection.has_pipelining:
            raise AnsibleActionFail(
                f"src cannot be brought through the connection {self.connection.transport}, which "
                "gives commands no input: use ssh, or remote_src."
            )
        if self._becomes_with_input():
            return self._receive("cat", len(content), content)
        path = self._receive("cat", len(content), content, sudoable=False)
        self.action._fixup_perms2([path], execute=False)
        own = self._receive(f"cat < {shlex.quote(path)}", len(content))
        self._run(f"rm -f {shlex.quote(path)}", sudoable=False)
        return own

    def _becomes_with_input(self) -> bool:
        """Whether input reaches a command as its user, with no password prompt in the way."""
        become = self.connection.become
        if not become:
            return True
        prompts = self.action.get_become_option("become_pass")
        return become.pipelining and (not prompts or self.connection.is_pipelining_enabled())

    def _receive(
        self, command: str, size: int, content: bytes | None = None, sudoable: bool = True
    ) -> str:
        name = f"{_run()}.{secrets.token_hex(8)}"
        self.names.append(name)
        script = RECEIVE.format(
            places=" ".join(shlex.quote(place) for place in self.places),
            anybody=shlex.quote(f"{PREFIX}.*"),
            ours=shlex.quote(f"{PREFIX}.{_controller()}.*"),
            old=OLD,
            name=name,
            content=command,
            size=size,
        )
        result = self._run(f"({script})", content, sudoable)
        found = re.findall(rf"^(/.*/{re.escape(PREFIX)}\..*?)\s*$", result["stdout"], re.MULTILINE)
        if result["rc"] != 0 or not found:
            raise AnsibleActionFail(f"src could not be written on the host: {result['stderr']}")
        self._remove_left(found[:-1], sudoable)
        return found[-1]

    def _remove_left(self, paths: list[str], sudoable: bool) -> None:
        left = [shlex.quote(path) for path in paths if _is_left(path)]
        if left:
            self._run(f"rm -f {' '.join(left)}", sudoable=sudoable)

    def remove(self) -> None:
        """Remove the copies that the module has not opened. The next run does what this cannot."""
        if self.taken or not self.names:
            return
        paths = [shlex.quote(f"{place}/{name}") for place in self.places for name in self.names]
        with contextlib.suppress(AnsibleError):
            self._run(f"rm -f {' '.join(paths)}")
            if not self._becomes_with_input():
                self._run(f"rm -f {' '.join(paths)}", sudoable=False)

    def _run(
        self, command: str, content: bytes | None = None, sudoable: bool = True
    ) -> dict[str, t.Any]:
        return self.action._low_level_execute_command(command, sudoable, content)


def _controller() -> str:
    """Where process numbers mean the same: this kernel since its start, this PID namespace."""
    try:
        where = Path("/proc/sys/kernel/random/boot_id").read_text() + os.readlink(
            "/proc/self/ns/pid"
        )
    except OSError:  # not Linux: copies that are left go by their age alone
        return secrets.token_hex(8)
    return hashlib.sha256(where.encode()).hexdigest()[:16]


def _run() -> str:
    pid = os.getpid()
    return f"{PREFIX}.{_controller()}.{pid}.{_started(pid) or 0}"


def _started(pid: int) -> str | None:
    """When a process began, in ticks since the kernel's start (proc(5), stat, fields 3 and 22)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return "0" if fields[0] in "ZX" else fields[19]  # ended, and perhaps never waited for


def _is_left(path: str) -> bool:
    """Whether this is a copy of a run on this controller that has ended."""
    name = COPY.fullmatch(path.rpartition("/")[2])
    return name is not None and not _is_alive(int(name["pid"]), name["started"])


def _is_alive(pid: int, started: str) -> bool:
    """Whether this is still the process that began then."""
    now = _started(pid)
    return _exists(pid) if now is None else now == started != "0"


def _exists(pid: int) -> bool:
    """Whether there is this process, also where /proc hides those of others (hidepid)."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # another user's
    except ProcessLookupError:
        return False
    return True


@contextlib.contextmanager
def _interruptible() -> t.Iterator[None]:
    """SIGINT and SIGTERM unwind what runs, then do what they do. Ansible's own end is sudden."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def interrupt(number: int, _frame: object) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    try:
        for number in before:
            signal.signal(number, interrupt)
        yield
    except Interrupted as interrupted:
        _restore(before)
        os.kill(os.getpid(), interrupted.number)
    finally:
        _restore(before)


def _restore(handlers: dict[signal.Signals, t.Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
