#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Ways out of a sandbox, each of which must be refused. A probe that answers anything but 1
# (refused) fails its row, so a sandbox that does not start cannot pass.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

mkdir "$SCRATCH/workspace"
cp "$AIRLOCK_BUILD_DIR/tests/e2e/probes/escape" "$SCRATCH/workspace/escape" || exit 99
cd "$SCRATCH/workspace" || exit 99
inside() { "$AIRLOCK" run --workspace "$PWD" --quiet -- "$@"; }
fails_inside() { # as the command's own failure, not as that of the sandbox
    inside "$@"
    local status=$?
    [ "$status" != 0 ] && [ "$status" != 125 ]
}
shows_nothing() { # the run goes on, without secrets, accounts or sockets of the host
    "$AIRLOCK" run --workspace "$SCRATCH/pointing" --quiet -- sh -c \
        '[ ! -e "$HOME/.ssh" ] && [ ! -e /etc/shadow ] && [ -z "$(ls -A /run)" ]'
}
attempt() { # name probe argument...
    local name=$1 status
    shift
    inside ./escape "$@" >"$SCRATCH/row.out" 2>&1
    status=$?
    if [ "$status" = 1 ] && grep -q refused "$SCRATCH/row.out"; then
        row 0 "$name"
    else
        row 1 "$name (status $status)"
        sed 's/^/# /' "$SCRATCH/row.out"
    fi
}

check "control: the probe runs inside and an allowed file opens" inside ./escape read /proc/self/status
check "control: the same probe goes through outside" ./escape read /proc/self/status
if [ "$(id -u)" = 0 ]; then
    check "control: a user namespace can be made outside" ./escape userns
    check "control: root outside has capabilities" ./escape capability
    check "control: keyctl works outside" ./escape keyctl
fi

attempt "no user namespace inside (unshare)" userns
attempt "no user namespace inside (clone)" clone-userns
attempt "no clone3, whose flags a filter cannot see" clone3
attempt "no mount" mount /tmp
attempt "no mount by the new interface" new-mount
attempt "no unmounting of a mask" umount /proc/kallsyms
attempt "no chroot" chroot /tmp
attempt "no pivot_root" pivot
attempt "no joining of init's namespaces" setns /proc/1/ns/mnt
attempt "no ptrace of init" ptrace 1
attempt "no io_uring" io-uring
attempt "no vsock" vsock
attempt "no packet socket" packet
attempt "no raw socket" raw
attempt "no netlink but route" netlink
attempt "no bpf" bpf
attempt "no keyctl" keyctl
attempt "no kexec" kexec
attempt "no userfaultfd" userfaultfd
attempt "no perf events" perf
attempt "no change of personality" personality
attempt "no open_by_handle_at" handle
attempt "no x32 call" x32
attempt "no TIOCSTI" tiocsti
attempt "no TIOCSTI with a high bit set" high-bits
attempt "no limits for init, whose eyes watch disk and memory" prlimit 1
attempt "no device node" mknod node
attempt "no whiteout by hand in the workspace" whiteout white
attempt "no whiteout by hand in /tmp" whiteout /tmp/white
attempt "no setuid to another id" setuid 4242
check "setuid to the own id is nothing" inside ./escape setuid "$(id -u)"
attempt "no capability of any kind" capability
attempt "no leaked file descriptor" leaked-fd
same "init is in the network namespace of the sandbox, too" lo \
    "$(inside sed -n "3,\$s/:.*//p" /proc/1/net/dev | xargs)"
same "a crash is handed to nobody: the limit of core files is 1 byte" "1 1" \
    "$(inside sh -c 'ulimit -c 0; exec awk "/core file/ {print \$5, \$6}" /proc/self/limits')"
attempt "no core_pattern (release of a crash handler)" write /proc/sys/kernel/core_pattern
attempt "no modprobe path" write /proc/sys/kernel/modprobe
attempt "no sysrq" write /proc/sysrq-trigger
attempt "no binfmt_misc" write /proc/sys/fs/binfmt_misc/register
attempt "no memory of init" write /proc/1/mem
attempt "no environment of init" read /proc/1/environ
attempt "no way through the root of init" read /proc/1/root/etc/passwd
attempt "no way through the folder of init" read /proc/1/cwd/etc/passwd
attempt "no program of the runtime (runc CVE-2019-5736)" write /proc/1/exe
attempt "no kernel memory" read /dev/mem
attempt "no disk" read /dev/vda
attempt "no console" write /dev/console
attempt "no sysfs" read /sys/kernel/notes
attempt "no cgroup files (release_agent)" write /sys/fs/cgroup/release_agent
attempt "no shadow file" read /etc/shadow
attempt "no writing of a program of the host" write /usr/bin/env
attempt "no writing of a library's cache" write /etc/ld.so.cache
attempt "no writing through a mask" write /proc/kallsyms
attempt "no container engine's socket" read /run/docker.sock

