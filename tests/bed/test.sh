#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Run all that CI runs, one part after the other, to the end even if one fails; then say how each went.
# usage: test.sh [PART...]   a part is a target of the Makefile, or two in one word that run at the same time
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$TOP"

# From the quickest answer to the slowest: the containers come last. The hosts that molecule has made of bare ones
# are those of the system tests. While they wait for mail there is time for ansible-test, or for a migration; the unit
# tests need one core.
parts=(setup "unit lint" types docs integration "molecule sanity" "system migration")
[ $# = 0 ] || parts=("$@")

logs=$DEV/test
rm -rf "$logs"
mkdir -p "$logs"

# Runs a part, keeps what it says, and writes its line of the report.
run() {
    local begin=$SECONDS how=FAILED counts
    printf '\n===== %s\n' "$1"
    if make --no-print-directory "$1" 2>&1 | tee "$logs/$1.log"; then
        how=ok
    fi
    # pytest's closing lines, where the part has any
    counts=$(sed -nE 's/^=+ (.*[0-9]+ (passed|failed|error).*) in .*s.* =+$/\1/p' "$logs/$1.log" | paste -sd ';')
    printf '%-12s %-7s %5d s   %s\n' "$1" "$how" $((SECONDS - begin)) "$counts" >"$logs/$1.result"
}

results=()
for part in "${parts[@]}"; do
    read -r main beside <<<"$part"
    results+=("$logs/$main.result" ${beside:+"$logs/$beside.result"})
    [ -z "$beside" ] || run "$beside" >"$logs/$beside.out" &
    run "$main"
    wait
    [ -z "$beside" ] || cat "$logs/$beside.out"
done

verdict=ok
! grep -q FAILED "${results[@]}" || verdict=FAILED
printf '\n===== result\n'
cat "${results[@]}"
# which tests, at the end: of a long run often only that is kept
for result in $(grep -l FAILED "${results[@]}" || true); do
    grep -hE '^(FAILED|ERROR) |^E  ' "${result%.result}.log" | cut -c 1-300 | tail -n 40 || true
done
printf '%-12s %-7s %5d s\n' altogether "$verdict" "$SECONDS"
[ "$verdict" = ok ]
