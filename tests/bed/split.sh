#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# One mail system on three new hosts, as root: the scenario `split` of molecule, and the tests of one host that are true
# of several. The hosts stay, to be looked at.
# Two runs on one machine need hosts of their own: SPLIT_HOSTS=other make split
# usage: split.sh [--long] [12|13] [PYTEST OPTION...]
#   --long   check mode before and after, and the slow tests
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$TOP"
long=
if [ "${1:-}" = --long ]; then
    long=yes
    shift
fi
suite=$(release "${1:-13}")
shift $(($# > 0))

# Beginning with nothing, as molecule.sh does; the client is the other tests' too.
rm -rf "$ANSIBLE_HOME"/tmp/molecule.*.split "$DEV/split" "$DEV/split-changes"
mkdir -p "$DEV/split" "$DEV/split-changes"
prefix=${SPLIT_HOSTS:-split}
hosts=("$prefix"-{database,imap,smtp})
"$BED/container.sh" remove "${hosts[@]}" >/dev/null
"$BED/container.sh" start client "$BASE_IMAGE:trixie" client.example.test,outside.test >/dev/null
for host in "${hosts[@]}"; do
    # Their firewall is a part of what is tested.
    "$BED/container.sh" start "$host" "$READY_IMAGE:$suite" "$host.example.test" --cap-add NET_ADMIN >/dev/null &
done
wait

{
    echo "all: {children: {outside: {hosts: {client: }},"
    for host in "${hosts[@]}"; do
        read -r address _ipv6 < <("$BED/container.sh" address "$host")
        echo "mailserver_${host#"$prefix"-}: {hosts: {$host: {mailserver_address: $address}}},"
    done
    echo "}}"
} >"$DEV/split/hosts.yml"
ln -s ../../molecule/inventory/group_vars "$DEV/split/group_vars"

export ANSIBLE_PIPELINING=1
predicted() {
    ansible-playbook --inventory "$DEV/split" groupware.mailserver.site --check "$@"
}

if [ -n "$long" ]; then
    ansible-playbook --inventory "$DEV/split" molecule/split/prepare.yml
    predicted --diff
fi
molecule test --scenario-name split --destroy=never
if [ -n "$long" ]; then
    recap=$(predicted | tee /dev/stderr | grep -c ' changed=0 .* failed=0 ')
    [ "$recap" = ${#hosts[@]} ] || die "check mode would change hosts that are as they should be"
fi

tests=(delivery refusals doors quota)
[ -z "$long" ] || tests+=(states sessions header_from)
tests=("${tests[@]/#/molecule/mailhost/tests/test_}")
tests=("${tests[@]/%/.py}")
sieve=molecule/mailhost/tests/test_sieve.py
tests+=("$sieve"::test_a_{vacation_answers_from_the_address_that_was_written_to,list_of_tine_reaches_all_its_members})
MAIL_INVENTORY=$DEV/split pytest --hosts="podman://$prefix-smtp" --imap-host="$prefix-imap" \
    --database-host="$prefix-database" "${tests[@]}" molecule/split/tests "$@"
