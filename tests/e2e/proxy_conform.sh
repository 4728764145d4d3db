#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Conversations with the data plane, good ones and what the RFCs forbid, on both engines: proxy_conform.py
# asks, byte by byte, and looks at the answer, the alert, and what was counted.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

if ! openssl list -kem-algorithms 2>/dev/null | grep -q X25519MLKEM768; then
    echo "1..0 # SKIP no libcrypto with ML-KEM here"
    exit 0
fi
trap '[ -z "$asking" ] || kill "$asking" 2>/dev/null; clean_up' EXIT
make_certificate() { # name, what openssl calls the kind of key
    # shellcheck disable=SC2086 # several words on purpose
    openssl req -x509 -newkey $2 -nodes -days 30 -subj "/CN=$1" -addext "subjectAltName=DNS:$1" \
        -keyout "$1.key" -out "$1.pem" 2>/dev/null && chmod 600 "$1.key"
}
for name in cert ecdsa stranger; do
    make_certificate "$name" "ec -pkeyopt ec_paramgen_curve:P-256"
done
make_certificate ed25519 ed25519
make_certificate mldsa65 ML-DSA-65
ask_each_engine proxy_conform.py "all conversations were held"
finish
