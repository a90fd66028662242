# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What earlier runs have verified, so that an unchanged run need not verify it again.

People fall into blocks by a hash of their userid. For each block the record holds one digest:
scrypt, with a salt of this file, over the userids, passwords and stored hashes of all its people
together. A block whose digest is on record needs no verifying; one that changed is looked up in
eighths, and what is left is verified one by one.

Why this weakens nothing. The record lies on the managed host alone (0600 root), not in the database
nor in its dumps. Whoever gets hold of it has to guess all passwords of a block at once. If he knows
all but one, each guess costs him one scrypt, which takes at least the time and the memory of one
guess at the hash in the database; and that hash he needs to have, for it is part of what is
digested. A hash whose cost is unknown, or too high to be matched, is verified each time.

Nothing depends on the record: one that is missing, damaged, of another version, not root's, or
open to others counts as empty, and one that cannot be written is not written.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import math
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from . import private_file, schemes
from .cores import on_all_cores

_VERSION = 1
_FEWEST = 16  # people for whom a record pays
_GRID = (
    3  # bits of the blocks' number from one level to the next: a larger block is eight smaller ones
)
_FINEST = 15
_LARGEST_BLOCK = 360  # people on average in the larger blocks; the smallest average is an eighth
_KEPT = 3  # digests of a block: for so many lists of people that are applied to one host in turn
_DIGEST_BYTES = 32
_SCRYPT_R = 8  # so that n is the memory in KiB
_SCRYPT_TIME = 0.002  # milliseconds per KiB, rather too low: see schemes.py for the other side
_MARGIN = 2
_MOST_MEMORY = 1 << 18
_MOST_PASSES = 32
_SLOT = re.compile(r"(?:0|3|6|9|12|15)/\d{1,5}")


class Claim(NamedTuple):
    """That all these hashes were made from this password."""

    userid: str
    plain: str
    hashes: tuple[str, ...]  # sorted


class _Work(NamedTuple):
    """The cost of a digest, in scrypt's words."""

    n: int
    p: int


class _Block(NamedTuple):
    """Some people, those whose userid hashes to a number that begins with these bits."""

    bits: int
    number: int
    claims: tuple[Claim, ...]

    @property
    def slot(self) -> str:
        return f"{self.bits}/{self.number}"


class Memory:
    """The record: asked before passwords are verified, and told afterwards."""

    def __init__(self, path: str, salt: bytes, slots: Mapping[str, Sequence[str]]) -> None:
        self._path = path
        self._salt = salt
        self._slots = {slot: list(digests) for slot, digests in slots.items()}
        self._digests: dict[_Block, str] = {}

    @classmethod
    def load(cls, path: str) -> Memory:
        """The record in this file, or an empty one that will be written there. Raises nothing."""
        try:
            return cls(path, *_parsed(private_file.content(path)))
        except (OSError, ValueError, RecursionError):
            return cls(path, secrets.token_bytes(_DIGEST_BYTES), {})

    def known(self, claims: Sequence[Claim]) -> set[Claim]:
        """The claims that earlier runs have proved."""
        proved: set[Claim] = set()
        rest = [claim for claim in claims if _work(claim)]
        for bits in _levels(len(rest)):
            recorded = [block for block in _blocks(rest, bits) if block.slot in self._slots]
            found = {block for block in self._digested(recorded) if self._holds(block)}
            proved.update(claim for block in found for claim in block.claims)
            rest = [claim for claim in rest if claim not in proved]
        return proved

    def remember(self, claims: Sequence[Claim]) -> None:
        """Put proved claims on record, for runs with just these people. Raises nothing."""
        with (
            contextlib.suppress(OSError),
            private_file.directory_of(self._path, make=True) as directory,
        ):
            if self._learned([claim for claim in claims if _work(claim)]):
                self._write(directory)

    def _learned(self, claims: Sequence[Claim]) -> bool:
        """Whether any block is new; the smaller ones are noted only where the larger one is new."""
        learned, rest = False, list(claims)
        for bits in _levels(len(rest)):
            new = [block for block in self._digested(_blocks(rest, bits)) if not self._holds(block)]
            for block in new:
                self._note(block.slot, [self._digests[block]])
            learned = learned or bool(new)
            rest = [claim for block in new for claim in block.claims]
        return learned

    def _holds(self, block: _Block) -> bool:
        return self._digests[block] in self._slots.get(block.slot, ())

    def _note(self, slot: str, digests: Sequence[str]) -> None:
        self._slots[slot] = list(dict.fromkeys([*digests, *self._slots.get(slot, ())]))[:_KEPT]

    def _digested(self, blocks: Sequence[_Block]) -> Sequence[_Block]:
        """These blocks, with their digests made; none where that cannot be done here."""
        missing = [block for block in blocks if block not in self._digests]
        memory = max((_work_of(block).n for block in missing), default=0)
        try:
            self._digests.update(zip(missing, on_all_cores(self._digest, missing, memory)))
        except (
            ValueError,
            MemoryError,
        ):  # OpenSSL may forbid scrypt, or the host have no room for it
            return ()
        return blocks

    def _digest(self, block: _Block) -> str:
        work = _work_of(block)
        return hashlib.scrypt(
            json.dumps(sorted(block.claims)).encode(),
            salt=self._salt + block.slot.encode(),
            n=work.n,
            r=_SCRYPT_R,
            p=work.p,
            maxmem=256 * _SCRYPT_R * (work.n + work.p),
            dklen=_DIGEST_BYTES,
        ).hex()

    def _write(self, directory: int) -> None:
        """Replace the file, all or nothing; what another run has noted meanwhile is kept."""
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        name = os.path.basename(self._path)
        with contextlib.suppress(OSError, ValueError, RecursionError):
            salt, slots = _parsed(private_file.content(self._path))
            for slot, digests in slots.items() if salt == self._salt else ():
                self._note(slot, [*self._slots.get(slot, ()), *digests])
        private_file.replace(directory, name, self._text().encode())

    def _text(self) -> str:
        return json.dumps({"version": _VERSION, "salt": self._salt.hex(), "blocks": self._slots})


