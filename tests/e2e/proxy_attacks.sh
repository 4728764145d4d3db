#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The data plane under attack, on both engines: what becomes of each attack, what is counted for it to the
# one, and that an honest client is served meanwhile.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

attacker=
trap '[ -z "$attacker" ] || kill "$attacker" 2>/dev/null; clean_up' EXIT
for name in cert other; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
        -keyout "$name.key" -out "$name.pem" 2>/dev/null && chmod 600 "$name.key"
done
for engine in ${ENGINES:-io_uring epoll}; do
    # shellcheck disable=SC2086 # names of groups of rows, when one asks for some alone
    PYTHONDONTWRITEBYTECODE=1 python3 "$AIRLOCK_SOURCE_DIR/tests/e2e/proxy_attacks.py" "$engine" \
        "${PROXY_PROGRAM:-$AIRLOCK_BUILD_DIR/src/airlock-proxy}" ${GROUPS_OF_ROWS:-} >"rows.$engine" 2>"errors.$engine" &
    attacker=$!
    wait "$attacker"
    ended=$?
    attacker=
    while IFS=$'\t' read -r result name why; do
        if [ "$result" = skip ]; then
            skip "$name" "$why"
            continue
        fi
        [ "$result" = ok ]
        row $? "$name"
        [ "$result" = ok ] || echo "# $why"
    done <"rows.$engine"
    [ -s "rows.$engine" ] && [ "$ended" = 0 ]
    row $? "$engine: all attacks were made"
    sed 's/^/# /' "errors.$engine"
done
finish
