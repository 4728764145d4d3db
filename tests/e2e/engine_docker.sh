#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# airlock run --engine docker against the daemon that answers on this machine's usual socket (or
# AIRLOCK_TEST_DOCKER). The image is made from a tarball, and removed again.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
. "$AIRLOCK_SOURCE_DIR/tests/e2e/engine_lib.sh"

SOCKET=${AIRLOCK_TEST_DOCKER:-/run/docker.sock}
KIND=docker
IMAGE=airlock-test-$$:1
api() { # method path [file]: the answer
    python3 - "$SOCKET" "$@" <<'END'
import http.client, socket, sys
path, method, where = sys.argv[1:4]
connection = http.client.HTTPConnection("engine")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(path)
body = open(sys.argv[4], "rb").read() if len(sys.argv) > 4 else None
connection.request(method, where, body, {"Content-Type": "application/x-tar"} if body else {})
answer = connection.getresponse()
print(answer.read().decode())
sys.exit(answer.status >= 400)
END
}
if ! [ -S "$SOCKET" ] || ! api GET /version >/dev/null 2>&1; then
    echo "# NOT TESTED HERE: Docker. No daemon answers at $SOCKET; start one and run this again." >&2
    skip "docker runs commands" "no daemon answers at $SOCKET"
    finish
fi
remove_image() {
    api DELETE "/images/$IMAGE?force=1" >/dev/null 2>&1
    clean_up
}
trap remove_image EXIT
make_rootfs "$SCRATCH/rootfs"
tar -C "$SCRATCH/rootfs" -cf "$SCRATCH/image.tar" .
check "an image is made from a tarball" api POST "/images/create?fromSrc=-&repo=${IMAGE%:*}&tag=1" "$SCRATCH/image.tar"
FILTER='filters=%7B%22label%22%3A%5B%22airlock.run%22%5D%7D'
engine_containers() {
    api GET "/containers/json?all=1&$FILTER" | grep -o '"Id":' | wc -l
}
engine_volumes() {
    api GET "/volumes?$FILTER" | grep -o '"Mountpoint":' | wc -l
}
engine_rows
control_rows
net_rows
strict_rows
write_policy
if [ "$(id -u)" = 0 ]; then
    plain_user_rows
fi
check "doctor has its version" env AIRLOCK_ENGINE_SOCKET="$SOCKET" sh -c "'$AIRLOCK' doctor | grep -Eq '^  docker  *ok  *[0-9]+\\.'"
finish
