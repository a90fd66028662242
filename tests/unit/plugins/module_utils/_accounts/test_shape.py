# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of which generation tables are, and what they cannot hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.schema import (
    TABLES,
    Actual,
    ActualColumn,
    ActualTable,
    Names,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.shape import (
    DESTINATION,
    IMAP,
    SMTP,
    lacking,
    shape_of,
)

NAMES = Names("d", "p")


def column(kind: str = "varchar(80)", length: int | None = 80) -> ActualColumn:
    return ActualColumn(kind, False, length, "latin1_swedish_ci", False)


def present() -> Actual:
    """The tables that mail_schema makes."""
    tables = {
        (NAMES.database(table.database), table.name): ActualTable(
            "InnoDB", {c.name: column() for c in table.columns}
        )
        for table in TABLES
    }
    return Actual(frozenset(("d", "p")), tables, locked=True)


def without(actual: Actual, table: tuple[str, str], *columns: str) -> Actual:
    there = actual.tables[table]
    kept = {name: known for name, known in there.columns.items() if name not in columns}
    return replace(actual, tables={**actual.tables, table: replace(there, columns=kept)})


def several(actual: Actual) -> Actual:
    """Tables for several tines."""
    users, routes = ("p", "smtp_users"), ("p", "smtp_destinations")
    tables = without(actual, routes, "userid").tables
    tables[routes].columns["users_id"] = column("int(11)", None)  # type: ignore[index]
    tables[users].columns["id"] = column("int(11)", None)  # type: ignore[index]
    return replace(actual, tables=tables)


def test_our_own_tables_lack_nothing():
    assert lacking(NAMES, present()) == []
    shape = shape_of(NAMES, present())
    assert shape.absent == frozenset()
    assert (shape.owner, shape.multi) == ("userid", False)
    assert dict(shape.imap) == IMAP
    assert dict(shape.destination) == DESTINATION
    assert {**shape.smtp, "id": "id"} == SMTP
    assert shape.dated == {"dovecot_users", "smtp_users"}
    assert shape.collation == "latin1_swedish_ci"
    assert shape.lengths["p.smtp_users.passwd"] == 80


def test_tables_for_several_tines_are_known_by_their_key():
    actual = several(present())
    assert lacking(NAMES, actual) == []
    shape = shape_of(NAMES, actual)
    assert (shape.owner, shape.multi) == ("users_id", True)
    assert shape.smtp["id"] == "id"
    assert shape.absent == frozenset()


@pytest.mark.parametrize(
    ("table", "name", "field"),
    [
        (("d", "dovecot_users"), "loginname", "imap.loginname"),
        (("d", "dovecot_users"), "instancename", "imap.instance"),
        (("d", "dovecot_users"), "quota_sieve_script", "imap.quota_sieve_scripts"),
        (("d", "dovecot_users"), "quota_sieve_bytes", "imap.quota_sieve"),
        (("d", "dovecot_users"), "quota_message", "imap.quota_messages"),
        (("d", "dovecot_users"), "status", "imap.status"),
        (("d", "dovecot_users"), "home", "imap.home"),
        (("p", "smtp_users"), "status", "smtp.status"),
        (("p", "smtp_users"), "expiry_date", "smtp.expires"),
        (("p", "smtp_destinations"), "dispatch_address", "destination.dispatch"),
    ],
)
def test_a_column_that_is_not_there_is_a_field_that_is_absent(
    table: tuple[str, str], name: str, field: str
):
    actual = without(present(), table, name)
    assert lacking(NAMES, actual) == []
    assert shape_of(NAMES, actual).absent == {field}


def test_what_dates_rows_is_looked_for_in_each_table():
    actual = without(present(), ("d", "dovecot_users"), "last_modified_time")
    assert shape_of(NAMES, actual).dated == {"smtp_users"}
    assert shape_of(NAMES, actual).absent == frozenset()


@pytest.mark.parametrize(
    ("table", "names"),
    [
        (("d", "dovecot_users"), ("userid", "domain", "username", "password", "quota_bytes")),
        (
            ("p", "smtp_users"),
            ("userid", "client_idnr", "username", "passwd", "email", "forward_only"),
        ),
        (("p", "smtp_destinations"), ("source", "destination", "userid")),
        (("p", "smtp_virtual_domains"), ("domain",)),
        (("p", "mailserver_lock"), ("id", "generation")),
    ],
)
def test_what_every_generation_has_is_missed_by_name(
    table: tuple[str, str], names: tuple[str, ...]
):
    said = ".".join(table)
    for name in names:
        assert lacking(NAMES, without(present(), table, name)) == [f"column {said}.{name}"]
    actual = present()
    tables = {key: known for key, known in actual.tables.items() if key != table}
    assert lacking(NAMES, replace(actual, tables=tables)) == [f"table {said}"]


def test_an_empty_server_lacks_every_table():
    assert len(lacking(NAMES, Actual())) == 5
