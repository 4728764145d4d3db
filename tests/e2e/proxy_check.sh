#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# airlock proxy check and init: what is wrong with a configuration and its certificates is said, what
# is written works. The tables of docs/proxy.md are those of the table that the reader goes by.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
proxy() { "$AIRLOCK" proxy "$@"; }
json() { # expression over the answer: python's, of the JSON on standard input
    python3 -c 'import json, sys; answer = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"
}

check "no verb is a usage error" status 2 proxy
check "an unknown one too" status 2 proxy chekc
check "which names the nearest" says 'Did you mean: airlock proxy check' proxy chekc
check "an option that is none" status 2 proxy check --nonsense
check "check without a file" status 2 proxy check
check "too many operands" status 2 proxy init a b
check "a file that is not there" status 65 proxy check -c nowhere.yaml
check "and what to do" says 'airlock proxy init' proxy check -c nowhere.yaml
check "the version" says 'airlock-proxy [0-9]' proxy --version
check "--egress by hand" status 2 "${AIRLOCK%/*}/airlock-proxy" --egress
printf 'version: 1\nlisteners:\n- {name: a, bnid: "tcp://[::]:1", mode: echo}\n' >wrong.yaml
check "a wrong key is an error" status 65 proxy check -c wrong.yaml
check "with its place" says 'wrong.yaml:3:13: there is no key "bnid" in a listener' proxy check -c wrong.yaml
check "and the nearest" says 'Did you mean "bind"' proxy check -c wrong.yaml
same "as JSON too" proxy.config "$(proxy check -c wrong.yaml --json 2>&1 | json 'answer["error"]["slug"]')"

check "init writes" status 0 proxy init edge
same "three files" "dev-cert.pem dev-key.pem proxy.yaml" "$(ls edge | xargs)"
same "the key is its owner's" 600 "$(stat -c %a edge/dev-key.pem)"
sum=$(cat edge/* | sha256sum)
check "but not twice" status 74 proxy init edge
same "and overwrites nothing" "$sum" "$(cat edge/* | sha256sum)"
rm edge/proxy.yaml
same "a certificate that is there is kept" False "$(proxy init edge --json | json 'answer["certificate_made"]')"
check "what it wrote is good" status 0 proxy check -c edge/proxy.yaml
proxy check -c edge/proxy.yaml >table
check "the table says what is served" grep -Eq '^  front +tcp://127.0.0.1:8443 +terminate +prefer +any +app: 127.0.0.1:8080$' table
check "and whose certificate" grep -Eq 'localhost, 127.0.0.1, ::1 +ECDSA P-256 +(89|90)$' table
column() { awk -v row="$1" -v word="$2" '$0 ~ row { print index($0, word) }' table; }
same "columns stand under each other" "$(column LISTENER MODE)" "$(column '^  front' terminate)"
proxy check -c edge/proxy.yaml --json >answer
same "the JSON says the same" "True front terminate app" \
    "$(json '" ".join([str(answer["valid"]), answer["listeners"][0]["name"], answer["listeners"][0]["mode"], answer["upstreams"][0]["name"]])' <answer)"

chmod 644 edge/dev-key.pem
check "a key that others can read is a warning" says 'warning: listener front: others can read the key' proxy check -c edge/proxy.yaml
check "no error" status 0 proxy check -c edge/proxy.yaml
chmod 600 edge/dev-key.pem
sed 's/name: app/name: unused/; s/to: app/to: other/; $a\  - {name: other, servers: [{addr: "h:1"}]}' edge/proxy.yaml >edge/more.yaml
check "so is an upstream without a route" says 'no route leads to upstream unused' proxy check -c edge/more.yaml
cp edge/dev-key.pem key && cp edge/dev-cert.pem edge/dev-key.pem
check "a certificate in the key's place" status 65 proxy check -c edge/proxy.yaml
check "is told from other mistakes" says 'it holds a certificate, no private key' proxy check -c edge/proxy.yaml
check "with whose it is" says 'while reading the tls of listener front' proxy check -c edge/proxy.yaml
same "and in JSON" "False proxy.certificate" \
    "$(proxy check -c edge/proxy.yaml --json | json 'str(answer["valid"]) + " " + answer["tls"][0]["error"]')"
rm edge/dev-*.pem
same "files that are made at the start are no mistake" "True True" \
    "$(proxy check -c edge/proxy.yaml --json | json '"{} {}".format(answer["valid"], answer["tls"][0]["made_at_start"])')"
same "check makes none" proxy.yaml "$(find edge -mindepth 1 -maxdepth 1 ! -name "*more*" -printf "%f\n" | sort | xargs)"

sed -n '/^<!-- keys -->$/,/^<!-- end of keys -->$/p' "$AIRLOCK_SOURCE_DIR/docs/proxy.md" | sed '1,2d;$d' >documented
check "docs/proxy.md has the tables that tools/proxy-keys prints" diff -u documented <("$AIRLOCK_SOURCE_DIR/tools/proxy-keys" md)
finish
