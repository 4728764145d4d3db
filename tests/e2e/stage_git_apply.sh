#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Random edits: `git apply` of our diff gives byte for byte the tree that `airlock apply` gives.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

if ! command -v git >/dev/null || ! command -v python3 >/dev/null; then
    echo "1..0 # SKIP git and python3 are needed"
    exit 0
fi

cat >"$SCRATCH/edit.py" <<'EOF'
# Makes a tree (mode "make") or edits it at random (mode "edit"), from a seed.
import os, random, sys
mode, seed = sys.argv[1], int(sys.argv[2])
rng = random.Random(seed * 2 + (mode == "edit"))
names = ["a", "b b", "dir/c", "dir/d.txt", "dir/sub/e", "x/y/z", "q\"uote", "tab\tname", "nl\nname",
         "\udcff\udcfe", "\u00e9t\u00e9", "k/l", "k/m", "n", "o"]
words = ["alpha", "beta", "gamma", "delta", "", "}", "    return 0;", "\tif (x) {"]

def lines(count):
    return [rng.choice(words) + (str(rng.randrange(5)) if rng.random() < .5 else "")
            for _ in range(count)]

def write(name, content, last):
    folder = os.path.dirname(name)
    if folder:
        os.makedirs(folder, exist_ok=True)
    with open(name, "w", newline="") as out:
        out.write("\n".join(content) + ("\n" if last and content else ""))
    os.chmod(name, 0o755 if rng.random() < .2 else 0o644)

def change(name):
    with open(name, newline="") as source:
        content = source.read().split("\n")
    if content and content[-1] == "":
        content.pop()
    for _ in range(rng.randrange(1, 8)):
        at = rng.randrange(len(content) + 1)
        kind = rng.random()
        if kind < .4:
            content[at:at] = lines(rng.randrange(1, 6))
        elif kind < .8:
            del content[at:at + rng.randrange(1, 6)]
        else:
            content[at:at + 2] = lines(2)
    write(name, content, rng.random() < .8)

for name in names:
    if mode == "make":
        if rng.random() < .7:
            write(name, lines(rng.randrange(0, 80)), rng.random() < .8)
        continue
    there = os.path.lexists(name)
    roll = rng.random()
    if there and roll < .45:
        change(name)
    elif there and roll < .65:
        os.unlink(name)
        try:
            os.removedirs(os.path.dirname(name) or "missing/folder")
        except OSError:
            pass
    elif there and roll < .75:
        os.unlink(name)
        os.symlink("target of " + str(seed), name)
    elif not there and roll < .6:
        write(name, lines(rng.randrange(0, 40)), rng.random() < .8)
EOF

tree() {
    (cd "$1" && find . -path ./.git -prune -o ! -type d -printf '%P %y %m %l\0' | sort -z | tr '\0' '\n' &&
        find . -path ./.git -prune -o -type f -print0 | sort -z | xargs -0 -r sha256sum)
}

export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null PYTHONUTF8=1
umask 022
equal=0
rounds=25
for seed in $(seq 1 $rounds); do
    mkdir -p ours/.git git
    (cd ours && python3 ../edit.py make "$seed")
    (cd git && git init -q . && python3 ../edit.py make "$seed")
    cp edit.py ours/.edit.py
    cp edit.py git/.edit.py
    "$AIRLOCK" run -w ours --quiet -- sh -c "cd '$SCRATCH/ours' && python3 .edit.py edit $seed" ||
        echo "# seed $seed: the command failed"
    "$AIRLOCK" diff -w ours >patch
    "$AIRLOCK" apply -w ours >/dev/null
    if [ -s patch ]; then
        (cd git && git apply --whitespace=nowarn ../patch) || echo "# seed $seed: git apply refuses"
    fi
    if [ "$(tree ours)" = "$(tree git)" ]; then
        equal=$((equal + 1))
    else
        echo "# seed $seed: the trees differ"
    fi
    rm -rf ours git
done
same "git apply of the diff equals airlock apply, $rounds random edits" "$rounds" "$equal"
finish
