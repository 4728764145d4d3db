#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What airlock makes of an engine that answers wrongly, late, too much or not at all: the engine of
# these rows is engine_server.py, with no container behind it. Docker and Podman themselves:
# engine_podman.sh, engine_docker.sh.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

mkdir -p "$HOME/.config/airlock" "$SCRATCH/ws/.airlock"
cat >"$HOME/.config/airlock/policy.yaml" <<END
version: 1
rules:
  - name: images
    match: { operation: run.exec, engine: [podman, docker], image: "test*" }
    action: allow
  - name: natives
    match: { operation: run.exec, engine: native }
    action: allow
  - name: local
    match: { operation: run.exec, engine: podman, image: "test*", network: [local] }
    action: allow
network: { whitelist: { local: ["127.0.0.1:9"] } }
END
mkdir -p "$HOME/.config/airlock/templates"
printf 'version: 1\nname: strict-one\nbased_on: small\nsummary: sealed\nseccomp: strict\n' >"$HOME/.config/airlock/templates/strict-one.yaml"
cd "$SCRATCH/ws" || exit 99
number=0
server=

stop_server() {
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null
    server=
}
trap 'stop_server; clean_up' EXIT

start_server() { # mode
    stop_server
    number=$((number + 1))
    socket=$SCRATCH/s$number
    log=$SCRATCH/log$number
    : >"$log"
    python3 "$AIRLOCK_SOURCE_DIR/tests/e2e/engine_server.py" "$socket" "$1" "$log" 2>"$SCRATCH/server.err" &
    server=$!
    local _
    for _ in $(seq 100); do
        [ -S "$socket" ] && return
        sleep 0.05
    done
    sed 's/^/# /' "$SCRATCH/server.err"
}

run() { # option... -- command: stdout, stderr and status to files
    timeout 60 "$AIRLOCK" run --engine podman --image test:1 --engine-socket "$socket" "$@" \
        >"$SCRATCH/out" 2>"$SCRATCH/err" <"${input:-/dev/null}"
    status=$?
}

answers() { # mode slug status
    start_server "$1"
    run -- true
    same "$1: it fails with $2" "$3 yes" "$status $(grep -q "\[$2\]" "$SCRATCH/err" && echo yes || cat "$SCRATCH/err")"
}

# Words of the command line.
socket=$SCRATCH/none
run -- true
check "a socket that is not there is said to be none" grep -q 'engine.socket' "$SCRATCH/err"
touch "$SCRATCH/none"
run -- true
check "so is a file that is no socket" grep -q 'engine.socket' "$SCRATCH/err"
"$AIRLOCK" run --engine lxc --image test:1 -- true 2>"$SCRATCH/err"
check "an unknown engine is refused" grep -q 'engine.unknown' "$SCRATCH/err"
"$AIRLOCK" run --engine podman -- true 2>"$SCRATCH/err"
check "an engine without an image is refused" grep -q 'needs an image' "$SCRATCH/err"
"$AIRLOCK" run --image test:1 -- true 2>"$SCRATCH/err"
check "an image without an engine is refused" grep -q 'usage' "$SCRATCH/err"
for name in '../../x' 'a//b' '/x' '-x' 'a b' 'a?b' 'a%2fb' $'a\nb' ''; do
    "$AIRLOCK" run --engine podman --image "$name" -- true 2>"$SCRATCH/err"
    check "'$(printf %q "$name")' is no image" grep -q 'no image' "$SCRATCH/err"
done

# Policy.
start_server ok
"$AIRLOCK" run --engine podman --image other:1 --engine-socket "$socket" -- true 2>"$SCRATCH/err"
same "policy refuses an image that no rule names" 125 $?
check "and says which rule would allow it" grep -q 'engine: podman, image: "other:1" }, action: allow' "$SCRATCH/err"
same "the engine was not asked a thing" 0 "$(wc -l <"$log")"
mv "$HOME/.config/airlock/policy.yaml" "$SCRATCH/policy"
run -- true
check "the default policy allows no container engine" grep -q 'policy.denied' "$SCRATCH/err"
mv "$SCRATCH/policy" "$HOME/.config/airlock/policy.yaml"
run --root / -- true
check "--root is refused with an engine" grep -q -- '--root is for the native engine' "$SCRATCH/err"
run --wait-all -- true
check "--wait-all is refused with an engine" grep -q -- '--wait-all is for the native engine' "$SCRATCH/err"

