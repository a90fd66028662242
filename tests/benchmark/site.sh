#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# How long the site playbook takes on a bare host, as a ratio to apt-get install of the same packages in the same
# kind of container, and how long it takes when there is nothing to do, as a ratio to the first run.
# usage: site.sh [ROUNDS]
set -euo pipefail
. "$(dirname "$0")/../bed/lib.sh"
rounds=${1:-3}
export ANSIBLE_PIPELINING=1
name=groupware-mailserver-bench
trap '"$BED/container.sh" remove "$name" >/dev/null' EXIT
mapfile -t packages < <(python "$BED/roles_packages.py")

# A fresh host with fresh package lists: both ways then only install.
fresh() {
    "$BED/container.sh" remove "$name" >/dev/null
    "$BED/container.sh" start "$name" "$BASE_IMAGE:$1" mail.example.org >/dev/null
    podman exec "$name" apt-get update -qq
}

seconds() {
    local began=$EPOCHREALTIME
    "$@" >"$DEV/bench-site.log" 2>&1 || die "$(tail -n 20 "$DEV/bench-site.log")"
    python -c "print(f'{$EPOCHREALTIME - $began:.2f}')"
}

install_packages() {
    podman exec -e DEBIAN_FRONTEND=noninteractive "$name" apt-get install -y --no-install-recommends "${packages[@]}"
}

site() {
    DEMO_CONTAINER=$name ansible-playbook -i "$TOP/examples/inventory.yml" -i "$TOP/demo/hosts.yml" \
        groupware.mailserver.site
}

median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }

figure() {
    python -c "
value, goal = $2 / $3, $4
print(f'bench $1 {value:.2f} goal {goal} {\"ok\" if value <= goal else \"short\"}')"
}

for suite in bookworm trixie; do
    apt=() first=() second=()
    for _ in $(seq "$rounds"); do
        fresh "$suite"
        apt+=("$(seconds install_packages)")
        fresh "$suite"
        first+=("$(seconds site)")
        second+=("$(seconds site)")
    done
    a=$(median "${apt[@]}") f=$(median "${first[@]}") s=$(median "${second[@]}")
    tasks=$(grep -c '^TASK' "$DEV/bench-site.log")
    echo "$suite: medians of $rounds: apt-get install $a s, first run $f s, second run $s s; $tasks tasks"
    figure "site-first-$suite" "$f" "$a" 2.5
    figure "site-second-$suite" "$s" "$f" 0.35
done
