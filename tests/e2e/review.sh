#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The queue of stages that wait: as a list, as JSON, and on a whole screen.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
. "$AIRLOCK_SOURCE_DIR/tests/e2e/said.sh"

export TERM=xterm
dialogue() { python3 "$AIRLOCK_SOURCE_DIR/tests/e2e/probes/dialogue.py" "$@" -- "$AIRLOCK" review >"$said" 2>&1; }
# shellcheck disable=SC2120 # check() hands its words on
review() { "$AIRLOCK" review "$@" >"$said" 2>&1 </dev/null; }
leaves=$'\033[?1049l'

check "nothing waits" review
check "and it says so" says "no stage waits"
mkdir one two
seq 30 >one/f
echo two >two/g
"$AIRLOCK" run --quiet --workspace one -- sh -c 'sed -i -e s/^2$/zwei/ -e s/^29$/last/ f; mkdir .vscode; echo {} >.vscode/tasks.json'
"$AIRLOCK" run --quiet --workspace two -- sh -c 'echo more >>g; mkdir -p .git/hooks; echo x >.git/hooks/pre-commit'
"$AIRLOCK" run --quiet --workspace two --on @1 -- sh -c 'echo most >>g'
echo theirs >>one/g

# The list.
check "the list at no terminal" review
same "stages that others stand on are part of those" 2 "$(grep -c ' change' "$said")"
check "what a person has to look at is named" grep -qE 'A review +.vscode/tasks.json  ' "$said"
check "what is denied too" grep -qE 'A denied +.git/hooks/pre-commit  ' "$said"
check "what is allowed as well" grep -qE 'M allowed +f$' "$said"
check "one folder's only" review --workspace one
refuse "without the other's" says "pre-commit"
check "as JSON" review --json
check "with each path's verdict" python3 -c '
import json, sys
stages = json.load(open(sys.argv[1]))
verdicts = {p["path"]: p["verdict"] for s in stages for p in s["paths"]}
assert len(stages) == 2 and verdicts[".git/hooks/pre-commit"] == "denied", verdicts
assert verdicts[".vscode/tasks.json"] == "review" and verdicts["f"] == "allowed", verdicts
' "$said"
refuse "operands are refused" review x
entries=$("$AIRLOCK" log --json | grep -c '"type"')
echo changed >two/g
check "a conflict is seen" review --workspace two
check "by name" grep -qE 'M conflict +g$' "$said"
echo two >two/g
printf 'version: 2\n' >"$policy"
check "a policy that cannot be read" review
check "is said at each stage" says "cannot be judged: policy.invalid"
rm "$policy"
same "looking leaves no entry" "$entries" "$("$AIRLOCK" log --json | grep -c '"type"')"

# The screen.
dialogue 'q quit' 'q'
check "q leaves" says "[exit 0, terminal restored]"
check "and goes back to the lines above" says "$leaves"
dialogue 'q quit' '\x03'
check "Ctrl-C leaves" says "[exit 0, terminal restored]"
for signal in TERM INT HUP QUIT; do
    dialogue 'q quit' "SIGNAL:$signal"
    check "$signal restores the terminal and ends it" says ", terminal restored]"
    check "  and the screen" says "$leaves"
    refuse "  and is passed on" says "[exit 0"
