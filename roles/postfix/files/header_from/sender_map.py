# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Ansible managed
"""Asks who may send as an address: the query of Postfix's smtpd_sender_login_maps, from its file.

The file is read again when it has changed: a new password or another query needs no restart.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Collection, Mapping
from typing import Any

import pymysql
from pymysql.constants.CLIENT import SSL
from pymysql.constants.CR import CR_SSL_CONNECTION_ERROR

SECONDS = 5  # for one answer of the database


class Unavailable(Exception):
    """Nobody can tell now."""


class SenderMap:
    """One connection to the database, which all sessions share: an answer takes less than 1 ms."""

    def __init__(self, path: str, delimiters: str) -> None:
        self._path = path
        self._delimiters = delimiters
        self._turn = threading.Lock()
        self._version: tuple[int, ...] | None = None
        self._settings: Mapping[str, str] = {}
        self._connection: Any = None

    def owners(self, address: str) -> Collection[str]:
        """The logins that may send as the address, with or without its extension."""
        if not self._turn.acquire(timeout=2 * SECONDS):
            raise Unavailable("the database is too slow")
        try:
            keys = (address, without_extension(address, self._delimiters))
            return next(filter(None, map(self._ask, dict.fromkeys(keys))), ())
        except (pymysql.MySQLError, OSError, KeyError) as error:
            self._close()
            raise Unavailable(repr(error)) from error
        finally:
            self._turn.release()

    def _ask(self, key: str) -> list[str]:
        self._look_at_the_file()
        try:
            return self._answer(key)
        except pymysql.MySQLError:
            # The server may have ended a connection that was idle: a new one tells.
            self._close()
            return self._answer(key)

    def _look_at_the_file(self) -> None:
        status = os.stat(self._path)
        version = (status.st_ino, status.st_mtime_ns, status.st_size)
        if version != self._version:
            self._close()
            with open(self._path, encoding="utf-8") as file:
                self._settings = parsed(file.read())
            self._version = version

    def _answer(self, key: str) -> list[str]:
        self._connection = self._connection or connected(self._settings)
        escaped = self._connection.escape_string(key)
        with self._connection.cursor() as cursor:
            cursor.execute(expanded(self._settings["query"], escaped))
            return [str(row[0]) for row in cursor.fetchall()]

    def _close(self) -> None:
        if self._connection:
            with contextlib.suppress(pymysql.MySQLError, OSError):
                self._connection.close()
        self._connection = None


class SocketOrTLS(pymysql.connections.Connection):
    """A socket, or TLS: PyMySQL before 1.2 goes on in clear where a server offers no TLS."""

    def _request_authentication(self) -> None:
        if not self.unix_socket and not self.server_capabilities & SSL:
            raise pymysql.OperationalError(CR_SSL_CONNECTION_ERROR, f"{self.host} offers no TLS")
        super()._request_authentication()


def connected(settings: Mapping[str, str]) -> Any:
    """The database of a file of mysql_table(5)."""
    return SocketOrTLS(
        user=settings["user"],
        password=settings["password"],
        database=settings["dbname"],
        charset="utf8mb4",
        # Or every answer would be as of the first one.
        autocommit=True,
        connect_timeout=SECONDS,
        read_timeout=SECONDS,
        write_timeout=SECONDS,
        **place(settings),
    )


def place(settings: Mapping[str, str]) -> dict[str, Any]:
    """Where the database is: a socket, or a host whose certificate and name are verified."""
    kind, _colon, where = settings["hosts"].partition(":")
    if kind == "unix":
        return {"unix_socket": where}
    return {"host": where, "ssl": {"ca": settings["tls_CAfile"]}}


def parsed(content: str) -> dict[str, str]:
    """The settings of a file of Postfix; a line after a blank continues the one before."""
    lines = (line for line in content.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\n(?=[ \t])", "", "\n".join(lines))
    pairs = (line.partition("=") for line in joined.splitlines())
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def expanded(query: str, escaped_key: str) -> str:
    """The query for this key, as mysql_table(5) says; it knows %s and %% alone."""
    values = {"s": escaped_key, "%": "%"}
    return re.sub(r"%(.)", lambda match: values[match[1]], query)


def without_extension(address: str, delimiters: str) -> str:
    """ann+list@example.org is ann@example.org, as Postfix sees it (recipient_delimiter)."""
    local, at, domain = address.rpartition("@")
    ends = [end for end in map(local.find, delimiters) if end >= 0]
    return f"{local[: min(ends)]}{at}{domain}" if ends and min(ends) else address
