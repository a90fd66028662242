# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the modules reach MariaDB."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  login_unix_socket:
    description: Socket of the MariaDB server. Used unless O(login_host) is given.
    type: path
    default: /run/mysqld/mysqld.sock
  login_host:
    description:
      - Hosts of the MariaDB server, tried in this order.
      - On a cluster name the node that takes all writes first.
    type: list
    elements: str
    default: []
  login_port:
    description: Port of the MariaDB server. Used only together with O(login_host).
    type: int
    default: 3306
  login_user:
    description:
      - SQL account to log in with.
      - Over the socket the default needs no password if the module runs as root.
    type: str
    default: root
  login_password:
    description: Password of O(login_user).
    type: str
  dovecot_database:
    description: Database with the tables that Dovecot reads.
    type: str
    default: dovecot
  postfix_database:
    description: Database with the tables that Postfix reads. May be the same as
      O(dovecot_database).
    type: str
    default: postfix
requirements:
  - PyMySQL 1.0.2 or later (Debian package python3-pymysql) on the managed host
notes:
  - Both databases have to lie on one MariaDB server. MySQL is not supported.
  - C(~/.my.cnf) is not read.
  - In check mode on a host that has no MariaDB server yet, everything is reported as to be created.
"""
