#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# No program says where it was built: half of what `make reproducible` shows by building twice, in a
# second. Names are looked for as bytes anywhere in the file, debug information included.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

source=$(cd "$AIRLOCK_SOURCE_DIR" && pwd -P)
build=$(cd "$AIRLOCK_BUILD_DIR" && pwd -P)
programs=$(sed -n "s/^programs='\(.*\)'$/\1/p" "$source/tools/install")

if meson introspect --buildoptions "$build" 2>/dev/null |
    python3 -c 'import json, sys
options = {row["name"]: row["value"] for row in json.load(sys.stdin)}
sys.exit(options["b_sanitize"] in ("", "none", []) and not options["coverage"])'; then
    skip "no program names a folder of this build" "sanitizers and coverage need the real paths"
    finish
    exit
fi

same "tools/install knows every program there is" "$(tr ' ' '\n' <<<"$programs" | LC_ALL=C sort)" \
    "$(find "$build/src" -maxdepth 1 -type f -perm -u+x -name 'airlock*' ! -name '*-glibc' -printf '%f\n' | LC_ALL=C sort)"

# The test can fail: the same search finds a name that is there.
printf 'x\0%s/src/main.c\0' "$source" >"$SCRATCH/told"
check "the search finds a path" grep -qaF "$source" "$SCRATCH/told"

names_no_folder() { # program
    local folder
    for folder in "$source" "$build" "$(cd "$AIRLOCK_SOURCE_DIR/.." && pwd)/${source##*/}/"; do
        if grep -qaF "$folder" "$1"; then
            grep -aobF "$folder" "$1" | head -n 3
            return 1
        fi
    done
}
for program in $programs; do
    check "$program names no folder of this build" names_no_folder "$build/src/$program"
done
relative=$(realpath --relative-to="$build" "$source")/src/base/error.c
refuse "sources are named from the top of the tree, not from the build folder" \
    grep -qaF "$relative" "$build/src/airlock"
check "and they are named" grep -qaF "src/base/error.c" "$build/src/airlock"
same "no timestamp of the compiler's in our sources" "" \
    "$(cd "$source" && grep -rnE '__(DATE|TIME|TIMESTAMP)__' src schema || true)"
finish
