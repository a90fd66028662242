#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Make the virtual environment .dev/venv with exactly the versions of requirements.txt.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Debian's own Python where it is new enough for ansible-core 2.19, else the first one on the path that is.
# (PYTHON=/path/to/python3 make setup takes another.)
suitable() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}
for python in ${PYTHON:-/usr/bin/python3 python3 python3.13 python3.12 python3.11}; do
    if suitable "$python"; then
        found=$python
        break
    fi
done
[ -n "${found:-}" ] || die "There is no Python 3.11 or later with venv: install one and name it, PYTHON=... make setup"

stamp=$(fingerprint "$("$found" -c 'import sys; print(sys.version, sys.executable)')" -- "$BED/requirements.txt")
[ "$(cat "$DEV/venv/stamp" 2>/dev/null)" != "$stamp" ] || exit 0
say "Making .dev/venv with $("$found" --version)"
# pip's own cache is worth sharing between checkouts.
unset XDG_CACHE_HOME
"$found" -m venv --clear "$DEV/venv"
"$DEV/venv/bin/python" -m pip install --disable-pip-version-check -r "$BED/requirements.txt" \
    >"$DEV/python.log" 2>&1 || die "$(tail -n 5 "$DEV/python.log")"
echo "$stamp" >"$DEV/venv/stamp"
