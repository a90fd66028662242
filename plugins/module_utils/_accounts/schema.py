# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and forms of tables and columns, in one place, and what they lack."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from .errors import UnknownSchema

PASSWORD_LENGTH = 255
PASSWORDS = ("password", "passwd")  # columns that hold them
COLLATION = "utf8mb3_general_ci"

NOT_NULL = "NOT NULL"
# Groups of names by sorting: the temporary table that the server takes by itself costs ten times as
# much where no index helps.
SORTED = "SQL_BIG_RESULT"
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

    @property
    def needed(self) -> bool:
        return self.rest.startswith(NOT_NULL)

    @property
    def default(self) -> str | None:
        """As information_schema tells it."""
        return self.rest.partition("DEFAULT ")[2] or None

    @property
    def generated(self) -> bool:
        return "GENERATED" in self.rest

    def suits(self, actual: str) -> bool:
        """Whether a column of that type holds what this one holds; more is no harm."""
        plain, today = _plain(actual), _plain(self.type)
        if self.name in ("id", "users_id"):  # a number that only links
            plain, today = (text.replace(" unsigned", "") for text in (plain, today))
        return plain == today or length(actual) > length(self.type) > 0

    def widened(self, actual: str) -> bool:
        """A password column that is shorter or longer than ours but otherwise the same."""
        return self.name in PASSWORDS and actual.startswith("varchar(")


def _plain(column_type: str) -> str:
    """Servers show or hide the width of integers."""
    return re.sub(r"^(tinyint|int|bigint)\(\d+\)", r"\1", column_type.lower())


def length(column_type: str) -> int:
    """The characters of a varchar."""
    match = re.fullmatch(r"varchar\((\d+)\)", column_type.lower())
    return int(match[1]) if match else 0


@dataclass(frozen=True)
class Key:
    """An index or, without a name, a foreign key."""

    name: str
    text: str
    added: bool = False

    @property
    def form(self) -> ActualKey:
        """As information_schema tells it."""
        columns = re.findall(r"`(\w+)`(\(\d+\))?", self.text.partition("(")[2])
        return ActualKey("KEY" not in self.text.split()[0], tuple(map("".join, columns)))

    @property
    def constraint(self) -> str:
        """The name of a foreign key."""
        return self.text.split("`")[1]

    @property
    def reference(self) -> ActualReference:
        """A foreign key as information_schema tells it."""
        _name, column, table, parent = re.findall(r"`([^`]+)`", self.text)
        return ActualReference(column, table, parent)


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


def _for_several(table: Table) -> Table:
    """As tine's tables for several instances have it: destinations hang on a number."""
    if table.name == "smtp_users":
        number = Column("id", "int(11)", "NOT NULL AUTO_INCREMENT")
        columns = [
            Column("client_idnr", "varchar(40)") if c.name == "client_idnr" else c
            for c in table.columns
        ]
        own = Key("userid", "UNIQUE KEY `userid` (`userid`,`client_idnr`)")
        keys = (Key("PRIMARY", "PRIMARY KEY (`id`)"), own, *table.keys[1:])
        return replace(table, columns=(number, *columns), keys=keys)
    if table.name == "smtp_destinations":
        columns = [Column("users_id", "int(11)", NOT_NULL), *table.columns[1:]]
        own = Key("users_id", "KEY `users_id` (`users_id`)", added=True)
        parent = Key(
            "",
            "CONSTRAINT `smtp_destinations_ibfk_1` FOREIGN KEY "
            f"(`users_id`) REFERENCES `smtp_users` (`id`) {_CASCADE}",
        )
        kept = (key for key in table.keys if key.name and key.name != "userid")
        return replace(table, columns=columns, keys=(own, *kept, parent))
    if table.name == "smtp_virtual_domains":
        return replace(table, columns=(*table.columns, *_STATUS))
    return table


SEVERAL = tuple(map(_for_several, TABLES))
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
    default: str | None = None  # as SQL; NULL is a word, and None is no default
    expression: str = ""  # of a generated column
    counts: bool = False  # AUTO_INCREMENT


class ActualKey(NamedTuple):
    """An index: its columns, with the length of a prefix where it has one."""

    unique: bool
    columns: tuple[str, ...]


class ActualReference(NamedTuple):
    """A foreign key; a table in another database has that before its name."""

    column: str
    table: str
    parent: str
    cascades: bool = True


