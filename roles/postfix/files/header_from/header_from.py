# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Ansible managed
"""Decides whether the From and Sender headers of a message belong to who sends it (RFC 5322).

What is accepted is a strict subset of the grammar, because the programs of readers disagree about
the rest: no groups, no routes, no quoted local parts, no domain literals. Beyond that, every
address that a reader could see in a name or a comment has to belong to the sender, too.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import quopri
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator

# Resent-From does not excuse a foreign From: readers see the From.
CLAIMING = ("from", "sender", "resent-from", "resent-sender")
LONGEST = 4096  # bytes of one header
MOST = 20  # headers: each address in them is asked for

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
_TOKEN = re.compile(
    rf"""[ \t]+
      |  (?P<a>{ADDRESS.pattern})            # address
      |  (?P<q>"(?:[^"\\]|\\.)*")            # quoted string
      |  (?P<w>[^\s"(),:;<>@\[\\\]]+)        # word, also in UTF-8 (RFC 6532) or with dots
      |  (?P<s>[<>,])""",
    re.VERBOSE,
)
_MAILBOX = r"(?:a|[aqw]*<a>)"
_MAILBOXES = re.compile(rf"{_MAILBOX}(?:,{_MAILBOX})*")

# As lenient as the programs of readers: also inside words and quotes, and with blanks in it.
_ENCODED = re.compile(r"=\?([^?\s]*)\?([bq])\?(.*?)\?=", re.IGNORECASE | re.DOTALL)
_ENCODED_RUN = re.compile(rf"{_ENCODED.pattern}(?:\s*{_ENCODED.pattern})*", _ENCODED.flags)
_RUN = re.compile(r"""[^\s<>"(),;:]*""")


class Refused(Exception):
    """The message is not from who sends it; the words are for the client."""


def check(
    headers: Iterable[tuple[str, bytes]],
    login: str | None,
    owners: Callable[[str], Collection[str]],
) -> None:
    """Refuse a message with an address in these headers that the login does not own."""
    if not login:
        raise Refused("nobody has logged in")
    for name, address in dict.fromkeys(_claims(headers)):
        owned = ADDRESS.fullmatch(address) and owners(address)
        if login.lower() not in (owner.lower() for owner in owned or ()):
            raise Refused(f"{name}: {address} does not belong to {login}")


def _claims(headers: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, str]]:
    """Every header that claims an address, with the address in lower case."""
    values = [(name.strip().lower(), value) for name, value in headers]
    if len(values) > MOST:
        raise Refused(f"expected at most {MOST} headers that name an author, found more")
    for name, most in (("from", 1), ("sender", 1)):
        count = sum(name == other for other, _value in values)
        if count > most or (name == "from" and not count):
            raise Refused(f"expected one header {name.title()}, found {count}")
    for name, value in values:
        if name in CLAIMING:
            text = _text(name.title(), value)
            found = itertools.chain(_addresses(name.title(), text), _visible(text))
            yield from ((name.title(), address.lower()) for address in found)


def _text(name: str, value: bytes) -> str:
    if len(value) > LONGEST:
        raise Refused(f"{name}: longer than {LONGEST} bytes")
    try:
        text = re.sub(r"\r?\n(?=[ \t])", "", value.decode("utf-8"))
    except UnicodeDecodeError:
        raise Refused(f"{name}: expected UTF-8") from None
    if any(unicodedata.category(letter) == "Cc" and letter != "\t" for letter in text):
        raise Refused(f"{name}: holds a control character")
    return text


# ---- the addresses of the grammar


def _addresses(name: str, text: str) -> list[str]:
    tokens = list(_tokens(name, text))
    kinds = "".join(token if kind == "s" else kind for kind, token in tokens)
    if not _MAILBOXES.fullmatch(kinds):
        raise Refused(f"{name}: expected a list of addresses, such as Ann <ann@example.org>")
    return [token for kind, token in tokens if kind == "a"]


def _tokens(name: str, text: str) -> Iterator[tuple[str, str]]:
    """Kind and text of each token; comments and blanks are none."""
    at = 0
    while at < len(text):
        if text[at] == "(":
            at = _after_comment(name, text, at)
            continue
        token = _TOKEN.match(text, at)
        if not token:
            raise Refused(f"{name}: expected addresses, found {text[at]!r} where none can be")
        if token.lastgroup:
            yield token.lastgroup, token[0]
        at = token.end()


def _after_comment(name: str, text: str, start: int) -> int:
    """Where the comment ends that begins here; comments nest."""
    depth = 0
    for part in re.compile(r"\\.|[()]").finditer(text, start):
        depth += {"(": 1, ")": -1}.get(part[0], 0)
        if not depth:
            return part.end()
    raise Refused(f"{name}: a comment does not end")


# ---- the addresses that a reader could see


def _visible(text: str) -> Iterator[str]:
    """Whatever looks like an address, wherever it stands, once all is decoded."""
    shown = _plain(_ENCODED_RUN.sub(_decoded, text))
    # No pattern searches for all of it: where there is no @, that takes the square of the length.
    for before, after in itertools.pairwise(shown.split("@")):
        local = _run(before.rstrip()[::-1])[::-1]
        address = f"{local}@{_run(after.lstrip())}".strip("'.[]{}")
        # "Team @ Work" is a name.
        if "." in address.partition("@")[2]:
            yield address


def _run(text: str) -> str:
    """What a reader could take for a part of an address, at the beginning of the text."""
    found = _RUN.match(text)
    return found[0] if found else ""


def _plain(text: str) -> str:
    """Without what nobody sees, and with one form of what looks alike (fullwidth letters)."""
    seen = (letter for letter in text.replace("\\", "") if not _invisible(letter))
    return unicodedata.normalize("NFKC", "".join(seen)).replace("\u3002", ".")


def _invisible(letter: str) -> bool:
    # Format characters, and blanks of all widths but the one that everybody sees.
    return letter not in " \t" and unicodedata.category(letter) in ("Cf", "Cc", "Zs", "Zl", "Zp")


def _decoded(run: re.Match[str]) -> str:
    """Encoded words (RFC 2047); those that follow each other are one text."""
    words = (
        (w[1].partition("*")[0].lower(), _bytes(*w.groups())) for w in _ENCODED.finditer(run[0])
    )
    runs = itertools.groupby(words, key=lambda word: word[0])
    return "".join(_in_charset(b"".join(w[1] for w in some), charset) for charset, some in runs)


def _bytes(_charset: str, encoding: str, text: str) -> bytes:
    raw = text.encode("utf-8")
    if encoding in "qQ":
        return quopri.decodestring(raw, header=True)
    try:
        return base64.b64decode(raw + b"===")
    except binascii.Error:
        return b""


def _in_charset(raw: bytes, charset: str) -> str:
    try:
        return raw.decode(charset, "replace")
    except (LookupError, ValueError):
        return raw.decode("latin-1")
