# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mail_move on a real file system, as root, and killed wherever it can be."""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from .conftest import MODULES, Failed, judged

OWNER = 12345
MAIL = "Maildir/new/1.M1P1.host"
STEPS = 40
DIES = Path(__file__).with_name("dies_at_step.py")


@dataclass
class Place:
    """A mail directory, and the module on it."""

    path: Path
    collections: Path

    @property
    def top(self) -> Path:
        return self.path / "vmail"

    def home(self, name: str) -> Path:
        return self.top / name

    def person(self, name: str) -> Path:
        """Somebody with a mail."""
        mail = self.home(name) / MAIL
        mail.parent.mkdir(parents=True)
        mail.write_text(name)
        return mail

    def move(self, username: str, source: str, target: str) -> dict[str, str]:
        return {"username": username, "from": str(self.top / source), "to": str(self.top / target)}

    def arguments(self, *moves: dict[str, str], check: bool = False, **more: Any) -> dict[str, Any]:
        return {
            "moves": list(moves),
            "mail_directory": str(self.top),
            "state_directory": str(self.path / "state"),
            "_ansible_check_mode": check,
            **more,
        }

    def run(self, *moves: dict[str, str], **more: Any) -> dict[str, Any]:
        out = io.StringIO()
        with (
            patch_module_args(self.arguments(*moves, **more)),
            contextlib.redirect_stdout(out),
            contextlib.suppress(SystemExit),
        ):
            importlib.import_module(f"{MODULES}.mail_move").main()
        return judged(out.getvalue())

    def killed(self, step: int, *moves: dict[str, str], **more: Any) -> bool:
        """Whether a process of its own died at this step, instead of coming to its end."""
        done = subprocess.run(
            [sys.executable, str(DIES), "mail_move", str(step)],
            input=json.dumps(self.arguments(*moves, **more)),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, "PYTHONPATH": str(self.collections)},
        )
        assert done.returncode in (0, -signal.SIGKILL), done.stdout + done.stderr
        return done.returncode != 0

    def everything(self) -> dict[str, str]:
        """What stands below the mail directory."""
        return {
            str(p.relative_to(self.top)): os.readlink(p) if p.is_symlink() else p.stat().st_ino
            for p in sorted(self.top.rglob("*"))
        }


@pytest.fixture
def place(tmp_path: Path, collections: Path) -> Place:
    found = Place(tmp_path, collections)
    found.top.mkdir()
    found.top.chmod(0o750)
    os.chown(found.top, OWNER, OWNER)
    return found


def refused(place: Place, *moves: dict[str, str]) -> list[str]:
    """The faults; and nothing was touched."""
    before = place.everything()
    with pytest.raises(Failed) as failure:
        place.run(*moves)
    assert place.everything() == before
    return failure.value.result["faults"]


def test_both_places_have_the_mail_until_it_is_settled(place: Place):
    inode = place.person("example.org/ann").stat().st_ino
    move = place.move("ann@example.org", "example.org/ann", "new.example/deep/ann")
    done = place.run(move)
    assert done["changed"]
    assert done["moves"] == done["outstanding"] == [move]
    for home in ("example.org/ann", "new.example/deep/ann"):
        assert (place.home(home) / MAIL).stat().st_ino == inode
    assert not place.home("new.example/deep/ann").is_symlink()
    settled = place.run(move, state="settled")
    assert settled["changed"]
    assert settled["outstanding"] == []
    assert not os.path.lexists(place.home("example.org/ann"))
    assert (place.home("new.example/deep/ann") / MAIL).read_text() == "example.org/ann"


def test_directories_on_the_way_are_those_of_the_mail(place: Place):
    place.person("example.org/ann")
    place.run(place.move("ann@example.org", "example.org/ann", "new.example/deep/ann"))
    for made in ("new.example", "new.example/deep"):
        status = place.home(made).stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (OWNER, OWNER, 0o750)


def test_a_second_run_changes_nothing(place: Place):
    place.person("a/ann")
    move = place.move("ann@a", "a/ann", "b/ann")
    place.run(move)
    for state in ("moved", "settled"):
        place.run(move, state=state)
        before = place.everything()
        assert not place.run(move, state=state)["changed"]
        assert place.everything() == before
    assert not place.run(move)["changed"]


def test_check_mode_tells_and_leaves_everything(place: Place):
    place.person("a/ann")
    move = place.move("ann@a", "a/ann", "b/ann")
    before = place.everything()
    told = place.run(move, check=True)
    assert told["changed"]
    assert told["diff"]["after"] == f"ann@a: in {place.top}/b/ann\n"
    assert place.everything() == before
    place.run(move)
    before = place.everything()
    assert place.run(move, check=True, state="settled")["changed"]
    assert place.everything() == before


