#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Check the documentation of modules and roles and the changelog, and build what Galaxy would get.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$TOP"

antsibull-docs lint-collection-docs --plugin-docs .
antsibull-changelog lint
ansible-galaxy collection build --force --output-path "$DEV/build"
