#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Run ansible-test. It insists on a path .../ansible_collections/NAMESPACE/NAME and sees through links, so it
# gets a copy of the tracked and the new files.
# usage: ansible-test.sh sanity|units [OPTION...]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Its caches and virtual environments belong into .dev, too; pip keeps the user's configuration.
mkdir -p "$STATE/home/.config"
if [ -d "$HOME/.config/pip" ]; then
    ln -sfn "$HOME/.config/pip" "$STATE/home/.config/pip"
fi
export HOME="$STATE/home"
unset XDG_CACHE_HOME ANSIBLE_HOME
python "$BED/prepare_ansible_test.py"

copy=$STATE/ansible-test/ansible_collections/groupware/mailserver
mkdir -p "$copy/tests"
# All but what ansible-test itself has left there, which it would have to make anew.
find "$copy" -mindepth 1 -maxdepth 1 ! -name tests -exec rm -rf {} +
find "$copy/tests" -mindepth 1 -maxdepth 1 ! -name output -exec rm -rf {} +
cd "$TOP"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    # A file that is deleted but not yet committed is still listed.
    if [ -e "$file" ]; then printf '%s\0' "$file"; fi
done | xargs -0 cp --parents -p -t "$copy"

cd "$copy"
# Its own repository, or ansible-test would walk up to the checkout's.
git init -q .
exec ansible-test "$@" --venv --python "$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
