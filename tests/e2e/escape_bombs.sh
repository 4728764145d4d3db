#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Bombs: each ends with a clear outcome, in time, and leaves nothing behind.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

mkdir "$SCRATCH/workspace"
cd "$SCRATCH/workspace" || exit 99
bomb() { timeout 60 "$AIRLOCK" run --workspace "$PWD" --template small "$@" >"$SCRATCH/out" 2>"$SCRATCH/err"; }
# Where the scratch folder is a tmpfs, what fills the disk fills the memory of the sandbox first.
ended_at_limit() { grep -Eq 'killed at its (disk|memory) limit' "$SCRATCH/err"; }

bomb -- sh -c 'exit 7'
same "control: a plain command keeps its status" 7 $?

bomb -- python3 -c 'import os, time
count = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(1000)
        count += 1
except OSError:
    print(count)'
same "a fork bomb hits the limit and its parent goes on" 0 $?
check "it made fewer processes than the limit" test "$(cat "$SCRATCH/out")" -lt 100
check "it made some" test "$(cat "$SCRATCH/out")" -gt 50

bomb -- python3 -c 'import os, time
for i in range(8):
    if os.fork() == 0:
        a = bytearray(b"x" * (300 << 20))
        time.sleep(1000)
time.sleep(1000)'
check "memory of many processes together is limited" test $? -ne 0
check "and the outcome says memory" grep -qi memory "$SCRATCH/err"

bomb -- sh -c 'i=0; while :; do i=$((i+1)); dd if=/dev/zero of=f$i bs=1M count=128 2>/dev/null; done'
status=$?
check "a disk bomb ends" test "$status" -ne 0 -a "$status" -ne 124
check "and the outcome says so" ended_at_limit

bomb -- python3 -c 'import os
for i in range(3):
    if os.fork() == 0:
        while True: # orphans, whose deaths wake init all the time
            child = os.fork()
            if child == 0:
                os.fork()
                os._exit(0)
            os.waitpid(child, 0)
for i in range(16):
    with open("f%d" % i, "wb") as file:
        for j in range(128):
            file.write(b"x" * (1 << 20))
os._exit(0)'
check "a disk bomb behind a storm of orphans ends" ended_at_limit

bomb -- python3 -c 'import os
if os.fork() == 0:
    while True:
        os.mkdir("a")
        os.rmdir("a")
for i in range(16):
    with open("f%d" % i, "wb") as file:
        for j in range(128):
            file.write(b"x" * (1 << 20))
os._exit(0)'
check "a disk bomb beside folders that come and go ends" ended_at_limit

mkdir -p "$HOME/bin" && fallocate -l 1100M "$HOME/bin/large"
PATH=$HOME/bin:$PATH bomb -- sh -c 'test -s "$HOME/bin/large" && sleep 0.5'
same "control: a large toolchain below HOME is not the payload's" 0 $?
rm -r "${HOME:?}/bin"

bomb -- sh -c 'dd if=/dev/zero of=big bs=1M count=300 2>/dev/null; test $(stat -c %s big) -le 268435456'
same "one file is limited" 0 $?

bomb --timeout 1s -- sleep 1000
same "time is limited" 124 $?

bomb -- sh -c 'sleep 1000 & sleep 1000 & exit 3'
same "what is left over is killed" 3 $?

same "no process is left" 0 "$(airlock_processes)"
same "no cgroup is left" 0 "$(airlock_cgroups)"
finish
