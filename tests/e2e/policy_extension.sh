#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rules as programs: what an extension says counts, what it does wrong denies, and it reaches
# nothing. The extension is a Python program whose first argument is what it does.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
. "$AIRLOCK_SOURCE_DIR/tests/e2e/said.sh"

if ! command -v python3 >/dev/null; then
    echo "1..0 # SKIP no python3 here, which the extension of this test is written in"
    exit 0
fi

mkdir -p work program
work=$(realpath work)
program=$(realpath program)
chmod 755 "$SCRATCH" "$program"

cat >"$program/extension.py" <<'END'
import json, os, socket, struct, sys, time

def read(count):
    data = b""
    while len(data) < count:
        more = os.read(0, count - len(data))
        if not more:
            sys.exit(0)
        data += more
    return data

def send(body):
    os.write(1, struct.pack(">I", len(body)) + body)

def answer(asked, result):
    send(json.dumps({"id": asked["id"], "type": "response", "result": result}).encode())

def reaches():
    """What of the outside can be had; empty when nothing can."""
    found = []
    for path in sys.argv[2:]:
        try:
            open(path).read()
            found.append(path)
        except OSError:
            pass
    for family in (socket.AF_INET, socket.AF_UNIX):
        try:
            socket.socket(family, socket.SOCK_STREAM)
            found.append("socket %d" % family)
        except OSError:
            pass
    return found

def decide(how, asked):
    facts = asked["params"]
    path = facts.get("path", "")
    if how in ("allow", "deny", "review", "pass"):
        answer(asked, {"verdict": how, "reason": "the extension says " + how})
    elif how == "plain":
        answer(asked, {"verdict": "allow"})
    elif how == "apply":  # every path decides by its name
        if facts["operation"] != "stage.apply" or "crash" in path:
            sys.exit(0) if "crash" in path else answer(asked, {"verdict": "allow"})
        else:
            answer(asked, {"verdict": "deny" if "deny" in path else "allow", "reason": "by its name"})
    elif how == "facts":
        answer(asked, {"verdict": "deny", "reason": json.dumps(facts, sort_keys=True)})
    elif how == "escape":
        answer(asked, {"verdict": "deny", "reason": "red \x1b[31m text"})
    elif how == "reach":
        found = reaches()
        answer(asked, {"verdict": "allow" if not found else "deny", "reason": "reaches " + repr(found)})
    elif how == "write":
        open("mine", "w").write("x")
        answer(asked, {"verdict": "allow"})
    elif how == "late":
        time.sleep(60)
    elif how == "crash":
        os.kill(os.getpid(), 9)
    elif how == "garbage":
        send(b"\xff no json")
    elif how == "verdict":
        answer(asked, {"verdict": "maybe"})
    elif how == "more":
        answer(asked, {"verdict": "allow", "also": 1})
    elif how == "id":
        answer({"id": "another"}, {"verdict": "allow"})
    elif how == "twice":
        answer(asked, {"verdict": "allow"})
        answer(asked, {"verdict": "allow"})
    elif how == "long":
        os.write(1, struct.pack(">I", 1 << 30))
        answer(asked, {"verdict": "allow"})
    elif how == "half":
        os.write(1, struct.pack(">I", 100) + b"{")
        time.sleep(60)
    elif how == "deaf":
        os.close(0)
        time.sleep(60)

how = sys.argv[1]
while True:
    asked = json.loads(read(struct.unpack(">I", read(4))[0]))
    if asked["method"] == "policy.hello":
        if how == "rude":
            sys.exit(0)
        answer(asked, {"version": 2 if how == "newer" else 1})
    else:
        decide(how, asked)
END

policy() { # how, timeout, words behind it
    cat >"$policy" <<END
version: 1
extensions:
  - name: judge
    command: [python3, extension.py, $1${3:+, $3}]
    timeout: $2
    folder: $program
END
}
rules() { cat >>"$policy"; }
run() { # arguments of run; the status is its own, what it says is in $said
    "$AIRLOCK" run --quiet --workspace "$work" "$@" >"$said" 2>&1 </dev/null
}

