#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The proxy as its manifest says, without an enclave, with real traffic; and `airlock enclave verify`,
# which asks it, a relay, and servers that lie.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
for tool in python3 openssl; do
    if ! command -v $tool >/dev/null; then
        echo "1..0 # SKIP no $tool"
        exit 0
    fi
done
if grep -q 'b_sanitize.*address' "$AIRLOCK_BUILD_DIR/meson-info/intro-buildoptions.json" 2>/dev/null &&
    ldd "${AIRLOCK%/*}/airlock-proxy" 2>/dev/null | grep -q asan; then
    echo "1..0 # SKIP a sanitizer's own calls are none of Gramine's"
    exit 0
fi
started=()
stop_all() {
    [ ${#started[@]} = 0 ] || kill "${started[@]}" 2>/dev/null
    wait 2>/dev/null
    clean_up
}
trap stop_all EXIT

read -r front back < <(free_ports 2)
enclave() { "$AIRLOCK" enclave "$@"; }
until_true() { for _ in $(seq 200); do "$@" >/dev/null 2>&1 && return; sleep 0.05; done; return 1; }

mkdir www edge
"$AIRLOCK" proxy init edge >/dev/null
cat >edge/proxy.yaml <<END
version: 1
listeners:
  - name: front
    bind: tcp://127.0.0.1:$front
    mode: terminate
    pq: require
    tls: { cert: dev-cert.pem, key: dev-key.pem, attest: true }
    routes: [ { to: app } ]
upstreams:
  - name: app
    servers: [ { addr: "127.0.0.1:$back" } ]
END
head -c 3000000 /dev/urandom >www/bytes
(cd www && exec python3 -m http.server "$back" --bind 127.0.0.1 >/dev/null 2>&1) &
started+=($!)
until_true bash -c "</dev/tcp/127.0.0.1/$back"

check "a manifest for this configuration" enclave manifest -c edge/proxy.yaml -o edge/proxy.manifest
"$AIRLOCK" enclave sim -m edge/proxy.manifest 2>sim.err &
sim=$!
started+=("$sim")
check "it runs as its manifest says" until_true grep -q proxy.start sim.err
same "with epoll, since Gramine has no io_uring" epoll \
    "$(sed -n 's/.*"event":"proxy.engine","engine":"\([a-z_]*\)".*/\1/p' sim.err)"
measurement=$(sed -n 's/^  measurement *//p' sim.err)
root=$(sed -n 's/^  root *//p' sim.err)
fetch() { # group
    printf 'GET /bytes HTTP/1.0\r\n\r\n' |
        timeout 20 openssl s_client -connect "127.0.0.1:$front" -groups "$1" -ign_eof -quiet 2>/dev/null |
        python3 -c 'import sys; sys.stdout.buffer.write(sys.stdin.buffer.read().split(b"\r\n\r\n", 1)[1])'
}
for group in X25519MLKEM768 SecP256r1MLKEM768 SecP384r1MLKEM1024 MLKEM1024; do
    fetch $group >got
    check "it serves 3 MB over $group" cmp got www/bytes
done
refuse "and nothing over X25519" sh -c \
    "echo | openssl s_client -connect 127.0.0.1:$front -groups X25519 >/dev/null 2>&1"

at=127.0.0.1:$front
spki=$(openssl x509 -in edge/dev-cert.pem -pubkey -noout | openssl pkey -pubin -outform DER |
    sha256sum | cut -d ' ' -f 1)
config=$(sha256sum <edge/proxy.yaml | cut -d ' ' -f 1)
check "a simulation is refused, and said to be one" fails 14 "enclave.simulation" enclave verify "$at"
check "everything else about it holds" grep -q "REFUSED *hardware" "$SCRATCH/fails.out"
check "it is taken when that is said" enclave verify --allow-simulation "$at"
check "by name" enclave verify --allow-simulation "localhost:$front"
check "with everything pinned" enclave verify --allow-simulation --measurement "$measurement" \
    --spki "$spki" --config "$config" --root "$root" "$at"
enclave verify --json --allow-simulation "$at" >verify.json
same "--json says what was seen" "True verified simulation $spki $config $measurement $root X25519MLKEM768" \
    "$(python3 -c 'import json
v = json.load(open("verify.json"))
print(*(v[k] for k in "verified result type spki config measurement root group".split()))')"
same "the manifest's measurement can be computed by anybody" "$measurement" \
    "$( (printf 'airlock/simulation/measurement/1\0'; cat edge/proxy.manifest) | sha256sum | cut -d ' ' -f 1)"
other=$(printf %064d 0)
for pin in measurement spki config root; do
    check "another $pin is refused" fails 76 "enclave.evidence" \
        enclave verify --allow-simulation --$pin "$other" "$at"
done

# Whoever is in between.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=relay \
    -keyout relay.key -out relay.pem 2>/dev/null
liar() { # mode [certificate key]: its port in $port
    rm -f port
    python3 "$AIRLOCK_SOURCE_DIR/tests/e2e/enclave_relay.py" "$1" "${2:-relay.pem}" "${3:-relay.key}" . \
        "$front" 2>liar.err &
    started+=($!)
    until_true test -s port
    port=$(cat port)
}
liar relay
check "a relay with a key of its own is refused" fails 76 "REFUSED *signature" \
    enclave verify --allow-simulation "127.0.0.1:$port"
liar relay edge/dev-cert.pem edge/dev-key.pem
check "even one that stole the key" fails 76 "REFUSED *connection" \
    enclave verify --allow-simulation "127.0.0.1:$port"
check "which shows the right one" grep -q "$spki\|REFUSED *connection" "$SCRATCH/fails.out"
liar silent
check "a server that does not speak this" fails 76 "does not speak airlock-attest/1" \
    enclave verify "127.0.0.1:$port"
liar missing
check "one that has no evidence" fails 76 "404 Not Found" enclave verify "127.0.0.1:$port"
liar garbage
check "one that sends what is none" fails 76 "not evidence of this form" enclave verify "127.0.0.1:$port"
for mode in short cut endless; do
    liar $mode
    check "one whose answer is $mode" fails 76 "enclave.server" enclave verify "127.0.0.1:$port"
done
openssl s_server -accept 127.0.0.1:0 -cert relay.pem -key relay.key -groups X25519 -alpn airlock-attest/1 \
    -naccept 1 >classical.out 2>&1 &
started+=($!)
until_true grep -q '^ACCEPT .*:' classical.out
check "one without a post-quantum key exchange" fails 76 "post-quantum" \
    enclave verify "127.0.0.1:$(sed -n 's/^ACCEPT .*://p' classical.out)"
python3 -c 'import socket, time
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
server, _ = listener.accept()
server.sendall(b"\x16\x03\x03\x3f\xff")
for _ in range(1000):
    server.sendall(b"\x02")
    time.sleep(0.2)' >drips.out 2>/dev/null &
started+=($!)
until_true test -s drips.out
check "one whose first record comes byte by byte" fails 76 "took too long" \
    enclave verify "127.0.0.1:$(cat drips.out)"
check "one that is not there" fails 69 "enclave.unreachable" enclave verify 127.0.0.1:1
check "a name that is none" fails 69 "cannot connect" enclave verify nowhere.invalid:443
check "no port" fails 2 "no HOST:PORT" enclave verify localhost
check "a pin that is none" fails 2 "64 hex digits" enclave verify --spki 00 "$at"
check "no server" fails 2 "name a server" enclave verify

# Outside of the simulation the same proxy has no quote.
kill -TERM $sim
wait $sim
same "SIGTERM ends it gently" 0 $?
check "its log says so" grep -q proxy.stopped sim.err
"$AIRLOCK" proxy -c edge/proxy.yaml 2>plain.err &
started+=($!)
until_true grep -q proxy.start plain.err
check "without a simulation nothing vouches for it, whatever is allowed" fails 76 "holds no quote" \
    enclave verify --allow-simulation "$at"
finish
