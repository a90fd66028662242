# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""crypt(3) of this host, as Dovecot calls it.

Python's own binding is gone since 3.13, and held the interpreter's lock; called like this, threads
run on all cores. Only crypt_rn is used (libxcrypt, on every supported release): it is told the size
of its buffer and keeps no state.
"""

from __future__ import annotations

import ctypes
import threading
from functools import cache
from typing import Any

PASSWORD_BYTES = 511  # CRYPT_MAX_PASSPHRASE_SIZE of crypt.h, without the closing NUL
_BUFFER_BYTES = 32768  # struct crypt_data of crypt.h; less is refused with ERANGE
_NAMES = ("libcrypt.so.1", "libcrypt.so.2")
_local = threading.local()


@cache
def _crypt_rn() -> Any:
    for name in _NAMES:
        try:
            function = ctypes.CDLL(name).crypt_rn
        except (OSError, AttributeError):
            continue
        function.restype = ctypes.c_char_p
        function.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int]
        return function
    return None


def available() -> bool:
    """Whether this host has a crypt(3) that can be used."""
    return _crypt_rn() is not None


def crypt(plain: str, setting: str) -> str | None:
    """The hash of a password; None where crypt(3) refuses the setting (which a hash is, too)."""
    if "\0" in plain or "\0" in setting:
        return None
    made = _crypt_rn()(plain.encode(), setting.encode(), _buffer(), _BUFFER_BYTES)
    return made.decode("ascii") if made else None


def _buffer() -> Any:
    if not hasattr(_local, "buffer"):
        _local.buffer = ctypes.create_string_buffer(_BUFFER_BYTES)
    return _local.buffer
