#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# airlock doctor where everything is there, and where one thing at a time is missing. Each missing
# thing is made missing for real, and doctor must name it, name its knob, and fail.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

probes=$AIRLOCK_BUILD_DIR/tests/e2e/probes
namespace=(unshare --mount --propagation private)
[ "$(id -u)" = 0 ] || namespace=(unshare --user --map-root-user --mount --propagation private)
EPERM=1 ENOSYS=38 EOPNOTSUPP=95

names() { # what, row, knob, status that is expected, then the command
    local what=$1 wall=$2 knob=$3 expected=$4 status
    shift 4
    "$@" >"$SCRATCH/doctor.out" 2>"$SCRATCH/doctor.err"
    status=$?
    # The advice is wrapped; a knob may stand on two lines.
    if [ "$status" = "$expected" ] &&
        sed -n "\\,^  $wall  *no ,,/^  [^ ]/p" "$SCRATCH/doctor.out" | tr -s '\n ' '  ' | grep -qF -- "$knob"; then
        row 0 "$what"
    else
        row 1 "$what (status $status, expected $expected)"
        sed 's/^/# /' "$SCRATCH/doctor.out" "$SCRATCH/doctor.err"
    fi
}
in_namespace() { # script of preparations, then the command
    local script=$1
    shift
    "${namespace[@]}" sh -euc "$script; exec \"\$@\"" sh "$@"
}
wall_state() { # json file, list, name
    python3 -c 'import json, sys
print(next(r["state"] for r in json.load(open(sys.argv[1]))[sys.argv[2]] if r["name"] == sys.argv[3]))' "$@"
}

"$AIRLOCK" doctor --json >all.json
same "doctor finds a machine that can run" 0 $?
for wall in "user ns" "mount ns" "pid ns" "ipc ns" "uts ns" "cgroup ns" "network ns" root /proc pty overlay idmap \
    landlock seccomp; do
    same "$wall is there" there "$(wall_state all.json walls "$wall")"
done
refuse "the default template can be had" test missing = "$(wall_state all.json templates code-executor)"
same "and doctor says so" True "$(python3 -c 'import json; print(json.load(open("all.json"))["can_run"])')"
for wall in state log keys policy; do
    refuse "$wall is in order" test missing = "$(wall_state all.json airlock "$wall")"
done
for engine in podman docker; do
    check "there is a row for $engine" wall_state all.json airlock "$engine"
done
"$AIRLOCK" doctor >table.txt
if [ "$(id -u)" = 0 ]; then
    in_namespace 'mount -t tmpfs none /sys/fs/cgroup' "$AIRLOCK" doctor >limits.txt 2>&1
    same "without cgroups runs are possible" 0 $?
    check "with lesser limits" grep -q "^  limits  *less  *by rlimit" limits.txt
    check "and it says how to get others" grep -q "/sys/fs/cgroup" limits.txt
else
    check "limits without a cgroup say how to get one" grep -Eq 'by cgroup|Delegate=yes' table.txt
fi
same "the columns line up" "27" "$(awk '/^  [^ ]/ && match($0, /^  .{18}(ok|less|no|-) +/) { print RLENGTH + 1 }' table.txt | sort -u)"
same "every row is one of them" "" "$(grep '^  [^ ]' table.txt | grep -Ev '^  .{18}(ok|less|no|-) ')"
refuse "no colour where there is no terminal" grep -q "$(printf '\033')" table.txt
terminal='import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)'
TERM=xterm python3 -c "$terminal" "$AIRLOCK" doctor </dev/null >colours.txt
check "colour at a terminal" grep -q "$(printf '\033\\[32mok')" colours.txt
NO_COLOR=1 TERM=xterm python3 -c "$terminal" "$AIRLOCK" doctor </dev/null >plain.txt
refuse "none with NO_COLOR" grep -q "$(printf '\033')" plain.txt
check "but the table all the same" grep -q "^  landlock  *ok" plain.txt
same "nothing is left in the state folder" "" "$(find "$AIRLOCK_STATE_DIR" -name 'doctor-*')"

names "no user namespaces (max_user_namespaces)" "user ns" "user.max_user_namespaces" 69 \
    unshare --user --map-root-user sh -euc \
    'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"' sh "$AIRLOCK" doctor
names "no network namespaces (max_net_namespaces)" "network ns" "user.max_net_namespaces" 69 \
    unshare --user --map-root-user sh -euc \
    'echo 0 >/proc/sys/user/max_net_namespaces; exec "$@"' sh "$AIRLOCK" doctor
