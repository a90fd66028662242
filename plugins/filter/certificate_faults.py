# Copyright (c) 2026, the groupware.mailserver developers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check of a supplied certificate, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
name: certificate_faults
short_description: What is wrong with a certificate and its key
version_added: 0.1.0
author:
  - groupware.mailserver developers (@groupware)
description:
  - Looks at a certificate chain and a private key before they are brought to a host, and returns a
    sentence for everything that is wrong. The key is never shown.
  - Uses the Python library C(cryptography), which ansible-core itself requires.
positional: _input, key
options:
  _input:
    description: The chain in PEM, the server's certificate first.
    type: str
    required: true
  key:
    description: The private key in PEM, not encrypted.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: The certificate and its key belong together
  ansible.builtin.assert:
    that: faults | length == 0
    fail_msg: "{{ faults | join('\n') }}"
  vars:
    chain: "{{ lookup('ansible.builtin.file', 'mail.pem') }}"
    key: "{{ lookup('ansible.builtin.file', 'mail.key') }}"
    faults: "{{ chain | groupware.mailserver.certificate_faults(key) }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: The sentences; none where all is well.
  type: list
  elements: str
"""

import datetime
import typing as t

from ansible.errors import AnsibleFilterError

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None


def _public(key: t.Any) -> bytes:
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _expiry(certificate: t.Any) -> datetime.datetime:
    """When it ends, with its time zone; older releases of cryptography tell UTC without one."""
    try:
        return certificate.not_valid_after_utc
    except AttributeError:
        return certificate.not_valid_after.replace(tzinfo=datetime.timezone.utc)


def certificate_faults(chain: str, key: str) -> list[str]:
    """Return a sentence for everything that is wrong with a chain and its key, both in PEM."""
    if MISSING:
        raise AnsibleFilterError(f"The controller lacks a library of ansible-core: {MISSING}")
    faults = []
    certificate = private = None
    try:
        certificate = x509.load_pem_x509_certificate(chain.encode())
    except ValueError:
        faults.append("The certificate is not PEM: expected -----BEGIN CERTIFICATE-----.")
    try:
        private = serialization.load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        faults.append(
            "The key is no unencrypted private key in PEM: expected -----BEGIN PRIVATE KEY-----."
        )
    if certificate and _expiry(certificate) < datetime.datetime.now(datetime.timezone.utc):
        faults.append(f"The certificate has expired ({_expiry(certificate):%Y-%m-%d}).")
    if (
        certificate
        and private
        and _public(certificate.public_key()) != _public(private.public_key())
    ):
        faults.append(
            f"The key does not belong to the certificate ({certificate.subject.rfc4514_string()}): "
            "expected the server's own certificate first in the chain, and its key."
        )
    return faults


class FilterModule:
    """Jinja2 filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"certificate_faults": certificate_faults}
