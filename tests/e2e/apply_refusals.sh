#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An apply that policy refuses: it changes nothing, and the log says that it was asked for. A review
# shows every path it asks about, or is refused.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

mkdir -p work/.git
count() { # type
    "$AIRLOCK" log --json | grep -c "\"type\":\"$1\""
}

"$AIRLOCK" run --quiet --workspace work -- sh -c 'mkdir -p .git/hooks; echo x >.git/hooks/pre-commit'
same "before any refusal the log holds no decision" 0 "$(count decision)"
refuse "a stage with a git hook is refused" "$AIRLOCK" apply --workspace work
same "the refusal is in the log" 1 "$(count decision)"
check "with its outcome and operation" sh -c \
    "'$AIRLOCK' log --json | grep '\"type\":\"decision\"' | grep '\"operation\":\"stage.apply\"' | grep -q '\"outcome\":\"deny\"'"
same "and no apply is" 0 "$(count apply_started)"
refuse "the hook is not there" test -e work/.git/hooks/pre-commit
"$AIRLOCK" discard --workspace work >/dev/null

"$AIRLOCK" run --quiet --workspace work -- sh -c 'echo x >.envrc'
refuse "a path that wants review is refused without a terminal" "$AIRLOCK" apply --workspace work
same "that refusal is in the log too" 2 "$(count decision)"
same "and no apply is" 0 "$(count apply_started)"
"$AIRLOCK" discard --workspace work >/dev/null

"$AIRLOCK" run --quiet --workspace work -- \
    sh -c 'mkdir .vscode; for i in $(seq 300); do echo x >.vscode/f$i; done'
refuse "more paths than one question can hold are refused" "$AIRLOCK" apply --workspace work
"$AIRLOCK" apply --workspace work 2>said
check "with the limit named" grep -q REVIEW_PATHS said
refuse "nothing of it is there" test -e work/.vscode
check "the log verifies" "$AIRLOCK" log verify
finish
