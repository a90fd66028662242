#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Resolve requirements.in in a new environment and write down what came out.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$DEV/venv/bin/python" -m venv "$work"
"$work/bin/pip" install -q --disable-pip-version-check -r "$BED/requirements.in"
{
    head -n 2 "$BED/requirements.in"
    echo "# Made by \`make requirements\` from requirements.in: every version that the test bed uses."
    "$work/bin/pip" freeze
} >"$work/requirements.txt"
mv "$work/requirements.txt" "$BED/requirements.txt"