# What it says.
policy allow 5s
check "what it allows is allowed" status 0 run -- true
check "the entry names it" holds run_started '"name":"judge"'
policy plain 5s
check "a reason may be left out" status 0 run -- true
policy deny 5s
rules <<'END'
rules:
  - name: ours
    match: { operation: run.exec }
    action: allow
END
check "what it denies is denied, whatever a rule allows" status 125 run -- true
check "with its name" says "judge"
check "and its reason" says "the extension says deny"
policy pass 5s
check "where it passes nothing is allowed" status 125 run -- true
check "and its reason is shown" says "the extension says pass"
rules <<'END'
rules:
  - name: ours
    match: { operation: run.exec }
    action: allow
END
check "but what a rule allows is" status 0 run -- true
policy review 5s
check "a review needs a person" status 125 run -- true
check "and is one" says "policy.review"
policy facts 5s
check "it is asked about the request" status 125 run --template small -- true
check "with its operation" says '"operation": "run.exec"'
check "and its template" says '"template": "small"'
policy escape 5s
check "what it says cannot move a cursor" status 125 run -- true
check "it is escaped" says 'red \x1b[31m text'

# It is not asked about what is denied already.
policy crash 5s
rules <<'END'
rules:
  - name: never
    match: { operation: run.exec }
    action: deny
END
check "what a rule denies needs no extension" status 125 run -- true
check "and names the rule" says "never"

# What it does wrong.
policy late 100ms
check "one that is late denies" status 125 run -- true
check "and that is said" says "did not answer in time"
policy half 100ms
check "so does half an answer" status 125 run -- true
check "and that is said too" says "did not answer in time"
for how in crash garbage verdict more id long; do
    policy $how 5s
    rules <<'END'
rules:
  - name: ours
    match: { operation: run.exec }
    action: allow
END
    check "$how: denied, though a rule allows" status 125 run -- true
    check "$how: said" says "ended without an answer"
done
policy deaf 5s
check "one that closes its ears denies its next question, and is not waited for" status 125 run -- true
for how in rude newer; do
    policy $how 5s
    check "$how: one that says no hello stops everything" status 125 run -- true
    check "$how: by name and place" says "$policy:3"
done
printf 'version: 1\nextensions: [ { name: judge, command: [no-such-program] } ]\n' >"$policy"
check "so does one that is not there" status 125 run -- true
check "by name" says "the extension judge does not say hello"

# A second answer comes before its question: it counts as a failure, not as an answer.
rm "$policy"
check "a stage" status 0 run -- touch one two
policy twice 5s
refuse "an answer before its question denies" "$AIRLOCK" apply --workspace "$work"
refuse "nothing was applied" test -e "$work/one"

# Crash, restart, out of use.
policy apply 5s
"$AIRLOCK" apply --workspace "$work" >"$said" 2>&1 </dev/null
check "it decides path by path" test -e "$work/one" -a -e "$work/two"
check "a stage with one that crashes it" status 0 run -- touch a-crash b-fine c-deny
apply() { "$AIRLOCK" apply --workspace "$work" --skip-refused >"$said" 2>&1 </dev/null; }
apply
refuse "what it crashed on is denied" test -e "$work/a-crash"
check "what it was asked after its restart is its own" test -e "$work/b-fine"
refuse "both ways" test -e "$work/c-deny"
"$AIRLOCK" discard --workspace "$work" >/dev/null 2>&1
check "a stage with two that crash it" status 0 run -- touch d-crash e-crash f-fine ruled
rules <<'END'
rules:
  - name: ours
    match: { operation: stage.apply, path: ruled }
    action: allow
END
apply
same "the second is a crash, too; then it is out of use" "d-crash:judge e-crash:judge f-fine:default.deny ruled:ours" \
    "$(python3 -c '
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
print(" ".join(sorted(row["path"] + ":" + row["rule"] for row in rows)))
' "$(ls -t "$AIRLOCK_STATE_DIR"/runs/*/facts | head -n 1)")"
refuse "then what only it could allow is denied" test -e "$work/f-fine"
check "what a rule allows is not" test -e "$work/ruled"
"$AIRLOCK" discard --workspace "$work" >/dev/null 2>&1

