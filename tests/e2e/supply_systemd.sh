#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# packaging/systemd/airlock-proxy.service, started by a systemd: one of this test's own, first process
# of a copy of this root in namespaces and a branch of cgroups of its own. The unit is the installed
# one, unchanged; what it walls off is looked at from inside, and none of it may stop the proxy.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

if [ ! -x /usr/lib/systemd/systemd ] || [ "$(id -u)" != 0 ]; then
    skip "systemd runs the unit" "no systemd here, or not root (it is among the packages of make check)"
    finish
    exit
fi
tree=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
own=$tree$(sed -n 's/^0:://p' /proc/self/cgroup)
group=$own/airlock-systemd-$$
if [ -z "$tree" ] || ! mkdir "$group" 2>/dev/null; then
    skip "systemd runs the unit" "no branch of cgroups of version 2 can be made here"
    finish
    exit
fi
manager=
end_it() {
    [ -z "$manager" ] || kill -KILL "$manager" 2>/dev/null
    wait 2>/dev/null
    for _ in $(seq 100); do
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
        sleep 0.05
    done
    clean_up
}
trap end_it EXIT

# The root is this one with a layer in memory over it. Nothing of the machine's may be changed:
# /sys and /proc/sys are read-only, /dev is new, and of what a system starts with only the journal is left.
cat >"$SCRATCH/init.sh" <<'END'
set -eu
cd "$1"
mkdir layer root
mount -t tmpfs tmpfs layer
mkdir layer/upper layer/work
mount -t overlay -o "lowerdir=/,upperdir=$1/layer/upper,workdir=$1/layer/work" overlay root
"$AIRLOCK_SOURCE_DIR/tools/install" "$AIRLOCK_BUILD_DIR" root/usr >/dev/null
cp "$AIRLOCK_SOURCE_DIR/packaging/systemd/airlock-proxy.service" root/etc/systemd/system/
cp -r etc/. root/etc/
cd root
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs tmpfs dev
mkdir dev/pts dev/shm dev/mqueue dev/hugepages
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
for node in null zero full random urandom tty; do
    : >"dev/$node"
    mount --bind "/dev/$node" "dev/$node"
done
mount -t tmpfs tmpfs usr/lib/systemd/system/sysinit.target.wants
ln -s ../systemd-journald.service usr/lib/systemd/system/sysinit.target.wants/
ip link set lo up
mkdir -p .old
pivot_root . .old
umount -l /.old
mount --make-rshared /
exec env -i container=airlock-test PATH=/usr/bin:/usr/sbin /usr/lib/systemd/systemd \
    --system --unit=airlock-proxy.service --show-status=no
END
mkdir -p etc/airlock etc/keys etc/systemd/system/airlock-proxy.service.d
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 10 -subj /CN=app.example \
    -addext subjectAltName=DNS:app.example -keyout etc/keys/front.pem -out etc/airlock/front-cert.pem 2>/dev/null
chmod 600 etc/keys/front.pem
chmod 755 etc/airlock
chmod 700 etc/keys
cat >etc/systemd/system/airlock-proxy.service.d/key.conf <<'END'
[Service]
LoadCredential=front-key.pem:/etc/keys/front.pem
END
cat >etc/airlock/proxy.yaml <<'END'
version: 1
metrics: {bind: "tcp://127.0.0.1:9443"}
listeners:
  - name: front
    bind: "tcp://127.0.0.1:443"
    mode: echo
    pq: require
    tls: {cert: front-cert.pem, key: /run/credentials/airlock-proxy.service/front-key.pem}
  - {name: local, bind: "unix:///run/airlock-proxy/echo.sock", mode: echo}
END
echo 0123456789abcdef0123456789abcdef >etc/machine-id
chmod 644 etc/airlock/* etc/machine-id

(
    echo "$BASHPID" >"$group/cgroup.procs"
    exec unshare --cgroup --mount --pid --fork --uts --ipc --net --kill-child=KILL --propagation private \
        sh "$SCRATCH/init.sh" "$SCRATCH"
) >"$SCRATCH/manager.log" 2>&1 &
manager=$!
first_process() { init=$(pgrep -P "$manager") && [ "$(cat "/proc/$init/comm")" = systemd ]; }
if ! eventually first_process; then
    skip "systemd runs the unit" "it does not start here: $(tail -n 1 "$SCRATCH/manager.log")"
    finish
    exit
fi
echo "$manager" >"$own/cgroup.procs" # controllers are handed on by groups without processes alone
inside() { nsenter -t "$init" -a "$@"; }
is() { [ "$(inside systemctl show -P "$1" airlock-proxy)" = "$2" ]; }
journal() { inside journalctl -q -u airlock-proxy -o cat; }
logged() { journal | grep -qF "\"event\":\"$1\""; }
eventually is SubState running && eventually logged proxy.start
check "systemd starts it" is SubState running
[ $failed = 0 ] || { inside journalctl --no-pager -q -o cat; finish; exit; }
same "its configuration was checked first" "0 OK  the configuration can be put in force" \
    "$(inside systemctl show -P ExecStartPre airlock-proxy | sed 's/.*status=\([0-9]*\).*/\1/') $(journal | grep '^OK')"

