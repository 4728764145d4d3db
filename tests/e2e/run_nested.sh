#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Root of a user namespace that maps nobody else, as in a rootless container: it has no other ids
# to give to a payload and cannot id-map a filesystem, so it must be treated as a plain user.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

if ! unshare --user --map-root-user true 2>/dev/null; then
    skip "root of a user namespace" "no nested user namespaces here"
    finish
fi
mkdir work
echo old >work/file
nested() {
    unshare --user --map-root-user "$AIRLOCK" "$@"
}
same "a run works" "0" "$(nested run --quiet --workspace work -- sh -c 'echo new >file; id -u')"
same "its changes are staged" "old" "$(cat work/file)"
check "the payload has no capability" nested run --quiet --workspace work -- \
    grep -q '^CapEff:.*0000000000000000$' /proc/self/status
check "they can be applied" nested apply --workspace work
same "and are then there" "new" "$(cat work/file)"
check "the log verifies" nested log verify
check "doctor finds every wall" nested doctor
finish
