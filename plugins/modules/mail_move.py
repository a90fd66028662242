#!/usr/bin/python
# Copyright (c) 2026, the groupware.mailserver developers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: mail_move
short_description: Move the mail of accounts to new homes
version_added: 0.1.0
description:
  - Moves homes of mail accounts while mail is read and delivered. Runs on the host of Dovecot, in
    two steps, one before and one after the database tells the new home.
  - O(state=moved) exchanges each home with a link in one step of the file system, so that the mail
    is in the new place and a link in the old one leads to it. Both places have all the mail, and
    sessions and deliveries go on.
  - O(state=settled) ends the sessions of these people, waits for deliveries that began before, and
    removes the link.
  - What a killed run has begun is written down in O(state_directory) and finished by the next run.
  - Everything that is wrong with the moves is found before anything is touched, and told together.
    A new place that exists, another file system and links on the way are refused.
  - The file system has to be able to exchange two names (C(renameat2) with C(RENAME_EXCHANGE), as
    ext4, XFS, Btrfs, ZFS 2.2, tmpfs and overlayfs are; NFS is not). Elsewhere the module refuses to
    move anything.
author:
  - groupware.mailserver developers (@groupware)
extends_documentation_fragment:
  - groupware.mailserver._attributes
options:
  state:
    description:
      - With V(moved), the mail is in the new place, and a link in the old one.
      - With V(settled), the link is gone as well. Only for people whose row already tells the new
        home.
    type: str
    choices: [moved, settled]
    default: moved
  moves:
    description:
      - The homes that move, as RV(groupware.mailserver.mail_accounts#module:mail_to_move) has them.
      - Required with O(state=moved).
      - With O(state=settled) these moves are finished; the caller knows that the database tells
        their new homes. Without it, all moves are finished of which Dovecot (C(doveadm user)) says
        so.
    type: list
    elements: dict
    suboptions:
      username:
        description: Name of the mailbox.
        type: str
        required: true
      from:
        description:
          - The home so far, an absolute path in O(mail_directory).
          - Who never got mail may have none; an empty one then appears in the new place.
        type: str
        required: true
      to:
        description:
          - The new home, an absolute path in O(mail_directory) that does not exist. Directories on
            the way are made with the owner and the permissions of O(mail_directory).
        type: str
        required: true
  mail_directory:
    description: Directory of all mail. Nothing outside of it is touched.
    type: path
    default: /var/vmail
  state_directory:
    description: Directory of root in which moves are written down until they are settled.
    type: path
    default: /var/lib/groupware-mailserver
  timeout:
    description:
      - How many seconds O(state=settled) waits for deliveries and sessions that began before it.
        The link stays and the task fails if they last longer.
      - Postfix uses a connection to Dovecot for up to 300 seconds.
    type: int
    default: 330
seealso:
  - module: groupware.mailserver.mail_accounts
  - module: groupware.mailserver.mail_user
"""

EXAMPLES = r"""
- name: It is known which homes will change
  groupware.mailserver.mail_accounts:
    accounts: &people
      - address: ann@example.org
        home: /var/vmail/example.org/ann.miller
        move_mail: true
  check_mode: true
  register: predicted

- name: The mail is in its new place
  groupware.mailserver.mail_move:
    moves: "{{ predicted.mail_to_move }}"

- name: The accounts tell the new homes
  groupware.mailserver.mail_accounts:
    accounts: *people

- name: Nobody uses the old places any more
  groupware.mailserver.mail_move:
    state: settled
"""

RETURN = r"""
moves:
  description: Homes that were moved, or whose link was removed.
  returned: success
  type: list
  elements: dict
  contains: &move
    username:
      description: Name of the mailbox.
      type: str
    from:
      description: The old home.
      type: str
    to:
      description: The new home.
      type: str
outstanding:
  description: Homes that are in their new place while a link still stands in the old one.
  returned: success
  type: list
  elements: dict
  contains: *move
faults:
  description: Everything that is wrong with the moves, one sentence each.
  returned: failure because of the moves
  type: list
  elements: str
  sample: ["ann@example.org: /var/vmail/example.org/ann.miller already exists: move it away, or
    choose another home."]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groupware.mailserver.plugins.module_utils._edge import moves, reporting


def main() -> None:
    module = AnsibleModule(
        argument_spec=moves.OPTIONS,
        required_if=[("state", "moved", ["moves"])],
        supports_check_mode=True,
    )
    with reporting(module):
        moves.converge_moves(module)


if __name__ == "__main__":
    main()
