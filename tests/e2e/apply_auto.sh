#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# airlock run --apply auto: what is applied without a person, and everything that is not.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
. "$AIRLOCK_SOURCE_DIR/tests/e2e/said.sh"

fresh() { # an empty workspace with two folders; the default policy
    rm -rf work && mkdir -p work/src work/docs && rm -f "$policy"
}
rules() { # text of the rules; a run is always allowed
    printf 'version: 1\nrules:\n  - { name: run, match: { operation: [run.exec, stage.discard] }, action: allow }\n%s\n' "$1" >"$policy"
}
permit='  - { name: small, match: { operation: stage.apply }, action: allow, constraints: { auto_apply: { changed_lines_max: 500, files_max: 5 } } }'
auto() { # shell text, options: runs it with --apply auto
    local text=$1
    shift
    "$AIRLOCK" run --apply auto --workspace work "$@" -- sh -c "$text" >"$said" 2>&1 </dev/null
}
shown() { grep -qF -- "$1" "$said" || { cat "$said" && false; }; }
applies() { "$AIRLOCK" log --json | grep -c '"type":"apply_started"'; }
drop() { "$AIRLOCK" discard --workspace work >/dev/null 2>&1; }

# Nothing by default.
fresh
check "without a policy file the command is run" auto 'echo a >src/a'
refuse "and nothing applied" test -e work/src/a
check "which is said, and why" shown 'left      no rule with auto_apply allows src/a'
check "and that the stage waits" shown 'airlock apply'
same "without an entry" 0 "$(applies)"
rules '  - { name: all, match: { operation: stage.apply }, action: allow }'
drop
check "a rule that allows an apply" auto 'echo a >src/a'
refuse "does not allow it unseen" test -e work/src/a
drop
check "an empty policy" rules ''
check "denies it" auto 'echo a >src/a'
refuse "altogether" test -e work/src/a
check "for a reason" shown 'policy denies src/a (no rule allows this operation)'
drop

# What the command came to.
rules "$permit"
status 7 auto 'echo a >src/a; exit 7'
check "the exit status is the command's own" status 7 auto 'echo a >src/a; exit 7'
check "a command that fails applies nothing" shown 'left      the command ended with exit 7 instead of exit 0'
check "nor one at its time limit" status 124 auto 'echo a >src/a; sleep 60' --timeout 300ms
check "by name" shown 'the command ended with timeout instead of exit 0'
check "nor one that is killed" status 143 auto 'echo a >src/a; kill -TERM $$'
check "nor one that leaves something behind" auto 'echo a >src/a; sleep 60 & :'
check "that may have been writing" shown 'processes that it left behind were killed'
refuse "none of them was applied" test -e work/src/a
same "nor tried" 0 "$(applies)"
check "all stages wait" test "$("$AIRLOCK" review --workspace work --plain | grep -c src/a)" -ge 4
for _ in 1 2 3 4 5; do drop; done
check "without the option nothing is applied" "$AIRLOCK" run --quiet --workspace work -- sh -c 'echo a >src/a'
refuse "whatever policy permits" test -e work/src/a
drop
check "another word is refused" status 125 auto 'true' --apply always
check "with the one there is" shown 'Write --apply auto'

# Lines and files.
check "501 lines are too many" auto 'seq 501 >src/a'
refuse "  they are left" test -e work/src/a
check "  and counted" shown 'left      501 lines change, and the rule small permits 500'
drop
check "500 are not" auto 'seq 500 >src/a'
same "  they are applied" 500 "$(wc -l <work/src/a)"
check "  and said" shown 'applied   1 change by rule small: 500 changed lines in 1 files'
refuse "  nothing waits" shown 'airlock apply'
check "the intent says that nobody was asked" holds apply_started '"automatic":true'
check "  by which rule" holds apply_started '"auto_rule":"small"'
check "  for how many lines" holds apply_started '"changed_lines":500'
check "the outcome says so too" holds stage_applied '"auto_rule":"small","automatic":true'
check "  with the lines" holds stage_applied '"changed_lines":500'
refuse "nobody is named as a reviewer" holds apply_started '"reviewer"'
check "lines that go count" auto 'seq 251 >src/b; sed -i 1,250d src/a'
same "  both sides together" 500 "$(wc -l <work/src/a)"
check "  by number" shown '501 lines change'
drop
check "a file that goes counts with its lines" auto 'rm src/a'
refuse "  it is applied" test -e work/src/a
check "  as many" shown '500 changed lines in 1 files'
check "6 files are too many" auto 'for i in 1 2 3 4 5 6; do echo $i >src/f$i; done'
check "  and counted" shown 'left      6 files change, and auto_apply permits 5'
drop
check "5 in new folders are not" auto 'mkdir -p n/o; for i in 1 2 3 4 5; do echo $i >n/o/$i; done'
check "  they are applied" test -e work/n/o/5

