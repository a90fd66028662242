#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Check the types: all that mypy.ini makes strict, which is the pure core, and what the test bed itself runs.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$DEV/collections"

utils=ansible_collections/groupware/mailserver/plugins/module_utils
MYPYPATH=. mypy --config-file "$TOP/mypy.ini" "$utils"
mypy --config-file "$TOP/mypy.ini" "$BED" "$TOP/molecule/mailhost/files"
