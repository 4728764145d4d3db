# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of both container engines do: source it behind lib.sh, with $KIND, $SOCKET and
# $IMAGE set and the engine running.

# A root with a shell and a few tools, made of this system's own files: nothing is fetched.
make_rootfs() { # folder
    local name file
    mkdir -p "$1/bin" "$1/tmp"
    for name in sh cat sleep ls id touch rm mkdir head chmod; do
        cp -L "$(command -v "$name")" "$1/bin/$name"
    done
    for file in "$1"/bin/*; do
        ldd "$file" 2>/dev/null | grep -o '/[^ ]*'
    done | sort -u | while read -r file; do
        mkdir -p "$1$(dirname "$file")"
        cp -L "$file" "$1$file"
    done
}

write_policy() {
    mkdir -p "$HOME/.config/airlock"
    cat >"$HOME/.config/airlock/policy.yaml" <<END
version: 1
rules:
  - name: images
    match: { operation: run.exec, engine: $KIND, image: "$IMAGE" }
    action: allow
  - name: stages
    match: { operation: [stage.apply, stage.discard] }
    action: allow
END
}

run() {
    timeout 100 "$AIRLOCK" run -q --engine "$KIND" --image "$IMAGE" --engine-socket "$SOCKET" "$@"
}

mounts_left() {
    grep -c "$AIRLOCK_STATE_DIR/runs" /proc/self/mounts
}

engine_rows() {
    write_policy
    mkdir -p "$SCRATCH/ws/.airlock" "$SCRATCH/ws/sub"
    cd "$SCRATCH/ws" || exit 99
    echo one >old
    echo gone >removed
    : >program
    same "a command's status" 3 "$(run -- sh -c 'exit 3' >/dev/null; echo $?)"
    same "standard output" out "$(run -- sh -c 'echo out; echo err >&2' 2>/dev/null)"
    same "standard error" err "$(run -- sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)"
    same "standard input, and its end" "$(seq 50000 | sha256sum)" "$(seq 50000 | run -- cat | sha256sum)"
    same "a program that is not there" 127 "$(run -- nothing >/dev/null 2>&1; echo $?)"
    same "a file that is no program" 126 "$(run -- ./program >/dev/null 2>&1; echo $?)"
    same "the working folder" "$SCRATCH/ws/sub" "$(cd sub && run -- sh -c 'pwd')"
    same "a variable" yes "$(run --env IT=yes -- sh -c 'echo $IT')"
    same "nothing of the host's environment" /tmp "$(run -- sh -c 'echo $HOME')"
    same "it is not root" 1 "$(run -- id -u | grep -vc '^0$')"
    same "it has no capability" "CapEff:0000000000000000CapBnd:0000000000000000NoNewPrivs:1" \
        "$(run -- cat /proc/self/status | grep -E '^(CapEff|CapBnd|NoNewPrivs)' | tr -d '\t\n')"
    same "seccomp is on" 2 "$(run -- cat /proc/self/status | sed -n 's/^Seccomp:\t//p')"
    same "it has no interface but lo" 1 "$(run -- cat /proc/net/dev | grep -c :)"
    refuse "its root is read-only" run -- touch /x
    refuse "the host's files are not there" run -- cat /etc/shadow
    refuse "the engine's socket is not there" run -- ls "$SOCKET"
    refuse "it has no device of a disk" run -- sh -c 'ls /dev/vda || ls /dev/sda'
    same "a file has a largest size" 1 \
        "$(run --template small -- sh -c '(head -c 300000000 /dev/zero >big) 2>/dev/null; [ $? != 0 ]; echo $((1 - $?))')"

    same "what it writes is staged" 0 "$(run -- sh -c 'echo two >>old && rm removed && mkdir new && echo n >new/file && chmod 755 old' >/dev/null; echo $?)"
    same "the workspace is as it was" "one gone" "$(cat old removed | tr '\n' ' ' | sed 's/ $//')"
    same "the diff has all of it" "new new/file old removed" \
        "$("$AIRLOCK" diff --stat | sed 's/ .*//' | sort | tr '\n' ' ' | sed 's/ $//')"
    same "a run stands on it" "one two" "$(run --on @1 -- cat old | tr '\n' ' ' | sed 's/ $//')"
    check "it is applied" "$AIRLOCK" apply "$("$AIRLOCK" runs | awk '$3 == "open" {print $1; exit}')"
    same "then the workspace has it" "one two n" "$(cat old new/file | tr '\n' ' ' | sed 's/ $//')"
    check "and not what was removed" test ! -e removed
    same "with the owner of the workspace" "$(stat -c %u .)" "$(stat -c %u new/file)"

    same "a time limit" 124 "$(run --timeout 1s -- sleep 60 >/dev/null 2>&1; echo $?)"
    same "out of memory" 137 "$(run --template small -- sh -c 'a=aaaaaaaaaaaaaaaa; while :; do a=$a$a; done' >/dev/null 2>&1; echo $?)"
    check "is told as that" grep -q '"outcome":"memory"' <<<"$("$AIRLOCK" log --json | tail -1)"
    refuse "too many processes" run --template small -- sh -c 'i=0; while [ $i -lt 300 ]; do sleep 5 & i=$((i+1)); done 2>/dev/null'
    check "a receipt verifies" sh -c "'$AIRLOCK' receipt @1 >'$SCRATCH/receipt' && '$AIRLOCK' verify '$SCRATCH/receipt'"

    "$AIRLOCK" run -q --engine "$KIND" --image "$IMAGE" --engine-socket "$SOCKET" -- sleep 300 >/dev/null 2>&1 &
    local airlock=$!
    for _ in $(seq 100); do
        "$AIRLOCK" runs 2>/dev/null | grep -q live && [ "$(engine_containers)" != 0 ] && break
        sleep 0.2
    done
    kill -KILL $airlock
    wait $airlock 2>/dev/null
    for _ in $(seq 150); do
        [ "$(engine_containers) $(engine_volumes)" = "0 0" ] && break
        sleep 0.2
    done
    same "when airlock is killed, container and volume go" "0 0" "$(engine_containers) $(engine_volumes)"
    for _ in $(seq 50); do
        "$AIRLOCK" runs | grep -q live || break
        sleep 0.2
    done
    refuse "and the next command closes the run" sh -c "'$AIRLOCK' runs | grep -q live"
    same "in the log too" lost "$("$AIRLOCK" log --json | grep '"run_finished"' | tail -1 | grep -o '"outcome":"[a-z]*"' | cut -d'"' -f4)"
    same "no mount is left" 0 "$(mounts_left)"
    same "no process is left" 0 "$(airlock_processes)"
}

