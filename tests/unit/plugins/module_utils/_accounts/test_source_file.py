# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""People from files: every format says the same, and what is wrong is told with its place."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts import (
    source_file,
    source_yaml,
    wanted,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._accounts.errors import (
    MailhostError,
    Refused,
)
from hypothesis import given, settings
from hypothesis import strategies as st

SECRET = "hunter2"


def opened(tmp_path: Path, name: str, content: str | bytes) -> source_file.File:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return source_file.read(str(path), name=name)


def read(tmp_path: Path, name: str, content: str | bytes) -> list[dict[str, Any]]:
    return list(opened(tmp_path, name, content))


def faults(tmp_path: Path, name: str, content: str | bytes) -> list[str]:
    with pytest.raises(Refused) as refused:
        read(tmp_path, name, content)
    assert SECRET not in str(refused.value)
    return refused.value.faults


# --- every format ---------------------------------------------------------------------------------

# What a file can hold: no line ends in a cell, for those are no part of any value.
letters = st.characters(
    exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\u2028\u2029\x85"
)
words = st.text(letters.filter(lambda letter: not letter.isspace()), min_size=1, max_size=9)
names = words.filter(lambda word: word != "-" and not word.endswith(":receive_only"))
aliases = st.lists(
    names | st.builds(lambda name: {"address": name, "dispatch_address": False}, names), max_size=3
)
people = st.lists(
    st.fixed_dictionaries(
        {"address": names},
        optional={
            "password": st.text(letters, min_size=1),
            "quota": names,
            "aliases": aliases,
            "forwards": st.lists(names, max_size=3),
            "forward_only": st.booleans(),
        },
    ),
    max_size=5,
)


def cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(cell, value)) or "-"
    if isinstance(value, dict):
        return f"{value['address']}:receive_only"
    return {True: "true", False: "no"}[value] if isinstance(value, bool) else str(value)


def as_csv(persons: list[dict[str, Any]], delimiter: str = ",") -> str:
    out = io.StringIO()
    columns = ["address", *sorted({n for person in persons for n in person} - {"address"})]
    writer = csv.DictWriter(out, columns, delimiter=delimiter)
    writer.writeheader()
    writer.writerows({n: cell(v) for n, v in person.items()} for person in persons)
    return out.getvalue()


WRITERS = {
    "people.csv": as_csv,
    "people.json": json.dumps,
    "people.jsonl": lambda persons: "".join(f"{json.dumps(person)}\n" for person in persons),
    "people.yml": lambda persons: yaml.safe_dump(persons, allow_unicode=True),
}


@pytest.mark.parametrize("name", WRITERS)
@settings(deadline=None)
@given(persons=people)
def test_people_are_read_as_they_were_written(tmp_path_factory, name: str, persons):
    assert read(tmp_path_factory.getbasetemp(), name, WRITERS[name](persons)) == persons


@pytest.mark.parametrize("delimiter", [";", "\t"])
@settings(deadline=None)
@given(persons=people)
def test_semicolons_and_tabs_divide_as_well(tmp_path_factory, delimiter: str, persons):
    # With the address alone there is nothing to divide, and nothing to tell the delimiter.
    wider = [{**person, "state": "present"} for person in persons]
    text = as_csv(wider, delimiter)
    assert read(tmp_path_factory.getbasetemp(), "people.csv", text) == wider


@pytest.mark.parametrize("name", WRITERS)
def test_people_can_be_read_again_and_at_the_same_time(tmp_path: Path, name: str):
    persons = [{"address": f"p{number}@example.org"} for number in range(9)]
    file = opened(tmp_path, name, WRITERS[name](persons))
    assert list(zip(file, file)) == list(zip(persons, persons))
    assert list(file) == persons


@pytest.mark.parametrize("name", WRITERS)
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, name: str):
    persons = [{"address": "a@example.org"}]
    assert read(tmp_path, name, "\ufeff" + WRITERS[name](persons)) == persons


@pytest.mark.parametrize("name", WRITERS)
def test_lines_may_end_as_on_other_systems(tmp_path: Path, name: str):
    persons = [{"address": "a@example.org"}, {"address": "b@example.org"}]
    text = WRITERS[name](persons).replace("\r\n", "\n").replace("\n", "\r\n")
    assert read(tmp_path, name, text) == persons


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("people.csv", b"address\na@x\n\xff@x\n", 3),
        ("people.json", b'[\n{"address": "\xe4"}]', 2),
        ("people.jsonl", b"{}\n\n\xff\n", 3),
        ("people.yml", b"- address: a\n- address: \xff\n", 2),
    ],
)
def test_what_is_not_utf8_is_told_with_its_line(
    tmp_path: Path, name: str, content: bytes, line: int
):
    (fault,) = faults(tmp_path, name, content)
    assert fault.startswith(f"{name} line {line}: has bytes that are not UTF-8")


