#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Run the molecule scenarios on new hosts. The hosts of a failed run stay, to be looked at.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$TOP"

# Whatever molecule believes from an earlier run: begin with nothing.
"$BED/run.sh" --root molecule reset --all
"$BED/run.sh" --root molecule destroy
"$BED/run.sh" --root molecule test --all --destroy=never
