# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords: hashed in Dovecot's schemes, compared by verifying, never shown."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import importlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Callable

from .errors import Hidden, MissingLibrary, kind
from .model import Secret

DEFAULT_SCHEME = "SHA512-CRYPT"
PASSWORD_BYTES = 1024
BCRYPT_BYTES = 72

_CRYPT_ROUNDS = 5000  # Dovecot's own default; passlib's is 656,000
_PBKDF2_ROUNDS = 5000
_BLOWFISH_COST = 10
_SALT_BYTES = 8
_SALT_LETTERS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_STORED = re.compile(r"\{([A-Z0-9-]+)(?:\.(HEX|B64|BASE64))?\}([\x21-\x7e]+)")


def _library(module: str, package: str, scheme: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingLibrary(module.partition(".")[0], package, scheme) from None


def _passlib(scheme: str) -> Any:
    return _library("passlib.hash", "python3-passlib", scheme)


def _bcrypt() -> Any:
    return _library("bcrypt", "python3-bcrypt", "BLF-CRYPT")


def _argon2() -> Any:
    return _library("argon2", "python3-argon2", "ARGON2ID")


def _salt_text() -> str:
    return "".join(secrets.choice(_SALT_LETTERS) for _letter in range(16))


def _salted_digest(algorithm: str) -> Callable[[str], str]:
    def make(plain: str) -> str:
        salt = secrets.token_bytes(_SALT_BYTES)
        digest = hashlib.new(algorithm, plain.encode() + salt).digest()
        return base64.b64encode(digest + salt).decode("ascii")

    return make


def _sha256_crypt(plain: str) -> str:
    return str(_passlib("SHA256-CRYPT").sha256_crypt.using(rounds=_CRYPT_ROUNDS).hash(plain))


def _sha512_crypt(plain: str) -> str:
    return str(_passlib("SHA512-CRYPT").sha512_crypt.using(rounds=_CRYPT_ROUNDS).hash(plain))


def _blowfish(plain: str) -> str:
    library = _bcrypt()
    made = library.hashpw(plain.encode(), library.gensalt(_BLOWFISH_COST)).decode("ascii")
    return f"$2y${made[4:]}"


def _argon2id(plain: str) -> str:
    hasher = _argon2().PasswordHasher(time_cost=3, memory_cost=65536, parallelism=1)
    return str(hasher.hash(plain))


def _pbkdf2(plain: str) -> str:
    return _pbkdf2_with(plain, _salt_text(), _PBKDF2_ROUNDS)


def _pbkdf2_with(plain: str, salt: str, rounds: int) -> str:
    digest = hashlib.pbkdf2_hmac("sha1", plain.encode(), salt.encode(), rounds)
    return f"$1${salt}${rounds}${digest.hex()}"


@dataclass(frozen=True)
class _Scheme:
    make: Callable[[str], str]
    length: int  # of what is stored, with its prefix


_SCHEMES = {
    "SHA512-CRYPT": _Scheme(_sha512_crypt, 120),
    "SHA256-CRYPT": _Scheme(_sha256_crypt, 77),
    "SSHA512": _Scheme(_salted_digest("sha512"), 105),
    "SSHA256": _Scheme(_salted_digest("sha256"), 65),
    "BLF-CRYPT": _Scheme(_blowfish, 71),
    "ARGON2ID": _Scheme(_argon2id, 107),
    "PBKDF2": _Scheme(_pbkdf2, 73),
}
SCHEMES = tuple(_SCHEMES)


def _base64(bytes_at_least: int) -> str:
    return (
        rf"(?:[A-Za-z0-9+/]{{4}}){{{(bytes_at_least + 2) // 3 - 1},}}[A-Za-z0-9+/]{{2,4}}={{0,2}}"
    )


def _digest(size: int) -> str:
    return rf"(?:{_base64(size)}|[0-9A-Fa-f]{{{2 * size},}})"


_SHA256_CRYPT = r"\$5\$(?:rounds=\d+\$)?[./0-9A-Za-z]{0,16}\$[./0-9A-Za-z]{43}"
_SHA512_CRYPT = r"\$6\$(?:rounds=\d+\$)?[./0-9A-Za-z]{0,16}\$[./0-9A-Za-z]{86}"
_BLOWFISH = r"\$2[abxy]\$\d\d\$[./0-9A-Za-z]{53}"
# What both Dovecot 2.3 and 2.4 verify, and how it has to look.
_KNOWN_HASHES = {
    "SHA512-CRYPT": _SHA512_CRYPT,
    "SHA256-CRYPT": _SHA256_CRYPT,
    "BLF-CRYPT": _BLOWFISH,
    "CRYPT": f"(?:{_SHA512_CRYPT}|{_SHA256_CRYPT}|{_BLOWFISH})",
    "ARGON2ID": r"\$argon2id\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+",
    "ARGON2I": r"\$argon2i\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+",
    "PBKDF2": r"\$1\$[^$]+\$\d+\$[0-9a-fA-F]{40}",
    "SSHA512": _digest(65),
    "SSHA256": _digest(33),
    "SSHA": _digest(21),
    "SHA512": _digest(64),
    "SHA256": _digest(32),
    "SHA1": _digest(20),
    "SHA": _digest(20),
    "SCRAM-SHA-256": r"\d+,[A-Za-z0-9+/=]+,[A-Za-z0-9+/=]+,[A-Za-z0-9+/=]+",
    "CRAM-MD5": r"[0-9a-fA-F]{64}",
    "PLAIN": r".+",
    "CLEARTEXT": r".+",
}
_WEAK = frozenset(
    ("PLAIN-MD5", "MD5", "LDAP-MD5", "SMD5", "MD5-CRYPT", "DES-CRYPT", "LANMAN", "NTLM")
)


def clear_password(given: object) -> str:
    """A password that a client can send; any character but line ends and NUL."""
    if not isinstance(given, str):
        raise Hidden(f"expected text, not {kind(given)}: put it in quotes.")
    if not given:
        raise Hidden("is empty.")
    if set(given) & set("\0\r\n"):
        raise Hidden("holds a line end or NUL, which mail clients cannot send.")
    if _bytes_of(given) > PASSWORD_BYTES:
        raise Hidden(f"is longer than {PASSWORD_BYTES} bytes.")
    return str(given)


def _bytes_of(plain: str) -> int:
    try:
        return len(plain.encode())
    except UnicodeEncodeError:
        raise Hidden("is not valid Unicode text.") from None


def known_scheme(given: object) -> str:
    """The name of a scheme that new hashes can be made in."""
    name = str(given).upper()
    if name not in _SCHEMES:
        raise Hidden(f"{str(given)!r} is not one of {', '.join(SCHEMES)}.")
    return name


def suits(plain: str, scheme: str) -> None:
    """Refuse a password that the scheme would cut."""
    if scheme == "BLF-CRYPT" and len(plain.encode()) > BCRYPT_BYTES:
        raise Hidden(
            f"BLF-CRYPT uses only {BCRYPT_BYTES} bytes of a password: take another scheme."
        )


def ready_hash(given: object) -> str:
    """A finished hash with its scheme, of a kind that both Dovecot generations verify."""
    if not isinstance(given, str):
        raise Hidden(f"expected text, not {kind(given)}.")
    match = _STORED.fullmatch(given)
    if not match:
        raise Hidden("expected {SCHEME} followed by the hash, as doveadm pw prints it.")
    scheme, encoding, rest = match.groups()
    if scheme in _WEAK:
        raise Hidden(f"scheme {scheme} is refused by Dovecot 2.4 as too weak.")
    if scheme not in _KNOWN_HASHES:
        raise Hidden(f"scheme {scheme} is not known to Dovecot 2.3 and 2.4.")
    if not encoding and not re.fullmatch(_KNOWN_HASHES[scheme], rest):
        raise Hidden(f"does not look like a hash of scheme {scheme}.")
    return str(given)


def stored_length(secret: Secret) -> int:
    """How many characters a column must hold for this secret."""
    return len(secret.ready) if secret.ready else _SCHEMES[secret.scheme].length


def hashed(secret: Secret) -> str:
    """What to store for a secret."""
    if secret.ready is not None:
        return secret.ready
    return f"{{{secret.scheme}}}{_SCHEMES[secret.scheme].make(secret.plain or '')}"


def matches(plain: str, stored: str) -> bool:
    """Whether a stored hash was made from this password; what cannot be verified does not match."""
    match = _STORED.fullmatch(stored)
    if not match:
        return False
    scheme, encoding, rest = match.groups()
    try:
        return _verified(plain, scheme, encoding, rest)
    except (ValueError, binascii.Error):
        return False


def _verified(plain: str, scheme: str, encoding: str | None, rest: str) -> bool:
    if scheme in _DIGESTS:
        return _digest_matches(plain, scheme, encoding, rest)
    if scheme in ("PLAIN", "CLEARTEXT"):
        return hmac.compare_digest(plain.encode(), rest.encode())
    if scheme == "PBKDF2":
        _empty, _one, salt, rounds, _digest = rest.split("$")
        return _same(_pbkdf2_with(plain, salt, int(rounds)), rest)
    if rest.startswith("$argon2"):
        return _argon2_matches(plain, rest)
    if rest.startswith("$2"):
        return bool(_bcrypt().checkpw(plain.encode()[:BCRYPT_BYTES], f"$2b${rest[4:]}".encode()))
    return scheme in _CRYPTS and _crypt_matches(plain, rest)


_DIGESTS = {
    "SSHA512": "sha512",
    "SSHA256": "sha256",
    "SSHA": "sha1",
    "SMD5": "md5",
    "SHA512": "sha512",
    "SHA256": "sha256",
    "SHA1": "sha1",
    "SHA": "sha1",
    "PLAIN-MD5": "md5",
    "LDAP-MD5": "md5",
}
_CRYPTS = frozenset(("CRYPT", "SHA512-CRYPT", "SHA256-CRYPT", "MD5-CRYPT", "DES-CRYPT", "MD5"))


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.lower().encode(), other.lower().encode())


