# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What every end-to-end script needs. Source it first:
#
#   . "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
#   check "what must hold" command arg...      a row: ok when the command succeeds
#   refuse "what must not work" command arg... a row: ok when the command fails
#   status N command arg..., says PATTERN command arg...   commands for check: whether it exits with
#                                              N, whether it prints something like PATTERN
#   fails N PATTERN command arg...             both: it ends with N and says PATTERN
#   same "what" "$expected" "$got"             a row: ok when the two texts are one
#   skip "what" "why it cannot run here"
#   free_ports COUNT                           ports of 127.0.0.1 that a server may take, in one line
#   proxy_log FILE                             starts the proxy as `proxy init` sets it up, here and
#                                              nowhere else, and ends it: FILE is its log
#   use_npm                                    puts npm on PATH: this machine's, else that of
#                                              tests/npm/install, whose folder becomes HOME
#   eventually command arg...                  whether it succeeds within ten seconds
#   nothing_is_left                            two rows: no process and no cgroup of this test's
#   newest TYPE, entries TYPE, holds TYPE TEXT the last entry of a type in the log, how many there
#                                              are, whether the last one has this text
#   finish                                     the plan; the last line of a script
#
# $AIRLOCK is the program, $AIRLOCK_STATE_DIR a fresh state folder, $SCRATCH a folder of the test's
# own on the same disk. Both are gone at the end, whatever happens.
set -u

for folder in "$AIRLOCK_BUILD_DIR/src" "$AIRLOCK_BUILD_DIR/src/cli"; do
    if [ -x "$folder/airlock" ] && [ -f "$folder/airlock" ]; then
        AIRLOCK=$folder/airlock
        break
    fi
done
if [ -z "${AIRLOCK:-}" ]; then
    echo "1..0 # SKIP no airlock program in $AIRLOCK_BUILD_DIR"
    exit 0
fi

SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/airlock-e2e-XXXXXX")
export SCRATCH
export AIRLOCK_STATE_DIR=$SCRATCH/state
export HOME=$SCRATCH/home
unset XDG_CONFIG_HOME # whose policy would be in force
mkdir "$HOME"
cd "$SCRATCH" || exit 99
rows=0
failed=0

clean_up() {
    cd / || return
    chmod -R u+rwX "$SCRATCH" 2>/dev/null
    rm -rf "$SCRATCH"
}
trap clean_up EXIT

row() { # status name
    rows=$((rows + 1))
    if [ "$1" = 0 ]; then
        echo "ok $rows - $2"
    else
        failed=$((failed + 1))
        echo "not ok $rows - $2"
    fi
}

check() {
    local name=$1
    shift
    if "$@" >"$SCRATCH/row.out" 2>&1; then
        row 0 "$name"
    else
        row 1 "$name"
        sed 's/^/# /' "$SCRATCH/row.out"
    fi
}

refuse() {
    local name=$1
    shift
    if "$@" >"$SCRATCH/row.out" 2>&1; then
        row 1 "$name"
        sed 's/^/# /' "$SCRATCH/row.out"
    else
        row 0 "$name"
    fi
}

status() { # expected command...
    local expected=$1 got
    shift
    "$@" >"$SCRATCH/status.out" 2>&1
    got=$?
    [ "$got" = "$expected" ] || {
        echo "exit $got instead of $expected"
        cat "$SCRATCH/status.out"
        return 1
    }
}

says() { # pattern command...
    local pattern=$1
    shift
    "$@" >"$SCRATCH/says.out" 2>&1
    grep -q -- "$pattern" "$SCRATCH/says.out" || {
        cat "$SCRATCH/says.out"
        return 1
    }
}

fails() { # status words command...
    local status=$1 words=$2 got
    shift 2
    "$@" >"$SCRATCH/fails.out" 2>&1
    got=$?
    if [ $got != "$status" ] || ! grep -q -- "$words" "$SCRATCH/fails.out"; then
        echo "exit $got"
        cat "$SCRATCH/fails.out"
        return 1
    fi
}

