#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Trees of one leaf, of one more than a tile, and of 70,000: proofs for Debian's spicy-litetlog, and
# the tiles that a C2SP client would ask for.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

grow=$AIRLOCK_BUILD_DIR/tests/e2e/probes/grow_log
spicy() { # entry
    if ! command -v spicy-litetlog >/dev/null; then
        skip "spicy-litetlog accepts entry $1 of $size" "litetlog is not installed"
        return
    fi
    check "entry $1 of $size is exported with its proof" "$AIRLOCK" log export --proof "$1" proof
    check "spicy-litetlog accepts it" spicy-litetlog -verify "$key" "proof/entry-$1.json"
    sed -i 's/"v":1/"v":2/' "proof/entry-$1.json"
    refuse "and refuses it changed" spicy-litetlog -verify "$key" "proof/entry-$1.json"
}
files() { find tiles -type f | sed 's|^tiles/||' | sort; }

for size in 1 257 70000; do
    check "a log of $size entries" "$grow" "$size"
    check "its tiles are exported" "$AIRLOCK" log export tiles
    same "the checkpoint names $size" "$size" "$(sed -n 2p tiles/checkpoint)"
    key=$("$AIRLOCK" log key)
    check "it verifies" "$AIRLOCK" log verify --checkpoint tiles/checkpoint
    spicy 0
    spicy $((size - 1))
    spicy $((size / 2))
done
check "the root of 70,000 has one partial tile of each level" test -f tiles/tile/0/273.p/112
check "of the second" test -f tiles/tile/1/001.p/17
check "of the third" test -f tiles/tile/2/000.p/1
same "273 full tiles of hashes" 273 "$(files | grep -c '^tile/0/[0-9]*$')"
same "a full tile has 8,192 bytes" 8192 "$(stat -c %s tiles/tile/0/272)"
finish
