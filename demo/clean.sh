#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Remove the containers of the demo.
set -euo pipefail
. "$(dirname "$0")/../tests/bed/lib.sh"
"$BED/container.sh" remove groupware-mailserver-demo-bookworm groupware-mailserver-demo-trixie
