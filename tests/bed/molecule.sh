#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Run the molecule scenarios on new hosts, as root. The hosts stay, to be looked at (make containers-clean).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$TOP"

# Begin with nothing: what molecule remembers of an earlier run may be older than the hosts.
rm -rf "$ANSIBLE_HOME"/tmp/molecule.* "$DEV/changes"
mkdir -p "$DEV/changes"
ansible-playbook -i molecule/inventory molecule/default/destroy.yml
molecule test --all --exclude=split --destroy=never

# The tests of one host need it for themselves, and mostly wait for mail: a process for each host.
declare -A jobs
trap 'kill "${jobs[@]}" 2>/dev/null || true' EXIT
for host in mailhost-debian12 mailhost-debian13; do
    pytest --hosts="podman://$host" molecule/mailhost/tests >"$DEV/changes/$host.log" 2>&1 &
    jobs[$host]=$!
done
verdict=0
for host in "${!jobs[@]}"; do
    wait "${jobs[$host]}" || verdict=1
    cat "$DEV/changes/$host.log"
done
exit $verdict
