#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Whose policy decides about a run: the user's file, the default where there is none, and what a
# workspace brings with it. What cannot be read or understood stops the run.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
. "$AIRLOCK_SOURCE_DIR/tests/e2e/said.sh"

mkdir -p work
work=$(realpath work)

run() { # arguments of run; the status is its own, what it says is in $said
    "$AIRLOCK" run --quiet --workspace "$work" "$@" >"$said" 2>&1 </dev/null
}

# The default.
check "without a file the default allows" status 0 run -- true
check "and is named in the entry" holds run_started '"file":"policy-default.yaml"'
check "with the fields it matched by" holds run_started \
    '"operation":"run.exec","template":"code-executor","transport":"cli"}'
check "and the digest of the policy" holds run_started '"policy_digest":"'

# A network without a group is not silently none.
check "a template with a network needs a group" status 125 run --template integration-test -- true
check "by its slug" says "sandbox.no-egress"
check "with a way out" says "airlock run --net GROUP"
same "and nothing of it began" 1 "$(entries run_started)"

# An empty file denies everything.
: >"$policy"
check "an empty file denies a run" status 125 run -- true
check "because no rule allows it" says "no rule allows this operation"
same "and the refusal is in the log" 1 "$(entries decision)"
check "with the fields it was judged by" holds decision '"facts":{'
same "no other run began" 1 "$(entries run_started)"

# A rule of the user's.
cat >"$policy" <<'END'
version: 1
rules:
  - name: any-run
    match: { operation: run.exec }
    action: allow
  - name: no-small
    match: { operation: run.exec, template: small }
    action: deny
    reason: "small is too small"
END
check "a rule allows" status 0 run -- true
check "it is named with file and line" holds run_started "{\"file\":\"$policy\",\"line\":3,\"name\":\"any-run\"}"
check "a rule denies" status 125 run --template small -- true
check "with its place" says "$policy:6"
check "and its reason" says "small is too small"

# The template is the policy's to choose while nobody names one.
cat >"$policy" <<'END'
version: 1
rules:
  - name: small-only
    match: { operation: run.exec }
    action: allow
    constraints: { sandbox: small }
END
check "a run without a template takes the policy's" status 0 run -- true
check "the entry has it" holds run_started '"template":"small"'
run -- sh -c 'ulimit -f'
same "and its limits hold inside" 524288 "$(cat "$said")"
check "a template that is named is judged" status 125 run --template code-executor -- true
check "and what it lacks is said" says "the rule wants another sandbox template"
sed -i 's/sandbox: small/sandbox: unheard-of/' "$policy"
check "a template that does not exist is an error" status 125 run -- true
check "with the rule that wants it" says "small-only"

# A person.
cat >"$policy" <<'END'
version: 1
rules:
  - name: ask-me
    match: { operation: run.exec }
    action: require_review
    reason: "commands are read first"
END
begun=$(entries run_started)
check "a review without a person is refused" status 125 run -- touch wanted
check "as one" says "policy.review"
check "and is in the log" holds decision '"outcome":"require_review"'
at_terminal() { # answer: the run's status
    # The answer is typed once the question is there.
    { sleep 1 && echo "$1" && sleep 1; } |
        script -qec "'$AIRLOCK' run --quiet --workspace '$work' -- touch wanted" /dev/null >"$said" 2>&1
}
if command -v script >/dev/null; then
    check "no at a terminal refuses" status 125 at_terminal n
    check "after the command and the reason were shown" says "touch wanted"
    check "the reason" says "commands are read first"
    same "nothing ran" "$begun" "$(entries run_started)"
    check "yes at a terminal runs it" status 0 at_terminal y
    check "and the entry tells who agreed" holds run_started '"reviewer":"terminal"'
    sed -i 's/    reason:.*/    constraints: { reviewers: 2 }/' "$policy"
    check "one person is not two" status 125 at_terminal y
    check "and that is said" says "wants 2 people to agree"
else
    skip "a review at a terminal" "no script program here"
fi

# How often.
cat >"$policy" <<'END'
version: 1
rules:
  - name: twice
    match: { operation: run.exec }
    action: allow
    constraints: { rate: 2/1h }
