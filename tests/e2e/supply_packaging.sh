#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What packaging/ says to systemd and to container engines is about programs and flags that are there:
# the health check tells a proxy that serves from one that does not, and systemd takes the unit.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
unit=$AIRLOCK_SOURCE_DIR/packaging/systemd/airlock-proxy.service
containerfile=$AIRLOCK_SOURCE_DIR/packaging/Containerfile
proxy=$AIRLOCK_BUILD_DIR/src/airlock-proxy

"$proxy" init edge >/dev/null
read -r front metrics < <(free_ports 2)
sed -i "s/:8443/:$front/; s/:9443/:$metrics/" edge/proxy.yaml
well() {
    "$proxy" health -c edge/proxy.yaml
}
refuse "nothing serves: the health check fails" well
"$proxy" -c edge/proxy.yaml 2>proxy.log &
server=$!
for _ in $(seq 100); do
    well >/dev/null 2>&1 && break
    sleep 0.1
done
check "it serves: the health check passes" well
check "  and says what it saw as JSON" sh -c '"$0" health -c edge/proxy.yaml | python3 -m json.tool' "$proxy"
kill "$server"
wait "$server"
same "SIGTERM ends it, with status 0" 0 $?
refuse "it ended: the health check fails" well
sed '/^metrics:/,/bind/d' edge/proxy.yaml >edge/silent.yaml
check "a configuration without /health is told so" status 65 "$proxy" health -c edge/silent.yaml
check "health needs a configuration" status 2 "$proxy" health

same "the container's health check is this command" \
    'CMD ["/usr/libexec/airlock/airlock-proxy", "health", "-c", "/etc/airlock/proxy.yaml"]' \
    "$(sed -n 's/^    CMD/CMD/p' "$containerfile")"
same "the last stage begins with nothing" "FROM scratch" "$(grep '^FROM' "$containerfile" | tail -n 1)"
check "and is nobody's root" grep -qE '^USER [1-9][0-9]*:[1-9][0-9]*$' "$containerfile"
if command -v systemd-analyze >/dev/null && [ "$(id -u)" = 0 ]; then
    # Its programs where they would be installed, as far as the check looks.
    sed -e '/^Documentation=/d' -e "s#/usr/bin/airlock #$AIRLOCK #" "$unit" >"$SCRATCH/airlock-proxy.service"
    check "systemd takes the unit" systemd-analyze verify "$SCRATCH/airlock-proxy.service"
    sed 's/^ProtectSystem=/ProtectSystems=/' "$SCRATCH/airlock-proxy.service" >"$SCRATCH/wrong.service"
    check "  and would say what it does not know" says "Unknown key" systemd-analyze verify "$SCRATCH/wrong.service"
    check "its exposure is below 2 of 10" systemd-analyze security --offline=true --threshold=20 "$SCRATCH/airlock-proxy.service"
else
    skip "systemd takes the unit" "no systemd-analyze here, or not root (it is among the packages of make check)"
fi
finish
