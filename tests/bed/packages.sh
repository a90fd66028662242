#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Install the Debian packages that the test bed needs on this machine.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# mariadb-server-core is the server without a service: the module tests start their own on a socket.
wanted=(
    podman crun runc netavark aardvark-dns conmon iptables nftables iproute2 debootstrap
    mariadb-server-core mariadb-client openssl
    shellcheck git make libmagic1 python3 python3-venv sudo
)

missing() {
    # libmagic1 is libmagic1t64 on Debian 13: ask for what provides it, too.
    dpkg-query -W -f '${db:Status-Status} ${Package} ${Provides}\n' |
        sed -n 's/^installed //p' | tr -s ' ,' '\n' | sort -u |
        comm -13 - <(printf '%s\n' "${wanted[@]}" | sort)
}

mapfile -t packages < <(missing)
if [ ${#packages[@]} -gt 0 ]; then
    say "Installing ${packages[*]}"
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}"
fi

# Whom MariaDB runs as; only the package with the service would make it.
getent passwd mysql >/dev/null || as_root useradd --system --user-group --home-dir /nonexistent --shell /bin/false mysql
