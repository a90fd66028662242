# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The accounts of a task, from its options and its files."""

from __future__ import annotations

import contextlib
import os
import re
import typing as t

from .._accounts import source_file
from .._accounts.errors import Invalid
from .._accounts.source_file import Entries, Inline, Joined

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SOURCE: dict[str, t.Any] = {
    # A path; from the action plugin, a copy to remove, with the name that the task has for it.
    "src": {"type": "list", "elements": "raw"},
    "format": {"type": "str", "choices": list(source_file.FORMATS)},
    "remote_src": {"type": "bool", "default": False},
}
# The name of a copy: its controller, the process that made it, when that began, and chance.
COPY = re.compile(
    r"groupware\.mailserver\.(?P<controller>[0-9a-f]{16})"
    r"\.(?P<pid>[1-9][0-9]{0,8})\.(?P<started>[0-9]+)\.[0-9a-f]{16}"
)


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
    given = params["src"] or []
    copies = [] if params["remote_src"] else [one for one in given if _is_copy(one)]
    try:
        return [_open(one, params["format"], one in copies) for one in given]
    finally:
        for one in copies:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(one["copy"])


def _is_copy(given: t.Any) -> bool:
    """Whether the action plugin has brought this: what goes, once it is read, is no other file."""
    if not isinstance(given, dict) or set(given) != {"copy", "name"}:
        return False
    path, name = given["copy"], given["name"]
    return (
        isinstance(path, str)
        and isinstance(name, str)
        and COPY.fullmatch(os.path.basename(path)) is not None
    )


def _open(given: t.Any, format_: str | None, is_copy: bool) -> source_file.File:
    if is_copy:
        return source_file.read(given["copy"], format_, given["name"])
    if not isinstance(given, str) or not given:
        raise Invalid(given, "is not a file of src: expected a path.")
    return source_file.read(os.path.expanduser(given), format_, given)
