# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: this is no interface of the collection and may change at any time.

"""Wrong values of main.cf that ``postfix check`` and ``postconf`` let pass.

Postfix reads most values only in the daemon that uses them: a misspelt restriction turns into
``451 4.3.5 Server configuration error`` for every client, a misspelt security level switches TLS
off.
The rules here are those of postconf(5), access(5) and smtpd(8) for Postfix 3.7 to 3.10.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ("Program", "faults", "files", "tables")


@dataclass(frozen=True)
class Program:
    """What the installed Postfix says of itself."""

    defaults: Mapping[str, str]  # postconf -d
    map_types: frozenset[str]  # postconf -m
    sasl_types: frozenset[str]  # postconf -a
    services: frozenset[str]  # names in master.cf


_CLIENT_LEVELS = frozenset(
    ("", "none", "may", "encrypt", "dane", "dane-only", "fingerprint", "verify", "secure")
)
_CIPHER_GRADES = frozenset(("export", "low", "medium", "high", "null"))

# Settings with a closed list of words.
_WORDS: dict[str, frozenset[str]] = {
    "smtpd_tls_security_level": frozenset(("", "none", "may", "encrypt")),
    "smtp_tls_security_level": _CLIENT_LEVELS,
    "lmtp_tls_security_level": _CLIENT_LEVELS,
    "smtpd_tls_ciphers": _CIPHER_GRADES,
    "smtpd_tls_mandatory_ciphers": _CIPHER_GRADES,
    "smtp_tls_ciphers": _CIPHER_GRADES,
    "smtp_tls_mandatory_ciphers": _CIPHER_GRADES,
    "smtpd_forbid_bare_newline": frozenset(("yes", "no", "normalize", "reject", "note")),
    "milter_default_action": frozenset(("accept", "reject", "tempfail", "quarantine", "shutdown")),
    "smtp_dns_support_level": frozenset(("", "disabled", "enabled", "dnssec")),
    "smtp_address_preference": frozenset(("any", "ipv4", "ipv6")),
    "postscreen_greet_action": frozenset(("ignore", "enforce", "drop")),
    "postscreen_dnsbl_action": frozenset(("ignore", "enforce", "drop")),
    "postscreen_denylist_action": frozenset(("ignore", "enforce", "drop")),
}

_TRANSPORTS = frozenset(
    ("virtual_transport", "default_transport", "relay_transport", "local_transport")
)
_PROTOCOL = re.compile(r"!?(SSLv[23]|TLSv1(\.[123])?)|[<>]=(SSLv3|TLSv1(\.[123])?|0x[0-9A-Fa-f]+)|")

# What looks like a number or a yes but is more than that.
_FREE = re.compile(r"compatibility_level|mail_release_date|.*_concurrency_(posi|nega)tive_feedback")
_RESTRICTION_LIST = re.compile(
    r"smtpd_(client|helo|sender|recipient|relay|data|end_of_data|etrn)_restrictions"
)
_LOOKUPS = re.compile(r".*_(maps?|domains|database|access)")

_RESTRICTION = re.compile(
    r"""permit | reject | defer | warn_if_reject | defer_if_permit | defer_if_reject
      | permit_(mynetworks|sasl_authenticated|tls_clientcerts|tls_all_clientcerts|inet_interfaces
               |auth_destination|mx_backup|naked_ip_address)
      | reject_(unauth_pipelining|plaintext_session|unlisted_recipient|unlisted_sender
               |unauth_destination|unauthenticated_sender_login_mismatch
               |authenticated_sender_login_mismatch|known_sender_login_mismatch
               |sender_login_mismatch|multi_recipient_bounce|maps_rbl
               |invalid_hostname|invalid_helo_hostname|non_fqdn_hostname|non_fqdn_helo_hostname
               |unknown_hostname|unknown_helo_hostname|unknown_client|unknown_client_hostname
               |unknown_reverse_client_hostname|unknown_forward_client_hostname
               |unknown_address|unknown_sender_domain|unknown_recipient_domain
               |non_fqdn_sender|non_fqdn_recipient|unverified_sender|unverified_recipient
               |sender_login_mismatch)
      | defer_unauth_destination""",
    re.VERBOSE,
)
_RESTRICTION_WITH_ARGUMENT = re.compile(
    r"""check_(client|reverse_client_hostname|helo|sender|recipient|etrn|ccert|sasl)(_(a|mx|ns))?_access
      | check_reverse_client_hostname_(a|mx|ns)_access
      | check_policy_service | check_restriction | sleep
      | (reject|permit)_(rbl|rhsbl|dnswl|rhswl)_(client|helo|sender|recipient|reverse_client)""",
    re.VERBOSE,
)


def _tokens(value: str) -> list[str]:
    """Split at white space and commas; ``{...}`` and ``{ {...} }`` are one token (postconf(5))."""
    return re.findall(r"(?:[^\s,{]|\{(?:[^{}]|\{[^{}]*\})*\})+", value)


def _wrong_word(name: str, value: str, words: frozenset[str]) -> str | None:
    if value in words:
        return None
    return f"{name} = {value}: expected one of {', '.join(sorted(filter(None, words)))}"


def _like_default(name: str, value: str, default: str) -> str | None:
    """Compare with the type that the default value shows."""
    if default in ("yes", "no"):
        return _wrong_word(name, value, frozenset(("yes", "no")))
    if re.fullmatch(r"\d+[smhdw]", default) and not re.fullmatch(r"\d+[smhdw]?", value):
        return f"{name} = {value}: expected a time such as {default}"
    if re.fullmatch(r"\d+", default) and not re.fullmatch(r"-?\d+", value):
        return f"{name} = {value}: expected a whole number such as {default}"
    return None


def _restriction_faults(name: str, value: str, classes: frozenset[str]) -> list[str]:
    found = []
    words = iter(_tokens(value))
    for word in words:
        if _RESTRICTION_WITH_ARGUMENT.fullmatch(word):
            if next(words, None) is None:
                found.append(f"{name}: '{word}' needs an argument")
        elif not (_RESTRICTION.fullmatch(word) or word in classes or re.match(r"[a-z]+:.", word)):
            found.append(f"{name}: '{word}' is no restriction that Postfix knows (see postconf(5))")
    return found


def _unknown_map_types(name: str, value: str, types: frozenset[str]) -> list[str]:
    bare = re.sub(r"\{.*\}", "{}", value)
    used = re.findall(r"(?:^|[\s,])(?:proxy:)?([a-z]+):", bare)
    return [
        f"{name}: no lookup table type '{kind}' in this Postfix (see postconf -m)"
        for kind in used
        if kind not in types
    ]


def _unknown_transport(name: str, value: str, services: frozenset[str]) -> str | None:
    service = value.partition(":")[0]
    if not service or service in services:
        return None
    return f"{name} = {value}: master.cf has no service '{service}'"


def _protocol_fault(name: str, value: str) -> str | None:
    wrong = [word for word in re.split(r"[\s,:]+", value) if not _PROTOCOL.fullmatch(word)]
    return f"{name} = {value}: expected protocols such as >=TLSv1.2" if wrong else None


def _inet_protocols_fault(name: str, value: str) -> str | None:
    words = set(_tokens(value))
    if words and (words == {"all"} or words <= {"ipv4", "ipv6"}):
        return None
    return f"{name} = {value}: expected all, ipv4, ipv6 or both"


def _networks_fault(name: str, value: str) -> str | None:
    """mynetworks: CIDR patterns (postconf(5)), files and tables."""
    for word in _tokens(value):
        bare = re.sub(r"^!|[\[\]]", "", word)
        if bare.startswith("/") or re.match(r"[a-z]+:[^:]*/", bare):
            continue
        try:
            ipaddress.ip_network(bare)
        except ValueError as error:
            return f"{name}: {word}: {error}"
    return None


def _milters_fault(name: str, value: str) -> str | None:
    wrong = [word for word in _tokens(value) if not re.match(r"\{?\s*(inet6?|unix|local):\S", word)]
    if not wrong:
        return None
    return f"{name}: {wrong[0]}: expected inet:HOST:PORT or unix:PATH"


_Rule = Callable[[str, str], "str | None"]


def _single_rule(name: str, program: Program) -> _Rule | None:
    """Choose the rule for a setting that has one value."""
    if name in _WORDS:
        return lambda n, v: _wrong_word(n, v, _WORDS[n])
    if name in ("smtpd_sasl_type", "smtp_sasl_type"):
        return lambda n, v: _wrong_word(n, v, program.sasl_types)
    if name in _TRANSPORTS:
        return lambda n, v: _unknown_transport(n, v, program.services)
    if name.endswith(("_tls_protocols", "_tls_mandatory_protocols")):
        return _protocol_fault
    if name.endswith(("_destination_recipient_limit", "_destination_concurrency_limit")):
        # Of every transport in master.cf; postconf -d does not list them.
        return lambda n, v: _like_default(n, v, "1")
    if name == "mynetworks":
        return _networks_fault
    if name in ("smtpd_milters", "non_smtpd_milters"):
        return _milters_fault
    if name == "inet_protocols":
        return _inet_protocols_fault
    if name in program.defaults and not _FREE.fullmatch(name):
        return lambda n, v: _like_default(n, v, program.defaults[n])
    return None


def faults(settings: Mapping[str, str], program: Program) -> list[str]:
    """Return a sentence for every wrong setting (expanded, as ``postconf -nx`` prints them)."""
    classes = frozenset(_tokens(settings.get("smtpd_restriction_classes", "")))
    found: list[str] = []
    for name, value in settings.items():
        if _RESTRICTION_LIST.fullmatch(name) or name in classes:
            found += _restriction_faults(name, value, classes)
            continue
        if _LOOKUPS.fullmatch(name):
            found += _unknown_map_types(name, value, program.map_types)
        rule = _single_rule(name, program)
        fault = rule(name, value) if rule and "$" not in value else None
        found += [fault] if fault else []
    return found


# Tables in files of the administrator. SQL maps come with the set and are asked by their files;
# the other kinds are no files, or Postfix makes them itself.
_FILE_TABLE = re.compile(
    r"(?:proxy:)?((?:hash|btree|lmdb|cdb|dbm|sdbm|texthash|regexp|pcre|cidr):/\S+)"
)
_POSTFIX_MAKES = re.compile(r"alias_(maps|database)|.*_cache_(map|database)|address_verify_map")
_KEY_OR_CERTIFICATE = re.compile(r"(smtpd|smtp|lmtp)_tls_(ec|d)?(cert_file|key_file|CAfile)")


def tables(settings: Mapping[str, str]) -> list[str]:
    """Return the lookup tables in files that the settings name and the administrator makes."""
    found = []
    for name, value in settings.items():
        if _POSTFIX_MAKES.fullmatch(name):
            continue
        if _LOOKUPS.fullmatch(name) or _RESTRICTION_LIST.fullmatch(name):
            words = (_FILE_TABLE.fullmatch(word) for word in _tokens(value))
            found += [word[1] for word in words if word]
    return sorted(set(found))


def files(settings: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the settings that name the file of a key or certificate, with the file."""
    return [
        (name, value)
        for name, value in settings.items()
        if _KEY_OR_CERTIFICATE.fullmatch(name) and value.startswith("/")
    ]
