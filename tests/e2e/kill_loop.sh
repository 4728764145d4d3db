#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at random moments of run and apply. Afterwards: no file is half of anything, the log
# verifies, and the next command has collected every orphan.
# AIRLOCK_KILLS sets how many moments (200 in `make torture`), AIRLOCK_SEED the sequence.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

kills=${AIRLOCK_KILLS:-40}
RANDOM=${AIRLOCK_SEED:-1}
files=24

mkdir work
generation() { # number -> the content every file has in that generation
    printf "generation $1 %.0s" $(seq 2000)
}
fill() {
    local content i
    content=$(generation "$1")
    for i in $(seq "$files"); do
        printf %s "$content" >"work/file-$i"
    done
}
fill 0
# Every file must be exactly one generation: 0..now. Whole trees may mix only while an apply is cut
# short, and the next command ends that.
whole() {
    local f first
    for f in work/*; do
        case $f in
        work/file-*) ;;
        *) echo "unexpected $f" && return 1 ;;
        esac
        first=$(head -c 40 "$f" | sed 's/^generation \([0-9]*\) .*/\1/')
        [ "$(cat "$f")" = "$(generation "$first")" ] || { echo "$f is torn"; return 1; }
    done
}
one_generation() {
    local count
    count=$(for f in work/file-*; do head -c 40 "$f" | cut -d' ' -f2; done | sort -u | wc -l)
    [ "$count" = 1 ] || { echo "$count generations at once"; return 1; }
}
pause() { # up to $1 ms
    sleep "$(printf '0.%03d' $((RANDOM % $1)))"
}
kill_random_part() { # pid of airlock
    local victim=$1 child
    case $((RANDOM % 4)) in
    0) child=$(pgrep -P "$1" airlock-jail | head -n 1) ;;
    1) child=$(pgrep -P "$1" airlock-keys | head -n 1) ;;
    *) child= ;;
    esac
    [ -z "$child" ] || victim=$child
    kill -9 "$victim" 2>/dev/null
    [ "$victim" = "$1" ] || pause 20
    kill -9 "$1" 2>/dev/null
}
torn=0
mixed=0
unusable=0
for i in $(seq "$kills"); do
    text="generation $i "
    writer="for n in \$(seq $files); do printf '$text%.0s' \$(seq 2000) > file-\$n.new; mv file-\$n.new file-\$n; done"
    if [ $((i % 2)) = 0 ]; then
        "$AIRLOCK" run --quiet --workspace work -- bash -c "$writer" >/dev/null 2>&1 &
        pid=$!
        pause 60
        kill_random_part "$pid"
        wait "$pid" 2>/dev/null
    else
        "$AIRLOCK" run --quiet --workspace work -- bash -c "$writer" >/dev/null 2>run.err ||
            { sed 's/^/# /' run.err; unusable=$((unusable + 1)); }
        (cd work && exec "$AIRLOCK" apply @1) >/dev/null 2>&1 &
        pid=$!
        pause 25
        kill_random_part "$pid"
        wait "$pid" 2>/dev/null
    fi
    whole >torn.txt || { torn=$((torn + 1)); sed 's/^/# /' torn.txt; }
    "$AIRLOCK" runs --all >/dev/null 2>runs.err || { unusable=$((unusable + 1)); sed 's/^/# /' runs.err; }
    one_generation >mixed.txt || {
        mixed=$((mixed + 1))
        for f in work/file-*; do head -c 16 "$f" | cut -d' ' -f2; done | sort | uniq -c >>mixed.txt
        "$AIRLOCK" runs --all 2>&1 | head -n 4 >>mixed.txt
        "$AIRLOCK" log --json 2>/dev/null | tail -n 4 >>mixed.txt
        sed "s/^/# kill $i: /" mixed.txt
    }
    # Open stages of dead runs would make the next apply ask which one is meant.
    for run in $("$AIRLOCK" runs --json 2>/dev/null | grep -o '"id":"[^"]*"' | cut -d'"' -f4); do
        "$AIRLOCK" discard "$run" >/dev/null 2>&1
    done
done
same "no file is ever half of anything ($kills kills)" 0 "$torn"
same "the next command finishes what an apply began" 0 "$mixed"
same "every command after a kill works" 0 "$unusable"
check "the log verifies" "$AIRLOCK" log verify
check "a run still works" "$AIRLOCK" run --quiet --workspace work -- true
"$AIRLOCK" log --json >log.json
same "every admitted run has an outcome" \
    "$(grep -c '"type":"run_started"' log.json)" "$(grep -c '"type":"run_finished"' log.json)"
sleep 0.5
same "no process is left" 0 "$(airlock_processes)"
same "no cgroup is left" 0 "$(airlock_cgroups)"
finish
