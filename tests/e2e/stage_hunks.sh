#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Applying a stage by hunks: at a terminal and by a patch.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
. "$AIRLOCK_SOURCE_DIR/tests/e2e/said.sh"

dialogue() { python3 "$AIRLOCK_SOURCE_DIR/tests/e2e/probes/dialogue.py" "$@" >"$said" 2>&1; }
line() { sed -n "$1p" work/f; }
apply() { "$AIRLOCK" apply --workspace work "$@" >"$said" 2>&1 </dev/null; }
changed() { "$AIRLOCK" diff --workspace work --names; }
entry() { "$AIRLOCK" log --json | grep "\"type\":\"$1\"" | tail -n 1; }

stage() { # a fresh workspace with a stage of three hunks in one file and a new one
    "$AIRLOCK" discard --workspace work >"$SCRATCH/dropped" 2>&1
    rm -rf work
    mkdir work
    seq 40 >work/f
    "$AIRLOCK" run --quiet --workspace work -- sh -c \
        "sed -i -e 's/^2\$/two/' -e 's/^5\$/five/' -e 's/^20\$/twenty/' -e 's/^39\$/end/' f; echo n >n"
}

# Without a terminal.
stage
refuse "-p without a terminal is refused" apply -p
check "and says what to do instead" says "airlock apply --patch FILE"
refuse "-p and --patch together are refused" apply -p --patch x
refuse "a patch that is not there" apply --patch "$SCRATCH/none"
"$AIRLOCK" diff --workspace work >all.patch
sed 's/^+two$/+zwei/' all.patch >other.patch
refuse "a patch that changes a line in another way is refused" apply --patch other.patch
check "as no part of the stage" says "patch.no-subset"
sed 's/^-two$/ two/' all.patch | sed '/^+five/d' >broken.patch
refuse "a patch whose counts are wrong is refused" apply --patch broken.patch
check "as malformed" says "patch.malformed"
printf 'diff --git a/../x b/../x\n--- a/../x\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b\n' >escape.patch
refuse "a patch that leaves the workspace is refused" apply --patch escape.patch
check "by its path" says "patch.refused"
same "nothing was applied" "$(seq 40)" "$(cat work/f)"
same "and nothing is missing from the stage" "M f A n" "$(changed | xargs)"

# By a patch: the second hunk only, taken out of the whole diff.
awk '/^diff/ { out = /b\/f$/ } /^@@/ { hunk++; out = hunk == 2 } out || !/^[-+ @]/ && hunk == 0 { print }' \
    all.patch >second.patch
check "a hunk is applied by a patch" apply --patch second.patch
same "it is there" twenty "$(line 20)"
same "the others are not" "2 5 39" "$(line 2) $(line 5) $(line 39)"
check "what stays is said" says "the rest waits"
check "the entry counts the file applied in part" \
    grep -q '"parts":1' <(entry stage_applied)
same "the file still has changes" "M f A n" "$(changed | xargs)"
refuse "the hunk is in the diff no more" grep -q twenty <("$AIRLOCK" diff --workspace work | grep '^+')
refuse "the same patch a second time is refused" apply --patch second.patch
check "the rest by stdin" sh -c "'$AIRLOCK' diff --workspace work work/f |
    '$AIRLOCK' apply --workspace work --patch -"
same "all is applied" "two five twenty end" "$(line 2) $(line 5) $(line 20) $(line 39)"

# What was applied in part is known to a policy and to a person.
stage
printf 'version: 1\nrules:\n  - { name: small, match: { operation: stage.apply }, action: allow, constraints: { max_file_size: 112 } }\n' \
    >"$policy"
"$AIRLOCK" diff --workspace work >all.patch
refuse "policy is asked with the size of the part" apply --patch second.patch
check "and refuses it" says "policy.denied"
same "nothing was applied" "$(seq 40)" "$(cat work/f)"
rm "$policy"

# At a terminal.
stage
check "n, y and n at a terminal" dialogue 'hunk [' 'n\n' 'hunk [' 'y\n' 'hunk [' 'n\n' 'addition [' 'y\n' -- \
    "$AIRLOCK" apply -p --workspace work
check "ends well" says "[exit 0, terminal restored]"
same "the one that was taken" "2 5 twenty 39" "$(line 2) $(line 5) $(line 20) $(line 39)"
check "the new file too" test -e work/n
dialogue 'hunk [' 's\n' 'hunk [' 'y\n' 'hunk [' 'q\n' -- "$AIRLOCK" apply -p --workspace work
same "s splits, q ends and keeps what was chosen" "two 5 twenty 39" \
    "$(line 2) $(line 5) $(line 20) $(line 39)"
dialogue 'hunk [' '?\n' 'hunk [' 'd\n' -- "$AIRLOCK" apply -p --workspace work
check "? tells the keys" says "a - apply this and the rest of the file"
check "d leaves the file" says "nothing was chosen"
dialogue 'hunk [' 'CLOSE:' -- "$AIRLOCK" apply -p --workspace work
same "a terminal that goes away applies nothing" "5" "$(line 5)"
dialogue 'hunk [' 'a\n' -- "$AIRLOCK" apply -p --workspace work
same "a takes the rest" "two five twenty end" "$(line 2) $(line 5) $(line 20) $(line 39)"
refuse "and the stage is closed" "$AIRLOCK" diff --workspace work

# What it prints is no escape sequence of a file's.
"$AIRLOCK" run --quiet --workspace work -- sh -c "printf 'x\033]0;title\007\n' >>f"
dialogue 'hunk [' 'n\n' -- env NO_COLOR=1 "$AIRLOCK" apply -p --workspace work
refuse "control characters in a file do not reach the terminal" grep -q $'\033' "$said"
check "they are shown" says 'x^[]0;title^G'

# Modes are chosen by themselves.
stage
"$AIRLOCK" discard --workspace work >/dev/null 2>&1
"$AIRLOCK" run --quiet --workspace work -- sh -c 'chmod 755 f; sed -i s/^3$/three/ f'
dialogue 'change of mode [' 'y\n' 'hunk [' 'n\n' -- "$AIRLOCK" apply -p --workspace work
same "the mode without the lines" "755 3" "$(stat -c %a work/f) $(line 3)"
check "the rest" apply
same "is the lines" "755 three" "$(stat -c %a work/f) $(line 3)"
finish
