# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""People from files, through ansible-playbook: who can read the copy, and when it goes."""

from __future__ import annotations

import base64
import contextlib
import csv
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql
import pytest
import yaml
from ansible_collections.groupware.mailserver.plugins.action import mail_accounts

from .conftest import Host

SECRETS = ["Plänted 'one' \"\\ %s $x {{ y }}", "Planted-Two, with; a comma"]
PEOPLE = [
    {"address": "ann@example.org", "password": SECRETS[0], "password_scheme": "SSHA256"},
    {
        "address": "bob@example.org",
        "password": SECRETS[1],
        "password_scheme": "SSHA256",
        "quota": "1G",
        "aliases": ["info@example.org", {"address": "news@example.org", "dispatch_address": False}],
        "forward_only": True,
        "forwards": ["bob@elsewhere.example", "bob@other.example"],
    },
]
HASH = "{SSHA256}" + base64.b64encode(b"digest and salt, together 36 bytes..").decode()
PLACE = Path("/run")  # for root; everybody else has /var/tmp
UNPRIVILEGED = "nobody"


def as_csv(path: Path, people: list[dict[str, Any]]) -> None:
    def cell(value: Any) -> Any:
        if isinstance(value, list):
            return " ".join(
                one if isinstance(one, str) else f"{one['address']}:receive_only" for one in value
            )
        return str(value).lower() if isinstance(value, bool) else value

    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, sorted({name for person in people for name in person}))
        writer.writeheader()
        writer.writerows({name: cell(value) for name, value in p.items()} for p in people)


def written(path: Path, people: list[dict[str, Any]]) -> Path:
    """The people in the format of the path's suffix."""
    if path.suffix == ".csv":
        as_csv(path, people)
    elif path.suffix == ".jsonl":
        path.write_text("".join(f"{json.dumps(person)}\n" for person in people))
    elif path.suffix == ".json":
        path.write_text(json.dumps({"mailserver_users": people}))
    else:
        path.write_text(yaml.safe_dump({"mailserver_users": people}, allow_unicode=True))
    return path


def copies() -> list[Path]:
    """What of ours lies in the places for copies."""
    return [path for place in (PLACE, Path("/var/tmp")) for path in place.glob("groupware.m*")]


@dataclass
class Seen:
    """What a look at the copies, again and again, has found."""

    owners: set[int] = field(default_factory=set)
    modes: set[int] = field(default_factory=set)
    clear: set[str] = field(default_factory=set)  # files of the controller with a secret

    def look(self, controller: Path) -> None:
        for path in copies():
            with contextlib.suppress(OSError):
                status = path.lstat()
                self.owners.add(status.st_uid)
                self.modes.add(status.st_mode & 0o7777)
        for directory, _directories, files in os.walk(controller):
            for path in (Path(directory, name) for name in files):
                with contextlib.suppress(OSError):
                    if b"Planted-Two" in path.read_bytes():
                        self.clear.add(str(path))


@dataclass
class Controller:
    """A directory with a playbook, and what it needs to run."""

    host: Host
    path: Path
    options: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    play: dict[str, Any] = field(default_factory=dict)

    def start(self, *tasks: dict[str, Any]) -> subprocess.Popen[str]:
        """ansible-playbook, with a local connection as root."""
        login = {"login_unix_socket": self.host.mariadb.socket, "show_queries": True}
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": sys.executable},
            "module_defaults": {"group/groupware.mailserver.mailserver": login},
            "tasks": list(tasks),
            **self.play,
        }
        (self.path / "play.yml").write_text(json.dumps([play]))
        self.temporary.mkdir(exist_ok=True)
        return subprocess.Popen(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "-c", "local"]
            + ["-vvv", "--diff", *self.options, str(self.path / "play.yml")],
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": str(self.host.collections),
                "ANSIBLE_LOCAL_TEMP": str(self.temporary),
                "TMPDIR": str(self.temporary),
                "LC_ALL": "C.UTF-8",
                **self.environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    @property
    def temporary(self) -> Path:
        return self.path / "temporary"

    def run(self, *tasks: dict[str, Any], code: int = 0) -> str:
        """What it prints; never a secret, and no copy is left."""
        process = self.start(*tasks)
        out, _nothing = process.communicate(timeout=120)
        assert process.returncode == code, out
        assert copies() == []
        for secret in SECRETS:
            assert secret not in out
            assert json.dumps(secret)[1:-1] not in out
        return out

    def watched(self, *tasks: dict[str, Any]) -> Seen:
        """What could be seen of the files while it ran."""
        seen = Seen()
        done = threading.Event()

        def watch() -> None:
            while not done.is_set():
                seen.look(self.temporary)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            self.run(*tasks)
        finally:
            done.set()
            watcher.join()
        return seen


