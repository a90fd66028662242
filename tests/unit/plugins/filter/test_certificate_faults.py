# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate is judged together with its key."""

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.groupware.mailserver.plugins.filter.certificate_faults import (
    certificate_faults,
)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Two certificates with their keys, as openssl makes them."""
    made = []
    for name in ("one", "two"):
        directory = tmp_path_factory.mktemp(name)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"]
            + ["-keyout", directory / "key", "-out", directory / "cert"],
            check=True,
            capture_output=True,
        )
        made.append(((directory / "cert").read_text(), (directory / "key").read_text()))
    return made


def test_a_pair_is_well(pairs):
    assert certificate_faults(*pairs[0]) == []


def test_a_chain_begins_with_the_server(pairs):
    (one, key), (two, _other) = pairs
    assert certificate_faults(one + two, key) == []
    assert "does not belong" in certificate_faults(two + one, key)[0]


def test_the_key_of_another_certificate_is_refused_and_not_shown(pairs):
    ((certificate, _key), (_certificate, other)) = pairs
    (fault,) = certificate_faults(certificate, other)
    assert "CN=one" in fault
    assert other.splitlines()[1] not in fault


@pytest.mark.parametrize("text", ["", "not PEM", "-----BEGIN CERTIFICATE-----\nrubbish"])
def test_what_is_no_pem_is_told(text):
    certificate, key = certificate_faults(text, text)
    assert certificate.startswith("The certificate is not PEM")
    assert key.startswith("The key is no unencrypted")
