#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Write .dev/containers.conf where podman's defaults do not fit this machine, and make the containers' network.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

config=()

# Podman's defaults are made for one cgroup2 tree, which is Debian's own layout. On cgroup v1, alone or beside v2,
# crun refuses to run; and there is often no systemd to manage cgroups or to keep events.
if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
    config+=('[engine]' 'runtime = "runc"' 'cgroup_manager = "cgroupfs"' 'events_logger = "file"')
fi

# Podman gives containers a million open files, and crun raises limits of its own: a confined root, as on many CI
# machines, may do neither. A test host does with few.
if ! as_root bash -c 'ulimit -Hn 1048576' 2>/dev/null; then
    [ ${#config[@]} -gt 0 ] || config+=('[engine]' 'runtime = "runc"')
    config+=('[containers]' 'default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]')
fi

if [ ${#config[@]} -gt 0 ]; then
    printf '%s\n' "${config[@]}" >"$DEV/containers.conf"
    export CONTAINERS_CONF="$DEV/containers.conf"
else
    rm -f "$DEV/containers.conf"
    unset CONTAINERS_CONF
fi

# Both address families, so that tests can come from outside over either; names of containers resolve in it.
podman network exists "$NETWORK" || podman network create --ipv6 "$NETWORK" >/dev/null
