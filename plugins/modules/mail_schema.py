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
  - Tables that are there in the form of an older generation are refused with O(state=present), and
    nothing is changed. With O(state=current) they are brought forward, from whatever generation
    since 2009 they are of. Which one that is, the tables themselves say.
  - MariaDB commits every C(ALTER TABLE) by itself, so a run that was interrupted is finished by the
    next one. What is known to stop a run half way is asked for before it changes anything. Where
    the server refuses a step for another reason, the steps before it stay, and the next run goes on
    from there.
  - The databases have to exist.
author:
  - groupware.mailserver developers (@groupware)
extends_documentation_fragment:
  - groupware.mailserver._connection
  - groupware.mailserver._attributes
  - groupware.mailserver._attributes.action_group
options:
  state:
    description:
      - V(present) creates tables that are missing, and the additions.
      - V(current) also brings tables of an older generation forward. Columns that are not tine's
        stay.
      - V(stock) takes the additions away again. Passwords that need a wider column keep it.
    type: str
    choices: [present, current, stock]
    default: present
  client_idnr:
    description:
      - Whose the accounts are where the tables do not say it, with O(state=current).
      - Where tine keeps the accounts, the id of its application Tinebase.
      - Asked for only where there are such accounts, which is before November 2010.
    type: str
  backup:
    description:
      - Write the mail tables as they are to a file of SQL in O(backup_dir) before a step that
        overwrites or removes something. The C(mariadb) client puts them back from it.
      - Passwords are in it. Root alone can read it.
    type: bool
    default: true
  backup_dir:
    description: Where those files are kept. Has to be root's alone to write to.
    type: path
    default: /var/backups/groupware.mailserver
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

- name: The tables of an old host are as those of today
  groupware.mailserver.mail_schema:
    state: current
"""

RETURN = r"""
actions:
  description: One sentence for each step that brings the schema forward.
  returned: success
  type: list
  elements: str
  sample: ["create table dovecot.dovecot_users"]
queries:
  description: The statements.
  returned: success
  type: list
  elements: str
generation:
  description: What was found before anything was changed.
  returned: success
  type: dict
  contains:
    dovecot:
      description: Generation of Dovecot's tables, V(D0) to V(D10), or V(none).
      type: str
      sample: D4
    postfix:
      description: Generation of Postfix's tables, V(S0) to V(S8) or V(S6b), or V(none).
      type: str
      sample: S6
    multi_instance:
      description: Whether they are the tables for several instances of tine.
      type: bool
    import_broken_off:
      description: Whether a table is missing since the import of tine's multi-instance file of
        2026 ends with an error.
      type: bool
    own_columns:
      description: Columns that are not tine's. They stay.
      type: list
      elements: str
removed:
  description:
    - Tables and columns that are no more. Who reads them has to be stopped before.
  returned: success
  type: list
  elements: str
  sample: ["dovecot.dovecot_quotas"]
backup_file:
  description: The file with the tables as they were, or empty if none was needed.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groupware.mailserver.plugins.module_utils import _connection
from ansible_collections.groupware.mailserver.plugins.module_utils._edge import schema


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {
                "type": "str",
                "choices": ["present", "current", "stock"],
                "default": "present",
            },
            "client_idnr": {"type": "str"},
            "backup": {"type": "bool", "default": True},
            "backup_dir": {"type": "path", "default": "/var/backups/groupware.mailserver"},
            **_connection.CONNECTION,
        },
        supports_check_mode=True,
    )
    schema.converge_schema(module)


if __name__ == "__main__":
    main()
