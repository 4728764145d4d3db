#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What /metrics, /health and the log say of a load that is known to the byte: clients with and without
# post-quantum groups, servers that are good, dead, silent, stalled, flooding, or die in the middle.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

proxy=$AIRLOCK_BUILD_DIR/src/airlock-proxy
load="python3 $AIRLOCK_SOURCE_DIR/tests/e2e/proxy_load.py"
python3 "$AIRLOCK_SOURCE_DIR/tests/e2e/proxy_servers.py" "$SCRATCH" 2>"$SCRATCH/servers.err" &
servers=$!
proxy_pid=
trap '[ -z "$proxy_pid" ] || kill $proxy_pid 2>/dev/null; kill $servers 2>/dev/null; clean_up' EXIT
for _ in $(seq 100); do
    [ -s "$SCRATCH/ports" ] && break
    sleep 0.1
done
port_of() { sed -n "s/^$1=//p" "$SCRATCH/ports"; }
good_a=$(port_of good_a) good_b=$(port_of good_b) gone=$(port_of gone)
closes=$(port_of closes) stalls=$(port_of stalls) dies=$(port_of dies) floods=$(port_of floods)
read -r front strict plain long lone silent stalled dying flooded mixed outer wrong metrics < <(free_ports 13)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 10 -subj /CN=app.example \
    -addext subjectAltName=DNS:app.example -keyout key.pem -out cert.pem 2>/dev/null
chmod 600 key.pem
tls="tls: {cert: cert.pem, key: key.pem}"
write_config() { # weight of good_a, and of good_b
    cat >proxy.yaml <<END
version: 1
workers: 2
engine: ${engine:-auto}
metrics: {bind: "tcp://127.0.0.1:$metrics"}
listeners:
  - {name: front, bind: "tcp://127.0.0.1:$front", mode: terminate, pq: prefer, $tls, routes: [{to: app}]}
  - {name: strict, bind: "tcp://127.0.0.1:$strict", mode: terminate, pq: require, $tls, routes: [{to: app}]}
  - {name: plain, bind: "tcp://127.0.0.1:$plain", mode: passthrough, routes: [{to: app}]}
  - {name: long, bind: "tcp://127.0.0.1:$long", mode: passthrough, routes: [{to: app}]}
  - {name: lone, bind: "tcp://127.0.0.1:$lone", mode: passthrough, routes: [{to: lone}]}
  - {name: silent, bind: "tcp://127.0.0.1:$silent", mode: passthrough, routes: [{to: silent}]}
  - {name: stalled, bind: "tcp://127.0.0.1:$stalled", mode: passthrough, routes: [{to: stalled}], limits: {first_byte: 200ms}}
  - {name: dying, bind: "tcp://127.0.0.1:$dying", mode: terminate, $tls, routes: [{to: dying}]}
  - {name: flooded, bind: "tcp://127.0.0.1:$flooded", mode: passthrough, routes: [{to: flooded}]}
  - {name: mixed, bind: "tcp://127.0.0.1:$mixed", mode: passthrough, routes: [{to: mixed}]}
  - {name: outer, bind: "tcp://127.0.0.1:$outer", mode: reencrypt, $tls, routes: [{to: again}]}
  - {name: wrong, bind: "tcp://127.0.0.1:$wrong", mode: originate, routes: [{to: wrong}]}
upstreams:
  - {name: again, servers: [{addr: "127.0.0.1:$front"}], tls: {ca: cert.pem, server_name: app.example}}
  - {name: wrong, servers: [{addr: "127.0.0.1:$front"}], tls: {ca: cert.pem, server_name: other.example}}
  - {name: app, servers: [{addr: "127.0.0.1:$good_a", weight: $1}, {addr: "127.0.0.1:$good_b", weight: $2}], health: {interval: 500ms, timeout: 500ms, rise: 2, fall: 2}}
  - {name: lone, servers: [{addr: "127.0.0.1:$gone"}]}
  - {name: silent, servers: [{addr: "127.0.0.1:$closes"}]}
  - {name: stalled, servers: [{addr: "127.0.0.1:$stalls"}]}
  - {name: dying, servers: [{addr: "127.0.0.1:$dies"}]}
  - {name: flooded, servers: [{addr: "127.0.0.1:$floods"}]}
  - {name: mixed, servers: [{addr: "127.0.0.1:$gone", weight: 1}, {addr: "127.0.0.1:$good_a", weight: 1}]}
END
}
wait_page() { # path status
    local got
    for _ in $(seq 200); do
        $load page "$metrics" "$1" >"$SCRATCH/page" 2>&1
        got=$?
        [ $got = "$2" ] && return 0
        sleep 0.05
    done
    cat "$SCRATCH/page" proxy.log
    return 1
}
becomes() { $load becomes "$metrics" "$@"; }
m=airlock_proxy

