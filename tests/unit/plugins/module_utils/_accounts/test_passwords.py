# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords are verified, never compared, and only kinds that both Dovecots know are taken."""

from __future__ import annotations

import base64
import hashlib

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts import (
    libcrypt,
    passwords,
    schemes,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.errors import (
    Hidden,
    MissingLibrary,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.model import Secret
from hypothesis import assume, given, settings
from hypothesis import strategies as st

PLAIN = "Pä55 'word\" \\ %s {{ x }}"
FAST = [scheme for scheme in passwords.SCHEMES if scheme not in ("ARGON2ID", "BLF-CRYPT")]

PASSWORDS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), min_size=1, max_size=40
)
PBKDF2 = "{PBKDF2}$1$GL8rgOapvJJXAK39$5000$ed6af52c96a1f4ea02749cc047b54c16c2b8a789"

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
    "PLAIN with blanks": ("se cret \u00e4", "{PLAIN}se cret \u00e4"),
    "CLEAR in base64": ("secret", "{CLEAR.B64}c2VjcmV0"),
    "LDAP-MD5 in hex": ("secret", "{LDAP-MD5}5EBE2294ECD0E0F08EAB7690D2A6EE69"),
    "MD5 in base64": ("secret", "{MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ=="),
    "MD5 of crypt(3)": ("password", "{MD5}$1$3azHgidD$SrJPt7B.9rekpmwJwtON31"),
    "SMD5": ("secret", "{SMD5}mc0uWpXVVe5747A4pKhGJXNhbHQ="),
    "SSHA": ("secret", "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0"),
    "tine SSHA1": ("secret", "{SSHA1}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0"),
    "DES": ("secret", "{CRYPT}yMgrcHLMmFaRU"),
    "DES-CRYPT": ("secret", "{DES-CRYPT}yMgrcHLMmFaRU"),
    "SCRAM-SHA-1": (
        "secret",
        "{SCRAM-SHA-1}4096,KvaWIUGmc4/6nxrsa93S+Q==,DNwbGaeKEIm4ul1gQx0kkkHv4Tk=,"
        "li70ymeKSBnKSVGMPaoAuIBEhpU=",
    ),
    "SCRAM-SHA-256": (
        "secret",
        "{SCRAM-SHA-256}4096,CMfgtcUF3K3Qgmd6p1NVGw==,"
        "Q03oAml+LJkKYk5YYDELybpKIq8QlXZRwhv9ELMf/+w=,"
        "PvYk0vzJoSThZEyUVdVOvF4GM11SBRAn5m5sATxhDMk=",
    ),
    "SHA512-CRYPT in base64": (
        "Hello world!",
        "{SHA512-CRYPT.B64}JDYkc2FsdHN0cmluZyRzdm44VW9TVmFwTnRNdXExdWtLUzR0UFFkOGlLd1NNSFdqbC9POD"
        "E3RzN1Qm5JRk5qblFKdWVzSTY4dTRPVExpQkZkY2JZRWRGQ29FT2ZhUzM1aW56MQ==",
    ),
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
        "{SSHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",  # no salt
        "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols",
        "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unol!s=",
        "{SMD5}99cd2e5a95d555ee7be3b038a4a8462573616c74",  # Dovecot reads salted ones as base64
        "{SHA512-CRYPT}",
        "{CRYPT}*0",
        "{CRYPT}yMgrcHLMmFaR",
        "{SCRAM-SHA-256}4096,x",
        "{CRAM-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56",
        "$1$3azHgidD$SrJPt7B.9rekpmwJwtON31",
        "{",
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
        "{SSHA256}f84fa2149dbb62ed4e0cf1f550d2949b33a6513d3a7707e08502511c79ccb0ee73616c74",
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


