#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A state folder that cannot be written, and a disk that is full: said, and nothing lost.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
mkdir -p ws/.git && cd ws || exit 99

refused() { # name slug
    "$AIRLOCK" run -q -- true >"$SCRATCH/said" 2>&1
    same "$1" "125 yes" "$? $(grep -q "\[$2\]" "$SCRATCH/said" && echo yes)"
}
"$AIRLOCK" run -q -- true
if [ "$(id -u)" != 0 ]; then
    chmod 500 "$AIRLOCK_STATE_DIR"
    refused "a state folder without the right to write is named" state.read-only
    chmod 700 "$AIRLOCK_STATE_DIR"
    skip "a full disk is named" "a small filesystem needs root"
    finish
fi

mount --bind "$AIRLOCK_STATE_DIR" "$AIRLOCK_STATE_DIR"
mount -o remount,ro,bind "$AIRLOCK_STATE_DIR"
refused "a state folder on a read-only mount is named" state.read-only
umount "$AIRLOCK_STATE_DIR"

mkdir "$SCRATCH/small"
mount -t tmpfs -o size=1m none "$SCRATCH/small"
AIRLOCK_STATE_DIR=$SCRATCH/small/state
check "a small disk is enough for a run" "$AIRLOCK" run -q -- true
dd if=/dev/zero of="$SCRATCH/small/fill" bs=4k 2>/dev/null
refused "a full disk is named" disk-full
rm "$SCRATCH/small/fill"
check "with space again runs go on" "$AIRLOCK" run -q -- true
check "and the log is whole" "$AIRLOCK" log verify
refuse "a stage that fills the disk ends in an error" \
    "$AIRLOCK" run -q -- dd if=/dev/zero of=big bs=4k count=1000
check "the log is whole after that too" "$AIRLOCK" log verify
same "and nothing reached the workspace" "" "$(ls)"
umount "$SCRATCH/small"
finish
