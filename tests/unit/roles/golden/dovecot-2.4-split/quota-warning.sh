#!/bin/sh
#
# Ansible managed
#
# Tells a person ($2) how full the mailbox is (more than $1 percent). Dovecot runs it as the owner of the mail; the
# message goes in however full the mailbox is, and nobody answers it (RFC 3834).
exec /usr/lib/dovecot/dovecot-lda -d "$2" -f "" -o "quota_enforce=no" <<EOF
From: <ann@example.org>
To: <$2>
Subject: Your mailbox is more than $1 % full
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii

Your mailbox on imap.example.org is more than $1 % full.

When it is full, no more mail reaches you. Please delete messages that you
do not need any more, and empty the folders Trash and Junk.
EOF
