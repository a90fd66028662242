# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection to MariaDB, and the transaction that is run again where that can help."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ._accounts.errors import DatabaseRefuses, GivenUp, NoServer, NotAllowed, WrongServer
from ._accounts.schema import Names

try:
    import pymysql
except ImportError:
    pymysql = None  # type: ignore[assignment]

CONNECTION: dict[str, t.Any] = {
    "login_unix_socket": {"type": "path", "default": "/run/mysqld/mysqld.sock"},
    "login_host": {"type": "list", "elements": "str", "default": []},
    "login_port": {"type": "int", "default": 3306},
    "login_user": {"type": "str", "default": "root"},
    "login_password": {"type": "str", "no_log": True},
    "dovecot_database": {"type": "str", "default": "dovecot"},
    "postfix_database": {"type": "str", "default": "postfix"},
}

CONFLICTS = frozenset((1020, 1205, 1213, 1317))  # deadlocks and their kin, also from another node
OVERTAKEN = frozenset((1062, 1452))  # somebody wrote after we read: read again, then judge
LOST = frozenset((0, 1040, 1047, 1053, 2002, 2003, 1927, 2006, 2013, 2055))
BUGS = frozenset((1054, 1064, 1109, 1146))  # of ours: shown with their traceback
DENIED = frozenset((1044, 1142, 1143, 1227, 1370))
ATTEMPTS = 12
RECONNECT_SECONDS = 30.0
PAUSE_SECONDS = 2.0
LOCK_SECONDS = 50  # as long as InnoDB waits for a row
AT_ONCE = 1000  # rows from which on statements are worded ahead
STATEMENT_CHARACTERS = 1_000_000  # far below the smallest default of max_allowed_packet
SQL_MODE = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION"
SERVERS = ("mariadbd", "mysqld")
DIRECTORIES = ("/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/libexec")

Result = t.TypeVar("Result", bound=t.Sized)


def names(params: t.Mapping[str, t.Any]) -> Names:
    """The two databases of a task."""
    return Names(params["dovecot_database"], params["postfix_database"])


def is_bare(params: t.Mapping[str, t.Any]) -> bool:
    """Whether no server is installed on this host that is to be asked over its socket."""
    path = os.pathsep.join((os.environ.get("PATH", ""), *DIRECTORIES))
    return not params["login_host"] and not any(shutil.which(s, path=path) for s in SERVERS)


class Server:
    """MariaDB, as one connection that is opened when needed and replaced when lost."""

    def __init__(self, params: t.Mapping[str, t.Any]) -> None:
        self._params = params
        self._connection: t.Any = None

    def settle(self, attempt: t.Callable[[t.Any], Result]) -> Result:
        """Run a whole transaction, again from its start where the error says that this can help.

        What was lost during COMMIT is read again: if there is nothing left to do, it was done.
        """
        uncertain: Result | None = None
        patience = _Patience()
        while True:
            result = None
            try:
                cursor = self._cursor()
                result = attempt(cursor)
                self._connection.commit()
            except pymysql.MySQLError as error:
                self._abandon()
                if _code(error) in LOST:
                    self._drop()
                    uncertain = result or uncertain
                patience.spend(error)
            except BaseException:
                self._abandon()
                raise
            else:
                return uncertain if uncertain is not None and not result else result

    def close(self) -> None:
        self._abandon()
        if self._connection is not None:
            self._connection.close()

    def _cursor(self) -> t.Any:
        if self._connection is None:
            self._connection = self._open()
        return _Cursor(self._connection.cursor())

    def _abandon(self) -> None:
        """Never COMMIT after an error; a connection that cannot even roll back is dropped."""
        try:
            if self._connection is not None:
                self._connection.rollback()
        except pymysql.MySQLError:
            self._drop()

    def _drop(self) -> None:
        with contextlib.suppress(pymysql.MySQLError, OSError):
            if self._connection is not None:
                self._connection.close()
        self._connection = None

    def _open(self) -> t.Any:
        places = _places(self._params)
        for where, options in places:
            try:
                return _session(self._connect(options), where)
            except pymysql.MySQLError as error:
                if _code(error) not in LOST or where == places[-1][0]:
                    raise
        raise AssertionError

    def _connect(self, options: t.Mapping[str, t.Any]) -> t.Any:
        return pymysql.connect(
            user=self._params["login_user"],
            # As text it would be encoded in latin1.
            password=(self._params["login_password"] or "").encode(),
            charset="utf8",
            sql_mode=SQL_MODE,
            connect_timeout=10,
            read_timeout=600,
            write_timeout=600,
            autocommit=False,
            **options,
        )

    def reach(self) -> None:
        """Open the first connection; a server that is not there is told at once."""
        try:
            self._cursor()
        except pymysql.MySQLError as error:
            where = " or ".join(where for where, _options in _places(self._params))
            raise NoServer(where, _words(error)) from None


