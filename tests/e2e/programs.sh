#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Programs that must really start in a sandbox. One that this machine does not have is skipped.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

mkdir "$SCRATCH/workspace"
cd "$SCRATCH/workspace" || exit 99
cp "$AIRLOCK_BUILD_DIR/tests/e2e/probes/escape" static-program || exit 99
printf 'int main(void) { return 0; }\n' >one.c
cp one.c two.c
printf 'all: one two\n%%: %%.c\n\tcc -o $@ $<\n' >Makefile
inside() { "$AIRLOCK" run --workspace "$PWD" --quiet "$@"; }
starts() { # program, then how it is run
    local program=$1
    shift
    if command -v "$program" >/dev/null; then
        check "$program starts" inside -- "$@"
    else
        skip "$program starts" "it is not installed here"
    fi
}

check "a static program starts" inside -- ./static-program read /proc/self/status
starts python3 python3 -c 'import subprocess, threading, multiprocessing
t = threading.Thread(target=print); t.start(); t.join()
with multiprocessing.Pool(2) as pool: assert pool.map(abs, [-1, 2]) == [1, 2]
subprocess.run(["true"], check=True)'
starts git sh -c 'git init -q . && git add one.c && git -c user.name=a -c user.email=a@b commit -qm x && git status --short'
starts gcc gcc -o compiled one.c
starts make make -j2
starts node node -e 'require("os").cpus().length || process.exit(1)'
starts npm npm --version
starts java java -version
starts gdb gdb -batch -ex 'info os' true
starts bash bash -c 'cat <(echo pipe) | grep pipe'

status_of() {
    inside -- "$@" >/dev/null 2>&1
    echo $?
}
same "a program that is not there" 127 "$(status_of no-such-program)"
same "a file that is no program" 126 "$(status_of ./one.c)"
same "the status is the program's own" 42 "$(status_of sh -c 'exit 42')"
same "a signal is 128 and its number" 137 "$(status_of sh -c 'kill -9 $$')"
check "no new privileges" inside -- grep -q 'NoNewPrivs:.*1' /proc/self/status
check "the working folder is kept" test "$PWD" = "$(inside -- pwd)"
check "a folder moves between two folders (Landlock refer)" inside -- \
    sh -c 'mkdir -p a/x b && mv a/x b/x && touch /tmp/f && mv /tmp/f "$HOME/f"'
check "streams pass through" test "$(echo word | inside -- cat)" = word

mkdir -p "$HOME/.local/bin" "$HOME/.local/share"
cp static-program "$HOME/.local/bin/tool"
PATH=$HOME/.local/bin:$PATH check "a tool below HOME that PATH names is there" \
    inside -- tool read /proc/self/status
PATH=$HOME/.local/bin:$PATH refuse "but cannot be written" \
    inside -- sh -c 'echo x > "$HOME/.local/bin/tool"'
same "and nothing else of HOME is there" bin "$(PATH=$HOME/.local/bin:$PATH inside -- ls "$HOME/.local")"

# Workspaces at unkind places.
for place in "$SCRATCH/a b" "$SCRATCH/co:lon" "$SCRATCH/com,ma" "$SCRATCH/back\\slash" \
    "$HOME/below-home" "$SCRATCH/üñí"; do
    mkdir -p "$place"
    echo seen >"$place/file"
    same "a workspace at '${place##*/}'" seen \
        "$("$AIRLOCK" run --workspace "$place" --quiet -- cat "$place/file" 2>&1)"
done

# A work tree: .git is a file that leads elsewhere, and that is there, read-only.
if command -v git >/dev/null; then
    git init -q "$SCRATCH/main" && cd "$SCRATCH/main" &&
        git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x &&
        git worktree add -q "$SCRATCH/tree" && cd "$SCRATCH/tree" || exit 99
    check "git works in a work tree" inside -- git log --oneline
    check "and cannot change the repository" inside -- \
        sh -c '! git -c user.name=a -c user.email=a@b commit --allow-empty -qm y 2>err && grep -qi "read-only" err'
fi
finish
