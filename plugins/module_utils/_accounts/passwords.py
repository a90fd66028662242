# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords: hashed in Dovecot's schemes, compared by verifying, never shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Callable

from . import libcrypt, schemes
from .cores import Item, Result, on_all_cores
from .errors import Hidden, kind
from .model import Secret
from .verified import Claim, Memory

DEFAULT_SCHEME = "SHA512-CRYPT"
SCHEMES = tuple(schemes.SCHEMES)
PASSWORD_BYTES = 1024

_FEW = 20.0  # milliseconds of work for which no thread is started
_STORED = re.compile(r"\{([A-Z0-9-]+)(?:\.(HEX|B64|BASE64))?\}([\x21-\x7e]+)")
# Longer ones are cut by bcrypt, and refused by crypt(3) and so by Dovecot.
_LONGEST = {
    "BLF-CRYPT": schemes.BCRYPT_BYTES,
    "SHA512-CRYPT": libcrypt.PASSWORD_BYTES,
    "SHA256-CRYPT": libcrypt.PASSWORD_BYTES,
}


def _base64(bytes_at_least: int) -> str:
    return (
        rf"(?:[A-Za-z0-9+/]{{4}}){{{(bytes_at_least + 2) // 3 - 1},}}[A-Za-z0-9+/]{{2,4}}={{0,2}}"
    )


def _salted(bytes_at_least: int) -> str:
    # Dovecot takes hex for base64 here: nobody could log in with it.
    return rf"(?![0-9A-Fa-f]+\Z){_base64(bytes_at_least)}"


def _digest(size: int) -> str:
    return rf"(?:{_base64(size)}|[0-9A-Fa-f]{{{2 * size}}})"


