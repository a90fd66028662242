# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""mail_domain against a real MariaDB."""

from __future__ import annotations

import pytest

from .conftest import Failed, Host


def hosted(host: Host) -> dict[str, str]:
    return {row["domain"]: row["instancename"] for row in host.rows("smtp_virtual_domains")}


def test_domains_come_and_go(host: Host):
    names = ["New.Example", "bücher.example", "example.org"]
    predicted = host.run("mail_domain", name=names, check=True)
    assert predicted["actions"] == ["host new.example", "host xn--bcher-kva.example"]
    assert set(hosted(host)) == {"example.org", "second.example"}
    assert host.run("mail_domain", name=names)["actions"] == predicted["actions"]
    assert set(hosted(host)) == {
        "example.org",
        "second.example",
        "new.example",
        "xn--bcher-kva.example",
    }
    assert not host.run("mail_domain", name=names)["changed"]
    gone = host.run("mail_domain", name=names[:2], state="absent")
    assert gone["diff"]["before"] == "new.example\nxn--bcher-kva.example\n"
    assert not host.run("mail_domain", name=names[:2], state="absent")["changed"]
    assert set(hosted(host)) == {"example.org", "second.example"}


def test_an_instance_that_is_not_said_is_kept(host: Host):
    host.run("mail_domain", name=["new.example"], instancename="tine's one")
    assert hosted(host)["new.example"] == "tine's one"
    assert not host.run("mail_domain", name=["new.example"])["changed"]
    done = host.run("mail_domain", name=["new.example"], instancename="")
    assert done["actions"] == ["change new.example: instance \"tine's one\" -> ''"]


def test_a_domain_in_use_stays(host: Host):
    host.user(
        "ann@example.org",
        username="ann@second.example",
        password="pass word",
        aliases=["@second.example"],
    )
    with pytest.raises(Failed, match="example.org is still used by ann@example.org"):
        host.run("mail_domain", name=["example.org"], state="absent")
    with pytest.raises(Failed, match="second.example is still used by @second.example"):
        host.run("mail_domain", name=["second.example"], state="absent", check=True)
    host.user("ann@example.org", aliases=[])
    # The username alone needs no hosted domain.
    assert host.run("mail_domain", name=["second.example"], state="absent")["changed"]


@pytest.mark.parametrize(
    "name",
    [
        "nodot",
        "-a.example",
        "a..example",
        "exa mple.org",
        "x'; --.org",
        "a" * 60 + ".org",
        "long." * 12 + "org",
        "192.168.0.1",
        "exämple.örg.ß.de",
        "a_b.org",
        "",
    ],
)
def test_what_is_no_domain_is_refused(host: Host, name: str):
    with pytest.raises(Failed, match="Nothing was written"):
        host.run("mail_domain", name=[name])


def test_without_tables_check_mode_predicts_and_the_run_tells(bare: Host):
    assert bare.run("mail_domain", name=["example.org"], check=True)["actions"] == [
        "host example.org"
    ]
    with pytest.raises(Failed, match="mail_schema first"):
        bare.run("mail_domain", name=["example.org"])


def test_columns_that_it_does_not_ask_for_may_be_missing(host: Host):
    """Between an update of the collection and the first run of the playbook that builds hosts."""
    host.sql(f"ALTER TABLE {host.table('smtp_users')} DROP COLUMN address_domain")
    host.sql(f"ALTER TABLE {host.table('smtp_destinations')} DROP COLUMN alias_domain")
    assert host.run("mail_domain", name=["later.example"])["changed"]
    host.sql(f"ALTER TABLE {host.table('smtp_destinations')} DROP COLUMN source_domain")
    with pytest.raises(Failed, match=r"column .*smtp_destinations\.source_domain"):
        host.run("mail_domain", name=["later.example"], state="absent")
