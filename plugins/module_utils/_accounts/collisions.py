# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything about a wish that only the database can tell to be wrong, found before writing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from .errors import shown
from .model import ADDRESS_LENGTH, Account, Secret, fold
from .passwords import stored_length
from .plan import Change, Directory
from .shape import DESTINATION, IMAP, SMTP
from .wanted import (
    ENABLED,
    INSTANCE_LENGTH,
    Defaults,
    Wanted,
    claims,
    is_unhosted,
    name_faults,
    unhosted,
)

EXTENSION = "+"  # recipient_delimiter: mail to ann+x reaches ann
_HOME_STAYS = (
    "the home of an account that exists stays where it is: leave home out, or say move_mail: true "
    "and move the mail as the role accounts does."
)
# What a wish says -> the field that has to have a column for it.
_COLUMNS = {
    "login_name": "imap.loginname",
    "quota_messages": "imap.quota_messages",
    "quota_sieve": "imap.quota_sieve",
    "quota_sieve_scripts": "imap.quota_sieve_scripts",
    "uid": "imap.uid",
    "gid": "imap.gid",
    "home": "imap.home",
    "status": "imap.status",
    "expires": "imap.expires",
}


def collisions(current: Directory, every: Sequence[Change], defaults: Defaults) -> list[str]:
    """A sentence for everything that keeps these changes from being made.

    every has a change for each wish, also where nothing changes: such a wish cannot collide.
    """
    faults = [fault for change in every for fault in _own_faults(change, defaults)]
    faults += _unhosted(current, every)
    faults += _still_there(current, every)
    faults += [fault for change in every for fault in _unheld(current, change)]
    faults += _unheld_defaults(current, every, defaults)
    faults += _one_account_twice(every)
    faults += _userids_taken(current, every, defaults)
    changes = [change for change in every if change.before != change.after]
    if changes:
        faults += _too_long(current, changes)
        faults += _claimed_names(current, changes)
        faults += _loops(current, changes)
    return faults


def _own_faults(change: Change, defaults: Defaults) -> Iterator[str]:
    before, after, want = change
    smtp = before.smtp if before else None
    if smtp and fold(smtp.owner or "") != fold(defaults.owner) and not want.adopt:
        yield (
            f"{want.label}: this account belongs to client_idnr {shown(smtp.owner)}, "
            f"not to {shown(defaults.owner)}: say adopt: true to take it over, or leave it out."
        )
    if before is None and want.present:
        yield from _new_faults(want)
    elif before and want.userid not in (None, before.userid):
        yield (
            f"{want.label}: userid: {shown(want.userid)} is not that of this account, which is "
            f"{shown(before.userid)}: a userid is kept for ever, leave it out."
        )
    if moves(change) and not want.move_mail:
        yield f"{want.label}: home: {_HOME_STAYS}"
    kept = after.smtp if after else None
    unsaid = want.present and want.forwards is None and want.forward_only is None
    if unsaid and _only_forwards(before) and not (kept and kept.forward_only):
        yield (
            f"{want.label}: forwards: its mail only goes to its forwards, and none would be left: "
            "say with mail_user what is to become of it."
        )
    if not (after and after.smtp):
        return
    if want.forward_only and not after.smtp.forward_only:
        yield f"{want.label}: forward_only needs forwards: name at least one address."
    own = fold(after.smtp.username)
    said = (want.edit.forwards if want.edit else want.forwards) or ()
    if own in said:
        yield f"{want.label}: forwards: {shown(own)} is the account itself."
    for alias in (want.edit.aliases if want.edit else want.aliases) or ():
        if alias.source == own and own != want.address:
            yield f"{want.label}: aliases: {shown(own)} is the account's own username."


def _only_forwards(account: Account | None) -> bool:
    return bool(account and account.smtp and account.smtp.forward_only and _forwards(account))


def _userids_taken(
    current: Directory, every: Sequence[Change], defaults: Defaults
) -> Iterator[str]:
    """Accounts that are made, or taken over, under the key of another one."""
    new = {fold(c.want.userid): c for c in every if c.want.userid and c.after and not c.before}
    taken = {fold(c.before.userid): c for c in every if c.want.adopt and c.after and c.before}
    for account in current.accounts if new or taken else ():
        change = new.get(fold(account.userid))
        if not change and account.smtp and account.smtp.owner == defaults.owner:
            change = taken.get(fold(account.userid))
        if change and change.before is not account:
            yield (
                f"{change.want.label}: userid: {shown(account.userid)} already is the userid "
                f"of {_named(account)}."
            )


