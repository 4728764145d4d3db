#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A log under a key from a file that config.yaml names: made, used, changed, and without the key.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

export XDG_CONFIG_HOME=$SCRATCH/config
config=$XDG_CONFIG_HOME/airlock/config.yaml
mkdir -p work "${config%/*}"
cd work || exit 99
log() { "$AIRLOCK" log "$@"; }
new_key() { (umask 077 && head -c 32 /dev/urandom >"$1"); }
configure() { printf 'storage: { key_file: %s }\n' "$1" >"$config"; }
says() { # exit status, pattern, command...
    local expected=$1 pattern=$2 got
    shift 2
    "$@" >"$SCRATCH/says.out" 2>&1
    got=$?
    if [ "$got" != "$expected" ] || ! grep -q -- "$pattern" "$SCRATCH/says.out"; then
        echo "exit $got instead of $expected, or not: $pattern"
        cat "$SCRATCH/says.out"
        return 1
    fi
}
inode() { stat -c '%i %s' "$AIRLOCK_STATE_DIR/audit.db"; }
# No file of the log's has anything of an entry in clear.
nothing_readable() {
    ! grep -aqE 'prev_hash|run_started|run\.exec|uid:[0-9]|workspace' "$AIRLOCK_STATE_DIR"/audit.db*
}

"$AIRLOCK" run --quiet -- sh -c 'echo one >one'
"$AIRLOCK" receipt >../early
before=$(log --json)
check "a plain log is readable" grep -aq prev_hash "$AIRLOCK_STATE_DIR"/audit.db "$AIRLOCK_STATE_DIR"/audit.db-wal
check "encrypt needs a key" says 2 'key_file: FILE' log encrypt
check "a key file that is not there" says 78 'head -c 32' log encrypt --key-file "$SCRATCH/none"
new_key ../key-1
new_key ../key-2
chmod 0644 ../key-1
check "a key file that others can read" says 78 'chmod 0600' log encrypt --key-file "$SCRATCH/key-1"
chmod 0600 ../key-1
head -c 31 ../key-1 >../short && chmod 0600 ../short
check "a key that is too short" says 78 'exactly 32 bytes' log encrypt --key-file "$SCRATCH/short"
head -c 33 /dev/urandom >../long && chmod 0600 ../long
check "a key that is too long" says 78 'exactly 32 bytes' log encrypt --key-file "$SCRATCH/long"
check "a relative path" says 2 'absolute' log encrypt --key-file key-1

check "encrypt" says 0 "key_file: $SCRATCH/key-1" log encrypt --key-file "$SCRATCH/key-1"
check "nothing in its files is readable" nothing_readable
kept=$(inode)
check "without a configured key it does not open" says 78 'no key is configured' log
check "and nothing runs" says 125 'no key is configured' "$AIRLOCK" run -- true
configure "$SCRATCH/key-2"
check "nor under another key" says 78 'with the key that is configured' log
configure "$SCRATCH/none"
check "nor when its file is gone" says 78 'put it back' log
configure "$SCRATCH/key-1"
chmod 0640 ../key-1
check "nor when others can read the key" says 78 'chmod 0600' log
chmod 0600 ../key-1
check "renew does not begin another log" says 2 'the log is whole' log renew --yes
configure "$SCRATCH/key-2"
check "not even under another key" says 78 'with the key that is configured' log renew --yes
same "the log was left alone" "$kept" "$(inode)"
configure "$SCRATCH/key-1"
same "no entry was lost" "$before" "$(log --json | head -n "$(wc -l <<<"$before")")"
same "one entry tells" 1 "$(log --json --type key_epoch | grep -c '"change":"encrypt"')"
check "it verifies" log verify
check "against a receipt from before" log verify --receipt ../early
check "a run leaves its entries" "$AIRLOCK" run --quiet -- sh -c 'echo two >two'
check "and a receipt" sh -c '"$1" receipt >../late && "$1" verify ../late' sh "$AIRLOCK"
check "still nothing is readable" nothing_readable
check "encrypt again says so" says 0 'already' log encrypt

check "rekey" says 0 "key_file: $SCRATCH/key-2" log rekey --key-file "$SCRATCH/key-2"
check "the old key opens nothing" says 78 'with the key that is configured' log
check "rekey again says so" says 0 'already' log rekey --key-file "$SCRATCH/key-2"
configure "$SCRATCH/key-2"
check "the new key does" log verify
check "a log in use is left alone" sh -c '
    "$1" log --json --follow >../followed & follower=$!
    for i in $(seq 50); do [ -s ../followed ] && break; sleep 0.1; done
    "$1" log decrypt >../refused 2>&1; status=$?
    kill "$follower"; wait "$follower" 2>/dev/null
    [ "$status" = 75 ] && grep -q "has the log open" ../refused' sh "$AIRLOCK"
check "decrypt" says 0 'take storage.key_file out' log decrypt
check "a plain log does not open under a key" says 78 'airlock log encrypt' log
rm "$config"
same "every entry is there" 7 "$(log --json | wc -l)"
check "and it verifies" log verify

configure relative
check "a relative path in the configuration" says 65 'config.yaml:1:[0-9]*: this must be an absolute path' log
echo 'storage: { keyfile: /a }' >"$config"
check "a key that does not exist" says 65 'config.yaml:1:12: no such key' log
echo 'stroage: { key_file: /a }' >"$config"
check "a section that does not exist" says 65 'config.yaml:1:1: no such section' log
echo 'storage: [' >"$config"
check "no YAML" says 65 'config.yaml:' log
configure "$SCRATCH/key-1"
chmod 0666 "$config"
check "a configuration that others can write" says 65 'chmod go-w' log
rm "$config"
mkfifo "$config"
check "a FIFO" says 65 'no regular file' log
rm "$config"

rm -rf "$AIRLOCK_STATE_DIR"
configure "$SCRATCH/key-1"
check "a new log under a key" "$AIRLOCK" run --quiet -- true
check "is never plain" nothing_readable
finish
