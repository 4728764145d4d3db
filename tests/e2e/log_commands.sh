#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `airlock log` and its sub-commands on the log of real runs, whole and damaged.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

mkdir work
cd work || exit 99
log() { "$AIRLOCK" log "$@"; }
seqs() { grep -o '"seq":[0-9]*' | cut -d: -f2 | paste -sd' '; }

"$AIRLOCK" run --quiet -- sh -c 'echo one >one'
"$AIRLOCK" run --quiet -- sh -c 'exit 3' 2>/dev/null
"$AIRLOCK" receipt >../early
log export ../tiles-early >/dev/null
"$AIRLOCK" apply "$("$AIRLOCK" log --json --type run_started --limit 2 | head -1 | grep -o '"run":"[^"]*"' | cut -d'"' -f4)" >/dev/null 2>&1

same "the list has every entry" "0 1 2 3 4 5" "$(log --json | seqs)"
same "by type" "0 2" "$(log --json --type run_started | seqs)"
same "by caller" "0 1 2 3 4 5" "$(log --json --caller "uid:$(id -u)" | seqs)"
same "by another caller" "" "$(log --json --caller uid:4242 | seqs)"
same "by operation" "4 5" "$(log --json --operation stage.apply | seqs)"
same "by decision" "0 2 4" "$(log --json --decision allow | seqs)"
same "by a decision that never fell" "" "$(log --json --decision review | seqs)"
same "the last two" "4 5" "$(log --json --limit 2 | seqs)"
same "the last two of a kind" "1 3" "$(log --json --type run_finished --limit 2 | seqs)"
same "since the future" "" "$(log --json --since 2999-01-01 | seqs)"
same "until the future" "0 1 2 3 4 5" "$(log --json --until 2999-01-01 | seqs)"
same "until the past" "" "$(log --json --until 2001-01-01 | seqs)"
check "a wrong time is a usage error" status 2 log --until yesterday
check "a wrong limit is a usage error" status 2 log --limit 0
check "an unknown sub-command is a usage error" status 2 log repair

follow() {
    "$AIRLOCK" log --json --follow >../followed &
    local follower=$!
    "$AIRLOCK" run --quiet -- true
    for _ in $(seq 50); do
        [ "$(wc -l <../followed)" -ge 8 ] && break
        sleep 0.1
    done
    kill "$follower"
    wait "$follower" 2>/dev/null
    [ "$(seqs <../followed)" = "0 1 2 3 4 5 6 7" ]
}
check "--follow shows what comes" follow

check "show joins the command line" says 'echo one' log show 0
plan=$(ls -d "$AIRLOCK_STATE_DIR"/runs/*/plan.json | head -1)
cp "$plan" ../plan.json
run=${plan%/plan.json}
run=${run##*/}
sequence=$(log --json --type run_started --run "$run" | seqs)
chmod u+w "$plan"
sed -i 's/"argv_base64":"c2g/"argv_base64":"c3g/' "$plan"
check "a changed plan.json is found" status 10 log show "$sequence"
rm "$plan"
check "without plan.json the entry is shown" log show "$sequence"
cp ../plan.json "$plan"

check "the log verifies" log verify
check "against a receipt that was kept" says "its first 4 entries" log verify --receipt ../early
check "against a checkpoint that was kept" says "its first 4 entries" \
    log verify --checkpoint ../tiles-early/checkpoint
check "a file that is no receipt is none" status 65 log verify --receipt ../plan.json
check "there are no gaps" log gaps
check "report counts decisions by rule" says '^default.run  *3  *0  *0$' log report
check "report counts runs by outcome" says '^exit 3  *1$' log report
same "report as JSON" 8 "$(log report --json | grep -o '"entries":[0-9]*' | cut -d: -f2)"
check "a report of nothing says so" says "no entries" log report --until 2001-01-01

check "lines of JSON are exported" log export --jsonl ../lines
refuse "without any caller in clear" grep -q '"uid:' ../lines
same "what opens them is private" 600 "$(stat -c %a ../lines.salts)"
check "an export is checked offline" log import --check ../lines
check "with the salts every entry is held against its hash" \
    log import --check --salts ../lines.salts ../lines
key=$(log key)
check "a stranger with the key checks it" env -i "$AIRLOCK" log import --check --key "$key" ../lines
check "import does nothing else" status 2 log import ../lines
sed 's/"outcome":"allow"/"outcome":"deny"/' ../lines >../bad
check "a changed entry is found with the salts" status 10 \
    log import --check --salts ../lines.salts ../bad
sed '3d' ../lines >../bad
check "a missing line is found" status 10 log import --check ../bad
sed '3{h;d};4{G}' ../lines >../bad
check "swapped lines are found" status 10 log import --check ../bad
sed '$d' ../lines >../bad
check "a missing tail is found" status 11 log import --check ../bad
sed '3s/"leaf":"./"leaf":"x/' ../lines >../bad
check "a changed hash is found" status 10 log import --check ../bad
head -c 500 ../lines >../bad
check "half a line is no export" status 65 log import --check ../bad

# What a rolled-back folder looks like: everything in it agrees with itself.
cp -r "$AIRLOCK_STATE_DIR" ../old-state
"$AIRLOCK" run --quiet -- true
"$AIRLOCK" receipt >../late
log export ../tiles-late >/dev/null
cp "$AIRLOCK_STATE_DIR/keys/last_checkpoint" ../late-checkpoint
rm -rf "$AIRLOCK_STATE_DIR"
cp -r ../old-state "$AIRLOCK_STATE_DIR"
check "a folder put back whole verifies by itself" log verify
check "a receipt kept elsewhere shows it" status 78 log verify --receipt ../late
check "so does an exported checkpoint" status 78 log verify --checkpoint ../tiles-late/checkpoint
check "and it says what happened" says "rolled back" log verify --receipt ../late
"$AIRLOCK" run --quiet -- true
"$AIRLOCK" run --quiet -- true
check "going on from there is a second history" says "rewritten, or has a second writer" \
    log verify --receipt ../late
cp ../late-checkpoint "$AIRLOCK_STATE_DIR/keys/last_checkpoint"
check "with the newer checkpoint every command finds it" status 78 log
check "and says what to do" says "airlock log renew" log

check "renew asks at a terminal only" status 2 log renew
check "nothing was changed by that" status 78 log
check "renew starts a new log" says "a new log begins as airlock.local/.*/2" log renew --yes
check "the new log verifies" log verify
same "its first entry holds the old head" "audit_chain_break" \
    "$(log --json --limit 1 | grep -o '"type":"[a-z_]*"' | cut -d'"' -f4)"
check "runs go on" "$AIRLOCK" run --quiet -- true
same "under the new origin" "/2" "$(head -1 "$AIRLOCK_STATE_DIR/keys/last_checkpoint" | grep -o '/2$')"
same "the old log is read-only" "400" "$(stat -c %a "$AIRLOCK_STATE_DIR/set-aside/1/audit.db")"
check "a whole log is not renewed" status 2 log renew --yes

if command -v script >/dev/null; then
    rm "$AIRLOCK_STATE_DIR/audit.db-wal" "$AIRLOCK_STATE_DIR/audit.db-shm"
    printf 'damaged' | dd of="$AIRLOCK_STATE_DIR/audit.db" bs=1 seek=0 conv=notrunc status=none
    check "a log that is no database is damaged" status 78 log
    echo no | script -qec "$AIRLOCK log renew" /dev/null >../asked 2>&1
    check "the question is asked" grep -q "Type yes" ../asked
    check "no means no" status 78 log
    echo yes | script -qec "$AIRLOCK log renew" /dev/null >../asked 2>&1
    check "yes starts a new one" log verify
else
    skip "the question of renew at a terminal" "script is not installed"
fi
finish