def accounts(**options: Any) -> dict[str, Any]:
    return {"groupware.mailserver.mail_accounts": options}


def awaited(condition: Any) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "waited for a minute"
        time.sleep(0.01)


@pytest.fixture
def controller(host: Host, tmp_path: Path) -> Iterator[Controller]:
    assert copies() == []
    yield Controller(host, tmp_path)
    for path in copies():
        path.unlink()


@pytest.fixture
def held(controller: Controller) -> Path:
    """A directory: the module's interpreter tells `started` there, and waits for `go`."""
    program = controller.path / "python"
    program.write_text(
        f"#!/bin/sh\ntouch {controller.path}/started\n"
        f"while [ ! -e {controller.path}/go ]; do sleep 0.02; done\n"
        f'exec {sys.executable} "$@"\n'
    )
    program.chmod(0o755)
    controller.play["vars"] = {"ansible_python_interpreter": str(program)}
    return controller.path


def test_every_format_says_the_same(controller: Controller, host: Host):
    files = [
        written(controller.path / f"people.{suffix}", PEOPLE)
        for suffix in ("csv", "json", "jsonl", "yml")
    ]
    out = controller.run(*(accounts(src=str(file)) for file in files))
    assert "ok=4    changed=1 " in out
    row = host.row("dovecot_users", username="bob@example.org")
    assert row["quota_bytes"] == 1024
    assert ("news@example.org", "bob@other.example", 0) in host.destinations(row["userid"])


def test_files_and_accounts_count_together(controller: Controller, host: Host):
    one = written(controller.path / "one.csv", PEOPLE[:1])
    two = written(controller.path / "two.jsonl", PEOPLE[1:])
    eve = {"address": "eve@example.org", "password_hash": HASH}
    controller.run(accounts(src=[str(one), str(two)], accounts=[eve]))
    assert len(host.rows("smtp_users")) == 3


def test_faults_name_the_places_of_all_files(controller: Controller):
    one = written(controller.path / "one.csv", [{**PEOPLE[0], "quota": "5 apples"}])
    (controller.path / "two.jsonl").write_text("{}\nx\n")
    out = controller.run(accounts(src=[str(one), str(controller.path / "two.jsonl")]), code=2)
    assert f"{controller.path}/two.jsonl line 2: is not JSON" in out


def test_a_file_is_found_where_copy_finds_it(controller: Controller, host: Host):
    (controller.path / "files").mkdir()
    written(controller.path / "files" / "people.csv", PEOPLE)
    controller.run(accounts(src="people.csv"))
    assert len(host.rows("smtp_users")) == 2


def test_a_file_that_is_not_there_is_told(controller: Controller):
    assert "people.csv" in controller.run(accounts(src="people.csv"), code=2)


def test_src_may_be_a_default_of_the_module(controller: Controller, host: Host):
    file = written(controller.path / "people.jsonl", PEOPLE)
    controller.play["module_defaults"] = {
        "group/groupware.mailserver.mailserver": {"login_unix_socket": host.mariadb.socket},
        "groupware.mailserver.mail_accounts": {"src": str(file)},
    }
    controller.run(accounts())
    assert len(host.rows("smtp_users")) == 2


@pytest.mark.parametrize("pipelining", ["0", "1"])
def test_only_root_could_read_the_copy(controller: Controller, host: Host, pipelining: str):
    file = written(controller.path / "people.jsonl", PEOPLE)
    controller.environment["ANSIBLE_PIPELINING"] = pipelining
    seen = controller.watched(accounts(src=str(file)))
    assert (seen.owners, seen.modes) == ({0}, {0o600})
    assert len(host.rows("smtp_users")) == 2


