#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Exit statuses, time limits, signals, streams, environment, secrets.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
mkdir ws && cd ws && mkdir .git || exit 99

status() {
    "$@" >"$SCRATCH/row.out" 2>&1
    echo $?
}
run="$AIRLOCK run -q --"
# shellcheck disable=SC2086 # $run is several words
{
    same "the command's own status" 7 "$(status $run sh -c 'exit 7')"
    same "128 + n for a signal" 143 "$(status $run sh -c 'kill -TERM $$')"
    same "137 for a kill" 137 "$(status $run sh -c 'kill -KILL $$')"
    same "127 for a command that is not there" 127 "$(status $run no-such-command)"
    same "126 for one that cannot be executed" 126 "$(status $run /etc/passwd)"
}
same "124 at the time limit" 124 "$(status "$AIRLOCK" run -q --timeout 200ms -- sleep 30)"
same "125 for a wrong option" 125 "$(status "$AIRLOCK" run --nonsense -- true)"
same "125 for no command" 125 "$(status "$AIRLOCK" run)"
same "125 for an unknown template" 125 "$(status "$AIRLOCK" run -t nonsense -- true)"
same "125 for a time limit without unit" 125 "$(status "$AIRLOCK" run --timeout 30 -- true)"
same "125 for a root that is not there" 125 "$(status "$AIRLOCK" run --root "$SCRATCH/none" -- true)"
same "125 for a root that is a file" 125 "$(status "$AIRLOCK" run --root /etc/passwd -- true)"
same "125 for a run that is not there" 125 "$(status "$AIRLOCK" run --on 123456 -- true)"

# Streams.
head -c 10485760 /dev/urandom >"$SCRATCH/big"
same "10 MiB through cat" "$(sha256sum <"$SCRATCH/big")" \
    "$("$AIRLOCK" run -q -- cat <"$SCRATCH/big" | sha256sum)"
same "200 MB of output" 200000000 \
    "$("$AIRLOCK" run -q -- sh -c 'yes | head -c 200000000' | wc -c)"
same "stderr stays stderr" "err" "$("$AIRLOCK" run -q -- sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)"
same "stdin that nobody reads" 0 "$(yes | status "$AIRLOCK" run -q -- true)"
same "a reader that leaves ends the writer" y "$("$AIRLOCK" run -q -- yes | head -1)"
same "input ends" 0 "$(status "$AIRLOCK" run -q -- cat </dev/null)"
same "closed descriptors" 0 "$(status sh -c '"$0" run -q -- true <&- >&-' "$AIRLOCK")"
start=$(date +%s)
"$AIRLOCK" run -q -- sh -c 'sleep 60 & echo done' >/dev/null
check "what the command leaves behind does not hold the caller" test $(($(date +%s) - start)) -lt 20
check "the summary counts it" sh -c '"$0" run -- sh -c "sleep 60 & echo" 2>&1 | grep -q "1 processes"' "$AIRLOCK"
same "the summary has a descriptor of its own" '"exit":0' \
    "$("$AIRLOCK" run --json --summary-fd 3 -- true 3>&1 >/dev/null 2>&1 | grep -o '"exit":0')"

# Signals to airlock itself.
"$AIRLOCK" run -q -- sh -c 'trap "exit 9" TERM; echo up; while :; do sleep 0.1; done' >"$SCRATCH/up" &
pid=$!
while ! grep -q up "$SCRATCH/up"; do sleep 0.05; done
kill -TERM $pid
wait $pid
same "SIGTERM reaches the command" 9 $?
"$AIRLOCK" run -q -- sh -c 'echo up; exec sleep 60' >"$SCRATCH/up2" &
pid=$!
while ! grep -q up "$SCRATCH/up2"; do sleep 0.05; done
kill -HUP $pid
wait $pid
same "SIGHUP ends a command that does not catch it" 129 $?

# Our own processes die.
child_of() { # pid name
    local child
    for child in $(cat "/proc/$1/task/$1/children"); do
        [ "$(cat "/proc/$child/comm")" = "$2" ] && echo "$child"
    done
}
kill_helper() { # name of the helper to kill while the command runs; prints airlock's status
    "$AIRLOCK" run -q -- sh -c 'echo up; sleep 1; exit 3' >"$SCRATCH/up3" 2>/dev/null &
    local pid=$!
    while ! grep -q up "$SCRATCH/up3"; do sleep 0.05; done
    kill -KILL "$(child_of $pid "$1")"
    wait $pid
    echo $?
}
same "125 when the launcher dies" 125 "$(kill_helper airlock-jail)"
same "a key process that dies is started again" 3 "$(kill_helper airlock-keys)"
check "the log verifies after that" "$AIRLOCK" log verify
check "and the run has its receipt" sh -c '"$0" receipt @1 > r && "$0" verify r; s=$?; rm r; exit $s' "$AIRLOCK"

# Environment and secrets.
same "variables come by the allow-list only" "" \
    "$(LEAK_ME=1 "$AIRLOCK" run -q -- env | grep LEAK_ME)"
same "--env sets one" "v w" "$("$AIRLOCK" run -q --env 'X=v w' -- printenv X)"
same "--env passes one through" 1 "$(LEAK_ME=1 "$AIRLOCK" run -q --env LEAK_ME -- printenv LEAK_ME)"
same "125 for one that is not set" 125 "$(status "$AIRLOCK" run --env NOT_SET_AT_ALL -- true)"
echo correct-horse-battery >"$SCRATCH/secret"
same "--secret takes it from a file" correct-horse-battery \
    "$("$AIRLOCK" run -q --secret TOKEN="$SCRATCH/secret" -- printenv TOKEN)"
"$AIRLOCK" run -q --secret TOKEN="$SCRATCH/secret" -- true
"$AIRLOCK" log --json >"$SCRATCH/log.json" 2>&1
refuse "no secret in the log's database" grep -q correct-horse-battery "$AIRLOCK_STATE_DIR"/audit.db*
refuse "nor in what log prints" grep -q correct-horse-battery "$SCRATCH/log.json"
refuse "nor in what is kept of a run that did not print it" \
    grep -rq correct-horse-battery "$AIRLOCK_STATE_DIR/runs/$(ls "$AIRLOCK_STATE_DIR/runs" | tail -1)"
check "its name is" grep -q TOKEN "$SCRATCH/log.json"
# shellcheck disable=SC2046 # many words are the point
"$AIRLOCK" run --quiet -- true $(seq 65537) 2>many.err
same "more arguments than a plan holds are told as a limit" 1 "$(grep -c '\[limit\]' many.err)"
finish
