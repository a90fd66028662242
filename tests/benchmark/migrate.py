# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long mail_schema takes from the tables of 2015 and 2010 (D4, S6) to those of 2026.

Beside it the ALTER TABLE statements of that run alone, by the client, on the same rows in the same
server. PEOPLE (100000) have three destinations each. Told as the median of ROUNDS (3). Ends with 0
when it has measured, whatever it has found.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP))

from tests.benchmark.accounts import Bench, figure, median, note
from tests.integration.conftest import MariaDB
from tests.integration.old_hosts import OldHost

PEOPLE = int(os.environ.get("PEOPLE", "100000"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
DESTINATIONS = 3


class Old(OldHost):
    """Tables of D4 and S6, filled by the server itself."""

    def filled(self) -> None:
        self.build("D4", "S6", 0)
        numbers = f"seq_1_to_{PEOPLE}"
        address = "CONCAT('p', seq, '@example.org')"
        hashed = f"'{{SSHA256}}{'x' * 48}'"
        for statement in (
            f"INSERT INTO {self.table('dovecot_users')} (userid, domain, username, password, "
            f"quota_bytes, home) SELECT SHA1(seq), 'example.org', {address}, {hashed}, 2000, "
            f"CONCAT('/var/vmail/example.org/p', seq) FROM {self.dovecot}.{numbers}",
            f"INSERT INTO {self.table('dovecot_usage')} "
            f"SELECT {address}, seq, 7 FROM {self.dovecot}.{numbers}",
            f"INSERT INTO {self.table('smtp_users')} "
            "(userid, client_idnr, username, passwd, email) "
            f"SELECT SHA1(seq), 'tine', {address}, {hashed}, {address} "
            f"FROM {self.postfix}.{numbers}",
            *(
                f"INSERT INTO {self.table('smtp_destinations')} (userid, source, destination) "
                f"SELECT SHA1(seq), {source}, {address} FROM {self.postfix}.{numbers}"
                for source in (address, *self._aliases())
            ),
        ):
            self.sql(statement)

    def _aliases(self) -> list[str]:
        return [f"CONCAT('a{n}-', seq, '@example.org')" for n in range(1, DESTINATIONS)]

    def rows_lost(self) -> int:
        counted = {"dovecot_users": 1, "smtp_users": 1, "smtp_destinations": DESTINATIONS}
        return sum(
            PEOPLE * times - self.sql(f"SELECT COUNT(*) AS n FROM {self.table(name)}")[0]["n"]
            for name, times in counted.items()
        )


def main() -> None:
    directory = Path(tempfile.mkdtemp(prefix="mailserver-"))
    shutil.chown(directory, "mysql", "mysql")
    place = directory / "ansible_collections" / "groupware"
    place.mkdir(parents=True)
    (place / "mailserver").symlink_to(TOP)
    server = MariaDB(directory)
    server.install()
    server.start()
    try:
        measure(Bench(Old(server, directory, "old_d", "old_p"), directory))
    finally:
        server.stop()
        shutil.rmtree(directory)


def measure(bench: Bench) -> None:
    host: Any = bench.host
    rounds = [one_round(bench, host) for _round in range(ROUNDS)]
    module, again, alters, memory = (median(list(values)) for values in zip(*rounds))
    note(f"\n{PEOPLE} people, {PEOPLE * DESTINATIONS} destinations, medians of {ROUNDS}:")
    note(f"  D4 and S6 to 2026, module {module:20.2f} s")
    note(f"  the same again, nothing to do {again:16.2f} s")
    note(f"  its ALTER TABLE statements alone {alters:13.2f} s")
    note(f"  peak memory of the module {memory:20.2f} MiB")
    figure(f"migrate-over-alter-{PEOPLE}", module / alters, 2.0)
    figure(f"migrate-seconds-{PEOPLE}", module)
    figure(f"migrate-unchanged-seconds-{PEOPLE}", again, 2.0)
    figure(f"migrate-memory-{PEOPLE}", memory, 100)


def one_round(bench: Bench, host: Old) -> tuple[float, float, float, float]:
    """The module, and what it altered without it."""
    host.filled()
    cost, done = bench.module("mail_schema", state="current", backup_dir=str(bench.directory / "b"))
    assert done["changed"]
    assert not host.rows_lost()
    again, nothing = bench.module("mail_schema", state="current")
    assert not nothing["changed"]
    host.filled()
    altered = [sql for sql in done["queries"] if sql.startswith("ALTER")]
    alters = bench.client("; ".join(altered))
    return cost.seconds, again.seconds, alters, max(cost.mebibytes, again.mebibytes)


if __name__ == "__main__":
    main()
