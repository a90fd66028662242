#!/usr/bin/python
# Copyright (c) 2026, the groupware.mailserver developers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_config
short_description: Configuration files, checked as a whole before a service sees them
version_added: 0.1.0
author:
  - groupware.mailserver developers (@groupware)
description:
  - Lays out the whole set of files beside the standing ones, has it checked there by the
    service's own programs, and only then moves each file into place. A set that its program
    refuses or warns about never stands where a service reads it; the task fails with the
    program's words.
  - For Postfix, values that C(postfix check) lets pass although the daemons do not know them
    (restrictions, security levels, booleans, numbers, lookup table types, transports) are refused
    too, and every SQL map is asked once as the user C(postfix).
  - Remembers what the service has loaded. A run that is killed between the installation of the
    files and the reload is therefore finished by the next run, and so is a file in O(watch) that
    was changed by somebody else.
  - The module does not reload the service. It tells by RV(action) what is to be done, and a
    handler that did it moves the file C(SERVICE.next) in O(state_directory) to C(SERVICE.loaded).
attributes:
  check_mode:
    support: full
    description: Also in check mode the set is checked by the programs, where they are installed.
  diff_mode:
    support: full
    description: Files marked as secret appear in the diff by name only.
options:
  service:
    description: Whose configuration it is; this decides how it is checked.
    type: str
    choices: [dovecot, mariadb, postfix]
    required: true
  directory:
    description: Absolute path of the directory of the set. It must exist, except in check mode.
    type: path
    required: true
  files:
    description:
      - The files, in the order in which they are put in place. List what others read before its
        readers.
      - For Dovecot and MariaDB the last one is the main file.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Path relative to O(directory).
        type: str
        required: true
      content:
        description:
          - The content. Exactly one of O(files[].content) and O(files[].secret_content) is
            required.
        type: str
      secret_content:
        description: The content of a file that holds a secret; it is never shown.
        type: str
      owner:
        description: Name of the owner.
        type: str
        default: root
      group:
        description: Name of the group. Directories between O(directory) and the file get it too.
        type: str
        default: root
      mode:
        description: Permissions in octal, quoted.
        type: str
        default: "0644"
  watch:
    description:
      - Absolute paths of other files that the service reads when it starts, such as its
        certificate.
    type: list
    elements: path
    default: []
  state_directory:
    description: Root-only directory that remembers what each service has loaded.
    type: path
    default: /var/lib/groupware-mailserver
  backup_directory:
    description:
      - Where the files that stood in O(directory) are kept when the set is put there for the
        first time.
    type: path
    default: /var/backups/groupware-mailserver
"""

EXAMPLES = r"""
- name: The configuration that Postfix accepts is in place
  groupware.mailserver.service_config:
    service: postfix
    directory: /etc/postfix
    files:
      - path: sql/sql-virtual_mailbox_maps.cf
        secret_content: "{{ lookup('ansible.builtin.template', 'sql-virtual_mailbox_maps.cf.j2') }}"
        group: postfix
        mode: "0640"
      - path: master.cf
        content: "{{ lookup('ansible.builtin.template', 'master.cf.j2') }}"
      - path: main.cf
        content: "{{ lookup('ansible.builtin.template', 'main.cf.j2') }}"
    watch:
      - /etc/ssl/certs/ssl-mail.pem
  register: postfix_config
  notify: Reload Postfix
"""

RETURN = r"""
action:
  description:
    - What brings the configuration into effect.
    - V(none) where the service has loaded it already.
  type: str
  returned: success
  choices: [none, reload, restart]
  sample: reload
files:
  description: Absolute paths of the files that were changed.
  type: list
  elements: str
  returned: success
  sample: [/etc/postfix/main.cf]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groupware.mailserver.plugins.module_utils._config.converge import converge
from ansible_collections.groupware.mailserver.plugins.module_utils._config.files import (
    ConfigFile,
    octal,
)
from ansible_collections.groupware.mailserver.plugins.module_utils._edge import reporting

FILE = {
    "path": {"type": "str", "required": True},
    "content": {"type": "str"},
    "secret_content": {"type": "str", "no_log": True},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "mode": {"type": "str", "default": "0644"},
}

SPEC = {
    "service": {"type": "str", "choices": ["dovecot", "mariadb", "postfix"], "required": True},
    "directory": {"type": "path", "required": True},
    "files": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": FILE,
        "mutually_exclusive": [("content", "secret_content")],
        "required_one_of": [("content", "secret_content")],
    },
    "watch": {"type": "list", "elements": "path", "default": []},
    "state_directory": {"type": "path", "default": "/var/lib/groupware-mailserver"},
    "backup_directory": {"type": "path", "default": "/var/backups/groupware-mailserver"},
}


def config_file(params: dict) -> ConfigFile:
    secret = params["secret_content"] is not None
    return ConfigFile(
        path=params["path"],
        content=params["secret_content"] if secret else params["content"],
        owner=params["owner"],
        group=params["group"],
        mode=octal(params["mode"]),
        secret=secret,
    )


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    with reporting(module):
        params = dict(module.params)
        params["files"] = [config_file(file) for file in params["files"]]
        module.exit_json(**converge(**params, check_mode=module.check_mode))


if __name__ == "__main__":
    main()
