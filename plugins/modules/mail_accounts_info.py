#!/usr/bin/python
# Copyright (c) 2026, the groupware.mailserver developers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: mail_accounts_info
short_description: The mail accounts that are in tine's tables
version_added: 0.1.0
description:
  - Tells the accounts of a mail host with their names, aliases, forwards, quota, usage and status,
    and counts them.
  - Of a password only the name of its scheme is told. Hashes are not even read from the database.
  - Tables of every tine generation are read, single and multi-instance. What a generation does not
    have is V(null), see RV(absent).
  - All is read in one moment, without locking a row. C(SELECT) on the tables that are to be read
    is all that O(login_user) needs.
author:
  - groupware.mailserver developers (@groupware)
extends_documentation_fragment:
  - groupware.mailserver._connection
  - groupware.mailserver._attributes
  - groupware.mailserver._attributes.action_group
attributes:
  diff_mode:
    description: Nothing changes, so there is no diff.
    support: N/A
options:
  address:
    description:
      - Only accounts with one of these addresses (the login name of one that has no address).
      - Of several options an account has to fulfil each. An empty list finds nobody.
      - Answered by an index, as are O(username), O(userid) and O(alias), so that one account is
        found as fast among a hundred thousand as among ten.
    type: list
    elements: str
  username:
    description: Only accounts with one of these usernames.
    type: list
    elements: str
  userid:
    description: Only accounts with one of these userids.
    type: list
    elements: str
  alias:
    description:
      - Only accounts that one of these addresses leads to and that have another address themselves.
      - A catch-all is C(@domain).
    type: list
    elements: str
  domain:
    description: Only accounts whose address lies in one of these domains.
    type: list
    elements: str
  client_idnr:
    description: Only accounts of one of these owners. A lone row of C(dovecot_users) has none.
    type: list
    elements: str
  status:
    description: Only accounts of one of these statuses. What has none counts as V(enabled).
    type: list
    elements: str
    choices: [enabled, disabled, blocked, expired]
  over_quota_percent:
    description:
      - Only accounts that use at least this much of their quota, in percent.
      - An account without a quota uses 0 percent of it.
    type: float
  fields:
    description:
      - What to tell of each account. V(address) and V(userid) always are.
      - A large answer is expensive for Ansible itself. Without V(aliases), V(catch_alls),
        V(forwards) and V(other_destinations) it is also read faster.
    type: list
    elements: str
    choices:
      - address
      - userid
      - username
      - login_name
      - domain
      - imap_domain
      - instance
      - client_idnr
      - status
      - expires
      - active
      - quota
      - quota_mib
      - quota_messages
      - quota_sieve
      - quota_sieve_scripts
      - usage_bytes
      - usage_messages
      - usage_percent
      - uid
      - gid
      - home
      - aliases
      - catch_alls
      - forwards
      - forward_only
      - other_destinations
      - imap_password_scheme
      - smtp_password_scheme
      - last_login
      - last_modified
      - lone
      - differences
    default:
      - address
      - userid
      - username
      - login_name
      - domain
      - imap_domain
      - instance
      - client_idnr
      - status
      - expires
      - active
      - quota
      - quota_mib
      - quota_messages
      - quota_sieve
      - quota_sieve_scripts
      - usage_bytes
      - usage_messages
      - usage_percent
      - uid
      - gid
      - home
      - aliases
      - catch_alls
      - forwards
      - forward_only
      - other_destinations
      - imap_password_scheme
      - smtp_password_scheme
      - last_login
      - last_modified
      - lone
      - differences
  limit:
    description:
      - Tell at most this many accounts, the first by address. RV(summary) counts all that were
        found.
    type: int
  summary_only:
    description: Tell no accounts, only RV(summary).
    type: bool
    default: false
  destination_is_username:
    description:
      - Whether tine writes aliases as leading to the username instead of the address (its switch
        C(destinationisusername)). What it would not write is told in
        RV(accounts[].other_destinations).
    type: bool
    default: false