def moves(change: Change) -> bool:
    """Whether the mail of an account is to lie somewhere else; a first home is no move."""
    was = change.before.imap if change.before else None
    becomes = change.after.imap if change.after else None
    return bool(was and was.home and becomes and was.home != becomes.home)


def home_faults(
    changes: Sequence[Change], elsewhere: Iterable[tuple[str, str, str]]
) -> Iterator[str]:
    """Homes that two accounts would share, and with them one mailbox.

    elsewhere has userid, username and home of those whose home somebody is to get.
    """
    owners: dict[str, Change] = {}
    for change in changes:
        place = _home(change.after)
        other = owners.setdefault(place, change) if place else change
        if other is not change and (_is_new_home(change) or _is_new_home(other)):
            yield _home_fault(change, place, other.address)
    kept = {_userid(change.before): _home(change.after) for change in changes if change.before}
    for userid, username, place in elsewhere:
        claim = owners.get(place)
        if claim and kept.get(userid, place) == place and _userid(claim.after) != userid:
            yield _home_fault(claim, place, username)


def new_homes(changes: Iterable[Change]) -> list[str]:
    """Homes that accounts get and do not have yet."""
    return [_home(change.after) for change in changes if _is_new_home(change)]


def _is_new_home(change: Change) -> bool:
    place = _home(change.after)
    return bool(place) and place != _home(change.before)


def _home(account: Account | None) -> str:
    return (account.imap.home or "") if account and account.imap else ""


def _userid(account: Account | None) -> str:
    return account.userid if account else ""


def _home_fault(change: Change, place: str, owner: str) -> str:
    return (
        f"{change.want.label}: home: {shown(place)} is the home of {owner}, and two accounts with "
        "one home are one mailbox: give another home."
    )


def _unhosted(current: Directory, every: Sequence[Change]) -> list[str]:
    """Names in domains that this host does not have; those that an account has are no news."""
    if not name_faults([change.want for change in every], current.domains):
        return []
    return [
        unhosted(change.want, what, name)
        for change in every
        for had in [change.before.name_set() if change.before else set()]
        for what, name in claims(change.want)
        if is_unhosted(what, name, current.domains)
        if current.key(name) not in {current.key(own) for own in had}
    ]


def _still_there(current: Directory, every: Sequence[Change]) -> Iterator[str]:
    """Who is to be gone, but the entry names an account that nobody means and that would stay."""
    gone = [change for change in every if not change.want.present and not change.want.pruned]
    if not gone:
        return
    meant = {id(change.before) for change in every if change.before}
    names = {
        current.key(name): account
        for account in current.accounts
        if id(account) not in meant
        for word, name in account.names()
        if word != "alias"
    }
    for change in gone:
        want = change.want
        # Who has the address is meant by it, whosever username it may be, too.
        by_address = names.get(want.address) if change.before is None else None
        account = by_address or names.get(want.username or "")
        if account and account.smtp is None:
            yield f"{want.label}: is to be gone, but names {_named(account)}."
        elif account:
            yield (
                f"{want.label}: is to be gone, but names {_named(account)}, which has another "
                "address and would stay: say that address if it is to go, or leave this entry out."
            )


def _new_faults(want: Wanted) -> Iterator[str]:
    if want.edit:
        yield f"{want.label}: there is no such account: make it with mail_user first."
    elif want.secret is None:
        yield f"{want.label}: a new account needs a password: give password or password_hash."


def _unheld(current: Directory, change: Change) -> Iterator[str]:
    """What is said but has no column in these tables."""
    if not current.absent or not change.want.present:
        return
    want = change.want
    for name, field in _COLUMNS.items():
        lacking = [f for f in (field, field.replace("imap.", "smtp.")) if f in current.absent]
        if getattr(want, name) is not None and lacking:
            yield f"{want.label}: {name}: {_column(lacking[0])} {UPGRADE}"
    aliases = (want.aliases or frozenset()) | (want.edit.aliases if want.edit else frozenset())
    if "destination.dispatch" in current.absent and not all(a.dispatch for a in aliases):
        yield f"{want.label}: dispatch_address: {_column('destination.dispatch')} {UPGRADE}"


