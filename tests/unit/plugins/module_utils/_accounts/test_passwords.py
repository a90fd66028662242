# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords are verified, never compared, and only kinds that both Dovecots know are taken."""

from __future__ import annotations

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts import passwords
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.errors import (
    Hidden,
    MissingLibrary,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.model import Secret

PLAIN = "Pä55 'word\" \\ %s {{ x }}"
FAST = [scheme for scheme in passwords.SCHEMES if scheme not in ("ARGON2ID", "BLF-CRYPT")]

# Made by Dovecot's doveadm pw, by tine and by crypt(3): the password of each, and what is stored.
STORED = {
    "tine SSHA256": ("pw-a", "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ"),
    "tine MD5": ("secret", "{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69"),
    "PLAIN-MD5": ("secret", "{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69"),
    "LDAP-MD5": ("secret", "{LDAP-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ=="),
    "SHA1": ("secret", "{SHA1}5en6G6MezRroT3XKqkdPOmY/BfQ="),
    "SHA256 in hex": (
        "secret",
        "{SHA256.HEX}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
    ),
    "PLAIN": ("secret", "{PLAIN}secret"),
    "CRYPT md5": ("password", "{CRYPT}$1$3azHgidD$SrJPt7B.9rekpmwJwtON31"),
    "CRYPT sha512": (
        "Hello world!",
        "{CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnI"
        "FNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    ),
    "SHA256-CRYPT": (
        "Hello world!",
        "{SHA256-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
    ),
    "tine blowfish": (
        "U*U",
        "{CRYPT}$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    ),
}


# Made of "secret pass" by doveadm pw of Dovecot 2.3 and of 2.4.
DOVECOT = [
    (
        "{SHA512-CRYPT}$6$K7tAAG5ImsSOklYP$WEbynOx0XsGlCsGeGddVLAuagTkpb78zhKIUQ0Y9J/Fhsq"
        "Wwsl5p0u8nXxUxSMvhO9L8ZG9MUFAWcBjDqXOz3/"
    ),
    "{SHA256-CRYPT}$5$UXRZ0vtYDqbG.q0o$IMWXbBwSIT5OuU5PO3UmAJjqWEIDMdeHxM5lExieKe.",
    (
        "{SSHA512}xa3QKwuTaD/EFG6/V0OyfmfeFVY9NLldrdZFKWAzaCWV8HgoQTI+VOarZJoe06sexCtCii7"
        "A80P+L57mPGjRvNqidBE="
    ),
    "{SSHA256}VaZ6eJmHy/EKsv/jlqA9mvWs9XFBZsBiqVPpZIXmsx58JwBo",
    "{BLF-CRYPT}$2y$05$i9wcksjpKMaD.cTZa4wgGuVQSEXujkoYrBY2w9Lw2YoEZotLBefly",
    (
        "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$MIajDYN8aF9HvDKCW0Ncng$k1R4KMPkTwJuvLQ8"
        "BPduSQlfLu+i4WIhQrf5u8KG8+I"
    ),
    (
        "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$3OrZU1ydNzI/UyM+MGgJHQ$DA2Byno5cUpYTkILCd"
        "IGQVOgQpXxO5FDGCJAh07x/2U"
    ),
    "{PBKDF2}$1$GL8rgOapvJJXAK39$5000$ed6af52c96a1f4ea02749cc047b54c16c2b8a789",
    "{SSHA}l/8wnJF2x6/2/OtrD21L9mhN+AYnsMbG",
    "{SHA256}eFK/tJPBgOyZKGDD9C7Y/PoQTL9IBeTfYFheYwo3OI8=",
    "{CRYPT}$2y$05$S9I6G7Xoc0AfcGF84rpqyeKP7p59BgoNw73kZe6Wns24ecma/OfOG",
    (
        "{SHA512-CRYPT}$6$6vHTSe9MDArXdLiK$IplhSxOazk0j.g/5p728ktGKvdDKpFWepdv72s411nLNHK"
        "WlGTiYWOz/qzPuKofyQ6A9krYLHR9uqpnSZyZuN0"
    ),
    "{SHA256-CRYPT}$5$epDV4oWAtVIdHupp$lQ8milYUE/KBjinrdGTfsEpfYD9vyqLiSHNHjAUKNC9",
    (
        "{SSHA512}7X42M4fZSmTRi9K0oxIMrl0a8XnC+n/+KfAey8I7XLsuUTVeCASQJ8rFOhfBVd/eJGJW6iZ"
        "LLDxCOApHbJqDbd77Dxw="
    ),
    "{SSHA256}miRH6++VSYCK/jc2Z0hrRBfbuUDu1rUasf/yrJw0aFerIpzO",
    "{BLF-CRYPT}$2y$05$CNNeSggMIPUwyOWPMemCU.25KIJi/0h7mf36IUrIBTogipsaZOeF.",
    (
        "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$AaAe0YTQnyI7IK0E6Y9f7Q$z1f7acSdKsOzFzzK"
        "m5qOkTw7eV2odj8ddL9LVBuI9dQ"
    ),
    (
        "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$UVy1BnVYqhRwRC2d2pU55A$Fwzxs7LjXsXwbYkNDh"
        "K0L2wEntixByKtlwr5D/hHR1o"
    ),
    "{PBKDF2}$1$qicjjFsTUd7UyC.6$5000$dd16c7be4acaabef88e94950dabf5d940587f340",
    "{SSHA}azpUU4HWW1OrHVng0X4f2lSOM7HICmCT",
    "{SHA256}eFK/tJPBgOyZKGDD9C7Y/PoQTL9IBeTfYFheYwo3OI8=",
    "{CRYPT}$2y$05$RI4j7Px25zY2fczHrU5SeO0HYBEGT7sRpIdh2uNZOYdy0XZVfrkoe",
]


@pytest.mark.parametrize("stored", DOVECOT)
def test_what_dovecot_makes_is_taken_and_verifies(stored: str):
    assert passwords.ready_hash(stored) == stored
    assert passwords.matches("secret pass", stored)
    assert not passwords.matches("secret pas", stored)


@pytest.mark.parametrize("scheme", passwords.SCHEMES)
def test_what_is_hashed_verifies_and_has_the_length_that_is_told(scheme: str):
    secret = Secret(PLAIN, None, scheme)
    stored = passwords.hashed(secret)
    assert stored.startswith(f"{{{scheme}}}")
    assert passwords.ready_hash(stored) == stored
    assert len(stored) == passwords.stored_length(secret)
    assert passwords.matches(PLAIN, stored)
    assert not passwords.matches(PLAIN + "x", stored)


@pytest.mark.parametrize("scheme", FAST)
def test_two_hashes_of_one_password_differ(scheme: str):
    secret = Secret(PLAIN, None, scheme)
    assert passwords.hashed(secret) != passwords.hashed(secret)


@pytest.mark.parametrize("name", STORED)
def test_what_others_stored_verifies(name: str):
    plain, stored = STORED[name]
    assert passwords.matches(plain, stored)
    assert not passwords.matches(plain + "x", stored)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "secret",
        "{}secret",
        "{SSHA256}",
        "{SSHA256}###",
        "{SSHA256}YQ==",
        "{NO-SUCH}secret",
        "{PBKDF2}$1$x",
        "{SHA512-CRYPT}secret",
        "{ARGON2ID}$argon2id$x",
        "{BLF-CRYPT}$2y$05$x",
        "{CRYPT}",
        "{SHA256.HEX}zz",
        "{secret",
    ],
)
def test_what_cannot_be_verified_does_not_match(stored: str):
    assert not passwords.matches("secret", stored)


@pytest.mark.parametrize(
    "given",
    [
        "secret",
        "",
        "{SSHA256}",
        "{ssha256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ",
        "{SSHA256}short",
        "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ\n",
        "{SHA512-CRYPT}$5$x$y",
        "{SHA512-CRYPT}x",
        "{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
        "{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
        "{SSHA1}x",
        "{SHA384}x",
        "{CRYPT}$1$3azHgidD$SrJPt7B.9rekpmwJwtON31",
        "{CRYPT}xx",
        "{BLF-CRYPT}$2y$",
        "{PLAIN}ümlaut",
        5,
        None,
        ["{PLAIN}x"],
    ],
)
def test_a_hash_that_one_dovecot_refuses_is_refused_and_not_shown(given: object):
    with pytest.raises(Hidden) as fault:
        passwords.ready_hash(given)
    assert not given or str(given) not in str(fault.value)


@pytest.mark.parametrize(
    "given", ["", "a\nb", "a\r", "a\0b", "x" * 1025, "\ud800", 123456, None, True]
)
def test_a_password_that_no_client_can_send_is_refused_and_not_shown(given: object):
    with pytest.raises(Hidden) as fault:
        passwords.clear_password(given)
    assert not given or given is True or str(given) not in str(fault.value)


def test_bcrypt_is_not_given_what_it_would_cut():
    passwords.suits("x" * 72, "BLF-CRYPT")
    passwords.suits("x" * 73, "SHA512-CRYPT")
    with pytest.raises(Hidden):
        passwords.suits("ü" * 37, "BLF-CRYPT")


def test_a_missing_library_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch):
    def absent(name: str):
        raise ImportError(name)

    monkeypatch.setattr(passwords.importlib, "import_module", absent)
    assert passwords.matches("secret", STORED["SHA1"][1])
    for scheme, library in {
        "SHA512-CRYPT": "passlib",
        "BLF-CRYPT": "bcrypt",
        "ARGON2ID": "argon2",
    }.items():
        with pytest.raises(
            MissingLibrary, match=f"{library} is needed .* {scheme}.*install python3-{library}"
        ):
            passwords.hashed(Secret("secret", None, scheme))


def test_a_keyring_verifies_and_hashes_each_thing_once(monkeypatch: pytest.MonkeyPatch):
    keyring = passwords.Keyring()
    secret = Secret("pw-a", None, "SSHA256")
    assert keyring.holds(secret, STORED["tine SSHA256"][1])
    first = keyring.hashed("1", "smtp_users", secret)
    monkeypatch.setattr(passwords, "matches", None)
    monkeypatch.setattr(passwords, "hashed", None)
    assert keyring.holds(secret, STORED["tine SSHA256"][1])
    assert keyring.hashed("1", "smtp_users", secret) == first


def test_each_table_and_each_person_has_a_salt_of_its_own():
    keyring = passwords.Keyring()
    secret = Secret("pw-a", None, "SSHA256")
    made = {keyring.hashed(u, t, secret) for u in "12" for t in ("smtp_users", "dovecot_users")}
    assert len(made) == 4


def test_a_finished_hash_is_compared_as_it_is():
    keyring = passwords.Keyring()
    assert keyring.holds(Secret(None, "{SSHA256}a", ""), "{SSHA256}a")
    assert not keyring.holds(Secret(None, "{SSHA256}a", ""), "{SSHA256}b")
