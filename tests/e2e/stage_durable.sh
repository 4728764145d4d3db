#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is flushed to disk, and in which order: what the log says of a stage is never ahead of it.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
mkdir -p ws/.git && cd ws || exit 99

# The flushes of one run, by airlock itself: d for data (the log's), s for a whole filesystem.
flushes() {
    strace -qq -e trace=fdatasync,fsync,syncfs -o "$SCRATCH/flushes" "$AIRLOCK" run -q -- "$@" >&2 &&
        sed -e 's/^syncfs.*/s/' -e 's/^fdatasync.*/d/' "$SCRATCH/flushes" | grep -x '[ds]' | tr -d '\n'
}
if command -v strace >/dev/null; then
    "$AIRLOCK" run -q -- true # the first one makes the log
    same "the intent, the stage, the outcome" dsd "$(flushes sh -c 'echo changed >file')"
    same "a stage that holds nothing is not waited for" dd "$(flushes true)"
    same "nor one that a failing command left empty" dd "$(flushes sh -c 'echo x >file && rm file')"
    same "deleting is a change" dsd "$(echo there >gone && flushes rm gone)"
else
    skip "the intent, the stage, the outcome" "there is no strace here"
fi
finish