# What is no matter of lines.
unseen() { # name, shell text, reason
    local before
    before=$(cd work && find . | sort | sha256sum)
    check "$1" auto "$2"
    check "  is left, and why" shown "$3"
    same "  nothing changed" "$before" "$(cd work && find . | sort | sha256sum)"
    drop
}
unseen "a binary file" 'printf "a\n\0" >src/bin' 'not countable in lines: src/bin (it is binary'
unseen "a late NUL" 'seq 4000 >src/bin; printf "\0" >>src/bin' 'src/bin (it is binary)'
unseen "one endless line" 'head -c 100000 /dev/zero | tr "\0" x >src/min.js' 'src/min.js (it has a line that is too long'
unseen "hidden characters" 'printf "a\342\200\256b\n" >src/a.c' 'src/a.c (it has characters that are not seen)'
unseen "an escape sequence" 'printf "\033[2K\n" >src/a.c' 'src/a.c (it has characters that are not seen)'
unseen "a symbolic link" 'ln -s docs src/l' 'src/l (it is a symbolic link)'
echo '#!/bin/sh' >work/tool
unseen "a permission" 'chmod +x tool' 'tool (its permissions change)'
unseen "a named pipe" 'mkfifo src/p; echo a >src/a' 'never applied: src/p'

# Reviewed and denied paths, and several reasons at once.
mkdir -p work/.git
unseen "a path that the built-in rules review" 'mkdir .vscode; echo 1 >.vscode/x; echo a >src/a' 'a person has to look at .vscode'
unseen "a hook of git" 'mkdir -p .git/hooks; echo x >.git/hooks/pre-commit' 'policy denies .git/hooks'
rules "$permit
  - { name: read, match: { operation: stage.apply, path: 'docs/**' }, action: require_review }
  - { name: keys, match: { operation: stage.apply, path: '*.key' }, action: deny, reason: 'keys stay' }"
check "every reason" auto 'echo d >docs/d; echo k >k.key; ln -s x src/l; seq 501 >src/a'
check "  is told: the review" shown 'a person has to look at docs/d'
check "  the denial" shown 'policy denies k.key (keys stay)'
check "  the link" shown 'src/l (it is a symbolic link)'
check "  the lines" shown '502 lines change'
"$AIRLOCK" run --apply auto --json --workspace work -- sh -c 'echo d >docs/d; echo k >k.key; seq 501 >src/a' 2>"$said" </dev/null
check "as JSON too" python3 -c '
import json, sys
told = json.loads(open(sys.argv[1]).read())["apply"]
assert told["outcome"] == "left", told
assert [r["reason"] for r in told["reasons"]] == ["review", "denied", "lines"], told' "$said"
drop
drop
rules "$permit
  - { name: all, match: { operation: stage.apply }, action: require_review }"
unseen "a review of the whole" 'echo a >src/a' 'a person has to look at all of it'

# Rules together: each path needs one, the strictest of all counts.
rules '  - { name: src, match: { operation: stage.apply, path: "src/**" }, action: allow, constraints: { auto_apply: { changed_lines_max: 500, files_max: 50 } } }
  - { name: docs, match: { operation: stage.apply, path: "docs/**" }, action: allow, constraints: { auto_apply: { changed_lines_max: 5, files_max: 50 } } }
  - { name: all, match: { operation: stage.apply }, action: allow }'
