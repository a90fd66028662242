# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Ansible managed
"""Reloads the services whose certificate has changed since they have read it, if it is any good.

usage: CERTIFICATE KEY. What each service has read is in its stamp, which service_config writes.
"""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

STAMPS = Path("/var/lib/groupware-mailserver")


def main(certificate: str, key: str) -> int:
    """Bring the pair into effect; 1 if a service did not read it, or none should."""
    # Taken first: what changes from here on is seen at the next look.
    now = {path: fingerprint(Path(path)) for path in (certificate, key)}
    behind = list(services_behind(now))
    fault = fault_of(certificate, key) if behind else ""
    if fault:
        names = ", ".join(stamp.stem for stamp in behind)
        print(f"{fault} Not reloaded: {names}.", file=sys.stderr)
        return 1
    # A service that fails doesn't keep the others from the new one; it is tried at the next look.
    return max([in_effect(stamp, certificate, now) for stamp in behind], default=0)


def in_effect(stamp: Path, certificate: str, now: Mapping[str, str]) -> int:
    """Make one service read the pair; 1 if it did not."""
    service = stamp.stem
    if subprocess.run(["systemctl", "try-reload-or-restart", service], check=False).returncode:
        print(f"{service} was not reloaded: see journalctl -u {service}", file=sys.stderr)
        return 1
    remember(stamp, now)
    print(f"{service} presents {certificate} as it is now")
    return 0


def services_behind(now: Mapping[str, str]) -> Iterator[Path]:
    """The stamps of services that have read something else than is in the files now."""
    for stamp in sorted(STAMPS.glob("*.loaded")):
        read = json.loads(stamp.read_text(encoding="utf-8")).get("watched", {})
        if now.keys() <= read.keys() and any(read[path] != now[path] for path in now):
            yield stamp


def fingerprint(path: Path) -> str:
    """What is in the file, as service_config takes it."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return "absent"


def fault_of(certificate: str, key: str) -> str:
    """Why no service could present these two; nothing if they are right."""
    try:
        # A passphrase must not be asked for.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        return (
            f"{certificate} and {key} are not a certificate and its key ({reason(error)}): expected"
            " two PEM files that belong together, the key without a passphrase."
        )
    dates = ["openssl", "x509", "-in", certificate, "-noout", "-enddate", "-checkend", "0"]
    asked = subprocess.run(dates, capture_output=True, check=False, text=True)
    if asked.returncode:
        return f"{certificate} has expired ({asked.stdout.splitlines()[0]})."
    return ""


def reason(error: Any) -> str:
    """The cause without the dressing of the library."""
    words = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return str(words).replace("_", " ").lower()


def remember(stamp: Path, found: Mapping[str, str]) -> None:
    """Note in the stamp what the service has read."""
    loaded = json.loads(stamp.read_text(encoding="utf-8"))
    loaded["watched"].update(found)
    descriptor, partial = tempfile.mkstemp(dir=STAMPS)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(loaded, file)
    os.replace(partial, stamp)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