# What doctor says of engines; none is a reason to fail.
doctor() { # socket: its two rows, and the status
    AIRLOCK_ENGINE_SOCKET=$1 "$AIRLOCK" doctor --json -w "$SCRATCH/ws" >"$SCRATCH/doctor.json"
    same "whatever the engine, doctor succeeds" 0 $?
    python3 -c 'import json, sys
for row in json.load(open(sys.argv[1]))["airlock"]:
    if row["name"] in ("podman", "docker"):
        print(row["name"], row["state"], "|", row["level"], "|", row["how"])' "$SCRATCH/doctor.json" >"$SCRATCH/rows"
}
doctor "$SCRATCH/none"
same "doctor says what is no socket" 2 "$(grep -c "untried | engine.socket | $SCRATCH/none, from AIRLOCK_ENGINE_SOCKET, is no socket" "$SCRATCH/rows")"
start_server garbage
doctor "$socket"
same "what is no answer" 2 "$(grep -c 'missing | engine.malformed' "$SCRATCH/rows")"
start_server ok
doctor "$socket"
check "the version of an engine that answers" grep -Eq "^podman there \\| [0-9.]+ at $socket \\| $" "$SCRATCH/rows"
check "and that it is not the other one" grep -q "^docker untried | engine.unsupported | .* is not docker.*--engine podman" "$SCRATCH/rows"
start_server rootless-limited
doctor "$socket"
check "a rootless one, where it can hold limits" grep -Eq "^podman there \\| [0-9.]+ at $socket \\| $" "$SCRATCH/rows"
start_server rootless
doctor "$socket"
check "and one that a run would refuse" grep -q "^podman less | .*rootless" "$SCRATCH/rows"
start_server silent
doctor "$socket"
same "one that never answers is given up by a limit of doctor's own" 2 "$(grep -c 'missing | .*ENGINE_PING_MS' "$SCRATCH/rows")"
stop_server

# Answers to the first question.
answers garbage engine.malformed 125
answers close engine.unreachable 125
answers no-json engine.malformed 125
answers huge-head engine.malformed 125
answers huge-body engine.malformed 125
answers deep engine.malformed 125
answers two-lengths engine.malformed 125
answers cut engine.malformed 125
answers redirect engine.malformed 125
answers twice engine.malformed 125
answers upgrade engine.malformed 125
answers is-docker engine.unsupported 125
answers rootless engine.unsupported 125
check "and says what is missing" grep -q 'without cgroups of version 2' "$SCRATCH/err"
answers rootless-unlimited engine.gate 125
check "a rootless engine is not believed, its cgroup is" grep -q 'neither the memory nor the processes' "$SCRATCH/err"
refuse "and without limits there is no go" grep -q '^GATE go b.g' "$log"
start_server rootless-limited
run -- true
same "with limits that its cgroup shows it runs" 5 "$status"
check "as the user whose engine it is" grep -q '"User":"0:0"' "$log"
check "and its gate is told what to look for" grep -qE '^GATE gts1 .* memory [1-9][0-9]+ pids 4096$' "$log"
answers bad-id engine.malformed 125
answers no-id engine.malformed 125
answers other-volume engine.malformed 125
answers refuse engine.refused 125
check "what the engine says is shown without its escapes" grep -q 'no ?]52;c;Zm9v? way' "$SCRATCH/err"
refuse "no escape reaches the terminal" grep -q "$(printf '\033')" "$SCRATCH/err"
check "container and volume were removed all the same" grep -q '^DELETE /volumes/airlock-' "$log"
answers attach-lie engine.malformed 125
answers missing engine.image 125
check "and says how to get the image" grep -q -- '--pull' "$SCRATCH/err"

# A pull.
start_server pull
run --pull --json -- true
same "an image is fetched, and the command runs" 5 "$status"
same "its percentage is told" "10 35 60 80 100" "$(grep -o '"event":"image","percent":[0-9]*' "$SCRATCH/err" | grep -o '[0-9]*$' | sort -nu | tr '\n' ' ' | sed 's/ $//')"
check "as pending" grep -q '"state":"pending"' "$SCRATCH/err"
answers_pull() {
    start_server "$1"
    run --pull -- true
    same "$1: it fails with $2" "125 yes" "$status $(grep -q "\[$2\]" "$SCRATCH/err" && echo yes || cat "$SCRATCH/err")"
}
answers_pull pull-error engine.refused
check "with what the engine said, printable" grep -q 'no such ?\[31mimage?' "$SCRATCH/err"
answers_pull pull-garbage engine.malformed

