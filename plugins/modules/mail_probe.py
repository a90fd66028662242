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
  - With O(probe=certificates) it compares the certificate that each port presents with the one in
    a file. With O(probe=refusals) it tries what a mail host must refuse, and fails if anything of
    it is accepted; nothing is sent, because no conversation comes as far as the message.
extends_documentation_fragment:
  - groupware.mailserver._attributes
attributes:
  check_mode:
    support: full
    details:
      - In check mode both servers are connected to and logged in to, with TLS, and the mailbox is
        opened. No message is sent. O(probe=certificates) and O(probe=refusals) send none anyway.
  diff_mode:
    support: none
  idempotent:
    support: full
    details:
      - The module never reports a change. The message that it sends is removed again, unless
        O(delete=false).
options:
  probe:
    description:
      - V(delivery) sends a message and waits for it.
      - V(certificates) looks at the certificate that every one of O(ports) presents, after STARTTLS
        where the port does not begin with TLS, and compares it with the first one in
        O(certificate_file).
      - V(refusals) tries to relay without a login, to reach nobody, to send more than a mailbox
        holds, to send as somebody else and without a login, to log in as somebody disabled, and to
        log in without TLS.
    type: str
    choices: [delivery, certificates, refusals]
    default: delivery
  ports:
    description: The ports that O(probe=certificates) and O(probe=refusals) look at.
    type: list
    elements: int
    default: [25, 465, 587, 143, 993, 110, 995, 4190]
  certificate_file:
    description: The certificate that should be presented, on the host where the module runs; PEM.
    type: path
  addresses:
    description:
      - The addresses of the host at which O(probe=refusals) tries to relay, IPv4 and IPv6. Without
        them, all that O(smtp_host) stands for.
      - Not loopback addresses, for which a host may relay.
    type: list
    elements: str
    default: []
  disabled_username:
    description: The name of an account that O(probe=refusals) must not be able to log in as.
    type: str
  disabled_password:
    description: The password of O(disabled_username), the right one.
    type: str
  unknown_recipient:
    description: An address that nobody has, in a domain of the host that has no catch-all.
    type: str
  small_recipient:
    description:
      - An address whose mailbox holds less than the largest message that the host takes.
      - O(probe=refusals) announces a message of that size to it.
    type: str
  smtp_host:
    description: The host or address of the submission service; with the other probes, of all.
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
    description:
      - The name to log in with, at the submission service and for reading.
      - Required unless O(probe=certificates).
    type: str
  password:
    description:
      - The password of O(username). It may hold any character.
      - Required unless O(probe=certificates).
    type: str
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

- name: Every port presents the certificate that is in the file
  groupware.mailserver.mail_probe:
    probe: certificates
    smtp_host: localhost
    server_name: mail.example.org
    certificate_file: /etc/ssl/certs/ssl-mail.pem

- name: What must be refused is refused
  groupware.mailserver.mail_probe:
    probe: refusals
    smtp_host: mail.example.org
    addresses: [192.0.2.25, "2001:db8::25"]
    username: ann@example.org
    password: "{{ ann_password }}"
    disabled_username: eve@example.org
    disabled_password: "{{ eve_password }}"
    unknown_recipient: nobody@example.org
    small_recipient: bob@example.org
"""

RETURN = r"""
certificates:
  description: What each port presents.
  returned: with O(probe=certificates)
  type: list
  elements: dict
  contains:
    port:
      description: The port.
      type: int
    fingerprint:
      description: SHA-256 of the certificate.
      type: str
    names:
      description: The names that it is for.
      type: list
      elements: str
    not_after:
      description: The moment when it ends, in UTC.
      type: str
  sample:
    - port: 993
      fingerprint: "5D:93:…"
      names: [mail.example.org]
      not_after: "2027-02-21T22:15:23Z"
refusals:
  description: What was tried and in which words it was refused.
  returned: with O(probe=refusals)
  type: list
  elements: dict
  contains:
    name:
      description:
        - C(relay), C(unknown_recipient), C(over_quota), C(forged_sender), C(no_login),
          C(disabled_login) or C(cleartext_login).
      type: str
    server:
      description: The address, port and protocol.
      type: str
    reply:
      description: The words of the server.
      type: str
  sample:
    - name: relay
      server: 192.0.2.25:25 (smtp)
      reply: "554 5.7.1 <somebody@example.com>: Relay access denied"
steps:
  description:
    - What was done, in this order, with the time it took. After a failure the failed step is the
      last one.
    - C(smtp_connect), C(smtp_starttls), C(smtp_login), C(imap_connect), C(imap_starttls),
      C(imap_login), C(imap_select), C(smtp_send), C(imap_arrival), C(imap_remove). Steps that
      were not needed are not listed.
  returned: with O(probe=delivery)
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

