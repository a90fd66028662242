# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long mail_accounts takes, beside what the same rows cost without it.

Everything is measured in one run, in turn, against one MariaDB that only this run uses, and told as
the median of ROUNDS (3). SIZES ("1000 10000 100000") are the numbers of people. Figures whose goal
names a size are only told for that size. Ends with 0 when it has measured, whatever it has found.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP))

import pymysql

from tests.integration.conftest import RUNNER, Host, MariaDB, judged

SIZES = [int(size) for size in os.environ.get("SIZES", "1000 10000 100000").split()]
ROUNDS = int(os.environ.get("ROUNDS", "3"))
LOOPED = 20
CRYPTED = 10_000
DOMAINS = [f"d{number}.example" for number in range(5)]
PASSWORD = "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ"

# What has to be known of an account to compare it with a wish.
COLUMNS = {
    "dovecot_users": "userid, domain, username, loginname, password, quota_bytes, quota_message, "
    "quota_sieve_bytes, quota_sieve_script, uid, gid, home, instancename, status, expiry_date",
    "smtp_users": "userid, client_idnr, username, passwd, email, forward_only, status, expiry_date",
    "smtp_destinations": "userid, source, destination, dispatch_address",
}


class Cost(NamedTuple):
    """What a process took."""

    seconds: float
    mebibytes: float
    out: str


# ---- people


def person(number: int, turn: int = 0) -> dict[str, Any]:
    """Every second with a hash, every second with a clear password; one to three destinations."""
    domain = DOMAINS[number % len(DOMAINS)]
    secret = {"password": f"secret {number}", "password_scheme": "SSHA256"}
    aliases = [f"a{alias}-{number}@{domain}" for alias in range(number % 3)]
    forwards = [f"f{number}@far.example"] if number % 20 == 0 and len(aliases) < 2 else []
    return {
        "address": f"p{number}@{domain}",
        "quota": f"{1 + (number + turn) % 5}G",
        "aliases": aliases,
        "forwards": forwards,
        **({"password_hash": PASSWORD} if number % 2 else secret),
    }


@dataclass
class People:
    """Files of the same people: as they are, with one in a hundred changed, in other orders."""

    directory: Path
    number: int

    def written(self, name: str, people: Iterator[dict[str, Any]]) -> Path:
        path = self.directory / f"{self.number}-{name}.jsonl"
        with path.open("w") as file:
            file.writelines(f"{json.dumps(one)}\n" for one in people)
        return path

    def as_they_are(self) -> Path:
        return self.written("same", map(person, range(self.number)))

    def some_changed(self, turn: int) -> Path:
        turns = (turn if number % 100 == 0 else 0 for number in range(self.number))
        return self.written(f"changed-{turn}", map(person, range(self.number), turns))

    def in_another_order(self, turn: int) -> Path:
        """The same wish, but nothing that an earlier run could have kept a record of."""
        order = [*range(turn, self.number), *range(turn)]
        return self.written(f"turned-{turn}", map(person, order))

    def crypted(self) -> Path:
        secrets = (
            {
                "address": f"p{n}@{DOMAINS[0]}",
                "password": f"s {n}",
                "password_scheme": "SHA512-CRYPT",
            }
            for n in range(self.number)
        )
        return self.written("crypted", secrets)


# ---- measuring