def test_what_a_scheme_would_cut_or_refuse_is_refused():
    passwords.suits("x" * 72, "BLF-CRYPT")
    passwords.suits("x" * 511, "SHA512-CRYPT")
    passwords.suits("x" * 1024, "SSHA256")
    for plain, scheme in [("ü" * 37, "BLF-CRYPT"), ("ü" * 256, "SHA512-CRYPT")]:
        with pytest.raises(Hidden, match=scheme) as fault:
            passwords.suits(plain, scheme)
        assert plain not in str(fault.value)


@settings(deadline=None, max_examples=30)
@given(plain=PASSWORDS, other=PASSWORDS, scheme=st.sampled_from(FAST))
def test_any_password_verifies_and_no_other(plain: str, other: str, scheme: str):
    assume(plain != other)
    stored = passwords.hashed(Secret(plain, None, scheme))
    assert passwords.matches(plain, stored)
    assert not passwords.matches(other, stored)


@given(plain=PASSWORDS, algorithm=st.sampled_from(["md5", "sha1", "sha256", "sha512"]))
def test_a_digest_without_salt_verifies_however_it_is_spelled(plain: str, algorithm: str):
    raw = hashlib.new(algorithm, plain.encode()).digest()
    scheme = {"md5": "PLAIN-MD5", "sha1": "SHA1"}.get(algorithm, algorithm.upper())
    in_base64 = base64.b64encode(raw).decode()
    spellings = [
        f"{{{scheme}}}{raw.hex()}",
        f"{{{scheme}}}{raw.hex().upper()}",
        f"{{{scheme.lower()}}}{in_base64}",
        f"{{{scheme}.HEX}}{raw.hex().upper()}",
        f"{{{scheme}.base64}}{in_base64}",
    ]
    assert [passwords.matches(plain, stored) for stored in spellings] == [True] * 5


@given(
    plain=PASSWORDS,
    salt=st.binary(min_size=1, max_size=16),
    scheme=st.sampled_from([("SSHA256", "sha256"), ("SSHA512", "sha512"), ("SMD5", "md5")]),
)
def test_a_salted_digest_verifies_with_a_salt_of_any_length(plain, salt, scheme):
    raw = hashlib.new(scheme[1], plain.encode() + salt).digest() + salt
    assert passwords.matches(plain, f"{{{scheme[0]}}}{base64.b64encode(raw).decode()}")
    assert passwords.matches(plain, f"{{{scheme[0]}.HEX}}{raw.hex()}")


@given(stored=st.text(), scheme=st.sampled_from([*schemes._VERIFY, "NO-SUCH"]))
def test_nonsense_in_the_database_never_stops_a_run(stored: str, scheme: str):
    keyring = passwords.Keyring(upgrade=True)
    for found in (stored, f"{{{scheme}}}{stored}"):
        assert not passwords.matches("another password", found)
        assert not keyring.holds(Secret("another password", None, "PBKDF2"), found)


CRYPTS = ["$6$saltsalt", "$6$rounds=1000$saltsalt", "$5$saltsalt", "$1$saltsalt", "ab"]


@settings(deadline=None, max_examples=25)
@given(plain=PASSWORDS, setting=st.sampled_from(CRYPTS))
def test_the_libraries_agree_with_the_crypt_of_the_host(plain: str, setting: str):
    made = libcrypt.crypt(plain, setting)
    assert made
    assert schemes._library_matches(plain, made)
    assert passwords.matches(plain, f"{{CRYPT}}{made}")


def test_bcrypt_agrees_with_the_crypt_of_the_host():
    for kind in "abxy":
        made = libcrypt.crypt(PLAIN, f"$2{kind}$04$CCCCCCCCCCCCCCCCCCCCC.")
        if kind == "x":  # made by a faulty library of 2011; neither bcrypt nor we make it
            continue
        assert made
        assert schemes._library_matches(PLAIN, made)
        assert not schemes._library_matches(PLAIN[:-1], made)


@pytest.fixture
def without_crypt(monkeypatch: pytest.MonkeyPatch):
    """A host without libcrypt."""
    monkeypatch.setattr(libcrypt, "_crypt_rn", lambda: None)