done
dialogue 'q quit' 'SIGNAL:SEGV'
check "a crash restores the terminal" says ", terminal restored]"
check "  and the screen" says "$leaves"
dialogue 'q quit' 'CLOSE:'
check "a terminal that goes away ends it" grep -q "^\[exit" "$said"
same "and nothing goes on" 0 "$(airlock_processes)"
dialogue 'q quit' 'SIZE:40x10' 'q quit' 'q'
check "another size is drawn" says "$(printf -- '-%.0s' $(seq 40))"
check "its lines are those of the new one" grep -qE '^(.\[[?0-9;]*[A-Za-z])*-{40}.\[' "$said"
dialogue --size 20x3 'airlock review' 'q'
check "a tiny terminal does no harm" says "[exit 0, terminal restored]"
dialogue 'q quit' ' ' 'q quit' 'b' 'q quit' 'j' 'q quit' 'k' 'q quit' '\t' 'q quit' '\e[5~' 'q quit' '\e[6~' 'q quit' '\e[F' 'q quit' '\e[H' 'q quit' 'Z' 'q quit' 'q'
check "keys that scroll, and others" says "[exit 0, terminal restored]"
dialogue 'q quit' 'SIGNAL:TSTP' 'q quit' 'q' &
waiting=$!
stopped=
for _ in $(seq 100); do
    for process in /proc/[0-9]*; do
        grep -qz "^AIRLOCK_STATE_DIR=$AIRLOCK_STATE_DIR\$" "$process/environ" 2>/dev/null || continue
        grep -q '^State:.T' "$process/status" 2>/dev/null && stopped=${process#/proc/}
    done
    [ -n "$stopped" ] && break
    sleep 0.1
done
[ -n "$stopped" ] && kill -CONT "$stopped"
wait $waiting
check "it stops and comes back" says "[exit 0, terminal restored]"

# Deciding. The newest stage comes first.
dialogue 'q quit' 'a' 'press Enter' '\n' 'q quit' 'q'
check "what policy denies is not applied" says "policy.denied"
same "and stays" 2 "$(review && grep -c ' change' "$said")"
dialogue 'q quit' 's' 'q quit' 'a' 'apply them too? [y/N]' 'n\n' 'press Enter' '\n' 'q quit' 'q'
check "a person may say no" says "policy.review"
refuse "then nothing is applied" test -e one/.vscode
dialogue 'q quit' 's' 'q quit' 'p' 'addition [' 'n\n' 'addition [' 'n\n' 'hunk [' 'y\n' 'hunk [' 'n\n' 'press Enter' '\n' 'q quit' 'q'
same "p applies hunks" "zwei 29" "$(sed -n '2p;29p' one/f | xargs)"
dialogue 'q quit' 's' 'q quit' 'a' 'apply them too? [y/N]' 'y\n' 'press Enter' '\n' '1 open' 'q'
same "a applies the rest" "zwei last" "$(sed -n '2p;29p' one/f | xargs)"
check "with what was looked at" test -e one/.vscode/tasks.json
check "the reviewer is a terminal" grep -q '"reviewer":"terminal"' <(newest apply_started)
dialogue 'q quit' 'd' '[y/N]' 'n\n' 'press Enter' '\n' 'q quit' 'q'
same "a discard needs a yes" 1 "$(review && grep -c ' change' "$said")"
dialogue 'q quit' 'd' '[y/N]' 'y\n' 'press Enter' '\n' '1 open' 'd' '[y/N]' 'y\n' 'press Enter' '\n' '0 open' 'q'
check "then they are gone, one by one" review
check "all of them" says "no stage waits"

# Lines that fill more than a frame must not leave the stage before on the screen.
"$AIRLOCK" run --workspace one --quiet -- sh -c 'for n in $(seq 20); do head -c 1500000 /dev/zero | tr "\0" x; echo; done >long'
dialogue 'q quit' 'q'
check "endless lines are shown as far as they go" says "[exit 0, terminal restored]"
check "with their keys" says "q quit"
check "the log is whole" "$AIRLOCK" log verify

# More lines than a screen can be scrolled over.
mkdir large
"$AIRLOCK" run --quiet --workspace large -- sh -c 'for i in 1 2 3 4 5 6; do yes "" | head -n 190000 >$i; done'
cd large || exit 99
dialogue 'q quit' '\e[F' 'lines are not shown here (limit REVIEW_LINES): airlock diff' 'q'
check "what is cut off is said" says "more lines are not shown here (limit REVIEW_LINES): airlock diff"
check "and it leaves" says "[exit 0, terminal restored]"
cd .. || exit 99
finish
