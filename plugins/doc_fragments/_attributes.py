# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the modules behave in check mode, in diff mode and when run again."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and tell what would change without changing it.
    support: full
  diff_mode:
    description: Tells what changes, in diff mode.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
"""

    # For all modules that take the login options.
    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/groupware.mailserver.mailserver) in C(module_defaults).
    support: full
    membership:
      - groupware.mailserver.mailserver
"""
