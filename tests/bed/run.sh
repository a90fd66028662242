#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Run a command in the test bed's environment.
# usage: run.sh [--root] COMMAND [ARGUMENT...]
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$TOP"
if [ "$1" != --root ]; then
    exec "$@"
elif [ "$(id -u)" = 0 ]; then
    shift
    exec "$@"
else
    shift
    # Through this script once more: part of the environment depends on who one is.
    as_root "$BED/run.sh" "$@"
fi
