#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A live run told from outside to stand still, to go on, and to end: what stands still does nothing,
# the time it stands does not count, who asked is in the log, and nobody else may ask.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

mkdir work other
work=$(realpath work)
cd work || exit 99
host=
begin() { # arguments of run; waits until the command has begun
    : >"$SCRATCH/out" # what the one before said would count as this one's
    "$AIRLOCK" run --workspace "$work" --json "$@" >"$SCRATCH/out" 2>"$SCRATCH/summary" </dev/null &
    host=$!
    eventually test -s "$SCRATCH/out"
}
end() {
    wait "$host"
    status=$?
}
ask() { "$AIRLOCK" "$@" >"$SCRATCH/said" 2>&1 </dev/null; }
says() { grep -qF -- "$1" "$SCRATCH/said" || { cat "$SCRATCH/said" && false; }; }
field() { grep -o "\"$1\":[0-9]*" "$SCRATCH/summary" | cut -d: -f2; }

refuse "nothing can be paused where nothing runs" ask pause
check "which has a slug" says run.not-live
refuse "nor an unknown run" ask pause deadbeef

# What counts without an end: three processes, one of them made by another.
begin --timeout 3s -- bash -c 'echo go
    count() { n=0; while [ ! -e stop ]; do n=$((n + 1)); echo $n >$1; done; }
    (count a) & (sh -c "exec bash -c \"n=0; while [ ! -e stop ]; do n=\\$((n + 1)); echo \\$n >b; done\"") & count c; wait'
run=$("$AIRLOCK" runs --json | sed -n 's/.*"id": "\(.*\)".*/\1/p' | head -n 1)
upper=$AIRLOCK_STATE_DIR/runs/$run/upper
seen() { cat "$upper/a" "$upper/b" "$upper/c" 2>/dev/null | tr '\n' ' '; }
moves() { # what is read between truncation and write is empty, so it is looked at more than once
    local _
    for _ in $(seq 100); do
        [ "$before" != "$(seen)" ] && return 0
        sleep 0.1
    done
    return 1
}
before=$(seen)
check "control: it works" moves
check "it is paused" ask pause
check "and named" says "paused run ${run: -8}"
before=$(seen)
sleep 3
same "nothing of it moves" "$before" "$(seen)"
check "runs shows it" grep -q '"state": "paused"' <("$AIRLOCK" runs --json)
check "a second pause is no mistake" ask pause "$run"
check "one in the log each" test "$(entries run_paused)" = 2
check "with who asked" grep -q "\"caller\":\"uid:$(id -u)\"" <(newest run_paused)
refuse "another workspace has no live run" ask pause -w "$SCRATCH/other"
check "it goes on" ask resume
check "and works again" moves
check "runs shows that" grep -q '"state": "live"' <("$AIRLOCK" runs --json)
end
same "past its time limit it still ended by that" 124 $status
check "by working that long, pauses not counted" test $(($(field wall_us) + $(field paused_us))) -ge 5900000
check "but told" test "$(field paused_us)" -gt 2900000
check "in the entry too" grep -q '"paused_us":' <(newest run_finished)

# A job that was stopped on purpose, and a stop in the middle of a pause.
begin -- bash -c 'trap "echo told; exit 7" TERM; echo go; while :; do sleep 0.05; done'
check "paused again" ask pause
check "a paused run can be stopped" ask stop --json
check "and says so" says '"done": "stopped"'
refuse "it is over when stop returns" ask resume "$run"
end
same "it was told first, and its own status counts" 7 $status
check "its last words came" grep -q told "$SCRATCH/out"
same "the stop is in the log" 1 "$(entries run_stopped)"

begin -- bash -c 'trap "" TERM; echo go; while :; do sleep 0.05; done'
check "what does not listen is ended" ask stop
end
same "by force" 137 $status

# A timer of its own that continues what was stopped.
cat >wake.py <<'END'
import ctypes, os, signal, struct
signal.signal(signal.SIGCONT, lambda *_: None)
libc, timer = ctypes.CDLL(None), ctypes.c_void_p()
assert libc.timer_create(1, struct.pack("Qii48x", 0, signal.SIGCONT, 0), ctypes.byref(timer)) == 0
soon = struct.pack("qqqq", 0, 0, 0, 5000000)
count = os.open("a", os.O_WRONLY | os.O_CREAT)
print("go", flush=True)
n = 0
while True:
    libc.timer_settime(timer, 0, soon, None)
    os.pwrite(count, b"%d\n" % n, 0)
    n += 1
END
begin -- python3 wake.py
run=$("$AIRLOCK" runs --json | sed -n 's/.*"id": "\(.*\)".*/\1/p' | head -n 1)
upper=$AIRLOCK_STATE_DIR/runs/$run/upper
check "what can wake itself is paused" ask pause
sleep 4
before=$(seen)
sleep 1
same "it stands still, or is ended" "$before" "$(seen)"
ask stop
end

# One killed while it stands still leaves nothing.
begin -- bash -c 'echo go; sleep 1000 & sleep 1000'
check "paused" ask pause
kill -KILL "$host"
end
"$AIRLOCK" runs >/dev/null
nothing_is_left

# The same with its launcher: what is frozen dies when somebody asks for it.
forever=1000.$$ # other tests sleep too
begin -- bash -c "echo go; sleep $forever & sleep $forever"
check "paused again" ask pause
kill -KILL $(pgrep -P "$host") "$host"
end
refuse "it does not go on" ask resume
for _ in $(seq 100); do
    pgrep -xf "sleep $forever" >/dev/null || break
    sleep 0.05
done
refuse "no process of it is left" pgrep -xf "sleep $forever"
"$AIRLOCK" runs >/dev/null
same "nor a cgroup" 0 "$(airlock_cgroups)"

# What is said wrong on the socket is no harm.
begin -- bash -c 'echo go; while [ ! -e stop ]; do sleep 0.05; done; echo end'
run=$("$AIRLOCK" runs --json | sed -n 's/.*"id": "\(.*\)".*/\1/p' | head -n 1)
check "garbage is not heard" python3 - "$AIRLOCK_STATE_DIR/runs/$run" <<'END'
import os, socket, sys
os.chdir(sys.argv[1])
for data in (b"x", b"\xff" * 4096, bytes(range(256)) * 3):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect("control")
    s.settimeout(10)
    s.send(data)
    assert s.recv(4096) == b""
silent = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(3)]
for s in silent:
    s.connect("control")
END
check "it can still be paused" ask pause
for i in 1 2 3 4 5 6 7 8; do
    "$AIRLOCK" pause >"$SCRATCH/many.$i" 2>&1 &
    askers="${askers:-} $!"
done
for asker in $askers; do
    wait "$asker"
done
same "eight who ask at once all have their answer" 8 "$(cat "$SCRATCH"/many.* | grep -c '^paused run')"
check "and resumed" ask resume
check "and stopped" ask stop
end

finish
