#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Look at every file that is or could be committed. All linters have their say before it fails.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$TOP"

shell_scripts() {
    git ls-files -z --cached --others --exclude-standard | xargs -0 grep -lIE -m1 '^#!/(usr/)?bin/(env )?(ba)?sh' |
        grep -v '\.j2$'
}

failed=()
check() {
    say "== $*"
    "$@" || failed+=("$1 ${2:-}")
}
mapfile -t scripts < <(shell_scripts)
check ruff check
check ruff format --check
check shellcheck "${scripts[@]}"
check yamllint --strict .
check reuse lint --lines
check ansible-lint --strict
[ ${#failed[@]} = 0 ] || die "Not content: $(printf '%s; ' "${failed[@]}")"