@dataclass(frozen=True)
class ActualTable:
    """A table as the server has it."""

    engine: str
    columns: Mapping[str, ActualColumn]
    keys: Mapping[str, ActualKey] = field(default_factory=dict)
    rows: int = 0  # as the server estimates
    row_format: str = "Dynamic"
    references: Mapping[str, ActualReference] = field(default_factory=dict)
    kind: str = (
        ""  # in words, of what is no ordinary table: a view, one with partitions or versions
    )
    triggers: Mapping[str, str] = field(default_factory=dict)  # statement by name


@dataclass(frozen=True)
class Actual:
    """What is there; tables by (database, name)."""

    databases: frozenset[str] = frozenset()
    tables: Mapping[tuple[str, str], ActualTable] = field(default_factory=dict)
    triggers: Mapping[str, str] = field(default_factory=dict)  # statement by name
    locked: bool = False  # the sentinel row is there

    def table(self, names: Names, table: Table) -> ActualTable | None:
        return self.tables.get((names.database(table.database), table.name))

    def several(self, names: Names) -> bool:
        """Whether these are the tables for several tines (postfixmultiinstance)."""
        users = self.tables.get((names.postfix, "smtp_users"))
        routes = self.tables.get((names.postfix, "smtp_destinations"))
        if users is None or "id" not in users.columns:
            return False
        if routes is not None:
            return "users_id" in routes.columns  # a number of somebody's own is no link
        owner = users.columns.get("client_idnr")
        return owner is not None and owner.nullable


class Step(NamedTuple):
    """What brings the schema forward, in words, and its statements: one transaction."""

    words: str
    sql: tuple[str, ...]
    destructive: bool = False  # overwrites or takes away what was there
    removes: tuple[str, ...] = ()  # tables and columns that are no more


def steps(names: Names, actual: Actual) -> list[Step]:
    """Everything that is missing; refuses tables that additions cannot complete."""
    tables = tables_of(names, actual)
    differences = [d for table in tables for d in _differences(names, actual, table)]
    if differences:
        raise UnknownSchema(differences)
    found = [step for table in tables for step in table_steps(names, actual, table)]
    return [*found, *closing_steps(names, actual)]


def tables_of(names: Names, actual: Actual) -> Sequence[Table]:
    """The tables of 2026, for one tine or for several."""
    return SEVERAL if actual.several(names) else TABLES


def is_swapped(names: Names, actual: Actual) -> bool:
    """Whether each database has the other's tables and none of its own."""
    both = ((names.dovecot, "dovecot_users"), (names.postfix, "smtp_users"))
    other = ((names.postfix, "dovecot_users"), (names.dovecot, "smtp_users"))
    if any(place in actual.tables for place in both):
        return False
    return all(place in actual.tables for place in other)


def _differences(names: Names, actual: Actual, table: Table) -> Iterator[str]:
    there = actual.table(names, table)
    if there is None:
        return
    name = f"{names.database(table.database)}.{table.name}"
    if there.kind:
        yield f"{name} is {there.kind}; expected an ordinary table"
    elif there.engine.lower() != "innodb":
        yield f"{name} uses the engine {there.engine}; expected InnoDB"
    for column in table.columns:
        has = there.columns.get(column.name)
        if has is None:
            if not column.added:
                yield f"{name} has no column {column.name}"
        elif not column.suits(has.type) and not column.widened(has.type):
            yield f"{name}.{column.name} is {has.type}; expected {column.type}"
        elif has.generated != column.generated:
            word = "a generated" if has.generated else "an ordinary"
            yield f"{name}.{column.name} is {word} column"
        elif has.nullable and column.needed:
            yield f"{name}.{column.name} allows NULL; expected NOT NULL"
    for key in table.keys:
        if key.name and not key.added and key.form not in there.keys.values():
            yield f"{name} has no key {key.name} on {', '.join(key.form.columns)}"


def table_steps(names: Names, actual: Actual, table: Table) -> Iterator[Step]:
    """A table that is missing or lacks something."""
    there = actual.table(names, table)
    name = f"{names.database(table.database)}.{table.name}"
    if there is None:
        collation = collation_of(names, actual, table)
        yield Step(f"create table {name}", (_create(names, table, collation),))
        return
    yield from altering(names, table, _additions(table, there, own_collation(there, table)))


def altering(names: Names, table: Table, parts: Iterable[tuple[str, str]]) -> Iterator[Step]:
    """One ALTER TABLE for all parts, if there are any."""
    listed = list(parts)
    if listed:
        name = f"{names.database(table.database)}.{table.name}"
        words = ", ".join(words for words, _text in listed)
        text = ", ".join(text for _words, text in listed)
        sql = f"ALTER TABLE {names.table(table.name)} {text}"
        yield Step(f"alter table {name}: {words}", (sql,))


