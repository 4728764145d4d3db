#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Help, completion, explanations and mistakes. The help text of everything is a golden file; after a
# wanted change: AIRLOCK_GOLDEN_UPDATE=1 bash tests/e2e/cli_help.sh, and look at the difference.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
golden=$AIRLOCK_SOURCE_DIR/tests/golden/help.txt

commands=$("$AIRLOCK" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
{
    "$AIRLOCK" --help
    for command in $commands; do
        printf '\n$ airlock %s --help\n' "$command"
        "$AIRLOCK" "$command" --help
    done
} >"$SCRATCH/help.txt" 2>&1
[ "${AIRLOCK_GOLDEN_UPDATE:-}" = 1 ] && cp "$SCRATCH/help.txt" "$golden"
check "help is what the golden file says" diff -u "$golden" "$SCRATCH/help.txt"
check "no line of it is wider than 100 columns" sh -c '! grep -E ".{101}" "$0"' "$SCRATCH/help.txt"
check "no colour outside of a terminal" sh -c '! grep -q "$(printf "\033")" "$0"' "$SCRATCH/help.txt"

for shell in bash zsh fish; do
    "$AIRLOCK" completion $shell >"$SCRATCH/completion.$shell"
    missing=0
    for command in $commands; do
        grep -qw "$command" "$SCRATCH/completion.$shell" || missing=$((missing + 1))
    done
    same "$shell completion knows every command" 0 $missing
    if command -v $shell >/dev/null; then
        check "$shell reads it" $shell -n "$SCRATCH/completion.$shell"
    else
        skip "$shell reads it" "no $shell here"
    fi
done
same "bash completes a command" "apply" "$(bash -c '. "$1"
    COMP_WORDS=(airlock app) COMP_CWORD=1
    _airlock && echo "${COMPREPLY[@]}"' bash "$SCRATCH/completion.bash")"
same "and an option" "--timeout" "$(PATH=${AIRLOCK%/*}:$PATH bash -c '. "$1"
    COMP_WORDS=(airlock run --tim) COMP_CWORD=2
    _airlock && echo "${COMPREPLY[@]}"' bash "$SCRATCH/completion.bash")"

same "and what a command can be told to do" "replay" "$(bash -c '. "$1"
    COMP_WORDS=(airlock policy rep) COMP_CWORD=2
    _airlock && echo "${COMPREPLY[@]}"' bash "$SCRATCH/completion.bash")"

completes() { # word...: what bash offers for the last one
    bash -c '. "$0"
        COMP_WORDS=(airlock "$@") COMP_CWORD=$#
        _airlock && echo "${COMPREPLY[@]}"' "$SCRATCH/completion.bash" "$@"
}
same "a word of log" "verify" "$(completes log ver)"
same "a word of runs" "prune" "$(completes runs pr)"
same "a word of log witness" "sync" "$(completes log witness sy)"
same "an option behind a word" "--key-file" \
    "$(PATH=${AIRLOCK%/*}:$PATH completes log encrypt --key-f)"
unknown=""
for word in $(completes log "") witness; do
    "$AIRLOCK" log "$word" </dev/null 2>&1 | grep -q 'log has no "' && unknown="$unknown $word"
done
for word in $(completes policy ""); do
    "$AIRLOCK" policy "$word" --help >/dev/null 2>&1 </dev/null || unknown="$unknown $word"
    grep -q "policy $word" "$AIRLOCK_SOURCE_DIR/tests/golden/help.txt" || unknown="$unknown $word"
done
for word in $(completes log witness ""); do
    grep -q "\b$word\b" <("$AIRLOCK" log witness nonsense 2>&1) || unknown="$unknown $word"
done
same "every word it offers is one the program knows" "" "$unknown"
same "and there are no fewer than there were" "12 8 4" \
    "$(completes log "" | wc -w) $(completes policy "" | wc -w) $(completes log witness "" | wc -w)"

# Templates and runs are asked of the program.
asked() { PATH=${AIRLOCK%/*}:$PATH completes "$@"; }
mkdir -p "$HOME/.config/airlock/templates"
printf 'version: 1\nname: mine\nbased_on: small\nsummary: "of my own"\n' >"$HOME/.config/airlock/templates/mine.yaml"
printf 'version: 2\n' >"$HOME/.config/airlock/templates/mistaken.yaml"
same "a template of Airlock's" "integration-test" "$(asked run --template integ)"
same "one of the user's, not one that cannot be used" "mine" "$(asked run --template mi)"
same "every one there is" "ai-provider code-executor integration-test mine package-caches policy-sandbox small" \
    "$(asked run --template "" | tr ' ' '\n' | sort | xargs)"
refuse "the words of the command that is run are its own" grep -qw mine <(asked run -- tool --template mi)
mkdir "$SCRATCH/workspace" && cd "$SCRATCH/workspace" || exit 99
same "no run where there is none" "" "$(asked apply "")"
for run in 1 2; do
    "$AIRLOCK" run --quiet --workspace "$PWD" -- sh -c "echo $run >file" || exit 99
done
ids=$("$AIRLOCK" runs --json | sed -n 's/.*"id": ".*\(.\{8\}\)",*$/\1/p' | sort | xargs)
same "there are two to offer" 2 "$(wc -w <<<"$ids")"
for command in diff apply discard pause resume stop receipt; do
    same "$command offers the runs of the workspace" "$ids" "$(asked $command "" | tr ' ' '\n' | sort | xargs)"
done
same "by how they begin" "${ids%% *}" "$(asked diff "${ids:0:7}")"
refuse "what takes no run offers none" grep -q "${ids%% *}" <(asked explain "")
same "an option is still an option" "--workspace" "$(asked diff --works)"
for shell in zsh fish; do
    check "$shell asks for templates" grep -q 'doctor --templates' "$SCRATCH/completion.$shell"
    check "$shell asks for runs" grep -q 'airlock runs' "$SCRATCH/completion.$shell"
done
cd "$SCRATCH" || exit 99

status() {
    "$@" >"$SCRATCH/row.out" 2>&1
    echo $?
}
same "no command is a usage error" 2 "$(status "$AIRLOCK")"
same "an unknown one too" 2 "$(status "$AIRLOCK" rnu)"
"$AIRLOCK" rnu >"$SCRATCH/said" 2>&1
check "which suggests the nearest" grep -q 'Did you mean: airlock run' "$SCRATCH/said"
same "an unknown option is one" 2 "$(status "$AIRLOCK" runs --nonsense)"
same "--version works" 0 "$(status "$AIRLOCK" --version)"
same "a full disk is noticed" 74 "$(sh -c '"$0" --help >/dev/full 2>/dev/null; echo $?' "$AIRLOCK")"

wrong=0
for slug in $("$AIRLOCK" explain | awk '{ print $1 }'); do
    "$AIRLOCK" explain "$slug" >/dev/null 2>&1 || wrong=$((wrong + 1))
done
same "every slug that is listed is explained" 0 $wrong
check "so are the limits" sh -c '"$0" explain limit | grep -q OUTPUT_DRAIN_MS' "$AIRLOCK"
same "their numbers end under each other" 1 \
    "$("$AIRLOCK" explain limit | awk '{ match($0, /^[A-Z0-9_]+ +[0-9]+ /); print RLENGTH }' | sort -u | wc -l)"
same "what is none is a usage error" 2 "$(status "$AIRLOCK" explain nonsense)"
check "errors are JSON on demand" sh -c '"$0" --json explain nonsense 2>&1 | python3 -m json.tool' "$AIRLOCK"
finish
