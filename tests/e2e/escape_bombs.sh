#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Bombs: each ends with a clear outcome, in time, and leaves nothing behind.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

mkdir "$SCRATCH/workspace"
cd "$SCRATCH/workspace" || exit 99
bomb() { timeout 60 "$AIRLOCK" run --workspace "$PWD" --template small "$@" >"$SCRATCH/out" 2>"$SCRATCH/err"; }

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
check "and the outcome says disk" grep -Eqi 'disk|stage' "$SCRATCH/err"

bomb -- sh -c 'dd if=/dev/zero of=big bs=1M count=300 2>/dev/null; test $(stat -c %s big) -le 268435456'
same "one file is limited" 0 $?

bomb --timeout 1s -- sleep 1000
same "time is limited" 124 $?

bomb -- sh -c 'sleep 1000 & sleep 1000 & exit 3'
same "what is left over is killed" 3 $?

same "no process is left" 0 "$(airlock_processes)"
same "no cgroup is left" 0 "$(airlock_cgroups)"
finish
