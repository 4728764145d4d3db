#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tools/release on this build: what it makes is whole, says what is true of the programs, and is the same
# bytes a second time. Building twice is left to `make release` and `make reproducible`.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
tools=$AIRLOCK_SOURCE_DIR/tools
check_sbom=$AIRLOCK_SOURCE_DIR/tests/e2e/sbom_check.py
if ! command -v openssl >/dev/null || ! openssl genpkey -quiet -algorithm ML-DSA-65 -out probe.pem 2>/dev/null; then
    echo "no openssl with ML-DSA-65 here"
    exit 77
fi
if [ ! -e "$AIRLOCK_BUILD_DIR/src/airlock-release.map" ]; then
    echo "these programs are not static, so they have no maps"
    exit 77
fi
if grep -qa __llvm_prf_cnts "$AIRLOCK_BUILD_DIR/src/airlock-release"; then
    echo "these programs count what they run (tools/cover), and no release does"
    exit 77
fi
if ! git -c safe.directory='*' -C "$AIRLOCK_SOURCE_DIR" rev-parse HEAD >/dev/null 2>&1; then
    echo "these sources have no history"
    exit 77
fi

release() { # out
    "$tools/release" --dev-keys "$SCRATCH/keys" --build "$AIRLOCK_BUILD_DIR" --out "$SCRATCH/$1" --offline
}
check "a release is made" release dist
check "and once more" release again
name=$(basename dist/*.tar.gz .tar.gz)
for file in dist/*.tar.gz dist/*.spdx.json dist/*.cdx.json; do
    check "${file##*/} is the same bytes" cmp "$file" "again/${file##*/}"
done
check "it verifies" "$AIRLOCK" release verify dist --key keys/release.pub
check "  and its tarball alone" "$AIRLOCK" release verify "dist/$name.tar.gz" --key keys/release.pub
# The documented lines, as they are documented, in a folder like a reader's.
mkdir reader && cp -r dist keys/release.pub reader/
sed -n '/^python3 - dist/,/^```$/p' "$AIRLOCK_SOURCE_DIR/docs/supply-chain.md" | sed '$d' >reader/by-openssl
by_openssl() { (cd reader && [ "$(bash ./by-openssl | grep -c '^Signature Verified Successfully$')" = 2 ]); }
check "openssl takes both signatures, by the documented lines" by_openssl
sed -i 's/"payload": "../"payload": "eA/' reader/dist/provenance.dsse.json
refuse "  and neither of a changed statement" by_openssl
check "keys are nobody else's to read" sh -c '! find keys -name "*.pem" -perm /077 | grep .'
commit=$(git -c safe.directory='*' -C "$AIRLOCK_SOURCE_DIR" rev-parse HEAD~1 2>/dev/null || echo)
if [ -n "$commit" ]; then
    check "the provenance names the commit that was built, wherever the tree is meanwhile" sh -c '
        cd "$0" && SOURCE_DATE_EPOCH=1 tools/provenance "$1" "$3"/dist/*.tar.gz --commit "$2" --started 1 --offline | grep -q "airlock.git@$2\""' \
        "$AIRLOCK_SOURCE_DIR" "$AIRLOCK_BUILD_DIR" "$commit" "$SCRATCH"
else
    skip "the provenance names the commit that was built" "this clone has one commit"
fi
check "what is there is not overwritten" sh -c '! "$0" --dev-keys keys --build "$1" --out dist --offline' "$tools/release" "$AIRLOCK_BUILD_DIR"
refuse "without keys nothing is made" "$tools/release" --keys "$SCRATCH/none" --build "$AIRLOCK_BUILD_DIR" --out "$SCRATCH/none.dist"

mkdir unpacked && tar -xzf "dist/$name.tar.gz" -C unpacked
prefix=unpacked/$name
check "its program runs" "$prefix/bin/airlock" --version
check "and finds the others beside it" "$prefix/bin/airlock" release --help
same "nobody's name, no time of day, no odd mode is in the tarball" "-rw-r--r-- -rwxr-xr-x 0/0 drwxr-xr-x" \
    "$(tar -tvzf "dist/$name.tar.gz" | awk '{ print $2 } { print $1 }' | LC_ALL=C sort -u | tr '\n' ' ' | sed 's/ $//')"
same "one time in all of it" 1 "$(tar --full-time -tvzf "dist/$name.tar.gz" | awk '{ print $4, $5 }' | sort -u | wc -l)"

check "SPDX 2.3 is as the standard wants it" python3 "$check_sbom" spdx dist/*.spdx.json "$prefix"
check "CycloneDX 1.6 too" python3 "$check_sbom" cyclonedx dist/*.cdx.json "$prefix"
if python3 -c 'import cyclonedx, jsonschema' 2>/dev/null; then
    check "the published CycloneDX schema agrees" says "published schema was asked" python3 "$check_sbom" cyclonedx dist/*.cdx.json "$prefix"
else
    skip "the published CycloneDX schema agrees" "no python3-cyclonedx-lib here (it is among the packages of make check)"
fi
# The checker can find something.
broken() { # kind file python
    python3 - "$2" "$3" >broken.json <<'PY'
import json, sys
d = json.load(open(sys.argv[1]))
exec(sys.argv[2])
print(json.dumps(d))
PY
    python3 "$check_sbom" "$1" broken.json "$prefix"
}
refuse "a wrong hash would be found" broken spdx dist/*.spdx.json 'd["files"][0]["checksums"][1]["checksumValue"] = "0" * 64'
refuse "a dangling relation too" broken spdx dist/*.spdx.json 'd["relationships"][3]["relatedSpdxElement"] = "SPDXRef-none"'
refuse "a missing field too" broken spdx dist/*.spdx.json 'del d["packages"][1]["downloadLocation"]'
refuse "a component nobody lists too" broken cyclonedx dist/*.cdx.json 'd["dependencies"].pop()'

ask() { # python expression over c, the CycloneDX document, and s, the SPDX one
    python3 - dist/*.cdx.json dist/*.spdx.json "$1" <<'PY'
import json, sys
c, s = (json.load(open(path)) for path in sys.argv[1:3])
links = {row["ref"].removeprefix("program/"): row.get("dependsOn", []) for row in c["dependencies"]}
libraries = {one["name"]: one for one in c["components"] if one["type"] == "library"}
print(eval(sys.argv[3]))
PY
}
# What the programs say of themselves, independently of any map.
openssl_here=$(strings -a "$AIRLOCK_BUILD_DIR/src/airlock-proxy" | sed -n 's/^OpenSSL \([0-9.]*\) .*/\1/p' | head -n 1)
same "libssl's version is what is inside airlock-proxy" "$openssl_here" "$(ask 'libraries["libssl-dev"]["version"].split("-")[0]')"
holds() { # text: the programs that hold it
    local program
    for program in "$AIRLOCK_BUILD_DIR"/src/airlock*; do
        case $program in
        *.map | *-glibc* | *.d) continue ;;
        esac
        if [ -f "$program" ] && [ -x "$program" ] && grep -qaF "$1" "$program"; then
            echo "${program##*/}"
        fi
    done | sort | paste -sd' '
}
same "c-ares is where its text is" "$(holds 'ares_')" "$(ask '" ".join(sorted(name for name, refs in links.items() if any("libc-ares" in ref for ref in refs)))')"
same "libsodium is where its text is" "$(holds 'libsodium/sodium/core.c')" "$(ask '" ".join(sorted(name for name, refs in links.items() if any("libsodium" in ref for ref in refs)))')"
same "SQLCipher is where its text is" "$(holds 'sqlcipher_export')" "$(ask '" ".join(sorted(name for name, refs in links.items() if any("libsqlcipher" in ref for ref in refs)))')"
same "every program has one C library" "[1]" "$(ask 'sorted({sum("libc6-dev" in r or "musl-dev" in r for r in refs) for name, refs in links.items() if name.startswith("airlock-")})')"
same "versions are dpkg's" "True" "$(ask 'all(one["version"] == __import__("subprocess").run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True).stdout for name, one in libraries.items())')"
same "both bills name the same packages" "True" "$(ask 'set(libraries) <= {one["name"] for one in s["packages"]}')"
same "airlock-release has ML-DSA-65, airlock-keys has not" "True False" "$(ask '"%s %s" % tuple("crypto/ML-DSA-65" in links[name] for name in ("airlock-release", "airlock-keys"))')"
same "the launcher has no cryptography" "True" "$(ask 'not any(ref.startswith("crypto/") for ref in links["airlock-jail"])')"

said() { # python expression over p, the predicate
    python3 - "$1" <<'PY'
import base64, json, sys
d = json.loads(base64.b64decode(json.load(open("dist/provenance.dsse.json"))["payload"]))
p = d["predicate"]
print(eval(sys.argv[1]))
PY
}
same "the commit is this one" "$(git -c safe.directory='*' -C "$AIRLOCK_SOURCE_DIR" rev-parse HEAD)" \
    "$(said 'p["buildDefinition"]["resolvedDependencies"][0]["digest"]["gitCommit"]')"
same "it claims level 1 and no more" 1 "$(said 'p["buildDefinition"]["internalParameters"]["slsaBuildLevel"]')"
same "and no second build where there was none" False "$(said 'p["buildDefinition"]["internalParameters"]["reproduced"]')"
same "it names every package that is linked" "True" \
    "$(said 'set(one["name"] for one in p["buildDefinition"]["resolvedDependencies"][1:]) >= {c["name"] for c in json.load(open(__import__("glob").glob("dist/*.cdx.json")[0]))["components"] if c["type"] == "library"}')"
finish