@pytest.mark.parametrize("content", ['{"mailserver_users": [{"a": 1}]}', '[{"a": 1}]'])
@pytest.mark.parametrize("name", ["people.json", "people.yml"])
def test_a_list_may_stand_under_its_variable(tmp_path: Path, name: str, content: str):
    assert read(tmp_path, name, content) == [{"a": 1}]


@pytest.mark.parametrize("name", ["people.json", "people.yml"])
@pytest.mark.parametrize("content", ["", '{"users": []}', "5", '"x"', "{}"])
def test_anything_else_is_no_list(tmp_path: Path, name: str, content: str):
    (fault,) = faults(tmp_path, name, content)
    assert "expected a list of accounts, alone or under the one key mailserver_users" in fault


@pytest.mark.parametrize("name", ["people.json", "people.yml"])
def test_nothing_may_stand_beside_the_list(tmp_path: Path, name: str):
    (fault,) = faults(tmp_path, name, '{"mailserver_users": [],\n "other": 1}')
    assert fault.startswith(f"{name} line ")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("people.json", '[{"a": 1, "a": 2}, {"b": {"c": 1, "c": 1}}, {"d": 1}]'),
        ("people.yml", "- {a: 1, a: 2}\n- {b: {c: 1, c: 1}}\n- {d: 1}\n"),
    ],
)
def test_keys_that_are_given_twice_are_told_together(tmp_path: Path, name: str, content: str):
    assert faults(tmp_path, name, content) == [
        f"{name} account 1: the key 'a' is given twice.",
        f"{name} account 2: the key 'c' is given twice.",
    ]


@pytest.mark.parametrize("name", ["people.json", "people.jsonl", "people.yml"])
def test_what_is_no_dictionary_is_told_without_it(tmp_path: Path, name: str):
    items = [{}, SECRET, 5, None, [SECRET]]
    assert [
        fault.partition(": ")[2].partition(" is")[0]
        for fault in faults(tmp_path, name, WRITERS[name](items))
    ] == ["text", "a number", "nothing", "a list"]


@pytest.mark.parametrize("name", WRITERS)
def test_a_position_names_file_and_place(tmp_path: Path, name: str):
    persons = [{"address": "a@example.org"}, {"address": "b@example.org"}]
    file = opened(tmp_path, name, WRITERS[name](persons))
    assert len(list(file)) == 2
    places = {"people.csv": "line 3", "people.jsonl": "line 2"}
    assert file.position(1) == f"{name} {places.get(name, 'account 2')}"


def test_empty_lines_count(tmp_path: Path):
    file = opened(tmp_path, "people.jsonl", '\n{"address": "a"}\n\n\n{"address": "b"}')
    assert [file.position(index) for index, _person in enumerate(file)] == [
        "people.jsonl line 2",
        "people.jsonl line 5",
    ]


def test_too_many_faults_end_the_reading(tmp_path: Path):
    found = faults(tmp_path, "people.jsonl", f"{SECRET}\n" * 1000)
    assert len(found) == source_file.MOST + 1
    assert found[-1] == "people.jsonl: not read any further after 50 faults."


# --- JSON -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        SECRET,
        f'{{"password": "{SECRET}',
        f'{{"password": "{SECRET}"}} {{}}',
        f'{{"password" "{SECRET}"}}',
        f'{{"password": "\\{SECRET}"}}',
        f'{{"password": "{SECRET}\\ud800"}}',
        '{"quota": NaN}',
        '{"quota": -Infinity}',
        f'{{"quota": {"9" * 5000}}}',
        "[" * 100000,
    ],
)
def test_a_line_that_is_not_json_is_told_and_the_next_is_read(tmp_path: Path, line: str):
    (fault, other) = faults(tmp_path, "people.jsonl", f"{line}\n{{}}\n{line}")
    assert fault.startswith("people.jsonl line 1: ")
    assert other.startswith("people.jsonl line 3: ")


@pytest.mark.parametrize(
    "content", [f'[{{"password":\n"{SECRET}', "[{},\n]", "[{}\n{}]", "[]\n[]", "[\n,]", "[{}\n}"]
)
def test_a_json_file_is_told_with_the_line(tmp_path: Path, content: str):
    (fault,) = faults(tmp_path, "people.json", content)
    assert fault.startswith(
        ("people.json line 2: is not JSON: ", "people.json line 1: is not JSON")
    )


