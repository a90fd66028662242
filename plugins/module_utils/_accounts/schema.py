# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and forms of tables and columns, in one place, and what they lack."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .errors import UnknownSchema

PASSWORD_LENGTH = 255
COLLATION = "utf8mb3_general_ci"

DOVECOT, POSTFIX = "dovecot", "postfix"  # which of the two databases a table belongs to


@dataclass(frozen=True)
class Column:
    """A column as information_schema tells it (type) and as CREATE TABLE says it (text)."""

    name: str
    type: str
    rest: str = "DEFAULT NULL"
    added: bool = False  # ours, or one that tine does without

    def text(self, collation: str) -> str:
        named = "varchar" in self.type or "enum" in self.type
        charset = f" CHARACTER SET {collation.partition('_')[0]} COLLATE {collation}"
        return f"`{self.name}` {self.type}{charset if named else ''} {self.rest}"

    def suits(self, actual: str) -> bool:
        return _plain(actual) == _plain(self.type)

    def widened(self, actual: str) -> bool:
        """A password column that is shorter or longer than ours but otherwise the same."""
        return self.name in ("password", "passwd") and actual.startswith("varchar(")


def _plain(column_type: str) -> str:
    """Servers show or hide the width of integers."""
    return re.sub(r"^(tinyint|int|bigint)\(\d+\)", r"\1", column_type.lower())


@dataclass(frozen=True)
class Key:
    """An index or a constraint."""

    name: str
    text: str
    added: bool = False


@dataclass(frozen=True)
class Table:
    """A table of ours or of tine."""

    database: str
    name: str
    columns: Sequence[Column]
    keys: Sequence[Key]
    collation: str = COLLATION
    added: bool = False
    parent: str = ""  # a table whose collation this one has to share for its foreign key


NOT_NULL = "NOT NULL"
_STATUS = (
    # A tine that does not have them yet lists the columns that it writes: NULL means active.
    Column("status", "varchar(80)", added=True),
    Column("expiry_date", "datetime", added=True),
    Column("last_modified_time", "datetime", added=True),
)
_CASCADE = "ON DELETE CASCADE ON UPDATE CASCADE"

