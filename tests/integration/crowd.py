# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables that are full: many people of every kind, written in the server by a few statements.

Every person has three destination rows. By the number of the person:
half are in one big domain, the others five to a domain;
a quarter have a username of the form <40 hex>@<instance>, which is no mail domain, and an eighth,
of the small domains, one in the big domain, as tine names people of secondary domains;
a quarter only forward; some domains have a catch-all; some people are disabled, some have expired.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ROWS_OF_A_PERSON = 3
BIG, INSTANCE = "big.example", "instance.example"
HASH = "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ"
CLIENT = "57a8b3cbd5bfb9b0b5ca2cf3ee9da3e0b0f6f5f0"

# The words of a person, in terms of the sequence table's column.
USERID = "SHA1(seq)"
DOMAIN = f"IF(seq % 2, '{BIG}', CONCAT('d', seq DIV 10, '.example'))"
ADDRESS = f"CONCAT('p', seq, '@', {DOMAIN})"
USERNAME = (
    f"CASE WHEN seq % 4 = 1 THEN CONCAT({USERID}, '@{INSTANCE}') "
    f"WHEN seq % 8 = 4 THEN CONCAT('p', seq, '-secondary@{BIG}') ELSE {ADDRESS} END"
)
OTHER_NAME = "(seq % 4 = 1 OR seq % 8 = 4)"
FORWARDING = "(seq % 4 = 2)"
STATUS = "ELT(1 + seq % 50, 'disabled', 'expired', NULL, 'blocked')"
EXPIRY = "ELT(1 + seq % 50, NULL, '2020-01-01', '2099-01-01')"

PEOPLE = (
    f"""INSERT INTO {{smtp_users}} (userid, client_idnr, username, passwd, email, forward_only,
      status, expiry_date) SELECT {USERID}, '{CLIENT}', {USERNAME}, '{{hash}}', {ADDRESS},
      {FORWARDING}, {STATUS}, {EXPIRY} FROM seq_1_to_{{people}}""",
    f"""INSERT INTO {{smtp_destinations}} (userid, source, destination, dispatch_address)
      SELECT {USERID}, {ADDRESS}, IF({FORWARDING}, CONCAT('f', seq, '@far.example'), {USERNAME}), 0
      FROM seq_1_to_{{people}}""",
    f"""INSERT INTO {{smtp_destinations}} (userid, source, destination, dispatch_address)
      SELECT {USERID}, {USERNAME}, {USERNAME}, 0 FROM seq_1_to_{{people}} WHERE {OTHER_NAME}""",
    f"""INSERT INTO {{smtp_destinations}} (userid, source, destination, dispatch_address)
      SELECT {USERID}, CONCAT('a', seq, '@', {DOMAIN}), {ADDRESS}, seq % 3 = 0
      FROM seq_1_to_{{people}}""",
    f"""INSERT INTO {{smtp_destinations}} (userid, source, destination, dispatch_address)
      SELECT {USERID}, IF(seq % 10 = 2, CONCAT('@', {DOMAIN}), CONCAT('b', seq, '@', {DOMAIN})),
      {ADDRESS}, 1 FROM seq_1_to_{{people}} WHERE NOT {OTHER_NAME}""",
    f"""INSERT INTO {{dovecot_users}} (userid, domain, username, loginname, password, quota_bytes,
      home, status, expiry_date) SELECT {USERID}, SUBSTRING_INDEX({USERNAME}, '@', -1), {USERNAME},
      {ADDRESS}, '{{hash}}', 2048, CONCAT('/var/vmail/', seq), {STATUS}, {EXPIRY}
      FROM seq_1_to_{{people}} WHERE NOT {FORWARDING}""",
    f"""INSERT INTO {{dovecot_usage}} SELECT {USERNAME}, seq, seq FROM seq_1_to_{{people}}
      WHERE NOT {FORWARDING}""",
    f"""INSERT INTO {{dovecot_last_login}} SELECT {USERNAME}, 1700000000 + seq
      FROM seq_1_to_{{people}} WHERE NOT {FORWARDING}""",
    f"""INSERT IGNORE INTO {{smtp_virtual_domains}} (domain, instancename)
      SELECT DISTINCT {DOMAIN}, '' FROM seq_1_to_{{people}}""",
)
TABLES = (
    "smtp_users",
    "smtp_destinations",
    "smtp_virtual_domains",
    "dovecot_users",
    "dovecot_usage",
    "dovecot_last_login",
)


def script(tables: Mapping[str, str], database: str, rows: int) -> list[str]:
    """The statements that fill these tables, by their quoted names, with so many destinations."""
    people = rows // ROWS_OF_A_PERSON
    return [
        f"USE `{database}`",
        # The rows are known to be right, and sorting them into the indexes is what takes time.
        "SET SESSION foreign_key_checks = 0, unique_checks = 0",
        *(statement.format(people=people, hash=HASH, **tables) for statement in PEOPLE),
        # Statistics are made by and by, and a plan is chosen by them.
        f"ANALYZE TABLE {', '.join(tables.values())}",
    ]


def fill(host: Any, rows: int) -> None:
    """Fill the tables of a Host that has them."""
    connection = host.mariadb.connect()
    try:
        with connection.cursor() as cursor:
            for statement in script({t: host.table(t) for t in TABLES}, host.postfix, rows):
                cursor.execute(statement)
    finally:
        connection.close()