def _unheld_defaults(
    current: Directory, every: Iterable[Change], defaults: Defaults
) -> Iterator[str]:
    """A status that new accounts were to get, and could not keep."""
    lacking = sorted({"imap.status", "smtp.status"} & current.absent)
    if lacking and defaults.status != ENABLED and any(c.after and not c.before for c in every):
        yield f"default_status: {_column(lacking[0])} {UPGRADE}"


UPGRADE = "(an older generation of tine's tables): leave it out, or bring the tables forward."


def _column(field: str) -> str:
    kind, _dot, name = field.partition(".")
    if kind == "imap":
        return f"dovecot_users has no column {IMAP[name]}"
    if kind == "smtp":
        return f"smtp_users has no column {SMTP[name]}"
    return f"smtp_destinations has no column {DESTINATION[name]}"


def _too_long(current: Directory, changes: Iterable[Change]) -> Iterator[str]:
    """What does not fit into its column."""
    if not current.lengths:
        return
    limits = _Limits(current.lengths)
    for change in changes:
        yield from limits.faults(change)


class _Limits:
    """How many characters each field holds, where that is less than we may write."""

    def __init__(self, lengths: Mapping[str, int]) -> None:
        held = {column.partition(".")[2]: (column, size) for column, size in lengths.items()}
        self.imap = _held("dovecot_users", IMAP, held)
        self.smtp = _held("smtp_users", SMTP, held)
        self.routes = _held("smtp_destinations", DESTINATION, held)

    def faults(self, change: Change) -> Iterator[str]:
        account = change.after
        if account is None:
            return
        found: dict[str, str] = {}
        for row, limits in self._rows(account):
            for name, (column, limit) in limits.items():
                size = _size(getattr(row, name, None))
                if size > limit:
                    found.setdefault(column, _fault(change.want.label, name, column, size, limit))
        yield from found.values()

    def _rows(self, account: Account) -> Iterator[tuple[object, _Fields]]:
        yield account.imap, self.imap
        yield account.smtp, self.smtp
        if self.routes:
            yield from ((row, self.routes) for row in account.destinations)


_Fields = Mapping[str, tuple[str, int]]  # field -> its column and what that holds


def _held(table: str, fields: Mapping[str, str], held: _Fields) -> _Fields:
    named = {name: f"{table}.{column}" for name, column in fields.items()}
    return {
        name: held[column]
        for name, column in named.items()
        if column in held and held[column][1] < _LONGEST.get(name, ADDRESS_LENGTH)
    }


# What the fields can come to at most; every other is an address, a name or a word.
_LONGEST = {"password": 2**16, "home": 2**16, "instance": INSTANCE_LENGTH}
_LONGEST.update(owner=40, userid=ADDRESS_LENGTH + 1)  # dovecot_users.userid is twice as long
_LONGEST.update(dict.fromkeys(("uid", "gid", "status"), 20))


def _size(value: object) -> int:
    if isinstance(value, Secret):
        return stored_length(value)
    return len(value) if isinstance(value, str) else 0


def _fault(label: str, name: str, column: str, size: int, limit: int) -> str:
    if name == "password":
        return (
            f"{label}: password: a hash of {size} characters does not fit into {column}, which "
            f"holds {limit}: run groupware.mailserver.mail_schema, which widens it, or take "
            "another password_scheme."
        )
    return f"{label}: {name}: {size} characters do not fit into {column}, which holds {limit}."


def _one_account_twice(changes: Iterable[Change]) -> Iterator[str]:
    first: dict[tuple[str, object], Change] = {}
    for change in changes:
        if change.before is None:
            continue
        smtp = change.before.smtp
        key = (change.before.userid, smtp.owner if smtp else None)
        other = first.setdefault(key, change)
        if other is not change:
            yield f"{change.want.label}: is the same account as {other.want.label}."


