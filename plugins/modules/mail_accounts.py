#!/usr/bin/python
# Copyright (c) 2026, the groupware.mailserver developers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: mail_accounts
short_description: Many mail accounts in tine's tables at once
version_added: 0.1.0
description:
  - Keeps all the given accounts of a mail host whose Dovecot and Postfix read their users from
    tine Groupware's tables, in one task and one transaction.
  - Accounts that are not given are left alone.
  - Everything that is wrong with the accounts is found before anything is written, and told
    together.
author:
  - groupware.mailserver developers (@groupware)
extends_documentation_fragment:
  - groupware.mailserver._connection
  - groupware.mailserver._attributes
  - groupware.mailserver._attributes.action_group
  - groupware.mailserver._accounts
options:
  accounts:
    description:
      - The accounts. For more than a few hundred people O(src) takes a fraction of the time, since
        Ansible's variables are what is slow.
      - This or O(src) is required. With both, the accounts are those of both together.
    type: list
    elements: dict
    suboptions:
      address:
        description:
          - Mail address of the account, which is also what it is found by.
          - The domain has to be hosted here, see M(groupware.mailserver.mail_domain).
          - Stored in lower case, an internationalized domain as punycode.
        type: str
        required: true
      state:
        description:
          - Whether the account is to exist.
          - V(absent) removes its rows and keeps its mail on disk.
        type: str
        choices: [present, absent]
        default: present
      username:
        description:
          - Name of the mailbox, which is also a name to log in with, as C(local@domain). The
            domain may be one that nobody mails to.
          - The default for a new account is O(accounts[].address); an account that exists keeps
            its own.
          - An account is also found by this name if it is said, so that O(accounts[].address) can
            be changed.
        type: str
      login_name:
        description:
          - Second name to log in with. tine keeps the address there, which is the default for a
            new account. That of an account that exists is kept, but follows
            O(accounts[].address) if it is the same.
        type: str
      userid:
        description:
          - Key of the account in both databases. A new account gets 40 random hexadecimal digits.
          - An account that exists keeps its own; saying another one is refused.
        type: str
      password:
        description:
          - Password in clear. May hold any character but line ends and NUL.
          - It is verified against what is stored, and stored anew in
            O(accounts[].password_scheme) only if that fails.
          - A new account needs this or O(accounts[].password_hash).
          - Mutually exclusive with O(accounts[].password_hash).
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
          - The default is O(default_password_scheme).
        type: str
        choices: [SHA512-CRYPT, SHA256-CRYPT, SSHA512, SSHA256, BLF-CRYPT, ARGON2ID, PBKDF2]
      update_password:
        description: Whether the password is kept as wished, or only set when the account is made.
        type: str
        choices: [always, on_create]
        default: always
      quota:
        description:
          - Limit of the mailbox, as a number of bytes or a size such as V(500M) or V(2G) (powers
            of 1024).
          - V(0) and V(unlimited) are no limit. Kept in MiB, so that anything between 1 byte and 1
            MiB is refused.
        type: raw
      quota_messages:
        description:
          - Limit of the mailbox as a number of messages. V(0) and V(unlimited) are no limit.
        type: raw
      quota_sieve:
        description:
          - Limit of the Sieve scripts, in bytes or as a size such as V(1M). Stored in bytes.
          - V(0) and V(unlimited) are no limit. No service of this collection enforces it yet.
        type: raw
      quota_sieve_scripts:
        description:
          - Limit of the number of Sieve scripts. V(0) and V(unlimited) are no limit.
          - No service of this collection enforces it yet.
        type: raw
      uid:
        description:
          - System user that owns the mail of this account, as a name or a number.
          - The default for a new account is O(uid); an account that exists keeps its own.
        type: str
      gid:
        description:
          - System group of the mail of this account, as a name or a number.
          - The default for a new account is O(gid); an account that exists keeps its own.
        type: str
      home:
        description:
          - Home of the mail of this account, an absolute path. The default for a new account is
            what O(home_template) says.
          - The home of an account that exists stays where it is, also when O(accounts[].username)
            changes. Another one is refused unless O(accounts[].move_mail=true).
        type: str
      move_mail:
        description:
          - Whether O(accounts[].home) of an account that exists may change. The module changes
            the row and returns RV(mail_to_move); the mail itself has to be moved on the IMAP
            host, while nobody is logged in.
        type: bool
        default: false
      aliases:
        description:
          - Other addresses that reach this account. The list is complete, V([]) removes all.
          - Each is an address, or a dictionary of C(address) and C(dispatch_address). The latter
            says whether the alias may be used as a sender and defaults to V(true).
          - C(@domain) is a catch-all, for what no other account or alias of a domain takes.
        type: list
        elements: raw
      forwards:
        description: Addresses that get a copy of the mail. The list is complete, V([]) removes all.
        type: list
        elements: str
      forward_only:
        description:
          - Whether mail only goes to O(accounts[].forwards) and none is kept here.
          - An account without forwards always keeps its mail.
        type: bool
      status:
        description:
          - Whether the account is in use. The default for a new account is O(default_status); an
            account that exists keeps its own.
          - What it means to each service is up to their configuration.
        type: str
        choices: [enabled, disabled, blocked, expired]
      expires:
        description:
          - When the account expires, as date and time with a time zone, such as
            V(2027-01-31T18:00:00+01:00), V(2027-01-31 18:00 Europe/Berlin) or
            V(2027-01-31T17:00:00Z). Stored in UTC.
          - V(never) takes an expiry away. A time without a zone is refused.
        type: str
      reuse_mail:
        description: Whether a new account may take over the mail that its home already holds.
        type: bool
        default: false
      adopt:
        description:
          - Whether an account of another owner than O(client_idnr) is taken over, and a row of
            C(dovecot_users) that has none in C(smtp_users).
          - Without it such accounts are refused.
        type: bool
        default: false
  src:
    description:
      - A file of accounts, or several, which count as one. A relative path is looked for where
        M(ansible.builtin.copy) does.
      - YAML and JSON have a list of accounts, alone or under the one key C(mailserver_users). A tag
        such as C(!vault) is refused. JSON lines have one account in each line.
      - CSV has the names of options in its first line, divided by commas, semicolons or tabs. An
        empty cell says nothing. Addresses are divided by blanks, V(-) is an empty list, and
        C(alias@example.org:receive_only) an alias that may not be used as a sender.
      - The text is UTF-8. Values have the types of an inventory, those in CSV are text.
      - A file that is encrypted with Ansible Vault as a whole is decrypted on its way; its clear
        text is written nowhere on the controller. The copy on the managed host can be read by the
        user alone who runs the module, and is gone once the module has opened it.
      - Cannot be used with C(async), unless O(remote_src=true).
    type: list
    elements: raw
  format:
    description: Format of O(src). Without it, the suffix of each file says it.
    type: str
    choices: [csv, json, jsonl, yaml]
  remote_src:
    description: Whether O(src) lies on the managed host. It stays there, and is not decrypted.
    type: bool
    default: false
  default_quota:
    description: Quota of new accounts that do not say one. Same form as O(accounts[].quota).
    type: raw
    default: 0
  default_status:
    description: Status of new accounts that do not say one.
    type: str
    choices: [enabled, disabled, blocked, expired]
    default: enabled
  uid:
    description: System user that owns the mail of new accounts.
    type: str
    default: vmail
  gid:
    description: System group of the mail of new accounts.
    type: str
    default: vmail
  prune:
    description:
      - Whether accounts of O(client_idnr) that are not given are removed. Their mail stays on disk.
      - Accounts of other owners, rows of C(dovecot_users) without one in C(smtp_users), master
        users and domains are never touched.
    type: bool
    default: false
  prune_limit:
    description:
      - How many accounts O(prune) may remove in one run, as a number such as V(5), or as a part of
        all accounts of O(client_idnr), such as V(2%).
      - If there are more, they are named and nothing at all is written.
    type: str
    default: "5"
  default_password_scheme:
    description: Scheme in which new passwords are stored where the account does not say one.
    type: str
    choices: [SHA512-CRYPT, SHA256-CRYPT, SSHA512, SSHA256, BLF-CRYPT, ARGON2ID, PBKDF2]
    default: SHA512-CRYPT
  transaction_size:
    description:
      - How many accounts to write in one transaction. V(0) is all of them in one, which leaves
        all or nothing.
      - On a Galera cluster V(500) keeps the other nodes from waiting.
      - Accounts that hand an address to each other are never divided.
    type: int
    default: 0
