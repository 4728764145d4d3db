#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Airlock builds itself (but for its tests) in a sandbox, with its own Debian root as the sandbox's root, and the result is a
# stage. A plain user, who cannot go where root keeps that root, builds one program of it in the root that
# is there.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

export XDG_CONFIG_HOME=$SCRATCH/config
source=$AIRLOCK_SOURCE_DIR
root=$source/.devroot
options=()
disk=$SCRATCH # several hundred MB, which a /tmp in memory may not have
if [ "$(id -u)" = 0 ]; then
    disk=$(mktemp -d "$AIRLOCK_BUILD_DIR/e2e-XXXXXX")
    export AIRLOCK_STATE_DIR=$disk/state
    trap 'rm -rf "$disk"; clean_up' EXIT
fi
if [ ! -r /usr/lib/airlock-devroot ]; then
    skip "Airlock builds itself" "this is not the root of tools/enter"
    finish
fi
mkdir "$disk/tree" && cd "$disk/tree" || exit 99
git -c safe.directory='*' -C "$source" ls-files -z |
    (cd "$source" && tar --null --files-from=- --ignore-failed-read -cf - 2>/dev/null) | tar -xf - || exit 99
if [ "$(id -u)" = 0 ] && [ -d "$root/usr" ]; then
    ln -s "$(readlink -f "$root")" .devroot
    options=(--root .devroot)
fi
sealed() { "$AIRLOCK" run --quiet "${options[@]}" --workspace "$PWD" -- "$@"; }

kind=build
[ ${#options[@]} -gt 0 ] || kind=$(cat /usr/lib/airlock-devroot)
declare -A larger=([build]=--check [check]=--peers)
same "in a sandbox with the root tools/enter knows where it is" "$kind" \
    "$(sealed env -u AIRLOCK_IN_DEVROOT tools/enter sh -c 'echo "$AIRLOCK_IN_DEVROOT"')"
if [ -n "${larger[$kind]:-}" ]; then
    refuse "and enters no other" sealed tools/enter "${larger[$kind]}" true
else
    skip "and enters no other" "the root of peers is the largest"
fi
if [ "$(id -u)" = 0 ]; then
    sealed make build MESON_ARGS=-Dtests=false >"$disk/build.out" 2>&1
    same "make build succeeds" 0 $?
    program=build/src/airlock
else
    sealed sh -c 'tools/enter meson setup build && tools/enter ninja -C build src/airlock-keys' >"$disk/build.out" 2>&1
    same "one program is built" 0 $?
    program=build/src/airlock-keys
fi
tail -n 10 "$disk/build.out" | sed 's/^/# /'
refuse "nothing of it is in the tree" test -e build
"$AIRLOCK" apply --workspace "$PWD" >"$disk/apply.out" 2>&1
same "the stage is applied" 0 $?
check "and holds the program" test -x "$program"
if [ "$(id -u)" = 0 ]; then
    check "which runs" ./airlock --version
    check "and makes a sandbox" ./airlock run --quiet --workspace "$PWD/docs" -- true
fi
finish