write_config 3 1
"$proxy" -c "$SCRATCH/proxy.yaml" 2>proxy.log &
proxy_pid=$!
check "it becomes ready" wait_page /ready 0
[ $failed = 0 ] || { finish; exit; }
check "and healthy" wait_page /health 0

# The load: 8 hybrid, 5 classical through front; 3 hybrid and 4 classical through strict; 6 plain.
check "8 hybrid clients" $load request "$front" 8 100 5000
check "5 classical clients" $load request "$front" 5 200 10000 classical
check "3 hybrid clients where hybrid is required" $load request "$strict" 3 1000 70000
for i in 1 2 3 4; do
    check "a classical client where hybrid is required gets nothing ($i)" $load broken "$strict" classical
done
check "6 clients without TLS" $load request "$plain" 6 300 100000 plain
check "bytes are those of the load" becomes \
    "${m}_bytes_total{listener=\"front\",direction=\"in\"} $((8 * 100 + 5 * 200))" \
    "${m}_bytes_total{listener=\"front\",direction=\"out\"} $((8 * 5000 + 5 * 10000))" \
    "${m}_bytes_total{listener=\"strict\",direction=\"in\"} 3000" \
    "${m}_bytes_total{listener=\"strict\",direction=\"out\"} 210000" \
    "${m}_bytes_total{listener=\"plain\",direction=\"in\"} 1800" \
    "${m}_bytes_total{listener=\"plain\",direction=\"out\"} 600000"
check "and connections" becomes \
    "${m}_connections_total{listener=\"front\"} 13" "${m}_connections_live{listener=\"front\"} 0" \
    "${m}_connections_total{listener=\"strict\"} 7" "${m}_connections_live{listener=\"strict\"} 0" \
    "${m}_connections_total{listener=\"plain\"} 6" "${m}_connections_live{listener=\"plain\"} 0"
check "and handshakes by group" becomes \
    "${m}_handshakes_total{group=\"X25519MLKEM768\",result=\"ok\",retried=\"false\"} 11" \
    "${m}_handshakes_total{group=\"X25519MLKEM768\",result=\"ok\",retried=\"true\"} 0" \
    "${m}_handshakes_total{group=\"secp256r1\",result=\"ok\",retried=\"false\"} 5" \
    "${m}_handshakes_total{group=\"other\",result=\"refused\",retried=\"false\"} 4" \
    "${m}_handshakes_total{group=\"other\",result=\"failed\",retried=\"false\"} 0" \
    "${m}_handshake_duration_seconds_count{group=\"X25519MLKEM768\"} 11" \
    "${m}_handshake_cpu_seconds_count{group=\"secp256r1\"} 5"
check "and offers" becomes \
    "${m}_group_offers_total{group=\"X25519MLKEM768\"} 11" "${m}_group_offers_total{group=\"secp256r1\"} 20"
check "and why a classical group was taken" becomes "${m}_classical_handshakes_total{reason=\"not-offered\"} 5"
check "and refusals" becomes "${m}_refusals_total{reason=\"classical\"} 4" "${m}_refusals_total{reason=\"no-server\"} 0"
check "and no error" becomes "${m}_errors_total{kind=\"handshake\"} 0" "${m}_errors_total{kind=\"truncated\"} 0" \
    "${m}_errors_total{kind=\"client-reset\"} 0" "${m}_errors_total{kind=\"connect\"} 0"
check "times are counted once for each" becomes "${m}_upstream_connect_duration_seconds_count 22" \
    "${m}_upstream_first_byte_duration_seconds_count 22"
