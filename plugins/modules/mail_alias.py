#!/usr/bin/python
# Copyright (c) 2026, the groupware.mailserver developers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: mail_alias
short_description: Single aliases and forwards of a mail account
version_added: 0.1.0
description:
  - Adds aliases and forwards to an account, or takes them away, and leaves its others alone.
  - This is M(groupware.mailserver.mail_user) for a task that does not know the complete list of
    aliases or forwards.
author:
  - groupware.mailserver developers (@groupware)
extends_documentation_fragment:
  - groupware.mailserver._connection
  - groupware.mailserver._attributes
  - groupware.mailserver._attributes.action_group
options:
  account:
    description: Mail address of the account, which has to exist.
    type: str
    required: true
  aliases:
    description:
      - Addresses that are to reach the account, or not.
      - C(@domain) is a catch-all, for what no other account or alias of a domain takes.
    type: list
    elements: str
    default: []
  forwards:
    description:
      - Addresses that are to get a copy of the account's mail, or not.
      - The last forward of an account that only forwards cannot be taken away, since its mail would
        have nowhere to go. Say with M(groupware.mailserver.mail_user) what is to become of it.
    type: list
    elements: str
    default: []
  dispatch_address:
    description: Whether O(aliases) may be used as a sender.
    type: bool
    default: true
  state:
    description: Whether O(aliases) and O(forwards) are to be there.
    type: str
    choices: [present, absent]
    default: present
  adopt:
    description: Whether an account of another owner than O(client_idnr) is taken over.
    type: bool
    default: false
  client_idnr:
    description:
      - Owner of the account, as C(smtp_users.client_idnr) holds it. The default is the constant of
        this collection, which no tine installation uses.
    type: str
    default: 8fe8f1da99045c15d5b1aa9978d57fd67e8214c9
  account_name_destination:
    description:
      - tine's C(accountnamedestination). Whether a username that is not the address is a
        destination of its own.
    type: bool
    default: true
  destination_is_username:
    description:
      - tine's C(destinationisusername). Whether aliases lead to the username instead of the
        address.
    type: bool
    default: false
  known_domains:
    description:
      - In check mode, domains that count as hosted although the database does not list them yet.
    type: list
    elements: str
    default: []
  show_queries:
    description: Whether to return RV(queries).
    type: bool
    default: false
seealso:
  - module: groupware.mailserver.mail_user
  - module: groupware.mailserver.mail_accounts
"""

EXAMPLES = r"""
- name: Mail for info@ reaches Ann, beside her other aliases
  groupware.mailserver.mail_alias:
    account: ann@example.org
    aliases: [info@example.org]

- name: An alias that nobody may use as a sender
  groupware.mailserver.mail_alias:
    account: ann@example.org
    aliases: [newsletter@example.org]
    dispatch_address: false

- name: No copy goes to Bob any more
  groupware.mailserver.mail_alias:
    account: ann@example.org
    forwards: [bob@example.com]
    state: absent
"""

RETURN = r"""
counts:
  description: How many accounts were changed and left as they were.
  returned: success
  type: dict
  sample: {created: 0, changed: 1, removed: 0, unchanged: 0}
  contains:
    created:
      description: Always 0.
      type: int
    changed:
      description: 1 if the account differed.
      type: int
    removed:
      description: Always 0.
      type: int
    unchanged:
      description: 1 if the account was as wished.
      type: int
actions:
  description: One sentence for what changes.
  returned: success
  type: list
  elements: str
  sample: ["change ann@example.org: aliases none -> info@example.org"]
sessions_to_end:
  description: Usernames whose open sessions should not go on. Always empty.
  returned: success
  type: list
  elements: str
mail_to_move:
  description: Homes that have changed. Always empty.
  returned: success
  type: list
  elements: dict
queries:
  description: The statements that the change comes to.
  returned: success and O(show_queries=true)
  type: list
  elements: dict
  contains:
    statement:
      description: The statement.
      type: str
    rows:
      description: How many rows it is run for.
      type: int
    values:
      description: The values.
      type: list
      elements: list
faults:
  description: Everything that is wrong with the wish, one sentence each.
  returned: failure because of the wish
  type: list
  elements: str
  sample: ["ann@example.org: there is no such account: make it with mail_user first."]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groupware.mailserver.plugins.module_utils import _connection
from ansible_collections.groupware.mailserver.plugins.module_utils._edge import accounts


def main() -> None:
    module = AnsibleModule(
        argument_spec={**accounts.ALIAS, **_connection.CONNECTION},
        supports_check_mode=True,
    )
    accounts.converge_alias(module)


if __name__ == "__main__":
    main()
