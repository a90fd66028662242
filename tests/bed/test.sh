#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Run all that CI runs, one part after the other, to the end even if one fails; then say how each went.
# usage: test.sh [PART...]   a part is a target of the Makefile
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$TOP"

# From the quickest answer to the slowest: the containers come last. The hosts that molecule has made of bare ones
# are those of the system tests.
parts=(setup lint types docs sanity unit integration molecule system)
[ $# = 0 ] || parts=("$@")

logs=$DEV/test
rm -rf "$logs"
mkdir -p "$logs"
verdict=0
report=()
for part in "${parts[@]}"; do
    printf '\n===== %s\n' "$part"
    begin=$SECONDS
    if make --no-print-directory "$part" 2>&1 | tee "$logs/$part.log"; then
        how=ok
    else
        how=FAILED
        verdict=1
    fi
    # pytest's closing lines, where the part has any
    counts=$(sed -nE 's/^=+ (.*[0-9]+ (passed|failed|error).*) in .*s.* =+$/\1/p' "$logs/$part.log" | paste -sd ';')
    report+=("$(printf '%-12s %-7s %5d s   %s' "$part" "$how" $((SECONDS - begin)) "$counts")")
done

printf '\n===== result\n'
printf '%s\n' "${report[@]}"
printf '%-12s %-7s %5d s\n' altogether "$([ $verdict = 0 ] && echo ok || echo FAILED)" "$SECONDS"
exit $verdict
