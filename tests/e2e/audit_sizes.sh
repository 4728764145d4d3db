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

# Retention took the bytes of the oldest entries.
says() { # pattern command...
    local pattern=$1
    shift
    "$@" 2>&1 | grep -q -- "$pattern"
}
check "a log past its size loses its oldest entries" "$grow" 70000 15000000
check "it still verifies, and says what is gone" says "entries have no bytes any more" \
    "$AIRLOCK" log verify --checkpoint tiles/checkpoint
check "such an entry is shown as what is left of it" says "deleted by retention" \
    "$AIRLOCK" log show 0
check "a list begins with the first one that is there" says '"type":"decision"' \
    "$AIRLOCK" log --json --limit 3
check "an entry says what went" says '"from":0,' "$AIRLOCK" log --json --type audit_archive_deleted
check "report counts what is gone" says 'entries deleted by retention before  *[1-9]' \
    "$AIRLOCK" log report
refuse "it has no receipt any more" "$AIRLOCK" receipt --entry 0
rm -rf tiles
check "tiles are exported without those bundles" says 'bundles of entries are not there' \
    "$AIRLOCK" log export tiles
refuse "the first bundle is not among them" test -e tiles/tile/entries/000
check "its hashes are" test -f tiles/tile/0/000
check "lines of JSON are exported" "$AIRLOCK" log export --jsonl lines
check "and checked" says 'only hashes' "$AIRLOCK" log import --check --salts lines.salts lines
sed '2,257d' lines >bad
refuse "but for hashes that are missing" "$AIRLOCK" log import --check bad
finish
