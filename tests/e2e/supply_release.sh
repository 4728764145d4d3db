#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# airlock release verify: a release that is whole passes, and every way of changing one is found. The
# releases are signed by openssl through tools/attest, and one more time by hand here, so that nothing
# checks what it wrote itself.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
tools=$AIRLOCK_SOURCE_DIR/tools
if ! command -v openssl >/dev/null || ! openssl genpkey -algorithm ML-DSA-65 -out "$SCRATCH/probe.pem" 2>/dev/null; then
    echo "no openssl with ML-DSA-65 here"
    exit 77
fi

"$tools/release-keys" keys
"$tools/release-keys" others
openssl pkey -in keys/ed25519.pem -pubout >keys/two.pub
openssl pkey -in keys/mldsa65.pem -pubout >>keys/two.pub

statement() { # file...: a statement about these files
    python3 - "$@" <<'PY'
import hashlib, json, sys
print(json.dumps({
    "_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1",
    "subject": [{"name": name.split("/")[-1],
                 "digest": {"sha256": hashlib.sha256(open(name, "rb").read()).hexdigest()}} for name in sys.argv[1:]],
    "predicate": {"buildDefinition": {"buildType": "https://airlock.example.org/build/v1",
                                      "externalParameters": {"architecture": "amd64"},
                                      "resolvedDependencies": [{"uri": "git+https://airlock.example.org/airlock.git@0123"}]},
                  "runDetails": {"builder": {"id": "https://airlock.example.org/builder"}}}}))
PY
}
attest() { # keys statement folder
    "$tools/attest" "$2" --ed25519 "$1/ed25519.pem" --mldsa65 "$1/mldsa65.pem" --ecdsa "$1/ecdsa.pem" --out "$3"
}
verify() {
    "$AIRLOCK" release verify "$@"
}
mkdir good
echo program >good/airlock.tar.gz
echo bill >good/airlock.spdx.json
statement good/airlock.tar.gz good/airlock.spdx.json >statement.json
attest keys statement.json good
fresh() { # a copy of the release in ./dist
    rm -rf dist
    cp -r good dist
}
edit() { # python statements over `d`, the parsed $1
    python3 - "$1" "$2" <<'PY'
import base64, json, sys
path, code = sys.argv[1:]
d = json.load(open(path))
exec(code)
json.dump(d, open(path, "w"))
PY
}
refused() { # name pattern [command...]: what verify says about ./dist
    local name=$1 pattern=$2
    shift 2
    [ $# -gt 0 ] || set -- verify dist --key keys/release.pub
    check "$name" status 65 "$@"
    check "  and it says why" grep -q -- "$pattern" "$SCRATCH/status.out"
}

# What is whole passes.
check "a whole release passes" says "^OK  the release is what its makers signed" verify good --key keys/release.pub
check "  the bundle's signature too" says "sigstore   the same statement, signed by ECDSA P-256" verify good --key keys/release.pub
check "without the ECDSA key the bundle is compared" says "no key to check" verify good --key keys/two.pub
check "one file of it passes" says "files      1" verify good/airlock.tar.gz --key keys/release.pub
check "with its provenance elsewhere" sh -c 'mkdir apart && cp good/airlock.tar.gz apart && "$0" release verify apart/airlock.tar.gz \
    --key keys/release.pub --provenance good/provenance.dsse.json' "$AIRLOCK"
check "from within the folder" sh -c 'cd good && "$0" release verify airlock.tar.gz --key ../keys/release.pub' "$AIRLOCK"
same "--json says what was checked" "True 2 verified ED25519,ML-DSA-65 git+https://airlock.example.org/airlock.git@0123" \
    "$(verify good --key keys/release.pub --json | python3 -c 'import json, sys
d = json.load(sys.stdin)
print(d["valid"], d["files"], d["sigstore"], ",".join(d["signatures"]), d["source"])')"
check "the program alone does the same" "${AIRLOCK%/*}/airlock-release" verify good --key keys/release.pub
check "another encoder's envelope passes" sh -c '
    payload=$(base64 -w0 statement.json)
    { printf "DSSEv1 28 application/vnd.in-toto+json %d " "$(stat -c %s statement.json)"; cat statement.json; } >message
    openssl pkeyutl -sign -rawin -inkey keys/ed25519.pem -in message -out one
    openssl pkeyutl -sign -inkey keys/mldsa65.pem -in message -out two
    rm -rf hand && cp -r good hand && rm hand/provenance.sigstore.json
    printf "{\"payload\":\"%s\",\"payloadType\":\"application/vnd.in-toto+json\",\"signatures\":[{\"sig\":\"%s\"},{\"sig\":\"%s\"}]}" \
        "$payload" "$(base64 -w0 two)" "$(base64 -w0 one)" >hand/provenance.dsse.json
    "$0" release verify hand --key keys/release.pub' "$AIRLOCK"

# Files.
fresh && echo more >>dist/airlock.tar.gz
refused "a changed file" "changed     airlock.tar.gz"
refused "a changed file, named alone" "changed     airlock.tar.gz" verify dist/airlock.tar.gz --key keys/release.pub
fresh && echo x >"dist/$(printf 'install\nme.sh')"
refused "a file nobody signed is named, escaped" 'unknown     install\\nme.sh'
fresh && mkdir dist/folder
refused "a folder nobody signed" "unknown     folder"
fresh && rm dist/airlock.spdx.json
refused "a missing file" "missing     airlock.spdx.json"
fresh && mv dist/airlock.tar.gz elsewhere.tar.gz && ln -s ../elsewhere.tar.gz dist/airlock.tar.gz
refused "a link, even to the right bytes" "not-a-file  airlock.tar.gz"
fresh && rm dist/airlock.tar.gz && mkfifo dist/airlock.tar.gz
refused "a pipe, without waiting for it" "not-a-file  airlock.tar.gz"
fresh && cp good/airlock.spdx.json dist/airlock.tar.gz
refused "one signed file under another's name" "changed     airlock.tar.gz"
fresh && echo x >dist/airlock.tar.gz && rm dist/airlock.spdx.json
same "--json names all that is wrong" "False airlock.spdx.json:missing airlock.tar.gz:changed" \
    "$(verify dist --key keys/release.pub --json 2>/dev/null | python3 -c 'import json, sys
d = json.load(sys.stdin)
print(d["valid"], *sorted(p["file"] + ":" + p["problem"] for p in d["problems"]))')"

# Keys and signatures.
refused "keys of somebody else" "fits neither of the keys" verify good --key others/release.pub
openssl pkey -in others/mldsa65.pem -pubout >half.pub && openssl pkey -in keys/ed25519.pem -pubout >>half.pub
refused "one key right, the other not" "fits neither of the keys" verify good --key half.pub
fresh && edit dist/provenance.dsse.json 'd["signatures"].pop()'
refused "without the ML-DSA-65 signature" "ML-DSA-65 key has not signed"
fresh && edit dist/provenance.dsse.json 'd["signatures"].pop(0)'
refused "without the Ed25519 signature" "Ed25519 key has not signed"
fresh && edit dist/provenance.dsse.json 'd["signatures"] = [d["signatures"][0], dict(d["signatures"][0])]'
refused "one key twice" "two signatures are by one key"
fresh && edit dist/provenance.dsse.json 'd["signatures"].append(dict(d["signatures"][1]))'
refused "both, and one of them again" "two signatures are by one key"
fresh && edit dist/provenance.dsse.json 's = d["signatures"]; s[0]["keyid"], s[1]["keyid"] = s[1]["keyid"], s[0]["keyid"]'
refused "ids of keys exchanged" "names another key"
fresh && edit dist/provenance.dsse.json 'd["signatures"] = []'
refused "no signature" "has no signatures"
fresh && edit dist/provenance.dsse.json 'd["signatures"] *= 5'
refused "ten signatures" "more signatures than there are keys"
for number in 0 1; do
    fresh && edit dist/provenance.dsse.json "s = d['signatures'][$number]; b = bytearray(base64.b64decode(s['sig'])); b[40] ^= 1; s['sig'] = base64.b64encode(b).decode()"
    refused "a flipped bit in signature $number" "fits neither of the keys"
    fresh && edit dist/provenance.dsse.json "s = d['signatures'][$number]; s['sig'] = base64.b64encode(base64.b64decode(s['sig'])[:-1]).decode()"
    refused "signature $number, a byte short" "fits neither of the keys"
done
attest others statement.json .
fresh && python3 -c 'import json
d = json.load(open("good/provenance.dsse.json")); o = json.load(open("provenance.dsse.json"))
d["signatures"] += o["signatures"]
json.dump(d, open("dist/provenance.dsse.json", "w"))'
refused "signed by ours and by others" "fits neither of the keys"

# What was signed.
echo other >other && statement other >other.json && mkdir -p swapped && attest keys other.json swapped
fresh && python3 -c 'import json
d = json.load(open("good/provenance.dsse.json")); o = json.load(open("swapped/provenance.dsse.json"))
d["payload"] = o["payload"]
json.dump(d, open("dist/provenance.dsse.json", "w"))'
refused "another payload under these signatures" "fits neither of the keys"
fresh && cp swapped/provenance.dsse.json dist/
refused "a genuine provenance of another release" "it is about another build"
rm dist/provenance.sigstore.json
refused "  and without its bundle" "unknown     airlock.tar.gz"
fresh && edit dist/provenance.dsse.json 'd["payloadType"] = "text/plain"'
refused "another type of payload" "of another type"
fresh && edit dist/provenance.dsse.json 'd["payload"] += "\n"'
refused "a payload with a line's end" "not in base64"
fresh && edit dist/provenance.dsse.json 'd["extra"] = 1'
refused "a member that nobody signed" "is not {payload, payloadType, signatures}"
signed_with() { # code over `d`, the statement: a release with both signatures over it
    fresh
    rm dist/provenance.sigstore.json
    cp statement.json changed.json
    edit changed.json "$1"
    attest keys changed.json dist
}
signed_with 'd["_type"] = "https://in-toto.io/Statement/v0.1"'
refused "a statement of another version" "no in-toto statement"
signed_with 'd["predicateType"] = "https://slsa.dev/provenance/v0.2"'
refused "provenance of another version" "no in-toto statement"
signed_with 'd["subject"][0]["name"] = "../airlock.tar.gz"'
refused "a subject outside of the folder" "no name of a file"
signed_with 'd["subject"].append(dict(d["subject"][0]))'
refused "a subject twice" "two subjects have one name"
signed_with 'd["subject"][0]["digest"] = {"sha1": "00" * 20}'
refused "a subject with a weaker digest alone" "has no SHA-256"
signed_with 'd["subject"] = []'
refused "about nothing" "about nothing"
signed_with 'd["subject"] = [dict(d["subject"][0], name="f%d" % i) for i in range(300)]'
refused "about three hundred files" "more files than a release has"
signed_with 'del d["predicate"]["runDetails"]'
refused "no builder" "names no builder"

# Sigstore bundle.
fresh && cp swapped/provenance.sigstore.json dist/
refused "a bundle about another build" "about another build"
fresh && attest others statement.json . && cp provenance.sigstore.json dist/
refused "a bundle by another key" "does not fit the ECDSA key"
fresh && edit dist/provenance.sigstore.json 'd["mediaType"] = "application/json"'
refused "a bundle of another kind" "no Sigstore bundle"
fresh && edit dist/provenance.sigstore.json 'd["dsseEnvelope"]["signatures"] *= 2'
refused "a bundle with two signatures" "more than one signature"

# Broken files.
size=$(stat -c %s good/provenance.dsse.json)
for part in 0 1 $((size / 3)) $((size - 2)); do
    fresh && head -c "$part" good/provenance.dsse.json >dist/provenance.dsse.json
    refused "provenance cut short at $part bytes" "is not a signed statement"
done
fresh && { printf '{"payload":"'; head -c 3000000 /dev/zero | tr '\0' A; printf '"}'; } >dist/provenance.dsse.json
refused "three megabytes of it" "longer than any is"
fresh && printf '%0.s[' $(seq 100000) >dist/provenance.dsse.json
refused "a hundred thousand brackets" "is not a signed statement"
fresh && sed 's/{/{"payload":"",/' good/provenance.dsse.json >dist/provenance.dsse.json
refused "a member twice" "is not a signed statement"

# The key file.
fresh
bad_key() { # name
    check "$1" status 66 verify dist --key bad.pub
}
: >bad.pub && bad_key "an empty key file"
cat keys/release.pub keys/two.pub >bad.pub && bad_key "a key twice"
cat keys/release.pub keys/ed25519.pem >bad.pub && bad_key "a private key in it"
openssl pkey -in keys/ed25519.pem -pubout >bad.pub && bad_key "Ed25519 alone"
openssl genpkey -quiet -algorithm RSA -out rsa.pem && { cat keys/two.pub; openssl pkey -in rsa.pem -pubout; } >bad.pub && bad_key "an RSA key"
openssl genpkey -quiet -algorithm ML-DSA-44 -out m44.pem && { openssl pkey -in keys/ed25519.pem -pubout; openssl pkey -in m44.pem -pubout; } >bad.pub &&
    bad_key "ML-DSA-44 in place of 65"
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.pem && { cat keys/two.pub; openssl pkey -in p384.pem -pubout; } >bad.pub &&
    bad_key "another curve"
sed 's/[a-z]/A/' keys/release.pub >bad.pub && bad_key "a key with changed letters"
head -c 300 keys/release.pub >bad.pub && bad_key "a key cut short"
check "no key file there" status 66 verify dist --key nowhere.pub
check "no release there" status 66 verify nowhere --key keys/release.pub
rm dist/provenance.dsse.json
check "no provenance there" status 66 verify dist --key keys/release.pub
check "no key named" status 2 verify dist
check "no such option" status 2 verify dist --keys keys/release.pub
check "errors as JSON" sh -c '"$0" release verify nowhere --key keys/release.pub --json 2>&1 | python3 -c "import json, sys
assert json.load(sys.stdin)[\"error\"][\"slug\"] == \"release.missing\""' "$AIRLOCK"
if command -v cosign >/dev/null; then
    # An empty list of Sigstore's own services: a key is used, and nothing is to be asked of a network.
    echo '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}' >none.json
    cosign_verify() { # bundle file
        HOME=$SCRATCH cosign verify-blob-attestation --key keys/cosign.pub --bundle "$1" --type slsaprovenance1 \
            --new-bundle-format --trusted-root none.json --insecure-ignore-tlog "$2"
    }
    check "cosign takes the bundle for the file" cosign_verify good/provenance.sigstore.json good/airlock.tar.gz
    check "  and for the other file" cosign_verify good/provenance.sigstore.json good/airlock.spdx.json
    refuse "cosign refuses it for another file" cosign_verify good/provenance.sigstore.json other
    refuse "cosign refuses another build's bundle" cosign_verify swapped/provenance.sigstore.json good/airlock.tar.gz
    edit provenance.sigstore.json 'pass'
    refuse "cosign refuses another key's bundle" cosign_verify provenance.sigstore.json good/airlock.tar.gz
else
    skip "cosign verifies the bundle" "no cosign here (it is among the packages of make check)"
fi
finish
