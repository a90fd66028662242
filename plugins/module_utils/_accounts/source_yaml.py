# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""People from YAML, composed one after the other, so that only one lies in memory at a time.

Read as an inventory is, but that dates stay the text that they are. A managed host need not have
PyYAML: ask `is_here` first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

from .errors import shown

try:
    import yaml
    from yaml.composer import Composer
    from yaml.constructor import ConstructorError, SafeConstructor
    from yaml.parser import Parser
    from yaml.reader import Reader, ReaderError
    from yaml.resolver import Resolver
    from yaml.scanner import Scanner
except ImportError:
    yaml = None  # type: ignore[assignment]
    Composer = SafeConstructor = Resolver = object  # type: ignore[assignment,misc]

_PLAIN = [
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")
]
_MERGE = "tag:yaml.org,2002:merge"
_TEXT_HERE = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")


class _Constructor(SafeConstructor):
    """The plain types alone; remembers keys that are given twice."""

    yaml_constructors = {
        tag: construct
        for tag, construct in getattr(SafeConstructor, "yaml_constructors", {}).items()
        if tag in _PLAIN
    }

    def __init__(self) -> None:
        super().__init__()
        self.twice: list[str] = []

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _value in getattr(node, "value", ()):
            if key.tag != _MERGE and isinstance(key.value, str):
                if key.value in seen:
                    self.twice.append(f"the key {shown(key.value)} is given twice.")
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def tagged(self, node: Any) -> None:
        # A tag may be a password that begins with an exclamation mark.
        named = f"the tag {node.tag}" if node.tag in ("!vault", "!unsafe") else "a tag"
        raise ConstructorError(
            None,
            None,
            f"{named} is not read here (encrypt the whole file instead)",
            node.start_mark,
        )


_Constructor.yaml_constructors[None] = _Constructor.tagged


class _Resolver(Resolver):
    yaml_implicit_resolvers = {
        letter: [(tag, pattern) for tag, pattern in pairs if tag not in _TEXT_HERE]
        for letter, pairs in getattr(Resolver, "yaml_implicit_resolvers", {}).items()
    }


def _events() -> tuple[Any, ...]:
    """What reads events: libyaml, or Python (ten times slower) where PyYAML comes without it."""
    if yaml is None:
        return ()
    return (vars(yaml.cyaml)["CParser"],) if yaml.__with_libyaml__ else (Reader, Scanner, Parser)


class _Loader(*_events(), _Constructor, _Resolver, Composer):  # type: ignore[misc]
    """One account after the other."""

    def __init__(self, text: str) -> None:
        first, *others = _Loader.__bases__
        first.__init__(self, text)
        for other in others:
            other.__init__(self)


def is_here() -> bool:
    """Whether there is a PyYAML."""
    return yaml is not None


def accounts(
    text: str, fault: Callable[[str, str], None], key: str, no_list: str
) -> Iterator[tuple[int, Any]]:
    """The accounts of a list, or of the list under `key`, with their numbers from 1.

    `fault` is told the place and the reason of whatever is wrong.
    """
    try:
        loader = _Loader(text)
        yield from _accounts(loader, fault, key, no_list)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        fault(*_told(error, text))


def _accounts(
    loader: Any, fault: Callable[[str, str], None], key: str, no_list: str
) -> Iterator[tuple[int, Any]]:
    keyed = _entered(loader, key)
    if keyed is None:
        fault("line 1", no_list)
        return
    number = 0
    while not loader.check_event(yaml.SequenceEndEvent):
        number += 1
        loader.twice = []
        entry = loader.construct_document(loader.compose_node(None, None))
        for text in loader.twice:
            fault(f"account {number}", text)
        if not loader.twice:
            yield number, entry
    loader.get_event()
    _left(loader, keyed, fault, no_list)


def _entered(loader: Any, key: str) -> bool | None:
    """Go to the first account. Whether the list has the key around it; None: there is no list."""
    loader.get_event()
    if loader.check_event(yaml.StreamEndEvent):
        return None
    loader.get_event()
    keyed = loader.check_event(yaml.MappingStartEvent)
    if keyed:
        loader.get_event()
        name = loader.get_event()
        if not isinstance(name, yaml.ScalarEvent) or name.value != key:
            return None
    return keyed if isinstance(loader.get_event(), yaml.SequenceStartEvent) else None


def _left(loader: Any, keyed: bool, fault: Callable[[str, str], None], no_list: str) -> None:
    """Nothing may follow the list."""
    if keyed and not loader.check_event(yaml.MappingEndEvent):
        fault(_line(loader.peek_event().start_mark), f"another key: {no_list}")
        return
    if keyed:
        loader.get_event()
    loader.get_event()
    if not loader.check_event(yaml.StreamEndEvent):
        fault(_line(loader.peek_event().start_mark), "a second document: expected one.")


def _line(mark: Any) -> str:
    return f"line {mark.line + 1}"


def _told(error: Exception, text: str) -> tuple[str, str]:
    """Where and why it is not YAML. What PyYAML quotes is left out: it may be a password."""
    if isinstance(error, ReaderError):
        at = text.encode()[: error.position].count(b"\n")
        return f"line {at + 1}", "has a control character, which YAML cannot hold."
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or "nested too deeply, or a value out of range"
    why = problem.partition("'")[0].partition('"')[0].strip()
    return _line(mark) if mark else "account", f"is not YAML as it is read here: {why}."
