#!/usr/bin/python
# Copyright (c) 2026, the groupware.mailserver developers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: mail_schema
short_description: The tables of a mail host, as tine Groupware of 2026 has them
version_added: 0.1.0
description:
  - Creates the tables of tine Groupware's mail schema of 2026 that are missing, and what this
    collection adds to them.
  - The additions are wider password columns, indexes, the generated columns
    C(routing_domain) and C(address_domain) of C(smtp_users), C(source_domain) and
    C(alias_domain) of C(smtp_destinations), the table C(smtp_virtual_domains), the table
    C(dovecot_last_login) with two triggers, and the tables C(dovecot_sessions_to_end) and
    C(mailserver_lock). tine keeps reading and writing all of it.
  - Tables that lack C(status), C(expiry_date) and C(last_modified_time) alone get them too. NULL is
    an active account.
  - Tables that are there in the form of an older generation are refused, and nothing is changed.
  - The databases have to exist.
author:
  - groupware.mailserver developers (@groupware)
extends_documentation_fragment:
  - groupware.mailserver._connection
  - groupware.mailserver._attributes
  - groupware.mailserver._attributes.action_group
options:
  state:
    description: The tables are there.
    type: str
    choices: [present]
    default: present
seealso:
  - module: groupware.mailserver.mail_domain
  - module: groupware.mailserver.mail_accounts
"""

EXAMPLES = r"""
- name: The tables are there
  groupware.mailserver.mail_schema:

- name: The tables are there, all in one database
  groupware.mailserver.mail_schema:
    dovecot_database: mail
    postfix_database: mail
"""

RETURN = r"""
actions:
  description: One sentence for each statement that brings the schema forward.
  returned: success
  type: list
  elements: str
  sample: ["create table dovecot.dovecot_users"]
queries:
  description: The statements.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groupware.mailserver.plugins.module_utils import _connection
from ansible_collections.groupware.mailserver.plugins.module_utils._edge import schema


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present"], "default": "present"},
            **_connection.CONNECTION,
        },
        supports_check_mode=True,
    )
    schema.converge_schema(module)


if __name__ == "__main__":
    main()
