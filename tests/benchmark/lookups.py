# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many lookups a second Postfix and Dovecot do as the tables grow, beside the how-to's queries.

A mail host of each release is built in a container from its roles, and its tables are filled. Ours
are its maps and its Dovecot as they stand there. Beside them, in a database of their own with the
same people: tine's tables as the how-to has them (no index on source) and the how-to's queries.
All is told as the median of ROUNDS (3). SIZES ("1000 100000 1000000") are destination rows, SUITES
("bookworm trixie") the hosts. Ends with 0 when it has measured, whatever it has found.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP))

from tests.benchmark.accounts import figure, median, note
from tests.integration import crowd
from tests.integration.statements import found, rendered

SIZES = [int(size) for size in os.environ.get("SIZES", "1000 100000 1000000").split()]
ROUNDS = int(os.environ.get("ROUNDS", "3"))
SUITES = os.environ.get("SUITES", "bookworm trixie").split()
CONTAINER = f"groupware-mailserver-lookups-{os.getpid()}"
IMAGE = "localhost/groupware-mailserver-ready"
SOURCE = "/root/source"

# The statements of tine's how-to "Mailserver integration", word for word.
HOW_TO = {
    "domain": "SELECT DISTINCT 1 FROM smtp_destinations "
    "WHERE SUBSTRING_INDEX(source, '@', -1) = '%s';",
    "alias": "SELECT destination FROM smtp_destinations WHERE source='%s'",
    "mailbox": "SELECT 1 FROM smtp_users WHERE username='%s' AND forward_only=0",
}
PASSWORD_QUERY = (
    "SELECT dovecot_users.username AS user, password, home AS userdb_home, uid AS userdb_uid, "
    "gid AS userdb_gid, CONCAT('*:bytes=', CAST(quota_bytes AS CHAR), 'M') AS userdb_quota_rule "
    "FROM dovecot_users WHERE dovecot_users.username='%u'"
)
USER_QUERY = (
    "SELECT home, uid, gid, CONCAT('*:bytes=', CAST(quota_bytes AS CHAR), 'M') AS "
    "userdb_quota_rule FROM dovecot_users WHERE dovecot_users.username='%u'"
)

# tine's tables of 2019 to 2023, in a database of their own.
STOCK = """
DROP DATABASE IF EXISTS stock;
CREATE DATABASE stock CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci;
USE stock;
CREATE TABLE dovecot_users (userid varchar(80) NOT NULL, domain varchar(80) NOT NULL DEFAULT '',
  username varchar(80) NOT NULL, loginname varchar(255) DEFAULT NULL,
  password varchar(100) NOT NULL, quota_bytes bigint(20) NOT NULL DEFAULT 2000,
  uid varchar(20) DEFAULT NULL,
  gid varchar(20) DEFAULT NULL, home varchar(256) DEFAULT NULL, PRIMARY KEY (userid, domain),
  UNIQUE KEY username (username), UNIQUE KEY loginname (loginname)) ENGINE=InnoDB;
CREATE TABLE smtp_users (userid varchar(40) NOT NULL, client_idnr varchar(40) NOT NULL,
  username varchar(80) NOT NULL, passwd varchar(256) NOT NULL, email varchar(80) DEFAULT NULL,
  forward_only tinyint(1) NOT NULL DEFAULT 0, PRIMARY KEY (userid, client_idnr),
  UNIQUE KEY username (username), UNIQUE KEY email (email)) ENGINE=InnoDB;
CREATE TABLE smtp_destinations (userid varchar(40) NOT NULL, source varchar(80) NOT NULL,
  destination varchar(80) NOT NULL, dispatch_address tinyint(1) NOT NULL DEFAULT 1,
  KEY userid (userid)) ENGINE=InnoDB;
SET SESSION unique_checks = 0;
INSERT INTO dovecot_users SELECT userid, domain, username, loginname, password, quota_bytes, uid,
  gid, home FROM dovecot.dovecot_users;
INSERT INTO smtp_users SELECT userid, client_idnr, username, passwd, email, forward_only
  FROM postfix.smtp_users;
INSERT INTO smtp_destinations SELECT userid, source, destination, dispatch_address
  FROM postfix.smtp_destinations;
ANALYZE TABLE dovecot_users, smtp_users, smtp_destinations;
GRANT SELECT ON stock.* TO postfix@localhost;
GRANT SELECT ON stock.* TO dovecot@localhost;
"""
EMPTY = """
SET SESSION foreign_key_checks = 0;
TRUNCATE postfix.smtp_destinations; TRUNCATE postfix.smtp_users;
TRUNCATE postfix.smtp_virtual_domains; TRUNCATE dovecot.dovecot_last_login;
TRUNCATE dovecot.dovecot_usage; TRUNCATE dovecot.dovecot_users;
"""