TABLES = (
    Table(
        DOVECOT,
        "dovecot_users",
        (
            Column("userid", "varchar(80)", NOT_NULL),
            Column("domain", "varchar(80)", "NOT NULL DEFAULT ''"),
            Column("username", "varchar(80)", NOT_NULL),
            Column("loginname", "varchar(255)"),
            Column("password", f"varchar({PASSWORD_LENGTH})", NOT_NULL),
            Column("quota_bytes", "bigint(20)", "NOT NULL DEFAULT 2000"),
            Column("quota_message", "int(11)", "NOT NULL DEFAULT 0"),
            Column("quota_sieve_bytes", "bigint(20)", "NOT NULL DEFAULT 0"),
            Column("quota_sieve_script", "int(11)", "NOT NULL DEFAULT 0"),
            Column("uid", "varchar(20)"),
            Column("gid", "varchar(20)"),
            Column("home", "varchar(256)"),
            Column("last_login", "datetime"),
            Column("last_login_unix", "int(11)"),
            Column("instancename", "varchar(40)"),
            *_STATUS,
        ),
        (
            Key("PRIMARY", "PRIMARY KEY (`userid`,`domain`)"),
            Key("username", "UNIQUE KEY `username` (`username`)"),
            Key("loginname", "UNIQUE KEY `loginname` (`loginname`)"),
            # A part of it: older row formats have no room for more.
            Key("home", "KEY `home` (`home`(64))", added=True),
        ),
    ),
    Table(
        DOVECOT,
        "dovecot_usage",
        (
            Column("username", "varchar(80)", NOT_NULL),
            Column("storage", "bigint(20)", "NOT NULL DEFAULT 0"),
            Column("messages", "bigint(20)", "NOT NULL DEFAULT 0"),
        ),
        (
            Key("PRIMARY", "PRIMARY KEY (`username`)"),
            Key(
                "",
                "CONSTRAINT `dovecot_usage::username--dovecot_users::username` FOREIGN KEY "
                f"(`username`) REFERENCES `dovecot_users` (`username`) {_CASCADE}",
            ),
        ),
        parent="dovecot_users",
    ),
    Table(
        DOVECOT,
        "dovecot_master_users",
        (
            Column("username", "varchar(80)", NOT_NULL),
            Column("password", f"varchar({PASSWORD_LENGTH})", NOT_NULL),
            Column("service", "enum('sieve','all')", "DEFAULT 'sieve'"),
        ),
        (Key("PRIMARY", "PRIMARY KEY (`username`)"),),
        collation="utf8mb3_unicode_ci",
    ),
    Table(
        DOVECOT,
        "dovecot_last_login",
        (
            Column("username", "varchar(80)", NOT_NULL),
            Column("last_login_unix", "bigint(20)", NOT_NULL),
        ),
        (
            Key("PRIMARY", "PRIMARY KEY (`username`)"),
            Key(
                "",
                "CONSTRAINT `dovecot_last_login::username--dovecot_users::username` FOREIGN KEY "
                f"(`username`) REFERENCES `dovecot_users` (`username`) {_CASCADE}",
            ),
        ),
        added=True,
        parent="dovecot_users",
    ),
    # Whose sessions the IMAP hosts are to end, written with the change that is the reason.
    Table(
        DOVECOT,
        "dovecot_sessions_to_end",
        (
            Column("id", "bigint(20) unsigned", "NOT NULL AUTO_INCREMENT"),
            Column("username", "varchar(80)", NOT_NULL),
            Column("since", "datetime", NOT_NULL),
        ),
        (
            Key("PRIMARY", "PRIMARY KEY (`id`)"),
            Key("since", "KEY `since` (`since`)"),
        ),
        added=True,
        parent="dovecot_users",
    ),
    Table(
        POSTFIX,
        "smtp_users",
        (
            Column("userid", "varchar(40)", NOT_NULL),
            Column("client_idnr", "varchar(40)", NOT_NULL),
            Column("username", "varchar(80)", NOT_NULL),
            Column("passwd", "varchar(256)", NOT_NULL),
            Column("email", "varchar(80)"),
            Column("forward_only", "tinyint(1)", "NOT NULL DEFAULT 0"),
            *_STATUS,
            Column(
                "routing_domain",
                "varchar(80)",
                "GENERATED ALWAYS AS "
                "(IF(`username` = `email`, NULL, SUBSTRING_INDEX(`username`, '@', -1))) VIRTUAL",
                added=True,
            ),
            Column(
                "address_domain",
                "varchar(80)",
                "GENERATED ALWAYS AS (SUBSTRING_INDEX(`email`, '@', -1)) VIRTUAL",
                added=True,
            ),
        ),
        (
            Key("PRIMARY", "PRIMARY KEY (`userid`,`client_idnr`)"),
            Key("username", "UNIQUE KEY `username` (`username`)"),
            Key("email", "UNIQUE KEY `email` (`email`)"),
            Key("routing_domain", "KEY `routing_domain` (`routing_domain`)", added=True),
            Key("address_domain", "KEY `address_domain` (`address_domain`)", added=True),
        ),
    ),
    Table(
        POSTFIX,
        "smtp_destinations",
        (
            Column("userid", "varchar(40)", NOT_NULL),
            Column("source", "varchar(80)", NOT_NULL),
            Column("destination", "varchar(80)", NOT_NULL),
            Column("dispatch_address", "tinyint(1)", "NOT NULL DEFAULT 1"),
            *_STATUS,
            Column(
                "source_domain",
                "varchar(80)",
                "GENERATED ALWAYS AS (SUBSTRING_INDEX(`source`, '@', -1)) VIRTUAL",
                added=True,
            ),
            # Without the rows of usernames to themselves, which make no mail domain.
            Column(
                "alias_domain",
                "varchar(80)",
                "GENERATED ALWAYS AS "
                "(IF(`source` = `destination`, NULL, SUBSTRING_INDEX(`source`, '@', -1))) VIRTUAL",
                added=True,
            ),
        ),
        (
            Key("force_unique", "UNIQUE KEY `force_unique` (`source`,`destination`)"),
            Key("userid", "KEY `userid` (`userid`)", added=True),
            Key("source", "KEY `source` (`source`)", added=True),
            Key("source_domain", "KEY `source_domain` (`source_domain`)", added=True),
            Key("alias_domain", "KEY `alias_domain` (`alias_domain`)", added=True),
            Key(
                "",
                "CONSTRAINT `smtp_destinations::userid--smtp_users::userid` FOREIGN KEY "
                f"(`userid`) REFERENCES `smtp_users` (`userid`) {_CASCADE}",
            ),
        ),
        parent="smtp_users",
    ),
    Table(
        POSTFIX,
        "smtp_virtual_domains",
        (
            Column("domain", "varchar(50)", NOT_NULL),
            Column("instancename", "varchar(40)", NOT_NULL),
        ),
        (Key("PRIMARY", "PRIMARY KEY (`domain`)"),),
        added=True,
    ),
    Table(
        POSTFIX,
        "mailserver_lock",
        (
            Column("id", "tinyint(3) unsigned", NOT_NULL),
            Column("generation", "bigint(20) unsigned", "NOT NULL DEFAULT 0"),
        ),
        (Key("PRIMARY", "PRIMARY KEY (`id`)"),),
        added=True,
    ),
)