# What it reaches.
mkdir -p "$HOME/.ssh"
echo secret >"$HOME/.ssh/id_ed25519"
echo secret >"$work/secret"
chmod 755 "$HOME" "$HOME/.ssh"
outside="$HOME/.ssh/id_ed25519, $work/secret, $policy, $AIRLOCK_STATE_DIR/audit.db, /etc/shadow"
policy reach 5s "$outside"
cat >"$SCRATCH/question.py" <<'END'
import struct, sys
body = b'{"id":"1","type":"request","method":"policy.decide","params":{}}'
sys.stdout.buffer.write(struct.pack(">I", len(body)) + body)
END
check "control: outside the same program reads and connects" sh -c "
    python3 '$SCRATCH/question.py' |
    python3 '$program/extension.py' reach '$HOME/.ssh/id_ed25519' | grep -q 'id_ed25519.*socket 2.*socket 1'"
check "inside it has no file of yours and no socket" status 0 run -- true
policy write 5s
check "it may write where it is" status 0 run -- true
refuse "and nothing of that stays" test -e "$program/mine"
printf 'version: 1\nextensions: [ { name: judge, command: [sh, -c, "test -z \\"$(ls -A)\\" && exec sleep 9"] } ]\n' >"$policy"
check "without a folder it stands in an empty one, and still has to answer" status 125 run -- true

# Whose it is.
chmod 777 "$program"
policy allow 5s
check "a folder that others may write is refused" status 125 run -- true
check "and named" says "$program"
chmod 755 "$program"
rm "$policy"
mkdir "$work/.airlock"
printf 'version: 1\nextensions: [ { name: theirs, command: [python3] } ]\n' >"$work/.airlock/policy.yaml"
check "an extension of a workspace you do not trust stops everything" status 125 run -- true
check "and is not started" says "once you trust it"
cat >"$work/.airlock/policy.yaml" <<'END'
version: 1
extensions:
  - { name: theirs, command: [python3, -c, "import os; os.write(1, os.read(0, 9))"], timeout: 1s }
END
trust() {
    { sleep 1 && echo y && sleep 1; } |
        script -qec "'$AIRLOCK' policy trust --workspace '$work'" /dev/null >"$said" 2>&1
}
if command -v script >/dev/null; then
    check "a person can trust it" status 0 trust
    check "and was shown what is started" says "theirs"
    check "and how" says "os.write"
    check "then it is started" status 125 run -- true
    check "and has to behave" says "the extension theirs does not say hello"
    sed -i "s|timeout: 1s|folder: $program|" "$work/.airlock/policy.yaml"
    check "with a folder" status 0 trust
    check "it is refused all the same" status 125 run -- true
    check "with the reason" says "only your own policy file"
else
    skip "trust in a workspace's extension" "no script program here"
fi
rm -r "$work/.airlock"

# Nothing is left.
check "no extension folder stays" test -z "$(ls -A "$AIRLOCK_STATE_DIR/extensions")"
policy allow 5s
mkdir -p "$AIRLOCK_STATE_DIR/extensions/01890000-0000-7000-8000-000000000000/run/upper"
check "what a kill left is removed by the next" status 0 run -- true
check "all of it" test -z "$(ls -A "$AIRLOCK_STATE_DIR/extensions")"
same "no process stays" 0 "$(airlock_processes)"
check "the log verifies" "$AIRLOCK" log verify

# The example, under a Node that takes types away by itself.
example=$AIRLOCK_SOURCE_DIR/examples/extension-ts
if ! command -v node >/dev/null; then
    skip "the example in TypeScript" "no node here"
elif ! node -e 'process.exit(process.features.typescript ? 0 : 1)' 2>/dev/null; then
    skip "the example in TypeScript" "node $(node --version) does not take types away by itself"
else
    check "the example passes its own table" node "$example/rule.test.mts"
    cp "$example"/*.mts "$program/"
    cp "$(readlink -f "$(command -v node)")" "$program/node"
    cat >"$policy" <<END
version: 1
extensions: [ { name: look-alikes, command: [./node, policy.mts], timeout: 5s, folder: $program } ]
rules:
  - name: all
    match: { operation: "*" }
    action: allow
END
    check "the example lets a run pass" status 0 run -- touch latin $'p\xd0\xb0yment'
    apply
    check "and a name in one alphabet" test -e "$work/latin"
    refuse "one that mixes two is denied" test -e "$work/"$'p\xd0\xb0yment'
fi
finish