def test_check_mode_predicts_and_leaves_nothing(controller: Controller, host: Host):
    file = written(controller.path / "people.jsonl", PEOPLE)
    controller.options = ["--check"]
    assert "changed=1 " in controller.run(accounts(src=str(file)))
    assert host.rows("smtp_users") == []


@pytest.fixture
def unprivileged(controller: Controller, host: Host) -> Iterator[Controller]:
    """Tasks run as nobody: with a Python that all may use, and with a password for SQL."""
    with host.mariadb.connect().cursor() as cursor:
        cursor.execute("CREATE OR REPLACE USER mailer@localhost IDENTIFIED BY 'of-mailer'")
        cursor.execute("GRANT ALL ON *.* TO mailer@localhost")
    libraries = Path(tempfile.mkdtemp())
    shutil.copytree(Path(pymysql.__file__).parent, libraries / "pymysql")
    libraries.chmod(0o755)
    host.mariadb.directory.chmod(0o711)
    controller.play |= {
        "become": True,
        "become_user": UNPRIVILEGED,
        "vars": {"ansible_python_interpreter": "/usr/bin/python3"},
        "environment": {"PYTHONPATH": str(libraries)},
        "module_defaults": {
            "group/groupware.mailserver.mailserver": {
                "login_unix_socket": host.mariadb.socket,
                "login_user": "mailer",
                "login_password": "of-mailer",
            }
        },
    }
    yield controller
    host.mariadb.directory.chmod(0o700)
    shutil.rmtree(libraries)


@pytest.mark.parametrize("pipelining", ["0", "1"])
@pytest.mark.parametrize("method", ["sudo", "su"])
def test_an_unprivileged_user_alone_could_read_the_copy(
    unprivileged: Controller, host: Host, method: str, pipelining: str
):
    file = written(unprivileged.path / "people.jsonl", PEOPLE)
    unprivileged.environment["ANSIBLE_PIPELINING"] = pipelining
    unprivileged.play |= {"become_method": method}
    if method == "su":
        unprivileged.play["become_flags"] = "-s /bin/sh"
    seen = unprivileged.watched(accounts(src=str(file)))
    user = pwd.getpwnam(UNPRIVILEGED).pw_uid
    # su takes no input: the copy comes as root's, and is handed over.
    assert seen.owners - {0} == {user}
    assert seen.owners == {user} or method == "su"
    assert seen.modes == {0o600}
    assert len(host.rows("smtp_users")) == 2


def test_a_task_may_be_delegated(controller: Controller, host: Host):
    file = written(controller.path / "people.jsonl", PEOPLE)
    controller.options = ["-i", "other,"]
    controller.run({**accounts(src=str(file)), "delegate_to": "other"})
    assert len(host.rows("smtp_users")) == 2


@pytest.fixture
def encrypted(controller: Controller) -> Path:
    file = written(controller.path / "people.yml", PEOPLE)
    (controller.path / "key").write_text("key of the vault")
    controller.options = ["--vault-password-file", str(controller.path / "key")]
    subprocess.run(
        [Path(sys.executable).with_name("ansible-vault"), "encrypt", str(file)]
        + controller.options,
        check=True,
        capture_output=True,
    )
    return file


def test_an_encrypted_file_is_never_clear_on_the_controller(
    controller: Controller, host: Host, encrypted: Path
):
    seen = controller.watched(accounts(src=str(encrypted)))
    assert seen.clear == set()
    assert len(host.rows("smtp_users")) == 2


def test_an_encrypted_file_without_its_key_is_told(controller: Controller, encrypted: Path):
    controller.options = []
    assert "no vault secrets found" in controller.run(accounts(src=str(encrypted)), code=2)


def test_a_file_on_the_host_stays(controller: Controller, host: Host):
    file = written(controller.path / "people.csv", PEOPLE)
    controller.run(accounts(src=str(file), remote_src=True))
    assert len(host.rows("smtp_users")) == 2
    assert file.exists()