def measured(command: list[str], given: str = "", **environment: str) -> Cost:
    """Run a process to its end; the memory is that of the largest process in it."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        said.write(given)
        said.seek(0)
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=said, stdout=out, stderr=out, env={**os.environ, **environment}
        )
        _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    if process.returncode and not text.lstrip().startswith("{"):
        raise SystemExit(f"{' '.join(command)}: {text[-2000:]}")
    return Cost(seconds, usage.ru_maxrss / 1024, text)


def median(values: list[float]) -> float:
    return statistics.median(values)


def figure(name: str, value: float, goal: float | None = None, above: bool = False) -> None:
    """The line that is read by machines."""
    good = goal is None or (value >= goal if above else value <= goal)
    told = "none" if goal is None else goal
    print(f"bench {name} {value:.2f} goal {told} {'ok' if good else 'short'}", flush=True)


def note(text: str) -> None:
    print(text, flush=True)


class Bench:
    """A database host, and the ways to fill, read and compare it."""

    def __init__(self, host: Host, directory: Path) -> None:
        self.host = host
        self.directory = directory

    # -- ours

    def fresh(self) -> None:
        """Empty tables with the domains."""
        self.host.create_databases()
        self.host.run("mail_schema")
        self.host.run("mail_domain", name=DOMAINS)

    def options(self, **said: Any) -> dict[str, Any]:
        return {
            "login_unix_socket": self.host.mariadb.socket,
            "dovecot_database": self.host.dovecot,
            "postfix_database": self.host.postfix,
            **said,
        }

    def module(self, name: str, **said: Any) -> tuple[Cost, dict[str, Any]]:
        """The module in a process of its own, as a managed host runs it."""
        given = json.dumps({**self.options(**said), "_ansible_diff": False})
        cost = measured(
            [sys.executable, str(RUNNER), name], given, PYTHONPATH=str(self.host.collections)
        )
        return cost, judged(cost.out[cost.out.index("{") :])

    def accounts(self, path: Path, changed: int) -> Cost:
        """mail_accounts alone; it has to change just so many."""
        cost, result = self.module("mail_accounts", src=[str(path)], remote_src=True)
        counts = result["counts"]
        assert counts["created"] + counts["changed"] == changed, counts
        return cost

    def play(self, *tasks: dict[str, Any], expected: str = "") -> Cost:
        """A whole ansible-playbook with these tasks."""
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": sys.executable},
            "tasks": list(tasks),
        }
        file = self.directory / "play.yml"
        file.write_text(json.dumps([play]))
        cost = measured(
            ["ansible-playbook", "-i", "localhost,", "-c", "local", str(file)],
            ANSIBLE_COLLECTIONS_PATH=f"{self.host.collections}:{TOP / '.dev/collections'}",
            ANSIBLE_PIPELINING="1",
        )
        assert "failed=0" in cost.out, cost.out[-2000:]
        assert expected in cost.out, cost.out[-2000:]
        return cost

    def accounts_play(self, path: Path, changed: bool) -> Cost:
        task = {"groupware.mailserver.mail_accounts": self.options(src=str(path))}
        return self.play(task, expected=f"changed={int(changed)} ")

    def empty_play(self) -> Cost:
        return self.play({"ansible.builtin.ping": {}})

    # -- the same rows without us

    def dumped(self) -> Path:
        """All rows as INSERTs of about a megabyte each, in one transaction."""
        path = self.directory / "rows.sql"
        connection = self.connected()
        with connection, connection.cursor() as cursor, path.open("w") as file:
            file.write("START TRANSACTION;\n")
            for table, names in COLUMNS.items():
                columns = f"{names}, last_modified_time"
                cursor.execute(f"SELECT {columns} FROM {self.host.table(table)}")
                while rows := cursor.fetchmany(5000):
                    values = ",\n".join(cursor.mogrify("%s", (row,)) for row in rows)
                    file.write(
                        f"INSERT INTO {self.host.table(table)} ({columns}) VALUES\n{values};\n"
                    )
            file.write("COMMIT;\n")
        return path

    def client(self, text: str = "", path: Path | None = None) -> float:
        """The mariadb client with these statements, or those of a file; its output is dropped."""
        command = [
            "mariadb",
            "--no-defaults",
            "--quick",
            "-N",
            f"--socket={self.host.mariadb.socket}",
        ]
        began = time.perf_counter()
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(path.open()) if path else None
            subprocess.run(
                command + (["-e", text] if text else []),
                check=True,
                stdin=source,
                stdout=subprocess.DEVNULL,
            )
        return time.perf_counter() - began

    def inserted(self) -> float:
        """The client's multi-row INSERT of the rows that are there, into fresh tables."""
        path = self.dumped()
        number = self.rows()
        self.fresh()
        seconds = self.client(path=path)
        assert self.rows() == number
        return seconds

    def rows(self) -> int:
        return sum(
            int(self.host.sql(f"SELECT COUNT(*) AS n FROM {self.host.table(table)}")[0]["n"])
            for table in COLUMNS
        )

    def selects(self) -> list[str]:
        return [f"SELECT {names} FROM {self.host.table(table)}" for table, names in COLUMNS.items()]

    def selected(self) -> float:
        return self.client("; ".join(self.selects()))

    def connected(self) -> Any:
        return pymysql.connect(
            unix_socket=self.host.mariadb.socket, user="root", charset="utf8", ssl_disabled=True
        )

    def _asked(self, statements: list[str]) -> float:
        began = time.perf_counter()
        connection = self.connected()
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                cursor.fetchall()
        return time.perf_counter() - began

    def fetched(self) -> float:
        return self._asked(self.selects())

    def summed(self) -> float:
        """One checksum for each table, computed in the server."""
        return self._asked(
            [
                f"SELECT BIT_XOR(CRC32(CONCAT_WS('\\t', {names}))) FROM {self.host.table(table)}"
                for table, names in COLUMNS.items()
            ]
        )

    def looped(self, number: int) -> Cost:
        """What is done without us: a task for each table, in a loop over people."""
        loop = [person(one)["address"] for one in range(number)]
        login = {"login_unix_socket": self.host.mariadb.socket, "login_user": "root"}
        queries = (
            f"UPDATE {self.host.table('dovecot_users')} SET quota_bytes = 7 WHERE username = %s",
            f"UPDATE {self.host.table('smtp_users')} SET forward_only = 0 WHERE username = %s",
            f"INSERT IGNORE INTO {self.host.table('smtp_destinations')} "
            "(userid, source, destination, dispatch_address) SELECT userid, email, username, 0 "
            f"FROM {self.host.table('smtp_users')} WHERE username = %s",
        )
        tasks = [
            {
                "ansible.mariadb.mariadb_query": {
                    **login,
                    "query": query,
                    "positional_args": ["{{ item }}"],
                },
                "loop": loop,
            }
            for query in queries
        ]
        return self.play(*tasks)


