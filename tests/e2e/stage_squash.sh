#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Forty runs that stand on each other. Each does some of a fixed pseudo-random sequence of changes,
# and so does a plain folder beside; what a run sees, and what comes out in the end, must be equal.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

# Describes a folder: every path with type, mode, size, target and content.
cat >describe <<'END'
cd "$1" && find . -mindepth 1 -printf '%P %y %m %s %l\n' | sed -E '/ d /s/ [0-9]+ $//' | LC_ALL=C sort
find . -type f -exec sha256sum {} + | LC_ALL=C sort -k 2
END
# Makes step $1 in the current folder; the same in both.
cat >step <<'END'
RANDOM=$1
pick() { find . -mindepth 1 -type "$1" ! -path './keep*' | LC_ALL=C sort | sed -n "$(($2 % 12 + 1))p"; }
for _ in 1 2 3 4; do
    n=$RANDOM m=$RANDOM # a subshell has a sequence of its own
    f=$(pick f "$n") d=$(pick d "$m")
    case $((RANDOM % 12)) in
    0) mkdir -p "${d:-.}/new$1" && echo "$RANDOM" >"${d:-.}/new$1/file" ;;
    1) [ -n "$f" ] && echo "$RANDOM" >>"$f" ;;
    2) [ -n "$f" ] && rm -f "$f" ;;
    3) [ -n "$d" ] && rm -rf "$d" ;;
    4) [ -n "$d" ] && rm -rf "$d" && mkdir "$d" && echo again >"$d/again$1" ;;
    5) [ -n "$d" ] && rm -rf "$d" && echo "now a file" >"$d" ;;
    6) [ -n "$f" ] && rm -f "$f" && mkdir "$f" && echo "now a folder" >"$f/x" ;;
    7) [ -n "$f" ] && chmod 600 "$f" ;;
    8) [ -n "$d" ] && chmod 750 "$d" ;;
    9) ln -sfn "target$1" "${d:-.}/link$1" ;;
    10) truncate -s 5M "${d:-.}/sparse$1" && echo end >>"${d:-.}/sparse$1" ;;
    11) [ -n "$f" ] && cp "$f" "${d:-.}/copy$1" 2>/dev/null ;;
    esac
done
true
END
mkdir real
(
    cd real || exit
    mkdir -p a/b/c d/e keep
    for f in 1 a/2 a/b/3 a/b/c/4 d/5 d/e/6 keep/7; do echo "$f" >"$f"; done
)
cp -a real work
cp step describe work/keep
cp step describe real/keep
on=
seen=ok
for i in $(seq 40); do
    # shellcheck disable=SC2086
    "$AIRLOCK" run --quiet --workspace work $on -- bash -c \
        "bash keep/step $i && { [ $((i % 5)) != 0 ] || bash keep/describe .; }" >inside 2>err || { cat err; seen="run $i failed"; break; }
    (cd real && bash keep/step "$i")
    if [ $((i % 5)) = 0 ]; then
        bash describe real >outside
        cmp -s inside outside || { seen="run $i saw something else: $(diff outside inside | head -5)"; break; }
    fi
    on="--on $(cd "$AIRLOCK_STATE_DIR/runs" && printf '%s\n' [0-9a-f]* | LC_ALL=C sort | tail -1)"
done
same "each of forty runs sees what those before it made" ok "$seen"
refuse "nothing of it is in the workspace yet" diff -r --no-dereference real work
check "the older stages were squashed, one squash upon another" test \
    "$(find "$AIRLOCK_STATE_DIR"/runs/*/squash -mindepth 1 -maxdepth 1 -type d | wc -l)" -ge 3
"$AIRLOCK" diff --workspace work --names >names
check "the diff is that of all of them" test -s names
check "they are applied together" "$AIRLOCK" apply --workspace work
bash describe real >outside
bash describe work >inside
check "to what forty steps without Airlock make" diff outside inside
check "nothing of a squash is left" test -z "$(find "$AIRLOCK_STATE_DIR"/runs -mindepth 2 -maxdepth 2 -name squash)"
check "the log is whole" "$AIRLOCK" log verify

# What a crash left of a squash is not used.
on=
for i in $(seq 17); do
    # shellcheck disable=SC2086
    "$AIRLOCK" run --quiet --workspace work $on -- sh -c "echo $i >$i" && on="--on @1"
done
bottom=$(for r in "$AIRLOCK_STATE_DIR"/runs/*/base; do r=${r%/base}; echo "${r##*/}"; done | LC_ALL=C sort | sed -n 8p)
mkdir -p "$AIRLOCK_STATE_DIR/runs/$bottom/squash/.new-crashed"
same "a half-made one is passed over" "$(seq 17 | xargs)" \
    "$("$AIRLOCK" run --quiet --workspace work --on @1 -- sh -c 'cat $(seq 17)' | xargs)"

# An older stage that is applied leaves the stack; the squashes that cover it fit no more.
first=$(for r in "$AIRLOCK_STATE_DIR"/runs/*/base; do r=${r%/base}; echo "${r##*/}"; done | LC_ALL=C sort | head -1)
check "the oldest is applied by itself" "$AIRLOCK" apply --workspace work "$first"
echo mine >work/1
same "and the workspace shows through where it was" "mine 2 17" \
    "$("$AIRLOCK" run --quiet --workspace work --on @1 -- sh -c 'cat 1 2 17' | xargs)"
finish