def test_who_never_got_mail_finds_the_first_one_in_the_new_place(place: Place):
    move = place.move("ann@a", "a/ann", "b/ann")
    place.run(move)
    (place.home("a/ann") / "first").write_text("mail")
    place.run(move, state="settled")
    assert (place.home("b/ann") / "first").read_text() == "mail"


def test_all_faults_are_told_together(place: Place):
    for name in ("a/ann", "a/bob", "b/bob", "a/eve", "a/way"):
        place.person(name)
    for name in ("link", "leads"):
        place.home(name).symlink_to("a")
    for name in ("file", "also"):
        place.home(name).write_text("")
    faults = refused(
        place,
        place.move("ann@a", "a/ann", "b/../ann"),
        {"username": "rel@a", "from": "a/rel", "to": "/var/vmail-not/rel"},
        place.move("same@a", "a/same", "a/same/"),
        place.move("in@a", "a/in", "a/in/side"),
        place.move("bob@a", "a/bob", "b/bob"),
        place.move("way@a", "a/way", "link/way"),
        place.move("file@a", "a/eve", "also/eve"),
        place.move("own@a", "leads", "c/own"),
        place.move("mail@a", "file", "c/mail"),
    )
    for fault, (name, said) in zip(
        faults,
        [
            ("ann@a", "is not a plain path"),
            ("rel@a", "'a/rel' is not an absolute path"),
            ("rel@a", "is not inside the mail directory"),
            ("same@a", "from and to are the same path"),
            ("in@a", "lies inside"),
            ("bob@a", "b/bob already exists"),
            ("way@a", "link is a link or no directory"),
            ("file@a", "also is a link or no directory"),
            ("own@a", "leads is a link, and none"),
            ("mail@a", "is no directory"),
        ],
        strict=True,
    ):
        assert fault.startswith(f"{name}: ")
        assert said in fault


def test_two_people_do_not_get_one_home(place: Place):
    faults = refused(place, place.move("a@a", "a/a", "c/x"), place.move("b@a", "a/b", "c/x"))
    assert faults == [f"b@a: {place.top}/c/x is named by a@a as well."]


def test_the_home_of_somebody_who_has_left_is_not_taken_over(place: Place):
    place.person("b/old")
    (fault,) = refused(place, place.move("new@a", "a/new", "b/old"))
    assert "b/old already exists" in fault


def test_another_file_system_is_refused(place: Place):
    place.person("a/ann")
    place.home("other").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", place.home("other")], check=True)
    try:
        (fault,) = refused(place, place.move("ann@a", "a/ann", "other/ann"))
    finally:
        subprocess.run(["umount", place.home("other")], check=True)
    assert "are on two file systems: stop Dovecot, move it by hand" in fault


def test_another_mount_of_the_same_file_system_leaves_the_mail_where_it_was(place: Place):
    mail = place.person("a/ann")
    for name in ("other", "origin"):
        place.home(name).mkdir()
    subprocess.run(["mount", "--bind", place.home("origin"), place.home("other")], check=True)
    try:
        with pytest.raises(Failed, match="on another mount. Its mail is where it was"):
            place.run(place.move("ann@a", "a/ann", "other/ann"))
        assert not os.path.lexists(place.home("other/ann"))
    finally:
        subprocess.run(["umount", place.home("other")], check=True)
    assert mail.read_text() == "a/ann"
    assert place.run(place.move("ann@a", "a/ann", "b/ann"))["changed"]


def test_mail_moved_by_hand_is_only_settled(place: Place):
    place.person("b/ann")
    place.home("a").mkdir()
    place.home("a/ann").symlink_to(place.home("b/ann"))
    move = place.move("ann@a", "a/ann", "b/ann")
    assert not place.run(move)["changed"]
    assert place.run(move, state="settled")["changed"]
    assert not os.path.lexists(place.home("a/ann"))


def test_mail_that_is_still_in_the_old_place_is_told(place: Place):
    place.person("a/ann")
    move = place.move("ann@a", "a/ann", "b/ann")
    place.run(move)
    place.home("a/ann").unlink()
    place.home("b/ann").rename(place.home("a/ann"))
    (fault,) = _settle_refused(place, move)
    assert "its mail is in" in fault


def _settle_refused(place: Place, move: dict[str, str]) -> list[str]:
    with pytest.raises(Failed) as failure:
        place.run(move, state="settled")
    return failure.value.result["faults"]


