# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list of changes becomes statements, in an order that no key objects to. SQL is data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, Union

from .model import Account, Destination, ImapRow, Secret, SmtpRow, fold
from .plan import Change
from .schema import Names
from .shape import MODIFIED, Shape

Secrets = Callable[[str, str, Secret], str]  # what to store: userid, table, secret
Row = Union[ImapRow, SmtpRow]
ROW_FIELDS = {"dovecot_users": ImapRow._fields, "smtp_users": SmtpRow._fields}

_TABLES = (
    "dovecot_users",
    "dovecot_sessions_to_end",
    "smtp_users",
    "smtp_destinations",
    "smtp_virtual_domains",
    "mailserver_lock",
)


class Statement(NamedTuple):
    """One statement with the values of all its rows."""

    sql: str
    rows: Sequence[tuple[object, ...]]


class _Lines(Sequence[tuple[object, ...]]):
    """Values that are made when they are asked for: those of a whole load would double it."""

    def __init__(self, items: Sequence[Any], values: Callable[[Any], tuple[object, ...]]) -> None:
        self._items = items
        self._values = values

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        return map(self._values, self._items)

    def __getitem__(self, index: Any) -> Any:
        chosen = self._items[index]
        return _Lines(chosen, self._values) if isinstance(index, slice) else self._values(chosen)


class Table(NamedTuple):
    """One of the two tables of users, as it is in this database."""

    name: str
    quoted: str
    row: Callable[[Account], Any]  # its row of an account, or None
    columns: Mapping[str, str]  # by field
    key: tuple[str, ...]  # fields
    address: str  # the field that holds the address
    dated: bool

    @property
    def where(self) -> str:
        """A condition for the key; until 2015 a domain could be NULL."""
        equal = {"domain": "<=>"}
        return " AND ".join(f"{self.columns[name]} {equal.get(name, '=')} %s" for name in self.key)

    def key_of(self, row: Row) -> tuple[object, ...]:
        """The values for the condition."""
        return tuple(getattr(row, name) for name in self.key)


def worded(names: Names, sql: str) -> str:
    """A statement with the tables' own names in it."""
    return sql.format(**{name: names.table(name) for name in _TABLES})


def tables(names: Names, shape: Shape) -> tuple[Table, Table]:
    """dovecot_users and smtp_users."""
    smtp = {name: column for name, column in shape.smtp.items() if name != "id"}
    return (
        Table(
            "dovecot_users",
            names.table("dovecot_users"),
            attrgetter("imap"),
            shape.imap,
            ("userid", "domain"),
            "loginname",
            "dovecot_users" in shape.dated,
        ),
        Table(
            "smtp_users",
            names.table("smtp_users"),
            attrgetter("smtp"),
            {**smtp, "id": "id"} if shape.multi else smtp,
            ("id",) if shape.multi else ("userid", "owner"),
            "email",
            "smtp_users" in shape.dated,
        ),
    )


def statements(
    names: Names, shape: Shape, changes: Sequence[Change], secret: Secrets, now: object
) -> Iterator[Statement]:
    """The changes as SQL; secret tells what to write for a new password."""
    both = tables(names, shape)
    routes = _Destinations(names, shape, changes)
    users = [_rows(table, changes) for table in both]
    found: list[Iterable[Statement]] = [routes.gone()]
    found += [_rows_gone(rows) for rows in reversed(users)]
    found += [_names_released(rows) for rows in users]
    found += [_rows_changed(rows, secret, now) for rows in users]
    found += [_rows_new(rows, secret, now) for rows in users]
    found += [routes.new(), _touched(both[1], changes, now)]
    return (statement for part in found for statement in part if statement.rows)


class _Rows(NamedTuple):
    """What happens to the rows of one table of users."""

    table: Table
    gone: Sequence[Any]
    changed: Sequence[tuple[Any, Any]]
    new: Sequence[Any]


def _rows(table: Table, changes: Iterable[Change]) -> _Rows:
    row = table.row
    pairs = [(b and row(b), a and row(a)) for b, a, _want in changes]
    return _Rows(
        table,
        gone=[was for was, becomes in pairs if was and not becomes],
        changed=[pair for pair in pairs if pair[0] and pair[1] and pair[0] != pair[1]],
        new=[becomes for was, becomes in pairs if becomes and not was],
    )


