# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the groupware.mailserver developers
"""The certificate that every port presents, beside the one that is in the file."""

from __future__ import annotations

import contextlib
import ssl
import typing as t
from concurrent.futures import ThreadPoolExecutor

from . import certificate
from .doors import Door, Host
from .errors import InvalidProbe, Refused, said

RELOAD: t.Final = (
    "reload the service that listens there; groupware-mailserver-certificate.service does it after"
    " a renewal, and its journal says why it did not"
)
BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def in_file(path: str) -> bytes:
    """The server's own certificate, which is the first one in the file, as DER."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            _before, _begin, rest = file.read().partition(BEGIN)
    except OSError as error:
        raise InvalidProbe(f"certificate_file: {path}: {error.strerror}") from error
    body, end, _after = rest.partition(END)
    if not end:
        raise InvalidProbe(f"certificate_file: {path}: expected PEM, {BEGIN}")
    return ssl.PEM_cert_to_DER_cert(f"{BEGIN}{body}{END}")


def look(host: Host, ports: t.Sequence[int], path: str) -> tuple[list[dict[str, t.Any]], list[str]]:
    """What each port presents, and a sentence for each where that is not what is in the file."""
    expected = in_file(path)
    with ThreadPoolExecutor(len(ports) or 1) as pool:
        answers = list(pool.map(lambda port: _presented(host.door(port)), ports))
    listed, faults = [], []
    for port, answer in zip(ports, answers):
        if isinstance(answer, bytes):
            listed.append({"port": port, **certificate.described(answer)})
        if answer != expected:
            faults.append(_fault(host.door(port), answer, path, expected))
    return listed, faults


def _presented(door: Door) -> bytes | Exception:
    with contextlib.closing(door):
        try:
            door.open()
        except (Refused, OSError) as cause:
            # What came before the fault is an answer too.
            return door.context.presented or cause
        return door.context.presented


def _fault(door: Door, answer: bytes | Exception, path: str, expected: bytes) -> str:
    if isinstance(answer, Exception):
        return f"{door}: no certificate was presented: {said(answer)}; {RELOAD}"
    return f"{door}: presents {_told(answer)}; expected {_told(expected)} of {path}; {RELOAD}"


def _told(der: bytes) -> str:
    facts = certificate.described(der)
    listed = ", ".join(facts["names"]) or "no name at all"
    return f"SHA-256 {facts['fingerprint']} for {listed}, valid until {facts['not_after']}"
