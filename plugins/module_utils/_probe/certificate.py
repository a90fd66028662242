# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the groupware.mailserver developers
"""What is in a certificate, read from its DER form (ssl decodes only what it has accepted)."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import typing as t

COMMON_NAME: t.Final = bytes.fromhex("0603550403")
SUBJECT_ALT_NAME: t.Final = bytes.fromhex("0603551d11")
SEQUENCE: t.Final = 0x30
OCTET_STRING: t.Final = 0x04
UTC_TIME: t.Final = 0x17
GENERALIZED_TIME: t.Final = 0x18
DNS_NAME: t.Final = 0x82  # RFC 5280 4.2.1.6, GeneralName [2]
IP_ADDRESS: t.Final = 0x87  # GeneralName [7]


class Element(t.NamedTuple):
    """One element of DER: its tag and what it holds."""

    tag: int
    content: bytes


def elements(der: bytes) -> t.Iterator[Element]:
    """The elements that lie side by side in these bytes."""
    while len(der) > 1:
        length, start = der[1], 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(der[2:start], "big")
        yield Element(der[0], der[start : start + length])
        der = der[start + length :]


def described(der: bytes) -> dict[str, t.Any]:
    """What tells this certificate from another one."""
    return {
        "fingerprint": fingerprint(der),
        "names": names(der),
        "not_after": not_after(der).isoformat().replace("+00:00", "Z"),
    }


def fingerprint(der: bytes) -> str:
    """SHA-256, as ``openssl x509 -fingerprint -sha256`` writes it."""
    return hashlib.sha256(der).digest().hex(":").upper()


def not_after(der: bytes) -> datetime.datetime:
    """When it ends (RFC 5280 4.1.2.5)."""
    (whole,) = elements(der)
    (body, *_signature) = elements(whole.content)
    for element in elements(body.content):
        parts = list(elements(element.content)) if element.tag == SEQUENCE else []
        if [part for part in parts if part.tag in (UTC_TIME, GENERALIZED_TIME)]:
            return _moment(parts[-1])
    raise ValueError("no certificate: it has no validity")


def _moment(part: Element) -> datetime.datetime:
    text = part.content.decode("ascii")
    if part.tag == UTC_TIME:  # the years 1950 to 2049
        text = ("19" if text >= "50" else "20") + text
    return datetime.datetime.strptime(text, "%Y%m%d%H%M%S%z")


def names(der: bytes) -> list[str]:
    """Every name that the certificate is for; the common name only where there is no other."""
    return _alternative_names(der) or _common_names(der)


def _alternative_names(der: bytes) -> list[str]:
    for parts in _records(der, SUBJECT_ALT_NAME):
        value = next(part.content for part in parts if part.tag == OCTET_STRING)
        (listed,) = elements(value)
        return [_name(entry) for entry in elements(listed.content) if entry.tag in _NAMED]
    return []


def _common_names(der: bytes) -> list[str]:
    # The issuer comes before the subject: the last common name is the one of the subject.
    found = [parts[1].content.decode("utf-8", "replace") for parts in _records(der, COMMON_NAME)]
    return found[-1:]


def _records(der: bytes, identifier: bytes) -> t.Iterator[list[Element]]:
    """The sequences, at any depth, that begin with this object identifier."""
    for element in elements(der):
        if element.tag == SEQUENCE and element.content.startswith(identifier):
            yield list(elements(element.content))
        elif element.tag & 0x20:  # constructed: it holds further elements
            yield from _records(element.content, identifier)


def _name(entry: Element) -> str:
    return _NAMED[entry.tag](entry.content)


_NAMED: t.Final[dict[int, t.Callable[[bytes], str]]] = {
    DNS_NAME: lambda content: content.decode("ascii", "replace"),
    IP_ADDRESS: lambda content: str(ipaddress.ip_address(content)),
}
