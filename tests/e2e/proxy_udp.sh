#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# UDP through the data plane, on each engine: a service that answers several times, an echo, clients that
# keep their server-side port over a reload, a server that dies, eviction, and counters that equal it all.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

proxy=${AIRLOCK_PROXY:-$AIRLOCK_BUILD_DIR/src/airlock-proxy}
udp="python3 $AIRLOCK_SOURCE_DIR/tests/e2e/proxy_udp.py"
proxy_pid=
server_pid=
trap '[ -z "$proxy_pid" ] || kill $proxy_pid 2>/dev/null; [ -z "$server_pid" ] || kill $server_pid 2>/dev/null; clean_up' EXIT
read -r service echo_port server < <(free_ports 3)
metrics=$(free_ports 1)
write_config() { # engine, sessions of the echo
    cat >proxy.yaml <<END
version: 1
workers: 2
engine: $1
metrics: {bind: "tcp://127.0.0.1:$metrics"}
listeners:
  - {name: echo, bind: "udp://127.0.0.1:$echo_port", mode: echo}
  - {name: names, bind: "udp://[::]:$service", mode: passthrough, routes: [{to: names}], limits: {sessions: 8, session_idle: $2}}
upstreams:
  - {name: names, servers: [{addr: "127.0.0.1:$server"}]}
END
}
start_server() {
    $udp serve "$server" 2>>server.err &
    server_pid=$!
}
line_says() { grep -F "\"$1\"" proxy.log >/dev/null; }
is_reloaded() {
    for _ in $(seq 100); do
        [ "$(grep -c '"event":"proxy.reloaded"' proxy.log)" -ge "$1" ] && return 0
        sleep 0.05
    done
    cat proxy.log
    return 1
}

for engine in epoll io_uring; do
    write_config $engine 60s
    start_server
    : >proxy.log
    "$proxy" -c "$SCRATCH/proxy.yaml" 2>proxy.log &
    proxy_pid=$!
    if [ $engine = io_uring ] && ! $udp ready "$metrics"; then
        skip "the relay on io_uring" "this kernel or container has none: $(head -c 200 proxy.log)"
        break
    fi
    check "$engine: it serves" $udp ready "$metrics"
    check "$engine: an echo gives back 500 datagrams" $udp echo "$echo_port" 500
    check "$engine: three answers to one question, IPv4 and IPv6" $udp several "$service"
    check "$engine: the answer to a first datagram is three times its size at most" $udp amplify "$service"
    $udp stay "$service" stay.pipe stay.done >stay.out 2>&1 &
    stay=$!
    for _ in $(seq 100); do [ -e stay.pipe ] && break; sleep 0.05; done
    kill -HUP $proxy_pid
    check "$engine: it takes the same configuration again" is_reloaded 1
    touch stay.done
    check "$engine: a client keeps its port at the server over a reload" wait $stay
    check "$engine: a ninth client costs the silent one its session, and no more" $udp churn "$service" "$metrics" 40 8
    check "$engine: the counters are those of the load" $udp counters "$metrics"
    kill $server_pid
    wait $server_pid 2>/dev/null
    check "$engine: nothing comes from a server that is gone" $udp silent "$service"
    start_server
    check "$engine: and it comes again when it is back" $udp back "$service"
    write_config $engine 50ms
    kill -HUP $proxy_pid
    check "$engine: other limits are taken" is_reloaded 2
    check "$engine: the silent lose their sessions by themselves" $udp gone "$service" "$metrics"
    kill $server_pid $proxy_pid
    wait $server_pid 2>/dev/null
    check "$engine: it ends when it is told to" wait $proxy_pid
    proxy_pid=
    server_pid=
    check "$engine: the silent have a line in the log" grep -q '"event":"session".*"datagrams_in":.*"end":"idle-timeout"' proxy.log
    check "$engine: and who made room for others" grep -q '"event":"session".*"end":"evicted"' proxy.log
    check "$engine: and who lost the server" grep -q '"event":"session".*"end":"server-gone"' proxy.log
done
finish