_LAST_LOGIN = (
    "UPDATE {table} SET last_login_unix = NEW.last_login_unix, "
    "last_login = '1970-01-01 00:00:00' + INTERVAL NEW.last_login_unix SECOND "
    "WHERE username = NEW.username"
)
TRIGGERS = {"dovecot_last_login_ai": "INSERT", "dovecot_last_login_au": "UPDATE"}


@dataclass(frozen=True)
class Names:
    """What the two databases are called; they may be one."""

    dovecot: str = "dovecot"
    postfix: str = "postfix"

    def database(self, which: str) -> str:
        return self.dovecot if which == DOVECOT else self.postfix

    def table(self, name: str) -> str:
        """The quoted, qualified name of a table."""
        (table,) = (table for table in TABLES if table.name == name)
        return f"{quoted(self.database(table.database))}.{quoted(name)}"


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


@dataclass(frozen=True)
class ActualColumn:
    """A column as the server has it."""

    type: str
    nullable: bool
    length: int | None
    collation: str | None
    generated: bool


@dataclass(frozen=True)
class ActualTable:
    """A table as the server has it."""

    engine: str
    columns: Mapping[str, ActualColumn]
    keys: frozenset[str]
    rows: int = 0  # as the server estimates


@dataclass(frozen=True)
class Actual:
    """What is there; tables by (database, name)."""

    databases: frozenset[str] = frozenset()
    tables: Mapping[tuple[str, str], ActualTable] = field(default_factory=dict)
    triggers: Mapping[str, str] = field(default_factory=dict)  # statement by name
    locked: bool = False  # the sentinel row is there

    def table(self, names: Names, table: Table) -> ActualTable | None:
        return self.tables.get((names.database(table.database), table.name))


@dataclass(frozen=True)
class Step:
    """One statement that brings the schema forward, with what it does in words."""

    words: str
    sql: str


def steps(names: Names, actual: Actual) -> list[Step]:
    """Everything that is missing; refuses tables that additions cannot complete."""
    differences = [d for table in TABLES for d in _differences(names, actual, table)]
    if differences:
        raise UnknownSchema(differences)
    found = [step for table in TABLES for step in _table_steps(names, actual, table)]
    return [*found, *_trigger_steps(names, actual), *_sentinel_steps(names, actual)]


