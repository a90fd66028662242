#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the groupware.mailserver developers

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_probe
short_description: Prove that a mail host accepts and delivers mail
version_added: 0.1.0
description:
  - Submits a message with TLS and authentication, waits for it over IMAP, removes it again, and
    returns each step with the time it took.
  - Both servers are logged in to before anything is sent, so that a wrong password leaves no
    message behind.
  - When a step fails, the module says which one, at which server, in the words of the server, and
    what to look at. Passwords are removed from these words.
extends_documentation_fragment:
  - groupware.mailserver._attributes
attributes:
  check_mode:
    support: full
    details:
      - In check mode both servers are connected to and logged in to, with TLS, and the mailbox is
        opened. No message is sent.
  diff_mode:
    support: none
  idempotent:
    support: full
    details:
      - The module never reports a change. The message that it sends is removed again, unless
        O(delete=false).
options:
  smtp_host:
    description: The host or address of the submission service.
    type: str
    required: true
  smtp_port:
    description: The port of the submission service.
    type: int
    default: 587
  smtp_security:
    description:
      - V(starttls) begins in the clear and continues only under TLS, as on port 587.
      - V(tls) begins with TLS at once, as on port 465.
    type: str
    choices: [starttls, tls]
    default: starttls
  imap_host:
    description: The host or address of the IMAP service. Without it, O(smtp_host).
    type: str
  imap_port:
    description: The port of the IMAP service.
    type: int
    default: 993
  imap_security:
    description:
      - V(tls) begins with TLS at once, as on port 993.
      - V(starttls) begins in the clear and continues only under TLS, as on port 143.
    type: str
    choices: [tls, starttls]
    default: tls
  server_name:
    description:
      - The name that the certificates must carry. Without it, the host that is connected to.
      - Needed where the connection goes to an address or to V(localhost).
    type: str
  validate_certs:
    description: Whether a certificate must be valid for the name and come from a known issuer.
    type: bool
    default: true
  ca_path:
    description:
      - A file with the certificates of the issuers to accept, in place of those that the system
        knows.
      - For a self-signed certificate, the certificate itself.
    type: path
  username:
    description: The name to log in with, at the submission service and for reading.
    type: str
    required: true
  password:
    description: The password of O(username). It may hold any character.
    type: str
    required: true
  sender:
    description: The address to send from. Without it, O(recipient), else O(username).
    type: str
  recipient:
    description: The address to send to. Without it, O(sender), else O(username).
    type: str
  recipient_username:
    description: The name to read with, if the mailbox belongs to somebody else than O(username).
    type: str
  recipient_password:
    description: The password of O(recipient_username).
    type: str
  mailbox:
    description: The mailbox in which the message is expected.
    type: str
    default: INBOX
  timeout:
    description:
      - The seconds to wait for the arrival of the message, and the longest wait for any single
        answer of a server.
    type: float
    default: 60
  delete:
    description:
      - Whether to remove the message after its arrival.
      - At a server that does not know UIDPLUS (RFC 4315) the message is only marked as deleted.
    type: bool
    default: true
author:
  - the groupware.mailserver developers (@groupware)
"""

EXAMPLES = r"""
- name: The mail host delivers
  groupware.mailserver.mail_probe:
    smtp_host: mail.example.org
    username: ann@example.org
    password: "{{ ann_password }}"

- name: Ann reaches Bob over port 465, asked on the mail host itself
  groupware.mailserver.mail_probe:
    smtp_host: localhost
    smtp_port: 465
    smtp_security: tls
    server_name: mail.example.org
    ca_path: /etc/ssl/certs/ssl-mail.pem
    username: ann
    password: "{{ ann_password }}"
    sender: ann@example.org
    recipient: bob@example.org
    recipient_username: bob
    recipient_password: "{{ bob_password }}"
"""

RETURN = r"""
steps:
  description:
    - What was done, in this order, with the time it took. After a failure the failed step is the
      last one.
    - C(smtp_connect), C(smtp_starttls), C(smtp_login), C(imap_connect), C(imap_starttls),
      C(imap_login), C(imap_select), C(smtp_send), C(imap_arrival), C(imap_remove). Steps that
      were not needed are not listed.
  returned: when the options are valid
  type: list
  elements: dict
  contains:
    name:
      description: The name of the step.
      type: str
    seconds:
      description: How long it took.
      type: float
  sample: [{name: smtp_connect, seconds: 0.012}, {name: smtp_starttls, seconds: 0.021}]
round_trip:
  description: The seconds from the start of the transmission until the message was seen over IMAP.
  returned: when the message arrived
  type: float
  sample: 0.214
tls:
  description: The TLS version spoken with each service.
  returned: when the connections came about
  type: dict
  contains:
    smtp:
      description: The version spoken with the submission service.
      type: str
    imap:
      description: The version spoken with the IMAP service.
      type: str
  sample: {smtp: TLSv1.3, imap: TLSv1.3}
message_id:
  description: The identity of the message, to look for in the logs.
  returned: when a message was sent
  type: str
  sample: <mail-probe.0b7c3f2a4f7d4c2f9d5f6a4c1b2e3d4f@example.org>
reply:
  description: What the submission service said when it took the message.
  returned: when a message was sent
  type: str
  sample: "250 2.0.0 Ok: queued as 4B1C22A0C3"
failed_step:
  description: The name of the step that did not succeed.
  returned: when a step failed
  type: str
  sample: smtp_login
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groupware.mailserver.plugins.module_utils._edge import reporting
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.errors import ProbeFailed
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.journey import (
    Journey,
    Probe,
)

OPTIONS = {
    "smtp_host": {"type": "str", "required": True},
    "smtp_port": {"type": "int", "default": 587},
    "smtp_security": {"type": "str", "choices": ["starttls", "tls"], "default": "starttls"},
    "imap_host": {"type": "str"},
    "imap_port": {"type": "int", "default": 993},
    "imap_security": {"type": "str", "choices": ["tls", "starttls"], "default": "tls"},
    "server_name": {"type": "str"},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "username": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "sender": {"type": "str"},
    "recipient": {"type": "str"},
    "recipient_username": {"type": "str"},
    "recipient_password": {"type": "str", "no_log": True},
    "mailbox": {"type": "str", "default": "INBOX"},
    "timeout": {"type": "float", "default": 60},
    "delete": {"type": "bool", "default": True},
}


def travel(module: AnsibleModule, journey: Journey) -> None:
    """Make the journey; a failure tells how far it came."""
    try:
        journey.run(send=not module.check_mode)
    except ProbeFailed as error:
        module.fail_json(
            msg=str(error), failed_step=error.step, steps=journey.clock.steps, **journey.facts
        )


def main() -> None:
    module = AnsibleModule(
        argument_spec=OPTIONS,
        required_together=[("recipient_username", "recipient_password")],
        supports_check_mode=True,
    )
    with reporting(module):
        journey = Journey(Probe.parse(module.params))
    travel(module, journey)
    done = "Logged in to both servers; check mode sends nothing."
    module.exit_json(
        changed=False,
        msg=done if module.check_mode else "The message arrived.",
        steps=journey.clock.steps,
        **journey.facts,
    )


if __name__ == "__main__":
    main()