def test_another_wish_takes_an_unfinished_move_back(place: Place):
    mail = place.person("a/ann")
    inode = mail.stat().st_ino
    place.run(place.move("ann@a", "a/ann", "b/ann"))
    second = place.move("ann@a", "a/ann", "c/ann")
    assert place.run(second)["outstanding"] == [second]
    assert not os.path.lexists(place.home("b/ann"))
    assert mail.stat().st_ino == (place.home("c/ann") / MAIL).stat().st_ino == inode


def test_a_home_moves_on_before_the_first_move_is_settled(place: Place):
    inode = place.person("a/ann").stat().st_ino
    moves = [place.move("ann@a", "a/ann", "b/ann"), place.move("ann@a", "b/ann", "c/ann")]
    for move in moves:
        place.run(move)
    assert (place.home("a/ann") / MAIL).stat().st_ino == inode
    assert place.run(*moves, state="settled")["outstanding"] == []
    assert [p.name for p in place.top.rglob("ann")] == ["ann"]
    assert (place.home("c/ann") / MAIL).stat().st_ino == inode


def test_a_home_moves_back(place: Place):
    place.person("a/ann")
    there, back = place.move("ann@a", "a/ann", "b/ann"), place.move("ann@a", "b/ann", "a/ann")
    for move in (there, back, there):
        assert place.run(move)["changed"]
        assert place.run(move, state="settled")["changed"]
    assert (place.home("b/ann") / MAIL).exists()


def test_a_delivery_that_began_before_keeps_the_link(place: Place):
    place.person("a/ann")
    move = place.move("ann@a", "a/ann", "b/ann")
    place.run(move)
    with delivering(place.path / "lmtp"), pytest.raises(Failed, match="A delivery of mail that"):
        place.run(move, state="settled", timeout=0)
    assert place.home("a/ann").is_symlink()
    assert place.run(move, state="settled")["changed"]


@contextlib.contextmanager
def delivering(path: Path) -> Iterator[None]:
    """A connection to a socket that is named as Dovecot names that for deliveries."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(path))
        listener.listen()
        client.connect(str(path))
        server, _address = listener.accept()
        with server:
            yield


def test_one_run_at_a_time(place: Place):
    place.person("a/ann")
    place.person("a/bob")
    place.run(place.move("bob@a", "a/bob", "b/bob"))
    with _locked(place.path / "state/mail_move"), pytest.raises(Failed, match="Another run"):
        place.run(place.move("ann@a", "a/ann", "b/ann"))


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    with subprocess.Popen(
        ["flock", directory, "sh", "-c", "echo held; cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        yield
        holder.stdin.close()


def test_a_reader_always_finds_the_mail(place: Place):
    mail = place.person("a/ann")
    missed, stop = [], threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                mail.read_text()
            except OSError as error:
                missed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for source, target in itertools.pairwise(f"{name}/ann" for name in "abcdef"):
            place.run(place.move("ann@a", source, target))
    finally:
        stop.set()
        reader.join()
    assert missed == []


def test_a_killed_move_leaves_all_mail_in_reach_and_the_next_run_finishes_it(place: Place):
    for step in range(STEPS):
        name = f"mover{step}"
        inode = place.person(f"a/{name}").stat().st_ino
        move = place.move(f"{name}@a", f"a/{name}", f"b/{name}")
        died = place.killed(step, move)
        assert (place.home(f"a/{name}") / MAIL).stat().st_ino == inode
        place.run(move)
        assert (place.home(f"a/{name}") / MAIL).stat().st_ino == inode
        place.run(move, state="settled")
        assert not os.path.lexists(place.home(f"a/{name}"))
        assert (place.home(f"b/{name}") / MAIL).stat().st_ino == inode
        if not died:
            break
    assert 5 < step < STEPS - 1
    assert leftovers(place) == []


def test_a_killed_settlement_leaves_all_mail_in_reach_and_the_next_run_finishes_it(place: Place):
    for step in range(STEPS):
        name = f"mover{step}"
        inode = place.person(f"a/{name}").stat().st_ino
        move = place.move(f"{name}@a", f"a/{name}", f"b/{name}")
        place.run(move)
        died = place.killed(step, move, state="settled")
        place.run(move, state="settled")
        assert not os.path.lexists(place.home(f"a/{name}"))
        assert (place.home(f"b/{name}") / MAIL).stat().st_ino == inode
        if not died:
            break
    assert 1 < step < STEPS - 1
    assert leftovers(place) == []


def leftovers(place: Place) -> list[Path]:
    """Links, which nobody has made but the module."""
    return [path for path in place.top.rglob("*") if path.is_symlink()]
