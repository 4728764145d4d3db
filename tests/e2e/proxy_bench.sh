#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# airlock proxy bench: it measures what it says, refuses a service that does not echo, and leaves
# nothing behind. What the figures are is not tested: they are the machine's.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
proxy() { timeout 60 "$AIRLOCK" proxy "$@"; }
left() { # what a bench of this user's would leave
    find /tmp -maxdepth 1 -name 'airlock-proxy-bench-*' -user "$(id -u)" 2>/dev/null | wc -l
}

check "a time that is none" status 2 proxy bench --seconds 0
check "a configuration of the user's" status 2 proxy bench -c proxy.yaml
check "a name instead of an address" status 2 proxy bench --to localhost:7
check "a service that is not there" status 74 proxy bench --seconds 1 --to 127.0.0.1:1
cat >service.py <<'PY'
import socket, sys, threading
def serve(one):
    while data := one.recv(65536):
        one.sendall(data if sys.argv[1] == "echo" else bytes(len(data)))
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
PY
exec 3< <(exec python3 service.py echo)
echoing=$!
exec 4< <(exec python3 service.py lie)
lying=$!
trap 'kill $echoing $lying 2>/dev/null; clean_up' EXIT
read -r echo_port <&3
read -r lie_port <&4
check "one that sends back something else" says 'sends back something else' proxy bench --seconds 1 --to "127.0.0.1:$lie_port"
for to in "" "--to 127.0.0.1:$echo_port"; do
    # shellcheck disable=SC2086
    proxy bench --seconds 1 --json $to >answer
    same "it measures${to:+ with a service of the user} and says so" "1024 True 4" "$(python3 - <<'PY'
import json
answer = json.load(open("answer"))
rows = [answer["echo"]["direct"], answer["echo"]["through"], *answer["handshakes"].values()]
whole = all(row["count"] > 0 and 0 < row["p50_ns"] <= row["p99_ns"] <= row["p999_ns"] for row in rows)
print(answer["echo"]["bytes"], whole, len(answer["handshakes"]))
PY
)"
done
proxy bench --seconds 1 >table
check "for people as a table" grep -Eq '^  SecP384r1MLKEM1024( +[0-9]+\.[0-9]){3} +[0-9]+$' table
same "nothing of it is left" 0 "$(left)"
finish
