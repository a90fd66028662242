#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Write .dev/containers.conf where podman's defaults do not fit this machine, and make the containers' network.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Debian's own layout: one cgroup2 tree. Podman's defaults are made for it.
if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
    rm -f "$DEV/containers.conf"
    unset CONTAINERS_CONF
else
    # cgroup v1, alone or beside v2: crun refuses the mixed layout, and there is often no systemd to manage the
    # cgroups or keep the events. The limits are below those that a confined root may not raise.
    cat >"$DEV/containers.conf" <<'X'
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
X
    export CONTAINERS_CONF="$DEV/containers.conf"
fi

# Both address families, so that tests can come from outside over either; names of containers resolve in it.
podman network exists "$NETWORK" || podman network create --ipv6 "$NETWORK" >/dev/null
