# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of both container engines do: source it behind lib.sh, with $KIND, $SOCKET and
# $IMAGE set and the engine running.

# A root with a shell and a few tools, made of this system's own files: nothing is fetched.
make_rootfs() { # folder
    local name file
    mkdir -p "$1/bin" "$1/tmp"
    chmod 1777 "$1/tmp" # some runtimes go by it
    cp "$AIRLOCK_BUILD_DIR/tests/e2e/probes/container_probe" "$1/bin/probe"
    for name in sh bash cat sleep ls id touch rm mkdir head chmod openssl; do
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

# One request through the proxy, by bash alone: host and port, path.
# shellcheck disable=SC2016 # the container's
FETCH='exec 3<>/dev/tcp/127.0.0.1/3128 && printf "GET http://%s%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" $0 $1 $0 >&3 && cat <&3'

# The hosts of net_rows: plain and other speak HTTP, tls is a server with a certificate of ours.
start_hosts() {
    local folder=$SCRATCH/hosts
    mkdir -p "$folder"
    echo "from outside" >"$folder/file"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$folder/key" -out "$folder/ca" -days 2 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
    python3 "$AIRLOCK_SOURCE_DIR/tests/e2e/egress_server.py" "$folder" >"$folder/ports" 2>/dev/null &
    hosts=$!
    python3 - "$folder" >"$folder/tls" 2>/dev/null <<'END' &
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"seen: " + self.headers.get("Authorization", "nothing").encode() + b"\n")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + "/ca", sys.argv[1] + "/key")
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
END
    hosts="$hosts $!"
    eventually test -s "$folder/ports"
    eventually test -s "$folder/tls"
    read -r plain other <"$folder/ports"
    read -r tls <"$folder/tls"
}

