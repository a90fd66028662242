#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Run the molecule scenarios on new hosts, as root. The hosts stay, to be looked at (make containers-clean).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$TOP"

# Begin with nothing: what molecule remembers of an earlier run may be older than the hosts.
rm -rf "$ANSIBLE_HOME"/tmp/molecule.*
ansible-playbook -i molecule/inventory molecule/default/destroy.yml
molecule test --all --destroy=never