names "a container's filter refuses unshare" "user ns" "--security-opt seccomp=unconfined" 69 \
    "$probes/refuse_calls" unshare=$EPERM clone3=$EPERM -- "$AIRLOCK" doctor
names "Landlock is built in and off" landlock "lsm= kernel parameter" 69 \
    "$probes/refuse_calls" landlock_create_ruleset=$EOPNOTSUPP -- "$AIRLOCK" doctor
names "a container's filter hides Landlock" landlock "landlock_create_ruleset" 69 \
    "$probes/refuse_calls" landlock_create_ruleset=$ENOSYS -- "$AIRLOCK" doctor
names "no seccomp" seccomp "seccomp=unconfined" 69 \
    "$probes/refuse_calls" seccomp=$EPERM -- "$AIRLOCK" doctor
names "no mounts" overlay "seccomp=unconfined" 69 \
    "$probes/refuse_calls" fsopen=$EPERM -- "$AIRLOCK" doctor
names "a state folder on a filesystem that overlays cannot use" overlay "It cannot stand on ramfs" 69 \
    in_namespace 'mkdir ram; mount -t ramfs ram ram; chmod 700 ram' \
    env AIRLOCK_STATE_DIR="$SCRATCH/ram/state" "$AIRLOCK" doctor
names "a state folder on an overlay" overlay "It cannot stand on overlay" 69 \
    in_namespace 'mkdir low up work over; mount -t overlay -o lowerdir=low,upperdir=up,workdir=work,userxattr over over' \
    env AIRLOCK_STATE_DIR="$SCRATCH/over/state" "$AIRLOCK" doctor
# Every /proc there is: one that is whole anywhere would do.
cover='for proc in $(sed -n "s/^\([^ ]* \)\{4\}\([^ ]*\) .* - proc .*/\2/p" /proc/self/mountinfo); do
    mount --bind /dev/null "$proc/kallsyms"
done'
if in_namespace "$cover" true 2>/dev/null; then
    names "a /proc with covered parts" /proc "systempaths=unconfined" 69 in_namespace "$cover" "$AIRLOCK" doctor
else
    skip "a /proc with covered parts" "a whole one stands where this user cannot go"
fi
# Most commands are a program of their own where `airlock` is linked with musl.
full=${AIRLOCK%/*}/airlock-full
if [ -e "$full" ]; then
    mkdir front && cp "$AIRLOCK" front
    "$PWD/front/airlock" doctor >front.out 2>&1
    same "without airlock-full" 70 $?
    check "which it names" grep -q "program.missing" front.out
    check "the version is told all the same" "$PWD/front/airlock" --version
else
    full=
fi
# shellcheck disable=SC2086 # no program is no argument
if [ "$(id -u)" = 0 ]; then
    mkdir -p jail/proc jail/usr jail/state
    cp "$AIRLOCK" $full "${AIRLOCK%/*}/airlock-jail" "${AIRLOCK%/*}/airlock-keys" jail
    chmod 700 jail/state
    names "a chroot" "user ns" "pivot_root" 69 in_namespace \
        'mount -t proc proc jail/proc; mount --bind /usr jail/usr' \
        env AIRLOCK_STATE_DIR=/state chroot jail /airlock doctor
else
    skip "a chroot" "only root can make one"
fi

# shellcheck disable=SC2086 # no program is no argument
mkdir alone && cp "$AIRLOCK" $full alone
"$PWD/alone/airlock" doctor >alone.out 2>&1
same "without its launcher" 70 $?
check "which it names" grep -q "jail.missing" alone.out
mkdir -m 777 open && chmod 777 open
AIRLOCK_STATE_DIR=$SCRATCH/open "$AIRLOCK" doctor >open.out 2>&1
refuse "a state folder that others can write" test $? = 0
check "which it names" grep -q "state  *no  *state.unusable" open.out
check "and the walls are tried all the same" grep -q "landlock  *ok" open.out
mkdir -p "$HOME/.config/airlock" && echo 'rules: [' >"$HOME/.config/airlock/policy.yaml"
names "a policy that cannot be read" policy "policy.invalid" 65 "$AIRLOCK" doctor
rm "$HOME/.config/airlock/policy.yaml"
mkdir w && "$AIRLOCK" run --quiet --workspace w -- true
check "control: a log with entries is in order" "$AIRLOCK" doctor
rm -f "$AIRLOCK_STATE_DIR"/audit.db-*
dd if=/dev/zero of="$AIRLOCK_STATE_DIR/audit.db" bs=1 count=64 conv=notrunc status=none
"$AIRLOCK" doctor >log.out 2>&1
refuse "a damaged log" test $? = 0
check "which it names" grep -Eq "log  *no  *audit\." log.out
finish
