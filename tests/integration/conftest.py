# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real MariaDB on a socket of its own, and the modules run against it."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql
import pymysql.cursors
import pytest
from ansible.module_utils.testing import patch_module_args

MODULES = "ansible_collections.groupware.mailserver.plugins.modules"
CHECKOUT = Path(__file__).parents[2]
RUNNER = Path(__file__).with_name("run_module.py")
TRIXIE = "localhost/groupware-mailserver-ready:trixie"
# The server renews information_schema.innodb_trx only when nobody has read it for 0.1 s: who asks
# again without this pause (seconds) never sees anything new.
RENEWED = 0.11
ROWS_OF = ("dovecot_users", "smtp_users", "smtp_destinations", "smtp_virtual_domains")


@pytest.fixture(scope="session")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which this checkout is the collection."""
    root = tmp_path_factory.mktemp("collections")
    place = root / "ansible_collections" / "groupware"
    place.mkdir(parents=True)
    (place / "mailserver").symlink_to(CHECKOUT)
    return root


@dataclass
class MariaDB:
    """A server in a directory of its own."""

    directory: Path
    process: Any = None

    @property
    def socket(self) -> str:
        return str(self.directory / "sock")

    def temporary(self) -> Path:
        """A tmpdir of its own: a server that starts, also that of the set-up, empties it."""
        directory = self.directory / "tmp"
        directory.mkdir(exist_ok=True)
        shutil.chown(directory, "mysql", "mysql")
        return directory

    def install(self) -> None:
        done = subprocess.run(
            [
                "mariadb-install-db",
                "--no-defaults",
                "--user=mysql",
                "--skip-test-db",
                f"--datadir={self.directory / 'data'}",
                f"--tmpdir={self.temporary()}",
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, *options: str) -> None:
        program = shutil.which("mariadbd", path=os.environ["PATH"] + ":/usr/sbin:/usr/bin")
        assert program, "the tests need mariadb-server"
        self.process = subprocess.Popen(
            [
                program,
                "--no-defaults",
                "--user=mysql",
                f"--datadir={self.directory / 'data'}",
                f"--socket={self.socket}",
                f"--tmpdir={self.temporary()}",
                "--skip-networking",
                f"--pid-file={self.directory}/pid",
                "--innodb-flush-log-at-trx-commit=2",
                "--innodb-buffer-pool-size=256M",
                # By default a day: a test that leaves a transaction open is to be seen.
                "--lock-wait-timeout=60",
                f"--log-error={self.directory / 'error.log'}",
                *options,
            ],
        )
        self._await()

    def _await(self) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                self.connect().close()
            except pymysql.MySQLError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError((self.directory / "error.log").read_text())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)

    def connect(self) -> Any:
        return pymysql.connect(
            unix_socket=self.socket,
            user="root",
            autocommit=True,
            ssl_disabled=True,
            charset="utf8",
            cursorclass=pymysql.cursors.DictCursor,
        )


@dataclass
class Contained(MariaDB):
    """The MariaDB of Debian 13 in a container; its socket lies in our directory."""

    name: str = field(default_factory=lambda: f"mailserver-mariadb-{os.getpid()}")

    def install(self) -> None:
        subprocess.run([CHECKOUT / "tests/bed/image-ready.sh", "trixie"], check=True, timeout=1200)

    def start(self) -> None:
        data, place = "/var/lib/new", self.directory
        options = f"--no-defaults --user=root --datadir={data}"
        server = (
            f"mariadb-install-db {options} --skip-test-db >/dev/null && exec mariadbd {options} "
            f"--socket={self.socket} --skip-networking --innodb-flush-log-at-trx-commit=2 "
            f"--log-error={place}/error.log"
        )
        command = ["podman", "run", "--rm", "--name", self.name, "--network", "none"]
        command += ["--volume", f"{place}:{place}", TRIXIE, "bash", "-c", server]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self._await()

    def stop(self) -> None:
        subprocess.run(
            ["podman", "rm", "-f", "-t", "0", self.name], check=True, capture_output=True
        )
        self.process.wait(60)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    directory = Path(tempfile.mkdtemp(prefix="mailserver-"))
    shutil.chown(directory, "mysql", "mysql")
    server = MariaDB(directory)
    server.install()
    server.start()
    yield server
    server.stop()
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def trixie() -> Iterator[MariaDB]:
    with tempfile.TemporaryDirectory(prefix="mailserver-") as directory:
        server = Contained(Path(directory))
        server.install()
        server.start()
        yield server
        server.stop()


class Failed(AssertionError):
    """A module that failed, with its message as text and its result."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result.get("msg"))
        self.result = result


