#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# airlock doctor --inside: decoys are laid out, the probe outside has to find every one of them, and
# the same probe inside none.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

probe=${AIRLOCK%/*}/airlock-probe
namespace=(unshare --mount --propagation private --pid --fork --mount-proc)
[ "$(id -u)" = 0 ] || namespace+=(--user --map-root-user)
mkdir -p workspace "$HOME/.ssh" "$HOME/.aws"
echo decoy >"$HOME/.ssh/id_ed25519"
echo decoy >"$HOME/.aws/credentials"
echo decoy >"$HOME/notes.txt"
echo decoy >hidden.txt
export AIRLOCK_DECOY_TOKEN=decoy
name=airlock-decoy-$$-$RANDOM
python3 - "$name" "$SCRATCH/decoy.sock" <<'END' &
import socket, sys, time
listening = []
for family, address in ((socket.AF_UNIX, "\0" + sys.argv[1]), (socket.AF_UNIX, sys.argv[2]),
                        (socket.AF_INET, ("127.0.0.1", 0))):
    one = socket.socket(family)
    one.bind(address)
    one.listen()
    listening.append(one)
open("ready", "w").close()
time.sleep(600)
END
decoy=$!
trap 'kill $decoy 2>/dev/null; clean_up' EXIT
eventually test -e ready
hidden=(--hidden "$SCRATCH/hidden.txt" --hidden "$SCRATCH/decoy.sock" --hidden "@$name")

# A process namespace, so that no process but the test's own is looked at.
"${namespace[@]}" sh -c 'sleep 600 & exec 7<hidden.txt; "$@"; kill $!' sh \
    "$probe" "${hidden[@]}" >outside.txt 2>outside.err
found() { # check, what
    sed -n "/^check $1\$/,/^check /p" outside.txt | grep -qF -- "$2"
}
check "control: the probe outside comes to its end" grep -q '^end ' outside.txt
while read -r what detail; do
    check "control: it finds $what" found "$what" "found $detail"
done <<END
secret-files $HOME/.ssh/id_ed25519
secret-files $HOME/.aws/credentials
hidden $SCRATCH/hidden.txt
hidden $SCRATCH/decoy.sock
hidden @$name
home $HOME/notes.txt
environment AIRLOCK_DECOY_TOKEN
environs /proc/
processes
trace process
descriptors 7 is $SCRATCH/hidden.txt
writable
settings
setuid /
listeners tcp port
abstract @
capabilities CapEff
namespaces user
mounts mount
calls
memory /proc/
sysfs /sys/
END
if [ "$(id -u)" = 0 ]; then
    for what in families devices log; do
        check "control: it finds $what" found "$what" found
    done
fi
ip=$(sed -n 's/^ *\([a-z0-9]*\):.*/\1/p' /proc/net/dev | grep -v '^lo$' | head -n 1)
if [ -n "$ip" ]; then
    check "control: it finds interfaces" found interfaces "$ip"
    check "control: it finds routes" found routes "to 1"
else
    skip "control: it finds interfaces and routes" "this machine has none"
fi
"$probe" --only environment >only.txt
same "it can do one check alone" "airlock-probe 1|check environment|found AIRLOCK_DECOY_TOKEN|end 1" \
    "$(paste -sd '|' only.txt)"
"$probe" --only no-such-check >/dev/null 2>&1
same "and knows no others" 2 $?
env -u AIRLOCK_DECOY_TOKEN "$probe" --only environment >/dev/null
same "its status says whether something was found" 0 $?

"$AIRLOCK" doctor --inside --workspace workspace "${hidden[@]}" --json >inside.json
same "inside nothing is found" 0 $?
same "in any check" "0 0 True" "$(python3 -c 'import json
report = json.load(open("inside.json"))
print(report["findings"], sum(row["count"] for row in report["checks"]), len(report["checks"]) >= 26)')"
"$AIRLOCK" doctor --inside --workspace workspace --template small >table.txt
same "nor in another template" 0 $?
same "a row for each check" "$(python3 -c 'import json; print(len(json.load(open("inside.json"))["checks"]))')" \
    "$(grep -Ec '^  .{18}ok ' table.txt)"

echo secret >workspace/in-the-workspace
"$AIRLOCK" doctor --inside --workspace workspace --hidden "$PWD/workspace/in-the-workspace" >found.txt
same "what is found makes it fail" 1 $?
check "and is named" grep -q "workspace/in-the-workspace" found.txt
check "in a row that says no" grep -Eq '^  hidden  *no ' found.txt
same "the probe leaves the workspace as it was" in-the-workspace "$(ls -A workspace)"
check "the log holds the runs" "$AIRLOCK" log verify

# A probe that dies is no good news, and one that lies is heard.
mkdir others
cp "${AIRLOCK%/*}"/airlock* others/ 2>/dev/null
rm -f others/airlock-probe
others/airlock doctor --inside --workspace workspace >missing.txt 2>&1
same "without the probe" 70 $?
check "which it names" grep -q airlock-probe missing.txt
printf '#!/bin/sh\necho airlock-probe 1\necho check secret-files\n' >others/airlock-probe
chmod +x others/airlock-probe
others/airlock doctor --inside --workspace workspace >died.txt 2>&1
same "a probe that ends early" 70 $?
check "is not taken for a good one" grep -q "did not come to its end" died.txt
sed -e '1i #!/bin/sh\ncat <<END' -e '/^found\|^more/d' -e '/^check devices/a found /dev/decoy' -e '$a END' \
    outside.txt >others/airlock-probe
others/airlock doctor --inside --workspace workspace >lied.txt 2>&1
same "what a probe says is what doctor says" 1 $?
check "with the finding" grep -q '/dev/decoy' lied.txt
finish
