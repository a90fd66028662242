# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge: the only place that knows module parameters, check mode and how a module ends."""

from __future__ import annotations

import contextlib
import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .. import _connection
from .._accounts.errors import MailhostError, MissingLibrary, Refused


class SecretModule(AnsibleModule):  # type: ignore[misc]
    """A module with secrets in its options, also in those whose names are misspelt."""

    def fail_json(self, msg: str, **kwargs: t.Any) -> t.NoReturn:
        """Fail without repeating what was given."""
        super().fail_json(msg, **{"invocation": {}, **kwargs})


@contextlib.contextmanager
def reporting(module: AnsibleModule) -> t.Iterator[None]:
    """Turn what a person can mend into the module's failure; anything else is a bug and shows."""
    try:
        yield
    except MissingLibrary as error:
        module.fail_json(msg=f"{error} {missing_required_lib(error.library)}", invocation={})
    except Refused as error:
        module.fail_json(msg=str(error), faults=error.faults, invocation={})
    except MailhostError as error:
        module.fail_json(msg=str(error), invocation={})


def refuse(faults: t.Sequence[str], written: int = 0) -> None:
    if faults:
        raise Refused(faults, written)


@contextlib.contextmanager
def server(
    module: AnsibleModule, login: t.Mapping[str, t.Any] | None = None
) -> t.Iterator[_connection.Server | None]:
    """The server, or None where check mode finds a host that will only get one.

    login says another one than the login options do.
    """
    params = login or module.params
    if module.check_mode and _connection.is_bare(params):
        yield None
        return
    if _connection.pymysql is None:
        module.fail_json(
            msg=missing_required_lib("PyMySQL"), exception=traceback.format_exc(), invocation={}
        )
    opened = _connection.Server(params)
    opened.reach()
    try:
        yield opened
    finally:
        opened.close()
