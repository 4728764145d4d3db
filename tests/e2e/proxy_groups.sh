#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Which group is agreed on with whom, as the table of docs/proxy.md says: openssl's own client offers
# one thing after another to a listener with pq: prefer, require and off, changed by SIGHUP.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
if ! command -v openssl >/dev/null || ! openssl list -kem-algorithms | grep -q X25519MLKEM768; then
    echo "no openssl with X25519MLKEM768 here"
    exit 77
fi
port=$(free_ports 1)
set_pq() { # word
    printf 'version: 1\nlisteners:\n- {name: e, bind: "tcp://127.0.0.1:%s", mode: echo, pq: %s, tls: {cert: c.pem, key: k.pem, dev: true}}\n' \
        "$port" "$1" >proxy.yaml
}
edge=
trap 'kill $edge 2>/dev/null; wait; clean_up' EXIT
set_pq prefer
"$AIRLOCK" proxy -c proxy.yaml >out 2>log &
edge=$!

agreed() { # option of s_client...: the group, or the alert
    timeout 20 openssl s_client -connect "127.0.0.1:$port" -CAfile c.pem "$@" </dev/null >said 2>&1
    sed -n -e 's/.*SSL alert number \([0-9]*\)$/alert \1/p' -e 's/^Negotiated TLS1.3 group: \([^<].*\)/\1/p' \
        -e 's/^Peer Temp Key: \([^,]*\),.*/\1/p' said | head -1
}
until_event() { # name count: the log has it so many times
    local _
    for _ in $(seq 100); do
        [ "$(grep -c "\"event\":\"$1\"" log)" -ge "$2" ] && return 0
        sleep 0.1
    done
    cat log
    return 1
}

check "it serves" until_event proxy.start 1
for group in X25519MLKEM768 SecP384r1MLKEM1024 SecP256r1MLKEM768 MLKEM1024; do
    same "prefer: $group" $group "$(agreed -groups $group)"
done
same "prefer: a classical client" X25519 "$(agreed -groups X25519)"
same "and one with P-256" "ECDH" "$(agreed -groups P-256)"
same "prefer: the hybrid group is known, but a share of X25519 was sent" X25519MLKEM768 "$(agreed -groups '*X25519:X25519MLKEM768')"
same "TLS 1.2 is refused as a version" "alert 70" "$(agreed -tls1_2)"

set_pq require
kill -HUP $edge
check "the configuration was read again" until_event proxy.reloaded 1
for group in X25519MLKEM768 SecP384r1MLKEM1024 SecP256r1MLKEM768 MLKEM1024; do
    same "require: $group" $group "$(agreed -groups $group)"
done
same "require: a classical client is refused" "alert 40" "$(agreed -groups X25519:P-256)"
same "require: a share of X25519 leads to a retry" X25519MLKEM768 "$(agreed -groups '*X25519:X25519MLKEM768')"

set_pq off
kill -HUP $edge
check "and again" until_event proxy.reloaded 2
same "off: X25519" X25519 "$(agreed -groups 'X25519MLKEM768:X25519')"
same "off: a client with hybrid groups alone is refused" "alert 40" "$(agreed -groups X25519MLKEM768)"
finish