notes:
  - In check mode, tables that are not there yet hold no accounts.
seealso:
  - module: groupware.mailserver.mail_accounts
  - module: groupware.mailserver.mail_user
"""

EXAMPLES = r"""
- name: What is there of Ann
  groupware.mailserver.mail_accounts_info:
    address: ann@example.org
  register: ann

- name: Who gets the mail of these addresses
  groupware.mailserver.mail_accounts_info:
    alias:
      - info@example.org
      - "@example.org"
    fields: [status]
  register: receivers

- name: How many accounts there are, of which status and with which password schemes
  groupware.mailserver.mail_accounts_info:
    summary_only: true
  register: mail

- name: Nobody has a weak password scheme
  ansible.builtin.assert:
    that: "'MD5' not in mail.summary.imap_password_scheme"

- name: Who has used nine tenths of the quota
  groupware.mailserver.mail_accounts_info:
    over_quota_percent: 90
    fields: [usage_bytes, quota, usage_percent]
  register: full
"""

RETURN = r"""
accounts:
  description: The accounts, by address. Of each only O(fields).
  returned: success
  type: list
  elements: dict
  contains:
    address:
      description: Mail address. Where there is none, the login name or the username.
      type: str
      sample: ann@example.org
    userid:
      description: What joins the rows of the account.
      type: str
      sample: 0b9d4c4f0ee3a1bba0d2d2ad3bb7b7ef4ef6f2a5
    username:
      description: Name of the mailbox.
      type: str
      sample: ann@example.org
    login_name:
      description: The second name to log in with, which tine keeps equal to the address.
      type: str
      sample: ann@example.org
    domain:
      description: Domain of the address.
      type: str
      sample: example.org
    imap_domain:
      description: The column C(dovecot_users.domain).
      type: str
      sample: example.org
    instance:
      description: Name of the tine installation, where there is one.
      type: str
      sample: null
    client_idnr:
      description: Owner of the account. V(null) for a lone row of C(dovecot_users).
      type: str
      sample: 8fe8f1da99045c15d5b1aa9978d57fd67e8214c9
    status:
      description:
        - V(enabled), V(disabled), V(blocked) or V(expired). No status means V(enabled).
        - Where the two rows differ, the one that is not V(enabled).
      type: str
      sample: enabled
    expires:
      description: When the account expires, in UTC after ISO 8601, or V(never). The earlier one
        where the two rows differ.
      type: str
      sample: "2027-01-31T17:00:00Z"
    active:
      description: Whether the account is enabled and has not expired by the clock of the database.
      type: bool
      sample: true
    quota:
      description: Limit of the mailbox in bytes. V(0) is no limit.
      type: int
      sample: 2147483648
    quota_mib:
      description: The same in MiB, as the database holds it.
      type: int
      sample: 2048
    quota_messages:
      description: Limit of messages. V(0) is no limit.
      type: int
      sample: 0
    quota_sieve:
      description: Limit of all Sieve scripts in bytes. V(0) is no limit.
      type: int
      sample: 0
    quota_sieve_scripts:
      description: Limit of Sieve scripts. V(0) is no limit.
      type: int
      sample: 0
    usage_bytes:
      description: What the mailbox holds, in bytes. V(null) until Dovecot has told it.
      type: int
      sample: 1073741824
    usage_messages:
      description: How many messages the mailbox holds.
      type: int
      sample: 4711
    usage_percent:
      description: How much of the quota is used. V(null) without a quota or a usage.
      type: float
      sample: 50.0
    uid:
      description: System user that owns the mail.
      type: str
      sample: vmail
    gid:
      description: System group of the mail.
      type: str
      sample: vmail
    home:
      description: Where the mail lies.
      type: str
      sample: /var/vmail/example.org/ann
    aliases:
      description: Other addresses that reach the account, C(@domain) for a catch-all.
      type: list
      elements: dict
      sample: [{address: info@example.org, dispatch_address: true}]
      contains:
        address:
          description: The alias.
          type: str
        dispatch_address:
          description: Whether the alias may be used as a sender.
          type: bool
    catch_alls:
      description: Domains of the aliases that are catch-alls.
      type: list
      elements: str
      sample: [second.example]
    forwards:
      description: Addresses that get a copy of the mail.
      type: list
      elements: str
      sample: [ann@example.com]
    forward_only:
      description: Whether mail only goes to the forwards.
      type: bool
      sample: false
    other_destinations:
      description:
        - Rows of C(smtp_destinations) that tine would not write for this account. Mail follows
          them, but tine does not show them and removes them when it saves the account.
      type: list
      elements: dict
      sample: []
      contains:
        source:
          description: The address that mail comes to.
          type: str
        destination:
          description: Where it goes.
          type: str
        dispatch_address:
          description: Whether the source may be used as a sender.
          type: bool
    imap_password_scheme:
      description:
        - Scheme of the password in C(dovecot_users), which is the one that counts.
        - V(none) if it names no scheme, V(unknown) if it names one that Dovecot does not know.
      type: str
      sample: SHA512-CRYPT
    smtp_password_scheme:
      description: The same for C(smtp_users).
      type: str
      sample: SHA512-CRYPT
    last_login:
      description: The last login in UTC after ISO 8601.
      type: str
      sample: "2026-08-31T06:00:00Z"
    last_modified:
      description: The last change of one of the rows in UTC after ISO 8601.
      type: str
      sample: "2026-08-01T12:00:00Z"
    lone:
      description:
        - V(imap) for a row of C(dovecot_users) without one in C(smtp_users), V(smtp) for the
          opposite, V(null) for a whole account.
      type: str
      sample: null
    differences:
      description: What the two rows do not agree on, of V(username), V(address), V(status) and
        V(expires).
      type: list
      elements: str
      sample: []