a=$(cat good_a.count)
b=$(cat good_b.count)
check "servers had as many as they say" becomes \
    "${m}_upstream_connections_total{upstream=\"app\",server=\"127.0.0.1:$good_a\"} $a" \
    "${m}_upstream_connections_total{upstream=\"app\",server=\"127.0.0.1:$good_b\"} $b" \
    "${m}_upstream_connections_live{upstream=\"app\",server=\"127.0.0.1:$good_a\"} 0"
counted() { # server
    $load lines "$metrics" "${m}_upstream_connections_total{upstream=\"app\",server=\"127.0.0.1:$1\"}" | sed 's/.* //'
}
same "both together" 22 $(($(counted "$good_a") + $(counted "$good_b")))
weighted() { # two workers, each with its own turn: off by one each at most
    local of_a
    of_a=$(counted "$good_a")
    [ "$of_a" -ge 15 ] && [ "$of_a" -le 18 ]
}
check "three of four went to the server of weight 3" weighted
for i in 1 2 3; do
    check "a client that leaves with its handshake ($i)" $load leave "$front" "$proxy_pid"
done
check "is one that was there" becomes "${m}_errors_total{kind=\"client-reset\"} 3" \
    "${m}_handshakes_total{group=\"X25519MLKEM768\",result=\"ok\",retried=\"false\"} 14" \
    "${m}_connections_total{listener=\"front\"} 16" "${m}_connections_live{listener=\"front\"} 0"
same "no server heard of it" 22 $(($(counted "$good_a") + $(counted "$good_b")))
check "the engine and why" sh -c "$load lines $metrics ${m}_engine_info | grep -E 'engine=\"(${engine:-io_uring|epoll})\",reason=\"[^\"]*\"} 1'"
check "the certificate's end" sh -c "$load lines $metrics ${m}_certificate_expiry | grep -E 'listener=\"front\"} 1[0-9]{9}'"

# Its own client's side: the upstream of one listener is another one.
check "3 clients by way of TLS on both sides" $load request "$outer" 3 100 20000
check "a server that is somebody else gets nothing" $load broken "$wrong" plain
check "handshakes with servers" becomes "${m}_upstream_handshakes_total{group=\"X25519MLKEM768\",result=\"ok\"} 3" \
    "${m}_upstream_handshakes_total{group=\"other\",result=\"failed\"} 1" \
    "${m}_upstream_handshake_duration_seconds_count{group=\"X25519MLKEM768\"} 3" \
    "${m}_errors_total{kind=\"upstream-handshake\"} 1" "${m}_bytes_total{listener=\"outer\",direction=\"out\"} 60000"

check "a long answer in clear" $load request "$long" 1 100 64000000 plain
check "is counted to the byte" becomes "${m}_bytes_total{listener=\"long\",direction=\"in\"} 100" \
    "${m}_bytes_total{listener=\"long\",direction=\"out\"} 64000000" "${m}_spliced_bytes_total{listener=\"long\",direction=\"in\"} 0"
check "and was not copied" sh -c "$load lines $metrics '${m}_spliced_bytes_total{listener=\"long\",direction=\"out\"}' | awk '{exit \$2 < 32000000}'"
check "as bytes in TLS are" becomes "${m}_spliced_bytes_total{listener=\"front\",direction=\"out\"} 0" \
    "${m}_spliced_bytes_total{listener=\"outer\",direction=\"out\"} 0"

# Servers that do not do what they should.
check "nobody listens" $load broken "$lone" plain
check "a server that closes without a byte" $load broken "$silent" plain
check "a server that stalls" $load broken "$stalled" plain
check "a server that dies in the middle" $load broken "$dying" tls
check "each has its own kind" becomes "${m}_errors_total{kind=\"connect\"} 1" "${m}_errors_total{kind=\"upstream-silent\"} 1" \
    "${m}_errors_total{kind=\"first-byte-timeout\"} 1" "${m}_errors_total{kind=\"upstream-reset\"} 1" \
    "${m}_upstream_failures_total{upstream=\"lone\",server=\"127.0.0.1:$gone\"} 1" \
    "${m}_upstream_failures_total{upstream=\"silent\",server=\"127.0.0.1:$closes\"} 1" \
    "${m}_upstream_failures_total{upstream=\"stalled\",server=\"127.0.0.1:$stalls\"} 1"
