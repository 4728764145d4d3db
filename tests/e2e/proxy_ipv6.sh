#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Clients, servers and PROXY headers of IPv6, and of IPv4 at a socket of both, on both engines.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

if ! python3 -c 'import socket; socket.create_server(("::1", 0), family=socket.AF_INET6)' 2>/dev/null; then
    echo "no IPv6 here"
    exit 77
fi
proxy=
service=
trap 'kill $proxy $service 2>/dev/null; wait 2>/dev/null; clean_up' EXIT
talk=$AIRLOCK_SOURCE_DIR/tests/e2e/proxy_ipv6.py
read -r v1 v2 both told app metrics < <(free_ports 6)
export PYTHONDONTWRITEBYTECODE=1
python3 "$talk" serve "$app" &
service=$!
check "the service is there" eventually bash -c "exec 3<>/dev/tcp/::1/$app 4<>/dev/tcp/127.0.0.1/$app"

start() { # engine
    cat >proxy.yaml <<END
version: 1
engine: $1
workers: 1
metrics: {bind: "tcp://[::1]:$metrics"}
listeners:
  - {name: v1, bind: "tcp://[::1]:$v1", mode: terminate, $tls, proxy_protocol: {out: v1}, routes: [{to: six}]}
  - {name: v2, bind: "tcp://[::1]:$v2", mode: terminate, $tls, proxy_protocol: {out: v2}, routes: [{to: six}]}
  - {name: both, bind: "tcp://[::]:$both", mode: terminate, $tls, proxy_protocol: {out: v2}, routes: [{to: four}]}
  - name: told
    bind: "tcp://[::1]:$told"
    mode: terminate
    $tls
    proxy_protocol: {in: ["::1/128"], out: v2}
    routes: [{to: six}]
    limits: {connections_per_prefix: 2}
upstreams:
  - {name: six, servers: [{addr: "[::1]:$app"}]}
  - {name: four, servers: [{addr: "127.0.0.1:$app"}]}
END
    chmod 600 proxy.yaml
    "$AIRLOCK" proxy -c proxy.yaml >out 2>log &
    proxy=$!
    eventually grep -q proxy.start log || cat log
}
tls="tls: {cert: server.pem, key: server.key, dev: true}"
says() { python3 "$talk" ask "$@" 2>&1; }

for engine in ${ENGINES:-io_uring epoll}; do
    start "$engine"
    same "$engine: a header of version 1 has the client's address and ours" "v1 TCP6 ::1 ::1 $v1" "$(says ::1 "$v1")"
    same "$engine: one of version 2 too" "v2 TCP6 ::1 ::1 $v2" "$(says ::1 "$v2")"
    same "$engine: IPv6 at a socket of both" "v2 TCP6 ::1 ::1 $both" "$(says ::1 "$both")"
    same "$engine: IPv4 there is IPv4 again" "v2 TCP4 127.0.0.1 127.0.0.1 $both" "$(says 127.0.0.1 "$both")"
    same "$engine: what a header of version 1 says goes on" "v2 TCP6 2001:db8:1::7 2001:db8::1 443" \
        "$(says ::1 "$told" 'PROXY TCP6 2001:db8:1::7 2001:db8::1 7777 443')"
    same "$engine: and what one of version 2 says" "v2 TCP6 2001:db8:2::7 2001:db8::1 443" \
        "$(says ::1 "$told" 2 2001:db8:2::7 2001:db8::1)"
    same "$engine: an IPv4 client that a header of IPv6's listener names" "v2 TCP4 192.0.2.7 192.0.2.1 443" \
        "$(says ::1 "$told" 2 192.0.2.7 192.0.2.1)"
    check "$engine: the log names who was named" grep -q '2001:db8:2::7' log
    # A /56 is one network: the third of its clients has no place, one of the next has.
    same "$engine: two of a network, and one of another" "in in out in" \
        "$(says ::1 "$told" crowd 2001:db8:3:100::1 2001:db8:3:1ff::2 2001:db8:3:1aa::3 2001:db8:3:200::1)"
    kill -TERM $proxy
    wait $proxy
    same "$engine: it ends well" 0 $?
done
finish