said() { sed -n "s/.*\"$1\":\"\([a-z_]*\)\".*/\1/p"; }
proxy_log outside.log
same "the unit's filter takes no engine away" "$(said engine <outside.log)" "$(journal | said engine)"
same "nor the proxy's own walls" "$(said confined <outside.log)" "$(journal | said confined)"

echoes() { # options of s_client
    [ "$( (echo "over TLS"; sleep 1) | inside timeout 20 openssl s_client -connect 127.0.0.1:443 -quiet -no_ign_eof "$@" 2>/dev/null)" = "over TLS" ]
}
check "it serves at a low port, by X25519MLKEM768, with a key that was handed over" echoes -groups X25519MLKEM768
refuse "and not by X25519, as it is told" echoes -groups X25519
check "it serves at a socket below /run/airlock-proxy" inside python3 -c '
import socket
s = socket.socket(socket.AF_UNIX)
s.connect("/run/airlock-proxy/echo.sock")
s.sendall(b"local")
assert s.recv(5) == b"local"'
check "it is healthy" inside /usr/libexec/airlock/airlock-proxy health -c /etc/airlock/proxy.yaml

main() { inside systemctl show -P MainPID airlock-proxy; }
proc() { inside cat "/proc/$(main)/$1"; }
refuse "it is not root" grep -q '^Uid:.*\b0\b' <(proc status)
same "it has one capability, and gets no other" \
    "CapPrm:0000000000000400 CapEff:0000000000000400 CapBnd:0000000000000400 NoNewPrivs:1 Seccomp:2" \
    "$(proc status | sed -n 's/^\(Cap[PEB].*\|NoNewPrivs.*\|Seccomp:.*\)$/\1/p' | tr -d '\t' | tr '\n' ' ' | sed 's/ $//')"
same "no core file, and enough descriptors and locked memory, or as much as is allowed here" "0 yes yes" \
    "$(proc limits | awk -v files="$(ulimit -Hn)" -v locked="$(ulimit -Hl)" '
        function enough(got, want, allowed) { return got >= want || got == allowed ? "yes" : got }
        /^Max core/ { core = $5 } /^Max open/ { open = $4 } /^Max locked/ { lock = $4 }
        END { print core, enough(open, 1048576, files), enough(lock, 67108864, locked * 1024) }')"
its_files() { inside nsenter -t "$(main)" -m "$@"; }
refuse "it can write nothing of /etc" its_files touch /etc/airlock/proxy.yaml
check "  since its root is read-only" says "Read-only file system\|Permission denied" its_files touch /usr/here
refuse "nor execute anything but itself" its_files /usr/bin/true
refuse "nor see devices" its_files test -e /dev/tty0
refuse "nor homes" its_files ls /root/.

inside sed -i 's/^  - {name: local/  - {name: second, bind: "tcp:\/\/127.0.0.1:444", mode: echo}\n&/' /etc/airlock/proxy.yaml
before=$(main)
check "it reloads" inside systemctl reload airlock-proxy
check "  and takes what is new" eventually logged proxy.reloaded
check "  at a low port" inside bash -c 'exec 3<>/dev/tcp/127.0.0.1/444 && echo again >&3 && read -r -t 10 line <&3 && [ "$line" = again ]'
inside sed -i 's/version: 1/version: 9/' /etc/airlock/proxy.yaml
inside systemctl reload airlock-proxy
check "a wrong configuration is said to be wrong" eventually logged proxy.reload-failed
check "  and the old one serves on" echoes -groups X25519MLKEM768
same "  in the same process" "$before" "$(main)"
inside sed -i 's/version: 9/version: 1/' /etc/airlock/proxy.yaml

inside kill -KILL "$before"
is_another() { is SubState running && [ "$(main)" != "$before" ] && echoes -groups X25519MLKEM768; }
check "killed, it is started again" eventually is_another
check "it stops" inside systemctl stop airlock-proxy
check "  well" is Result success
check "  with status 0" is ExecMainStatus 0
refuse "  and leaves nothing below /run" inside test -e /run/airlock-proxy
inside sed -i 's/version: 1/version: 9/' /etc/airlock/proxy.yaml
refuse "a configuration that is wrong is not started" inside systemctl start airlock-proxy
finish
