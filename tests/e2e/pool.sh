#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sandboxes made ahead: a workspace is bound when the plan comes, each is used once, one that waits
# is a whole sandbox to whoever looks for leaks. AIRLOCK_MANY sets how many live at once.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

many=${AIRLOCK_MANY:-100}
bench=$AIRLOCK_BUILD_DIR/bench/bench_pool
if [ ! -x "$bench" ]; then
    echo "1..0 # SKIP the benches are not built"
    exit 0
fi

mounts() { wc -l </proc/self/mountinfo; }
namespaces() { readlink /proc/[0-9]*/ns/{mnt,net,pid,user} 2>/dev/null | sort -u | wc -l; }

mkdir work
echo base >work/base
before_mounts=$(mounts)
before_namespaces=$(namespaces)

check "a pooled sandbox takes a workspace that it did not know" \
    "$bench" late 4 "$SCRATCH/run" "$SCRATCH/work" /bin/sh -c 'cat base >copy'
same "its changes are in the run's upper folder" base "$(cat run/upper/copy)"
same "and not in the workspace" base "$(ls work)"
"$bench" late 4 "$SCRATCH/run" "$SCRATCH/work" /bin/true 2>counts >/dev/null
same "all of them lay ready" "warm=4 cold=0 aged=0 dead=0" "$(cat counts)"
"$bench" cold 2 "$SCRATCH/run" "$SCRATCH/work" /bin/true 2>counts >/dev/null
same "an empty pool makes them when they are asked for" "warm=0 cold=2 aged=0 dead=0" \
    "$(cat counts)"
refuse "a command that fails is told" \
    "$bench" late 1 "$SCRATCH/run" "$SCRATCH/work" /bin/false

mkdir runs
mkfifo hold
"$bench" many "$many" "$SCRATCH/runs" "$SCRATCH/work" /bin/sleep 1000 <hold >said &
pid=$!
exec 9>hold
for _ in $(seq 1200); do
    [ -s said ] && break
    sleep 0.1
done
same "$many sandboxes live at once" "ready $many" "$(cut -d' ' -f1-2 said)"
children() { pgrep -P "$(paste -sd,)"; } # of the processes on standard input
# The commands themselves: a plain user may not look into launcher and init.
same "$many of them have a network namespace of their own" "$many" \
    "$(echo "$pid" | children | children | children | sed 's#.*#/proc/&/ns/net#' |
        xargs readlink | sort -u | wc -l)"
exec 9>&-
wait "$pid"
same "they end with whoever made them" 0 "$?"

# A pool that is killed leaves nothing behind either: every launcher ends with its socket.
"$bench" many 5 "$SCRATCH/runs" "$SCRATCH/work" /bin/sleep 1000 <hold >said &
pid=$!
exec 9>hold
for _ in $(seq 600); do
    [ -s said ] && break
    sleep 0.1
done
launchers=$(echo "$pid" | children)
inits=$(echo "$launchers" | children)
same "five launchers, five sandboxes" "5 5" "$(wc -w <<<"$launchers") $(wc -w <<<"$inits")"
groups=$(for init in $inits; do grep -o 'airlock-[0-9a-f-]*' "/proc/$init/cgroup"; done | sort -u)
kill -9 "$pid"
exec 9>&-
wait "$pid" 2>/dev/null
left() { for one in $launchers $inits; do [ -d "/proc/$one" ] && echo "$one"; done; }
for _ in $(seq 200); do
    [ -z "$(left)" ] && break
    sleep 0.1
done
same "no process of it is left" "" "$(left)"
same "no cgroup of it is left" "" \
    "$(for group in $groups; do find /sys/fs/cgroup -type d -name "$group" 2>/dev/null; done)"

sleep 1 # namespaces die asynchronously
same "no mount is left" "$before_mounts" "$(mounts)"
check "no namespace is left" test "$(namespaces)" -le "$before_namespaces"
finish