summary:
  description: Counts over all accounts that were found, also those that O(limit) leaves out.
  returned: success
  type: dict
  contains:
    accounts:
      description: How many.
      type: int
      sample: 3
    active:
      description: How many are enabled and not expired.
      type: int
      sample: 3
    forward_only:
      description: How many keep no mail here.
      type: int
      sample: 0
    unlimited:
      description: How many have no quota.
      type: int
      sample: 1
    quota_mib:
      description: All quotas together, in MiB.
      type: int
      sample: 4096
    usage_bytes:
      description: All usage together, in bytes.
      type: int
      sample: 1073741824
    usage_messages:
      description: All messages together.
      type: int
      sample: 4711
    status:
      description: Accounts by status. No status counts as V(enabled).
      type: dict
      sample: {enabled: 3}
    domain:
      description: Accounts by the domain of their address.
      type: dict
      sample: {example.org: 3}
    client_idnr:
      description: Accounts by owner.
      type: dict
      sample: {8fe8f1da99045c15d5b1aa9978d57fd67e8214c9: 3}
    lone:
      description: Lone rows, V(imap) and V(smtp).
      type: dict
      sample: {}
    imap_password_scheme:
      description: Accounts by the scheme in C(dovecot_users).
      type: dict
      sample: {SHA512-CRYPT: 2, SSHA256: 1}
    smtp_password_scheme:
      description: Accounts by the scheme in C(smtp_users).
      type: dict
      sample: {SHA512-CRYPT: 2, SSHA256: 1}
absent:
  description: Tables and columns that this generation does not have, or that O(login_user) may not
    read.
  returned: success
  type: list
  elements: str
  sample: ["column dovecot.dovecot_users.status"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groupware.mailserver.plugins.module_utils import _connection
from ansible_collections.groupware.mailserver.plugins.module_utils._edge import info


def main() -> None:
    module = AnsibleModule(
        argument_spec={**info.OPTIONS, **_connection.CONNECTION},
        supports_check_mode=True,
    )
    info.tell_accounts(module)


if __name__ == "__main__":
    main()