# A Dovecot of its own, for authentication alone, with the how-to's two queries.
DOVECOT = {
    "bookworm": """
base_dir = /run/dovecot-source
protocols =
ssl = no
log_path = /root/source/log
passdb {
  driver = sql
  args = /root/source/dovecot-sql.conf
}
userdb {
  driver = sql
  args = /root/source/dovecot-sql.conf
}
""",
    "trixie": """
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.0
base_dir = /run/dovecot-source
protocols {
}
ssl = no
log_path = /root/source/log
auth_allow_weak_schemes = yes
sql_driver = mysql
mysql /run/mysqld/mysqld.sock {
  dbname = stock
  user = dovecot
  password = SQL_PASSWORD
}
passdb sql {
  query = PASSWORD_QUERY
}
userdb sql {
  query = USER_QUERY
}
""",
}
DOVECOT_SQL = """
driver = mysql
connect = host=/run/mysqld/mysqld.sock dbname=stock user=dovecot password=SQL_PASSWORD
password_query = PASSWORD_QUERY
user_query = USER_QUERY
"""

# In the container: run a command, and tell its seconds and the lines that it says.
TIMED = """
import json, subprocess, sys, time
command, given = json.load(sys.stdin)
began = time.perf_counter()
done = subprocess.run(command, input=given, capture_output=True, text=True)
seconds = time.perf_counter() - began
said = f"exit {done.returncode}: {done.stderr[-2000:]}"
json.dump([seconds, done.stdout.count("\\n"), said], sys.stdout)
"""


class Lookup(NamedTuple):
    """What is looked up, with which keys, and how."""

    name: str
    key: str  # SQL over the sequence of people
    map: str = ""  # a map of Postfix, or else
    doveadm: tuple[str, ...] = ()  # a question to Dovecot
    source: str = ""  # the how-to's map; Dovecot has the how-to's queries in a configuration
    goal: float = 1.5


MAPS = "/etc/postfix/sql/sql-virtual_"
USERNAME = 2.5  # the tree of the usernames grows, and so do its leaves
LOOKUPS = (
    Lookup("domain", crowd.DOMAIN, f"{MAPS}mailbox_domains.cf", source="domain"),
    Lookup("domain-derived", crowd.DOMAIN, f"{SOURCE}/derived.cf", source="domain"),
    Lookup(
        "alias",
        f"CONCAT('a', seq, '@', {crowd.DOMAIN})",
        f"{MAPS}alias_maps_aliases.cf",
        source="alias",
    ),
    Lookup("mailbox", crowd.USERNAME, f"{MAPS}mailbox_maps.cf", source="mailbox", goal=USERNAME),
    Lookup("userdb", crowd.USERNAME, doveadm=("user", "-f", "home"), goal=USERNAME),
    Lookup(
        "passdb", crowd.USERNAME, doveadm=("auth", "lookup", "-x", "service=imap"), goal=USERNAME
    ),
)