def _digest_matches(plain: str, scheme: str, encoding: str | None, rest: str) -> bool:
    size = hashlib.new(_DIGESTS[scheme]).digest_size
    is_hex = encoding == "HEX" or (
        not encoding and re.fullmatch(rf"[0-9a-fA-F]{{{2 * size}}}", rest)
    )
    raw = bytes.fromhex(rest) if is_hex else base64.b64decode(rest, validate=True)
    made = hashlib.new(_DIGESTS[scheme], plain.encode() + raw[size:]).digest()
    return hmac.compare_digest(made, raw[:size])


def _argon2_matches(plain: str, rest: str) -> bool:
    library = _argon2()
    try:
        return bool(library.PasswordHasher().verify(rest, plain))
    except (library.exceptions.VerificationError, library.exceptions.InvalidHash):
        return False


def _crypt_matches(plain: str, rest: str) -> bool:
    if re.fullmatch(r"[0-9a-fA-F]{32}", rest):  # tine's {MD5}
        return _same(hashlib.md5(plain.encode()).hexdigest(), rest)  # noqa: S324
    for prefix, name in _CRYPT_HANDLERS:
        if rest.startswith(prefix):
            return bool(getattr(_passlib("CRYPT"), name).verify(plain, rest))
    return False


_CRYPT_HANDLERS = (
    ("$6$", "sha512_crypt"),
    ("$5$", "sha256_crypt"),
    ("$1$", "md5_crypt"),
    ("", "des_crypt"),
)


class Keyring:
    """Remembers what was verified and hashed: none of it happens while a lock is held."""

    def __init__(self) -> None:
        self._verdicts: dict[tuple[Secret, str], bool] = {}
        self._hashes: dict[tuple[str, str, Secret], str] = {}

    def holds(self, secret: Secret, stored: str) -> bool:
        """Whether what is stored already is this password."""
        if secret.plain is None:
            return secret.ready == stored
        key = (secret, stored)
        if key not in self._verdicts:
            self._verdicts[key] = matches(secret.plain, stored)
        return self._verdicts[key]

    def hashed(self, userid: str, table: str, secret: Secret) -> str:
        """What to store for one account in one table: each has a salt of its own."""
        key = (userid, table, secret)
        if key not in self._hashes:
            self._hashes[key] = hashed(secret)
        return self._hashes[key]

    def prepare(self, rows: Iterable[tuple[str, str, Secret]]) -> None:
        """Hash what will be needed."""
        for userid, table, secret in rows:
            self.hashed(userid, table, secret)
