# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""mail_schema against a real MariaDB."""

from __future__ import annotations

import pytest

from .conftest import Failed, Host

TABLES = {
    "dovecot_users",
    "dovecot_usage",
    "dovecot_master_users",
    "dovecot_last_login",
    "dovecot_sessions_to_end",
    "smtp_users",
    "smtp_destinations",
    "smtp_virtual_domains",
    "mailserver_lock",
}


def tables(host: Host) -> dict[str, dict]:
    found = host.sql(
        "SELECT * FROM information_schema.tables WHERE table_schema IN (%s, %s)",
        host.dovecot,
        host.postfix,
    )
    return {row["TABLE_NAME"]: row for row in found}


def test_check_mode_tells_what_the_run_does_and_a_second_run_does_nothing(bare: Host):
    predicted = bare.run("mail_schema", check=True)
    assert predicted["changed"]
    assert not tables(bare)
    done = bare.run("mail_schema")
    assert done["actions"] == predicted["actions"]
    assert f"create table {bare.dovecot}.dovecot_users" in done["actions"]
    assert set(tables(bare)) == TABLES
    again = bare.run("mail_schema")
    assert not again["changed"]
    assert again["actions"] == []
    assert not bare.run("mail_schema", check=True)["changed"]


def test_charset_collation_and_engine_do_not_depend_on_the_database(bare: Host):
    bare.run("mail_schema")
    for name, table in tables(bare).items():
        expected = "utf8mb3_unicode_ci" if name == "dovecot_master_users" else "utf8mb3_general_ci"
        assert (table["ENGINE"], table["TABLE_COLLATION"]) == ("InnoDB", expected), name
    columns = bare.sql(
        "SELECT DISTINCT table_name, collation_name FROM information_schema.columns "
        "WHERE table_schema IN (%s, %s) AND collation_name IS NOT NULL",
        bare.dovecot,
        bare.postfix,
    )
    assert all(
        c["collation_name"] == tables(bare)[c["table_name"]]["TABLE_COLLATION"] for c in columns
    )


def test_both_databases_may_be_one(bare: Host):
    one = Host(bare.mariadb, bare.collections, "mail_d", "mail_d")
    one.run("mail_schema")
    assert set(tables(one)) == TABLES
    assert not one.run("mail_schema")["changed"]


def test_a_missing_database_is_named(bare: Host):
    host = Host(bare.mariadb, bare.collections, "mail_d", "no_such")
    with pytest.raises(Failed, match="No database named no_such"):
        host.run("mail_schema")
    assert host.run("mail_schema", check=True)["changed"]


def test_what_tine_does_without_is_added(bare: Host):
    bare.run("mail_schema")
    for statement in (
        f"DROP TABLE {bare.table('dovecot_last_login')}",
        f"DROP TABLE {bare.table('smtp_virtual_domains')}",
        f"DROP TABLE {bare.table('mailserver_lock')}",
        f"ALTER TABLE {bare.table('dovecot_users')} MODIFY password varchar(100) NOT NULL",
        f"ALTER TABLE {bare.table('dovecot_master_users')} MODIFY password varchar(100) NOT NULL",
        f"ALTER TABLE {bare.table('smtp_users')} DROP COLUMN routing_domain",
        f"ALTER TABLE {bare.table('smtp_destinations')} DROP COLUMN source_domain, DROP KEY source",
    ):
        bare.sql(statement)
    predicted = bare.run("mail_schema", check=True)
    done = bare.run("mail_schema")
    assert predicted["actions"] == done["actions"]
    words = "\n".join(done["actions"])
    assert "widen password from varchar(100) to varchar(255)" in words
    assert "add column routing_domain" in words
    assert "add index source" in words
    assert not bare.run("mail_schema")["changed"]


def test_people_of_an_older_tine_get_a_status_and_stay_active(bare: Host):
    bare.run("mail_schema")
    bare.sql(
        f"INSERT INTO {bare.table('dovecot_users')} (userid, username, password) "
        "VALUES ('1', 'ann@example.org', 'x')"
    )
    dated = ("dovecot_users", "smtp_users", "smtp_destinations")
    for name in dated:
        columns = "DROP COLUMN status, DROP COLUMN expiry_date, DROP COLUMN last_modified_time"
        bare.sql(f"ALTER TABLE {bare.table(name)} {columns}")
    told = "add column status, add column expiry_date, add column last_modified_time"
    done = bare.run("mail_schema")
    assert [action.partition(": ")[2] for action in done["actions"]] == [told] * len(dated)
    row = bare.row("dovecot_users")
    assert (row["username"], row["status"], row["expiry_date"]) == ("ann@example.org", None, None)
    assert not bare.run("mail_schema")["changed"]


def test_a_lost_trigger_or_sentinel_row_comes_back(bare: Host):
    bare.run("mail_schema")
    bare.sql(f"DROP TRIGGER `{bare.dovecot}`.dovecot_last_login_ai")
    bare.sql(f"DELETE FROM {bare.table('mailserver_lock')}")
    assert len(bare.run("mail_schema")["actions"]) == 2
    assert not bare.run("mail_schema")["changed"]


def test_last_login_reaches_the_account_in_utc(bare: Host):
    bare.run("mail_schema")
    bare.sql(
        f"INSERT INTO {bare.table('dovecot_users')} (userid, username, password) "
        "VALUES ('1', 'ann@example.org', 'x')"
    )
    bare.sql(f"INSERT INTO {bare.table('dovecot_last_login')} VALUES ('ann@example.org', 86400)")
    row = bare.row("dovecot_users")
    assert (str(row["last_login"]), row["last_login_unix"]) == ("1970-01-02 00:00:00", 86400)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("ALTER TABLE {users} DROP COLUMN loginname", "has no column loginname"),
        ("ALTER TABLE {users} MODIFY quota_bytes varchar(20)", "quota_bytes is varchar"),
        ("ALTER TABLE {destinations} DROP KEY force_unique", "has no key force_unique"),
        ("ALTER TABLE {lock} ENGINE=MyISAM", "uses the engine MyISAM"),
    ],
)
def test_another_generation_is_refused_and_left_alone(bare: Host, statement: str, told: str):
    bare.run("mail_schema")
    bare.sql(
        statement.format(
            users=bare.table("dovecot_users"),
            lock=bare.table("mailserver_lock"),
            destinations=bare.table("smtp_destinations"),
        )
    )
    bare.sql(f"DROP TABLE {bare.table('smtp_virtual_domains')}")
    with pytest.raises(Failed, match=told):
        bare.run("mail_schema")
    assert "smtp_virtual_domains" not in tables(bare)


def test_tables_in_the_collation_of_a_newer_server_are_completed(bare: Host):
    bare.run("mail_schema")
    for name in ("dovecot_last_login", "dovecot_usage"):
        bare.sql(f"DROP TABLE {bare.table(name)}")
    bare.sql(
        f"ALTER TABLE {bare.table('dovecot_users')} CONVERT TO CHARACTER SET utf8mb4 "
        "COLLATE utf8mb4_unicode_ci"
    )
    bare.run("mail_schema")
    assert tables(bare)["dovecot_last_login"]["TABLE_COLLATION"] == "utf8mb4_unicode_ci"
    assert not bare.run("mail_schema")["changed"]