@pytest.mark.parametrize("scheme", ["SHA512-CRYPT", "SHA256-CRYPT", "BLF-CRYPT"])
def test_a_host_without_libcrypt_makes_and_verifies_the_same(scheme: str, request):
    usual = passwords.hashed(Secret(PLAIN, None, scheme))
    request.getfixturevalue("without_crypt")
    made = passwords.hashed(Secret(PLAIN, None, scheme))
    assert passwords.matches(PLAIN, usual)
    assert passwords.matches(PLAIN, made)
    assert not passwords.matches(PLAIN + "x", made)
    assert len(made) == len(usual)
    assert schemes.cost(made) == schemes.cost(usual)


@pytest.mark.usefixtures("without_crypt")
def test_a_missing_library_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch):
    def absent(name: str):
        raise ImportError(name)

    monkeypatch.setattr(schemes.importlib, "import_module", absent)
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


# From the weakest to the strongest.
LADDER = [
    "{PLAIN}secret",
    "{CRYPT}yMgrcHLMmFaRU",
    "{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
    "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
    "{SMD5}mc0uWpXVVe5747A4pKhGJXNhbHQ=",
    "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ",
    DOVECOT[2],
    "{MD5}$1$3azHgidD$SrJPt7B.9rekpmwJwtON31",
    PBKDF2.replace("$5000$", "$1000$"),
    PBKDF2,
    "{SHA256-CRYPT}$5$rounds=1000$saltstring$x",
    "{SHA256-CRYPT}$5$saltstring$x",
    "{CRYPT}$5$rounds=9000$saltstring$x",
    "{SHA512-CRYPT}$6$rounds=4999$saltstring$x",
    "{CRYPT}$6$saltstring$x",
    "{SHA512-CRYPT}$6$rounds=656000$saltstring$x",
    "{BLF-CRYPT}$2y$05$x",
    "{CRYPT}$2a$10$x",
    "{BLF-CRYPT}$2y$12$x",
    "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$x$x",
    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$x$x",
    "{CRYPT}$y$j9T$x$x",
]
# Up to which rung a stored hash is replaced by a new one of a scheme.
NEW = {
    "SSHA256": 6,
    "SSHA512": 7,
    "PBKDF2": 10,
    "SHA256-CRYPT": 12,
    "SHA512-CRYPT": 15,
    "BLF-CRYPT": 18,
    "ARGON2ID": 21,
}


@pytest.mark.parametrize("scheme", passwords.SCHEMES)
def test_only_what_is_weaker_than_a_new_hash_is_to_be_replaced(scheme: str):
    rungs = range(len(LADDER))
    found = [rung for rung in rungs if schemes.weaker(LADDER[rung], scheme)]
    assert found == [rung for rung in rungs if rung < NEW[scheme]]


def test_a_new_hash_is_not_weaker_than_itself():
    for scheme in passwords.SCHEMES:
        made = passwords.hashed(Secret(PLAIN, None, scheme))
        assert not schemes.weaker(made, scheme)


WEAK = "{SSHA256}VaZ6eJmHy/EKsv/jlqA9mvWs9XFBZsBiqVPpZIXmsx58JwBo"
STRONGER = Secret("secret pass", None, "PBKDF2")
ANOTHER = Secret("another pass", None, "PBKDF2")


def test_a_weak_hash_holds_until_an_upgrade_is_asked_for():
    assert passwords.Keyring().holds(STRONGER, WEAK)
    assert not passwords.Keyring(upgrade=True).holds(STRONGER, WEAK)
    assert passwords.Keyring(upgrade=True).holds(STRONGER, PBKDF2)


