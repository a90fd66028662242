# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What new mail accounts get, and what else the account modules share."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  client_idnr:
    description:
      - Owner of the rows, as C(smtp_users.client_idnr) holds it. The default is the constant of
        this collection, which no tine installation uses.
      - Accounts of another owner are refused unless they say C(adopt).
    type: str
    default: 8fe8f1da99045c15d5b1aa9978d57fd67e8214c9
  home_template:
    description:
      - Home of the mail of new accounts. C(%d) is the domain, C(%n) what stands before the C(@) and
        C(%u) the whole of the username; they are replaced once, when the account is made.
      - The home of an account that exists is kept.
    type: str
    default: /var/vmail/%d/%n
  instance:
    description:
      - tine's C(instanceName). New accounts that do not say a username get C(userid@instance), and
        the column C(instancename) holds it.
    type: str
  imap_domain:
    description:
      - tine's C(imap.domain), which the column C(dovecot_users.domain) holds. The default is the
        domain of the username.
      - Give what tine is set to, or tine does not find the rows again.
    type: str
  account_name_destination:
    description:
      - tine's C(accountnamedestination). Whether a username that is not the address is a
        destination of its own.
    type: bool
    default: true
  destination_is_username:
    description:
      - tine's C(destinationisusername). Whether aliases lead to the username instead of the
        address.
    type: bool
    default: false
  upgrade_scheme:
    description:
      - Whether a stored password is hashed anew if it verifies but its scheme is weaker than the
        one that is asked for, or was made with less work. Needs the password in clear.
    type: bool
    default: false
  known_domains:
    description:
      - In check mode, domains that count as hosted although the database does not list them yet.
      - Ignored outside of check mode, where M(groupware.mailserver.mail_domain) has to have run
        before.
    type: list
    elements: str
    default: []
  show_queries:
    description: Whether to return RV(queries).
    type: bool
    default: false
requirements:
  - argon2-cffi (Debian package python3-argon2) on the managed host for C(ARGON2ID)
  - >-
    Where the host has no libcrypt that can be called: Passlib 1.7.4 (python3-passlib) for a
    password in clear that has to be made into a hash of, or verified against, one of the crypt
    schemes, and bcrypt (python3-bcrypt) for C(BLF-CRYPT)
notes:
  - An account is a row in C(dovecot_users), one in C(smtp_users) and its rows in
    C(smtp_destinations), as tine Groupware writes them. All changes of a run are one transaction.
  - What is not said of an account that exists is kept.
  - Removing an account keeps its mail on disk. A new account whose home already holds mail is
    refused unless it says C(reuse_mail), as far as the home lies on the managed host.
"""