# Gates that are none. The one that is never heard of takes a while, so it is waited for at the end.
python3 "$AIRLOCK_SOURCE_DIR/tests/e2e/engine_server.py" "$SCRATCH/never" gate-never "$SCRATCH/never.log" 2>/dev/null &
silent=$!
trap 'stop_server; kill $silent 2>/dev/null; clean_up' EXIT
eventually test -S "$SCRATCH/never"
AIRLOCK_STATE_DIR=$SCRATCH/never.state "$AIRLOCK" run --engine podman --image test:1 --engine-socket "$SCRATCH/never" -- true \
    >/dev/null 2>"$SCRATCH/never.err" </dev/null &
never=$!
for mode in garbage long state zero close down busy gift file ended filter landlock late; do
    answers gate-$mode engine.gate 125
    refuse "gate-$mode: no escape reaches the terminal" grep -q "$(printf '\033')" "$SCRATCH/err"
done
start_server gate-filter
run -- true
check "a gate that says why is quoted" grep -q 'takes no filter' "$SCRATCH/err"
start_server gate-late
run --net GROUP -- true
check "--net without such a group is refused" grep -q 'network.group' "$SCRATCH/err"
same "before the engine is asked a thing" 0 "$(wc -l <"$log")"
for mode in no-listener two file udp unix; do
    start_server gate-$mode
    run --net local -- true
    same "gate-$mode, where it has to listen: refused" "125 yes" "$status $(grep -q 'engine.gate' "$SCRATCH/err" && echo yes || cat "$SCRATCH/err")"
    refuse "and gets no go" grep -q '^GATE go b.g' "$log"
done
start_server ok
run --json --net local -- true
same "with a listener it goes on" 5 "$status"
check "at the port that the variables name" grep -q '^GATE gts1 port 3128 lines' "$log"
check "which the container has" grep -q '"http_proxy=http://127.0.0.1:3128"' "$log"
check "the container itself has no network all the same" grep -q '"NetworkDisabled":true' "$log"
check "and the summary says what was reached" grep -q '"egress":{.*"groups":\["local"\]' "$SCRATCH/err"
start_server ok
run --template strict-one -- true
same "a strict template is no reason to refuse" 5 "$status"
run --template strict-one --net local -- true
check "but for --net, as everywhere" grep -q 'sandbox.no-egress' "$SCRATCH/err"

# Runs.
start_server ok
run -- prog 'a b' "\"'"
same "the status is passed on" 5 "$status"
same "standard output, taken apart" "out more" "$(tr '\n' ' ' <"$SCRATCH/out" | sed 's/ $//')"
check "standard error, taken apart" grep -qx err "$SCRATCH/err"
body=$(grep Entrypoint "$log")
for want in '"Entrypoint":["/run/airlock-gate"]' ':/run/airlock-gate:ro"' '/gate:/run/airlock-gate.socket:ro"' \
    '"Healthcheck":{"Test":["NONE"]}' '"Hard":1,"Name":"core"' '"CapDrop":["ALL"]' '"SecurityOpt":["no-new-privileges"]' '"ReadonlyRootfs":true' '"NetworkMode":"none"' \
    '"Privileged":false' '"NetworkDisabled":true' '"Cmd":["prog","a b","\"'"'"'"]' '"Name":"nofile"' '"PidsLimit":4096' \
    "\"Image\":\"sha256:abab" '"airlock.run":"' '"IpcMode":"private"'; do
    check "the container is asked for with $want" grep -qF -- "$want" <<<"$body"
done
refuse "it is given no device, no socket of an engine and no folder of the host" grep -qE '"(Devices|Mounts|PidMode|VolumesFrom)"|[^e]\.sock[":]' <<<"$body"
same "two files and the workspace are mounted, and no more" 3 "$(grep -o '"Binds":\[[^]]*\]' <<<"$body" | grep -o '","\|\["' | wc -l)"
check "memory has a limit" grep -qE '"Memory":[1-9]' <<<"$body"
check "its gate is told of a filter and of no listener" grep -qE '^GATE gts1 port 0 lines [1-9][0-9]+ rest 0 memory 0 pids 0$' "$log"
check "and is spoken to once" grep -qx 'GATE once' "$log"
refuse "nothing to trust is mounted" grep -q 'airlock-ca.pem' <<<"$body"
entry=$("$AIRLOCK" log --json | grep '"run_started"' | tail -1)
check "the entry names engine, image and the image's digest" \
    grep -q '"engine":"podman".*"image":"test:1","image_digest":"sha256:abab' <<<"$entry"
