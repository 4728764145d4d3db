#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The digest of a stage, computed again by somebody else; and folders of a run that no other gets.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

said=$SCRATCH/said
mkdir work
echo old >work/f
echo gone >work/gone
"$AIRLOCK" run --quiet --workspace work -- sh -c \
    'echo new >f; rm gone; mkdir -p d/e; ln -s ../f d/link; : >"d/odd	name"; chmod 700 d/e; mkfifo pipe; echo x >d/e/x'
cat >compute.py <<'END'
import hashlib, json, re, struct, sys

def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

def unescape(text):
    return re.sub(rb"\\(n|t|\\|x..)", lambda m: {b"n": b"\n", b"t": b"\t", b"\\": b"\\"}.get(m[1]) or
                  bytes([int(m[1][1:], 16)]), text.encode())

def root(leaves):
    if not leaves:
        return sha()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha(b"\1", root(leaves[:split]), root(leaves[split:]))

stage = json.load(open(sys.argv[1]))
leaves = []
for leaf in stage["leaves"]:
    path = unescape(leaf["path"]) + b"\0"
    kind = ["none", "file", "folder", "link", "other"].index(leaf["kind"])
    leaves.append(sha(b"\0", struct.pack("<I", len(path)), path, struct.pack(
        "<BIBBQ", kind, leaf["mode"], leaf["owner_is_payload"], leaf["refusal"], leaf["bytes"]),
        bytes.fromhex(leaf["sha256"]), bytes.fromhex(leaf["attributes_sha256"])))
assert root(leaves).hex() == stage["digest"], "the root is another"
subjects = {s["name"]: s["digest"] for s in stage["subject"]}
assert subjects["stage/" + stage["run"]] == {"airlockStageV1": stage["digest"]}
assert subjects["f"] == {"sha256": hashlib.sha256(b"new\n").hexdigest()}
assert "gone" not in subjects and "pipe" not in subjects and len(stage["leaves"]) == 8, stage
END
"$AIRLOCK" diff --workspace work --digest >"$said"
check "the digest can be computed from what is printed" python3 compute.py "$said"
digest=$(sed -n 's/^ *"digest": "\([0-9a-f]*\)",*$/\1/p' "$said" | head -1)
check "it is the one in the log" grep -q "\"digest\":\"$digest\"" <("$AIRLOCK" log --json | grep run_finished)
refuse "paths are refused" "$AIRLOCK" diff --workspace work --digest work/f
"$AIRLOCK" discard --workspace work >/dev/null
refuse "a stage that is closed has none any more" "$AIRLOCK" diff --workspace work --digest @1

# /tmp, /var/tmp, home and what was printed are of one run only.
leave='for d in /tmp /var/tmp "$HOME" /dev/shm; do echo left >"$d/left" || exit 1; done; echo x >s'
look='for d in /tmp /var/tmp "$HOME" /dev/shm; do ls -A "$d" | grep left; done; true'
check "a run leaves something everywhere" "$AIRLOCK" run --quiet --workspace work -- sh -c "$leave"
same "the next finds nothing of it" "" "$("$AIRLOCK" run --quiet --workspace work -- sh -c "$look")"
same "nor does one that stands on it" "" \
    "$(cd work && "$AIRLOCK" run --quiet --on @2 -- sh -c "$look")"
same "what each printed stays by itself" "1 2" "$(
    for i in 1 2; do "$AIRLOCK" run --quiet --workspace work -- echo $i >/dev/null; done
    find "$AIRLOCK_STATE_DIR/runs" -name output | LC_ALL=C sort | tail -2 | xargs cat | xargs)"
finish
