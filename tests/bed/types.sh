#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Check the types: strictly in the pure core, as far as they are stated elsewhere.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$DEV/collections"

utils=ansible_collections/groupware/mailserver/plugins/module_utils
export MYPYPATH=.
mypy --config-file "$TOP/mypy.ini" --strict "$utils/_accounts" "$utils/_config" "$utils/_doctor" "$utils/_migration"
mypy --config-file "$TOP/mypy.ini" "$utils" ansible_collections/groupware/mailserver/plugins/modules
mypy --config-file "$TOP/mypy.ini" "$BED"
