# Copyright (c) 2026, the groupware.mailserver developers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check of the mailserver_* variables, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
name: interface_faults
short_description: What is wrong with the mailserver_* variables
version_added: 0.1.0
author:
  - groupware.mailserver developers (@groupware)
description:
  - Looks at all variables of the inventory interface together and returns a sentence for
    everything that is wrong.
  - A sentence names the variable, the value and what is expected; values of passwords are never
    shown.
  - The role P(groupware.mailserver.mailserver#role) uses it before any host is touched.
positional: _input
options:
  _input:
    description: The variables by name. A required variable that is not set has the value V(none).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: The variables are complete and well formed
  ansible.builtin.assert:
    that: faults | length == 0
    fail_msg: "{{ faults | join('\n') }}"
  vars:
    faults: "{{ variables | groupware.mailserver.interface_faults }}"
"""

RETURN = r"""
_value:
  description: The sentences; none where all is well.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.groupware.mailserver.plugins.module_utils._interface import (
    interface_faults,
)


class FilterModule:
    """Jinja2 filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"interface_faults": interface_faults}