# ---- the figures


class Size(NamedTuple):
    """Medians for one number of people: seconds, and the memory of the module."""

    first: float
    same: float
    recorded: float
    some: float
    first_play: float
    same_play: float
    recorded_play: float
    some_play: float
    insert: float
    select: float
    fetch: float
    checksum: float
    empty_play: float
    memory: float


def sized(bench: Bench, number: int) -> Size:
    people = People(bench.directory, number)
    same = people.as_they_are()
    rounds = [_round(bench, people, same, turn) for turn in range(1, ROUNDS + 1)]
    medians = Size(*(median(list(values)) for values in zip(*rounds)))
    note(f"\n{number} people, medians of {ROUNDS}:")
    for name, seconds in medians._asdict().items():
        unit = "MiB" if name == "memory" else "s"
        note(f"  {LABELS[name]:52} {seconds:10.3f} {unit}")
    return medians


LABELS = {
    "first": "first load, module",
    "same": "nothing changed, module, no record of it",
    "recorded": "nothing changed, module, on record",
    "some": "1 % changed, module",
    "first_play": "first load, ansible-playbook",
    "same_play": "nothing changed, ansible-playbook, no record of it",
    "recorded_play": "nothing changed, ansible-playbook, on record",
    "some_play": "1 % changed, ansible-playbook",
    "insert": "multi-row INSERT of the same rows by the client",
    "select": "SELECT of the same rows by the client",
    "fetch": "fetch of the same rows with PyMySQL",
    "checksum": "checksum of the same rows in the server",
    "empty_play": "empty play",
    "memory": "peak memory of the module",
}