END
check "the first fits the rate" status 0 run -- true
check "the second too" status 0 run -- true
check "the third does not" status 125 run -- true
check "and is told when it will" says "the next one fits at 20"
check "the refusal names the rule" holds decision '"rule":"twice"'
check "what was refused does not count: still full" status 125 run -- true
sed -i 's/name: twice/name: another/' "$policy"
check "another rule counts for itself" status 0 run -- true
sed -i 's|rate: .*}|rate: 1/1ms }|' "$policy"
sleep 0.1
check "what is older than the window does not count" status 0 run -- true

# Files that cannot be used stop everything; nothing falls back to the default.
printf 'version: 1\nrules:\n  - name: x\n    match: { operation: run.exec }\n    action: alow\n' >"$policy"
check "a broken file stops a run" status 125 run -- true
check "with file, line and column" says "$policy:5:13"
check "and how to see all of it" says "airlock policy check"
refuse "it stops an apply" "$AIRLOCK" apply --workspace "$work"
rm "$policy"
check "a stage for later" status 0 run -- touch later
echo 'version: 1' >"$policy"
echo '*' >>"$policy"
refuse "a broken file stops a discard" "$AIRLOCK" discard --workspace "$work"
echo 'version: 1' >"$policy"
chmod 666 "$policy"
check "a file that others can write is refused" status 125 run -- true
check "with what to do" says "chmod go-w $policy"
rm "$policy"
ln -s nowhere "$policy"
check "a link that leads nowhere is refused" status 125 run -- true
rm "$policy"
mkfifo "$policy"
check "so is a FIFO, without waiting" status 125 run -- true
rm "$policy"
if [ "$(id -u)" != 0 ]; then
    : >"$policy"
    chmod 000 "$policy"
    check "and what cannot be read" status 125 run -- true
    rm -f "$policy"
else
    : >"$policy"
    chown 12345 "$policy"
    check "and what belongs to somebody else" status 125 run -- true
    rm "$policy"
fi

# What the workspace brings.
mkdir "$work/.airlock"
theirs=$work/.airlock/policy.yaml
cat >"$theirs" <<'END'
version: 1
rules:
  - name: their-allow
    match: { operation: run.exec, template: small }
    action: allow
END
cat >"$policy" <<'END'
version: 1
rules:
  - name: ours
    match: { operation: run.exec, template: code-executor }
    action: allow
END
trust() { # writes the list as it is once a person trusted the file
    printf '{"trusted":[{"digest":"%s","workspace":"%s"}]}' \
        "$(sha256sum <"$theirs" | cut -c 1-64)" "$work" >"$AIRLOCK_STATE_DIR/trust.json"
    chmod 600 "$AIRLOCK_STATE_DIR/trust.json"
}
check "what the user allows is allowed" status 0 run -- true
check "an allow of an untrusted workspace is none" status 125 run --template small -- true
trust
check "once trusted it counts" status 0 run --template small -- true
check "and is named" holds run_started '"name":"their-allow"'
echo '# changed' >>"$theirs"
check "a file that changed has lost it" status 125 run --template small -- true
printf 'version: 1\nrules:\n  - name: their-deny\n    match: { operation: run.exec }\n    action: deny\n' >"$theirs"
check "an untrusted workspace may deny" status 125 run -- true
check "by name" says "their-deny"
echo 'rules: [' >"$theirs"
check "its broken file stops a run" status 125 run -- true
check "by its own name" says "$theirs:"
rm "$theirs"
ln -s "$policy" "$theirs"
check "a link there is refused, not ignored" status 125 run -- true
check "and named" says "$theirs"
rm "$theirs"
mkdir "$theirs"
check "so is a folder" status 125 run -- true
rmdir "$theirs"
mkfifo "$theirs"
check "and a FIFO" status 125 run -- true
rm "$theirs"
rmdir "$work/.airlock"
ln -s "$XDG_CONFIG_HOME/airlock" "$work/.airlock"
check "and a link on the way" status 125 run -- true
rm "$work/.airlock"
check "without one it runs" status 0 run -- true
check "the log verifies" "$AIRLOCK" log verify
finish