def _insert(table: str, columns: Sequence[str]) -> str:
    marks = ", ".join(["%s"] * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"


class _Destinations:
    """The rows of smtp_destinations that go and come."""

    def __init__(self, names: Names, shape: Shape, changes: Sequence[Change]) -> None:
        self.table = names.table("smtp_destinations")
        self.users = names.table("smtp_users")
        self.shape = shape
        self.changes = changes

    def gone(self) -> Iterator[Statement]:
        rows = [
            (before.smtp.hook, row.source, row.target)
            for before, after, _want in self.changes
            if before and before.smtp
            for row in _fewer(before, after)
        ]
        owner = self.shape.owner
        sql = f"DELETE FROM {self.table} WHERE {owner} = %s AND source = %s AND destination = %s"
        yield Statement(sql, rows)

    def new(self) -> Iterator[Statement]:
        columns = (self.shape.owner, *self.shape.destination.values())
        rows = sorted(self._rows(self._is_hooked), key=itemgetter(1, 2))
        yield Statement(_insert(self.table, columns), rows)
        if self.shape.multi:
            # The id is what the server has just given the account.
            marks = ", ".join(["%s"] * len(self.shape.destination))
            sql = (
                f"INSERT INTO {self.table} ({', '.join(columns[1:])}, users_id) SELECT {marks}, id "
                f"FROM {self.users} WHERE userid = %s AND client_idnr <=> %s"
            )
            rows = [
                (*values[1:], after.smtp.userid, after.smtp.owner)
                for after, values in self._hooked(lambda smtp: not self._is_hooked(smtp))
            ]
            yield Statement(sql, rows)

    def _is_hooked(self, smtp: SmtpRow) -> bool:
        return not self.shape.multi or smtp.id is not None

    def _rows(self, chosen: Callable[[SmtpRow], bool]) -> Iterator[tuple[object, ...]]:
        return (values for _after, values in self._hooked(chosen))

    def _hooked(self, chosen: Callable[[SmtpRow], bool]) -> Iterator[tuple[Any, Any]]:
        flagged = "dispatch" in self.shape.destination
        for before, after, _want in self.changes:
            if after and after.smtp and chosen(after.smtp):
                hook = after.smtp.hook
                for source, target, dispatch in _more(before, after):
                    flag = (int(dispatch),) if flagged else ()
                    yield after, (hook, source, target, *flag)


def _fewer(account: Account, other: Account | None) -> list[Destination]:
    if other is None:
        return sorted(account.destinations)
    return sorted(account.destinations - other.destinations)


def _more(before: Account | None, after: Account) -> list[Destination]:
    """What comes, and what goes with a twin: a DELETE takes rows of all spellings and flags."""
    if before is None:
        return sorted(after.destinations)
    gone = {
        (fold(row.source), fold(row.target)) for row in before.destinations - after.destinations
    }
    stays = {r for r in before.destinations if (fold(r.source), fold(r.target)) not in gone}
    return sorted(after.destinations - stays)


def _rows_gone(rows: _Rows) -> Iterator[Statement]:
    table = rows.table
    yield Statement(
        f"DELETE FROM {table.quoted} WHERE {table.where}", [table.key_of(row) for row in rows.gone]
    )


def _names_released(rows: _Rows) -> Iterator[Statement]:
    """Names that move from one account to another are given up before they are taken."""
    table, pairs = rows.table, rows.changed
    if table.address in table.columns:
        column = table.columns[table.address]
        address = attrgetter(table.address)
        taken = {fold(address(becomes) or "") for _was, becomes in pairs}
        moved = [
            table.key_of(was)
            for was, becomes in pairs
            if address(was) != address(becomes) and fold(address(was) or "") in taken
        ]
        yield Statement(f"UPDATE {table.quoted} SET {column} = NULL WHERE {table.where}", moved)
    wished = {fold(becomes.username) for _was, becomes in pairs}
    renamed = [
        (was.userid, *table.key_of(was))
        for was, becomes in pairs
        if was.username != becomes.username and fold(was.username) in wished
    ]
    yield Statement(f"UPDATE {table.quoted} SET username = %s WHERE {table.where}", renamed)


def _rows_changed(rows: _Rows, secret: Secrets, now: object) -> Iterator[Statement]:
    """One statement for all rows in which the same columns change."""
    table = rows.table
    date = (now,) if table.dated else ()
    for differing, group in groupby(sorted(rows.changed, key=_differing), key=_differing):
        columns = [table.columns[name] for name in differing] + [MODIFIED] * len(date)
        assigned = ", ".join(f"{name} = %s" for name in columns)
        values = _values(table, differing, secret)
        yield Statement(
            f"UPDATE {table.quoted} SET {assigned} WHERE {table.where}",
            [(*values(after), *date, *table.key_of(before)) for before, after in group],
        )


def _differing(pair: tuple[Row, Row]) -> tuple[str, ...]:
    was, becomes = pair
    return tuple(name for name, one, other in zip(was._fields, was, becomes) if one != other)


def _rows_new(rows: _Rows, secret: Secrets, now: object) -> Iterator[Statement]:
    table = rows.table
    fields = [name for name in table.columns if name != "id"]
    date = (now,) if table.dated else ()
    columns = [table.columns[name] for name in fields] + [MODIFIED] * len(date)
    values = _values(table, fields, secret)
    # In the order of the primary key: InnoDB then fills one page after the other.
    lines = _Lines(sorted(rows.new, key=attrgetter("userid")), lambda row: (*values(row), *date))
    yield Statement(_insert(table.quoted, columns), lines)


def _values(
    table: Table, fields: Sequence[str], secret: Secrets
) -> Callable[[Row], tuple[object, ...]]:
    """What takes these fields out of a row, with each new password as it is to be stored."""
    places = [ROW_FIELDS[table.name].index(name) for name in fields]
    password = fields.index("password") if "password" in fields else None

    def values(row: Row) -> tuple[object, ...]:
        taken = [row[place] for place in places]
        wished = None if password is None else taken[password]
        if isinstance(wished, Secret):
            return tuple(
                secret(row.userid, table.name, wished) if v is wished else v for v in taken
            )
        return tuple(taken)

    return values


def secrets_of(changes: Iterable[Change]) -> Iterator[tuple[str, str, Secret]]:
    """Every new password: whose, for which table, and itself."""
    for _before, after, _want in changes:
        for table, row in (
            ("dovecot_users", after and after.imap),
            ("smtp_users", after and after.smtp),
        ):
            if row and isinstance(row.password, Secret):
                yield row.userid, table, row.password


def _touched(table: Table, changes: Sequence[Change], now: object) -> Iterator[Statement]:
    """As tine does: an account whose destinations change counts as modified."""
    if not table.dated:
        return
    rows = [
        (now, *table.key_of(after.smtp))
        for before, after, _want in changes
        if before and after and after.smtp
        if before.smtp == after.smtp
        if before.destinations != after.destinations
    ]
    yield Statement(f"UPDATE {table.quoted} SET {MODIFIED} = %s WHERE {table.where}", rows)


def names_of(change: Change) -> set[str]:
    """Every name that a change takes or gives up."""
    accounts = [account for account in (change.before, change.after) if account]
    return {fold(name) for account in accounts for _word, name in account.names()}


def _forwards(account: Account | None) -> set[Destination]:
    """The rows by which mail leaves the account."""
    if account is None:
        return set()
    own = {fold(account.username), fold(account.address)}
    return {row for row in account.destinations if fold(row.target) not in own}


def _in_turn(groups: Iterable[list[Change]]) -> Iterator[list[Change]]:
    """Forwards go before others come, or mail would run in a circle in between."""
    kinds: dict[tuple[bool, bool], list[list[Change]]] = {}
    for group in groups:
        goes = any(_forwards(b) - _forwards(a) for b, a, _want in group)
        comes = any(_forwards(a) - _forwards(b) for b, a, _want in group)
        kinds.setdefault((goes, comes), []).append(group)
    yield from kinds.get((True, False), ())
    yield [change for group in kinds.get((True, True), ()) for change in group]
    yield from kinds.get((False, False), ())
    yield from kinds.get((False, True), ())


def together(changes: Sequence[Change], size: int) -> list[list[Change]]:
    """Portions of about this size; changes that hand names to each other stay in one."""
    if not size:
        return [list(changes)] if changes else []
    leader: dict[int, int] = {}

    def lead(index: int) -> int:
        while leader.setdefault(index, index) != index:
            index = leader[index]
        return index

    first: dict[str, int] = {}
    for index, change in enumerate(changes):
        for name in names_of(change):
            leader[lead(index)] = lead(first.setdefault(name, index))
    groups: dict[int, list[Change]] = {}
    for index, change in enumerate(changes):
        groups.setdefault(lead(index), []).append(change)
    portions: list[list[Change]] = []
    for group in _in_turn(groups.values()):
        if portions and len(portions[-1]) + len(group) <= size:
            portions[-1].extend(group)
        elif group:
            portions.append(list(group))
    return portions