def _differences(names: Names, actual: Actual, table: Table) -> Iterator[str]:
    there = actual.table(names, table)
    if there is None:
        return
    name = f"{names.database(table.database)}.{table.name}"
    if there.engine.lower() != "innodb":
        yield f"{name} uses the engine {there.engine}; expected InnoDB"
    for column in table.columns:
        has = there.columns.get(column.name)
        if has is None:
            if not column.added:
                yield f"{name} has no column {column.name}"
        elif not column.suits(has.type) and not column.widened(has.type):
            yield f"{name}.{column.name} is {has.type}; expected {column.type}"
        elif has.generated != ("GENERATED" in column.rest):
            word = "a generated" if has.generated else "an ordinary"
            yield f"{name}.{column.name} is {word} column"
        elif has.nullable and NOT_NULL in column.rest:
            yield f"{name}.{column.name} allows NULL; expected NOT NULL"
    for key in table.keys:
        if key.name and not key.added and key.name not in there.keys:
            yield f"{name} has no key {key.name}"


def _table_steps(names: Names, actual: Actual, table: Table) -> Iterator[Step]:
    there = actual.table(names, table)
    name = f"{names.database(table.database)}.{table.name}"
    if there is None:
        collation = _collation(names, actual, table)
        yield Step(f"create table {name}", _create(names, table, collation))
        return
    parts = list(_additions(table, there, _own_collation(there) or table.collation))
    if parts:
        words = ", ".join(words for words, _text in parts)
        text = ", ".join(text for _words, text in parts)
        yield Step(f"alter table {name}: {words}", f"ALTER TABLE {names.table(table.name)} {text}")


def _additions(table: Table, there: ActualTable, collation: str) -> Iterator[tuple[str, str]]:
    for column in table.columns:
        has = there.columns.get(column.name)
        if has is None:
            yield f"add column {column.name}", f"ADD COLUMN {column.text(collation)}"
        elif column.widened(has.type) and (has.length or 0) < PASSWORD_LENGTH:
            text = column.text(has.collation or collation)
            yield f"widen {column.name} from {has.type} to {column.type}", f"MODIFY COLUMN {text}"
    for key in table.keys:
        if key.name and key.name not in there.keys:
            yield f"add index {key.name}", f"ADD {key.text}"


def _own_collation(table: ActualTable | None) -> str:
    """The collation of the first text column."""
    columns = table.columns.values() if table else ()
    return next((column.collation for column in columns if column.collation), "")


def _collation(names: Names, actual: Actual, table: Table) -> str:
    """Its own, or its parent's, which a foreign key asks for."""
    if not table.parent:
        return table.collation
    (parent,) = (other for other in TABLES if other.name == table.parent)
    return _own_collation(actual.table(names, parent)) or table.collation


def _create(names: Names, table: Table, collation: str) -> str:
    lines = [column.text(collation) for column in table.columns]
    lines += [key.text for key in table.keys]
    charset = collation.partition("_")[0]
    return (
        f"CREATE TABLE IF NOT EXISTS {names.table(table.name)} (\n  "
        + ",\n  ".join(lines)
        + f"\n) ENGINE=InnoDB DEFAULT CHARSET={charset} COLLATE={collation}"
    )


def _trigger_steps(names: Names, actual: Actual) -> Iterator[Step]:
    body = _LAST_LOGIN.format(table=names.table("dovecot_users"))
    for name, event in TRIGGERS.items():
        if actual.triggers.get(name) != body:
            yield Step(
                f"create trigger {names.dovecot}.{name}",
                f"CREATE OR REPLACE TRIGGER {quoted(names.dovecot)}.{quoted(name)} AFTER {event} "
                f"ON {names.table('dovecot_last_login')} FOR EACH ROW {body}",
            )


def _sentinel_steps(names: Names, actual: Actual) -> Iterator[Step]:
    if not actual.locked:
        yield Step(
            f"add the row that writers lock to {names.postfix}.mailserver_lock",
            f"INSERT IGNORE INTO {names.table('mailserver_lock')} (id, generation) VALUES (1, 0)",
        )


def missing(names: Names, actual: Actual, needed: Mapping[str, Iterable[str]]) -> list[str]:
    """What of the needed columns, by table, is not there, in words."""
    found = []
    for table in TABLES:
        if table.name not in needed:
            continue
        name = f"{names.database(table.database)}.{table.name}"
        there = actual.table(names, table)
        if there is None:
            found.append(f"table {name}")
        else:
            absent = [column for column in needed[table.name] if column not in there.columns]
            found += [f"column {name}.{column}" for column in absent]
    return found
