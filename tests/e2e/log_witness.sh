#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `airlock log witness`: a witness that cosigns, one behind TLS, and one that lies in every way we
# could think of. What it lies about must leave nothing behind.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

for tool in python3 openssl; do
    if ! command -v $tool >/dev/null; then
        echo "1..0 # SKIP no $tool"
        exit 0
    fi
done
servers=()
stop_servers() {
    [ ${#servers[@]} = 0 ] || kill "${servers[@]}" 2>/dev/null
    clean_up
}
trap stop_servers EXIT

log() { "$AIRLOCK" log "$@"; }
serve() { # folder [tls]
    local folder=$SCRATCH/$1
    shift
    mkdir "$folder"
    echo honest >"$folder/mode"
    python3 "$AIRLOCK_SOURCE_DIR/tests/e2e/witness_server.py" "$folder" "$(log key)" "$@" \
        >"$folder/out" 2>&1 &
    servers+=($!)
    eventually test -f "$folder/ready"
    read -r port vkey <"$folder/ready"
}
fails() { # expected slug, words of the message, command...
    local slug=$1 words=$2 got
    shift 2
    "$@" >"$SCRATCH/fails.out" 2>&1
    got=$?
    if [ $got = 0 ] || [ $got -ge 124 ] || ! grep -q -- "$slug" "$SCRATCH/fails.out" ||
        ! grep -q -- "$words" "$SCRATCH/fails.out"; then
        echo "exit $got"
        cat "$SCRATCH/fails.out"
        return 1
    fi
}
entries() { log --json --type witness_cosigned | wc -l; }

mkdir work
cd work || exit 99
check "nothing to witness yet" fails "" "no witness" log witness sync
"$AIRLOCK" run --quiet -- true
serve w1
url=http://127.0.0.1:$port/base
key=$vkey

refuse "a name that is a path" log witness add ../w1 "$key" "$url"
refuse "the log's own key is no witness's" log witness add w1 "$(log key)" "$url"
refuse "a damaged key" log witness add w1 "${key}A" "$url"
refuse "a URL of another kind" log witness add w1 "$key" ftp://127.0.0.1/
refuse "a URL with a user" log witness add w1 "$key" http://me@127.0.0.1/
refuse "certificates that are not there" log witness add w1 "$key" "$url" --ca "$SCRATCH/none"
check "a witness" log witness add w1 "$key" "$url/"
refuse "a second of that name" log witness add w1 "$key" "$url"
same "it is listed" "w1" "$(log witness list | cut -f1)"
same "its file is ours alone" 600 "$(stat -c %a "$AIRLOCK_STATE_DIR/witnesses.json")"

size_before=$(log --json | wc -l)
for lie in key-id name future no-time flipped flipped-text other-tree plain empty twice many-lines html \
    no-newline; do
    echo "$lie" >"$SCRATCH/w1/mode"
    check "a cosignature that lies: $lie" fails "its cosignature" "" log witness sync
done
for lie in truncated two-lengths oversized oversized-open garbage closed; do
    echo "$lie" >"$SCRATCH/w1/mode"
    check "a response that lies: $lie" fails "cannot ask" "response" log witness sync
done
for status in 400 403 404 409 422; do
    echo "$status" >"$SCRATCH/w1/mode"
    check "status $status" fails "did not cosign" "($status)" log witness sync
done
for lie in redirect 500 same size-is-text; do
    echo "$lie" >"$SCRATCH/w1/mode"
    check "a refusal: $lie" fails "did not cosign" "" log witness sync
done
echo larger >"$SCRATCH/w1/mode"
check "a witness that has seen more than is here" fails "did not cosign" "rolled back" log witness sync
same "no lie left an entry" "$size_before" "$(log --json | wc -l)"
refuse "no lie left a file" ls "$AIRLOCK_STATE_DIR/cosigned/w1"

echo honest >"$SCRATCH/w1/mode"
check "an honest answer" log witness sync
same "leaves one entry" 1 "$(entries)"
same "the second time nothing is asked" '{"witnesses":[{"name":"w1","outcome":"current","size":2}]}' \
    "$(log witness sync --json)"
same "and nothing is written" 1 "$(entries)"
log export "$SCRATCH/tiles" >/dev/null
same "the exported checkpoint has both signatures" 2 "$(grep -c '^—' "$SCRATCH/tiles/checkpoint")"
check "and is a checkpoint of this log" log verify --checkpoint "$SCRATCH/tiles/checkpoint"

"$AIRLOCK" run --quiet -- true
for lie in replayed hang; do
    echo "$lie" >"$SCRATCH/w1/mode"
    refuse "a second tree, and a lie: $lie" timeout 60 "$AIRLOCK" log witness sync
done
echo honest >"$SCRATCH/w1/mode"
: >"$SCRATCH/w1/asked"
check "a second tree" log witness sync
same "is proved from the first" "old 2" "$(cat "$SCRATCH/w1/asked")"
rm "$AIRLOCK_STATE_DIR/cosigned/w1"
: >"$SCRATCH/w1/asked"
check "a lost cosignature is got again" log witness sync
same "from the size that the witness names" "old 0 old 5" "$(paste -sd' ' "$SCRATCH/w1/asked")"
check "receipts verify as before" sh -c "'$AIRLOCK' receipt >'$SCRATCH/receipt' && '$AIRLOCK' verify '$SCRATCH/receipt'"
"$AIRLOCK" run --quiet -- true
echo chunked >"$SCRATCH/w1/mode"
check "a response in chunks" log witness sync
check "the log is whole" log verify

serve w2 tls
check "a witness behind TLS, whose certificate nobody signed" \
    log witness add w2 "$vkey" "https://127.0.0.1:$port/base"
check "is not believed" fails "cannot ask" "certificate" log witness sync
check "is removed" log witness remove w2
refuse "once" log witness remove w2
check "it is believed with its certificate" \
    log witness add w2 "$vkey" "https://127.0.0.1:$port/base" --ca "$SCRATCH/w2/tls.pem"
check "and cosigns" log witness sync
rm -r "$SCRATCH/tiles"
log export "$SCRATCH/tiles" >/dev/null
same "both their lines are exported" 2 "$(grep -c '^— witness.example/w1 ' "$SCRATCH/tiles/checkpoint")"
# A witness that has no classical group at all: what is agreed with it is post-quantum.
cat >"$SCRATCH/hybrid.cnf" <<'END'
openssl_conf = all
[all]
ssl_conf = servers
[servers]
system_default = groups
[groups]
Groups = X25519MLKEM768
END
log witness remove w2
OPENSSL_CONF=$SCRATCH/hybrid.cnf serve hybrid tls
check "the server is what it should be: a classical client is refused" \
    sh -c '! openssl s_client -connect "$0" -groups X25519:P-256 </dev/null >/dev/null 2>&1' "127.0.0.1:$port"
check "a witness with a hybrid group alone" \
    log witness add hybrid "$vkey" "https://127.0.0.1:$port/base" --ca "$SCRATCH/hybrid/tls.pem"
check "is asked by it, and cosigns" log witness sync
log witness remove hybrid
read -r port vkey <"$SCRATCH/w2/ready"
check "another host's certificate" \
    log witness add w2 "$vkey" "https://localhost:$port/base" --ca "$SCRATCH/w2/tls.pem"
"$AIRLOCK" run --quiet -- true
check "is no certificate of this one" fails "cannot ask" "mismatch" log witness sync
log witness remove w2

mkdir -p "$HOME/.config/airlock"
echo 'keys: {pq_signatures: true}' >"$HOME/.config/airlock/config.yaml"
"$AIRLOCK" run --quiet -- true
check "a checkpoint with two signatures is cosigned" log witness sync
rm -r "$SCRATCH/tiles"
log export "$SCRATCH/tiles" >/dev/null
same "its cosignature is exported with both" 3 "$(grep -c '^— ' "$SCRATCH/tiles/checkpoint")"
check "and the log is held against it" log verify --checkpoint "$SCRATCH/tiles/checkpoint"
rm "$HOME/.config/airlock/config.yaml"

# In a mount namespace, so that nobody else sees the name.
printf '127.0.0.1 localhost\n127.0.0.1 witness.test other.test\n' >"$SCRATCH/hosts"
with_hosts() {
    unshare --mount ${EUID:+$([ "$EUID" = 0 ] || echo --map-root-user)} \
        sh -c 'mount --bind "$1" /etc/hosts && shift && exec "$@"' sh "$SCRATCH/hosts" "$@"
}
echo honest >"$SCRATCH/w1/mode"
check "a witness by its name" log witness add named "$key" \
    "http://witness.test:${url##*:}" # url ends in port and path
"$AIRLOCK" run --quiet -- true
check "is found through /etc/hosts" with_hosts "$AIRLOCK" log witness sync
log witness remove named >/dev/null

check "a name that nothing here knows" log witness add w2 "$vkey" http://witness.invalid/
check "is said to be so" fails "cannot ask" "/etc/hosts" log witness sync
check "a witness that is not there" sh -c "'$AIRLOCK' log witness remove w2 &&
    '$AIRLOCK' log witness add w2 '$vkey' http://127.0.0.1:1/"
check "is unreachable" fails "cannot ask" "refused" log witness sync
same "nothing of ours is left running" 0 "$(airlock_processes)"
finish