import typing as t
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groupware.mailserver.plugins.module_utils._edge import reporting
from ansible_collections.groupware.mailserver.plugins.module_utils._probe import refusals, served
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.conversation import Login
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.doors import (
    Host,
    known_ports,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.errors import ProbeFailed
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.journey import (
    Journey,
    Probe,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._probe.message import address

OPTIONS = {
    "probe": {
        "type": "str",
        "choices": ["delivery", "certificates", "refusals"],
        "default": "delivery",
    },
    "ports": {
        "type": "list",
        "elements": "int",
        "default": [25, 465, 587, 143, 993, 110, 995, 4190],
    },
    "certificate_file": {"type": "path"},
    "addresses": {"type": "list", "elements": "str", "default": []},
    "disabled_username": {"type": "str"},
    "disabled_password": {"type": "str", "no_log": True},
    "unknown_recipient": {"type": "str"},
    "small_recipient": {"type": "str"},
    "smtp_host": {"type": "str", "required": True},
    "smtp_port": {"type": "int", "default": 587},
    "smtp_security": {"type": "str", "choices": ["starttls", "tls"], "default": "starttls"},
    "imap_host": {"type": "str"},
    "imap_port": {"type": "int", "default": 993},
    "imap_security": {"type": "str", "choices": ["tls", "starttls"], "default": "tls"},
    "server_name": {"type": "str"},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "sender": {"type": "str"},
    "recipient": {"type": "str"},
    "recipient_username": {"type": "str"},
    "recipient_password": {"type": "str", "no_log": True},
    "mailbox": {"type": "str", "default": "INBOX"},
    "timeout": {"type": "float", "default": 60},
    "delete": {"type": "bool", "default": True},
}


def travel(module: AnsibleModule, journey: Journey) -> dict[str, t.Any]:
    """Make the journey; a failure tells how far it came."""
    try:
        journey.run(send=not module.check_mode)
    except ProbeFailed as error:
        module.fail_json(
            msg=str(error), failed_step=error.step, steps=journey.clock.steps, **journey.facts
        )
    done = "Logged in to both servers; check mode sends nothing."
    said = done if module.check_mode else "The message arrived."
    return {"msg": said, "steps": journey.clock.steps, **journey.facts}


def host(params: dict[str, t.Any]) -> Host:
    """Where the doors are; whatever certificate they present."""
    name = params["server_name"] or params["smtp_host"]
    return Host(params["smtp_host"], name, params["timeout"])


def suspect(params: dict[str, t.Any]) -> refusals.Suspect:
    """Whom the refusals are tried as."""
    disabled = None
    if params["disabled_username"]:
        disabled = Login(params["disabled_username"], params["disabled_password"])
    unknown, small = params["unknown_recipient"], params["small_recipient"]
    return refusals.Suspect(
        host=replace(
            host(params), ca_path=params["ca_path"], validate_certs=params["validate_certs"]
        ),
        ports=known_ports(params["ports"]),
        addresses=params["addresses"],
        login=Login(params["username"], params["password"]),
        sender=address("sender", params["sender"] or params["username"]),
        disabled=disabled,
        unknown_recipient=address("unknown_recipient", unknown) if unknown else None,
        small_recipient=address("small_recipient", small) if small else None,
    )


def seen(module: AnsibleModule, what: str, listed: list, faults: list[str]) -> dict[str, t.Any]:
    """What was found; everything that is wrong is told at once."""
    if faults:
        found: dict[str, t.Any] = {what: listed}
        module.fail_json(msg="\n".join(faults), **found)
    return {"msg": f"All {len(listed)} {what} are as expected.", what: listed}


def main() -> None:
    module = AnsibleModule(
        argument_spec=OPTIONS,
        required_if=[
            ("probe", "delivery", ["username", "password"]),
            ("probe", "refusals", ["username", "password"]),
            ("probe", "certificates", ["certificate_file"]),
        ],
        required_together=[
            ("recipient_username", "recipient_password"),
            ("disabled_username", "disabled_password"),
        ],
        supports_check_mode=True,
    )
    params = module.params
    with reporting(module):
        if params["probe"] == "certificates":
            ports = known_ports(params["ports"])
            found = served.look(host(params), ports, params["certificate_file"])
            done = seen(module, "certificates", *found)
        elif params["probe"] == "refusals":
            done = seen(module, "refusals", *refusals.look(suspect(params)))
        else:
            done = travel(module, Journey(Probe.parse(params)))
    module.exit_json(changed=False, **done)


if __name__ == "__main__":
    main()
