# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the form of a stored password tells, and what it does not give away."""

from __future__ import annotations

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.model import Secret
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.passwords import (
    SCHEMES,
    hashed,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._doctor.hashes import (
    bare_scheme,
    verdict,
)

MD5 = "5ebe2294ecd0e0f08eab7690d2a6ee69"
MD5_CRYPT = "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/"
SHA512_CRYPT = f"$6$salt${'a' * 86}"
BLOWFISH = f"$2y$10${'a' * 53}"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_we_make_is_sound_and_cut_by_its_column_it_is_not(scheme: str):
    stored = hashed(Secret("secret", None, scheme))
    assert verdict(stored, 255) is None
    assert verdict(stored, len(stored)) is None
    for length in range(len(scheme) + 3, len(stored)):
        cut = stored[:length]
        judged = verdict(cut, length)
        # Hashes of these have no length of their own.
        if judged is None:
            assert scheme in ("SSHA256", "SSHA512", "ARGON2ID")
        else:
            assert judged == ("truncated_hash", scheme)
            assert verdict(cut, 255) == ("malformed_hash", scheme)


def test_the_classic_cut_is_found():
    """tine's own {SSHA512} has 101 characters, its column 100."""
    stored = "{SSHA512}" + "QUJD" * 22 + "QUI="
    assert verdict(stored, 256) is None
    assert verdict(stored[:100], 100) == ("truncated_hash", "SSHA512")


@pytest.mark.parametrize(
    ("stored", "kind", "scheme"),
    [
        ("", "no_scheme", "no scheme"),
        ("secret", "no_scheme", "no scheme"),
        ("{secret", "no_scheme", "no scheme"),
        ("abJnggxhB/yWI", "no_scheme", "no scheme"),
        (MD5, "bare_hash", "PLAIN-MD5"),
        (MD5_CRYPT, "bare_hash", "MD5-CRYPT"),
        (SHA512_CRYPT, "bare_hash", "SHA512-CRYPT"),
        (BLOWFISH, "bare_hash", "BLF-CRYPT"),
        ("{PLAIN}secret", "plain_password", "PLAIN"),
        ("{plain}secret", "plain_password", "PLAIN"),
        ("{CLEAR.b64}c2VjcmV0", "plain_password", "CLEAR"),
        (f"{{MD5}}{MD5}", "refused_scheme", "MD5"),
        (f"{{PLAIN-MD5}}{MD5}", "refused_scheme", "PLAIN-MD5"),
        (f"{{CRYPT}}{MD5_CRYPT}", "refused_scheme", "CRYPT"),
        ("{CRYPT}abJnggxhB/yWI", "refused_scheme", "CRYPT"),
        ("{SMD5}anything", "refused_scheme", "SMD5"),
        (f"{{SHA256}}{MD5}{MD5}", "weak_scheme", "SHA256"),
        ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "weak_scheme", "SHA"),
        ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ", "malformed_hash", "SHA"),
        (f"{{CRYPT}}{SHA512_CRYPT[:-1]}", "malformed_hash", "CRYPT"),
        ("{SSHA384}anything", "unknown_scheme", "SSHA384"),
        ("{my secret}anything", "unknown_scheme", "unknown"),
    ],
)
def test_the_fault_and_the_scheme_are_told(stored: str, kind: str, scheme: str):
    assert verdict(stored, 255) == (kind, scheme)


@pytest.mark.parametrize(
    "stored",
    [
        f"{{CRYPT}}{SHA512_CRYPT}",
        f"{{crypt}}{BLOWFISH}",
        "{CRYPT}$y$j9T$LdJMENpBABJJ3hIHjB1Bi.$x",
        f"{{SSHA256.HEX}}{MD5 * 3}",
        "{SCRAM-SHA-1}4096,a,b,c",
    ],
)
def test_what_both_dovecots_take_is_sound(stored: str):
    assert verdict(stored, 255) is None


def test_a_hash_is_known_by_its_form_alone_only_where_it_is_sure():
    assert bare_scheme("abJnggxhB/yWI") == ""
    assert bare_scheme(MD5[:-1]) == ""
    assert bare_scheme(f"{MD5}x") == ""
