#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Templates of a user: what they may say, that they hold, that policy matches them by name, and that
# a workspace brings none. Then what a run took, as it is told.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
. "$AIRLOCK_SOURCE_DIR/tests/e2e/said.sh"

own=$XDG_CONFIG_HOME/airlock/templates
mkdir -p "$own" work/.airlock/templates
work=$(realpath work)
cat >"$XDG_CONFIG_HOME/airlock/policy.yaml" <<'END'
version: 1
rules:
  - name: mine
    match: { operation: run.exec, template: [code-executor, small, tiny, slow, broken, quiet, sealed] }
    action: allow
END
run() { "$AIRLOCK" run --workspace "$work" "$@" >"$said" 2>&1 </dev/null; }
field() { grep -o "\"$1\":[0-9]*" "$said" | cut -d: -f2; }

cat >"$own/tiny.yaml" <<'END'
version: 1
name: tiny
based_on: small
summary: "ten processes"
limits: { processes: 10, memory: 96MiB, time: 2s }
END
check "a template of one's own is taken" status 0 run --template tiny -- true
check "its name is in the entry" grep -q '"template":"tiny"' <(newest run_started)
check "with the digest of what it says" grep -Eq '"template_digest":"[0-9a-f]{64}"' <(newest run_started)
before=$(newest run_started | grep -o '"template_digest":"[0-9a-f]*"')
sed -i 's/processes: 10/processes: 11/' "$own/tiny.yaml"
run --template tiny -- true
refuse "which changes with it" test "$before" = "$(newest run_started | grep -o '"template_digest":"[0-9a-f]*"')"
run --template tiny -- python3 -c 'import os, time
count = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(1000)
        count += 1
except OSError:
    print("made", count)'
check "its limit of processes holds" says "made 10"
check "so does its time" status 124 run --template tiny -- sleep 1000
check "which the summary explains" says "--timeout"
check "and its memory" status 137 run --template tiny -- python3 -c 'a = bytearray(b"x" * (300 << 20)); import time; time.sleep(20)'
check "with a way to more" says "memory: 192MiB"

check "the list has it" grep -q '^tiny .* 96 MiB' <("$AIRLOCK" doctor --templates)
check "as JSON too" grep -q '"origin": "user"' <("$AIRLOCK" doctor --templates --json)
for name in code-executor small integration-test package-caches ai-provider policy-sandbox; do
    check "and ours: $name" grep -q "^$name " <("$AIRLOCK" doctor --templates)
done

# What policy does not name.
cp "$own/tiny.yaml" "$own/other.yaml" && sed -i 's/name: tiny/name: other/' "$own/other.yaml"
check "policy decides by the name" status 125 run --template other -- true
check "and says so" says policy.denied
check "the refusal names the template" grep -q '"template":"other"' <(newest decision)
check "and its digest" grep -q '"template_digest":"' <(newest decision)

# Mistakes: each with its place.
wrong() { # what, line and column and words of the message, text
    printf '%s\n' "$3" >"$own/broken.yaml"
    check "$1" status 125 run --template broken -- true
    check "... at its place" says "broken.yaml:$2"
}
wrong "an unknown key" "4:1: there is no key 'limit'" 'version: 1
name: broken
summary: x
limit: { memory: 1GiB }'
check "names the nearest" says "Did you mean limits?"
wrong "an unknown limit" "5:11: there is no limit 'memori'" 'version: 1
name: broken
summary: x
based_on: small
limits: { memori: 1GiB }'
check "names the nearest too" says "Did you mean memory?"
wrong "a filter of its own" "5:10: there is no seccomp 'none'" 'version: 1
name: broken
summary: x
based_on: small
seccomp: none'
wrong "a limit past the hard one" "5:22: processes is past its hard limit" 'version: 1
name: broken
summary: x
based_on: small
limits: { processes: 1000000 }'
wrong "no limit at all" "5:19: memory cannot be read" 'version: 1
name: broken
summary: x
based_on: small
limits: { memory: none }'
wrong "a base that is none" "4:11: there is no template" 'version: 1
name: broken
summary: x
based_on: tiny'
wrong "nothing but a name" "1:1: limits has no memory" 'version: 1
name: broken
summary: x'
wrong "another name" "2:7: the name is not that of the file" 'version: 1
name: small
summary: x
based_on: small'
wrong "no YAML" "2:1: this is not YAML" '{'
check "the list says which cannot be used" grep -q '^broken .*cannot be used' <("$AIRLOCK" doctor --templates)
rm "$own/broken.yaml"
chmod 666 "$own/tiny.yaml"
check "one that others can write is not used" status 125 run --template tiny -- true
chmod 600 "$own/tiny.yaml"
check "a name is no path" status 125 run --template ../templates/tiny -- true
check "it is unknown" says "there is no template named"
cp "$own/tiny.yaml" "$work/.airlock/templates/quiet.yaml"
sed -i 's/name: tiny/name: quiet/' "$work/.airlock/templates/quiet.yaml"
check "a workspace brings none" status 125 run --template quiet -- true
check "it is unknown too" says "sandbox.template"

