#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a command does to the workspace through a stage is what it does without one: the same script
# runs sealed and applied on one copy, and directly on another.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

# Every path with type, mode, link target and content.
tree() {
    (cd "$1" && find . -path ./.git -prune -o -printf '%P %y %m %l\0' | sort -z | tr '\0' '\n' &&
        find . -path ./.git -prune -o -type f -print0 | sort -z | xargs -0 -r sha256sum)
}

make_workspace() {
    mkdir -p "$1/.git" "$1/src/deep" "$1/tree/b" "$1/to-file" "$1/swap1" "$1/swap2"
    (
        cd "$1" || exit 1
        seq 1 200 >src/numbers
        printf 'no newline at end' >src/deep/plain
        echo a >tree/a
        echo b >tree/b/b
        echo x >to-file/x
        echo f >to-folder
        echo 1 >swap1/f
        echo 2 >swap2/f
        ln -s src/numbers link
        printf 'binary\0data' >bin
        echo exec >tool
        chmod 755 tool
    )
}

cat >"$SCRATCH/script" <<'EOF'
set -e
sed -i 's/^50$/fifty/' src/numbers
printf ' any more' >>src/deep/plain
rm -r tree
mkdir tree
echo new >tree/new
rm -r to-file
echo file >to-file
rm to-folder
mkdir to-folder
echo inside >to-folder/inside
mv swap1/f swap1/t
cp swap2/f swap1/f
mv swap1/t swap2/f
rm link
ln -s tree/new link
ln -s nowhere/at/all dangling
chmod 644 tool
chmod 700 src
touch src/deep
printf 'other\0data' >bin
: >empty
mkdir -p a/b/c/d only/folders
echo leaf >a/b/c/d/leaf
chmod 555 a/b/c/d
printf n >"$(printf 'new\nline')"
printf i >"$(printf 'bad\377\376')"
echo s >'with space and "quotes"'
echo one >hard1
ln hard1 hard2
truncate -s 100M sparse
printf end | dd of=sparse bs=1 seek=50000000 conv=notrunc 2>/dev/null
mv src/numbers src/renamed
EOF

make_workspace sealed
make_workspace direct
check "a command makes every kind of change" \
    "$AIRLOCK" run --workspace sealed --quiet -- sh -c "cd '$SCRATCH/sealed'; $(cat "$SCRATCH/script")"
before=$(tree sealed)
make_workspace untouched
same "the workspace is untouched before apply" "$(tree untouched)" "$before"
check "diff shows it" "$AIRLOCK" diff --workspace sealed
check "apply" "$AIRLOCK" apply --workspace sealed
(cd direct && sh -c "$(cat "$SCRATCH/script")")
same "apply gives what running it directly gives" "$(tree direct)" "$(tree sealed)"
same "sparse files stay sparse" "yes" \
    "$([ "$(stat -c %b sealed/sparse)" -lt 20000 ] && echo yes)"
same "no temporary is left" "0" "$(find sealed -name '.airlock-*' | wc -l)"
same "files belong to the workspace's owner" "$(stat -c %u:%g sealed)" "$(stat -c %u:%g sealed/empty)"
"$AIRLOCK" apply --workspace sealed 2>/dev/null
same "a second apply has nothing to do" "66" "$?"

# A stack: a run that stands on another sees its files, and is applied with it.
mkdir -p stack/.git
cd stack || exit 99
"$AIRLOCK" run --quiet -- sh -c 'echo 1 >one; echo t >temporary; mkdir d; echo x >d/x' >/dev/null
check "a run stands on another" "$AIRLOCK" run --on @1 --quiet -- \
    sh -c 'test "$(cat one)" = 1 && echo 2 >one && rm temporary && rm -r d && mkdir d && echo y >d/y'
check "its stack is applied whole" "$AIRLOCK" apply
same "as if both had run directly" "d d/y one" "$(find . -mindepth 1 -path ./.git -prune -o -printf '%P\n' | sort | xargs)"
same "both are closed" "2" "$("$AIRLOCK" runs | grep -c applied)"

# An attribute of a folder that is there, and nothing else.
if command -v python3 >/dev/null; then
    mkdir -p "$SCRATCH/noted/.git" "$SCRATCH/noted/d" && cd "$SCRATCH" && touch noted/d/f
    check "a command sets an attribute of a folder" "$AIRLOCK" run --workspace noted --quiet -- \
        python3 -c "import os; os.setxattr('$SCRATCH/noted/d', 'user.note', b'hello')"
    same "diff names it" "# other attributes (user.*) d" "$("$AIRLOCK" diff --workspace noted)"
    check "it is applied" "$AIRLOCK" apply --workspace noted
    same "and stands there" hello \
        "$(python3 -c "import os; print(os.getxattr('$SCRATCH/noted/d', 'user.note').decode())")"
else
    skip "attributes of folders" "no python3"
fi
finish
