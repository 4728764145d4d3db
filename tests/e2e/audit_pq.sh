#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A second signature on every checkpoint: turned on for a log that has one, off again, lost, failing.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

verifier=$AIRLOCK_BUILD_DIR/examples/verify-receipt/verify-receipt
keys=$AIRLOCK_STATE_DIR/keys
mkdir -p "$HOME/.config/airlock" work
cd work || exit 99

turn() { # on or off
    local value=false
    [ "$1" = on ] && value=true
    echo "keys: {pq_signatures: $value}" >"$HOME/.config/airlock/config.yaml"
}
lines() { # file: signature lines
    grep -c "^— " "$1"
}

"$AIRLOCK" run --quiet -- true
"$AIRLOCK" receipt >../before
same "off by default: one signature" 1 "$(lines ../before)"
same "and one key" 1 "$("$AIRLOCK" log key | wc -l)"
refuse "and no second key is made" test -e "$keys/log_pq.key"

turn on
refuse "a second key that is not there yet is told" "$AIRLOCK" log key
check "turned on, a run goes on" "$AIRLOCK" run --quiet -- sh -c 'echo x >new'
"$AIRLOCK" receipt >../receipt
same "its receipt has both signatures" 2 "$(lines ../receipt)"
same "the second key is private" "600" "$(stat -c %a "$keys/log_pq.key")"
"$AIRLOCK" log key >../log.vkey
{ read -r key; read -r pq; } <../log.vkey
check "our verifier checks both" says "Ed25519 and ML-DSA-44" "$AIRLOCK" verify ../receipt
check "the receipt of before verifies" says "signed by  Ed25519" "$AIRLOCK" verify ../before
check "a stranger with both keys verifies it" \
    env -i "$AIRLOCK" verify --key "$key" --key "$pq" ../receipt
check "or with both in one" env -i "$AIRLOCK" verify --key "$(cat ../log.vkey)" ../receipt
check "with one key it is refused" status 13 "$AIRLOCK" verify --key "$key" ../receipt
check "and says what is there" says "by keys that were not named" \
    "$AIRLOCK" verify --key "$key" ../receipt
check "unless it is passed over, and that is said" says "1 signature by keys" \
    "$AIRLOCK" verify --key "$key" --allow-unknown ../receipt
check "the second key alone is none" status 13 "$AIRLOCK" verify --key "$pq" ../receipt
check "who names both wants both" status 13 "$AIRLOCK" verify --key "$key" --key "$pq" ../before
check "the example checks both" "$verifier" "$key" "$pq" ../receipt
check "in any order" "$verifier" "$pq" "$key" ../receipt
check "the example refuses a signature by a key it was not given" status 13 \
    "$verifier" "$key" ../receipt
check "and a signature that is not there" status 13 "$verifier" "$key" "$pq" ../before

# The last characters of each signature line.
for line in 1 2; do
    number=$(grep -n "^— " ../receipt | sed -n "${line}p" | cut -d: -f1)
    sed "${number}s/\(.*\)\(.\)\(........\)\$/\1@\2\3/; ${number}s/@A/B/; ${number}s/@./A/" \
        ../receipt >../bad
    refuse "line $line is changed" cmp -s ../receipt ../bad
    check "ours sees it" status 12 "$AIRLOCK" verify ../bad
    check "the example sees it" status 12 "$verifier" "$key" "$pq" ../bad
done
sed '$d' ../receipt >../bad
check "without its second line it is refused" status 13 "$verifier" "$key" "$pq" ../bad
sed "s/^4\$/5/" ../receipt >../bad
check "a changed size is exit 11" status 11 "$AIRLOCK" verify ../bad
check "the example says the same" status 11 "$verifier" "$key" "$pq" ../bad

check "the whole log verifies" says "signed by ML-DSA-44 too" "$AIRLOCK" log verify
check "and against the receipt" "$AIRLOCK" log verify --receipt ../receipt
check "the log is exported" "$AIRLOCK" log export ../tiles
same "its checkpoint has both signatures" 2 "$(lines ../tiles/checkpoint)"
check "the log is held against it" "$AIRLOCK" log verify --checkpoint ../tiles/checkpoint
check "the log is exported as lines" "$AIRLOCK" log export --jsonl ../log.jsonl
check "which verify" says "ML-DSA-44 signature agrees too" \
    "$AIRLOCK" log import --check ../log.jsonl --salts ../log.jsonl.salts
if command -v spicy-litetlog >/dev/null; then
    check "the proof is exported" "$AIRLOCK" receipt --spicy ../proof --entry 1
    same "with both signatures" 2 "$(lines ../proof/entry-1.json.spicy)"
    check "Debian's spicy-litetlog accepts it" spicy-litetlog -verify "$key" ../proof/entry-1.json
else
    skip "Debian's spicy-litetlog accepts the note" "litetlog is not installed"
fi

# What fails is said, and the command's own work is not undone by it.
mv "$keys/log_pq.key" ../kept
check "a lost second key is an error" says "airlock-keys-pq cannot use keys/log_pq.key" \
    "$AIRLOCK" run -- true
check "which says what to do" says "pq_signatures: false" "$AIRLOCK" run -- true
refuse "and no other is made" test -e "$keys/log_pq.key"
check "nor is a receipt with one signature" says "log_pq.key" "$AIRLOCK" receipt
mv ../kept "$keys/log_pq.key"
check "put back, all is well" "$AIRLOCK" run --quiet -- true
mv "$keys/last_checkpoint_pq" ../kept
check "a lost second checkpoint is an error" says "keys/last_checkpoint_pq is gone" \
    "$AIRLOCK" run -- true
check "of the log too" says "keys/last_checkpoint_pq is gone" "$AIRLOCK" log verify
mv ../kept "$keys/last_checkpoint_pq"
check "put back, the log verifies" "$AIRLOCK" log verify

mkdir ../bin
cp "$AIRLOCK" "$(dirname "$AIRLOCK")"/airlock-* ../bin 2>/dev/null
rm ../bin/airlock-keys-pq
check "without its program it is an error" says "cannot find airlock-keys-pq" \
    ../bin/airlock run -- true
printf '#!/bin/sh\nexit 1\n' >../bin/airlock-keys-pq
chmod +x ../bin/airlock-keys-pq
check "and so is a program that fails" says "airlock-keys-pq" ../bin/airlock run -- true

turn off
check "turned off, a run goes on" "$AIRLOCK" run --quiet -- true
"$AIRLOCK" receipt >../after
same "with one signature" 1 "$(lines ../after)"
check "which verifies" "$AIRLOCK" verify ../after
check "and so does the receipt of before" "$AIRLOCK" verify ../receipt
check "and the log" "$AIRLOCK" log verify
turn on
check "on again, it goes on where it was" "$AIRLOCK" run --quiet -- true
"$AIRLOCK" receipt >../again
same "with both signatures" 2 "$(lines ../again)"
check "by the same key" "$verifier" "$key" "$pq" ../again
check "and the log verifies" "$AIRLOCK" log verify
finish