# A container told from outside to stand still, to go on and to end.
control_rows() {
    local before host out=$SCRATCH/control.out summary=$SCRATCH/control.json
    begin() {
        : >"$out"
        "$AIRLOCK" run --json --engine "$KIND" --image "$IMAGE" --engine-socket "$SOCKET" "$@" >"$out" 2>"$summary" </dev/null &
        host=$!
        for _ in $(seq 200); do
            [ -s "$out" ] && break
            sleep 0.1
        done
    }
    seen() { cat "$AIRLOCK_STATE_DIR/runs/$(live)/upper/count" 2>/dev/null; }
    live() { "$AIRLOCK" runs --json | tr -d '\n' | grep -o '"id": "[^}]*"state": "\(live\|paused\)"' | sed 's/"id": "\([^"]*\)".*/\1/' | tail -n 1; }
    moves() {
        local _
        for _ in $(seq 100); do
            [ "$before" != "$(seen)" ] && return 0
            sleep 0.1
        done
        return 1
    }
    field() { grep -o "\"$1\":[0-9]*" "$summary" | cut -d: -f2; }
    begin --timeout 4s -- sh -c 'echo go; n=0; while :; do n=$((n + 1)); echo $n >count; done'
    before=$(seen)
    check "control: a container works" moves
    check "it is paused" says "paused run" "$AIRLOCK" pause
    before=$(seen)
    sleep 3
    same "nothing of it moves" "$before" "$(seen)"
    check "runs shows it" grep -q '"state": "paused"' <("$AIRLOCK" runs --json)
    check "a second pause is no mistake" "$AIRLOCK" pause
    check "who asked is in the log" grep -q "\"caller\":\"uid:$(id -u)\"" <("$AIRLOCK" log --json | grep '"run_paused"' | tail -n 1)
    check "it goes on" says "resumed run" "$AIRLOCK" resume
    check "and works again" moves
    wait "$host"
    same "past its time limit it still ended by that" 124 $?
    check "by working that long, the pause not counted" test $(($(field wall_us) + $(field paused_us))) -ge 6900000
    check "but told" test "$(field paused_us)" -gt 2900000

    begin -- sh -c 'trap "echo told; exit 7" TERM; echo go; while :; do sleep 0.1; done'
    check "paused again" "$AIRLOCK" pause
    check "a paused one can be stopped" says "stopped run" "$AIRLOCK" stop
    wait "$host"
    same "it was told first, and its own status counts" 7 $?
    check "its last words came" grep -q told "$out"
    refuse "it is over when stop returns" "$AIRLOCK" resume
    begin -- sh -c 'trap "" TERM; echo go; while :; do sleep 0.1; done'
    check "what does not listen is ended" "$AIRLOCK" stop
    wait "$host"
    same "by force" 137 $?

    begin -- sh -c 'echo go; while :; do sleep 0.1; done'
    check "paused" "$AIRLOCK" pause
    kill -KILL "$host"
    wait "$host" 2>/dev/null
    for _ in $(seq 150); do
        [ "$(engine_containers) $(engine_volumes)" = "0 0" ] && break
        sleep 0.2
    done
    same "one whose airlock is killed while it stands still goes too" "0 0" "$(engine_containers) $(engine_volumes)"
    "$AIRLOCK" runs >/dev/null
    refuse "and is live no more" "$AIRLOCK" resume
}

