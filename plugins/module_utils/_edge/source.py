# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The accounts of a task, from its options and its files."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._accounts import source_file
from .._accounts.source_file import Entries, Inline, Joined

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SOURCE: dict[str, t.Any] = {
    "src": {"type": "list", "elements": "path"},
    "format": {"type": "str", "choices": list(source_file.FORMATS)},
    "remote_src": {"type": "bool", "default": False},
    # From the action plugin: where its copies of src lie, in the same order. Never said by people.
    "_copies": {"type": "list", "elements": "path"},
}


@contextlib.contextmanager
def entries(module: AnsibleModule) -> t.Iterator[Entries]:
    """The accounts of the option accounts, then those of each file of src.

    A copy loses its name as soon as it is open, so that nothing is left however the module ends.
    """
    with contextlib.ExitStack() as stack:
        parts: list[Entries] = [Inline(module.params["accounts"] or [])]
        for file in _opened(module.params):
            parts.append(stack.enter_context(contextlib.closing(file)))
        yield Joined(parts)


def _opened(params: t.Mapping[str, t.Any]) -> list[source_file.File]:
    names = params["src"] or []
    copies = params["_copies"] or []
    try:
        return [
            source_file.read(path, params["format"], name)
            for name, path in zip(names, copies or names)
        ]
    finally:
        for copy in copies:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(copy)
