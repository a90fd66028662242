# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: this is no interface of the collection and may change at any time.

"""Ask a service's own programs whether they accept a staged set of configuration files."""

from __future__ import annotations

import glob
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from . import dovecot_settings, postfix_settings
from .files import ConfigFile
from .postfix_settings import Program

__all__ = ("SERVICES", "Candidate", "Service")

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Candidate:
    """A set that waits for its check."""

    stage: str  # where it lies
    directory: str  # where it would stand
    files: Sequence[ConfigFile]
    live: bool  # the servers that it names are there to be asked

    def path(self, file: ConfigFile) -> str:
        """Return where a file of the set lies now."""
        return os.path.join(self.stage, file.path)

    def known(self, complaint: str) -> bool:
        """Tell whether a complaint says nothing about the set."""
        # A kernel without IPv6: Postfix does without it too.
        return "disabling IPv6" in complaint or self._comes_with_the_set(complaint)

    def _comes_with_the_set(self, complaint: str) -> bool:
        # $config_directory in a staged main.cf stands for the final directory already.
        return complaint.endswith("No such file or directory") and any(
            f'"{os.path.join(self.directory, file.path)}"' in complaint for file in self.files
        )


@dataclass(frozen=True)
class Answer:
    """What a program said: exit status, standard output, and its complaints, a line each."""

    status: int
    output: str
    complaints: list[str]