# --- YAML -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (f"- password: *{SECRET}", "found undefined alias"),
        (f"- password: !{SECRET}", "a tag is not read here"),
        ("- password: !vault x", "the tag !vault is not read here"),
        ("- !!python/object/new:os.system [x]", "a tag is not read here"),
        ("- !!binary aGk=", "a tag is not read here"),
        (f"- password: @{SECRET}", "cannot start any token"),
        (f"- password: '{SECRET}", "end of stream"),
        (f'- password: "\\q{SECRET}"', "unknown escape"),
        (f"- password: a: {SECRET}", "mapping values are not allowed"),
        ("- {? [a] : b}", "unhashable key"),
        (f"- password: {SECRET}\x01", "control character"),
    ],
)
def test_what_is_not_yaml_is_told_with_the_line(tmp_path: Path, line: str, word: str):
    (fault,) = faults(tmp_path, "people.yml", f"# people\n{line}\n")
    assert fault.startswith(("people.yml line 2: ", "people.yml line 3: "))
    assert word in fault


def test_a_second_document_is_told(tmp_path: Path):
    (fault,) = faults(tmp_path, "people.yml", "- {}\n---\n- {}\n")
    assert fault == "people.yml line 2: a second document: expected one."


def test_dates_and_equal_signs_stay_text(tmp_path: Path):
    assert read(tmp_path, "people.yml", "- {expires: 2027-01-31T18:00:00+01:00, password: =}") == [
        {"expires": "2027-01-31T18:00:00+01:00", "password": "="}
    ]


def test_anchors_of_one_person_serve_others(tmp_path: Path):
    text = "- &team {quota: 2G, state: present}\n- {<<: *team, address: a, quota: 1G}\n"
    assert read(tmp_path, "people.yml", text)[1] == {
        "quota": "1G",
        "state": "present",
        "address": "a",
    }


def elsewhere(path: Path, first: str) -> subprocess.CompletedProcess[str]:
    """A process that reads the file; `first` is what it does before it imports anything of ours."""
    program = (
        f"import sys\n{first}\nfrom {source_file.__name__} import read\n"
        f"from {source_yaml.__name__} import _Loader\nprint(list(read({str(path)!r})))\n"
        "print('CParser' in [one.__name__ for one in _Loader.__mro__])\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("libyaml", [True, False])
def test_python_reads_what_libyaml_reads(tmp_path: Path, libyaml: bool):
    path = tmp_path / "people.yml"
    path.write_text(yaml.safe_dump([{"address": "a@x", "aliases": ["b@x"]}]))
    result = elsewhere(path, f"import yaml; yaml.__with_libyaml__ = {libyaml}")
    assert result.stdout == f"[{{'address': 'a@x', 'aliases': ['b@x']}}]\n{libyaml}\n"


def test_a_host_without_yaml_reads_the_other_formats(tmp_path: Path):
    for path in (tmp_path / "people.json", tmp_path / "people.yml"):
        path.write_text("[]")
    absent = "sys.modules['yaml'] = None"
    assert elsewhere(tmp_path / "people.json", absent).stdout == "[]\nFalse\n"
    told = elsewhere(tmp_path / "people.yml", absent).stderr
    assert "install python3-yaml there, or give the people as JSON lines or CSV" in told


# --- CSV ------------------------------------------------------------------------------------------


def test_columns_are_judged_together(tmp_path: Path):
    assert [
        f.partition(":")[2][:35] for f in faults(tmp_path, "p.csv", "x,address,y,address\n")
    ] == [
        " 'x' is no column: expected address",
        " 'y' is no column: expected address",
        " the column 'address' is there twic",
    ]


@pytest.mark.parametrize(
    "content", ["", "\n", f"ann@example.org,{SECRET}\n", f"password\n{SECRET}"]
)
def test_a_header_that_is_missing_is_not_shown(tmp_path: Path, content: str):
    (fault,) = faults(tmp_path, "people.csv", content)
    assert fault.startswith("people.csv line 1: the column address is missing")


def test_rows_of_another_length_are_told_together(tmp_path: Path):
    text = f"address,password\na@x\nb@x,{SECRET}\nc@x,{SECRET},x\n"
    assert faults(tmp_path, "people.csv", text) == [
        "people.csv line 2: has 1 cells: expected 2.",
        "people.csv line 4: has 3 cells: expected 2.",
    ]


@pytest.mark.parametrize("row", [f'a@x,"{SECRET}', f'a@x,"x"{SECRET}', f"a@x,{SECRET}\rb@x"])
def test_a_row_that_is_not_csv_is_told(tmp_path: Path, row: str):
    (fault,) = faults(tmp_path, "people.csv", f"address,password\n{row}\nb@x,y\n")
    assert fault.startswith("people.csv line 2: is not CSV")


def test_lines_are_those_in_which_a_row_begins(tmp_path: Path):
    text = 'address,password\n"a\n@x",p\n\nb@x,q\nc@x\n'
    assert faults(tmp_path, "people.csv", text) == ["people.csv line 6: has 1 cells: expected 2."]


def test_passwords_stay_text_and_keep_their_blanks(tmp_path: Path):
    text = "address , password,quota\n a@x , 007 , 0123 \nb@x,null,\nc@x, ,\n"
    assert read(tmp_path, "people.csv", text) == [
        {"address": "a@x", "password": " 007 ", "quota": "0123"},
        {"address": "b@x", "password": "null"},
        {"address": "c@x", "password": " "},
    ]


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("forward_only", "Yes", True),
        ("forward_only", "FALSE", False),
        ("forward_only", "maybe", "maybe"),
        ("quota_messages", "007", "007"),
        ("aliases", "-", []),
        (
            "aliases",
            " a@x  b@x:receive_only ",
            ["a@x", {"address": "b@x", "dispatch_address": False}],
        ),
        ("forwards", "-", []),
        ("forwards", "a@x b@x", ["a@x", "b@x"]),
    ],
)
def test_cells_are_read_by_their_column(tmp_path: Path, column: str, text: str, value: Any):
    (person,) = read(tmp_path, "people.csv", f"address,{column}\na@x,{text}\n")
    assert person == {"address": "a@x", column: value}


