#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Remove what the test bed has made, but the machine's packages.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

if type -P podman >/dev/null; then
    mapfile -t containers < <(podman ps -aq --filter "label=$LABEL")
    [ ${#containers[@]} = 0 ] || podman rm -f -t 0 -v "${containers[@]}" >/dev/null
    for image in {"$READY_IMAGE","$BASE_IMAGE"}:{bookworm,trixie}; do
        if podman image exists "$image"; then podman rmi "$image" >/dev/null; fi
    done
    if podman network exists "$NETWORK"; then podman network rm "$NETWORK" >/dev/null; fi
fi
as_root rm -rf "$DEV"
