#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# npm install from the registry that this machine's npm is configured for, and curl to the same host.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

export XDG_CONFIG_HOME=$SCRATCH/config
use_npm || {
    skip "npm install" "npm is not installed here"
    finish
}
home=$HOME
HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
registry=$(npm config get registry 2>/dev/null)
ca=$(npm config get cafile 2>/dev/null)
HOME=$home
[ -r "$ca" ] || ca=/etc/ssl/certs/ca-certificates.crt
target=$(node -e 'const u = new URL(process.argv[1]); console.log(u.hostname + ":" + (u.port || (u.protocol == "http:" ? 80 : 443)))' "$registry")
mkdir -p "$SCRATCH/workspace" "$SCRATCH/outside" "$XDG_CONFIG_HOME/airlock"
cd "$SCRATCH/workspace" || exit 99
echo '{ "name": "x", "version": "1.0.0", "private": true }' >package.json
install=(npm install --registry "$registry" --cafile "$ca" --cache "$SCRATCH/cache" --no-audit --no-fund --no-update-notifier is-odd)
if ! (cp package.json "$SCRATCH/outside" && cd "$SCRATCH/outside" && timeout 60 "${install[@]}" >"$SCRATCH/outside.out" 2>&1); then
    skip "npm install" "the registry cannot be reached from this machine even without a sandbox"
    finish
fi
cat >"$XDG_CONFIG_HOME/airlock/policy.yaml" <<END
version: 1
network: { whitelist: { npm: ["$target"], other: ["registry.invalid:443"] } }
rules: [{ name: net, match: { operation: run.exec, network: [npm, other] }, action: allow }]
END
install[7]=/tmp/cache
check "npm install works with its registry's group" timeout 100 "$AIRLOCK" run --workspace "$PWD" --net npm -- "${install[@]}"
check "what it installed is staged" sh -c '"$1" diff | grep -q node_modules/is-odd/index.js' sh "$AIRLOCK"
check "the log has the host and how much came" sh -c '"$1" log --json | grep "\"egress\"" | grep -q "\"host\":\"$2\""' \
    sh "$AIRLOCK" "${target%:*}"
refuse "with another group it does not" timeout 100 "$AIRLOCK" run --workspace "$PWD" --quiet --net other -- \
    "${install[@]}" --fetch-retries 0
if command -v curl >/dev/null; then
    for way in "" "--socks5-hostname 127.0.0.1:3128" "--proxy http://127.0.0.1:3128"; do
        # shellcheck disable=SC2086 # several words on purpose
        check "curl ${way:-by its variables}" "$AIRLOCK" run --workspace "$PWD" --quiet --net npm -- \
            curl -fsS --cacert "$ca" $way -o /dev/null "${registry%/}/is-odd"
    done
    refuse "curl to another host" "$AIRLOCK" run --workspace "$PWD" --quiet --net npm -- curl -fsS https://example.org/
else
    skip "curl through http, its variables and SOCKS" "curl is not installed here"
fi
finish
