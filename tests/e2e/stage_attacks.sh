#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a hostile stage, or somebody who changes the workspace meanwhile, cannot make of an apply.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

workspace() {
    rm -rf "$SCRATCH/w"
    mkdir -p "$SCRATCH/w/.git/hooks" "$SCRATCH/w/d"
    cd "$SCRATCH/w" || exit 99
    echo 1 >a
    echo x >d/x
}
run() {
    "$AIRLOCK" run --quiet -- sh -c "$1"
}

workspace
mkdir -p "$SCRATCH/outside"
echo safe >"$SCRATCH/outside/x"
run 'echo evil >d/x; echo evil >d/y'
rm -r d
ln -s ../outside d
refuse "a link planted in a parent stops the apply" "$AIRLOCK" apply
same "and nothing is written through it" "safe" "$(cat "$SCRATCH"/outside/*)"
"$AIRLOCK" discard >/dev/null

workspace
ln a "$SCRATCH/outside/hard"
run 'echo evil >a'
check "a hard-linked file is replaced" "$AIRLOCK" apply
same "its other name keeps its content" "1" "$(cat "$SCRATCH/outside/hard")"

workspace
run 'echo 2 >a; echo n >new'
echo mine >a
refuse "a changed file is a conflict" "$AIRLOCK" apply
same "which stops the whole apply" "no" "$([ -e new ] && echo yes || echo no)"
check "diff names it" sh -c "'$AIRLOCK' diff | grep -q '^# conflict: the workspace changed at a'"
check "skip-refused applies the rest" "$AIRLOCK" apply --skip-refused
same "and keeps what is mine" "mine n" "$(cat a new | xargs)"
"$AIRLOCK" discard >/dev/null

workspace
run 'mkdir -p sub/.git/hooks && printf "#!/bin/sh\ntouch /tmp/x\n" >sub/.git/hooks/pre-commit; chmod +x sub/.git/hooks/pre-commit'
refuse "a nested git hook is not applied without a person" "$AIRLOCK" apply </dev/null
same "nothing of it is there" "no" "$([ -e sub ] && echo yes || echo no)"
"$AIRLOCK" discard >/dev/null

workspace
run 'mkfifo pipe; echo ok >ok'
refuse "a named pipe is refused" "$AIRLOCK" apply
check "the rest can be applied" "$AIRLOCK" apply --skip-refused
same "without the pipe" "a d ok" "$(ls | xargs)"
"$AIRLOCK" discard >/dev/null

workspace
run 'echo 2 >a'
stage=$(find "$AIRLOCK_STATE_DIR/runs" -path '*/upper/a')
echo 3 >"$stage"
refuse "a stage that was changed is damaged" "$AIRLOCK" apply
same "and not applied" "1" "$(cat a)"
"$AIRLOCK" discard >/dev/null

workspace
run 'rm -r d; echo f >d'
rm -r d
mkdir d
echo other >d/mine
refuse "a folder that got a new file is not replaced" "$AIRLOCK" apply
same "the file is there" "other" "$(cat d/mine)"
"$AIRLOCK" discard >/dev/null

workspace
run 'rm -r d; touch "$(printf "d\nx")"'
check "names with newlines are shown on one line" \
    sh -c "[ \"\$('$AIRLOCK' diff --names | wc -l)\" = 3 ]"
"$AIRLOCK" discard >/dev/null

workspace
run 'echo 1 >first'
run 'echo 2 >second'
refuse "two unrelated open stages: apply wants a name" "$AIRLOCK" apply
check "which it takes" "$AIRLOCK" apply @1
same "and applies that one" "second" "$(ls -d first second 2>/dev/null)"
"$AIRLOCK" discard >/dev/null

if [ "$(id -u)" = 0 ]; then
    skip "a workspace that cannot be written" "root can write everything"
else
    workspace
    run 'echo 2 >a; echo 2 >d/x'
    chmod 555 d
    refuse "a workspace that cannot be written is left alone" "$AIRLOCK" apply
    same "as a whole" "1 x" "$(cat a d/x | xargs)"
    chmod 755 d
    check "and applied when it can be" "$AIRLOCK" apply
fi

mkdir "$SCRATCH/small"
if mount -t tmpfs -o size=1m,mode=0755 tmpfs "$SCRATCH/small" 2>/dev/null; then
    cd "$SCRATCH/small" || exit 99
    mkdir .git
    echo 1 >a
    run 'echo 2 >a; for i in 1 2 3 4 5; do head -c 300000 /dev/zero | tr "\0" x >big$i; done'
    refuse "a disk that fills up stops the apply" "$AIRLOCK" apply
    same "and leaves the workspace as it was" ".git a" "$(ls -A | xargs)"
    same "whole" "1" "$(cat a)"
    cd / || exit 99
    umount "$SCRATCH/small"
else
    skip "a disk that fills up stops the apply" "this user cannot mount"
fi
finish