same() {
    if [ "$2" = "$3" ]; then
        row 0 "$1"
    else
        row 1 "$1"
        printf '# expected: %s\n# got:      %s\n' "$2" "$3"
    fi
}

skip() {
    rows=$((rows + 1))
    echo "ok $rows - $1 # SKIP $2"
}

proxy_log() {
    local front metrics pid
    "$AIRLOCK" proxy init edge >/dev/null
    read -r front metrics < <(free_ports 2)
    sed -i "s/8443/$front/; s/9443/$metrics/" edge/proxy.yaml
    "$AIRLOCK" proxy -c edge/proxy.yaml >/dev/null 2>"$1" &
    pid=$!
    eventually grep -q proxy.start "$1"
    kill "$pid"
    wait "$pid"
}

use_npm() {
    local packages=$AIRLOCK_BUILD_DIR/npm
    command -v npm >/dev/null && return
    [ -e "$packages/.nvm/node_modules/.bin/npm" ] || return
    HOME=$packages PATH=$packages/.nvm/node_modules/.bin:$PATH
}

free_ports() { python3 "$AIRLOCK_SOURCE_DIR/tests/e2e/ports.py" "$1"; }

eventually() {
    local _
    for _ in $(seq 200); do
        "$@" && return 0
        sleep 0.05
    done
    return 1
}

newest() { "$AIRLOCK" log --json | grep "\"type\":\"$1\"" | tail -n 1; }
entries() { "$AIRLOCK" log --json | grep -c "\"type\":\"$1\""; }
holds() { newest "$1" | grep -qF -- "$2" || { newest "$1" && false; }; }

# Processes of Airlock's that work on this test's state folder; other tests may run beside this one.
airlock_processes() {
    local f count=0
    for f in /proc/[0-9]*/environ; do
        if grep -qz "^AIRLOCK_STATE_DIR=$AIRLOCK_STATE_DIR\$" "$f" 2>/dev/null; then
            case $(cat "${f%environ}comm" 2>/dev/null) in
            airlock*) count=$((count + 1)) ;;
            esac
        fi
    done
    echo "$count"
}

# Cgroups of this test's runs.
airlock_cgroups() {
    local run count=0
    for run in "$AIRLOCK_STATE_DIR"/runs/*; do
        run=${run##*/}
        count=$((count + $(find /sys/fs/cgroup -type d -name "*$run*" 2>/dev/null | wc -l)))
    done
    echo "$count"
}

no_process_is_left() { [ "$(airlock_processes)" = 0 ]; }

nothing_is_left() {
    eventually no_process_is_left
    same "no process is left" 0 "$(airlock_processes)"
    same "no cgroup is left" 0 "$(airlock_cgroups)"
}

finish() {
    echo "1..$rows"
    [ "$failed" = 0 ]
    exit
}

# Asks the data plane with a script of this folder, on each engine, and makes rows of what it prints: "ok",
# "not ok" or "skip", a name, why, with tabs between. The last row says that it came to its end.
asking=
ask_each_engine() { # script, what the last row says
    local engine result name why ended
    for engine in ${ENGINES:-io_uring epoll}; do
        # shellcheck disable=SC2086 # names of groups of rows, when one asks for some alone
        PYTHONDONTWRITEBYTECODE=1 python3 "$AIRLOCK_SOURCE_DIR/tests/e2e/$1" "$engine" \
            "${PROXY_PROGRAM:-$AIRLOCK_BUILD_DIR/src/airlock-proxy}" ${GROUPS_OF_ROWS:-} >"rows.$engine" 2>"errors.$engine" &
        asking=$!
        wait "$asking"
        ended=$?
        asking=
        while IFS=$'\t' read -r result name why; do
            if [ "$result" = skip ]; then
                skip "$name" "$why"
                continue
            fi
            [ "$result" = ok ]
            row $? "$name"
            [ "$result" = ok ] || echo "# $why"
        done <"rows.$engine"
        [ -s "rows.$engine" ] && [ "$ended" = 0 ]
        row $? "$engine: $2"
        sed 's/^/# /' "errors.$engine"
    done
}
