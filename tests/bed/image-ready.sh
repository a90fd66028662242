#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Build the image of a Debian release that has the roles' packages installed, and nothing set: for tests in which
# the installation is not the point.
# usage: image-ready.sh bookworm|trixie
set -euo pipefail
. "$(dirname "$0")/lib.sh"
suite=$(release "$1")
image=$READY_IMAGE:$suite
base=$BASE_IMAGE:$suite

mapfile -t packages < <(python "$BED/roles_packages.py")
stamp=$(fingerprint "${packages[@]}" "$(podman image inspect --format '{{.Id}}' "$base")" -- "$0")
if [ "$(podman image inspect --format '{{.Config.Labels.stamp}}' "$image" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi

say "Building $image (log: .dev/image-ready-$suite.log)"
builder=groupware-mailserver-build-$suite
trap '"$BED/container.sh" remove "$builder" >/dev/null' EXIT
"$BED/container.sh" remove "$builder" >/dev/null
"$BED/container.sh" start "$builder" "$base" mailhost.example.test >/dev/null
podman exec -i "$builder" bash -euo pipefail -s -- "${packages[@]}" >"$DEV/image-ready-$suite.log" 2>&1 <<'X'
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y "$@" </dev/null
apt-get clean
: >/etc/machine-id
X
# Stopped, so that the database is whole.
podman stop -t 60 "$builder" >/dev/null
podman commit -q --change "LABEL stamp=$stamp" "$builder" "$image" >>"$DEV/image-ready-$suite.log" 2>&1