def _places(params: t.Mapping[str, t.Any]) -> list[tuple[str, dict[str, t.Any]]]:
    if not params["login_host"]:
        path = params["login_unix_socket"]
        return [(path, {"unix_socket": path, "ssl_disabled": True})]
    port = params["login_port"]
    return [(f"{host}:{port}", {"host": host, "port": port}) for host in params["login_host"]]


def _session(connection: t.Any, where: str) -> t.Any:
    cursor = connection.cursor()
    cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    cursor.execute("SET SESSION time_zone = '+00:00'")
    # Somebody's open transaction holds up ALTER TABLE: by default for a day, without a word.
    cursor.execute(f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}")
    cursor.execute("SELECT VERSION(), @@version_comment")
    ((version, comment),) = cursor.fetchall()
    if "mariadb" not in version.lower():
        connection.close()
        raise WrongServer(where, f"{comment}, version {version}")
    return connection


class _Cursor:
    """A cursor for many rows: it words the next statement while the server is busy with one.

    What it streams is kept nowhere.
    """

    def __init__(self, cursor: t.Any) -> None:
        self._cursor = cursor

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._cursor, name)

    def stream(self, sql: str) -> t.Iterator[t.Any]:
        """The rows of a statement as they come; all have to be taken before the next one."""
        with pymysql.cursors.SSCursor(self._cursor.connection) as cursor:
            cursor.execute(sql)
            yield from iter(cursor.fetchone, None)

    def executemany(self, sql: str, rows: t.Sequence[t.Sequence[object]]) -> None:
        """Run a statement for all rows; an INSERT of many is some statements of a megabyte."""
        head, values, marks = sql.partition(" VALUES ")
        if not values or len(rows) < AT_ONCE:
            self._cursor.executemany(sql, rows)
            return
        texts = self._texts(head + values, marks, rows)
        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(next, texts, None)
            while (text := ahead.result()) is not None:
                ahead = pool.submit(next, texts, None)
                self._cursor.execute(text)

    def _texts(
        self, head: str, marks: str, rows: t.Iterable[t.Sequence[object]]
    ) -> t.Iterator[str]:
        parts: list[str] = []
        size = 0
        for row in rows:
            parts.append(self._cursor.mogrify(marks, row))
            size += len(parts[-1])
            if size > STATEMENT_CHARACTERS:
                yield head + ",".join(parts)
                parts, size = [], 0
        if parts:
            yield head + ",".join(parts)


class _Patience:
    """How often and how long a transaction is tried again."""

    def __init__(self) -> None:
        self._attempts = 0
        self._until: float | None = None

    def spend(self, error: Exception) -> None:
        """Wait before the next attempt, or give up with the reason."""
        code = _code(error)
        self._attempts += 1
        if code in LOST:
            self._until = self._until or time.monotonic() + RECONNECT_SECONDS
            if time.monotonic() > self._until:
                raise NoServer("its address any more", _words(error)) from None
            time.sleep(0.5)
        elif code in CONFLICTS or (code in OVERTAKEN and self._attempts < ATTEMPTS // 2):
            if self._attempts >= ATTEMPTS:
                raise GivenUp(_words(error)) from None
            time.sleep(random.uniform(0, min(PAUSE_SECONDS, 0.05 * 1.6**self._attempts)))
        elif code in DENIED:
            raise NotAllowed(_words(error)) from None
        elif code in BUGS or code < 0:
            raise error
        else:
            raise DatabaseRefuses(_words(error), code) from None


def overtaken(words: str) -> Exception:
    """What an attempt raises to be made again: the server says the same of a changed record."""
    return t.cast(Exception, pymysql.OperationalError(1020, words))


def refusal(error: Exception) -> str:
    """What the server said, if it is the server that refuses; otherwise empty."""
    if isinstance(error, (DatabaseRefuses, NotAllowed)):
        return error.reason
    return _words(error) if pymysql and isinstance(error, pymysql.MySQLError) else ""


def _code(error: Exception) -> int:
    code = error.args[0] if error.args else 0
    return code if isinstance(code, int) else -1


def _words(error: Exception) -> str:
    return str(error.args[1] if len(error.args) > 1 else error)