@dataclass
class MailHost:
    """A container that is a mail host."""

    suite: str

    def run(self, *command: str, given: str = "") -> str:
        done = subprocess.run(
            ["podman", "exec", "-i", CONTAINER, *command],
            input=given,
            capture_output=True,
            check=False,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def sql(self, text: str) -> str:
        return self.run("mariadb", "-N", given=text)

    def write(self, path: str, content: str) -> None:
        self.run("sh", "-c", f"mkdir -p {SOURCE}; cat >{path}", given=content)

    def timed(self, command: list[str], given: str, expected: int) -> float:
        out = self.run("python3", "-c", TIMED, given=json.dumps([command, given]))
        seconds, lines, said = json.loads(out)
        if lines < expected:
            raise SystemExit(f"{command[:4]} answered {lines} of {expected}: {said}")
        return seconds

    # -- the two ways

    def build(self) -> None:
        """By the roles, as make demo does."""
        container = [TOP / "tests/bed/container.sh", "start", CONTAINER, f"{IMAGE}:{self.suite}"]
        subprocess.run([*container, "mail.example.org"], check=True, stdout=subprocess.DEVNULL)
        done = subprocess.run(
            ["ansible-playbook", "-i", TOP / "examples/inventory.yml", "-i", TOP / "demo/hosts.yml"]
            + ["groupware.mailserver.site"],
            env={**os.environ, "DEMO_CONTAINER": CONTAINER, "ANSIBLE_PIPELINING": "1"},
            capture_output=True,
            check=False,
            text=True,
        )
        if done.returncode:
            raise SystemExit(done.stdout[-4000:])

    def add_the_how_to(self) -> None:
        """The how-to's maps and Dovecot, and our map of derived domains, beside what is there."""
        standing = self.run("cat", f"{MAPS}mailbox_domains.cf")
        connection = standing[: standing.index("query =")]
        for name, query in HOW_TO.items():
            text = connection.replace("dbname = postfix", "dbname = stock") + f"query = {query}\n"
            self.write(f"{SOURCE}/{name}.cf", text)
        files = rendered()["postfix, domains derived"]
        (ours,) = [s for s in found(files, "postfix") if s.name.endswith("mailbox_domains.cf")]
        self.write(f"{SOURCE}/derived.cf", f"{connection}query = {ours.text}\n")
        self._add_dovecot()

    def _add_dovecot(self) -> None:
        file = "/etc/mysql/groupware-mailserver-passwords.json"
        password = json.loads(self.run("cat", file))["dovecot"]
        for path, content in (
            (f"{SOURCE}/dovecot.conf", DOVECOT[self.suite]),
            (f"{SOURCE}/dovecot-sql.conf", DOVECOT_SQL),
        ):
            text = content.replace("SQL_PASSWORD", password)
            text = text.replace("PASSWORD_QUERY", PASSWORD_QUERY).replace("USER_QUERY", USER_QUERY)
            if self.suite == "trixie":
                text = text.replace("%u", "%{user}").replace("userdb_quota_rule", "quota_rule")
            self.write(path, text)
        self.run("dovecot", "-c", f"{SOURCE}/dovecot.conf")

    def fill(self, rows: int) -> None:
        names = {
            table: f"{'dovecot' if table.startswith('dovecot') else 'postfix'}.{table}"
            for table in crowd.TABLES
        }
        self.sql(EMPTY + ";\n".join(crowd.script(names, "postfix", rows)) + ";\n" + STOCK)

    def keys(self, expression: str, rows: int, number: int) -> list[str]:
        """So many keys from all over the table, in no order; a small one is asked repeatedly."""
        people = rows // crowd.ROWS_OF_A_PERSON
        # Odd, or only one kind of people would be asked for. (To ORDER BY here would be simpler,
        # but the sequence tables of MariaDB 11.8 return other rows then.)
        step = max(1, people * 3 // 4 // number) | 1
        found = self.sql(
            f"USE postfix; SELECT {expression} AS k FROM seq_1_to_{people}_step_{step} "
            f"WHERE NOT {crowd.FORWARDING}"
        ).split()
        random.Random(rows).shuffle(found)
        return (found * -(-number // len(found)))[:number]

    # -- lookups a second

    def ours(self, lookup: Lookup, rows: int) -> float:
        number = 4000 if lookup.map else 1000
        return self._asked(lookup, rows, number, lookup.map, "/etc/dovecot/dovecot.conf")

    def theirs(self, lookup: Lookup, rows: int) -> float:
        scans = lookup.source in ("domain", "alias")
        number = max(10, min(4000, 4_000_000 // rows)) if scans else 4000 if lookup.map else 1000
        table, conf = f"{SOURCE}/{lookup.source}.cf", f"{SOURCE}/dovecot.conf"
        return self._asked(lookup, rows, number, table, conf)

    def _asked(self, lookup: Lookup, rows: int, number: int, table: str, conf: str) -> float:
        keys = self.keys(lookup.key, rows, number)
        if lookup.map:
            given = "".join(f"{key}\n" for key in keys)
            return number / self.timed(["postmap", "-q", "-", f"mysql:{table}"], given, number)
        command = ["doveadm", "-c", conf, *lookup.doveadm, *keys]
        return number / self.timed(command, "", number)


@contextlib.contextmanager
def mail_host(suite: str) -> Iterator[MailHost]:
    subprocess.run([TOP / "tests/bed/image-ready.sh", suite], check=True)
    host = MailHost(suite)
    try:
        host.build()
        host.add_the_how_to()
        yield host
    finally:
        remove = [TOP / "tests/bed/container.sh", "remove", CONTAINER]
        subprocess.run(remove, check=True, stdout=subprocess.DEVNULL)


class Rates(NamedTuple):
    """Lookups a second, ours and the how-to's, by name of the lookup."""

    ours: dict[str, float]
    theirs: dict[str, float]


def sized(host: MailHost, rows: int) -> Rates:
    host.fill(rows)
    rounds = [
        [(host.ours(lookup, rows), host.theirs(lookup, rows)) for lookup in LOOKUPS]
        for _round in range(ROUNDS)
    ]
    note(f"\n{host.suite}, {rows} destination rows, lookups a second, medians of {ROUNDS}:")
    note(f"  {'':16}{'ours':>12}{'the how-to':>14}")
    rates = Rates({}, {})
    for lookup, *values in zip(LOOKUPS, *rounds):
        ours, theirs = (median([value[way] for value in values]) for way in (0, 1))
        rates.ours[lookup.name], rates.theirs[lookup.name] = ours, theirs
        note(f"  {lookup.name:16}{ours:12.0f}{theirs:14.1f}")
    return rates


def compared(suite: str, sizes: dict[int, Rates]) -> None:
    """How much longer a lookup takes in a large table, and how much faster it is than theirs."""
    small = min(sizes)
    for rows, rates in sizes.items():
        asked = (small, rows) == (1000, 1_000_000)
        for lookup in LOOKUPS:
            name = f"lookups-{suite}-{lookup.name}"
            if rows != small:
                slower = sizes[small].ours[lookup.name] / rates.ours[lookup.name]
                figure(f"{name}-{rows}-over-{small}", slower, lookup.goal if asked else None)
            goal = 1000 if asked and lookup.source == "domain" else None
            faster = rates.ours[lookup.name] / rates.theirs[lookup.name]
            figure(f"{name}-over-howto-{rows}", faster, goal, above=True)


def main() -> None:
    for suite in SUITES:
        with mail_host(suite) as host:
            compared(suite, {rows: sized(host, rows) for rows in SIZES})


if __name__ == "__main__":
    main()
