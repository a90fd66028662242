# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: this is no interface of the collection and may change at any time.

"""What can be told to be wrong with the mailserver_* variables before a host is touched."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ._accounts.errors import (
    Invalid,
    kind,
    shown,
)
from ._accounts.merged import BASE, Merged
from ._accounts.model import (
    Address,
)
from ._accounts.prune import Limit
from ._accounts.wanted import (
    account_faults,
    domain_faults,
    host_name,
)

__all__ = ("SQL_ACCOUNTS", "interface_faults", "is_ipv4")

SQL_ACCOUNTS = ("dovecot", "dovecot_dict", "postfix")
_ROLE_ADDRESSES = ("postmaster", "abuse")


def _said(fault: Invalid) -> str:
    return str(fault)


def _hostname(given: object) -> list[str]:
    if given is None:
        return ["is missing: expected the full name of the host, such as mail.example.org."]
    try:
        host_name(given)
    except Invalid as fault:
        return [_said(fault)]
    return []


def _domains(given: object) -> list[str]:
    if given is None or given == []:
        return ["is missing: expected the list of mail domains, such as [example.org]."]
    return domain_faults(given)


def _matching(pattern: str, what: str) -> Callable[[object], list[str]]:
    def faults(given: object) -> list[str]:
        if isinstance(given, str) and re.fullmatch(pattern, given):
            return []
        return [f"{shown(given)} is not {what}."]

    return faults


_SERVERS_OWN = ("mysql", "information_schema", "performance_schema", "sys")
_database_name = _matching(
    r"[A-Za-z0-9_-]{1,64}", "a database name: expected letters, digits, _ and -"
)
_user_name = _matching(
    r"[a-z_][a-z0-9_-]{0,19}",
    "a user name: expected at most 20 lower-case letters, digits, _ and -",
)
_path = _matching(r"(/[A-Za-z0-9._@+-]+)+", "an absolute path without blanks")


def _database(given: object) -> list[str]:
    if str(given).lower() in _SERVERS_OWN:
        return [f"{shown(given)} is a database of the server itself: expected one of your own."]
    return _database_name(given)


def _mail_user(given: object) -> list[str]:
    if given == "root":
        return ["'root' cannot own mail: Dovecot refuses it. Expected a user for mail alone."]
    return _user_name(given)


def _mail_directory(given: object) -> list[str]:
    """The directory gets the owner of the mail: it must be nobody else's."""
    faults = _path(given)
    parts = str(given).split("/")
    if not faults and (".." in parts or "." in parts or len(parts) < 3 or parts[1] in _SYSTEM):
        return [f"{shown(given)} is no directory for mail: expected one such as /var/vmail."]
    return faults


