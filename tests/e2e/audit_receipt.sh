#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Receipts of a real run, checked by three programs that share no code: ours, the example, Debian's.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

verifier=$AIRLOCK_BUILD_DIR/examples/verify-receipt/verify-receipt
mkdir work
cd work || exit 99
echo hello >file

check "a run is logged" "$AIRLOCK" run --quiet -- sh -c 'echo x >new; rm file'
"$AIRLOCK" log key >../log.vkey
"$AIRLOCK" receipt >../receipt
key=$(cat ../log.vkey)
check "the whole log verifies" "$AIRLOCK" log verify
check "our verifier accepts the receipt" "$AIRLOCK" verify ../receipt
check "the example accepts it" "$verifier" "$key" ../receipt
same "both intent and outcome are in the log" "run_started run_finished" \
    "$("$AIRLOCK" log --json | grep -o '"type":"[a-z_]*"' | cut -d'"' -f4 | paste -sd' ')"

# Needs no state folder: the key is all it takes.
check "a stranger with the key verifies it" env -i "$AIRLOCK" verify --key "$key" ../receipt

sed 's/^entry eyJj/entry eyJk/' ../receipt >../bad
check "a changed entry is exit 10" status 10 "$AIRLOCK" verify ../bad
check "the example says the same" status 10 "$verifier" "$key" ../bad
sed 's/^2$/3/' ../receipt >../bad
check "a changed tree size is exit 11" status 11 "$AIRLOCK" verify ../bad
check "the example says the same" status 11 "$verifier" "$key" ../bad
sed 's/^airlock.local/airlock.lokal/' ../receipt >../bad
check "a changed origin is exit 12" status 12 "$AIRLOCK" verify ../bad
check "the example says the same" status 12 "$verifier" "$key" ../bad
other=$(AIRLOCK_STATE_DIR=$SCRATCH/other "$AIRLOCK" run --quiet -- true >/dev/null 2>&1
    AIRLOCK_STATE_DIR=$SCRATCH/other "$AIRLOCK" log key)
check "another log's key is exit 13" status 13 "$AIRLOCK" verify --key "$other" ../receipt
check "the example says the same" status 13 "$verifier" "$other" ../receipt
head -c 100 ../receipt >../bad
check "half a receipt is exit 65" status 65 "$AIRLOCK" verify ../bad
check "the example says the same" status 65 "$verifier" "$key" ../bad

# The example, byte by byte; ours is tried bit by bit in tests/unit/audit.
flips() {
    python3 - "$verifier" "$key" ../receipt ../bad <<'PY'
import subprocess, sys
verifier, key, receipt, bad = sys.argv[1:]
good = open(receipt, "rb").read()
survived = []
for at in range(len(good)):
    with open(bad, "wb") as out:
        out.write(good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
    if subprocess.run([verifier, key, bad], capture_output=True).returncode == 0:
        survived.append(at)
print(f"{len(good)} bytes tried; these can change unseen: {survived}")
sys.exit(len(good) < 500 or survived != [])
PY
}
check "the example refuses any flipped byte" flips

check "an apply has a receipt of its own" "$AIRLOCK" apply
"$AIRLOCK" receipt >../receipt
check "and it verifies" "$verifier" "$key" ../receipt
same "and it is the apply's" "stage_applied" \
    "$("$verifier" "$key" ../receipt 2>/dev/null | grep -o '"type":"[a-z_]*"' | cut -d'"' -f4)"

if command -v spicy-litetlog >/dev/null; then
    check "the proof is exported" "$AIRLOCK" receipt --spicy ../proof --entry 1
    check "Debian's spicy-litetlog accepts it" spicy-litetlog -verify "$key" ../proof/entry-1.json
    sed -i 's/"v":1/"v":2/' ../proof/entry-1.json
    refuse "and refuses a changed entry" spicy-litetlog -verify "$key" ../proof/entry-1.json
else
    skip "Debian's spicy-litetlog accepts the proof" "litetlog is not installed"
fi
check "the log is exported as tiles" "$AIRLOCK" log export ../tiles
check "and the checkpoint is the signed one" grep -qaF "$(sed -n 3p ../tiles/checkpoint)" \
    "$AIRLOCK_STATE_DIR/keys/last_checkpoint"
finish
