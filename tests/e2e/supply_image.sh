#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The image of packaging/Containerfile, run by podman as its first lines say: read-only, nobody's root,
# without capabilities. `make image` builds it whole and names its archive in $AIRLOCK_IMAGE; else its last
# stage is built around the programs of this build, which takes seconds.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
containerfile=$AIRLOCK_SOURCE_DIR/packaging/Containerfile

if ! command -v podman >/dev/null || ! command -v runc >/dev/null; then
    skip "podman runs the image" "podman and runc are not here; they are in the root of make check: tools/enter --check"
    finish
    exit
fi
if [ "$(id -u)" != 0 ]; then
    skip "podman runs the image" "without root it needs a map of subordinate ids"
    finish
    exit
fi
if [ ! -e "$AIRLOCK_BUILD_DIR/src/airlock-release.map" ]; then
    skip "podman runs the image" "these programs are not static"
    finish
    exit
fi
export PODMAN_IGNORE_CGROUPSV1_WARNING=1
IMAGE=localhost/airlock-proxy
engine() {
    podman --root "$SCRATCH/storage" --runroot "$SCRATCH/runroot" --runtime runc --cgroup-manager cgroupfs \
        --events-backend none "$@"
}
stop_all() {
    engine rm -fa -t 0 >/dev/null 2>&1
    engine image unmount -a >/dev/null 2>&1
    umount "$SCRATCH/storage/overlay" 2>/dev/null
    clean_up
}
trap stop_all EXIT

if [ -n "${AIRLOCK_IMAGE:-}" ]; then
    check "the archive is loaded" engine load --quiet --input "$AIRLOCK_IMAGE"
else
    "$AIRLOCK_SOURCE_DIR/tools/install" "$AIRLOCK_BUILD_DIR" "$SCRATCH/context/out/usr" >/dev/null
    find context/out/usr/bin context/out/usr/libexec -type f -exec strip --strip-all {} +
    rm -r context/out/usr/share
    mkdir -p context/out/etc/airlock
    sed -n '/^FROM scratch/,$p' "$containerfile" | sed 's#^COPY --from=build /out/ /#COPY out/ /#' >context/Containerfile
    check "its last stage is built" engine build --quiet --format docker --network none --tag "$IMAGE" context
fi

files=$(engine image mount "$IMAGE")
same "it holds programs and an empty folder for the configuration" "./etc/airlock ./usr/bin/airlock ./usr/libexec/airlock" \
    "$(cd "$files" && find . '(' -type f -o -type l -o -empty ')' | sed 's#libexec/airlock/.*#libexec/airlock#' | sort -u | tr '\n' ' ' | sed 's/ $//')"
same "  which need no other file" "" \
    "$(find "$files" -type f -exec sh -c 'for f; do readelf -lW "$f" 2>/dev/null | grep -q INTERP && echo "$f"; done' sh {} +)"
same "  and belong to root, with no odd mode" "755 0:0" "$(find "$files/usr" -type f -printf '%m %U:%G\n' | sort -u)"
engine image unmount "$IMAGE" >/dev/null

mkdir proxy
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 10 -subj /CN=app.example \
    -addext subjectAltName=DNS:app.example -keyout proxy/key.pem -out proxy/cert.pem 2>/dev/null
chmod 755 proxy
chown 10001 proxy/key.pem
cat >proxy/proxy.yaml <<'END'
version: 1
metrics: {bind: "tcp://127.0.0.1:9443"}
listeners:
  - {name: front, bind: "tcp://[::]:443", mode: echo, pq: require, tls: {cert: cert.pem, key: key.pem}}
END
# As much as this machine allows: podman asks for more than some do. Its own network, with nothing but loopback.
options=(--network none --sysctl net.ipv4.ip_unprivileged_port_start=443
    --ulimit "nofile=$(ulimit -Hn):$(ulimit -Hn)" --ulimit nproc=1024:1024)
start() { # name option...
    engine run --detach --name "$1" --read-only --cap-drop all --security-opt no-new-privileges "${options[@]}" "${@:2}" \
        -v "$SCRATCH/proxy:/etc/airlock:ro" "$IMAGE" >/dev/null
}
logged() { engine logs "$1" 2>&1 | grep -qF "\"event\":\"$2\""; }
check "it starts" start one
check "and serves" eventually logged one proxy.start
[ $failed = 0 ] || { engine logs one; finish; exit; }
first=$(engine inspect --format '{{.State.Pid}}' one)
echoes() {
    [ "$( (echo "over TLS"; sleep 1) | timeout 20 nsenter -t "$first" -n openssl s_client -connect 127.0.0.1:443 \
        -groups "$1" -quiet -no_ign_eof 2>/dev/null)" = "over TLS" ]
}
check "by X25519MLKEM768, at a port below 1024" echoes X25519MLKEM768
refuse "and not by X25519, as it is told" echoes X25519
same "it is nobody's root, without capability, behind a filter" \
    "Uid:10001 CapEff:0000000000000000 CapBnd:0000000000000000 NoNewPrivs:1 Seccomp:2" \
    "$(awk '/^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):/ { printf "%s%s%s", sep, $1, $2; sep = " " }' "/proc/$first/status")"
check "its root cannot be written to" grep -qE ' / / ro,| / ro[, ]' "/proc/$first/mountinfo"
same "and it keeps its own walls, whatever the engine's are" yes \
    "$(engine logs one 2>&1 | sed -n 's/.*"confined":"\([a-z]*\)".*/\1/p')"
check "its health check passes" engine healthcheck run one
sed -i 's/version: 1/version: 9/' proxy/proxy.yaml
engine kill --signal HUP one >/dev/null
check "it reads its configuration again when told to" eventually logged one proxy.reload-failed
sed -i 's/version: 9/version: 1/' proxy/proxy.yaml
check "it stops" engine stop --time 30 one
same "  by SIGTERM, with status 0" 0 "$(engine inspect --format '{{.State.ExitCode}}' one)"

said() { sed -n "s/.*\"engine\":\"\([a-z_]*\)\".*/\1/p"; }
proxy_log outside.log
check "without the engine's filter" start two --security-opt seccomp=unconfined
eventually logged two proxy.start
same "  it moves bytes as it does outside" "$(said <outside.log)" "$(engine logs two 2>&1 | said)"
second=$(engine inspect --format '{{.State.Pid}}' two)
same "  behind its own filter" 2 "$(sed -n 's/^Seccomp:\t//p' "/proc/$second/status")"
finish