def _claimed_names(current: Directory, changes: Sequence[Change]) -> list[str]:
    """Names that an account of a wish would share with another one.

    What they share already, as tine allows for aliases, must not keep anybody from being locked.
    """
    touched = {id(change.before) for change in changes if change.before}
    key = current.key
    claims: dict[str, tuple[Change, bool]] = {}
    faults: dict[tuple[int, str], str] = {}
    for change in changes:
        had = set()
        if change.before and all(change.before[:2]):  # a row that is to be made takes its names
            had = {key(name) for name in change.before.name_set()}
        has_it, gets_it = (change, False), (change, True)
        for name in change.after.name_set() if change.after else ():
            folded = key(name)
            new = folded not in had
            other, was_new = claims.setdefault(folded, gets_it if new else has_it)
            if other is not change and other.after and (new or was_new):
                faults[(id(change), folded)] = _shared(current, change, name, other.after)
    for account in current.accounts:
        if id(account) not in touched:
            for name in account.name_set():
                claim, new = claims.get(key(name), (None, False))
                if claim and new:
                    faults[(id(claim), key(name))] = _shared(current, claim, name, account)
    return list(faults.values())


def _shared(current: Directory, change: Change, name: str, other: Account) -> str:
    word, spelled = _word(current, change.after, name)
    its_word, _its = _word(current, other, name)
    return (
        f"{change.want.label}: {word} {shown(spelled)} already is the {its_word} of "
        f"{_named(other)}."
    )


def _word(current: Directory, account: Account | None, name: str) -> tuple[str, str]:
    """What the name is to this account, and how it is spelled there."""
    return next(
        (word, own)
        for word, own in (account.names() if account else ())
        if current.key(own) == current.key(name)
    )


def _named(account: Account) -> str:
    if account.smtp is None:
        return (
            "a row of dovecot_users without one in smtp_users (username "
            f"{shown(account.username)}, userid {shown(account.userid)}): say adopt: true to take "
            "it over, remove it, or give the account another username"
        )
    return f"account {account.address} (client_idnr {shown(account.smtp.owner)})"


def _loops(current: Directory, changes: Sequence[Change]) -> list[str]:
    """Circles through an account of a wish, each told once."""
    rerouted = [
        change
        for change in changes
        if change.after
        if not change.before or change.before.destinations != change.after.destinations
    ]
    if not any(_forwards(change.after) for change in rerouted if change.after):
        return []
    graph = _graph(current, changes)
    starts = {
        current.key(row.source): change.want
        for change in rerouted
        if change.after
        for row in change.after.destinations
    }
    return [
        f"{starts[circle[0]].label}: mail would run in a circle: {' -> '.join(circle)}."
        for circle in circles(graph, starts)
    ]


def _forwards(account: Account) -> bool:
    """Whether mail leaves the account: no circle goes through one that keeps it all."""
    own = {fold(account.username), fold(account.address)}
    return any(fold(row.target) not in own for row in account.destinations)


_Graph = dict[str, tuple[str, ...]]  # where the mail for a source goes, beside its own mailbox


def _graph(current: Directory, changes: Sequence[Change]) -> _Graph:
    touched = {id(change.before) for change in changes if change.before}
    gone = {c.before.smtp.hook for c in changes if c.before and c.before.smtp}
    graph: _Graph = {}
    for row in chain(
        (row for change in changes if change.after for row in change.after.destinations),
        (row for a in current.accounts if id(a) not in touched for row in a.destinations),
        (row for hook, row in current.beyond if hook not in gone),
    ):
        source, target = current.key(row.source), current.key(row.target)
        known = graph.setdefault(source, ())
        if target != source and target not in known:
            graph[source] = (*known, target)
    return graph


def next_source(graph: _Graph, name: str) -> str:
    """The source that Postfix finds for a recipient: itself, without extension, the catch-all."""
    local, _at, domain = name.rpartition("@")
    for found in (name, f"{local.partition(EXTENSION)[0]}@{domain}", f"@{domain}"):
        if found in graph:
            return found
    return ""


def circles(graph: _Graph, starts: Collection[str]) -> Iterator[list[str]]:
    """Depth first without recursion; a name that was left behind leads to no further circle."""
    done: set[str] = set()
    for start in sorted(starts):
        if start in done or not graph.get(start):
            continue
        path = [start]
        branches = [iter(sorted(graph[start]))]
        while path:
            target = next(branches[-1], None)
            if target is None:
                done.add(path.pop())
                branches.pop()
                continue
            found = next_source(graph, target)
            if found in path:
                circle = path[path.index(found) :]
                first = min((name for name in circle if name in starts), default="")
                if first:
                    turn = circle.index(first)
                    yield [*circle[turn:], *circle[:turn], first]
            elif found and found not in done:
                path.append(found)
                branches.append(iter(sorted(graph[found])))
