# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages that ann submits: those that are hers, and every way of claiming to be somebody else.

Hers are ann@example.org and sales@example.org; the alias newsletter@example.org only receives.
"""

from __future__ import annotations

import base64

ANN, BOSS = "ann@example.org", "bob@example.org"
OWNED = {ANN, "sales@example.org"}


def word(text, charset="utf-8", encoding="b"):
    """An encoded word (RFC 2047)."""
    raw = text.encode(charset)
    if encoding == "b":
        return f"=?{charset}?b?{base64.b64encode(raw).decode()}?="
    return f"=?{charset}?q?{''.join(f'={byte:02X}' for byte in raw)}?="


def _from(value):
    return f"From: {value}".encode()


OWN = {
    "the address": _from(ANN),
    "in angle brackets": _from(f"<{ANN}>"),
    "blanks in the brackets": _from(f"Ann < {ANN} >"),
    "with a name": _from(f"Ann Lee <{ANN}>"),
    "a name with dots": _from(f"Ann Q. Lee <{ANN}>"),
    "a name in quotes, with a comma": _from(f'"Lee, Ann" <{ANN}>'),
    "a name with an escaped quote": _from(rf'"Ann \"A\" Lee" <{ANN}>'),
    "upper case": _from(f"Ann <{ANN.upper()}>"),
    "an alias": _from("Sales <sales@example.org>"),
    "with an extension": _from("Ann <ann+list@example.org>"),
    "a name in UTF-8": _from(f"Änne Müller <{ANN}>"),
    "a name in an encoded word": _from(f"{word('Änne')} <{ANN}>"),
    "a name in encoded words of both kinds": _from(
        f"{word('Än')} {word('ne', 'iso-8859-1', 'q')} <{ANN}>"
    ),
    "a charset that nobody knows": _from(f"=?x-nobody-knows?q?Ann?= <{ANN}>"),
    "a comment after it": _from(f"{ANN} (Ann Lee)"),
    "a comment before it": _from(f"(Ann) {ANN}"),
    "nested comments": _from(f"Ann (Sales (Europe)) <{ANN}>"),
    "folded": _from(f"Ann\r\n Lee\r\n\t<{ANN}>"),
    "several own addresses, with a Sender": _from(
        f"{ANN}, Sales <sales@example.org>\r\nSender: {ANN}"
    ),
    "several own addresses, without a Sender": _from(f"{ANN}, sales@example.org"),
    "an own Sender": _from(f"{ANN}\r\nSender: Sales <sales@example.org>"),
    "the own address as name": _from(f'"{ANN}" <{ANN}>'),
    "the own address as name, without quotes": _from(f"{ANN} <{ANN}>"),
    "the own address as name, in apostrophes": _from(f"\"'{ANN}'\" <{ANN}>"),
    "another own address as name": _from(f'"sales@example.org" <{ANN}>'),
    "the own address as encoded name": _from(f"{word(ANN)} <{ANN}>"),
    "a name with a lonely @": _from(f"Ann \r\n =?utf-8?q?=40?= Work <{ANN}>"),
    "a name such as Team @ Work": _from(f'"Team @ Work" <{ANN}>'),
    "an own Resent-From": _from(f"{ANN}\r\nResent-From: {ANN}"),
    "the name of the header in upper case": f"FROM: {ANN}".encode(),
    # Not as the first line: smtpd(8) takes that for the "From " of a mailbox file.
    "a blank before the colon": f"X-Other: 1\r\nFrom : {ANN}".encode(),
}

ATTACKS = {
    # somebody else
    "somebody else of the host": _from(BOSS),
    "somebody else with the own name": _from(f"Ann <{BOSS}>"),
    "somebody outside": _from("president@outside.test"),
    "nobody": _from("nobody@example.org"),
    "an alias that only receives": _from("newsletter@example.org"),
    "a subdomain": _from("ann@sub.example.org"),
    "another domain": _from("ann@second.example"),
    "an extension of somebody else": _from("bob+ann@example.org"),
    "an extension that is an address": _from("+ann@example.org"),
    "own and foreign": _from(f"{ANN}, {BOSS}"),
    "foreign and own": _from(f"{BOSS}, {ANN}"),
    "2000 addresses": _from(", ".join([ANN] * 300 + [BOSS] * 1700)),
    "a letter that the columns take for another": _from("ann@éxample.org"),
    "a quote of SQL": _from("x'or'1'='1@example.org"),
    "a wildcard of SQL": _from("%@example.org"),
    # several headers, or none
    "a second From": _from(f"{ANN}\r\nFrom: {BOSS}"),
    "a second From before": _from(f"{BOSS}\r\nFrom: {ANN}"),
    "a second From in upper case": _from(f"{ANN}\r\nFROM: {BOSS}"),
    "a second From with a blank": _from(f"{ANN}\r\nFrom : {BOSS}"),
    "a second From with a tab": _from(f"{ANN}\r\nFrom\t: {BOSS}"),
    "a second From after others": _from(f"{ANN}\r\nX-Other: 1\r\nfrom: {BOSS}"),
    "the same From twice": _from(f"{ANN}\r\nFrom: {ANN}"),
    "no From": b"X-Other: 1",
    "an empty From": b"From:",
    "a From of blanks": b"From:   \r\n  ",
    "no header at all": b"\r\nFrom: ann@example.org",
    "a From below a line that is none": b"garbage\r\nFrom: ann@example.org",
    "a bare line feed": _from(f"{ANN}\nFrom: {BOSS}"),
    # the grammar
    "no address": _from("Ann"),
    "empty brackets": _from("<>"),
    "empty brackets with a name": _from(f'"{ANN}" <>'),
    "a group": _from(f"Team: {ANN};"),
    "a group with somebody else": _from(f"Team: {BOSS}; <{ANN}>"),
    "an empty group": _from("undisclosed-recipients:;"),
    "a name that is an address": _from(f"{BOSS} <{ANN}>"),
    "two pairs of brackets": _from(f"<{BOSS}> <{ANN}>"),
    "the other pair of brackets": _from(f"<{ANN}> <{BOSS}>"),
    "brackets in brackets": _from(f"<{BOSS}<{ANN}>>"),
    "an address after the brackets": _from(f"<{ANN}> {BOSS}"),
    "a bracket that does not end": _from(f"Ann <{ANN}"),
    "a quote that does not end": _from(f'"Ann <{BOSS}>, {ANN}'),
    "a comment that does not end": _from(f"{ANN} (Ann <{BOSS}>"),
    "an empty element": _from(f"{ANN},, {BOSS}"),
    "a semicolon": _from(f"{ANN}; {BOSS}"),
    "a route": _from(f"<@outside.test:{ANN}>"),
    "a route over somebody": _from(f"<@example.org,@outside.test:{BOSS}>"),
    "a quoted local part": _from('"ann"@example.org'),
    "a quoted foreign local part": _from(f'"{BOSS}"@example.org'),
    "a domain literal": _from("ann@[127.0.0.1]"),
    "two @": _from("ann@example.org@outside.test"),
    "blanks around the @": _from("bob @ example.org"),
    "a comment in the address": _from("ann@(x)example.org"),
    "a backslash": _from(r"bob\@example.org <ann@example.org>"),
    "an encoded address": _from(word(BOSS)),
    "an encoded address in brackets": _from(f"<{word(BOSS)}>"),
    "a local part in an encoded word": _from("=?utf-8?q?bob?=@example.org"),
    # what a reader sees
    "an address as name": _from(f'"{BOSS}" <{ANN}>'),
    "an address with a name as name": _from(f'"Bob <{BOSS}>" <{ANN}>'),
    "an address in a name": _from(f'"Bob, {BOSS}, on holiday" <{ANN}>'),
    "an address as name, B": _from(f"{word(BOSS)} <{ANN}>"),
    "an address as name, Q": _from(f"{word(BOSS, encoding='q')} <{ANN}>"),
    "an address as name, in quotes": _from(f'"{word(BOSS)}" <{ANN}>'),
    "an address over two words, B": _from(f"{word(BOSS[:6])} {word(BOSS[6:])} <{ANN}>"),
    "an address over two words, Q": _from(
        f"{word('bob@', encoding='q')}\r\n {word('example.org')} <{ANN}>"
    ),
    "an address over a word and text": _from(f"{word('bob@')} example.org <{ANN}>"),
    "an address in UTF-16": _from(f"{word(BOSS, 'utf-16-be')} <{ANN}>"),
    "an address in UTF-7": _from(f"=?utf-7?q?bob+AEA-example.org?= <{ANN}>"),
    "an address in halves of UTF-16": _from(
        f"=?utf-16-be?q?=00b=00o=00b=00?= =?utf-16-be?q?@=00e=00.=00o=00r?= <{ANN}>"
    ),
    "an address in a word with blanks": _from(f'"=?utf-8?q?bob=40example.org is here?=" <{ANN}>'),
    "an address in a word with a language": _from(f"=?utf-8*en?q?bob=40example.org?= <{ANN}>"),
    "an address in a charset that nobody knows": _from(
        f"=?x-nobody-knows?q?bob=40example.org?= <{ANN}>"
    ),
    "an address in a comment": _from(f"({BOSS}) {ANN}"),
    "an address in a comment after it": _from(f"{ANN} (on behalf of {BOSS})"),
    "an address in an encoded comment": _from(f"{ANN} ({word(BOSS)})"),
    "a fullwidth @": _from(f'"bob＠example.org" <{ANN}>'),
    "a fullwidth @ and dot": _from(f'"bob＠example．org" <{ANN}>'),
    "an ideographic dot": _from(f'"bob@example。org" <{ANN}>'),
    "a small @": _from(f"{word('bob﹫example.org')} <{ANN}>"),
    "a zero-width space": _from(f"{word('bob@' + chr(0x200B) + 'example.org')} <{ANN}>"),
    "a hair space": _from(f"{word('bob@example' + chr(0x200A) + '.org')} <{ANN}>"),
    "a zero-width space in the own address": _from(f'"bob{chr(0x200B)}@example.org" <{ANN}>'),
    "blanks around the @ of a name": _from(f'"bob @ example.org" <{ANN}>'),
    # bytes
    "a NUL": b"From: ann@example.org\0 <bob@example.org>",
    "a NUL before it": b"From: \0bob@example.org",
    "a bare carriage return": b"From: ann@example.org\r <bob@example.org>",
    "an escape": b"From: \x1b[2K <ann@example.org>",
    "latin1": "From: Änne <ann@example.org>".encode("latin-1"),
    "broken UTF-8": b"From: \xc3\x28 <ann@example.org>",
    "overlong UTF-8": b"From: bob\xc1\x80example.org <ann@example.org>",
    "a name of 70 kB": _from(f'"{"x" * 70000}" <{ANN}>'),
    # other headers
    "a foreign Sender": _from(f"{ANN}\r\nSender: {BOSS}"),
    "a foreign Sender outside": _from(f"{ANN}\r\nSender: list@outside.test"),
    "two Sender": _from(f"{ANN}\r\nSender: {ANN}\r\nSender: {ANN}"),
    "an own Sender, a foreign From": _from(f"{BOSS}\r\nSender: {ANN}"),
    "an empty Sender": _from(f"{ANN}\r\nSender:"),
    "resent, with a foreign From": _from(f"{BOSS}\r\nResent-From: {ANN}"),
    "a foreign Resent-From": _from(f"{ANN}\r\nResent-From: {BOSS}"),
    "a foreign Resent-Sender": _from(f"{ANN}\r\nResent-From: {ANN}\r\nResent-Sender: {BOSS}"),
}


def message(headers, token="a-message"):
    """A whole message with these headers first."""
    return (
        headers
        + f"\r\nTo: {ANN}\r\nMessage-ID: <{token}@example.org>\r\nSubject: A letter\r\n".encode()
        + b"Date: Thu, 01 Jan 2026 12:00:00 +0000\r\n\r\nHello.\r\n"
    )
