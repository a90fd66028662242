# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of main.cf that Postfix itself lets pass although they are wrong."""

from __future__ import annotations

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._config.postfix_settings import (
    Program,
    faults,
)

POSTFIX = Program(
    defaults={
        "biff": "yes",
        "smtpd_helo_required": "no",
        "message_size_limit": "10240000",
        "maximal_queue_lifetime": "5d",
        "compatibility_level": "0",
        "smtpd_banner": "$myhostname ESMTP $mail_name",
        "default_destination_concurrency_positive_feedback": "1",
        "inet_protocols": "all",
    },
    map_types=frozenset(("hash", "inline", "mysql", "proxy", "static", "texthash", "unix")),
    sasl_types=frozenset(("cyrus", "dovecot")),
    services=frozenset(("smtp", "relay", "lmtp", "error", "dovecot", "virtual")),
)

RIGHT = [
    ("biff", "no"),
    ("biff", "$other"),
    ("message_size_limit", "0"),
    ("message_size_limit", "52428800"),
    ("maximal_queue_lifetime", "2d"),
    ("maximal_queue_lifetime", "0"),
    ("compatibility_level", "3.6"),
    ("default_destination_concurrency_positive_feedback", "1/concurrency"),
    ("smtpd_banner", "anything: at all"),
    ("unknown_to_us", "anything"),
    ("inet_protocols", "all"),
    ("inet_protocols", "ipv4, ipv6"),
    ("smtpd_tls_security_level", "may"),
    ("smtp_tls_security_level", "dane"),
    ("smtpd_tls_protocols", ">=TLSv1.2"),
    ("smtpd_tls_protocols", "!SSLv2, !SSLv3"),
    ("smtpd_tls_mandatory_protocols", ""),
    ("smtpd_sasl_type", "dovecot"),
    ("virtual_transport", "lmtp:unix:private/dovecot-lmtp"),
    ("virtual_transport", "dovecot"),
    ("virtual_mailbox_maps", "proxy:mysql:/etc/postfix/sql/x.cf, hash:/etc/postfix/more"),
    ("alias_maps", "inline:{ {root = ann@example.org} }, hash:/etc/aliases"),
    ("virtual_alias_maps", ""),
    ("smtpd_recipient_restrictions", ""),
    ("smtpd_recipient_restrictions", "permit_mynetworks reject_unauth_destination"),
    ("smtpd_recipient_restrictions", "reject_rbl_client zen.example.net, permit"),
    ("smtpd_client_restrictions", "check_client_access hash:/etc/postfix/clients"),
    ("smtpd_client_restrictions", "check_client_access inline:{ {192.0.2.1 = REJECT} }, permit"),
    ("smtpd_data_restrictions", "check_policy_service { unix:private/p, timeout=9s }, permit"),
    ("smtpd_sender_restrictions", "hash:/etc/postfix/senders, reject"),
]

WRONG = [
    ("biff", "maybe", "biff = maybe: expected one of no, yes"),
    ("smtpd_helo_required", "true", "expected one of no, yes"),
    ("message_size_limit", "50M", "expected a whole number such as 10240000"),
    ("maximal_queue_lifetime", "two days", "expected a time such as 5d"),
    ("inet_protocols", "ipv5", "expected all, ipv4, ipv6 or both"),
    ("smtpd_tls_security_level", "encrypted", "expected one of encrypt, may, none"),
    ("smtpd_tls_security_level", "verify", "expected one of encrypt, may, none"),
    ("smtp_tls_security_level", "yes", "dane"),
    ("smtpd_tls_mandatory_ciphers", "strong", "high"),
    ("smtpd_forbid_bare_newline", "true", "normalize"),
    ("milter_default_action", "ignore", "tempfail"),
    ("smtpd_tls_protocols", "TLS1.2", "expected protocols such as >=TLSv1.2"),
    ("smtpd_sasl_type", "dovecott", "expected one of cyrus, dovecot"),
    ("virtual_transport", "lmpt:unix:private/dovecot-lmtp", "master.cf has no service 'lmpt'"),
    ("virtual_mailbox_maps", "proxy:mysqll:/x.cf", "no lookup table type 'mysqll'"),
    ("virtual_alias_maps", "hash:/x, ldap:/y", "no lookup table type 'ldap'"),
    ("smtpd_recipient_restrictions", "permit_mynetwork", "'permit_mynetwork' is no restriction"),
    ("smtpd_relay_restrictions", "permit_mynetworks, rejct", "'rejct' is no restriction"),
    ("smtpd_client_restrictions", "check_client_access", "'check_client_access' needs an argument"),
    ("smtpd_recipient_restrictions", "reject_rbl_client", "'reject_rbl_client' needs an argument"),
]


@pytest.mark.parametrize(("name", "value"), RIGHT)
def test_a_right_value_passes(name, value):
    assert faults({name: value}, POSTFIX) == []


@pytest.mark.parametrize(("name", "value", "words"), WRONG)
def test_a_wrong_value_is_told_with_its_name(name, value, words):
    (fault,) = faults({name: value}, POSTFIX)
    assert fault.startswith(name)
    assert words in fault


def test_a_restriction_class_is_a_restriction_and_a_list():
    settings = {
        "smtpd_restriction_classes": "strict, loose",
        "smtpd_recipient_restrictions": "permit_mynetworks, strict",
        "strict": "reject_unknwon_client",
    }
    (fault,) = faults(settings, POSTFIX)
    assert "strict: 'reject_unknwon_client'" in fault


def test_everything_is_told_at_once():
    settings = {"biff": "maybe", "smtpd_sasl_type": "x", "smtpd_data_restrictions": "a, b"}
    assert len(faults(settings, POSTFIX)) == 4
