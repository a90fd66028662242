# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""mail_master_user against a real MariaDB: check, run, again; and its rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.passwords import (
    SCHEMES,
    matches,
)

from .conftest import RENEWED, Failed, Host

TABLE = "dovecot_master_users"
PASSWORD = "Planted 'one' \"\\ %s $x"
OF_TINE = "0a1b2c3d"


@pytest.fixture
def masters(host: Host) -> Iterator[Host]:
    """A host with one short-lived master user of tine."""
    host.sql(f"DELETE FROM {host.table(TABLE)}")
    host.sql(f"INSERT INTO {host.table(TABLE)} VALUES (%s, '{{SSHA256}}x', 'sieve')", OF_TINE)
    yield host
    host.sql(f"DELETE FROM {host.table(TABLE)}")


def stored(host: Host) -> dict[str, dict[str, Any]]:
    return {row["username"]: row for row in host.rows(TABLE)}


def rhythm(host: Host, **options: Any) -> dict[str, Any]:
    """Check mode predicts and writes nothing, the run does it, the second has nothing to do."""
    before = stored(host)
    predicted = host.run("mail_master_user", check=True, **options)
    assert stored(host) == before
    done = host.run("mail_master_user", **options)
    after = stored(host)
    again = host.run("mail_master_user", **options)
    assert {**predicted, "invocation": None} == {**done, "invocation": None}
    assert not again["changed"]
    assert again["actions"] == []
    assert again["diff"]["before"] == again["diff"]["after"] == ""
    assert stored(host) == after
    assert PASSWORD not in repr(done)
    assert not any(row["password"] in repr(done) for row in after.values())
    return done


def test_a_master_user_comes_changes_and_goes(masters: Host):
    done = rhythm(masters, name="Backup", password=PASSWORD)
    assert done["actions"] == ["create master user backup for sieve"]
    assert done["diff"]["after"] == "backup:\n  service: sieve\n  password: (new)\n"
    row = stored(masters)["backup"]
    assert row["service"] == "sieve"
    assert row["password"].startswith("{SHA512-CRYPT}")
    assert matches(PASSWORD, row["password"])
    done = rhythm(masters, name="backup", service="all")
    assert done["actions"] == ["change master user backup: service sieve -> all"]
    assert stored(masters)["backup"] == {**row, "service": "all"}
    done = rhythm(masters, name="backup", password=f"{PASSWORD}2", password_scheme="SSHA256")
    assert done["actions"] == ["change master user backup: new password"]
    assert stored(masters)["backup"]["password"].startswith("{SSHA256}")
    done = rhythm(masters, name="BACKUP", state="absent")
    assert done["actions"] == ["remove master user backup"]
    assert set(stored(masters)) == {OF_TINE}


def test_every_scheme_fits_and_verifies(masters: Host):
    for scheme in SCHEMES:
        name = f"master-{scheme.lower()}"
        masters.run("mail_master_user", name=name, password=PASSWORD, password_scheme=scheme)
        kept = stored(masters)[name]["password"]
        assert kept.startswith(f"{{{scheme}}}")
        assert matches(PASSWORD, kept)


def test_a_hash_is_stored_as_it_is(masters: Host):
    ready = "{SSHA256}UNr1qcQwrYUHfdr00byC5KXJ1i8YUb5yVpyauePRO4MDo1wJ"
    rhythm(masters, name="helpdesk", password_hash=ready)
    assert stored(masters)["helpdesk"]["password"] == ready


def test_on_create_only_leaves_a_stored_password_alone(masters: Host):
    masters.run("mail_master_user", name="backup", password=PASSWORD)
    kept = stored(masters)
    other = {"password": "another", "update_password": "on_create"}
    assert not masters.run("mail_master_user", name="backup", **other)["changed"]
    assert stored(masters) == kept


def test_a_weak_scheme_is_upgraded_when_it_is_asked_for(masters: Host):
    wish = {"name": "backup", "password": PASSWORD}
    masters.run("mail_master_user", **wish, password_scheme="SSHA256")
    assert not masters.run("mail_master_user", **wish)["changed"]
    done = rhythm(masters, **wish, upgrade_scheme=True)
    assert done["actions"] == ["change master user backup: new password"]
    assert stored(masters)["backup"]["password"].startswith("{SHA512-CRYPT}")


def test_a_service_of_null_is_kept_until_one_is_said(masters: Host):
    masters.sql(f"INSERT INTO {masters.table(TABLE)} VALUES ('old', '{{SSHA256}}x', NULL)")
    assert not masters.run("mail_master_user", name="old")["changed"]
    done = rhythm(masters, name="old", service="sieve")
    assert done["actions"] == ["change master user old: service none -> sieve"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a*b",
        "ann@example.org",
        "deadbeef",
        "DEADBEEF",
        "a b",
        "-x",
        "ä",
        "x" * 81,
        "a'--",
        "\0",
    ],
)
def test_what_is_no_name_of_a_master_user_is_refused(masters: Host, name: str):
    before = stored(masters)
    with pytest.raises(Failed, match=r"name: .* Nothing was written"):
        masters.run("mail_master_user", name=name, password=PASSWORD)
    assert stored(masters) == before


