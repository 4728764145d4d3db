#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The way out of a sandbox: what policy gives, what programs see, what the log holds. Servers are on
# the loopback of the machine, which a target has to call private.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

mkdir "$SCRATCH/workspace" "$SCRATCH/served" "$SCRATCH/home/.config" "$SCRATCH/home/.config/airlock"
cd "$SCRATCH/workspace" || exit 99
echo "from outside" >"$SCRATCH/served/file"
python3 "$AIRLOCK_SOURCE_DIR/tests/e2e/egress_server.py" "$SCRATCH/served" >"$SCRATCH/ports" 2>/dev/null &
server=$!
trap 'kill $server 2>/dev/null; clean_up' EXIT
eventually test -s "$SCRATCH/ports"
read -r port other <"$SCRATCH/ports"
policy() {
    {
        echo "version: 1"
        echo "network: { whitelist: {"
        echo "  local: [{ host: \"127.0.0.1\", port: $port, private: true }],"
        echo "  named: [{ host: localhost, port: $port, private: true }, { host: \"*.localhost\", port: $port, private: true }],"
        echo "  limited: [{ host: \"127.0.0.1\", port: $port, private: true, methods: [GET, HEAD], paths: [/file, \"/he*\"] }],"
        echo "  careless: [\"127.0.0.1:$port\", \"localhost:$port\"] } }"
        echo "rules:"
        echo "  - { name: run, match: { operation: run.exec }, action: allow }"
        [ $# = 0 ] || printf '%s\n' "$@"
    } >"$HOME/.config/airlock/policy.yaml"
}
fetch="python3 $SCRATCH/workspace/fetch.py"
cp "$AIRLOCK_SOURCE_DIR/tests/e2e/egress_fetch.py" fetch.py
inside() { "$AIRLOCK" run --workspace "$PWD" --quiet "$@"; }
says() { # words, command...
    local words=$1
    shift
    "$@" >"$SCRATCH/said" 2>&1
    grep -qF -- "$words" "$SCRATCH/said" || { cat "$SCRATCH/said"; return 1; }
}

policy
check "a run without groups has no proxy" inside -- sh -c 'test -z "${HTTP_PROXY-}" && test -z "${https_proxy-}"'
refuse "and nobody listens for it" inside -- $fetch connect 127.0.0.1 3128
check "a group that is not there is named" says "there is no network group named nope" inside --net nope -- true
check "and what to add" says 'network: { whitelist: { nope: ["example.org:443"] } }' inside --net nope -- true
check "a rule that names no group grants none" says "no rule allows" inside --net local -- true
check "and what to paste" says "- { name: net-local, match: { operation: run.exec, network: [local] }, action: allow }" \
    inside --net local -- true
policy "  - { name: one, match: { operation: run.exec, network: [local] }, action: allow }" \
    "  - { name: two, match: { operation: run.exec, network: [named] }, action: allow }"
refuse "two rules do not make one for both" inside --net local,named -- true
policy "  - { name: net, match: { operation: run.exec, network: [local, named, careless] }, action: allow }" \
    "  - { name: no, match: { operation: run.exec, network: [named] }, action: deny, except: [{ template: small }] }"
refuse "a deny of one of them is a deny" inside --net local,named -- true
policy "  - { name: net, match: { operation: run.exec, network: [local, named, careless] }, action: allow }"

check "http through the proxy" says "from outside" inside --net local -- $fetch http "http://127.0.0.1:$port/file"
check "a tunnel" says "from outside" inside --net local -- $fetch connect 127.0.0.1 "$port"
check "SOCKS with a name" says "from outside" inside --net named -- $fetch socks localhost "$port"
check "SOCKS with an address" says "from outside" inside --net local -- $fetch socks4 127.0.0.1 "$port"
check "another port is refused" says "403 it is in no network group" inside --net local -- $fetch http "http://127.0.0.1:$other/file"
check "so is another host" says "403 it is in no network group" inside --net local -- $fetch http "http://example.org:$port/"
check "an address that is not called private" says "loopback" inside --net careless -- $fetch http "http://127.0.0.1:$port/file"
check "a name that leads to one" says "loopback" inside --net careless -- $fetch http "http://localhost:$port/file"
check "SOCKS says 2 for it" says "socks 2" inside --net careless -- $fetch socks localhost "$port"
check "the variables are there" says "http://127.0.0.1:3128 socks5h://127.0.0.1:3128 localhost,127.0.0.1,::1 1" \
    inside --net local -- sh -c 'echo $https_proxy $ALL_PROXY $NO_PROXY $NODE_USE_ENV_PROXY'
# The proxy's report is not waited for without end: here the proxy does nothing more at all.
check "a proxy that hangs does not keep the run" says "ended" timeout 60 sh -c '
    "$0" run --workspace . --quiet --net local -- sh -c "sleep 2; echo ended" &
    run=$!
    for _ in $(seq 100); do proxy=$(pgrep -P $run -x airlock-proxy) && break; sleep 0.1; done
    sleep 0.5
    kill -STOP $proxy && wait $run' "$AIRLOCK"
check "there is still no route" says "unreachable" inside --net local -- $fetch direct 192.0.2.1 80

policy "  - { name: net, match: { operation: run.exec, network: [local, named, careless, limited] }, action: allow }"
check "a path that the group lists" says "from outside" inside --net limited -- $fetch http "http://127.0.0.1:$port/file"
check "with a query" says "from outside" inside --net limited -- $fetch http "http://127.0.0.1:$port/file?x=/y"
check "another path" says "403 its group does not list this path" inside --net limited -- $fetch http "http://127.0.0.1:$port/chunks"
for path in /he/../chunks /he/%2e%2e/chunks /he//x /he/%2Fx '/he\x' '/he/..;/x' /file/ /fil /; do
    check "the path $path" says "403 its group does not list this path" inside --net limited -- $fetch http "http://127.0.0.1:$port$path"
done
check "another method" says "403 its group does not list this method" inside --net limited -- $fetch post "http://127.0.0.1:$port/file"
check "a tunnel would hide them" says "which a tunnel hides" inside --net limited -- $fetch connect 127.0.0.1 "$port"
check "so would SOCKS" says "socks 2" inside --net limited -- $fetch socks4 127.0.0.1 "$port"

inside --net local,named,careless -- $fetch table "$port" "$other" >"$SCRATCH/table" 2>&1
while read -r result what; do
    row "$([ "$result" = ok ] && echo 0 || echo 1)" "$what"
done <"$SCRATCH/table"

"$AIRLOCK" run --workspace "$PWD" --json --net local -- sh -c \
    "$fetch http http://127.0.0.1:$port/file; $fetch http http://127.0.0.1:$other/file" >/dev/null 2>"$SCRATCH/summary"
check "the summary tells what was reached and refused" python3 - "$SCRATCH/summary" "$port" "$other" <<'PY'
import json, sys
egress = json.loads(open(sys.argv[1]).read())["egress"]
rows = {row["port"]: row for row in egress["hosts"]}
reached, refused = rows[int(sys.argv[2])], rows[int(sys.argv[3])]
assert reached["connections"] == 1 and reached["bytes_down"] > 12 and reached["bytes_up"] > 20
assert refused["denied"] == 1 and refused["connections"] == 0 and "no network group" in refused["reason"]
assert egress["groups"] == ["local"] and egress["connections"] == 1 and egress["denied"] == 1
PY
check "so does its entry" says '"denied": 1' "$AIRLOCK" log show "$("$AIRLOCK" log --json 2>/dev/null | tail -1 | grep -o '"seq":[0-9]*' | cut -d: -f2)"
same "nothing of ours is left running" 0 "$(airlock_processes)"
finish
