#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# Build a mail host in a container from examples/inventory.yml, send a message through it and read it back.
# usage: start.sh [12|13]
set -euo pipefail
. "$(dirname "$0")/../tests/bed/lib.sh"

suite=$(release "${1:-13}")
export DEMO_CONTAINER=groupware-mailserver-demo-$suite
export ANSIBLE_PIPELINING=1
inventory=(-i "$TOP/examples/inventory.yml" -i "$TOP/demo/hosts.yml")

"$BED/container.sh" start "$DEMO_CONTAINER" "$BASE_IMAGE:$suite" mail.example.org >/dev/null

began=$SECONDS
ansible-playbook "${inventory[@]}" groupware.mailserver.site
took=$((SECONDS - began))

proof=$(ansible-playbook "${inventory[@]}" groupware.mailserver.verify) || die "$proof"
trips=$(sed -nE 's/^ *"msg": "[^:]*: (port .*)"$/    \1/p' <<<"$proof")
[ -n "$trips" ] || die "$proof"

read -r ipv4 ipv6 < <("$BED/container.sh" address "$DEMO_CONTAINER")
variable() { ansible-inventory "${inventory[@]}" --host mail.example.org | python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }
user=$(variable "['mailserver_users'][0]['address']")
password=$(variable "['mailserver_users'][0]['password']")

cat <<X

The mail host is up: Debian ${1:-13}, built in $took s.

A message went in through submission and came out over IMAP:
$trips

  addresses   $ipv4  $ipv6
  ports       25 SMTP, 587 and 465 submission, 143 and 993 IMAP, 110 and 995 POP3, 4190 ManageSieve
  log in as   $user
  password    $password
  certificate self-signed, for mail.example.org (/etc/ssl/certs/ssl-mail.pem on the host)

Look inside:
  podman exec -it $DEMO_CONTAINER bash
  podman exec $DEMO_CONTAINER journalctl -u 'postfix*' -u dovecot
  podman exec $DEMO_CONTAINER mariadb -e 'SELECT username, quota_bytes FROM dovecot.dovecot_users'
On some machines podman needs: export CONTAINERS_CONF=\$PWD/.dev/containers.conf

Against a real host: put its name into a copy of examples/inventory.yml, then
  ansible-galaxy collection install groupware.mailserver
  ansible-playbook -i inventory.yml groupware.mailserver.site
  ansible-playbook -i inventory.yml groupware.mailserver.verify

Run make demo again: nothing changes on the host. Remove it with make demo-clean.
X