_SYSTEM = frozenset(("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "root", "run", "sbin"))


def _sql_password(account: str, given: object) -> list[str]:
    """Refuse what no file format between Ansible and the server can carry; never show the value."""
    if account not in SQL_ACCOUNTS:
        return [f"{shown(account)} is no SQL account: expected {', '.join(SQL_ACCOUNTS)}."]
    if not isinstance(given, str) or not given:
        return [f"the password of {account} is not text."]
    wrong = sorted({_described(letter) for letter in given if not _carried(letter)})
    if wrong:
        return [
            f"the password of {account} holds {', '.join(wrong)}, which the configuration files of "
            "Dovecot and Postfix cannot carry: expected printable ASCII without blanks, quotes, "
            "backslash, $, %, # and <."
        ]
    return []


def _carried(letter: str) -> bool:
    return "!" <= letter <= "~" and letter not in "\"'\\$%#<"


def _described(letter: str) -> str:
    names = {" ": "a blank", "\n": "a line end", "\r": "a line end", "\t": "a tab"}
    return names.get(letter, "a control character" if ord(letter) < 32 else f"'{letter}'")


def _sql_passwords(given: object) -> list[str]:
    if not isinstance(given, Mapping):
        return [f"is not a dictionary: expected passwords for {', '.join(SQL_ACCOUNTS)}."]
    return [fault for name, value in given.items() for fault in _sql_password(str(name), value)]


def _postmaster(given: object) -> list[str]:
    try:
        address = Address.parse(given)
    except Invalid as fault:
        return [_said(fault)]
    if set(address.local) & set("$%{}`|"):
        return [f"{shown(given)} has a character that means something in Postfix's files."]
    return []


def _files(given: object) -> list[str]:
    if isinstance(given, list) and all(isinstance(name, str) and name for name in given):
        return []
    return [f"{kind(given)} is not a list of files: expected one such as [people.csv]."]


def _boolean(given: object) -> list[str]:
    return [] if isinstance(given, bool) else [f"{shown(given)} is not true or false."]


def _trusted_clients(given: object) -> list[str]:
    if not isinstance(given, list):
        return [f"{kind(given)} is not a list of addresses: expected one such as [192.0.2.10]."]
    return [fault for entry in given for fault in _network(entry)]


def _network(given: object) -> list[str]:
    try:
        network = ipaddress.ip_network(str(given))
    except ValueError:
        return [
            f"{shown(given)} is no address and no network: expected 192.0.2.10, 192.0.2.0/24 or"
            " 2001:db8::/64, the network without the bits of a host."
        ]
    if network.prefixlen:
        return []
    return [f"{shown(given)} is the whole world: nobody there would be a client like others."]


def _prune_limit(given: object) -> list[str]:
    try:
        Limit.parse(given)
    except Invalid as fault:
        return [_said(fault)]
    return []


def _address(given: object) -> list[str]:
    return [] if given == "" or is_ipv4(given) else [f"{shown(given)} is not an IPv4 address."]


def is_ipv4(given: object) -> bool:
    """Tell whether this is an IPv4 address in the one way that SQL accounts are written."""
    try:
        return isinstance(given, str) and str(ipaddress.IPv4Address(given)) == given
    except ValueError:
        return False


def _either(one: str, other: str) -> Callable[[object], list[str]]:
    def faults(given: object) -> list[str]:
        return [] if given in (one, other) else [f"{shown(given)} is neither {one} nor {other}."]

    return faults


_RULES: Mapping[str, Callable[[object], list[str]]] = {
    "mailserver_hostname": _hostname,
    "mailserver_domains": _domains,
    "mailserver_users_files": _files,
    "mailserver_users_prune": _boolean,
    "mailserver_users_prune_limit": _prune_limit,
    "mailserver_inactive_mail": _either("deliver", "reject"),
    "mailserver_quota_message": _either("count", "ignore"),
    "mailserver_postmaster": _postmaster,
    "mailserver_dovecot_database": _database,
    "mailserver_postfix_database": _database,
    "mailserver_address": _address,
    "mailserver_sql_passwords": _sql_passwords,
    "mailserver_trusted_clients": _trusted_clients,
    "mailserver_fail2ban": _boolean,
    "mailserver_mail_user": _mail_user,
    "mailserver_mail_directory": _mail_directory,
    "mailserver_certificate_file": _path,
    "mailserver_certificate_key_file": _path,
}


def _addresses(users: object) -> Iterator[str]:
    """Yield the addresses and aliases of well-formed entries."""
    for user in users if isinstance(users, list) else []:
        if isinstance(user, Mapping):
            yield str(user.get("address", "")).lower()
            aliases = user.get("aliases")
            for alias in aliases if isinstance(aliases, list) else []:
                named = alias.get("address", "") if isinstance(alias, Mapping) else alias
                yield str(named).lower()


def _merged(users: object) -> Merged:
    """The people of all lists, which come by the names of their variables."""
    by_variable = isinstance(users, Mapping) and BASE in users
    return Merged(users if by_variable else {BASE: users})  # type: ignore[arg-type]


def _together(values: Mapping[str, Any], people: Merged) -> Iterator[str]:
    """Yield what is wrong only in view of several variables."""
    hostname = str(values["mailserver_hostname"]).lower()
    domains = values["mailserver_domains"]
    hosted = {str(name).lower() for name in domains} if isinstance(domains, list) else set()
    if hostname in hosted:
        yield (
            f"mailserver_hostname: {shown(hostname)} is also in mailserver_domains: expected the "
            "name of the host, such as mail.example.org, which is no mail domain itself "
            "(Postfix would take its mail for the accounts of the system)."
        )
    local, _at, domain = str(values["mailserver_postmaster"]).lower().rpartition("@")
    itself = f"{local}@{domain}"
    known = set(_addresses(people))
    if domain in hosted and local in _ROLE_ADDRESSES and itself not in known:
        yield (
            f"mailserver_postmaster: {shown(itself)} would forward to itself: expected the address "
            "of a person, or one of mailserver_users with this address or alias."
        )


def interface_faults(values: Mapping[str, Any]) -> list[str]:
    """Return a sentence for everything that is wrong, beginning with the variable's name.

    ``values`` has every variable of the interface; None where a required one is not set. The people
    are those of all variables that begin with mailserver_users, by name.
    Values that are secrets are never shown.
    """
    found = [f"{name}: {fault}" for name, rule in _RULES.items() for fault in rule(values[name])]
    people = _merged(values[BASE])
    users = people.faults + account_faults(people, values["mailserver_domains"])
    return found + [f"{BASE}: {fault}" for fault in users] + list(_together(values, people))