same "masked files are empty" "end" "$(inside sh -c 'cat /proc/kallsyms /proc/keys /proc/timer_list 2>/dev/null; echo end')"
check "control: kallsyms is not empty outside" test -n "$(head -c 1 /proc/kallsyms)"
same "only loopback" "lo:" "$(inside sed -n '3,$s/ *\([a-z0-9]*:\).*/\1/p' /proc/net/dev)"
check "loopback is up" inside python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
c = socket.create_connection(s.getsockname(), 2)'
check "no route out" fails_inside python3 -c 'import socket; socket.create_connection(("192.0.2.1", 80), 2)'
sleep 98765.4 &
sleeper=$!
sleep 0.3 # until it is exec'd
seen="cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -q '98765[.]4'"
check "control: the processes of the host are seen outside" sh -c "$seen"
check "host processes are not seen" fails_inside sh -c "$seen"
kill "$sleeper"
check "kill -9 1 harms nobody" inside sh -c 'kill -9 1; sleep 0.1; true'

name=airlock-test-$$-$RANDOM
"$SCRATCH/workspace/escape" listen-abstract "$name" &
listener=$!
sleep 0.3
check "control: the abstract socket answers outside" ./escape abstract "$name"
attempt "no abstract socket of the host" abstract "$name"
kill "$listener" 2>/dev/null
wait "$listener" 2>/dev/null

mkdir -p "$HOME/.ssh" && echo secret >"$HOME/.ssh/id_ed25519"
check "no keys below HOME" fails_inside cat "$HOME/.ssh/id_ed25519"
same "HOME is empty" "end" "$(inside sh -c 'ls -A "$HOME"; echo end')"
same "a variable of the host does not come along" "value:" \
    "$(AIRLOCK_TEST_SECRET=x inside sh -c 'echo value:$AIRLOCK_TEST_SECRET')"

# runc CVE-2025-31133 and 52881: what a mask or a target of ours might follow is replaced by links.
ln -s /proc/sys/kernel/core_pattern "$SCRATCH/workspace/null"
check "a link in the workspace leads to nothing writable" fails_inside sh -c 'echo x > null'
# runc CVE-2025-52565: /dev/console through a link of the payload's.
check "no link can be put into /dev" fails_inside ln -s /proc/sysrq-trigger /dev/console
check "no folder of the root can be made" fails_inside mkdir /escape
# runc CVE-2024-21626: a working folder that is a leaked fd.
check "the working folder leads to no host" fails_inside sh -c 'ls /proc/self/cwd/../../../../../../../../../root/.bashrc /proc/self/fd/7/'
# A working folder that an earlier run made a link to what lies over the root while it is changed;
# often, because it would be a race.
mkdir "$SCRATCH/stood" "$SCRATCH/stood/sub"
leads_out() {
    (cd "$SCRATCH/stood/sub" && for _ in $(seq 80); do
        "$AIRLOCK" run --workspace "$SCRATCH/stood" --on "$stood" --quiet -- stat -c %i . || echo failed
    done) | sort -u
}
check "a run that makes a folder a link" "$AIRLOCK" run --workspace "$SCRATCH/stood" --quiet -- \
    sh -c 'rmdir sub && ln -s /.. sub'
stood=$(find "$AIRLOCK_STATE_DIR/runs" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | tail -n 1)
same "the next one, with that as its working folder, is in its own root" \
    "$(inside stat -c %i /)" "$(leads_out)"

# A .git file is the workspace's own word: it must not bring a folder of the host in.
mkdir "$SCRATCH/pointing"
for folder in "$HOME" /run /etc /; do
    echo "gitdir: $folder" >"$SCRATCH/pointing/.git"
    check "a .git file that names $folder brings nothing in" shows_nothing
done
rm "$SCRATCH/pointing/.git"
ln -s "$HOME" "$SCRATCH/pointing/.git"
check "a .git link to HOME brings nothing in" shows_nothing
git init -q "$SCRATCH/other" && git -C "$SCRATCH/other" -c user.name=x -c user.email=x@localhost \
    commit -q --allow-empty -m first && git -C "$SCRATCH/other" worktree add -q "$SCRATCH/tree"
check "control: the git folder of a work tree comes in" \
    "$AIRLOCK" run --workspace "$SCRATCH/tree" --quiet -- \
    git -c safe.directory='*' --git-dir="$SCRATCH/other/.git" log
# A repository of the user's that has nothing to do with the workspace.
rm "$SCRATCH/pointing/.git"
for folder in "$SCRATCH/other/.git" "$SCRATCH/other/.git/worktrees/tree"; do
    echo "gitdir: $folder" >"$SCRATCH/pointing/.git"
    refuse "a .git file that names another repository brings nothing in" \
        "$AIRLOCK" run --workspace "$SCRATCH/pointing" --quiet -- cat "$SCRATCH/other/.git/HEAD"
done
finish
