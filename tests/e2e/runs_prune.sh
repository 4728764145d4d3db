#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Clearing up: what is closed goes, what waits stays until somebody says yes.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
mkdir -p ws/.git && cd ws || exit 99

last_run() {
    find "$AIRLOCK_STATE_DIR/runs" -mindepth 1 -maxdepth 1 -name '[0-9a-f]*' -printf '%f\n' | sort | tail -1
}
run() { "$AIRLOCK" run --quiet -- sh -c "$1"; }

run 'echo a >a; echo some output' >/dev/null
applied=$(last_run)
"$AIRLOCK" apply >/dev/null
run true
empty=$(last_run)
run 'echo b >b'
"$AIRLOCK" discard >/dev/null
run 'echo c >c'
open=$(last_run)
folder=$AIRLOCK_STATE_DIR/runs

check "a dry run" "$AIRLOCK" runs prune --dry-run
same "removes nothing" some "$(cut -c1-4 "$folder/$applied/output")"
check "prune" "$AIRLOCK" runs prune
same "what closed runs kept is gone, but for evidence" "facts lock meta plan.json" "$(ls "$folder/$applied" | xargs)"
same "and what empty ones kept" "lock meta plan.json" "$(ls "$folder/$empty" | xargs)"
same "an open stage stays" c "$(cat "$folder/$open/upper/c")"
same "every run is still listed" 4 "$("$AIRLOCK" runs | grep -cE '^[0-9a-f]{8} ')"
check "and has its receipt" sh -c '"$0" receipt "$1" | "$0" verify -' "$AIRLOCK" "$applied"
check "a second prune finds nothing" sh -c '"$0" runs prune | grep -q "cleared 0 runs"' "$AIRLOCK"

check "--older without a terminal" "$AIRLOCK" runs prune --older 0s
same "keeps what is open" c "$(cat "$folder/$open/upper/c")"
check "--json never asks" "$AIRLOCK" --json runs prune --older 0s
same "nor throws away" c "$(cat "$folder/$open/upper/c")"
refuse "an age that is none is refused" "$AIRLOCK" runs prune --older soon
refuse "an unknown operand is refused" "$AIRLOCK" runs pruned
answer() { # the answer, then the command
    python3 - "$@" <<'EOF'
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
text = b""
while b"[y/N]" not in text:
    text += os.read(fd, 4096)
os.write(fd, sys.argv[1].encode() + b"\n")
try:
    while os.read(fd, 4096):
        pass
except OSError:
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
EOF
}
check "a no" answer n "$AIRLOCK" runs prune --older 0s
same "keeps it" c "$(cat "$folder/$open/upper/c")"
"$AIRLOCK" run --quiet --on "$open" -- sh -c 'echo d >d'
check "a yes" answer y "$AIRLOCK" runs prune --older 0s
same "throws it away, with what stands on it" 3 \
    "$("$AIRLOCK" runs | grep -cE '^[0-9a-f]{8} .*discarded')"
same "and the log has it" 3 "$("$AIRLOCK" log | grep -c stage_discarded)"
check "the log is whole" "$AIRLOCK" log verify

# The reminder: once a day, and only about what is old.
run 'echo e >e'
old=$(last_run)
rm -f "$AIRLOCK_STATE_DIR/stages.warned"
same "a young stage is no reason" 0 "$("$AIRLOCK" run -- true 2>&1 | grep -c 'open stage')"
sed -i 's/^finished_ms .*/finished_ms 1000/' "$folder/$old/meta"
same "nobody is told twice a day" 0 "$("$AIRLOCK" run -- true 2>&1 | grep -c 'open stage')"
touch -d '2 days ago' "$AIRLOCK_STATE_DIR/stages.warned"
same "--quiet is quiet" 0 "$("$AIRLOCK" run --quiet -- true 2>&1 | grep -c 'open stage')"
same "an old stage is told of" 1 "$("$AIRLOCK" run -- true 2>&1 | grep -c 'open stage')"
same "once" 0 "$("$AIRLOCK" run -- true 2>&1 | grep -c 'open stage')"
finish