# A plain user who may use the socket of the system's engine, by its group: the container has their
# uid. The socket stays as it is, for it may be the machine's own.
plain_user_rows() {
    local user=54321
    chmod 711 "$SCRATCH"
    [ "$(stat -c %a "${SCRATCH%/*}")" != 700 ] || chmod 711 "${SCRATCH%/*}" # the test's own too
    mkdir -p "$SCRATCH/user/ws/.airlock" "$SCRATCH/user/home/.config/airlock"
    cp "$HOME/.config/airlock/policy.yaml" "$SCRATCH/user/home/.config/airlock/"
    echo mine >"$SCRATCH/user/ws/file"
    chown -R $user:$user "$SCRATCH/user"
    as_user() {
        (cd "$SCRATCH/user/ws" && HOME=$SCRATCH/user/home AIRLOCK_STATE_DIR=$SCRATCH/user/state \
            setpriv --reuid $user --regid $user --groups "$(stat -c %g "$SOCKET")" "$@")
    }
    if as_user test -x "$AIRLOCK" && as_user test -w "$SOCKET"; then
        same "a plain user's container has their uid" $user \
            "$(as_user "$AIRLOCK" run -q --engine "$KIND" --image "$IMAGE" --engine-socket "$SOCKET" -- sh -c 'echo more >>file; id -u')"
        same "and their changes are a stage" "mine more" \
            "$(as_user "$AIRLOCK" apply >/dev/null 2>&1; tr '\n' ' ' <"$SCRATCH/user/ws/file" | sed 's/ $//')"
    else
        skip "a plain user's container has their uid" "another user cannot reach the build folder, or the socket by its group"
    fi
}
