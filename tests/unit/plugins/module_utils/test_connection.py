# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection takes MariaDB and nothing else, and asks hosts in their order."""

from __future__ import annotations

import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils import _connection
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.errors import (
    WrongServer,
)


class Answering:
    """A connection, and its cursor, of a server of this version."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.closed = False

    def cursor(self) -> Answering:
        return self

    def execute(self, sql: str) -> None:
        assert sql.startswith(("SET SESSION", "SELECT VERSION"))

    def fetchall(self) -> tuple[tuple[str], ...]:
        return ((self.version, "the product"),)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("version", ["10.11.19-MariaDB-0+deb12u1", "11.8.6-MariaDB-log"])
def test_mariadb_is_taken(version: str):
    connection = Answering(version)
    assert _connection._session(connection, "here") is connection


def test_mysql_is_refused_by_name():
    connection = Answering("8.4.3")
    with pytest.raises(
        WrongServer, match=r"server at db:3306 is not MariaDB but the product, version 8\.4\.3"
    ):
        _connection._session(connection, "db:3306")
    assert connection.closed


def test_hosts_are_asked_in_their_order_and_the_socket_only_without_them():
    params = {"login_host": [], "login_unix_socket": "/sock", "login_port": 3307}
    assert [where for where, _options in _connection._places(params)] == ["/sock"]
    params["login_host"] = ["one", "two"]
    assert [where for where, _options in _connection._places(params)] == ["one:3307", "two:3307"]
