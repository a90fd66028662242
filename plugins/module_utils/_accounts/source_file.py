# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""People from files (YAML, JSON, JSON lines, CSV), one after the other.

What goes wrong is told with file and line. What stands in the line is not: it may be a password.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import PurePath
from typing import Any, BinaryIO, Callable, Protocol

from . import source_yaml
from .errors import MailhostError, Refused, kind, shown
from .wanted import FIELDS

KEY = "mailserver_users"  # the one key that a file may have around its list
MOST = 50  # faults of one file that are told; a file in another format has one in each line
ENCRYPTED = b"$ANSIBLE_VAULT;"

Entry = dict[str, Any]


class Unreadable(MailhostError):
    """A file that cannot be read as accounts."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")


class Entries(Protocol):
    """People, each a dictionary; may be iterated over more than once."""

    def __iter__(self) -> Iterator[Entry]: ...

    def position(self, index: int) -> str:
        """Where person number `index`, from 0, stands; known once it has been yielded."""

    def raw(self) -> Iterator[bytes]:
        """What the people are read from, in pieces; two equal sources hold the same people."""


class Inline:
    """The accounts of a task itself; with no word for them, there is nothing to tell apart."""

    def __init__(self, accounts: Sequence[Entry], word: str = "account") -> None:
        self.accounts = accounts
        self.word = word

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.accounts)

    def position(self, index: int) -> str:
        """Where the account stands, such as `account 3`."""
        return f"{self.word} {index + 1}" if self.word else ""

    def raw(self) -> Iterator[bytes]:
        """The accounts as JSON."""
        yield json.dumps(self.accounts, sort_keys=True).encode()


class Joined:
    """Several sources as one, in their order."""

    def __init__(self, parts: Sequence[Entries]) -> None:
        self.parts = parts
        self.starts: list[int] = []

    def __iter__(self) -> Iterator[Entry]:
        """Read all parts, and tell the faults of all of them together at the end."""
        self.starts = [0]
        count = 0
        faults: list[str] = []
        for part in self.parts:
            try:
                for entry in part:
                    count += 1
                    yield entry
            except Refused as refused:
                faults += refused.faults
            self.starts.append(count)
        if faults:
            raise Refused(faults)

    def position(self, index: int) -> str:
        """Where the account stands, in the words of its own source."""
        part = max(number for number, start in enumerate(self.starts) if start <= index)
        return self.parts[part].position(index - self.starts[part])

    def raw(self) -> Iterator[bytes]:
        """All sources, one after the other."""
        for part in self.parts:
            yield b"\0"
            yield from part.raw()


class File:
    """The people of an open file; its name on disk is not needed any more."""

    def __init__(self, file: BinaryIO, name: str, format_: str) -> None:
        self._file = file
        self.name = name
        self._read, self._word = _READERS[format_]
        self._places = array("L")

    def __iter__(self) -> Iterator[Entry]:
        """Yield who can be read, then raise Refused with all that could not."""
        faults = _Faults(self.name)
        index = 0
        for place, entry in self._read(_stream(self._file), faults):
            if not isinstance(entry, dict):
                text = f"{kind(entry)} is not an account: expected a dictionary."
                faults.add(f"{self._word} {place}", text)
                continue
            if index == len(self._places):
                self._places.append(place)
            yield entry
            index += 1
        faults.tell()

    def position(self, index: int) -> str:
        """Where the person stands, such as `people.csv line 3` or `people.yml account 3`."""
        return f"{self.name} {self._word} {self._places[index]}"

    def raw(self) -> Iterator[bytes]:
        """The format and the bytes of the file."""
        yield self._read.__name__.encode()
        stream = _stream(self._file)
        while piece := stream.read(1 << 20):
            yield piece

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read(path: str, format_: str | None = None, name: str | None = None) -> File:
    """Open a file of people.

    `format_` is yaml, json, jsonl or csv; without one, the suffix of `name` decides. `name` is what
    the file is called in messages, by default its path.
    """
    called = name or path
    known = format_ or _format_of(called)
    try:
        file = open(path, "rb")  # noqa: SIM115 - it stays open for as long as it is iterated over
    except OSError as error:
        raise Unreadable(called, f"cannot be read: {error.strerror}.") from None
    if os.pread(file.fileno(), len(ENCRYPTED), 0) == ENCRYPTED:
        file.close()
        raise Unreadable(
            called,
            "is encrypted with Ansible Vault, and is only decrypted where it comes from the "
            "controller: keep it there, without remote_src.",
        )
    return File(file, called, known)


def _format_of(name: str) -> str:
    suffix = PurePath(name).suffix.lower()
    if suffix not in _SUFFIXES:
        raise Unreadable(
            name, f"its suffix names no format: expected one of {', '.join(_SUFFIXES)}, or format."
        )
    return _SUFFIXES[suffix]


class _Faults:
    """What is wrong with one file, as sentences that name its places."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.found: list[str] = []

    def add(self, place: str, text: str) -> None:
        """Remember a fault; give up where there are too many."""
        self.found.append(f"{self.name} {place}: {text}")
        if len(self.found) == MOST:
            self.found.append(f"{self.name}: not read any further after {MOST} faults.")
            self.tell()

    def tell(self) -> None:
        if self.found:
            raise Refused(self.found)