def _round(bench: Bench, people: People, same: Path, turn: int) -> Size:
    """Each thing once; what shall change nothing is run where nothing is to change."""
    number, some = people.number, -(-people.number // 100)
    changed = people.some_changed(turn)
    bench.fresh()
    first_play = bench.accounts_play(same, True)
    bench.fresh()
    first = bench.accounts(same, number)
    insert = bench.inserted()
    anew = [people.in_another_order(2 * turn), people.in_another_order(2 * turn + 1)]
    costs = [bench.accounts(anew[0], 0), bench.accounts(same, 0), bench.accounts(same, 0)]
    plays = [bench.accounts_play(anew[1], False), bench.accounts_play(same, False)]
    plays += [bench.accounts_play(same, False)]
    found = bench.selected(), bench.fetched(), bench.summed(), bench.empty_play()
    costs.append(bench.accounts(changed, some))
    bench.accounts(same, some)
    plays.append(bench.accounts_play(changed, True))
    select, fetch, checksum, empty = found
    return Size(
        first=first.seconds,
        same=costs[0].seconds,
        recorded=costs[2].seconds,
        some=costs[3].seconds,
        first_play=first_play.seconds,
        same_play=plays[0].seconds,
        recorded_play=plays[2].seconds,
        some_play=plays[3].seconds,
        insert=insert,
        select=select,
        fetch=fetch,
        checksum=checksum,
        empty_play=empty.seconds,
        memory=max(cost.mebibytes for cost in (first, *costs)),
    )


def compared(number: int, size: Size) -> None:
    """The figures of one size."""
    limit = size.fetch + size.empty_play
    figure(f"accounts-first-over-insert-{number}", size.first / size.insert, 2.0)
    figure(f"accounts-unchanged-over-fetch-and-play-{number}", size.same_play / limit, 2.0)
    figure(f"accounts-recorded-over-fetch-and-play-{number}", size.recorded_play / limit, 2.0)
    figure(f"accounts-unchanged-module-over-fetch-{number}", size.same / size.fetch)
    figure(f"accounts-recorded-module-over-fetch-{number}", size.recorded / size.fetch)
    figure(f"accounts-checksum-over-fetch-{number}", size.checksum / size.fetch)
    figure(f"accounts-memory-{number}", size.memory, 400 if number == 100_000 else None)


def growth(sizes: dict[int, Size]) -> None:
    """From one size to the next tenfold one, the module alone."""
    for small in sizes:
        large = sizes.get(10 * small)
        if large:
            for name in ("first", "same", "some"):
                value = getattr(large, name) / getattr(sizes[small], name)
                goal = 11 if small == 10_000 else None
                figure(f"accounts-growth-{name}-{small}-to-{10 * small}", value, goal)


def loop(bench: Bench, number: int, size: Size) -> None:
    """How many times faster per person than a loop, each without the time of an empty play."""
    loops = [bench.looped(LOOPED).seconds - bench.empty_play().seconds for _round in range(ROUNDS)]
    each = median(loops) / LOOPED
    ours = size.first_play / number
    note(
        f"\na loop of mariadb_query: {each:.3f} s per person; first load of {number}: {ours:.6f} s"
    )
    figure(
        f"accounts-loop-over-first-{number}", each / ours, 500 if number == 10_000 else None, True
    )


def one_person(bench: Bench, small: Bench, number: int) -> None:
    """mail_user for one person beside everybody (who is there already) and beside ten."""
    small.fresh()
    small.accounts(People(small.directory, 10).as_they_are(), 10)
    costs: dict[int, list[float]] = {10: [], number: []}
    for turn in range(5 * ROUNDS):
        for people, host in ((10, small), (number, bench)):
            said = {"address": person(7)["address"], "quota": f"{100 + turn}G"}
            cost, result = host.module("mail_user", **said)
            assert result["changed"]
            costs[people].append(cost.seconds)
    few, many = median(costs[10]), median(costs[number])
    note(f"\nmail_user for one person: {few:.3f} s beside 10, {many:.3f} s beside {number} people")
    goal = 1.3 if number == 100_000 else None
    figure(f"accounts-one-person-{number}-over-10", many / few, goal)


def crypted(bench: Bench, number: int) -> None:
    """Expensive passwords in clear: made, verified for the first time, and again."""
    people = People(bench.directory, number)
    path = people.crypted()
    bench.fresh()
    made = bench.accounts(path, number)
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    again = bench.accounts(path, 0)
    recorded = bench.accounts(path, 0)
    note(
        f"\n{number} passwords of SHA512-CRYPT in clear: made in {made.seconds:.1f} s, unchanged "
        f"in {again.seconds:.1f} s, on record in {recorded.seconds:.1f} s"
    )
    figure(f"accounts-sha512-crypt-{number}-seconds", again.seconds)


def broken_down(bench: Bench, number: int) -> None:
    """Where the time of the module goes, measured inside of it."""
    people = People(bench.directory, number)
    same, other, changed = (
        people.as_they_are(),
        people.in_another_order(99),
        people.some_changed(99),
    )
    bench.fresh()
    for what, path in (
        ("first load", same),
        ("nothing changed, no record", other),
        ("nothing changed, on record", other),
        ("1 % changed", changed),
    ):
        given = json.dumps(bench.options(src=[str(path)], remote_src=True))
        steps = Path(__file__).with_name("steps.py")
        cost = measured([sys.executable, str(steps)], given, PYTHONPATH=str(bench.host.collections))
        note(f"\n{what}, {number} people, where the module's time goes (seconds):\n{cost.out}")


@contextlib.contextmanager
def server() -> Iterator[tuple[Host, Path]]:
    """A MariaDB of our own, and a directory for files."""
    with tempfile.TemporaryDirectory(prefix="mailserver-bench-") as directory:
        place = Path(directory)
        place.chmod(0o755)
        for name in ("server", "files", "collections/ansible_collections/groupware"):
            (place / name).mkdir(parents=True)
        (place / "collections/ansible_collections/groupware/mailserver").symlink_to(TOP)
        subprocess.run(["chown", "mysql:mysql", place / "server"], check=True)
        mariadb = MariaDB(place / "server")
        mariadb.install()
        mariadb.start()
        try:
            yield Host(mariadb, place / "collections"), place / "files"
        finally:
            mariadb.stop()


def main() -> None:
    with server() as (host, directory):
        bench = Bench(host, directory)
        small = Bench(Host(host.mariadb, host.collections, "few_d", "few_p"), directory)
        sizes = {}
        for number in SIZES:
            sizes[number] = sized(bench, number)
            compared(number, sizes[number])
            if number == 10_000 or number == max(SIZES) < 10_000:
                loop(bench, number, sizes[number])
        growth(sizes)
        one_person(bench, small, max(SIZES))
        crypted(bench, min(CRYPTED, max(SIZES)))
        broken_down(bench, max(SIZES))


if __name__ == "__main__":
    main()
