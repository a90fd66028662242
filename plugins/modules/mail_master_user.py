#!/usr/bin/python
# Copyright (c) 2026, the groupware.mailserver developers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: mail_master_user
short_description: A master user of Dovecot in tine's table
version_added: 0.1.0
description:
  - Keeps one row of C(dovecot_master_users), whose users log in to the mailbox of anybody else as
    C(mailbox*master) with the password of the master.
  - tine makes such a row for each of its own ManageSieve logins, with 8 hexadecimal digits for a
    name and the service V(sieve), and deletes it afterwards. This module makes no such name, and
    touches no row but the one that is named. What a crash of tine has left behind is removed by
    naming it with O(state=absent).
  - The rows take effect where Dovecot asks them, in a C(passdb) with C(master = yes) that
    goes by the column C(service).
author:
  - groupware.mailserver developers (@groupware)
extends_documentation_fragment:
  - groupware.mailserver._connection
  - groupware.mailserver._attributes
  - groupware.mailserver._attributes.action_group
options:
  name:
    description:
      - Name of the master user, in letters, digits, dots, hyphens and underscores. Stored in lower
        case, as Dovecot makes every login.
      - It has no C(@), so that no mailbox is named like it, and no C(*), which separates the
        names of a login. Neither may it have the form of tine's own names, nor be the username or
        login name of a mailbox as the database compares them.
      - With O(state=absent) it is whatever the table may hold.
    type: str
    required: true
  state:
    description: Whether the master user is to exist.
    type: str
    choices: [present, absent]
    default: present
  password:
    description:
      - Password in clear. May hold any character but line ends and NUL.
      - It is verified against what is stored, and stored anew in O(password_scheme) only if that
        fails.
      - A new master user needs this or O(password_hash).
      - Mutually exclusive with O(password_hash).
    type: str
  password_hash:
    description:
      - Finished hash with its scheme in braces, as C(doveadm pw) prints it.
      - Schemes that one of Dovecot 2.3 and 2.4 refuses are refused.
    type: str
  password_scheme:
    description:
      - Scheme in which a new password is stored.
      - What is stored in another scheme is kept as long as it verifies.
    type: str
    choices: [SHA512-CRYPT, SHA256-CRYPT, SSHA512, SSHA256, BLF-CRYPT, ARGON2ID, PBKDF2]
    default: SHA512-CRYPT
  update_password:
    description: Whether the password is kept as wished, or only set when the master user is made.
    type: str
    choices: [always, on_create]
    default: always
  upgrade_scheme:
    description:
      - Whether a stored password is hashed anew if its scheme is weaker than O(password_scheme), or
        was made with less work. Needs the password in clear.
    type: bool
    default: false
  service:
    description:
      - What the master user may log in to, V(sieve) for ManageSieve only, or V(all).
      - The default for a new master user is V(sieve); one that exists keeps its own.
    type: str
    choices: [sieve, all]
requirements:
  - argon2-cffi (Debian package python3-argon2) on the managed host for C(ARGON2ID)
  - >-
    Where the host has no libcrypt that can be called: Passlib 1.7.4 (python3-passlib) for a
    password in clear that has to be made into a hash of, or verified against, one of the crypt
    schemes, and bcrypt (python3-bcrypt) for C(BLF-CRYPT)
notes:
  - What is not said of a master user that exists is kept.
  - The column of tine's own table holds 100 characters, too few for V(SHA512-CRYPT), V(SSHA512) and
    V(ARGON2ID). M(groupware.mailserver.mail_schema) widens it.
  - Sessions that a master user has open go on after it was removed.
seealso:
  - module: groupware.mailserver.mail_schema
  - module: groupware.mailserver.mail_user
"""

EXAMPLES = r"""
- name: A backup opens every mailbox
  groupware.mailserver.mail_master_user:
    name: backup
    password: "{{ backup_password }}"
    service: all

- name: The help desk mends filters, and nothing else
  groupware.mailserver.mail_master_user:
    name: helpdesk
    password_hash: "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ"

- name: A row that a crash of tine has left behind is gone
  groupware.mailserver.mail_master_user:
    name: 0a1b2c3d
    state: absent
"""

RETURN = r"""
actions:
  description: One sentence if the master user changes.
  returned: success
  type: list
  elements: str
  sample: ["change master user backup: new password; service sieve -> all"]
faults:
  description: Everything that is wrong with the wish, one sentence each.
  returned: failure because of the wish
  type: list
  elements: str
  sample:
    - >-
      master user 'ann': the mailbox 'ann' already is logged in to by this name: take another one.
"""

from ansible_collections.groupware.mailserver.plugins.module_utils import _connection
from ansible_collections.groupware.mailserver.plugins.module_utils._edge import (
    SecretModule,
    master_users,
)


def main() -> None:
    module = SecretModule(
        argument_spec={**master_users.OPTIONS, **_connection.CONNECTION},
        mutually_exclusive=[("password", "password_hash")],
        supports_check_mode=True,
        no_log=True,  # to syslog, which would show secrets with odd characters
    )
    master_users.converge_master_user(module)


if __name__ == "__main__":
    main()