def _ask(command: Sequence[str], candidate: Candidate, user: str | None = None) -> Answer:
    identity = {"user": user, "group": user, "extra_groups": []} if user else {}
    done = subprocess.run(  # type: ignore[call-overload]
        command,
        env={"PATH": _SYSTEM_PATH, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        errors="replace",
        **identity,
    )
    # The stage has a random name that says nothing to the reader.
    said = done.stderr.replace(f"{candidate.stage}/", "").replace(candidate.stage, "")
    lines = [line.strip() for line in said.splitlines()]
    complaints = [line for line in lines if line and not candidate.known(line)]
    if done.returncode and not complaints:
        complaints = [f"{' '.join(command[:1])} ended with status {done.returncode}"]
    return Answer(done.returncode, done.stdout, complaints)


def _pairs(text: str) -> dict[str, str]:
    split = (line.partition("=") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _equals, value in split}


def _dovecot_faults(candidate: Candidate) -> list[str]:
    """doveconf(1): every message on standard error is an error or a warning."""
    doveconf = ["doveconf", "-c", candidate.path(candidate.files[-1])]
    found = _ask([*doveconf, "-n"], candidate).complaints
    if found:
        return found

    def said(*flags: str) -> str:
        return _ask([*doveconf, "-h", *flags], candidate).output.strip()

    names = ("auth_username_chars", "auth_mechanisms", "ssl_min_protocol")
    protocols = ("imap", "pop3", "lmtp", "lda")
    return _sieve_faults(candidate) + dovecot_settings.faults(
        {name: said(name) for name in names},
        {protocol: said("-f", f"protocol={protocol}", "mail_plugins") for protocol in protocols},
        _dovecot_plugins(),
    )


def _sieve_faults(candidate: Candidate) -> list[str]:
    """sievec(1), with the extensions and limits of the staged configuration."""
    # Whose mail it is does not matter here, and in check mode that user may not be there yet.
    owner = ["-o", "mail_uid=nobody", "-o", "mail_gid=nogroup"]
    sievec = ["sievec", "-c", candidate.path(candidate.files[-1]), *owner]
    scripts = [file.path for file in candidate.files if file.path.endswith(".sieve")]
    answers = {
        path: _ask([*sievec, f"{candidate.stage}/{path}", f"{candidate.stage}/checked"], candidate)
        for path in scripts
    }
    return [f"{path}: {c}" for path, answer in answers.items() for c in answer.complaints]


def _dovecot_plugins() -> set[str]:
    files = glob.glob("/usr/lib/dovecot/modules/lib*_plugin.so")
    return {re.sub(r"^lib\d*_|_plugin\.so$", "", os.path.basename(file)) for file in files}


def _dovecot_restart_settings(_files: Sequence[ConfigFile]) -> Mapping[str, str]:
    """Everything else is taken over by ``doveadm reload``."""
    return {}


# With another of these the server starts without the data, or is not found by its clients.
_MARIADB_FIXED = frozenset(
    ("datadir", "socket", "port", "user", "pid_file", "innodb_page_size", "innodb_data_home_dir")
    + ("lower_case_table_names", "skip_networking", "skip_grant_tables", "plugin_load")
)


def _mariadb_faults(candidate: Candidate) -> list[str]:
    """mariadbd --help reads its options; what it says of limits is about that process only."""
    set_here = {name.replace("-", "_") for name in _pairs(candidate.files[-1].content)}
    fixed = sorted(set_here & _MARIADB_FIXED)
    options = [f"--defaults-file={candidate.path(candidate.files[-1])}", "--user=mysql"]
    answer = _ask(["mariadbd", *options, "--help", "--verbose"], candidate)
    said = [line for line in answer.complaints if "[ERROR]" in line or " option " in line]
    return [f"{name} is not to be changed here" for name in fixed] + (
        said or (answer.complaints if answer.status else [])
    )


def _mariadb_restart_settings(files: Sequence[ConfigFile]) -> Mapping[str, str]:
    """A server reads its options when it starts, and only then."""
    return {file.path: file.content for file in files}


def _postconf(candidate: Candidate, *flags: str) -> Answer:
    return _ask(["postconf", "-c", candidate.stage, *flags], candidate)


def _postfix_program(candidate: Candidate) -> Program:
    services = _postconf(candidate, "-M").output.splitlines()
    return Program(
        # Not with -c: postconf would read the values that are to be judged, and end at a wrong one.
        defaults=_pairs(_ask(["postconf", "-d"], candidate).output),
        map_types=frozenset(_ask(["postconf", "-m"], candidate).output.split()),
        sasl_types=frozenset(_ask(["postconf", "-a"], candidate).output.split()),
        services=frozenset(line.split()[0] for line in services if line.strip()),
    )


def _table_faults(candidate: Candidate, settings: Mapping[str, str]) -> list[str]:
    """Ask each table as the user who will ask it: root would not notice wrong permissions."""
    tables = {
        file.path: f"mysql:{candidate.path(file)}"
        for file in candidate.files
        if file.path.startswith("sql/")
    }
    tables.update({table: table for table in postfix_settings.tables(settings)})
    found: list[str] = []
    for name, table in tables.items():
        command = ["postmap", "-c", candidate.stage, "-q", "nobody@invalid", table]
        answer = _ask(command, candidate, "postfix")
        # Status 1 without a word is the right answer: no such address.
        found += [f"{name}: {c}" for c in answer.complaints if "ended with" not in c]
    return found


def _file_faults(settings: Mapping[str, str]) -> list[str]:
    return [
        f"{name} = {path}: there is no such file"
        for name, path in postfix_settings.files(settings)
        if not os.path.exists(path)
    ]


def _postfix_check(candidate: Candidate, directory: str) -> list[str]:
    """postfix check, on a terminal: elsewhere Postfix 3.7 tells its log alone."""
    command = f"postfix -c {shlex.quote(directory)} check"
    answer = _ask(["script", "-qec", command, "/dev/null"], candidate)
    lines = answer.output.replace(f"{candidate.stage}/", "").replace(candidate.stage, "")
    said = [line.strip() for line in lines.splitlines()]
    return [line for line in said if line and not candidate.known(line)] or answer.complaints


def _new_complaints(candidate: Candidate) -> list[str]:
    """postfix check also looks at the host: chroot copies that differ, files of other owners.

    What it says of the standing configuration as well is not the fault of the new one.
    """
    standing = set(_postfix_check(candidate, candidate.directory))
    return [c for c in _postfix_check(candidate, candidate.stage) if c not in standing]


def _postfix_faults(candidate: Candidate) -> list[str]:
    settings = _postconf(candidate, "-n", "-x")
    # A file that does not parse makes every later answer meaningless.
    if settings.complaints:
        return settings.complaints
    values = _pairs(settings.output)
    found = _postconf(candidate, "-M").complaints
    found += postfix_settings.faults(values, _postfix_program(candidate))
    # Programs that read wrong values would only repeat them, each in its own words.
    found = found or _new_complaints(candidate)
    if found or not candidate.live:
        return found
    return _file_faults(values) + _table_faults(candidate, values)


def _postfix_restart_settings(files: Sequence[ConfigFile]) -> Mapping[str, str]:
    """postconf(5): only a stop and a start bring these two into effect."""
    main = next((file.content for file in files if file.path == "main.cf"), "")
    settings = _pairs(main)
    return {name: settings.get(name, "") for name in ("inet_interfaces", "inet_protocols")}


@dataclass(frozen=True)
class Service:
    """How one service's configuration is judged."""

    program: str
    faults: Callable[[Candidate], list[str]]
    restart_settings: Callable[[Sequence[ConfigFile]], Mapping[str, str]]

    @property
    def installed(self) -> bool:
        """Tell whether the checking program is there."""
        return shutil.which(self.program, path=_SYSTEM_PATH) is not None


SERVICES: Mapping[str, Service] = {
    "mariadb": Service("mariadbd", _mariadb_faults, _mariadb_restart_settings),
    "dovecot": Service("doveconf", _dovecot_faults, _dovecot_restart_settings),
    "postfix": Service("postconf", _postfix_faults, _postfix_restart_settings),
}
