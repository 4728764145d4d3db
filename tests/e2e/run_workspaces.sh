#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Which folder is meant, and which are refused.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
mkdir -p ws/.git ws/deep/er && cd ws || exit 99

same "the git top is the workspace, the folder is kept" "$SCRATCH/ws/deep/er" \
    "$(cd deep/er && "$AIRLOCK" run -q -- sh -c 'echo x > ../../top; pwd')"
check "so a change above is staged" sh -c '"$0" diff | grep -q "b/top"' "$AIRLOCK"
mkdir "$SCRATCH/plain"
same "elsewhere it is the current folder" "$SCRATCH/plain" \
    "$(cd "$SCRATCH/plain" && "$AIRLOCK" run -q -- pwd)"
same "--workspace names another" "$SCRATCH/plain" "$("$AIRLOCK" run -q -w "$SCRATCH/plain" -- pwd)"
ln -s "$SCRATCH/plain" "$SCRATCH/link"
same "a link is resolved" "$SCRATCH/plain" "$("$AIRLOCK" run -q -w "$SCRATCH/link" -- pwd)"
check "and the user is told" sh -c '"$0" run -w "$1" -- true 2>&1 | grep -q "is a link"' \
    "$AIRLOCK" "$SCRATCH/link"

says() { # name, slug, arguments of run
    local name=$1 slug=$2
    shift 2
    "$AIRLOCK" run "$@" -- true >"$SCRATCH/row.out" 2>&1
    same "$name" "125 yes" "$? $(grep -q "\[$slug\]" "$SCRATCH/row.out" && echo yes)"
}
says "the root folder is refused" workspace.unusable -w /
says "a file is refused" workspace.unusable -w /etc/passwd
says "a folder that is not there is refused" workspace.unusable -w "$SCRATCH/none"
says "a loop of links is refused" workspace.unusable -w "$(ln -s loop "$SCRATCH/loop" && echo "$SCRATCH/loop")"
says "one that holds the state is refused" workspace.unusable -w "$SCRATCH"
says "one inside the state is refused" workspace.unusable -w "$AIRLOCK_STATE_DIR/runs"
says "a filesystem overlay cannot use is refused" workspace.unusable -w /proc/self
if [ "$(id -u)" = 0 ]; then
    skip "somebody else's folder is refused" "root may work for others"
else
    says "somebody else's folder is refused" workspace.unusable -w /usr/share
fi

odd=$(printf '%s/odd\nname\377 x' "$SCRATCH")
mkdir "$odd"
same "a workspace with an odd name works" ok \
    "$(cd "$odd" && "$AIRLOCK" run -q -- sh -c 'echo ok > f; cat f')"
check "its changes apply" sh -c 'cd "$1" && "$0" apply && test "$(cat f)" = ok' "$AIRLOCK" "$odd"

# A state folder that cannot be used.
AIRLOCK_STATE_DIR=/proc/nowhere says "a state folder that cannot be made is named" state.unusable -q
mkdir "$SCRATCH/open" && chmod 777 "$SCRATCH/open"
AIRLOCK_STATE_DIR=$SCRATCH/open says "one that others can write is refused" state.unusable -q
same "HOME with a slash at its end is the same HOME" "$HOME" \
    "$(HOME=$HOME/ "$AIRLOCK" run --quiet -- sh -c 'echo "$HOME"')"
finish
