# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema brings forward what it knows, and refuses what it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.errors import (
    UnknownSchema,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.schema import (
    TABLES,
    Actual,
    ActualColumn,
    ActualTable,
    Names,
    missing,
    steps,
)

NAMES = Names("dove", "post")


def complete() -> Actual:
    """A database in which nothing is missing but triggers and sentinel row."""
    return Actual(
        databases=frozenset(("dove", "post")),
        tables={
            (NAMES.database(table.database), table.name): ActualTable(
                "InnoDB",
                {
                    column.name: ActualColumn(
                        column.type,
                        "NOT NULL" not in column.rest,
                        int(column.type[8:-1]) if column.type.startswith("varchar") else None,
                        "utf8mb3_general_ci" if "varchar" in column.type else None,
                        "GENERATED" in column.rest,
                    )
                    for column in table.columns
                },
                {key.name: key.form for key in table.keys if key.name},
            )
            for table in TABLES
        },
    )


def with_column(table: str, name: str, **changed: object) -> Actual:
    actual = complete()
    key = next(key for key in actual.tables if key[1] == table)
    columns = dict(actual.tables[key].columns)
    columns[name] = replace(columns[name], **changed)
    return replace(
        actual, tables={**actual.tables, key: replace(actual.tables[key], columns=columns)}
    )


def words(actual: Actual) -> list[str]:
    return [
        step.words
        for step in steps(NAMES, actual)
        if "trigger" not in step.words and "row" not in step.words
    ]


def test_a_complete_schema_needs_nothing():
    assert words(complete()) == []
    needed = {table.name: [column.name for column in table.columns] for table in TABLES}
    assert missing(NAMES, complete(), needed) == []


def test_an_empty_server_gets_every_table_with_its_parents_first():
    created = [line.rpartition(".")[2] for line in words(Actual())]
    assert created == [table.name for table in TABLES]
    for table in TABLES:
        assert not table.parent or created.index(table.parent) < created.index(table.name)


def test_every_statement_names_charset_collation_and_engine():
    for step in steps(NAMES, Actual()):
        if step.words.startswith("create table"):
            (sql,) = step.sql
            assert "ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_" in sql
            assert "PRIMARY KEY" in sql or "UNIQUE KEY `force_unique`" in sql


@pytest.mark.parametrize("kind", ["bigint", "bigint(20)", "BIGINT(19)"])
def test_the_width_of_an_integer_does_not_matter(kind: str):
    assert words(with_column("dovecot_users", "quota_bytes", type=kind)) == []


@pytest.mark.parametrize(
    ("length", "wider"), [(80, True), (100, True), (255, False), (256, False), (400, False)]
)
def test_password_columns_are_only_ever_widened(length: int, wider: bool):
    actual = with_column("dovecot_users", "password", type=f"varchar({length})", length=length)
    assert bool(words(actual)) is wider


@pytest.mark.parametrize(
    ("table", "column", "changed", "told"),
    [
        (
            "dovecot_users",
            "home",
            {"type": "text"},
            "dove.dovecot_users.home is text; expected varchar(256)",
        ),
        (
            "dovecot_users",
            "username",
            {"nullable": True},
            "dove.dovecot_users.username allows NULL",
        ),
        (
            "smtp_users",
            "routing_domain",
            {"generated": False},
            "post.smtp_users.routing_domain is an ordinary column",
        ),
    ],
)
def test_what_is_not_known_is_refused_by_name(table: str, column: str, changed: dict, told: str):
    with pytest.raises(UnknownSchema) as fault:
        steps(NAMES, with_column(table, column, **changed))
    assert told in str(fault.value)


def test_a_database_name_is_quoted():
    assert Names("a`b", "p").table("dovecot_users") == "`a``b`.`dovecot_users`"
