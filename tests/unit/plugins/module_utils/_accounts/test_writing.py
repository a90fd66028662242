# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes as statements: in an order that no key objects to, and in portions that hold together."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.model import (
    Account,
    Destination,
    ImapRow,
    Secret,
    SmtpRow,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.plan import Change
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.schema import Names
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.shape import (
    SMTP,
    Shape,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.wanted import Wanted
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.writing import (
    statements,
    together,
)
from hypothesis import given
from hypothesis import strategies as st

NAMES = Names("main", "main")
MULTI = Shape(smtp=SMTP, owner="users_id")
HASH = "{SSHA256}x"


def account(
    name: str,
    userid: str = "",
    forwards: Sequence[str] = (),
    aliases: Sequence[str] = (),
    number: int | None = None,
    **smtp: object,
) -> Account:
    address = f"{name}@example.org"
    userid = userid or name
    imap = ImapRow(
        *(userid, "example.org", address, address, HASH, 0, 0, 0, 0, "v", "v", "/h"),
        *(None, "enabled", None),
    )
    row = SmtpRow(userid, "o", address, HASH, address, False, "enabled", None, number)
    rows = {Destination(address, address, False)}  # noqa: FBT003
    rows |= {Destination(address, target, True) for target in forwards}  # noqa: FBT003
    rows |= {Destination(alias, address, True) for alias in aliases}  # noqa: FBT003
    return Account(imap, row._replace(**smtp), frozenset(rows))


def change(before: Account | None, after: Account | None) -> Change:
    address = (after or before or account("x")).address
    return Change(before, after, Wanted(address, "new"))


def told(changes: Sequence[Change], shape: Shape = Shape()) -> list[tuple[str, list]]:  # noqa: B008
    return [
        (statement.sql.replace("`main`.", "").replace("`", ""), list(statement.rows))
        for statement in statements(NAMES, shape, changes, lambda *_: "{NEW}", "now")
    ]


def test_nothing_is_written_for_what_is_as_it_was():
    ann = account("ann")
    assert told([change(ann, ann)]) == []
    assert told([]) == []


def test_an_account_comes_as_mailbox_user_and_destinations():
    verbs = [" ".join(sql.split()[:3]) for sql, _rows in told([change(None, account("ann"))])]
    assert verbs == [
        "INSERT INTO dovecot_users",
        "INSERT INTO smtp_users",
        "INSERT INTO smtp_destinations",
    ]


def test_an_account_goes_the_other_way_round():
    verbs = [" ".join(sql.split()[:3]) for sql, _rows in told([change(account("ann"), None)])]
    assert verbs == [
        "DELETE FROM smtp_destinations",
        "DELETE FROM smtp_users",
        "DELETE FROM dovecot_users",
    ]


def test_what_goes_with_its_twin_comes_back():
    one = account("ann", aliases=["a@example.org"])
    twins = {
        "spelling": Destination("A@example.org", "ann@example.org", True),  # noqa: FBT003
        "flag": Destination("a@example.org", "ann@example.org", False),  # noqa: FBT003
    }
    for twin in twins.values():
        both = one._replace(destinations=one.destinations | {twin})
        (gone, new, _dated) = told([change(both, one)])
        assert gone[1] == [("ann", twin.source, twin.target)]
        assert new[1] == [("ann", "a@example.org", "ann@example.org", 1)]
        assert told([change(one, both)])[0][1] == [("ann", *twin[:2], int(twin.dispatch))]


def test_ids_of_several_tines_are_asked_of_the_server_for_new_accounts_only():
    new, old = account("new"), account("old", number=7)
    more = account("old", number=7, aliases=["o@example.org"])
    found = told([change(None, new), change(old, more)], MULTI)
    inserts = {sql: rows for sql, rows in found if "smtp_destinations" in sql}
    (asked,) = [sql for sql in inserts if "SELECT" in sql]
    (known,) = [sql for sql in inserts if "VALUES" in sql]
    assert "client_idnr <=> %s" in asked
    assert inserts[asked] == [("new@example.org", "new@example.org", 0, "new", "o")]
    assert inserts[known] == [(7, "o@example.org", "old@example.org", 1)]
    assert not any(
        "id," in sql.split("(")[1].split(")")[0].replace("userid,", "")
        for sql, _rows in found
        if sql.startswith("INSERT INTO smtp_users")
    )


def test_a_column_that_is_not_there_is_in_no_statement():
    shape = Shape(
        imap={k: v for k, v in Shape().imap.items() if k not in ("loginname", "status", "expires")},
        smtp={k: v for k, v in Shape().smtp.items() if k not in ("status", "expires")},
        destination={"source": "source", "target": "destination"},
        dated=frozenset(),
    )
    ann = account("ann")
    moved = account("ann", aliases=["a@example.org"], email="b@example.org")
    for changes in ([change(None, ann)], [change(ann, moved)], [change(moved, None)]):
        for sql, rows in told(changes, shape):
            assert not {"loginname", "status", "dispatch_address", "last_modified"} & set(
                sql.replace(",", " ").replace("(", " ").replace(")", " ").split()
            )
            assert all(len(row) == sql.count("%s") for row in rows)


def test_secrets_are_asked_for_when_they_are_written():
    secret = Secret("clear", None, "SSHA256")
    ann = account("ann")
    new = Account(
        ann.imap and ann.imap._replace(password=secret),
        ann.smtp and ann.smtp._replace(password=secret),
        ann.destinations,
    )
    for before in (None, ann):
        text = repr(told([change(before, new)]))
        assert "clear" not in text
        assert text.count("{NEW}") == 2


# ---- the order holds: run against keys that object at once

CREATE = """
CREATE TABLE dovecot_users (userid, domain, username UNIQUE COLLATE NOCASE,
  loginname UNIQUE COLLATE NOCASE, password, quota_bytes, quota_message, quota_sieve_bytes,
  quota_sieve_script, uid, gid, home, instancename, status, expiry_date, last_modified_time,
  PRIMARY KEY (userid, domain));
CREATE TABLE smtp_users (userid, client_idnr, username UNIQUE COLLATE NOCASE, passwd,
  email UNIQUE COLLATE NOCASE, forward_only, status, expiry_date, last_modified_time,
  PRIMARY KEY (userid, client_idnr));
CREATE TABLE smtp_destinations (userid, source COLLATE NOCASE, destination COLLATE NOCASE,
  dispatch_address, UNIQUE (source, destination))
"""


def run(connection: sqlite3.Connection, changes: Sequence[Change]) -> None:
    for sql, rows in told(changes):
        connection.executemany(sql.replace("%s", "?").replace("<=>", "IS"), rows)


def stored(connection: sqlite3.Connection) -> set[tuple[object, ...]]:
    users = connection.execute("SELECT userid, username, email FROM smtp_users").fetchall()
    mailboxes = connection.execute("SELECT userid, username, loginname FROM dovecot_users")
    routes = connection.execute("SELECT * FROM smtp_destinations").fetchall()
    return {*users, *(("imap", *row) for row in mailboxes), *routes}


@st.composite
def directories(draw: st.DrawFn) -> dict[str, Account]:
    """Five userids, each with one of five names in some spelling, or not there."""
    names = draw(st.permutations("abcde"))
    people = draw(st.sets(st.sampled_from("12345")))
    spelled = {p: draw(st.sampled_from([n, n.upper()])) for p, n in zip("12345", names)}
    return {p: account(spelled[p], f"u{p}", aliases=[f"x{spelled[p]}"]) for p in sorted(people)}


@given(directories(), directories())
def test_any_directory_becomes_any_other_without_an_objection(
    first: dict[str, Account], second: dict[str, Account]
):
    connection = sqlite3.connect(":memory:")
    connection.executescript(CREATE)
    run(connection, [change(None, one) for one in first.values()])
    people = sorted({*first, *second})
    run(connection, [change(first.get(p), second.get(p)) for p in people])
    other = sqlite3.connect(":memory:")
    other.executescript(CREATE)
    run(other, [change(None, one) for one in second.values()])
    assert stored(connection) == stored(other)


# ---- portions


@given(directories(), directories(), st.integers(0, 4))
def test_portions_hold_every_change_once_and_names_together(
    first: dict[str, Account], second: dict[str, Account], size: int
):
    changes = [change(first.get(p), second.get(p)) for p in sorted({*first, *second})]
    portions = together(changes, size)
    assert sorted(id(c) for portion in portions for c in portion) == sorted(map(id, changes))
    assert all(portions)
    connection = sqlite3.connect(":memory:")
    connection.executescript(CREATE)
    run(connection, [change(None, one) for one in first.values()])
    for portion in portions:
        run(connection, portion)
    other = sqlite3.connect(":memory:")
    other.executescript(CREATE)
    run(other, [change(None, one) for one in second.values()])
    assert stored(connection) == stored(other)


def test_nothing_comes_in_no_portion():
    assert together([], 0) == together([], 3) == []


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_portions_are_no_larger_than_asked_for_where_nothing_holds_them_together(size: int):
    changes = [change(None, account(f"p{n}")) for n in range(7)]
    assert [len(portion) for portion in together(changes, size)] == (
        [size] * (7 // size) + ([7 % size] if 7 % size else [])
    )


def test_forwards_go_before_others_come():
    a, b = account("a"), account("b")
    to_a, to_b = account("b", forwards=["a@example.org"]), account("a", forwards=["b@example.org"])
    turned = [change(b, to_a), change(to_b, a)]
    assert together(turned, 1) == [[turned[1]], [turned[0]]]
    assert together(turned, 0) == [turned]
    moved = [
        change(account("c", forwards=["a@example.org"]), account("c", forwards=["b@example.org"])),
        change(account("d", forwards=["b@example.org"]), account("d", forwards=["c@example.org"])),
    ]
    assert together([*moved, *turned], 1) == [[turned[1]], moved, [turned[0]]]
