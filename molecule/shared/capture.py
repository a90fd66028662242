# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes over the network of a container, as a machine between the hosts would see it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile

from mailhost import podman

# Writes every packet of this network namespace to its output, until its input ends.
LISTEN = """
import select, socket, sys
packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
packets.setsockopt(socket.SOL_SOCKET, 33, 64 * 2**20)  # SO_RCVBUFFORCE
print("ready", file=sys.stderr, flush=True)
while True:
    ready, _, _ = select.select([packets, sys.stdin], [], [])
    if packets in ready:
        sys.stdout.buffer.write(packets.recv(65536) + b"\\0")
    elif not sys.stdin.read(1):
        break
"""


class Capture:
    """Bytes that were seen; they are there when the capture has ended."""

    seen = b""


@contextlib.contextmanager
def captured(container):
    """Everything that the container sends and gets meanwhile."""
    pid = podman("inspect", "--format={{.State.Pid}}", container).stdout.strip()
    command = ("nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, "-c", LISTEN)
    capture = Capture()
    with tempfile.TemporaryFile() as file:
        pipes = {"stdin": subprocess.PIPE, "stdout": file, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, **pipes) as listener:
            assert listener.stderr.readline() == b"ready\n"
            yield capture
            listener.stdin.close()
        assert listener.returncode == 0
        file.seek(0)
        capture.seen = file.read()