seealso:
  - module: groupware.mailserver.mail_user
  - module: groupware.mailserver.mail_domain
  - module: groupware.mailserver.mail_schema
"""

EXAMPLES = r"""
- name: The accounts are as the inventory says
  groupware.mailserver.mail_accounts:
    accounts: "{{ mailserver_users }}"

- name: Many people, from a file beside the playbook that may be encrypted with Ansible Vault
  groupware.mailserver.mail_accounts:
    src: people.csv

# people.csv begins with a line of names; a cell that is empty says nothing:
#   address,password_hash,quota,aliases,status
#   ann@example.org,{SSHA256}...,2G,info@example.org sales@example.org,
#   bob@example.org,{SSHA256}...,unlimited,,disabled

- name: Who is not in the file any more is removed, but never more than 20 people in one run
  groupware.mailserver.mail_accounts:
    src: people.csv
    prune: true
    prune_limit: 20

- name: Two accounts
  groupware.mailserver.mail_accounts:
    accounts:
      - address: ann@example.org
        password: "{{ ann_password }}"
        aliases: [info@example.org]
      - address: bob@example.org
        password: "{{ bob_password }}"
        quota: 500M
    default_quota: 2G
"""

RETURN = r"""
counts:
  description: How many accounts were made, changed, removed and left as they were.
  returned: success
  type: dict
  sample: {created: 1, changed: 0, removed: 0, unchanged: 0}
  contains:
    created:
      description: Accounts that did not exist.
      type: int
    changed:
      description: Accounts that differed.
      type: int
    removed:
      description: Accounts that are gone.
      type: int
    unchanged:
      description: Accounts that already were as wished.
      type: int
