# Copyright (c) 2026, the groupware.mailserver developers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check of the groups of an inventory, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
name: topology_faults
short_description: What keeps the hosts of an inventory from being whole mail systems
version_added: 0.1.0
author:
  - groupware.mailserver developers (@groupware)
description:
  - Looks at the hosts of the groups C(mailserver_database), C(mailserver_imap) and
    C(mailserver_smtp), and returns a sentence for everything that is wrong.
  - Hosts that are in all three groups are mail systems of their own. If any host is not, all of
    them are one, with one database host and one IMAP host, which know each other by address.
  - The role P(groupware.mailserver.mailserver#role) uses it before any host is touched.
positional: _input, database, imap, smtp
options:
  _input:
    description: The C(mailserver_address) of every host of the three groups, by host.
    type: dict
    required: true
  database:
    description: The hosts of C(mailserver_database).
    type: list
    elements: str
    required: true
  imap:
    description: The hosts of C(mailserver_imap).
    type: list
    elements: str
    required: true
  smtp:
    description: The hosts of C(mailserver_smtp).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: The groups make whole mail systems
  ansible.builtin.assert:
    that: faults | length == 0
    fail_msg: "{{ faults | join('\n') }}"
  vars:
    faults: "{{ addresses | groupware.mailserver.topology_faults(database, imap, smtp) }}"
"""

RETURN = r"""
_value:
  description: The sentences; none where all is well.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.groupware.mailserver.plugins.module_utils._topology import (
    topology_faults,
)


class FilterModule:
    """Jinja2 filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"topology_faults": topology_faults}
