#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The data plane under attack, on both engines: what becomes of each attack, what is counted for it to the
# one, and that an honest client is served meanwhile.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

trap '[ -z "$asking" ] || kill "$asking" 2>/dev/null; clean_up' EXIT
for name in cert other; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
        -keyout "$name.key" -out "$name.pem" 2>/dev/null && chmod 600 "$name.key"
done
ask_each_engine proxy_attacks.py "all attacks were made"
finish
