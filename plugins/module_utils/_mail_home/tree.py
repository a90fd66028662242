# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: this is no interface of the collection and may change at any time.

"""Directories below the mail directory, reached without following a link, and the exchange of two.

Whoever owns the mail may write there while root works on it: every step holds the directory open
in which it takes place, so that a link put in the way leads nowhere.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ("InTheWay", "Name", "Tree", "exchange", "is_inside", "normal")

_RENAME_EXCHANGE = 2  # linux/fs.h
_PROBES = (".mail_move-1", ".mail_move-2")  # of a killed run, perhaps
_ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class InTheWay(Exception):
    """A part of a path that is neither missing nor a directory; its text is that part."""


@dataclass(frozen=True)
class Name:
    """What a path is: one of missing, directory, link and other; the target of a link."""

    kind: str
    device: int
    target: str | None = None


def normal(path: str) -> str:
    """The path without slashes at its end."""
    return path.rstrip("/") or path[:1]


def is_inside(path: str, directory: str) -> bool:
    """Whether the normal path lies below the directory."""
    return path.startswith(directory.rstrip("/") + "/")


class Tree:
    """The open mail directory. Paths are absolute, normal and inside of it."""

    def __init__(self, top: str) -> None:
        self.top = top
        self._handle = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self._handle)

    def name(self, path: str) -> Name:
        """What stands at the path; for what is missing, the device that it would be on."""
        with self._closest(path, make=False) as (directory, rest):
            device = os.fstat(directory).st_dev
            if len(rest) > 1:
                return Name("missing", device)
            return _name(directory, rest[0], device)

    @contextlib.contextmanager
    def parent(self, path: str, make: bool = False) -> Iterator[tuple[int, str]]:
        """The directory that the last part of the path stands in, made if need be; and that part.

        FileNotFoundError where it is not there, InTheWay where it is none.
        """
        with self._closest(path, make) as (directory, rest):
            if len(rest) > 1:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            yield directory, rest[0]

    @contextlib.contextmanager
    def _closest(self, path: str, make: bool) -> Iterator[tuple[int, list[str]]]:
        rest = os.path.relpath(path, self.top).split("/")
        handle = os.dup(self._handle)
        try:
            while len(rest) > 1:
                if make:
                    self.make_directory(handle, rest[0])
                try:
                    below = os.open(rest[0], _ENTER, dir_fd=handle)
                except FileNotFoundError:
                    break
                except NotADirectoryError:  # also for a link
                    raise InTheWay(_up(path, len(rest) - 1)) from None
                os.close(handle)
                handle = below
                del rest[0]
            yield handle, rest
        finally:
            os.close(handle)

    def make_directory(self, parent: int, name: str) -> None:
        """A directory with the owner, group and mode of the mail directory, if there is nothing."""
        like = os.fstat(self._handle)
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            return
        handle = os.open(name, _ENTER, dir_fd=parent)
        try:
            os.fchown(handle, like.st_uid, like.st_gid)
            os.fchmod(handle, stat.S_IMODE(like.st_mode))
        finally:
            os.close(handle)

    def exchanges(self) -> bool:
        """Whether this file system can exchange two names in one step (NFS cannot)."""
        try:
            for name in _PROBES:
                self._remove_link(name)
                os.symlink("probe", name, dir_fd=self._handle)
            exchange(self._handle, _PROBES[0], self._handle, _PROBES[1])
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
                raise
            return False
        finally:
            for name in _PROBES:
                self._remove_link(name)
        return True

    def _remove_link(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._handle)


def _up(path: str, levels: int) -> str:
    return path.rsplit("/", levels)[0]


def _name(directory: int, name: str, device: int) -> Name:
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return Name("missing", device)
    if stat.S_ISLNK(status.st_mode):
        return Name("link", status.st_dev, os.readlink(name, dir_fd=directory))
    kind = "directory" if stat.S_ISDIR(status.st_mode) else "other"
    return Name(kind, status.st_dev)


def exchange(first: int, first_name: str, second: int, second_name: str) -> None:
    """Exchange two names in one step (renameat2(2)); each is looked up in an open directory."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    names = os.fsencode(first_name), os.fsencode(second_name)
    if libc.renameat2(first, names[0], second, names[1], ctypes.c_uint(_RENAME_EXCHANGE)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), first_name)
