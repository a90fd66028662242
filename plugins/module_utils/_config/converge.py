# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: this is no interface of the collection and may change at any time.

"""From a set of configuration files to a checked set in place, and what remains to be done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from .checks import (
    SERVICES,
    Candidate,
)
from .effect import (
    Stamps,
    action,
    stamp,
)
from .errors import (
    ConfigurationRefused,
    NotInstalled,
)
from .files import (
    ConfigFile,
    back_up,
    differences,
    install,
    staged,
)

__all__ = ("converge",)


def converge(
    *,
    service: str,
    directory: str,
    files: Sequence[ConfigFile],
    watch: Sequence[str],
    state_directory: str,
    backup_directory: str,
    check_mode: bool,
) -> dict[str, Any]:
    """Bring the set into place and return the module's result (see its RETURN block)."""
    program = SERVICES[service]
    if not program.installed and not check_mode:
        raise NotInstalled(service, program.program)
    stamps = Stamps(state_directory, service)
    different = differences(directory, files)
    wanted = stamp(files, watch, program.restart_settings(files))
    todo = action(stamps.loaded(), wanted, bool(different))
    if different and program.installed:
        with staged(directory, files) as stage:
            faults = program.faults(Candidate(stage, directory, files, live=not check_mode))
            if faults:
                raise ConfigurationRefused(service, faults)
            if not check_mode:
                if not stamps.known:
                    back_up(directory, files, os.path.join(backup_directory, service))
                stamps.announce(wanted)
                install(stage, directory, files)
    elif todo != "none" and not check_mode:
        stamps.announce(wanted)
    return {
        "changed": todo != "none",
        "action": todo,
        "files": [difference.path for difference in different],
        "diff": [
            {"before_header": d.path, "after_header": d.path, "before": d.before, "after": d.after}
            for d in different
        ],
    }
