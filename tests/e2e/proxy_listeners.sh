#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Listeners that a reload takes away and brings back, and the end of all of them, on both engines.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

python=
trap '[ -z "$python" ] || kill "$python" 2>/dev/null; clean_up' EXIT
for engine in ${ENGINES:-io_uring epoll}; do
    PYTHONDONTWRITEBYTECODE=1 python3 "$AIRLOCK_SOURCE_DIR/tests/e2e/proxy_listeners.py" "$engine" \
        "$AIRLOCK_BUILD_DIR/src/airlock-proxy" >"rows.$engine" 2>"errors.$engine" &
    python=$!
    wait "$python"
    ended=$?
    python=
    while IFS=$'\t' read -r result name; do
        same "$name" ok "$result"
    done <"rows.$engine"
    [ "$(wc -l <"rows.$engine")" = 18 ] && [ "$ended" = 0 ]
    row $? "$engine: it came to its end"
    sed 's/^/# /' "errors.$engine"
done
finish
