#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the user does to the workspace while a run is live is never undone by apply.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

# Starts a run that waits until the test has done its part outside, then runs the rest.
run_meanwhile() { # script inside, script outside
    rm -f work/started
    "$AIRLOCK" run --workspace work --quiet -- sh -c "$1; touch /tmp/ready; sleep 2" &
    local run=$!
    sleep 1
    (cd work && sh -c "$2")
    wait "$run"
}

mkdir -p work/.git work/src work/gone work/other
echo 1 >work/src/changed
echo 2 >work/src/kept
echo 3 >work/gone/file
echo 4 >work/other/from
run_meanwhile 'echo more >>src/changed; echo more >>src/kept; echo more >>gone/file; mv other/from other/to' \
    'rm -r src/changed gone'
refuse "a file deleted while the run changed it refuses the apply" "$AIRLOCK" apply --workspace work
same "and names the paths" 2 "$(grep -oE 'src/changed|gone/file' "$SCRATCH/row.out" | sort -u | wc -l)"
check "the rest is applied" "$AIRLOCK" apply --workspace work --skip-refused
same "what was deleted stays deleted" "" "$(find work/gone work/src/changed 2>/dev/null)"
same "a file next to it is applied" "2 more" "$(xargs <work/src/kept)"
same "a file that the run renamed is no conflict" "4" "$(cat work/other/to)"

# A stage that is still written is nothing to stand on.
"$AIRLOCK" run --workspace work --quiet -- sleep 3 &
live=$!
sleep 1
refuse "a run does not stand on one that still runs" \
    "$AIRLOCK" run --workspace work --quiet --on @1 -- true
same "and says why" 1 "$(grep -c run.unfinished "$SCRATCH/row.out")"
wait "$live"
finish