actions:
  description: One sentence for each account that changes. Ends after 200 accounts with their
    number.
  returned: success
  type: list
  elements: str
  sample: ["create ann@example.org", "change bob@example.org: quota unlimited -> 2048 MiB"]
sessions_to_end:
  description:
    - Usernames whose open sessions should not go on, because the account is gone, renamed, no
      longer enabled, expired, or has a new password.
  returned: success
  type: list
  elements: str
  sample: ["dave@example.org"]
mail_to_move:
  description: Homes that have changed in the table while their mail is still in the old place.
  returned: success
  type: list
  elements: dict
  contains:
    username:
      description: Name of the mailbox.
      type: str
    from:
      description: Where the mail is.
      type: str
    to:
      description: Where the service looks for it now.
      type: str
queries:
  description: The statements that the changes come to, with placeholders in place of secrets.
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
      description: The values of the first 200 rows.
      type: list
      elements: list
faults:
  description: Everything that is wrong with the wish, one sentence each.
  returned: failure because of the wish
  type: list
  elements: str
  sample: ["forwards: 'ann@example.org' is the account itself."]
"""

from ansible_collections.groupware.mailserver.plugins.module_utils import _connection
from ansible_collections.groupware.mailserver.plugins.module_utils._edge import (
    SecretModule,
    accounts,
    reporting,
    source,
)


def main() -> None:
    module = SecretModule(
        argument_spec={
            # Judged like those of files: all faults are told together, each with its account.
            "accounts": {"type": "list", "elements": "dict"},
            **source.SOURCE,
            **accounts.BULK,
            **accounts.SHARED,
            **_connection.CONNECTION,
        },
        required_one_of=[("accounts", "src")],
        supports_check_mode=True,
        no_log=True,  # to syslog, which would show secrets with odd characters
    )
    with reporting(module), source.entries(module) as people:
        accounts.converge_accounts(module, people, what="account")


if __name__ == "__main__":
    main()