check "clients of a pair of which one is gone are all served" $load request "$mixed" 6 100 1000 plain
check "by another try" sh -c "$load lines $metrics ${m}_upstream_retries_total | grep -Ex '${m}_upstream_retries_total [1-9][0-9]*'"
for i in 2 3 4 5; do
    check "nobody listens ($i)" $load broken "$lone" plain
done
check "five failures open the circuit" becomes \
    "${m}_upstream_circuit_opened_total{upstream=\"lone\",server=\"127.0.0.1:$gone\"} 1"
check "then nobody is asked any more" $load broken "$lone" plain
check "which is a refusal, or the one probe" sh -c "$load lines $metrics '${m}_refusals_total{reason=\"no-server\"}' '${m}_errors_total{kind=\"connect\"}' | awk '{sum += \$2} END {exit sum != 6}'"
check "a server that floods a client which does not read fills no memory" python3 - "$flooded" "$proxy_pid" <<'END'
import socket, sys, time
port, pid = int(sys.argv[1]), sys.argv[2]
def resident():
    return int(open(f"/proc/{pid}/statm").read().split()[1]) * 4096
before = resident()
clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
for one in clients:
    one.sendall(b"go\n")
time.sleep(1)
grown = resident() - before
print(grown)
sys.exit(grown > 64 << 20)
END
check "and they are gone with their clients" becomes "${m}_connections_live{listener=\"flooded\"} 0"

# Health.
kill -USR1 $servers
check "unhealthy when all servers of an upstream are down" wait_page /health 3
check "with the reason" grep -qF '"upstream": "app"' page
check "and a number" becomes "${m}_upstream_server_up{upstream=\"app\",server=\"127.0.0.1:$good_a\"} 0"
check "clients are refused" $load broken "$front"
check "with the reason too" sh -c "$load lines $metrics '${m}_refusals_total{reason=\"no-server\"}' | grep -Ev ' 0\$'"
kill -USR2 $servers
check "and back" sh -c "for _ in \$(seq 200); do $load page $metrics /health | grep -F '\"upstream\": \"app\"' || exit 0; sleep 0.05; done; exit 1"
check "clients are served again" $load request "$front" 2 100 1000

# Reload.
write_config 0 1
kill -HUP $proxy_pid
check "a reload is counted" becomes "${m}_reloads_total{result=\"ok\"} 1"
b=$(counted "$good_b")
check "a drained server" $load request "$front" 5 100 1000
same "gets nothing" $((b + 5)) "$(counted "$good_b")"
echo "version: 2" >proxy.yaml
kill -HUP $proxy_pid
check "a wrong one is counted" becomes "${m}_reloads_total{result=\"failed\"} 1"
check "and changes nothing" $load request "$front" 1 100 1000

# The log.
kill -TERM $proxy_pid
wait $proxy_pid
same "it ends well" 0 $?
proxy_pid=
check "every line of the log is JSON, and a connection's says what happened to it" python3 - <<'END'
import collections, json
lines = [json.loads(line) for line in open("proxy.log")]
events = collections.Counter(line["event"] for line in lines)
for event in ("proxy.start", "proxy.engine", "proxy.reloaded", "proxy.reload-failed", "proxy.draining", "proxy.stopped"):
    assert events[event] == 1, (event, events)
assert events["proxy.server-down"] >= 2 and events["proxy.server-up"] >= 2, events
assert events["proxy.circuit-opened"] >= 1, events
ending = [line for line in lines if line["event"] == "proxy.certificate"]
assert {line["listener"] for line in ending} == {"front", "strict", "dying", "outer"}, ending
assert all(line["days"] in (9, 10) for line in ending), ending
connections = [line for line in lines if line["event"] == "connection"]
strict = [line for line in connections if line["listener"] == "strict"]
assert collections.Counter(line["end"] for line in strict) == {"done": 3, "classical": 4}, strict
good = [line for line in strict if line["end"] == "done"]
for line in good:
    assert line["group"] == "X25519MLKEM768" and line["post_quantum"] is True and line["tls"] == "TLSv1.3", line
    assert line["sni"] == "app.example" and line["bytes_in"] == 1000 and line["bytes_out"] == 70000, line
    assert 0 < line["handshake_us"] <= line["total_us"] and line["upstream"] == "app", line
plain = [line for line in connections if line["listener"] == "plain"]
assert len(plain) == 6 and all("group" not in line and line["bytes_out"] == 100000 for line in plain), plain
END
finish
