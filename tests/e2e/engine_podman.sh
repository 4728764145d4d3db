#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# airlock run --engine podman against a Podman of this test's own: storage, service and image are
# made in $SCRATCH, and nothing is fetched. runc, because crun does not start on hosts with both
# versions of cgroups.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
. "$AIRLOCK_SOURCE_DIR/tests/e2e/engine_lib.sh"

if ! command -v podman >/dev/null || ! command -v runc >/dev/null; then
    skip "podman runs commands" "podman and runc are not here; they are in the root of make check: tools/enter --check"
    finish
fi
if [ "$(id -u)" != 0 ]; then
    skip "podman runs commands" "its service needs root; what a plain user gets is a row of root's pass"
    finish
fi

printf '[engine]\nevents_logger="none"\n' >"$SCRATCH/containers.conf"
export CONTAINERS_CONF=$SCRATCH/containers.conf
KIND=podman
IMAGE="airlock-test:1"
SOCKET=$SCRATCH/podman.sock
podman --root "$SCRATCH/storage" --runroot "$SCRATCH/runroot" --runtime runc --cgroup-manager cgroupfs \
    system service --time=0 "unix://$SOCKET" >"$SCRATCH/service.log" 2>&1 &
service=$!
stop_service() {
    podman --url "unix://$SOCKET" rm -fa -t 0 >/dev/null 2>&1
    podman --url "unix://$SOCKET" volume rm -fa >/dev/null 2>&1
    kill "$service" 2>/dev/null
    wait "$service" 2>/dev/null
    umount "$SCRATCH/storage/overlay" 2>/dev/null
    clean_up
}
trap stop_service EXIT
eventually test -S "$SOCKET"

make_rootfs "$SCRATCH/rootfs"
tar -C "$SCRATCH/rootfs" -cf "$SCRATCH/image.tar" .
if ! podman --url "unix://$SOCKET" import "$SCRATCH/image.tar" "$IMAGE" >"$SCRATCH/import.log" 2>&1 ||
    ! podman --url "unix://$SOCKET" run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
        "$IMAGE" /bin/true-is-not-there 2>&1 | grep -q 'true-is-not-there'; then
    skip "podman runs commands" "podman starts no container here: $(tail -1 "$SCRATCH/import.log")"
    finish
fi

engine_containers() {
    podman --url "unix://$SOCKET" ps -aq --filter label=airlock.run | wc -l
}
engine_volumes() {
    podman --url "unix://$SOCKET" volume ls -q --filter label=airlock.run | wc -l
}
engine_rows
control_rows
net_rows
strict_rows
write_policy

chmod 660 "$SOCKET"
plain_user_rows
finish
