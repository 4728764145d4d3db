#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Free ports for servers of a test: `ports.py COUNT` prints them in one line.

A port that the kernel has just given out may be taken by any outgoing connection before its server
starts. So these come from below the range of outgoing connections, from the block that
tools/run-tests lends each test ($AIRLOCK_TEST_PORTS, its first port), one after the other: where to
go on stands in $SCRATCH or $TMPDIR. Without a block, from one that the process id picks.
"""
import fcntl
import os
import pathlib
import socket
import sys

BLOCK = 200
FIRST, LAST = 10000, 32000
KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM)


def is_free(port):
    for kind in KINDS:
        for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            try:
                with socket.socket(family, kind) as one:
                    if kind == socket.SOCK_STREAM:
                        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    if family == socket.AF_INET6:
                        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    one.bind((address, port))
            except OSError as why:
                if family == socket.AF_INET6 and why.errno in (97, 99):  # no IPv6 here
                    continue
                return False
    return True


def free_ports(count):
    blocks = (LAST - FIRST) // BLOCK
    block = int(os.environ.get("AIRLOCK_TEST_PORTS", 0)) or FIRST + BLOCK * (os.getppid() % blocks)
    folder = pathlib.Path(os.environ.get("SCRATCH") or os.environ.get("TMPDIR") or "/tmp")
    found = []
    with open(folder / ".next-port", "a+", encoding="ascii") as state:
        fcntl.flock(state, fcntl.LOCK_EX)
        state.seek(0)
        start = int(state.read() or 0)
        for port in (block + (start + step) % BLOCK for step in range(BLOCK)):
            if len(found) == count:
                break
            if is_free(port):
                found.append(port)
        if len(found) < count:
            sys.exit(f"no more free ports in {block} to {block + BLOCK - 1}")
        state.truncate(0)
        state.write(str((found[-1] + 1 - block) % BLOCK))
    return found


if __name__ == "__main__":
    print(*free_ports(int(sys.argv[1])))