def _additions(table: Table, there: ActualTable, collation: str) -> Iterator[tuple[str, str]]:
    for column in table.columns:
        has = there.columns.get(column.name)
        if has is None:
            yield f"add column {column.name}", f"ADD COLUMN {column.text(collation)}"
        elif too_short(column, has):
            yield widening(column, has, collation)
    yield from indexing(table, there)


def indexing(table: Table, there: ActualTable) -> Iterator[tuple[str, str]]:
    """Its indexes, under their names."""
    for key in table.keys:
        if not key.name or there.keys.get(key.name) == key.form:
            continue
        if key.name == "PRIMARY":
            drop = _without_primary(table, there)
            yield f"primary key {', '.join(key.form.columns)}", f"{drop}ADD {key.text}"
            continue
        drop = f"DROP KEY {quoted(key.name)}, " if key.name in there.keys else ""
        verb = "replace" if drop else "add"
        same = [name for name, form in there.keys.items() if form == key.form and name != "PRIMARY"]
        if same:
            text = f"{drop}RENAME KEY {quoted(same[0])} TO {quoted(key.name)}"
            yield f"rename index {same[0]} to {key.name}", text
        else:
            yield f"{verb} index {key.name}", f"{drop}ADD {key.text}"


def primary(there: ActualTable) -> tuple[str, ...]:
    """The columns of its primary key."""
    key = there.keys.get("PRIMARY")
    return key.columns if key else ()


def _without_primary(table: Table, there: ActualTable) -> str:
    """A number of somebody's own has to stay a key, for it may count by itself."""
    columns = primary(there)
    if not columns:
        return ""
    own = not {column.name for column in table.columns} & set(columns)
    kept = f"ADD UNIQUE KEY ({', '.join(map(quoted, columns))}), " if own else ""
    return f"DROP PRIMARY KEY, {kept}"


def too_short(column: Column, has: ActualColumn) -> bool:
    return column.widened(has.type) and (has.length or 0) < PASSWORD_LENGTH


def widening(column: Column, has: ActualColumn, collation: str) -> tuple[str, str]:
    text = column.text(has.collation or collation)
    return f"widen {column.name} from {has.type} to {column.type}", f"MODIFY COLUMN {text}"


def comparable(text: str, collation: str) -> str:
    """A text, as SQL, that can be compared with those of a collation, whose index still answers."""
    return f"CONVERT({text} USING {collation.partition('_')[0]}) COLLATE {collation}"


def own_collation(there: ActualTable | None, table: Table) -> str:
    """The collation of the first text column."""
    columns = there.columns.values() if there else ()
    return next((column.collation for column in columns if column.collation), table.collation)


def collation_of(names: Names, actual: Actual, table: Table) -> str:
    """Its own, or that of its parent's column that a foreign key refers to."""
    if not table.parent:
        return table.collation
    (parent,) = (other for other in TABLES if other.name == table.parent)
    there = actual.table(names, parent)
    (column,) = [key.reference.parent for key in table.keys if not key.name] or [""]
    has = there.columns.get(column) if there else None
    return has.collation if has and has.collation else own_collation(there, table)


def _create(names: Names, table: Table, collation: str) -> str:
    lines = [column.text(collation) for column in table.columns]
    lines += [key.text for key in table.keys]
    charset = collation.partition("_")[0]
    return (
        f"CREATE TABLE IF NOT EXISTS {names.table(table.name)} (\n  "
        + ",\n  ".join(lines)
        + f"\n) ENGINE=InnoDB DEFAULT CHARSET={charset} COLLATE={collation}"
    )


def closing_steps(names: Names, actual: Actual) -> Iterator[Step]:
    """What is not a table."""
    yield from _trigger_steps(names, actual)
    yield from _sentinel_steps(names, actual)


def _trigger_steps(names: Names, actual: Actual) -> Iterator[Step]:
    body = _LAST_LOGIN.format(table=names.table("dovecot_users"))
    for name, event in TRIGGERS.items():
        if actual.triggers.get(name) != body:
            yield Step(
                f"create trigger {names.dovecot}.{name}",
                (
                    f"CREATE OR REPLACE TRIGGER {quoted(names.dovecot)}.{quoted(name)} "
                    f"AFTER {event} ON {names.table('dovecot_last_login')} FOR EACH ROW {body}",
                ),
            )


def _sentinel_steps(names: Names, actual: Actual) -> Iterator[Step]:
    if not actual.locked:
        yield Step(
            f"add the row that writers lock to {names.postfix}.mailserver_lock",
            (
                f"INSERT IGNORE INTO {names.table('mailserver_lock')} (id, generation) "
                "VALUES (1, 0)",
            ),
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
