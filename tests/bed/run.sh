#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Run a command in the test bed's environment.
# usage: run.sh [--root] COMMAND [ARGUMENT...]
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$TOP"
if [ "$1" = --root ]; then
    shift
    as_root "$@"
else
    exec "$@"
fi
