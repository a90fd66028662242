#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Start and remove the containers that play hosts.
# usage: container.sh start NAME IMAGE HOSTNAME[,ALIAS...] [PODMAN OPTION...]
#                                       prints "started" if it was not there yet; the aliases are names in DNS
#        container.sh remove NAME...    removes only what this script has made
#        container.sh address NAME      its addresses, IPv4 first
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# A private cgroup namespace and the right to mount are what cg2init needs; hostname can only be set at creation.
# Podman's own --systemd=always would take the machine's cgroup layout and must not be mixed with the namespace.
start() {
    local name=$1 image=$2 names=$3
    shift 3
    if podman container exists "$name"; then
        podman start "$name" >/dev/null
    else
        podman run -d --name "$name" --hostname "${names%%,*}" --network "$NETWORK:alias=${names//,/,alias=}" \
            --label "$LABEL" --systemd=false --cgroupns=private --cap-add SYS_ADMIN --security-opt apparmor=unconfined \
            --stop-signal 37 --tmpfs /run --tmpfs /run/lock --tmpfs /tmp "$@" "$image" >/dev/null
        echo started
    fi
    booted "$name"
}

# Degraded will do: a container cannot have all that a machine has.
booted() {
    local state
    for _ in $(seq 60); do
        state=$(podman exec "$1" systemctl is-system-running 2>&1) || true
        case $state in running | degraded) return ;; esac
        sleep 0.5
    done
    die "systemd in the container $1 has not come up within 30 seconds: $state"
}

remove() {
    local name
    for name in "$@"; do
        if [ -n "$(podman ps -aq --filter "label=$LABEL" --filter "name=^$name\$")" ]; then
            podman rm -f -t 0 -v "$name"
        fi
    done
}

address() {
    podman inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}' "$1"
}

"$@"