net_policy() { # rule...
    {
        echo "version: 1"
        echo "network: { whitelist: {"
        echo "  local: [{ host: \"127.0.0.1\", port: $plain, private: true }],"
        echo "  named: [{ host: localhost, port: $plain, private: true }, { host: localhost, port: $tls, private: true }],"
        echo "  limited: [{ host: \"127.0.0.1\", port: $plain, private: true, methods: [GET], paths: [/file] }] } }"
        echo "rules:"
        echo "  - { name: natives, match: { operation: run.exec, network: [local] }, action: allow }"
        echo "  - { name: images, match: { operation: run.exec, engine: $KIND, image: \"$IMAGE\" }, action: allow }"
        [ $# = 0 ] || printf '%s\n' "$@"
    } >"$HOME/.config/airlock/policy.yaml"
}

# The way out of a container: the one of a sandbox, seen from an image.
net_rows() {
    local ask summary=$SCRATCH/net.json
    start_hosts
    cd "$SCRATCH/ws" || exit 99
    net_policy
    refuse "net: without a group nobody listens in the container" run -- bash -c "$FETCH" "127.0.0.1:$plain" /file
    check "a rule that names no group grants none" says "no rule allows" run --net local -- true
    check "a group that is not there is named" says "there is no network group named nope" run --net nope -- true
    net_policy "  - { name: net, match: { operation: run.exec, engine: $KIND, image: \"$IMAGE\", network: [local, named, limited] }, action: allow }"
    refuse "another host is refused" says "from outside" run --net local -- bash -c "$FETCH" "127.0.0.1:$other" /file
    check "with the reason" grep -q "403" "$SCRATCH/says.out"
    check "a path that its group does not list" says "does not list this path" run --net limited -- bash -c "$FETCH" "127.0.0.1:$plain" /head
    refuse "there is still no route" run --net local -- bash -c "exec 3<>/dev/tcp/127.0.0.1/$plain"
    same "and no interface but lo" 1 "$(run --net local -- cat /proc/net/dev | grep -c :)"
    check "a header for a host outside of the groups" says "which no network group of the run has" \
        run --net local --inject "http://localhost:$plain: X-Key: secret-word" -- true
    same "its gate's socket is closed behind it" "connect ECONNREFUSED" "$(run --net local -- probe knock /run/airlock-gate.socket)"
    refuse "the gate again is nobody's" run --net local -- /run/airlock-gate id
    check "a host of the group is reached by the command's first act" says "from outside" run --net local -- bash -c "$FETCH" "127.0.0.1:$plain" /file
    same "the variables are there" "http://127.0.0.1:3128 socks5h://127.0.0.1:3128 localhost,127.0.0.1,::1" \
        "$(run --net local -- sh -c 'echo $https_proxy $ALL_PROXY $NO_PROXY')"
    check "a header is added outside" says "X-Key: secret-word" \
        run --net named --inject "http://localhost:$plain: X-Key: secret-word" -- bash -c "$FETCH" "localhost:$plain" /head
    # shellcheck disable=SC2016 # the container's
    ask='{ printf "GET / HTTP/1.0\r\n\r\n"; sleep 1; } | openssl s_client -quiet -verify_return_error -proxy 127.0.0.1:3128 -connect localhost:$0 -servername localhost -CAfile $SSL_CERT_FILE'
    check "in TLS too, by a certificate that the container trusts" says "seen: Bearer secret-word" env SSL_CERT_FILE="$SCRATCH/hosts/ca" \
        "$AIRLOCK" run -q --engine "$KIND" --image "$IMAGE" --engine-socket "$SOCKET" --net named \
        --inject "localhost:$tls: Authorization: Bearer secret-word" -- sh -c "$ask" "$tls"
    check "the container never has it" sh -c "! grep -q secret-word '$AIRLOCK_STATE_DIR'/runs/*/plan && ! '$AIRLOCK' log --json | grep -q secret-word"
    egress() { python3 -c 'import json, sys; print(json.dumps(json.loads(open(sys.argv[1]).read().splitlines()[-1])["egress"], sort_keys=True))' "$1"; }
    "$AIRLOCK" run --json --net local -- bash -c "$FETCH" "127.0.0.1:$plain" /file >/dev/null 2>"$SCRATCH/native.json"
    "$AIRLOCK" run --json --engine "$KIND" --image "$IMAGE" --engine-socket "$SOCKET" --net local -- bash -c "$FETCH" "127.0.0.1:$plain" /file \
        >/dev/null 2>"$summary"
    same "hosts and bytes are told as of a native sandbox" "$(egress "$SCRATCH/native.json")" "$(egress "$summary")"
    check "in the log too" grep -q '"bytes_down":[1-9]' <<<"$(newest run_finished)"
    same "nothing of it is left running" 0 "$(airlock_processes)"
    same "no file of it is left in the run" 0 "$(find "$AIRLOCK_STATE_DIR/runs" -name gate -o -name trust.pem | wc -l)"
    # shellcheck disable=SC2086 # a list
    kill $hosts
}

# The strict profile: Airlock's own filter and Landlock, under the engine's.
strict_rows() {
    local levels all='bind chmod fork inotify_init1 memfd_create mkdir rename rmdir socket truncate unlink'
    mkdir -p "$HOME/.config/airlock/templates"
    printf 'version: 1\nname: strict-one\nbased_on: small\nsummary: sealed\nseccomp: strict\n' \
        >"$HOME/.config/airlock/templates/strict-one.yaml"
    cd "$SCRATCH/ws" || exit 99
    same "standard: what strict refuses is allowed" "" "$(run -- probe calls | grep -v "done")"
    check "standard: another program is executed" run -- bash -c '/bin/id'
    levels=$("$AIRLOCK" log --json | grep '"run_finished"' | tail -1 | grep -o '"seccomp":"[a-z+]*"')
    same "the entry says whose filters are on" "\"seccomp\":\"$KIND+standard\"" "$levels"
    same "standard: both filters are on" 1 "$(($(run -- sh -c "while read -r name value; do [ \$name = Seccomp_filters: ] && echo \$value; done </proc/self/status") >= 2))"
    if run --template strict-one -- probe calls >"$SCRATCH/calls" 2>"$SCRATCH/calls.err"; then
        same "strict: none of these calls" "$(printf '%s EPERM\n' $all)" "$(grep -v "done" "$SCRATCH/calls" | sort)"
        same "strict: but those it needs" "read done socketpair done" "$(grep "done" "$SCRATCH/calls" | tr '\n' ' ' | sed 's/ $//')"
        same "strict: no other program" "exec EACCES" "$(run --template strict-one -- probe exec /bin/id)"
        same "strict: a dynamic program starts" 0 "$(run --template strict-one -- bash -c 'echo $((1 - 1))')"
        check "strict: and starts nothing" says "denied\|not permitted" run --template strict-one -- bash -c '/bin/id'
        same "strict: what is not there" 127 "$(run --template strict-one -- nothing >/dev/null 2>&1; echo $?)"
        check "strict and --net is refused as everywhere" says "permits no sockets" run --template strict-one --net local -- true
        check "a template of Airlock's own" run --template policy-sandbox -- cat /proc/self/status
    else
        check "strict: refused, because this engine keeps Landlock away" grep -q 'engine.gate' "$SCRATCH/calls.err"
        check "and it is said" grep -q 'lets nobody use Landlock' "$SCRATCH/calls.err"
    fi
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
    start_hosts
    net_policy "  - { name: net, match: { operation: run.exec, engine: $KIND, image: \"$IMAGE\", network: [local] }, action: allow }" \
        "  - { name: stages, match: { operation: [stage.apply, stage.discard] }, action: allow }"
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
        check "and their way out" says "from outside" as_user "$AIRLOCK" run -q --engine "$KIND" --image "$IMAGE" \
            --engine-socket "$SOCKET" --net local -- bash -c "$FETCH" "127.0.0.1:$plain" /file
    else
        skip "a plain user's container has their uid" "another user cannot reach the build folder, or the socket by its group"
    fi
    # shellcheck disable=SC2086 # a list
    kill $hosts
}