def test_what_tine_has_left_behind_goes_when_it_is_named(masters: Host):
    done = rhythm(masters, name=OF_TINE, state="absent")
    assert done["actions"] == [f"remove master user {OF_TINE}"]
    assert stored(masters) == {}


@pytest.mark.parametrize(
    ("username", "loginname"), [("änn", "x@example.org"), ("x@example.org", "ANN")]
)
def test_the_name_of_a_mailbox_is_refused_as_the_server_compares(
    masters: Host, username: str, loginname: str
):
    masters.sql(
        f"INSERT INTO {masters.table('dovecot_users')} (userid, username, loginname, password) "
        "VALUES ('u', %s, %s, '{SSHA256}x')",
        username,
        loginname,
    )
    with pytest.raises(Failed, match=f"the mailbox '{username}' already is logged in to by this"):
        masters.run("mail_master_user", name="ann", password=PASSWORD)
    assert set(stored(masters)) == {OF_TINE}
    # It may still be taken away.
    masters.sql(f"INSERT INTO {masters.table(TABLE)} VALUES ('ann', '{{SSHA256}}x', 'all')")
    assert rhythm(masters, name="ann", state="absent")["changed"]


def test_faults_are_told_together_and_without_secrets(masters: Host):
    with pytest.raises(Failed) as failed:
        masters.run("mail_master_user", name="a*b", password="bad\nword")
    assert len(failed.value.result["faults"]) == 2
    assert "bad" not in repr(failed.value.result)
    with pytest.raises(Failed, match="needs a password"):
        masters.run("mail_master_user", name="backup", check=True)
    with pytest.raises(Failed, match="only 72 bytes"):
        masters.run(
            "mail_master_user", name="backup", password="x" * 73, password_scheme="BLF-CRYPT"
        )


def test_tables_as_tine_ships_them_hold_no_long_hash(bare: Host):
    bare.run("mail_schema")
    bare.sql(f"ALTER TABLE {bare.table(TABLE)} MODIFY password varchar(100) NOT NULL")
    with pytest.raises(
        Failed, match=r"120 characters does not fit .* holds 100: run .*mail_schema"
    ):
        bare.run("mail_master_user", name="backup", password=PASSWORD)
    bare.run("mail_master_user", name="backup", password=PASSWORD, password_scheme="SSHA256")
    bare.run("mail_schema")
    bare.run("mail_master_user", name="backup", password=f"{PASSWORD}2")
    assert stored(bare)["backup"]["password"].startswith("{SHA512-CRYPT}")


def test_a_table_without_all_is_told(bare: Host):
    bare.run("mail_schema")
    bare.sql(f"ALTER TABLE {bare.table(TABLE)} MODIFY service enum('sieve') DEFAULT 'sieve'")
    with pytest.raises(Failed, match=r"is enum\('sieve'\), which cannot hold 'all'"):
        bare.run("mail_master_user", name="backup", password=PASSWORD, service="all")
    assert bare.run("mail_master_user", name="backup", password=PASSWORD)["changed"]


def test_without_tables_check_mode_predicts_and_the_run_tells(bare: Host):
    wish = {"name": "backup", "password": PASSWORD}
    predicted = bare.run("mail_master_user", check=True, **wish)
    assert predicted["actions"] == ["create master user backup for sieve"]
    with pytest.raises(Failed, match="table mail_d.dovecot_master_users"):
        bare.run("mail_master_user", **wish)
    with pytest.raises(Failed, match="table mail_d.dovecot_master_users"):
        bare.run("mail_master_user", name="backup", state="absent")


def test_it_waits_for_another_writer(masters: Host):
    """The sentinel row is locked by another run; ours goes on when that one has ended."""
    other = pymysql.connect(unix_socket=masters.mariadb.socket, user="root", ssl_disabled=True)
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"UPDATE {masters.table('mailserver_lock')} SET generation = generation + 1")
        process = masters.start("mail_master_user", name="backup", password=PASSWORD)
        waiting = "SELECT COUNT(*) AS n FROM information_schema.innodb_trx WHERE trx_state = %s"
        until = time.monotonic() + 60
        while masters.sql(waiting, "LOCK WAIT")[0]["n"] == 0:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(RENEWED)
        assert set(stored(masters)) == {OF_TINE}
        other.commit()
    other.close()
    assert masters.finish(process)["changed"]
    assert set(stored(masters)) == {OF_TINE, "backup"}
