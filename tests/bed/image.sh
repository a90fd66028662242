#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Build the base image of a Debian release: a bare host with systemd as PID 1, without any image registry.
# usage: image.sh [--again] bookworm|trixie
# MIRROR and MIRROR_SECURITY name other package archives than the ones this machine's apt uses.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
again=
if [ "$1" = --again ]; then
    again=yes
    shift
fi
suite=$(release "$1")
image=$BASE_IMAGE:$suite

stamp=$(fingerprint -- "$0" "$BED/cg2init")
if [ -z "$again" ] && [ "$(podman image inspect --format '{{.Config.Labels.stamp}}' "$image" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi

# An archive of Debian that this machine's apt uses; nothing on other systems, and debootstrap's default counts.
archive() {
    # shellcheck disable=SC2016  # apt's own placeholder
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        grep -m1 -E "^https?://.*/$1/$" || true
}
mirror=${MIRROR:-$(archive debian)}
security=${MIRROR_SECURITY:-$(archive debian-security)}

say "Building $image (log: .dev/image-$suite.log)"
# Not in /tmp, where Debian 13 allows no device files.
work=$(mktemp -d -p /var/tmp)
trap 'as_root rm -rf --one-file-system "$work"' EXIT
root=$work/root

# What any installed Debian has and Ansible or a test asks for; nothing of a mail host.
packages=systemd,systemd-sysv,dbus,python3,python3-apt,iproute2,iputils-ping,procps,ca-certificates,sudo,cron,gpg
as_root debootstrap --variant=minbase --include="$packages" "$suite" "$root" ${mirror:+"$mirror"} \
    >"$DEV/image-$suite.log" 2>&1 || die "$(tail -n 5 "$DEV/image-$suite.log")"

# debootstrap writes the main archive only. Its security archive lies beside it unless said otherwise.
mirror=${mirror:-$(sed -n 's/^deb \(http[^ ]*\) .*/\1/p;q' "$root/etc/apt/sources.list")}
mirror=${mirror%/}
security=${security:-$mirror-security}

as_root bash -euo pipefail -s -- "$root" "$suite" "$mirror" "$security" "$BED/cg2init" <<'X'
root=$1 suite=$2 mirror=$3 security=$4 init=$5
rm -f "$root/etc/apt/sources.list" "$root"/var/cache/apt/archives/*.deb
cat >"$root/etc/apt/sources.list.d/debian.sources" <<S
Types: deb
URIs: $mirror
Suites: $suite $suite-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: $security
Suites: $suite-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
S
echo 'APT::Install-Recommends "false";' >"$root/etc/apt/apt.conf.d/90container"
# The disk of a test host need not survive a power failure.
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/container"
: >"$root/etc/machine-id"
install -m 755 "$init" "$root/usr/local/sbin/cg2init"
# Empty lists with an old date: ansible.builtin.apt takes the directory's date for the time of the last update.
rm -rf "$root"/var/lib/apt/lists/*
mkdir -p "$root/var/lib/apt/lists/partial"
touch -d @0 "$root/var/lib/apt/lists"
X

as_root tar -C "$root" -c . | podman import -q -c 'CMD ["/usr/local/sbin/cg2init"]' -c 'ENV container=podman' \
    -c 'STOPSIGNAL SIGRTMIN+3' -c "LABEL stamp=$stamp" - "$image" >>"$DEV/image-$suite.log"
