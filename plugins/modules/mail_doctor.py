#!/usr/bin/python
# Copyright (c) 2026, the groupware.mailserver developers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: mail_doctor
short_description: What is wrong in the databases of a mail host
version_added: 0.1.0
description:
  - Examines tine's mail tables of every generation since 2010, single and multi-instance, and tells
    what is wrong in them and what to do about it. Nothing is changed unless O(repairs) asks for it.
  - Told are tables, columns and keys that are missing or different, tables that are not InnoDB,
    mixed collations, circles of aliases, forwards to nowhere, addresses in domains that are not
    hosted, accounts that are in one database only, duplicate destinations, rows of nobody, cut and
    weak and readable passwords, values that are too long, and quotas that look like bytes.
  - Of a password only the name of its scheme is told.
  - All rows of a database are read in one moment, without locking one. Without O(repairs),
    C(SELECT) on the tables is all that the SQL account needs.
author:
  - groupware.mailserver developers (@groupware)
extends_documentation_fragment:
  - groupware.mailserver._connection
  - groupware.mailserver._attributes
  - groupware.mailserver._attributes.action_group
options:
  repairs:
    description:
      - What to repair. Each repair is one transaction, together with the others on its server.
      - V(bare_hashes) puts C({SCHEME}) before hashes that do not name it and that are known by
        their form, also the 32 hex digits of C(PLAIN-MD5). One that would not fit stays as it is.
      - V(duplicate_destinations) keeps one of the rows with the same source and destination, that
        of the account whose addresses they are. Which may be used for sending goes before.
      - V(lower_case_domains) writes the domains of addresses in small letters. Usernames are kept.
      - V(orphan_destinations) removes destinations whose account is not there. Mail follows them,
        so look at them first.
      - V(orphan_usage) removes the sizes of mailboxes that are not there.
    type: list
    elements: str
    choices:
      - bare_hashes
      - duplicate_destinations
      - lower_case_domains
      - orphan_destinations
      - orphan_usage
    default: []
  examples:
    description: How many examples to tell of each finding and each repair.
    type: int
    default: 10
  postfix_login_unix_socket:
    description:
      - Socket of the server that O(postfix_database) lies on, where that is another than the one of
        the login options. Used unless O(postfix_login_host) is given.
    type: path
  postfix_login_host:
    description:
      - Hosts of the server that O(postfix_database) lies on, where that is another than the one of
        the login options. They are tried in this order.
    type: list
    elements: str
    default: []
  postfix_login_port:
    description: Port of that server. Used only together with O(postfix_login_host).
    type: int
    default: 3306
  postfix_login_user:
    description: SQL account to log in to that server with.
    type: str
    default: root
  postfix_login_password:
    description: Password of O(postfix_login_user).
    type: str
notes:
  - Unlike the other modules this one examines databases on two servers as well.
  - In check mode the findings are those before the repairs, otherwise those after them.
seealso:
  - module: groupware.mailserver.mail_schema
  - module: groupware.mailserver.mail_accounts_info
"""

EXAMPLES = r"""
- name: The databases are examined
  groupware.mailserver.mail_doctor:
  register: examined

- name: What is wrong is told
  ansible.builtin.debug:
    var: examined.report

- name: Nothing is wrong
  ansible.builtin.assert:
    that: examined.sound

- name: Duplicate destinations and mailbox sizes of nobody go
  groupware.mailserver.mail_doctor:
    repairs: [duplicate_destinations, orphan_usage]

- name: Two servers are examined together
  groupware.mailserver.mail_doctor:
    login_host: [imap.example.org]
    login_user: doctor
    login_password: "{{ vault_doctor_imap }}"
    postfix_login_host: [smtp.example.org]
    postfix_login_user: doctor
    postfix_login_password: "{{ vault_doctor_smtp }}"
"""

RETURN = r"""
generation:
  description: Of which of tine's generations the tables are, before anything was repaired.
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
      description: Columns that are not tine's.
      type: list
      elements: str
sound:
  description: Whether nothing was found. See RV(not_checked), too.
  returned: success
  type: bool
  sample: false
findings:
  description: What is wrong, the gravest first.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Name of the fault.
      type: str
      sample: forward_to_nowhere
    table:
      description: Where it is.
      type: str
      sample: postfix.smtp_destinations
    count:
      description: How often it was found.
      type: int
      sample: 1
    examples:
      description: Where, at most O(examples) of them.
      type: list
      elements: str
      sample: ["info@example.org -> gone@example.org"]
    meaning:
      description: What the fault is.
      type: str
    advice:
      description: What to do.
      type: str
report:
  description: The same in sentences, for people.
  returned: success
  type: list
  elements: str
not_checked:
  description: What could not be checked, since this generation does not have it or the SQL account
    may not read it.
  returned: success
  type: list
  elements: str
  sample: ["column dovecot.dovecot_users.loginname is not there"]
repaired:
  description: What each of O(repairs) changed, by its name.
  returned: success
  type: dict
  sample:
    orphan_usage:
      - table: dovecot.dovecot_usage
        count: 1
        examples: [remove gone@example.org]
actions:
  description: One line for each repair and table.
  returned: success
  type: list
  elements: str
  sample: ["orphan_usage: 1 in dovecot.dovecot_usage"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groupware.mailserver.plugins.module_utils import _connection
from ansible_collections.groupware.mailserver.plugins.module_utils._edge import doctor


def main() -> None:
    module = AnsibleModule(
        argument_spec={**doctor.OPTIONS, **_connection.CONNECTION},
        supports_check_mode=True,
    )
    doctor.examine(module)


if __name__ == "__main__":
    main()
