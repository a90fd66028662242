#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Make everything that the tests and the demo need. Each step looks first and does only what is missing.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$BED/packages.sh"
"$BED/podman.sh"

# The images and the virtual environment need different things of the machine: build them side by side.
jobs=()
for suite in "${RELEASES[@]}"; do
    "$BED/image.sh" "$suite" &
    jobs+=($!)
done
"$BED/python.sh"
"$BED/collections.sh"
for job in "${jobs[@]}"; do
    wait "$job"
done
