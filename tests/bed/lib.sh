# shellcheck shell=bash disable=SC2034
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# What the scripts of the test bed share. Sourcing it enters the test bed's environment: everything it makes
# lies in .dev of the checkout, in podman's store and in the machine's packages, nowhere else.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
DEV=$TOP/.dev
BED=$TOP/tests/bed
mkdir -p "$DEV"

case :$PATH: in
    *":$DEV/venv/bin:"*) ;;
    *) export PATH="$DEV/venv/bin:$PATH:/usr/sbin:/sbin" ;;
esac
export ANSIBLE_COLLECTIONS_PATH="$DEV/collections"
export PYTHONPATH="$DEV/collections:$BED"
# Per user, so that what root leaves behind is in nobody's way.
STATE=$DEV/user-$(id -u)
export ANSIBLE_HOME="$STATE/ansible"
export XDG_CACHE_HOME="$STATE/cache"
# Molecule looks for scenarios in extensions/ by itself; ours are at the top level.
export MOLECULE_GLOB="$TOP/molecule/*/molecule.yml"
if [ -e "$DEV/containers.conf" ]; then
    export CONTAINERS_CONF="$DEV/containers.conf"
fi

# Colours and boxes are for eyes; what goes into a log stays plain.
[ -t 1 ] || export NO_COLOR=1 ANSIBLE_NOCOLOR=1

RELEASES=(bookworm trixie)
NETWORK=groupware-mailserver
# What the containers are recognised by.
LABEL=groupware.mailserver.test-bed
BASE_IMAGE=localhost/groupware-mailserver-base
READY_IMAGE=localhost/groupware-mailserver-ready

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "$*"
    exit 1
}

# Debian's name of a release, from its name or its number.
release() {
    case $1 in
        12 | bookworm) echo bookworm ;;
        13 | trixie) echo trixie ;;
        *) die "'$1' is not a supported Debian release: expected 12 or 13" ;;
    esac
}

# Run a program as root, with the environment of the caller.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        command "$@"
    elif command -v sudo >/dev/null; then
        sudo --preserve-env env "PATH=$PATH" "$@"
    else
        die "'$1' has to run as root: become root, or install sudo and allow it to $(id -un)"
    fi
}

podman() {
    as_root podman "$@"
}

# One hash over words and the contents of files, to recognise that nothing has changed since the last time.
# usage: fingerprint [WORD...] -- FILE...
fingerprint() {
    local words=()
    while [ "$1" != -- ]; do
        words+=("$1")
        shift
    done
    shift
    { printf '%s\n' "${words[@]}" && cat -- "$@"; } | sha256sum | cut -c1-16
}
