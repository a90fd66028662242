#!/usr/bin/python
# Copyright (c) 2026, the groupware.mailserver developers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: mail_domain
short_description: Domains that a mail host takes mail for
version_added: 0.1.0
description:
  - Keeps rows of C(smtp_virtual_domains), which tells Postfix the domains that it hosts.
  - A domain that accounts or aliases still use is not removed.
author:
  - groupware.mailserver developers (@groupware)
extends_documentation_fragment:
  - groupware.mailserver._connection
  - groupware.mailserver._attributes
  - groupware.mailserver._attributes.action_group
options:
  name:
    description:
      - Names of the domains.
      - Stored in lower case, an internationalized domain as punycode. At most 50 characters each.
    type: list
    elements: str
    required: true
  state:
    description: Whether the domains are to be hosted.
    type: str
    choices: [present, absent]
    default: present
  instancename:
    description:
      - Name of the tine installation that the domains belong to, for databases that serve several.
      - Empty for new domains if not said, and kept for others.
    type: str
seealso:
  - module: groupware.mailserver.mail_schema
  - module: groupware.mailserver.mail_accounts
"""

EXAMPLES = r"""
- name: The host takes mail for two domains
  groupware.mailserver.mail_domain:
    name:
      - example.org
      - example.com

- name: A domain is not hosted any more
  groupware.mailserver.mail_domain:
    name: example.net
    state: absent
"""

RETURN = r"""
actions:
  description: One sentence for each domain that changes.
  returned: success
  type: list
  elements: str
  sample: ["host example.org"]
faults:
  description: Everything that is wrong with the wish, one sentence each.
  returned: failure because of the wish
  type: list
  elements: str
  sample:
    - >-
      domain example.org is still used by ann@example.org: remove these accounts and
      aliases first.
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groupware.mailserver.plugins.module_utils import _connection
from ansible_collections.groupware.mailserver.plugins.module_utils._edge import domains


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "instancename": {"type": "str"},
            **_connection.CONNECTION,
        },
        supports_check_mode=True,
    )
    domains.converge_domains(module)


if __name__ == "__main__":
    main()
