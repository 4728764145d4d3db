#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What policy says of an apply: about the whole, about each path, and about all of them together;
# and who may answer for it.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
. "$AIRLOCK_SOURCE_DIR/tests/e2e/said.sh"

stage() { # shell text that makes the changes: a fresh workspace with one stage
    rm -rf work
    mkdir -p work/src work/docs
    rm -f "$policy"
    "$AIRLOCK" run --quiet --workspace work -- sh -c "$1"
}
apply() { "$AIRLOCK" apply --workspace work "$@" >"$said" 2>&1 </dev/null; }
discard() { "$AIRLOCK" discard --workspace work >"$said" 2>&1 </dev/null; }
drop() { rm -f "$policy" && "$AIRLOCK" discard --workspace work >/dev/null 2>&1; }
rules() { # text of the rules
    printf 'version: 1\nrules:\n%s\n' "$1" >"$policy"
}

# A path that is denied.
stage 'echo a >src/a; echo s >secret.key'
rules '  - { name: all, match: { operation: stage.apply }, action: allow }
  - { name: no-keys, match: { operation: stage.apply, path: "*.key" }, action: deny, reason: "keys stay" }'
refuse "a path that a rule denies stops the apply" apply
check "with its reason" says "keys stay"
refuse "nothing is applied" test -e work/src/a
check "the refusal names rule and path" holds decision '"name":"no-keys"'
check "with what was judged" holds decision '"path":"secret.key","size":2,"transport":"cli"}'
check "the rest can be applied" apply --skip-refused
check "the rest is there" test -e work/src/a
refuse "the denied one is not" test -e work/secret.key
run=$(newest apply_started | sed 's/.*"run":"\([^"]*\)".*/\1/')
same "what was judged path by path is kept" \
    '{"mode":33188,"outcome":"allow","path":"src/a","rule":"all","size":2}' \
    "$(grep src/a "$AIRLOCK_STATE_DIR/runs/$run/facts")"
check "the denied one too" grep -q '"outcome":"deny","path":"secret.key","rule":"no-keys"' \
    "$AIRLOCK_STATE_DIR/runs/$run/facts"
check "under the digest in the entry" holds apply_started \
    "\"facts_digest\":\"$(sha256sum <"$AIRLOCK_STATE_DIR/runs/$run/facts" | cut -c 1-64)\""
drop

# Rules about paths alone are enough; what none of them grants is denied.
stage 'echo a >src/a; echo d >docs/d'
rules '  - { name: sources, match: { operation: stage.apply, path: "src/**" }, action: allow }'
refuse "a path that no rule allows stops the apply" apply
check "by name" says "docs/d (no rule allows this operation)"
check "a path that one allows is applied" apply work/src/a
check "by that rule" holds apply_started '"rule":"sources"'
drop

# An empty policy.
stage 'echo a >src/a'
: >"$policy"
refuse "an empty policy denies an apply" apply
refuse "and a discard" discard
check "the refusal is in the log" holds decision '"operation":"stage.discard"'
drop

# Sizes and counts.
stage 'echo a >src/a; echo b >src/b; head -c 2000 /dev/zero >src/big'
limited() { # constraints
    rules "  - { name: bound, match: { operation: stage.apply }, action: allow, constraints: { $1 } }"
}
limited 'max_file_size: 1KiB'
refuse "a file larger than the rule allows" apply
check "is named" says "src/big (no rule allows this operation)"
limited 'max_files: 2'
refuse "more files than the rule allows" apply
check "are counted" says "3 files change, and the rule allows 2"
check "and refused by the rule" holds decision '"rule":"bound"'
limited 'max_total_size: 2000'
refuse "more bytes than the rule allows" apply
check "are counted as well" says "have 2004 bytes, and the rule allows 2000"
refuse "nothing was applied" test -e work/src/a
limited 'max_total_size: 2004, max_files: 3, max_file_size: 2000'
check "what just fits is applied" apply
rules '  - { name: run, match: { operation: run.exec }, action: allow }
  - { name: now-and-then, match: { operation: stage.apply, path: "**" }, action: allow, constraints: { rate: 1/1h } }'
"$AIRLOCK" run --quiet --workspace work -- sh -c 'echo c >src/c'
check "the first apply fits the rate of a rule about paths" apply
check "which the entry names" holds apply_started '"rates":["now-and-then"]'
"$AIRLOCK" run --quiet --workspace work -- sh -c 'echo d >src/d'
refuse "the second does not" apply
check "and is told when it will" says "the next one fits at 20"
drop

# A person, and who may stand in for one.
stage 'echo a >src/a'
rules '  - { name: read, match: { operation: stage.apply, path: "**" }, action: require_review }'
refuse "a review without a person is refused" apply
check "as one" says "policy.review"
refuse "--yes does not answer for a person" apply --yes
check "and says so" says "--yes does not answer for a person"
check "the refusal is in the log" holds decision '"outcome":"require_review"'
rules '  - { name: read, match: { operation: stage.apply, path: "**" }, action: require_review, constraints: { reviewer: client, reviewers: 2 } }'
refuse "--yes is not two" apply --yes
check "and that is said" says "wants 2 people to agree"
rules '  - { name: read, match: { operation: stage.apply, path: "**" }, action: require_review, constraints: { reviewer: client } }'
refuse "nobody agreed yet" apply
check "where the rule lets a client agree, --yes does" apply --yes
check "and the entry tells who" holds apply_started '"reviewer":"client"'
stage 'echo a >src/a; echo x >.envrc'
rules '  - { name: read, match: { operation: stage.apply }, action: require_review, constraints: { reviewer: client } }'
refuse "a built-in review keeps its person" apply --yes
if command -v script >/dev/null; then
    at_terminal() { # answer, command
        { sleep 1 && echo "$1" && sleep 1; } |
            script -qec "'$AIRLOCK' $2 --workspace work" /dev/null >"$said" 2>&1
    }
    refuse "no at a terminal refuses" at_terminal n apply
    check "yes at a terminal applies" at_terminal y apply
    check "and the entry tells who agreed" holds apply_started '"reviewer":"terminal"'
    check "to what" holds apply_started '.envrc'
    stage 'echo a >src/a'
    rules '  - { name: ask, match: { operation: stage.discard }, action: require_review }'
    refuse "a discard to be reviewed is refused without a person" discard
    refuse "and by a no" at_terminal n discard
    check "a yes discards" at_terminal y discard
    check "and the entry tells who agreed" holds stage_discarded '"reviewer":"terminal"'
else
    skip "a review at a terminal" "no script program here"
fi
drop

# Deny beats what a path alone would be granted.
stage 'echo a >src/a'
rules '  - { name: sources, match: { operation: stage.apply, path: "src/**" }, action: allow }
  - { name: never, match: { operation: stage.* }, action: deny }'
refuse "a deny of the whole ends an apply" apply
check "by its name" holds decision '"rule":"never"'
drop
check "the log verifies" "$AIRLOCK" log verify
finish