check "policy's facts have them too" grep -q '"facts":{[^}]*"engine":"podman","image":"test:1"' <<<"$entry"
end=$("$AIRLOCK" log --json | grep '"run_finished"' | tail -1)
for want in '"cpu_user_us":7000' '"cpu_system_us":2000' '"memory_peak_bytes":5000000'; do
    check "the entry of the end has what was sampled: $want" grep -qF "$want" <<<"$end"
done
check "a receipt of it verifies" sh -c "'$AIRLOCK' receipt @1 >'$SCRATCH/receipt' && '$AIRLOCK' verify '$SCRATCH/receipt'"
start_server byte-by-byte
run -- true
same "an answer that comes byte by byte is one" 5 "$status"
start_server echo
seq 100000 >"$SCRATCH/input"
input=$SCRATCH/input
run -- cat
input=
same "input goes in and comes out whole, and its end too" \
    "$({ cat "$SCRATCH/input" && echo end of input; } | sha256sum)" "$(sha256sum <"$SCRATCH/out")"
start_server oom
run --json -q -- true
same "out of memory is told as that" "137" "$status"
check "in the log too" grep -q '"outcome":"memory"' <<<"$("$AIRLOCK" log --json | tail -1)"
start_server no-program
run -- x
same "a program that the image does not have" 127 "$status"
start_server no-right
run -- x
same "one that cannot be executed" 126 "$status"
start_server no-start
run -- x
same "a start that the engine refuses is its refusal, whatever its words" "125 yes" \
    "$status $(grep -q 'engine.refused' "$SCRATCH/err" && echo yes)"
start_server hang
run --timeout 1s -- true
same "a time limit ends it" 124 "$status"
check "by a kill" grep -q '/kill?signal=9' "$log"
start_server silent
AIRLOCK_ENGINE_SOCKET=$socket "$AIRLOCK" doctor >"$SCRATCH/doctor.out" 2>&1
check "doctor names the limit at which it gives up an engine that never answers" grep -q 'did not answer.*ENGINE_PING_MS' "$SCRATCH/doctor.out"

# A pause that is refused, or only said to be.
begin() { # mode
    start_server "$1"
    : >"$SCRATCH/out"
    run -- true &
    host=$!
    for _ in $(seq 200); do
        [ -s "$SCRATCH/out" ] && break
        sleep 0.05
    done
}
begin no-pause
check "a pause that the engine refuses is refused" says 'pause the container' "$AIRLOCK" pause
refuse "without a word that acts on the terminal" grep -q $'\033' "$SCRATCH/says.out"
refuse "the run is not said to be paused" grep -q '"paused"' <("$AIRLOCK" runs --json)
check "it goes on and can be stopped" says 'stopped run' "$AIRLOCK" stop
wait "$host"
begin hang
check "a pause that did not happen is none" says 'does not stand still' "$AIRLOCK" pause
check "that run can be stopped too" says 'stopped run' "$AIRLOCK" stop
wait "$host"
answers vanish engine.lost 125
answers wait-cut engine.lost 125
answers bad-frames engine.lost 125
start_server die
run -- true
same "the engine dies while the container runs" "125 yes" "$status $(grep -q 'engine.lost' "$SCRATCH/err" && echo yes)"
check "its run stays live, because its container may" sh -c "'$AIRLOCK' runs | grep -q live"
lost_socket=$socket
stop_server
rm -f "$lost_socket"
log=$SCRATCH/log-late
: >"$log"
python3 "$AIRLOCK_SOURCE_DIR/tests/e2e/engine_server.py" "$lost_socket" ok "$log" &
server=$!
for _ in $(seq 100); do
    [ -S "$lost_socket" ] && break
    sleep 0.05
done
refuse "once the engine is back, it is collected" sh -c "'$AIRLOCK' runs | grep -q live"
check "container first" sh -c "grep DELETE '$log' | head -1 | grep -q /containers/"
same "nothing of it is left running" 0 "$(airlock_processes)"
refuse "nothing of it is left mounted" grep -q "$SCRATCH" /proc/self/mounts
start_server stuck
run -- true
same "what cannot be removed is not sealed" "125 yes" "$status $("$AIRLOCK" runs | grep -q live && echo yes)"
wait "$never"
same "a gate that is never heard of ends the run" "125 yes" "$? $(grep -q 'ENGINE_GATE_MS' "$SCRATCH/never.err" && echo yes || cat "$SCRATCH/never.err")"
kill "$silent"
stop_server
umount "$AIRLOCK_STATE_DIR"/runs/*/lower 2>/dev/null # as root that run's mount waits for the engine
finish
