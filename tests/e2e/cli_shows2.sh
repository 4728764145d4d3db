#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The main job, as a person does it: run, look, apply, prove.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

mkdir project && cd project || exit 99
git init -q . && echo hello >README.md && git add . &&
    git -c user.name=t -c user.email=t@example.com commit -qm first || exit 99

check "a run that changes two files ends with 0" \
    "$AIRLOCK" run -- sh -c 'echo x > a; rm README.md'
cp "$SCRATCH/row.out" "$SCRATCH/said"
check "its summary counts them" grep -q '+1 added.*-1 deleted' "$SCRATCH/said"
check "its summary says what to type next" grep -q 'airlock apply' "$SCRATCH/said"
same "git status is clean" "" "$(git status --porcelain)"
"$AIRLOCK" diff >"$SCRATCH/diff"
check "diff shows the new file" grep -qx '+x' "$SCRATCH/diff"
check "diff shows the deleted file" grep -qx 'deleted file mode 100644' "$SCRATCH/diff"
check "git can read the diff" git apply --check "$SCRATCH/diff"
check "apply makes them real" "$AIRLOCK" apply
same "both of them" " D README.md?? a" "$(git status --porcelain | tr -d '\n')"
refuse "apply works once" "$AIRLOCK" apply
"$AIRLOCK" receipt >"$SCRATCH/receipt"
check "the receipt is genuine" "$AIRLOCK" verify "$SCRATCH/receipt"
check "log verify agrees" "$AIRLOCK" log verify

# One bit in each of forty bytes, spread over the whole file.
size=$(stat -c %s "$SCRATCH/receipt")
accepted=0
for i in $(seq 0 39); do
    python3 - "$SCRATCH/receipt" "$SCRATCH/flipped" $((i * (size - 1) / 39)) <<'PYTHON'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[int(sys.argv[3])] ^= 1
open(sys.argv[2], "wb").write(data)
PYTHON
    if "$AIRLOCK" verify "$SCRATCH/flipped" >/dev/null 2>&1; then
        accepted=$((accepted + 1))
        echo "# accepted with byte $((i * (size - 1) / 39)) flipped"
    fi
done
same "any flipped byte fails" 0 "$accepted"

# Files that make others execute code.
"$AIRLOCK" run -q -- sh -c 'mkdir .vscode; echo x > .vscode/tasks.json; echo y > b'
refuse "what wants review is not applied without a person" "$AIRLOCK" apply </dev/null
cp "$SCRATCH/row.out" "$SCRATCH/said"
check "and is named" grep -q '.vscode/tasks.json' "$SCRATCH/said"
same "nothing of it came" "" "$(ls -d .vscode b 2>/dev/null)"
check "a path that needs none can be applied" "$AIRLOCK" apply @1 b </dev/null
same "alone" "b" "$(ls -d .vscode b 2>/dev/null)"
check "the rest can be thrown away" "$AIRLOCK" discard @1
"$AIRLOCK" run -q -- sh -c 'mkdir -p sub/.git/hooks; echo x > sub/.git/hooks/pre-commit; echo y > c'
refuse "hooks are denied" "$AIRLOCK" apply
same "and nothing else came with them" "" "$(ls -d sub c 2>/dev/null)"
check "unless they are skipped" "$AIRLOCK" apply --skip-refused
same "so that the rest came" "c" "$(ls -d sub/.git/hooks/pre-commit c 2>/dev/null)"

# Stages that stand on stages.
"$AIRLOCK" run -q -- sh -c 'echo 1 > one'
same "a run on a run sees its changes" 1 \
    "$("$AIRLOCK" run -q --on @1 -- sh -c 'cat one; echo 2 > two; echo 3 > one')"
refuse "the workspace does not" cat one
check "apply means the whole stack" "$AIRLOCK" apply @1
same "newest first" "3 2" "$(cat one two | tr '\n' ' ' | sed 's/ $//')"

# Names that are no text.
"$AIRLOCK" run -q -- python3 -c 'import os
open(b"new\nline", "w").write("a")
open(b"bad\xff\xfename", "w").write("b")'
check "diff shows such names escaped" sh -c '"$0" diff | grep -q "new.nline"' "$AIRLOCK"
check "and apply takes them" "$AIRLOCK" apply @1
check "as they are" python3 -c 'import os
assert open(b"new\nline").read() == "a" and open(b"bad\xff\xfename").read() == "b"'
finish
