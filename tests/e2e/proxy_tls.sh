#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# TLS through the data plane: groups, what is refused and how it is counted, every mode byte for byte on
# both engines, client certificates, names and protocols, PROXY headers, reload, drain.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

back="python3 $AIRLOCK_SOURCE_DIR/tests/e2e/proxy_backend.py"
load="python3 $AIRLOCK_SOURCE_DIR/tests/e2e/proxy_load.py"
$back serve "$SCRATCH/port" &
service=$!
edge=
trap 'kill $service $edge 2>/dev/null; wait 2>/dev/null; clean_up' EXIT
read -r strict prefer off again out pass echo named auth metrics < <(free_ports 10)
for _ in $(seq 100); do
    [ -s port ] && break
    sleep 0.1
done
port=$(cat port)

make_certificate() { # name, what openssl calls the kind of key
    # shellcheck disable=SC2086 # several words on purpose
    openssl req -x509 -newkey $2 -nodes -days 30 -subj "/CN=$1" -addext subjectAltName=DNS:localhost,DNS:a.example,DNS:b.example \
        -keyout "$1.key" -out "$1.pem" 2>/dev/null && chmod 600 "$1.key"
}
pin_of() { # SHA-256 of its public key
    openssl x509 -in "$1.pem" -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum | cut -d ' ' -f 1
}
make_certificate cert "ec -pkeyopt ec_paramgen_curve:P-256"
make_certificate friend ML-DSA-65
make_certificate stranger ed25519
tls="tls: {cert: cert.pem, key: cert.key}"
write_config() { # engine
    cat >proxy.yaml <<END
version: 1
engine: $1
workers: 2
drain: 5s
metrics: {bind: "tcp://127.0.0.1:$metrics"}
listeners:
  - {name: strict, bind: "tcp://127.0.0.1:$strict", mode: terminate, pq: require, $tls, routes: [{to: app}]}
  - {name: prefer, bind: "tcp://127.0.0.1:$prefer", mode: terminate, pq: prefer, $tls, routes: [{to: app}]}
  - {name: off, bind: "tcp://127.0.0.1:$off", mode: terminate, pq: off, $tls, routes: [{to: app}]}
  - {name: again, bind: "tcp://127.0.0.1:$again", mode: reencrypt, pq: require, $tls, routes: [{to: tls}]}
  - {name: out, bind: "tcp://127.0.0.1:$out", mode: originate, routes: [{to: tls}]}
  - {name: pass, bind: "tcp://127.0.0.1:$pass", mode: passthrough, routes: [{sni: localhost, to: raw}, {sni: "*.example", to: gone}]}
  - {name: echo, bind: "tcp://127.0.0.1:$echo", mode: echo, pq: require, $tls}
  - name: named
    bind: "tcp://127.0.0.1:$named"
    mode: terminate
    $tls
    alpn: [h2, http/1.1]
    proxy_protocol: {out: v2}
    routes: [{sni: a.example, alpn: http/1.1, to: app}, {sni: b.example, to: speaks}]
  - name: auth
    bind: "tcp://127.0.0.1:$auth"
    mode: terminate
    tls: {cert: cert.pem, key: cert.key, client: {auth: require, pins: ["$(pin_of friend)"]}}
    proxy_protocol: {out: v2}
    routes: [{to: app}]
upstreams:
  - {name: app, servers: [{addr: "127.0.0.1:$port"}], alpn: [http/1.1]}
  - {name: speaks, servers: [{addr: "127.0.0.1:$port"}], alpn: [h2]}
  - {name: raw, servers: [{addr: "127.0.0.1:$strict"}]}
  - {name: gone, servers: [{addr: "127.0.0.1:1"}]}
  - {name: tls, servers: [{addr: "127.0.0.1:$strict"}], pq: require, tls: {ca: cert.pem, server_name: localhost}}
END
}
start() { # engine
    write_config "$1"
    "$AIRLOCK" proxy -c proxy.yaml >out.txt 2>log &
    edge=$!
    for _ in $(seq 100); do
        $load page "$metrics" /ready >/dev/null 2>&1 && return
        sleep 0.05
    done
    cat log
}
stop() {
    kill -TERM "$edge"
    wait "$edge"
}
group_of() { # port, groups that the client offers, more: what was negotiated
    local to=$1 groups=$2
    shift 2
    openssl s_client -connect "127.0.0.1:$to" -groups "$groups" -CAfile cert.pem -verify_return_error "$@" </dev/null 2>/dev/null |
        sed -n -e '/<NULL>/d' -e 's/^Negotiated TLS1.3 group: //p' -e 's/^Peer Temp Key: \([A-Za-z0-9]*\),.*/\L\1/p'
}
refused() { # port, groups, more: whether it is
    [ -z "$(group_of "$@")" ]
}
count_of() { # a line of /metrics without its number
    $load lines "$metrics" "$1" | awk '{print $2}'
}
counts() { # line, how many more than before, command...
    local line=$1 more=$2 before
    shift 2
    before=$(count_of "$line")
    "$@" || return 1
    for _ in $(seq 40); do
        [ "$(count_of "$line")" = "$((${before:-0} + more))" ] && return 0
        sleep 0.05
    done
    echo "$line: ${before:-0}, then $(count_of "$line")"
    return 1
}
fails() {
    ! "$@" >/dev/null 2>&1
}
negotiates() { # expected, port, groups...
    local want=$1 got
    shift
    got=$(group_of "$@")
    [ "$got" = "$want" ] || { echo "negotiated '$got'"; return 1; }
}

