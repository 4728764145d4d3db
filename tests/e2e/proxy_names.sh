#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Servers that have names: asked for at start and again, every address in turn, and the old ones kept
# when nobody answers. The script runs itself again in a network namespace of its own, where it is
# the DNS server.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

if [ "${1:-}" != inside ]; then
    own=$([ "$(id -u)" = 0 ] || echo --map-root-user)
    # shellcheck disable=SC2086 # nothing, or one word
    if ! unshare --mount --net $own true 2>/dev/null; then
        skip "names of servers" "namespaces cannot be made here"
        finish
    fi
    clean_up
    # shellcheck disable=SC2086
    exec unshare --mount --net --pid --fork --kill-child $own bash "$AIRLOCK_SOURCE_DIR/tests/e2e/proxy_names.sh" inside
fi
python3 - <<'END'
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 1))
END
echo "nameserver 127.0.0.1" >resolv.conf
echo "127.0.0.1 written.test" >hosts
mount --bind resolv.conf /etc/resolv.conf || exit 99
mount --bind hosts /etc/hosts || exit 99
mount -t proc proc /proc || exit 99
cat >server.py <<'END'
# Answers DNS by the file "answers" ("NAME ADDRESS..." a line; "-": no such name), and on port 8000 of
# several addresses says which one was reached.
import ipaddress, socket, struct, threading
def answers_of(name):
    for line in open("answers"):
        words = line.split()
        if words[0] == name:
            return [] if words[1] == "-" else [ipaddress.ip_address(text) for text in words[1:]]
    return []
def answer(query):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode()); at += 1 + query[at]
    name, kind = ".".join(labels).lower(), struct.unpack(">H", query[at + 1:at + 3])[0]
    print(name, file=log, flush=True)
    found = answers_of(name)
    rows = [a.packed for a in found if (a.version == 4) == (kind == 1) and kind in (1, 28)]
    head = query[:2] + struct.pack(">HHHHH", 0x8580 if found else 0x8583, 1, len(rows), 0, 0)
    return head + query[12:at + 5] + b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(row)) + row for row in rows)
def serve(address):
    listener = socket.create_server((address, 8000))
    while True:
        connection, _ = listener.accept()
        connection.sendall(address.encode())
        connection.close()
log = open("asked", "w")
dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
dns.bind(("127.0.0.1", 53))
for address in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
    threading.Thread(target=serve, args=(address,), daemon=True).start()
while True:
    query, client = dns.recvfrom(4096)
    dns.sendto(answer(query), client)
END
echo "app.test -" >answers
python3 server.py &
proxy=$AIRLOCK_BUILD_DIR/src/airlock-proxy
load="python3 $AIRLOCK_SOURCE_DIR/tests/e2e/proxy_load.py"
cat >proxy.yaml <<'END'
version: 1
workers: 1
metrics: {bind: "tcp://127.0.0.1:9000"}
listeners:
  - {name: front, bind: "tcp://127.0.0.1:7000", mode: passthrough, routes: [{to: app}]}
  - {name: written, bind: "tcp://127.0.0.1:7001", mode: passthrough, routes: [{to: written}]}
upstreams:
  - {name: app, servers: [{addr: "app.test:8000"}]}
  - {name: written, servers: [{addr: "written.test:8000"}]}
END
"$proxy" -c "$PWD/proxy.yaml" 2>proxy.log &
proxy_pid=$!
reached() { # port: which address answers
    python3 -c '
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as one:
    print(one.recv(100).decode())' "$1" 2>/dev/null
}
wait_line() { $load becomes 9000 "$@"; }
wait_reached() { # address
    for _ in $(seq 300); do
        [ "$(reached 7000)" = "$1" ] && return 0
        sleep 0.05
    done
    cat proxy.log
    return 1
}
server='upstream="app",server="app.test:8000"'
check "a name that nobody knows does not keep it from starting" wait_line \
    "airlock_proxy_upstream_server_up{$server} 0" 'airlock_proxy_upstream_server_up{upstream="written",server="written.test:8000"} 1'
same "a name of /etc/hosts is served" 127.0.0.1 "$(reached 7001)"
same "and nobody was asked for it" "" "$(grep written asked)"
same "who comes for the other one is refused" "" "$(reached 7000)"
check "unhealthy, with the reason" sh -c "! $load page 9000 /health >page; grep -F '\"upstream\": \"app\"' page"
check "the failure is counted" sh -c "$load lines 9000 'airlock_proxy_upstream_resolve_failures_total{$server}' | grep -Ev ' 0\$'"
echo "app.test 127.0.0.2" >answers
check "once it is known, it is served" wait_reached 127.0.0.2
check "and healthy" $load page 9000 /health
echo "app.test 127.0.0.3" >answers
kill -HUP $proxy_pid # which asks again at once
check "when it moves, so do clients" wait_reached 127.0.0.3
echo "app.test -" >answers
before=$($load lines 9000 "airlock_proxy_upstream_resolve_failures_total{$server}" | sed 's/.* //')
kill -HUP $proxy_pid
check "when nobody knows it any more, that is counted" wait_line \
    "airlock_proxy_upstream_resolve_failures_total{$server} $((before + 1))"
same "and the old address stays in use" 127.0.0.3 "$(reached 7000)"
echo "app.test 127.0.0.1 127.0.0.2" >answers
kill -HUP $proxy_pid
in_turn() {
    local seen=
    for _ in $(seq 300); do
        seen="$seen $(reached 7000)"
        case "$seen" in *127.0.0.1*127.0.0.2* | *127.0.0.2*127.0.0.1*) return 0 ;; esac
        sleep 0.02
    done
    echo "$seen"
    return 1
}
check "of two addresses both get their turn" in_turn
kill -TERM $proxy_pid
wait $proxy_pid
same "it ends well" 0 $?
check "the log says what changed" python3 - <<'END'
import collections, json
events = collections.Counter(json.loads(line)["event"] for line in open("proxy.log"))
assert events["proxy.name-resolved"] == 3, events
assert events["proxy.name-unresolved"] >= 2, events
END
finish