class _From(io.RawIOBase):
    """A file from its beginning, whoever else reads it."""

    def __init__(self, file: BinaryIO) -> None:
        self._fd = file.fileno()
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = os.preadv(self._fd, [buffer], self._at)
        self._at += count
        return count


def _stream(file: BinaryIO) -> io.BufferedReader:
    return io.BufferedReader(_From(file), 2**20)


_Numbered = Iterator[tuple[int, Any]]  # a place (line, or number of the account) and what is there
_NOT_UTF8 = "has bytes that are not UTF-8: expected text in UTF-8."


def _lines(stream: io.BufferedReader, faults: _Faults) -> Iterator[tuple[int, str]]:
    """All lines with their numbers from 1; one that is no text is told and empty."""
    for number, line in enumerate(stream, 1):
        try:
            text = line.decode()
        except UnicodeDecodeError:
            faults.add(f"line {number}", _NOT_UTF8)
            text = "\n"
        yield number, text.lstrip("\ufeff") if number == 1 else text


def _text(stream: io.BufferedReader, faults: _Faults) -> str:
    data = stream.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        faults.add(f"line {data.count(10, 0, error.start) + 1}", _NOT_UTF8)
        faults.tell()
        raise


# --- JSON ---------------------------------------------------------------------------------------


class _Json:
    """A decoder that tells what the standard's own lets pass."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._constant
        )

    def value(self, text: str, start: int = 0) -> tuple[Any, int]:
        """The value that begins at `start`, and where it ends; ValueError where there is none."""
        self.faults = []
        try:
            value, end = self._decoder.raw_decode(text, start)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if text.find("\\u", start, end) >= 0:
            self._judge_halves(value)
        return value, end

    def _object(self, pairs: list[tuple[str, Any]]) -> Entry:
        entry = dict(pairs)
        if len(entry) != len(pairs):
            self.faults += _twice(key for key, _value in pairs)
        return entry

    def _constant(self, name: str) -> None:
        self.faults.append(f"{name} is not a number of JSON.")

    def _judge_halves(self, value: Any) -> None:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            self.faults.append("an escape such as \\ud800 is only half of a character.")


def _twice(keys: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            yield f"the key {shown(key)} is given twice."
        seen.add(key)


def _reason(error: ValueError) -> str:
    """Why something is not JSON, without what it is."""
    if isinstance(error, json.JSONDecodeError):
        return f"is not JSON: {error.msg.partition(': ')[0]} (column {error.colno})."
    return "is not JSON: nested too deeply, or a number that is too long."


def _json_lines(stream: io.BufferedReader, faults: _Faults) -> _Numbered:
    decoder = _Json()
    for number, line in _lines(stream, faults):
        text = line.strip(" \t\r\n")
        if text:
            yield from _json_line(decoder, text, number, faults)


def _json_line(decoder: _Json, text: str, number: int, faults: _Faults) -> _Numbered:
    try:
        entry, end = decoder.value(text)
    except ValueError as error:
        faults.add(f"line {number}", _reason(error))
        return
    if end != len(text):
        decoder.faults.append(f"there is something after the account (column {end + 1}).")
    for fault in decoder.faults:
        faults.add(f"line {number}", fault)
    if not decoder.faults:
        yield number, entry


_WHITE = re.compile(r"[ \t\r\n]*")
_HEAD = re.compile(rf'[ \t\r\n]*(\{{[ \t\r\n]*"{KEY}"[ \t\r\n]*:[ \t\r\n]*)?\[')
_NO_LIST = f"expected a list of accounts, alone or under the one key {KEY}."


def _json(stream: io.BufferedReader, faults: _Faults) -> _Numbered:
    text = _text(stream, faults)
    head = _HEAD.match(text)
    if not head:
        faults.add("line 1", _NO_LIST)
        return
    try:
        yield from _json_list(text, head, faults)
    except ValueError as error:
        faults.add(_json_place(text, error), _reason(error))


def _json_list(text: str, head: re.Match[str], faults: _Faults) -> _Numbered:
    decoder = _Json()
    at = _white(text, head.end())
    number = 0
    while number == 0 and text[at : at + 1] != "]" or number and text[at : at + 1] == ",":
        number += 1
        entry, end = decoder.value(text, _white(text, at + (number > 1)))
        for fault in decoder.faults:
            faults.add(f"account {number}", fault)
        if not decoder.faults:
            yield number, entry
        at = _white(text, end)
    _json_end(text, at, ("]", "}") if head[1] else ("]",))


def _json_end(text: str, at: int, expected: Sequence[str]) -> None:
    for mark in expected:
        if text[at : at + 1] != mark:
            raise json.JSONDecodeError(f"Expecting '{mark}'", text, at)
        at = _white(text, at + 1)
    if at != len(text):
        raise json.JSONDecodeError("Extra data after the list", text, at)


def _white(text: str, at: int) -> int:
    match = _WHITE.match(text, at)
    return match.end() if match else at


def _json_place(text: str, error: ValueError) -> str:
    return f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "account"


# --- YAML ---------------------------------------------------------------------------------------


def _yaml(stream: io.BufferedReader, faults: _Faults) -> _Numbered:
    if not source_yaml.is_here():
        raise Unreadable(
            faults.name,
            "Python's yaml is not on the managed host: install python3-yaml there, or give the "
            "people as JSON lines or CSV.",
        )
    yield from source_yaml.accounts(_text(stream, faults), faults.add, KEY, _NO_LIST)


# --- CSV ----------------------------------------------------------------------------------------

_DELIMITERS = ",;\t"
_SECRET = frozenset(("password", "password_hash"))
_SWITCHES = frozenset(("forward_only", "move_mail", "reuse_mail", "adopt"))
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}
_RECEIVE_ONLY = ":receive_only"
_NONE = "-"  # a list that is empty, where an empty cell would say nothing


def _csv(stream: io.BufferedReader, faults: _Faults) -> _Numbered:
    """The rows of a table; its first line names the columns, and which of , ; tab divides them."""
    lines = (text for _number, text in _lines(stream, faults))
    first = next(lines, "")
    reader = csv.reader(chain([first], lines), delimiter=_delimiter(first), strict=True)
    records = _records(reader, faults)
    header = [cell.strip() for cell in next(records, (1, []))[1]]
    for fault in _header_faults(header):
        faults.add("line 1", fault)
    if not faults.found:
        yield from _rows(records, header, faults)


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def _header_faults(header: Sequence[str]) -> Iterator[str]:
    if "address" not in header:
        # This may be a person and no header: nothing of it is shown.
        yield "the column address is missing: the first line has to name the columns."
        return
    for name in header:
        if name not in FIELDS:
            yield f"{shown(name)} is no column: expected {', '.join(FIELDS)}."
    yield from (f"the column {shown(name)} is there twice." for name in _repeated(header))


def _repeated(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _records(reader: Any, faults: _Faults) -> Iterator[tuple[int, list[str]]]:
    """What a csv.reader yields, with the line in which it begins."""
    line = 1
    try:
        for row in reader:
            yield line, row
            line = reader.line_num + 1
    except csv.Error:
        faults.add(
            f"line {line}",
            "is not CSV: expected a quoted cell to be closed, quotes in it to be doubled, and "
            "lines to end with LF or CR LF.",
        )


def _rows(
    records: Iterator[tuple[int, list[str]]], header: Sequence[str], faults: _Faults
) -> _Numbered:
    columns = [(name, _cell_of(name)) for name in header]
    for line, row in records:
        if len(row) == len(header):
            yield line, _account(columns, row)
        elif row:
            faults.add(f"line {line}", f"has {len(row)} cells: expected {len(header)}.")


def _account(columns: Sequence[tuple[str, Callable[[str], Any]]], row: Sequence[str]) -> Entry:
    return {
        name: value
        for (name, read_cell), cell in zip(columns, row)
        if (value := read_cell(cell)) is not None
    }


def _cell_of(name: str) -> Callable[[str], Any]:
    """How a cell of this column is read. None is not said; what cannot be read stays text."""
    if name in _SECRET:
        return lambda cell: cell or None
    reads: Mapping[str, Callable[[str], Any]] = {
        **dict.fromkeys(_SWITCHES, lambda text: _BOOLEANS.get(text.lower(), text)),
        "forwards": lambda text: [] if text == _NONE else text.split(),
        "aliases": lambda text: [] if text == _NONE else [_alias(part) for part in text.split()],
    }
    read_text = reads.get(name)
    if read_text is None:
        return lambda cell: cell.strip() or None
    known = read_text
    return lambda cell: known(cell.strip()) if cell.strip() else None


def _alias(text: str) -> str | Entry:
    if not text.endswith(_RECEIVE_ONLY):
        return text
    return {"address": text[: -len(_RECEIVE_ONLY)], "dispatch_address": False}


_READERS: dict[str, tuple[Callable[[io.BufferedReader, _Faults], _Numbered], str]] = {
    "csv": (_csv, "line"),
    "json": (_json, "account"),
    "jsonl": (_json_lines, "line"),
    "yaml": (_yaml, "account"),
}
FORMATS = tuple(_READERS)
_SUFFIXES = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".yaml": "yaml",
    ".yml": "yaml",
}