start auto
refusal='airlock_proxy_refusals_total{reason='
check "pq: require refuses a classical client and says why" counts "$refusal\"classical\"}" 1 refused "$strict" X25519
check "and one with P-256 alone" counts "$refusal\"classical\"}" 1 refused "$strict" P-256
check "TLS 1.2 is refused" counts "$refusal\"tls-version\"}" 1 refused "$prefer" X25519MLKEM768:X25519 -tls1_2
check "pq: off refuses a client that is post-quantum alone" counts "$refusal\"no-common-group\"}" 1 refused "$off" X25519MLKEM768
check "groups that nobody here knows are refused" counts "$refusal\"no-common-group\"}" 1 refused "$prefer" secp521r1
check "a name without a route is refused" counts "$refusal\"no-route\"}" 1 refused "$named" X25519MLKEM768 -servername c.example
check "a protocol that the upstream does not speak is refused" \
    counts "$refusal\"no-common-alpn\"}" 1 refused "$named" X25519MLKEM768 -servername b.example -alpn http/1.1
check "no client certificate where one has to be" \
    counts "$refusal\"client-certificate\"}" 1 fails $back turn "$auth" 10 cert.pem
for group in X25519MLKEM768 SecP384r1MLKEM1024 SecP256r1MLKEM768 MLKEM1024; do
    check "$group is negotiated" negotiates "$group" "$strict" "$group"
done
check "a client that sends a classical share first is asked again" \
    counts 'airlock_proxy_handshakes_total{group="X25519MLKEM768",result="ok",retried="true"}' 1 \
    negotiates X25519MLKEM768 "$prefer" X25519:X25519MLKEM768
check "pq: prefer takes a classical client, and counts why" \
    counts 'airlock_proxy_classical_handshakes_total{reason="not-offered"}' 1 negotiates x25519 "$prefer" X25519
check "pq: off takes a classical group from a client that has both" \
    counts 'airlock_proxy_classical_handshakes_total{reason="off"}' 1 negotiates x25519 "$off" X25519MLKEM768:X25519
stop

for engine in io_uring epoll; do
    start "$engine"
    if ! kill -0 "$edge" 2>/dev/null; then
        skip "the modes on $engine" "$(grep -o 'cannot use io_uring.*' out.txt log | head -1)"
        continue
    fi
    check "$engine: terminate, 8 MB there and back at once" $back turn "$strict" 8000000 cert.pem
    check "$engine: reencrypt" $back turn "$again" 8000000 cert.pem
    check "$engine: originate" $back turn "$out" 8000000 plain
    check "$engine: passthrough" $back turn "$pass" 8000000 cert.pem
    check "$engine: echo" $back turn "$echo" 8000000 cert.pem
    check "$engine: a few bytes" $back turn "$again" 12 cert.pem
    refuse "$engine: passthrough of a name whose server is gone" $back turn "$pass" 10 cert.pem a.example
    $back hold "$prefer" cert.pem 3 >held.txt 2>&1 &
    holder=$!
    for _ in $(seq 100); do
        [ -s held.txt ] && break
        sleep 0.05
    done
    kill -HUP "$edge"
    sleep 0.3
    sed -i 's/workers: 2/workers: two/' proxy.yaml
    kill -HUP "$edge"
    check "$engine: a reload, and one that fails, are counted" $load becomes "$metrics" \
        'airlock_proxy_reloads_total{result="ok"} 1' 'airlock_proxy_reloads_total{result="failed"} 1'
    check "$engine: new connections after both" $back turn "$strict" 1000 cert.pem
    kill -TERM "$edge"
    sleep 0.3
    refuse "$engine: draining takes nothing new" $back turn "$strict" 10 cert.pem
    wait "$holder"
    same "$engine: whoever was served is served to the end" "0 held" "$? $(tr '\n' ' ' <held.txt | sed 's/ $//')"
    wait "$edge"
    same "$engine: and then it ends" 0 $?
done

start auto
field() { # of the JSON on stdin
    python3 -c 'import json, sys; print(eval("header" + sys.argv[1], {"header": json.load(sys.stdin)}))' "$1"
}
refuse "a client certificate that is not pinned" $back header "$auth" cert.pem localhost stranger.pem stranger.key
$back header "$auth" cert.pem localhost friend.pem friend.key >header.json 2>header.err
check "one with ML-DSA-65 that is pinned" test -s header.json
same "the service is told its key" "$(pin_of friend)" "$(field '["tlvs"]["e1"]' <header.json)"
same "and the group" 11ec "$(field '["tlvs"]["e2"]' <header.json)"
same "and an exporter of 32 bytes" 64 "$(field '["tlvs"]["e3"].__len__()' <header.json)"
same "and whose it is" 127.0.0.1 "$(field '["source"]' <header.json)"
$back header "$named" cert.pem a.example >header.json 2>&1
same "the protocol that the route and the upstream agree on" http/1.1 "$(field '["tlvs"]["01"]' <header.json | python3 -c 'print(bytes.fromhex(input()).decode())')"
same "and the name that was asked for" a.example "$(field '["tlvs"]["02"]' <header.json | python3 -c 'print(bytes.fromhex(input()).decode())')"
$back header "$named" cert.pem b.example >header.json 2>&1
same "h2 where the upstream speaks it" h2 "$(field '["tlvs"]["01"]' <header.json | python3 -c 'print(bytes.fromhex(input()).decode())')"
stop
finish