_SHA256_CRYPT = r"\$5\$(?:rounds=\d+\$)?[./0-9A-Za-z]{0,16}\$[./0-9A-Za-z]{43}"
_SHA512_CRYPT = r"\$6\$(?:rounds=\d+\$)?[./0-9A-Za-z]{0,16}\$[./0-9A-Za-z]{86}"
_BLOWFISH = r"\$2[abxy]\$\d\d\$[./0-9A-Za-z]{53}"
# What both Dovecot 2.3 and 2.4 verify, and how it has to look.
KNOWN_HASHES = {
    "SHA512-CRYPT": _SHA512_CRYPT,
    "SHA256-CRYPT": _SHA256_CRYPT,
    "BLF-CRYPT": _BLOWFISH,
    "CRYPT": f"(?:{_SHA512_CRYPT}|{_SHA256_CRYPT}|{_BLOWFISH})",
    "ARGON2ID": r"\$argon2id\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+",
    "ARGON2I": r"\$argon2i\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+",
    "PBKDF2": r"\$1\$[^$]+\$\d+\$[0-9a-fA-F]{40}",
    "SSHA512": _salted(65),
    "SSHA256": _salted(33),
    "SSHA": _salted(21),
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
    if name not in schemes.SCHEMES:
        raise Hidden(f"{str(given)!r} is not one of {', '.join(SCHEMES)}.")
    return name


def suits(plain: str, scheme: str) -> None:
    """Refuse a password that the scheme would not take whole."""
    longest = _LONGEST.get(scheme, PASSWORD_BYTES)
    if len(plain.encode()) > longest:
        raise Hidden(f"{scheme} takes only {longest} bytes of a password: take another scheme.")


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
    if scheme not in KNOWN_HASHES:
        raise Hidden(f"scheme {scheme} is not known to Dovecot 2.3 and 2.4.")
    if not encoding and not re.fullmatch(KNOWN_HASHES[scheme], rest):
        raise Hidden(f"does not look like a hash of scheme {scheme}.")
    return str(given)


def stored_length(secret: Secret) -> int:
    """How many characters a column must hold for this secret."""
    return len(secret.ready) if secret.ready else schemes.SCHEMES[secret.scheme].length


def hashed(secret: Secret) -> str:
    """What to store for a secret."""
    if secret.ready is not None:
        return secret.ready
    return f"{{{secret.scheme}}}{schemes.SCHEMES[secret.scheme].make(secret.plain or '')}"


def matches(plain: str, stored: str) -> bool:
    """Whether a stored hash was made from this password; what cannot be verified does not match."""
    return schemes.verifies(plain, stored)


class Keyring:
    """Verifies and hashes, the slow things once and on all cores, before any lock is held.

    With `upgrade`, a stored hash that is weaker than a new one would be does not hold. `memory`
    knows what earlier runs have verified.
    """

    def __init__(self, upgrade: bool = False, memory: Memory | None = None) -> None:
        self._upgrade = upgrade
        self._memory = memory
        self._wishes: dict[str, tuple[Secret, Claim]] = {}
        self._verdicts: dict[tuple[str, str], bool] = {}
        self._hashes: dict[tuple[str, str, Secret], str] = {}

    def verify(self, people: Iterable[tuple[str, Secret, Sequence[str | None]]]) -> None:
        """Verify what holds() will be asked: the userid, the wish and the stored hashes of each.

        One call for all people of a run, since the memory knows them by blocks.
        """
        for userid, secret, stored in people:
            hashes = {one for one in stored if one and schemes.slow(one)}
            if secret.plain is not None and hashes:
                claim = Claim(userid, secret.plain, tuple(sorted(hashes)))
                self._wishes[userid] = secret, claim
        claims = [claim for _secret, claim in self._wishes.values()]
        known = self._memory.known(claims) if self._memory else set()
        self._verdicts.update(dict.fromkeys(_pairs(known), True))
        self._judge(pair for pair in _pairs(claims) if pair not in self._verdicts)

    def _judge(self, pairs: Iterable[tuple[str, str]]) -> None:
        once = list(dict.fromkeys(pairs))
        costs = [schemes.cost(stored) for _plain, stored in once]
        verdicts = _in_parallel(lambda pair: schemes.verifies(*pair), once, costs)
        self._verdicts.update(zip(once, verdicts))

    def holds(self, secret: Secret, stored: str) -> bool:
        """Whether what is stored can stay: it is this password, in a form that will do."""
        if secret.plain is None:
            return secret.ready == stored
        if self._upgrade and schemes.weaker(stored, secret.scheme):
            return False
        verdict = schemes.quick_verdict(secret.plain, stored)
        if verdict is None:
            return self._verified(secret.plain, stored) and schemes.usable(stored)
        return verdict

    def upgrades(self, secret: Secret, stored: str) -> bool:
        """Whether what is stored is this password in a form for which a stronger one is wished."""
        if secret.plain is None or not self._upgrade:
            return False
        return schemes.weaker(stored, secret.scheme) and self._verified(secret.plain, stored)

    def _verified(self, plain: str, stored: str) -> bool:
        verdict = self._verdicts.get((plain, stored))
        if verdict is None:
            verdict = self._verdicts[plain, stored] = schemes.verifies(plain, stored)
        return verdict

    def prepare(self, rows: Iterable[tuple[str, str, Secret]]) -> None:
        """Hash what hashed() will be asked: the userid, the table and the wish of each row."""
        todo = [row for row in dict.fromkeys(rows) if row not in self._hashes and _is_slow(row[2])]
        costs = [schemes.cost_of_making(secret.scheme) for _userid, _table, secret in todo]
        made = _in_parallel(lambda row: hashed(row[2]), todo, costs)
        self._hashes.update(zip(todo, made))
        # A COMMIT whose answer was lost is read again, under the lock: nothing is verified there.
        self._verdicts.update({(row[2].plain or "", new): True for row, new in zip(todo, made)})

    def hashed(self, userid: str, table: str, secret: Secret) -> str:
        """What to store for one account in one table: each has a salt of its own."""
        if secret.ready is not None:
            return secret.ready
        if not _is_slow(secret):
            return hashed(secret)
        row = (userid, table, secret)
        if row not in self._hashes:
            self._hashes[row] = hashed(secret)
        return self._hashes[row]

    def remember(self) -> None:
        """Note for the next run what was verified and made, which is true even if not written."""
        if self._memory:
            self._memory.remember(list(self._proved()))

    def _proved(self) -> Iterator[Claim]:
        """Every person with the slow hashes that are stored now, if what was made was written."""
        made: dict[str, list[tuple[str, str]]] = {}
        for (userid, _table, secret), stored in self._hashes.items():
            made.setdefault(userid, []).append((secret.plain or "", stored))
        for userid in {**self._wishes, **made}:
            plain, hashes = self._stored_now(userid, made.get(userid, []))
            if hashes:
                yield Claim(userid, plain, tuple(sorted(hashes)))

    def _stored_now(self, userid: str, made: Sequence[tuple[str, str]]) -> tuple[str, set[str]]:
        new = {stored for _plain, stored in made}
        if userid not in self._wishes:
            return made[0][0], new
        secret, claim = self._wishes[userid]
        kept = {stored for stored in claim.hashes if self.holds(secret, stored)}
        # What neither holds nor was replaced is another password, and is to stay.
        return claim.plain, kept | new if new or len(kept) == len(claim.hashes) else set()


def _is_slow(secret: Secret) -> bool:
    return secret.ready is None and schemes.SCHEMES[secret.scheme].work > 1


def _pairs(claims: Iterable[Claim]) -> Iterator[tuple[str, str]]:
    return ((claim.plain, stored) for claim in claims for stored in claim.hashes)


def _in_parallel(
    work: Callable[[Item], Result], items: Sequence[Item], costs: Sequence[schemes.Cost | None]
) -> list[Result]:
    """On all cores if it is worth starting a thread, and on as many as there is memory for."""
    known = [cost for cost in costs if cost]
    if sum(cost.time for cost in known) < _FEW:
        return [work(item) for item in items]
    return on_all_cores(work, items, max(cost.memory for cost in known))