def test_a_copy_that_a_task_names_is_refused_and_stays(controller: Controller, host: Host):
    copy = controller.path / f"groupware.mailserver.{'0' * 16}.1.1.{'0' * 16}"
    copy.touch()
    for file in (written(controller.path / "people.json", PEOPLE), copy):
        given = [{"copy": str(file), "name": "people.json"}]
        out = controller.run(accounts(src=given, remote_src=True), code=2)
        assert "is not a file of src: expected a path" in out
        assert file.exists()
    assert host.rows("smtp_users") == []


def test_an_encrypted_file_on_the_host_is_told(controller: Controller, encrypted: Path):
    out = controller.run(accounts(src=str(encrypted), remote_src=True), code=2)
    assert "encrypted with Ansible Vault" in out


@pytest.mark.parametrize(
    "options",
    [
        {"transaction_size": "many"},
        {"client_idnr": "no owner"},
        {"login_unix_socket": "/nonexistent"},
    ],
)
def test_the_copy_goes_when_the_module_fails(controller: Controller, options: dict[str, Any]):
    file = written(controller.path / "people.jsonl", PEOPLE)
    controller.run(accounts(src=str(file), **options), code=2)


def test_the_copy_goes_when_there_is_no_interpreter(controller: Controller):
    file = written(controller.path / "people.jsonl", PEOPLE)
    controller.play["vars"] = {"ansible_python_interpreter": "/nonexistent/python"}
    controller.run(accounts(src=str(file)), code=2)


def test_async_is_refused_for_files_of_the_controller(controller: Controller):
    file = written(controller.path / "people.jsonl", PEOPLE)
    out = controller.run({**accounts(src=str(file)), "async": 60, "poll": 1}, code=2)
    assert "src cannot be brought to the host for async" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_copy_goes_when_the_controller_is_stopped(
    controller: Controller, held: Path, number: signal.Signals
):
    file = written(controller.path / "people.jsonl", PEOPLE)
    process = controller.start(accounts(src=str(file)))
    awaited((held / "started").exists)
    assert len(copies()) == 1
    process.send_signal(number)
    process.communicate(timeout=60)
    awaited(lambda: copies() == [])


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in descendants(int(child)))]


def test_a_killed_run_is_cleaned_up_after_by_the_next(
    controller: Controller, held: Path, host: Host
):
    file = written(controller.path / "people.jsonl", PEOPLE)
    process = controller.start(accounts(src=str(file)))
    awaited((held / "started").exists)
    for pid in descendants(process.pid):
        os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert len(copies()) == 1
    (held / "go").touch()
    controller.run(accounts(src=str(file)))
    assert len(host.rows("smtp_users")) == 2


def test_the_copy_of_another_run_stays(controller: Controller, held: Path, host: Host):
    file = written(controller.path / "people.jsonl", PEOPLE)
    process = controller.start(accounts(src=str(file)))
    awaited((held / "started").exists)
    (theirs,) = copies()
    second = Controller(host, controller.path / "second")
    second.path.mkdir()
    other = second.start(accounts(src=str(file)))
    out, _nothing = other.communicate(timeout=60)
    assert other.returncode == 0, out
    assert copies() == [theirs]
    (held / "go").touch()
    out, _nothing = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert copies() == []


def test_a_file_that_only_begins_like_a_copy_is_left_alone(controller: Controller, host: Host):
    file = written(controller.path / "people.jsonl", PEOPLE)
    strange = PLACE / f"groupware.mailserver.{mail_accounts._controller()}.x"
    strange.touch()
    out, _nothing = controller.start(accounts(src=str(file))).communicate(timeout=60)
    assert len(host.rows("smtp_users")) == 2, out
    assert copies() == [strange]


def test_an_old_copy_of_another_controller_goes(controller: Controller):
    file = written(controller.path / "people.jsonl", PEOPLE)
    old, young = (
        PLACE / f"groupware.mailserver.0123456789abcdef.1.{n}.0123456789abcdef" for n in (1, 2)
    )
    for path in (old, young):
        path.write_text("")
    os.utime(old, (time.time() - 3700,) * 2)
    process = controller.start(accounts(src=str(file)))
    out, _nothing = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert copies() == [young]