# A share of the processors: two loops may take a quarter of one.
cat >"$own/slow.yaml" <<'END'
version: 1
name: slow
based_on: code-executor
summary: "a quarter of a processor"
limits: { cpu: 0.25, output: 4KiB }
END
run --json --template slow --timeout 3s -- sh -c 'while :; do :; done & while :; do :; done'
check "the time limit ended it, and what it took is known all the same" test "$(field cpu_user_us)" -gt 100000
used=$(($(field cpu_user_us) + $(field cpu_system_us)))
check "a quota of the processors holds" test "$used" -lt $(($(field wall_us) * 40 / 100))
run --template slow -- sh -c 'yes | head -c 100000'
check "output past the limit is passed on" test "$(wc -c <"$said")" -gt 100000
check "and the summary says what was kept" says "the first 4096 of 100000 bytes are kept"
check "and what would keep more" says "output: 8KiB"
check "the entry too" grep -q '"kept_bytes":4096' <(newest run_finished)

# The strict filter: one program, with what starts it, and no other.
cat >"$own/sealed.yaml" <<'END'
version: 1
name: sealed
based_on: code-executor
summary: "strict"
seccomp: strict
END
printf '#!/bin/sh\necho from a script\n' >"$work/script" && chmod +x "$work/script"
printf '#!/usr/bin/env python3\nprint("by env")\n' >"$work/by-env" && chmod +x "$work/by-env"
cp /usr/bin/true "$work/other"
cp "$AIRLOCK" "$work/static"
strict() { (cd "$work" && run --template sealed -- "$@"); }
check "a dynamic program starts" strict python3 -c 'print("python here")'
check "and speaks" says "python here"
check "a static one starts" strict ./static --version
check "a script does, by its interpreter" strict ./script
check "and speaks" says "from a script"
check "one whose interpreter env looks up" strict ./by-env
check "and speaks" says "by env"
for other in /usr/bin/env "$work/other" /bin/sh ./script; do
    check "no other is executed: $other" strict python3 -c '
import errno, os, sys
try:
    os.execv(sys.argv[1], [sys.argv[1]])
except OSError as error:
    sys.exit(error.errno != errno.EACCES)
sys.exit(3)' "$other"
done
check "control: the standard filter lets it" status 0 run --template code-executor -- \
    python3 -c 'import os; os.execv("/usr/bin/env", ["env"])'
check "what is not there is not found" status 127 strict nothing-of-the-kind
check "what is no program is none" status 126 strict "$work"

run --json -- sh -c 'dd if=/dev/zero of=f bs=1M count=3 conv=fsync 2>/dev/null
    for i in 1 2 3 4; do sleep 0.5 & done; wait'
check "the most processes are told" test "$(field pids_peak)" -ge 4
check "the most memory" test "$(field memory_peak_bytes)" -gt 100000
if [ "$(stat -f -c %T "$SCRATCH")" = tmpfs ]; then
    skip "bytes to disk" "the state folder is in memory here"
else
    check "bytes to disk" test "$(field io_write_bytes)" -ge 3000000
fi
check "all of it in the entry" grep -Eq '"io_read_bytes":[0-9]+,"io_write_bytes":[0-9]+.*"pids_peak":[4-9]' <(newest run_finished)

# The rate of disk access, where it can be held.
cat >"$own/quiet.yaml" <<'END'
version: 1
name: quiet
based_on: code-executor
summary: "a MiB of disk in a second"
limits: { read_rate: 512MiB, write_rate: 1MiB }
END
held=$("$AIRLOCK" doctor | grep '^ *disk rate')
three='dd if=/dev/zero of=f bs=1M count=3 conv=fsync 2>/dev/null'
run --json --template quiet -- sh -c "$three"
slow=$(field wall_us)
case $held in
*'by cgroup'*)
    check "the rate of disk access is told as held" says '"disk_rate":"cgroup-v'
    check "what is written takes as long as it says" test "$slow" -gt 1500000
    run --json --template quiet --timeout 2s -- sh -c 'dd if=/dev/zero of=f bs=1M count=200 conv=fsync 2>/dev/null'
    check "what waits for the disk is ended at its time" says '"outcome":"timeout"'
    check "and not when all is written" test "$(field duration_us)" -lt 30000000
    run --template quiet -- true
    check "the summary tells it" says "the rate of disk access is held by cgroup-v"
    check "and the entry" grep -q '"disk_rate":"cgroup-v' <(newest run_finished)
    same "no group is left" 0 "$(airlock_cgroups)"
    ;;
*)
    check "a rate of disk access that cannot be held is told" says '"disk_rate":"none"'
    run --template quiet -- true
    check "in the summary" says "the rate of disk access is not held here"
    check "and by doctor, with what it takes" grep -q 'io controller' <("$AIRLOCK" doctor)
    check "and the entry" grep -q '"disk_rate":"none"' <(newest run_finished)
    ;;
esac
run --json -- sh -c "$three"
refuse "control: nobody asked" says disk_rate
sed -i 's/write_rate: 1MiB/write_rate: 100KiB/' "$own/quiet.yaml"
check "a rate at which nothing ends is refused" status 125 run --template quiet -- true
check "with the least there is" says "write_rate is less than 1 MiB in a second"
finish
