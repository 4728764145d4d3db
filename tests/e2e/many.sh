#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Many commands at once on one log and one machine, twice: every entry is there, the log verifies,
# and mounts, namespaces, cgroups and folders are afterwards what they were before.
# AIRLOCK_MANY sets how many (200 is the promise; fewer make a quick test).
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

many=${AIRLOCK_MANY:-200}

mounts() { wc -l </proc/self/mountinfo; }
# Only what still lives can hold a namespace: count the namespaces of all processes.
namespaces() { readlink /proc/[0-9]*/ns/{mnt,net,pid,user} 2>/dev/null | sort -u | wc -l; }

mkdir work
echo base >work/base
run_one() {
    "$AIRLOCK" run --quiet --workspace "$SCRATCH/work" -- sh -c "echo $1 > out-$1; cat base" \
        >"out.$1" 2>"err.$1"
    echo $? >"status.$1"
}
# One run first: what the first command makes for good (state folder, log, key) is made before the
# counting.
run_one 0
before_mounts=$(mounts)
before_namespaces=$(namespaces)

for round in 1 2; do
    pids=()
    for i in $(seq "$many"); do
        run_one "$round-$i" &
        pids+=($!)
    done
    wait "${pids[@]}"
    good=0
    for i in $(seq "$many"); do
        if [ "$(cat "status.$round-$i")" = 0 ] && [ "$(cat "out.$round-$i")" = base ]; then
            good=$((good + 1))
        else
            sed "s/^/# run $round-$i: /" "err.$round-$i" | head -n 4
        fi
    done
    same "round $round: all $many runs at once succeed" "$many" "$good"
    expected=$((1 + round * many))
    "$AIRLOCK" log --json >log.json
    same "round $round: every run's intent is in the log" "$expected" \
        "$(grep -c '"type":"run_started"' log.json)"
    same "round $round: every run's outcome is in the log" "$expected" \
        "$(grep -c '"type":"run_finished"' log.json)"
    check "round $round: the log verifies" "$AIRLOCK" log verify
done

sleep 1 # namespaces die asynchronously
same "no mount is left" "$before_mounts" "$(mounts)"
# Others on the machine may end namespaces of theirs meanwhile; more than before is a leak.
check "no namespace is left" test "$(namespaces)" -le "$before_namespaces"
same "no cgroup is left" 0 "$(airlock_cgroups)"
same "no launcher or key process is left" 0 "$(airlock_processes)"
same "the workspace is untouched" base "$(ls work)"
leftover=$(find "$AIRLOCK_STATE_DIR/runs" -mindepth 2 -maxdepth 2 \( -name work -o -name tmp \) | wc -l)
same "no work or tmp folder of a finished run is left" 0 "$leftover"
finish
