# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""To guess at the record of verified passwords costs more than to guess at the database."""

from __future__ import annotations

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts import (
    schemes,
    verified,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.verified import Claim

COSTLY = [
    "{SHA512-CRYPT}$6$salt$x",
    "{SHA512-CRYPT}$6$rounds=20000$salt$x",
    "{SHA256-CRYPT}$5$rounds=30000$salt$x",
    "{PBKDF2}$1$salt$50000$x",
    "{BLF-CRYPT}$2y$10$x",
    "{BLF-CRYPT}$2y$12$x",
    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$x$x",
    "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$x$x",
]


@pytest.mark.parametrize("stored", COSTLY)
def test_a_digest_costs_more_than_the_hash_of_one_person(stored: str):
    work = verified._work(Claim("id", "pass", (stored,)))
    cost = schemes.cost(stored)
    assert work
    assert cost
    assert work.n >= cost.memory >= 4096
    assert work.n * work.p * verified._SCRYPT_TIME >= 2 * cost.time


def test_a_block_costs_what_its_most_expensive_hash_asks_for():
    people = [Claim(f"id{n}", "pass", (stored,)) for n, stored in enumerate(COSTLY)]
    (block,) = verified._blocks(people, 0)
    for one in people:
        work = verified._work(one)
        assert work
        assert verified._work_of(block) >= work
        assert verified._work_of(block).p >= work.p


@pytest.mark.parametrize(
    "stored",
    [
        "{CRYPT}$y$j9T$x$x",
        "{BLF-CRYPT}$2y$31$x",
        "{ARGON2ID}$argon2id$v=19$m=4194304,t=3,p=1$x$x",
        "{ARGON2ID}$x",
        "{SHA512-CRYPT}$6$rounds=999999999$salt$x",
    ],
)
def test_what_no_digest_can_match_is_verified_each_time(stored: str):
    assert verified._work(Claim("id", "pass", (stored, "{PBKDF2}$1$salt$1$x"))) is None
