# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files that nobody else can read; what others could have written is not trusted."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator

_FILE_BYTES = 16 << 20


def content(path: str) -> bytes:
    """What is in the file; OSError or ValueError where it is not there or not ours alone."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with directory_of(path) as directory:
        handle = os.open(os.path.basename(path), flags, dir_fd=directory)
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _FILE_BYTES:
            raise ValueError("not a record")
        _refuse_unless_private(status, 0o077)
        return file.read(_FILE_BYTES)


@contextlib.contextmanager
def directory_of(path: str, make: bool = False) -> Iterator[int]:
    """The directory of the record, if it is ours alone to write to."""
    name = os.path.dirname(path)
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700)
    handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _refuse_unless_private(os.fstat(handle), 0o022)
        yield handle
    finally:
        os.close(handle)


def _refuse_unless_private(status: os.stat_result, forbidden: int) -> None:
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & forbidden:
        raise PermissionError(errno.EACCES, "not ours alone")


def write(path: str, parts: Iterable[bytes]) -> None:
    """A new file, whole or not at all, in a directory that is ours alone to write to."""
    with directory_of(path, make=True) as directory:
        _replace(directory, os.path.basename(path), parts)


def replace(directory: int, name: str, text: bytes) -> None:
    """Replace a file, all or nothing; the caller has locked the directory."""
    _replace(directory, name, (text,))


def _replace(directory: int, name: str, parts: Iterable[bytes]) -> None:
    new = f"{name}.new"  # of a killed run, perhaps: the lock says that nobody is writing it now
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new, dir_fd=directory)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(new, flags, 0o600, dir_fd=directory), "wb") as file:
        try:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            os.unlink(new, dir_fd=directory)
            raise
    os.rename(new, name, src_dir_fd=directory, dst_dir_fd=directory)
    os.fsync(directory)