def test_only_the_same_password_is_upgraded():
    assert passwords.Keyring(upgrade=True).upgrades(STRONGER, WEAK)
    assert not passwords.Keyring(upgrade=True).upgrades(ANOTHER, WEAK)
    assert not passwords.Keyring(upgrade=True).upgrades(STRONGER, PBKDF2)
    assert not passwords.Keyring(upgrade=True).upgrades(Secret(None, WEAK, ""), WEAK)
    assert not passwords.Keyring().upgrades(STRONGER, WEAK)


def test_a_hash_that_no_dovecot_knows_does_not_hold_but_can_be_upgraded():
    plain, stored = STORED["tine SSHA1"]
    assert not passwords.Keyring().holds(Secret(plain, None, "SSHA256"), stored)
    assert passwords.Keyring(upgrade=True).upgrades(Secret(plain, None, "SSHA256"), stored)


def test_a_keyring_does_each_slow_thing_once(monkeypatch: pytest.MonkeyPatch):
    keyring = passwords.Keyring()
    assert keyring.holds(STRONGER, PBKDF2)
    first = keyring.hashed("1", "smtp_users", STRONGER)
    monkeypatch.setattr(schemes, "verifies", None)
    monkeypatch.setattr(passwords, "hashed", None)
    assert keyring.holds(STRONGER, PBKDF2)
    assert keyring.hashed("1", "smtp_users", STRONGER) == first


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch):
    """Every (password, hash) that is really verified."""
    done: list[tuple[str, str]] = []
    usual = schemes.verifies

    def verifies(plain: str, stored: str) -> bool:
        done.append((plain, stored))
        return usual(plain, stored)

    monkeypatch.setattr(schemes, "verifies", verifies)
    return done


def test_equal_hashes_of_a_person_are_verified_once(verified):
    keyring = passwords.Keyring()
    keyring.verify([("1", STRONGER, (PBKDF2, PBKDF2)), ("2", ANOTHER, (PBKDF2, None))])
    assert sorted(verified) == [("another pass", PBKDF2), ("secret pass", PBKDF2)]
    assert keyring.holds(STRONGER, PBKDF2)
    assert not keyring.holds(ANOTHER, PBKDF2)
    assert len(verified) == 2


def test_what_is_quick_or_ready_is_not_verified_beforehand(verified):
    keyring = passwords.Keyring()
    keyring.verify([("1", STRONGER, (WEAK, WEAK)), ("2", Secret(None, PBKDF2, ""), (PBKDF2,))])
    assert not verified
    assert keyring.holds(STRONGER, WEAK)
    assert keyring.holds(Secret(None, PBKDF2, ""), PBKDF2)


def test_many_are_verified_and_made_as_if_one_by_one():
    wishes = [Secret(f"pass {number}", None, "PBKDF2") for number in range(60)]
    keyring = passwords.Keyring()
    keyring.prepare((str(n), "smtp_users", secret) for n, secret in enumerate(wishes))
    stored = [keyring.hashed(str(n), "smtp_users", secret) for n, secret in enumerate(wishes)]
    assert len(set(stored)) == 60
    later = passwords.Keyring()
    later.verify((str(n), wishes[n - n % 2], [stored[n]]) for n in range(60))
    assert [later.holds(wishes[n - n % 2], stored[n]) for n in range(60)] == [True, False] * 30


def test_each_table_and_each_person_has_a_salt_of_its_own():
    keyring = passwords.Keyring()
    for scheme in ("SSHA256", "PBKDF2"):
        secret = Secret("pw-a", None, scheme)
        made = {keyring.hashed(u, t, secret) for u in "12" for t in ("smtp_users", "dovecot_users")}
        assert len(made) == 4


def test_a_finished_hash_is_compared_as_it_is():
    keyring = passwords.Keyring()
    assert keyring.holds(Secret(None, "{SSHA256}a", ""), "{SSHA256}a")
    assert not keyring.holds(Secret(None, "{SSHA256}a", ""), "{SSHA256}b")
    assert keyring.hashed("1", "smtp_users", Secret(None, "{SSHA256}a", "")) == "{SSHA256}a"
