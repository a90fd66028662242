# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: this is no interface of the collection and may change at any time.

"""A set of configuration files that stands only as a whole: compare, stage, install."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .errors import InvalidMode, UnsafePath

__all__ = ("ConfigFile", "Difference", "back_up", "differences", "install", "octal", "staged")

# A set that is being checked lies here, beside the files that it would replace: renaming is
# atomic only within one file system.
STAGE_PREFIX = ".groupware-mailserver-"


@dataclass(frozen=True)
class ConfigFile:
    """One file as it should be; ``path`` is relative to the directory of its set."""

    path: str
    content: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    secret: bool = False

    def __post_init__(self) -> None:
        parts = self.path.split("/")
        if os.path.isabs(self.path) or not self.path or {"", ".", ".."} & set(parts):
            raise UnsafePath(self.path)

    @property
    def directory_mode(self) -> int:
        """Whoever may read the file may enter its directory; nobody else may."""
        return 0o700 | (0o050 if self.mode & 0o040 else 0) | (0o005 if self.mode & 0o004 else 0)


@dataclass(frozen=True)
class Difference:
    """A file that is not as it should be. Contents of secret files are not kept here."""

    path: str
    before: str
    after: str


def octal(mode: str) -> int:
    """Return the permissions that text such as '0640' says."""
    if not re.fullmatch(r"0?[0-7]{3}", mode):
        raise InvalidMode(mode)
    return int(mode, 8)


def _content(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _name(database: object, number: int) -> str:
    try:
        return database(number)[0]  # type: ignore[operator, no-any-return]
    except KeyError:
        return str(number)


def _attributes(path: str) -> str:
    status = os.stat(path)
    return _said_attributes(
        _name(pwd.getpwuid, status.st_uid),
        _name(grp.getgrgid, status.st_gid),
        stat.S_IMODE(status.st_mode),
    )


def _said_attributes(owner: str, group: str, mode: int) -> str:
    return f"{owner}:{group} {mode:04o}\n"


def _difference(directory: str, file: ConfigFile) -> Difference | None:
    path = os.path.join(directory, file.path)
    content = _content(path)
    wanted = _said_attributes(file.owner, file.group, file.mode)
    if content is None:
        return Difference(path, "", "(content not shown)\n" if file.secret else file.content)
    if content != file.content:
        if file.secret:
            return Difference(path, "(content not shown)\n", "(new content, not shown)\n")
        return Difference(path, content, file.content)
    if _attributes(path) != wanted:
        return Difference(path, _attributes(path), wanted)
    return None


def differences(directory: str, files: Sequence[ConfigFile]) -> list[Difference]:
    """Tell which files of the set are not in place as they should be, in the order given."""
    found = (_difference(directory, file) for file in files)
    return [difference for difference in found if difference is not None]


def _make_parents(root: str, file: ConfigFile) -> None:
    """Make the directories between root and the file, as open as the file itself."""
    directory = root
    for part in file.path.split("/")[:-1]:
        directory = os.path.join(directory, part)
        with contextlib.suppress(FileExistsError):
            os.mkdir(directory, 0o700)
        shutil.chown(directory, file.owner, file.group)
        os.chmod(directory, file.directory_mode)


def _write(path: str, file: ConfigFile) -> None:
    # For root alone until it has its owner: never readable too widely.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        stream.write(file.content)
        stream.flush()
        os.fsync(stream.fileno())
    shutil.chown(path, file.owner, file.group)
    os.chmod(path, file.mode)


def _remove_leftovers(directory: str) -> None:
    """Remove what a killed run left behind."""
    for name in os.listdir(directory):
        if name.startswith(STAGE_PREFIX):
            shutil.rmtree(os.path.join(directory, name), ignore_errors=True)


@contextlib.contextmanager
def staged(directory: str, files: Sequence[ConfigFile]) -> Iterator[str]:
    """Lay the whole set out beside the directory's own files; yield where; remove it afterwards."""
    _remove_leftovers(directory)
    stage = tempfile.mkdtemp(prefix=STAGE_PREFIX, dir=directory)
    try:
        os.chmod(stage, 0o755)
        for file in files:
            _make_parents(stage, file)
            _write(os.path.join(stage, file.path), file)
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def install(stage: str, directory: str, files: Sequence[ConfigFile]) -> None:
    """Move a staged set into place, each file at once, in the order given.

    List what is read by others before its readers (maps before ``main.cf``): a run that is
    killed half-way then leaves files nobody reads yet, never readers of files that are missing.
    """
    for file in files:
        _make_parents(directory, file)
        os.replace(os.path.join(stage, file.path), os.path.join(directory, file.path))
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def back_up(directory: str, files: Sequence[ConfigFile], destination: str) -> None:
    """Keep what stood in the directory before the set was put there for the first time."""
    standing = [f.path for f in files if os.path.exists(os.path.join(directory, f.path))]
    if not standing or os.path.exists(destination):
        return
    os.makedirs(os.path.dirname(destination), mode=0o700, exist_ok=True)
    partial = tempfile.mkdtemp(dir=os.path.dirname(destination))
    for path in standing:
        target = os.path.join(partial, path)
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        shutil.copy2(os.path.join(directory, path), target)
    os.rename(partial, destination)
