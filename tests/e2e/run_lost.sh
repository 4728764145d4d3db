#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An airlock that is killed takes its sandbox along, and the next start collects what is left.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
mkdir -p ws/.git && cd ws || exit 99

"$AIRLOCK" run -q -- sh -c 'echo kept > kept; echo up; exec sleep 60' >"$SCRATCH/up" &
pid=$!
while ! grep -q up "$SCRATCH/up"; do sleep 0.05; done
kill -KILL $pid
wait $pid 2>/dev/null
nothing_is_left
check "the next command collects the run" "$AIRLOCK" run -q -- true
check "which is shown as lost" sh -c '"$0" runs | grep -q lost' "$AIRLOCK"
same "its intent is closed once" 1 \
    "$("$AIRLOCK" log --json | tr '{' '\n' | grep -c '"outcome":"lost"\|"lost"')"
"$AIRLOCK" run -q -- true
same "and never again" 1 \
    "$("$AIRLOCK" log --json | tr '{' '\n' | grep -c '"outcome":"lost"\|"lost"')"
check "the log verifies" "$AIRLOCK" log verify

# Should airlock die and the launcher not notice yet, the run still counts as live.
"$AIRLOCK" run -q -- sh -c 'echo up; exec sleep 60' >"$SCRATCH/up2" &
pid=$!
while ! grep -q up "$SCRATCH/up2"; do sleep 0.05; done
launcher=$(pgrep -P $pid airlock-jail | head -n 1)
live=$(ls "$AIRLOCK_STATE_DIR/runs/.live" | head -n 1)
kill -STOP "$launcher"
kill -KILL $pid
wait $pid 2>/dev/null
refuse "a run is not taken for dead while its payload lives" \
    flock -n "$AIRLOCK_STATE_DIR/runs/$live/lock" true
kill -CONT "$launcher"
eventually no_process_is_left
check "and is when that is gone" flock -n "$AIRLOCK_STATE_DIR/runs/$live/lock" true
"$AIRLOCK" run -q -- true
check "its folders are gone" sh -c 'test ! -e "$0"/*/work' "$AIRLOCK_STATE_DIR/runs"
finish
