# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the options of mail_move and the core that moves homes."""

from __future__ import annotations

import contextlib
import typing as t

from .._accounts.errors import Invalid
from .._mail_home import moving, sessions
from .._mail_home.records import Move, Records, recorded, writable
from .._mail_home.tree import Tree, normal
from . import refuse

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

OPTIONS: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["moved", "settled"], "default": "moved"},
    "moves": {
        "type": "list",
        "elements": "dict",
        "options": {name: {"type": "str", "required": True} for name in ("username", "from", "to")},
    },
    "mail_directory": {"type": "path", "default": "/var/vmail"},
    "state_directory": {"type": "path", "default": "/var/lib/groupware-mailserver"},
    "timeout": {"type": "int", "default": 330},
}


def converge_moves(module: AnsibleModule) -> None:
    """Move homes, or remove the links that they have left; ends the module."""
    with _records(module) as records:
        if module.params["state"] == "moved":
            done = _move(module, records)
        else:
            done = _settle(module, records)
        waiting = [move.told() for move in records.outstanding]
    module.exit_json(
        changed=bool(done),
        moves=[move.told() for move in done],
        outstanding=waiting,
        diff=_diff(done, module.params["state"]),
    )


@contextlib.contextmanager
def _records(module: AnsibleModule) -> t.Iterator[Records]:
    """For reading only in check mode, and where nothing was asked for or ever written down."""
    directory = module.params["state_directory"]
    seen = recorded(directory)
    wanted = module.params["moves"] if module.params["state"] == "moved" else seen.outstanding
    if module.check_mode or not wanted:
        yield seen
        return
    with writable(directory) as records:
        yield records


def _move(module: AnsibleModule, records: Records) -> t.Sequence[Move]:
    moves = moving.parsed(module.params["moves"])
    if not moves:
        return ()
    with _tree(module) as tree:
        planned = moving.plan(tree, records, moves)
        refuse(planned.faults)
        if not module.check_mode:
            moving.carry_out(tree, records, planned)
    return planned.todo


def _settle(module: AnsibleModule, records: Records) -> t.Sequence[Move]:
    dovecot = sessions.Dovecot(
        module.get_bin_path("doveadm", opt_dirs=["/usr/local/bin"]), module.params["timeout"]
    )
    over = _over(module, records, dovecot)
    if not over:
        return ()
    with _tree(module) as tree:
        refuse(moving.left_behind(tree, over))
        if not module.check_mode:
            dovecot.end(move.username for move in over)
            for move in over:
                moving.unlink(tree, move)
            records.settle(over)
    return over


def _over(module: AnsibleModule, records: Records, dovecot: sessions.Dovecot) -> list[Move]:
    """Moves whose old place nobody looks into any more."""
    if module.params["moves"] is not None:
        named = moving.parsed(module.params["moves"])
        return [move for move in records.outstanding if move in named]
    homes = {m.username: dovecot.home(m.username) for m in records.outstanding}
    return [m for m in records.outstanding if homes[m.username] not in (None, "", m.source)]


def _tree(module: AnsibleModule) -> Tree:
    top = normal(module.params["mail_directory"])
    try:
        return Tree(top)
    except OSError as error:
        raise Invalid(top, f"cannot be used as mail_directory: {error.strerror}") from None


def _diff(done: t.Sequence[Move], state: str) -> dict[str, str]:
    if state == "moved":
        pairs = [(m.username, f"in {m.source}", f"in {m.target}") for m in done]
    else:
        pairs = [(m.username, f"link {m.source} -> {m.target}", "no link") for m in done]
    return {
        "before_header": "mail",
        "after_header": "mail",
        "before": "".join(f"{name}: {was}\n" for name, was, _becomes in pairs),
        "after": "".join(f"{name}: {becomes}\n" for name, _was, becomes in pairs),
    }
