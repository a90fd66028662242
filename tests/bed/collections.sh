#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Fill .dev/collections: this checkout by a link, and the collections of requirements.yml.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

tree=$DEV/collections/ansible_collections
mkdir -p "$tree/groupware"
ln -sfn ../../../.. "$tree/groupware/mailserver"

stamp=$(fingerprint -- "$BED/requirements.yml" "$BED/collections_from_wheel.py")
[ "$(cat "$DEV/collections/stamp" 2>/dev/null)" != "$stamp" ] || exit 0
# Without a terminal's patience: a machine without Galaxy finds out within seconds.
if timeout 90 ansible-galaxy collection install --force --timeout 10 -r "$BED/requirements.yml" \
    -p "$DEV/collections" >"$DEV/galaxy.log" 2>&1; then
    say "Collections: from Galaxy"
else
    say "Collections: Galaxy is out of reach (.dev/galaxy.log), taking them from the ansible package"
    python "$BED/collections_from_wheel.py" "$BED/requirements.yml" "$tree"
fi
echo "$stamp" >"$DEV/collections/stamp"