def test_the_model_takes_the_kind_of_each_cell():
    """Every option that takes no text is known to be such."""

    def takes(name: str, value: object) -> bool:
        _wishes, found = wanted.parse([{"address": "a@x.org", name: value}])
        return not any(f"{name}: " in fault for fault in found)

    switches = {name for name in wanted.FIELDS if takes(name, True) and not takes(name, "x")}
    assert switches == source_file._SWITCHES
    lists = {name for name in wanted.FIELDS if takes(name, []) and not takes(name, "5")}
    assert lists == {"aliases", "forwards"}
    assert {name for name in wanted.FIELDS if takes(name, 5) and not takes(name, "5")} == set()


# --- which file -----------------------------------------------------------------------------------


def test_the_format_overrules_the_suffix(tmp_path: Path):
    (tmp_path / "people.txt").write_text('{"address": "a"}')
    assert list(source_file.read(str(tmp_path / "people.txt"), "jsonl")) == [{"address": "a"}]


@pytest.mark.parametrize("name", ["people", "people.txt", ".csv"])
def test_a_suffix_without_a_format_is_told(tmp_path: Path, name: str):
    with pytest.raises(MailhostError, match="its suffix names no format: expected one of .csv, .j"):
        read(tmp_path, name, "")


def test_a_file_that_is_not_there_is_told():
    with pytest.raises(MailhostError, match="^/nonexistent.csv: cannot be read: No such file"):
        source_file.read("/nonexistent.csv")


def test_an_encrypted_file_is_told(tmp_path: Path):
    with pytest.raises(MailhostError, match="^people.csv: is encrypted with Ansible Vault"):
        read(tmp_path, "people.csv", "$ANSIBLE_VAULT;1.1;AES256\n6162\n")


def test_a_file_can_lose_its_name_while_it_is_read(tmp_path: Path):
    file = opened(tmp_path, "people.csv", "address\na@x\n")
    (tmp_path / "people.csv").unlink()
    assert list(file) == [{"address": "a@x"}]


# --- several sources ------------------------------------------------------------------------------


def test_sources_count_as_one_and_keep_their_positions(tmp_path: Path):
    empty = opened(tmp_path, "empty.csv", "address\n")
    table = opened(tmp_path, "people.csv", "address\nb@x\nc@x\n")
    joined = source_file.Joined([source_file.Inline([{"address": "a@x"}]), empty, table])
    for _again in range(2):
        assert [person["address"] for person in joined] == ["a@x", "b@x", "c@x"]
        assert [joined.position(index) for index in range(3)] == [
            "account 1",
            "people.csv line 2",
            "people.csv line 3",
        ]


def test_faults_of_all_sources_are_told_together(tmp_path: Path):
    first = opened(tmp_path, "one.jsonl", "x\n{}\n")
    second = opened(tmp_path, "two.jsonl", "{}\ny\n")
    joined = source_file.Joined([first, second])
    read_before: list[Any] = []
    with pytest.raises(Refused) as refused:
        read_before.extend(joined)
    assert read_before == [{}, {}]
    assert [fault.partition(":")[0] for fault in refused.value.faults] == [
        "one.jsonl line 1",
        "two.jsonl line 2",
    ]


def test_one_account_has_no_position():
    assert source_file.Inline([{}], "").position(0) == ""