unseen "one path without a rule" 'echo a >src/a; echo t >top' 'no rule with auto_apply allows top'
unseen "the stricter of two rules" 'seq 5 >src/a; seq 1 >docs/d' '6 lines change, and the rule docs permits 5'
check "within both" auto 'seq 4 >src/a; seq 1 >docs/d'
check "is applied" test -e work/docs/d
check "by the stricter" holds apply_started '"auto_rule":"docs"'
check "policy explain shows what is permitted" "$AIRLOCK" policy explain stage.apply src/a --workspace work
"$AIRLOCK" policy explain stage.apply src/a --workspace work >"$said"
check "  in words" shown 'up to 500 changed lines in 50 files, by src'
"$AIRLOCK" policy explain --json stage.apply src/a --workspace work >"$said"
check "  as JSON" shown '"changed_lines_max":500'
"$AIRLOCK" policy explain stage.apply top --workspace work >"$said"
refuse "  and nothing where nothing is" shown 'changed lines'
rules '  - { name: some, match: { operation: stage.apply }, action: allow, constraints: { max_files: 1, auto_apply: { changed_lines_max: 500, files_max: 50 } } }'
unseen "other constraints hold too" 'echo x >src/x; echo y >src/y' '2 files change, and the rule allows 1'
rules '  - { name: often, match: { operation: stage.apply }, action: allow, constraints: { rate: 1/1h, auto_apply: { changed_lines_max: 500, files_max: 50 } } }'
check "a rate lets the first through" auto 'echo x >src/x'
check "  it is applied" test -e work/src/x
unseen "the second" 'echo y >src/y' 'often'
rm -rf work/.airlock && mkdir work/.airlock
rules '  - { name: all, match: { operation: stage.apply }, action: allow }'
printf 'version: 1\nrules:\n%s\n' "$permit" >work/.airlock/policy.yaml
unseen "the workspace's own file, not trusted," 'echo y >src/y' 'no rule with auto_apply allows src/y'
rm -rf work/.airlock

# The workspace and the stages meanwhile.
rules "$permit"
echo one >work/src/c
mkfifo go
{ auto 'cat src/c >/dev/null; echo two >src/c; echo n >src/n; echo ready; sleep 2'; echo $? >code; } &
waiting=$!
until grep -q ready "$said" 2>/dev/null || ! kill -0 $waiting 2>/dev/null; do sleep 0.1; done
echo else >work/src/c
wait $waiting
same "a conflict leaves the exit status" 0 "$(cat code)"
check "and the stage" shown 'left      the workspace changed at src/c'
same "the workspace keeps what is there" else "$(cat work/src/c)"
refuse "and gets nothing of the rest" test -e work/src/n
drop
{ auto 'echo z >src/z; echo ready; sleep 2'; } &
waiting=$!
until grep -q ready "$said" 2>/dev/null || ! kill -0 $waiting 2>/dev/null; do sleep 0.1; done
rules '  - { name: all, match: { operation: stage.apply }, action: allow }'
wait $waiting
check "a permission that was withdrawn meanwhile" shown 'no rule with auto_apply allows src/z'
refuse "permits nothing" test -e work/src/z
rules "$permit"
check "on changes that wait" auto 'echo w >src/w' --on @1
check "nothing is applied" shown 'it stands on changes that wait for a decision'
refuse "neither these" test -e work/src/w
refuse "nor those" test -e work/src/z
drop
drop
check "on a run that was applied" auto 'echo u >src/u'
check "it is applied" auto 'echo v >src/v' --on @1
check "as ever" test -e work/src/v
check "a command that changes nothing" auto 'true'
check "has nothing to apply" shown 'nothing; the workspace is as it was'
refuse "and no reasons" shown 'left '
check "quietly it is applied as well" auto 'echo q >src/q' --quiet
check "without a word" test -e work/src/q -a ! -s "$said"
"$AIRLOCK" run --apply auto --json --workspace work -- sh -c 'echo r >src/r' 2>"$said" </dev/null
check "the JSON of an apply" python3 -c '
import json, sys
told = json.loads(open(sys.argv[1]).read())
assert told["state"] == "applied", told
assert told["apply"]["outcome"] == "applied" and told["apply"]["rule"] == "small", told
assert told["apply"]["changed_lines"] == 1 and told["apply"]["changed_files"] == 1, told' "$said"

# History judged again.
printf 'version: 1\nrules:\n  - { name: a, match: { operation: "*" }, action: allow }\n' >without.yaml
"$AIRLOCK" policy replay without.yaml --json >"$said" 2>&1
check "a policy without it would have asked a person" shown '"now":"require_review"'
"$AIRLOCK" policy replay "$policy" --json >"$said" 2>&1
refuse "the policy in force would not" shown '"path":"src/r"'
check "the log verifies" "$AIRLOCK" log verify
finish