def judged(out: str, err: str = "") -> dict[str, Any]:
    """What a module said; its failure as an exception."""
    try:
        result = json.loads(out)
    except ValueError:
        raise AssertionError(out + err) from None
    if result.get("failed"):
        raise Failed(result)
    return result


@dataclass
class Host:
    """A database host: modules in, results out; and a look at the rows."""

    mariadb: MariaDB
    collections: Path
    dovecot: str = "dovecot"
    postfix: str = "postfix"

    def _arguments(self, check: bool = False, **options: Any) -> dict[str, Any]:
        return {
            "login_unix_socket": self.mariadb.socket,
            "dovecot_database": self.dovecot,
            "postfix_database": self.postfix,
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            **options,
        }

    def start(self, module: str, **options: Any) -> Any:
        """The module in a process of its own."""
        process = subprocess.Popen(
            [sys.executable, str(RUNNER), module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(self.collections)},
        )
        process.stdin.write(json.dumps(self._arguments(**options)))
        process.stdin.close()
        process.stdin = None
        return process

    def finish(self, process: Any) -> dict[str, Any]:
        out, err = process.communicate(timeout=300)
        return judged(out, err)

    def run(self, module: str, **options: Any) -> dict[str, Any]:
        """The module in this process, which is a second faster."""
        out = io.StringIO()
        with (
            patch_module_args(self._arguments(**options)),
            contextlib.redirect_stdout(out),
            contextlib.suppress(SystemExit),
        ):
            importlib.import_module(f"{MODULES}.{module}").main()
        return judged(out.getvalue())

    def user(self, address: str, **options: Any) -> dict[str, Any]:
        return self.run("mail_user", address=address, **options)

    def accounts(self, *accounts: dict[str, Any], **options: Any) -> dict[str, Any]:
        return self.run("mail_accounts", accounts=list(accounts), **options)

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        connection = self.mariadb.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return list(cursor.fetchall() or ())
        finally:
            connection.close()

    def table(self, name: str) -> str:
        database = self.dovecot if name.startswith("dovecot") else self.postfix
        return f"`{database}`.`{name}`"

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        condition = " AND ".join(f"`{column}` = %s" for column in where) or "1"
        return self.sql(f"SELECT * FROM {self.table(table)} WHERE {condition}", *where.values())

    def row(self, table: str, **where: Any) -> dict[str, Any]:
        (row,) = self.rows(table, **where)
        return row

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        """All rows, in no particular order."""
        return {t: sorted(self.rows(t), key=repr) for t in (*ROWS_OF, "mailserver_lock")}

    def destinations(self, userid: str | None = None) -> set[tuple[str, str, int]]:
        found = self.rows("smtp_destinations", **({"userid": userid} if userid else {}))
        return {(row["source"], row["destination"], row["dispatch_address"]) for row in found}

    def create_databases(self) -> None:
        for name in dict.fromkeys((self.dovecot, self.postfix)):
            self.sql(f"DROP DATABASE IF EXISTS `{name}`")
            self.sql(f"CREATE DATABASE `{name}` CHARACTER SET latin1")

    def empty(self) -> None:
        for table in ROWS_OF[1], ROWS_OF[0], ROWS_OF[3]:
            self.sql(f"DELETE FROM {self.table(table)}")


@pytest.fixture
def bare(mariadb: MariaDB, collections: Path) -> Host:
    """A server with two empty databases."""
    host = Host(mariadb, collections, "mail_d", "mail_p")
    host.create_databases()
    return host


@pytest.fixture(scope="session")
def prepared(mariadb: MariaDB, collections: Path) -> Host:
    host = Host(mariadb, collections)
    host.create_databases()
    host.run("mail_schema")
    return host


@pytest.fixture
def host(prepared: Host) -> Host:
    """A server with tables, two domains and nobody in them."""
    prepared.empty()
    for domain in ("example.org", "second.example"):
        prepared.sql(
            f"INSERT INTO {prepared.table('smtp_virtual_domains')} VALUES (%s, '')", domain
        )
    return prepared