def _work(claim: Claim) -> _Work | None:
    """What makes a digest at least as hard as any hash of this claim; None if nothing does."""
    costs = [schemes.cost(stored) for stored in claim.hashes]
    known = [cost for cost in costs if cost]
    if not known or len(known) < len(costs):
        return None
    memory, time = max(cost.memory for cost in known), max(cost.time for cost in known)
    n = 1 << (memory - 1).bit_length()
    passes = _MARGIN * time / (_SCRYPT_TIME * n)
    if n > _MOST_MEMORY or passes > _MOST_PASSES:
        return None
    return _Work(n, math.ceil(passes))


def _work_of(block: _Block) -> _Work:
    works = [work for work in map(_work, block.claims) if work]
    return _Work(max(work.n for work in works), max(work.p for work in works))


def _levels(people: int) -> Sequence[int]:
    """The two sizes of blocks; of a list that grows, the smaller ones become the larger ones."""
    if people < _FEWEST or not hasattr(hashlib, "scrypt"):
        return ()
    bits = 0
    while people >> bits > _LARGEST_BLOCK and bits < _FINEST - _GRID:
        bits += _GRID
    return bits, bits + _GRID


def _blocks(claims: Sequence[Claim], bits: int) -> Sequence[_Block]:
    members: dict[int, list[Claim]] = {}
    for claim in claims:
        number = int.from_bytes(hashlib.sha256(claim.userid.encode()).digest()[:4], "big")
        members.setdefault(number >> (32 - bits), []).append(claim)
    return [_Block(bits, number, tuple(sorted(block))) for number, block in members.items()]


def _parsed(content: bytes) -> tuple[bytes, dict[str, list[str]]]:
    """The salt and the digests of a record; ValueError if it is none of ours."""
    record = json.loads(content)
    try:
        salt, blocks = bytes.fromhex(record["salt"]), dict(record["blocks"])
        sound = record["version"] == _VERSION and len(salt) == _DIGEST_BYTES
        sound = sound and all(_SLOT.fullmatch(slot) for slot in blocks)
        sound = sound and all(isinstance(one, str) for slot in blocks for one in blocks[slot])
    except (TypeError, KeyError):
        sound = False
    if not sound:
        raise ValueError("not a record of this version")
    return salt, {slot: list(digests)[:_KEPT] for slot, digests in blocks.items()}
