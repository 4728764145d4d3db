#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `airlock enclave manifest` and `lint`: what is trusted is exactly what a program is made of, and what
# is wrong with a manifest is named with its line.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

enclave() { "$AIRLOCK" enclave "$@"; }
trusted() { # manifest: the trusted files, sorted
    sed -n '/^sgx.trusted_files/,/^]/s/.*uri = "file:\([^"]*\)".*/\1/p' "$1" | sort
}
cat >proxy.yaml <<'END'
version: 1
listeners:
  - name: web
    tls: { cert: tls/server.pem, key: tls/server.key }
END
check "a file that the configuration names has to be there" \
    fails 74 "cannot find" enclave manifest -c proxy.yaml
mkdir tls
echo certificate >tls/server.pem
echo key >tls/server.key

check "a manifest is made" enclave manifest -c proxy.yaml -o proxy.manifest
proxy=$(realpath "${AIRLOCK%/*}/airlock-proxy")
same "what is trusted: the proxy, its configuration, what that names" \
    "$(printf '%s\n' "$proxy" "$PWD/proxy.yaml" "$PWD/tls/server.pem" "$PWD/tls/server.key" | sort)" \
    "$(trusted proxy.manifest)"
wrong=0
while read -r file hash; do
    [ "$(sha256sum <"$file" | cut -d ' ' -f 1)" = "$hash" ] || wrong=$((wrong + 1))
done < <(sed -n 's/.*uri = "file:\([^"]*\)", sha256 = "\([0-9a-f]*\)".*/\1 \2/p' proxy.manifest)
same "hashes are those of sha256sum" 0 $wrong
check "nothing is left to fill in" sh -c '! grep -q "[{]{\|{%" proxy.manifest'
enclave lint proxy.manifest >lint.out
same "lint finds no error in it" 0 $?
same "but says that the key is no secret" 1 "$(grep -c trusted-key lint.out)"
enclave manifest -c proxy.yaml >again.manifest
check "the same files give the same manifest" cmp proxy.manifest again.manifest
echo "#" >>proxy.yaml
enclave manifest -c proxy.yaml >again.manifest
refuse "another byte gives another one" cmp -s proxy.manifest again.manifest
if command -v python3 >/dev/null; then
    check "it is TOML to others too" python3 -c '
import sys, tomllib
manifest = tomllib.load(open("proxy.manifest", "rb"))
assert len(manifest["sgx"]["trusted_files"]) == 4
assert manifest["loader"]["argv"][1:3] == ["--unconfined", "-c"]
assert {m["path"] for m in manifest["fs"]["mounts"]} >= {"/airlock-proxy", "/tmp"}'
fi

for program in /usr/bin/openssl /usr/bin/git /usr/bin/python3; do
    if [ ! -x $program ] || ! command -v ldd >/dev/null; then
        skip "the libraries of $program" "it is not here"
        continue
    fi
    enclave manifest -c proxy.yaml -p $program >dynamic.manifest
    same "the libraries of $program are those that ldd names" \
        "$( (realpath $program; ldd $program | grep -o '/[^ ]*' | xargs realpath) | sort -u)" \
        "$(trusted dynamic.manifest | grep -v "^$PWD/")"
done
if [ -x /usr/bin/openssl ]; then
    sed 's/libssl\.so\.3/libssx.so.3/g' /usr/bin/openssl >missing
    chmod +x missing
    check "a library that is nowhere" fails 65 "libssx.so.3, which is nowhere" \
        enclave manifest -c proxy.yaml -p ./missing
    mkdir libraries
    cp "$(ldd /usr/bin/openssl | grep -o '/[^ ]*libssl[^ ]*')" libraries/libssx.so.3
    enclave manifest -c proxy.yaml -p ./missing --library-folder "$PWD/libraries" >dynamic.manifest
    same "is found where it is said to be" 1 "$(trusted dynamic.manifest | grep -c libssx.so.3)"
fi
mkdir -p deep/er
check "it is written wherever that is" status 0 "$AIRLOCK" enclave manifest -c proxy.yaml -o "$PWD/deep/absolute"
(cd deep/er && "$AIRLOCK" enclave manifest -c ../../proxy.yaml -o ../above)
check "above too" cmp deep/absolute deep/above
check "but into no folder that is not there" fails 74 "No such file or directory" \
    "$AIRLOCK" enclave manifest -c proxy.yaml -o "$PWD/none/absolute"
check "no enclave has no threads" fails 2 "from 1 on" "$AIRLOCK" enclave manifest -c proxy.yaml --threads 0
check "nor a size that is none" fails 2 "512M" "$AIRLOCK" enclave manifest -c proxy.yaml --size 5MG
check "an option that is none: the nearest" fails 2 "Did you mean: --threads" \
    "$AIRLOCK" enclave manifest -c proxy.yaml --thread 3
check "a verb too" fails 2 "Did you mean: airlock enclave verify" "$AIRLOCK" enclave vreify
check "what is missing stands in no line" says '^empty: error: there is no libos.entrypoint' \
    sh -c ': >empty; exec "$0" enclave lint empty' "$AIRLOCK"
check "a script is no program for an enclave" fails 65 "no program or library" \
    sh -c 'echo "#!/bin/sh" >script; exec "$0" enclave manifest -c proxy.yaml -p script' "$AIRLOCK"
check "a name with a quote in it" fails 65 "quotes" \
    sh -c 'echo x >"a\"b"; exec "$0" enclave manifest -c proxy.yaml -f "a\"b"' "$AIRLOCK"
check "a folder is no file" fails 74 "no regular file" enclave manifest -c proxy.yaml -f tls
check "no configuration" fails 2 "name the proxy" enclave manifest
check "an option that is none" fails 2 "no option --confg" enclave manifest --confg proxy.yaml
check "an option without its value" fails 2 "takes a value" enclave manifest -c
check "a number that is none" fails 2 "take a number" enclave manifest -c proxy.yaml --threads 1x
check "a verb that is none" fails 2 "has no \"sign\"" enclave sign
check "a manifest that is not there" fails 74 "cannot open" enclave lint nowhere
check "two manifests" fails 2 "one operand too many" enclave lint a b

# What manifests of 2021 said.
cat >old.manifest <<'END'
loader.entrypoint = "file:libsysdb.so"
libos.entrypoint = "/proxy"
loader.log_level = "info"
loader.insecure__use_cmdline_argv = true
fs.mounts = [
  { path = "/lib", uri = "file:/usr/lib" },
  { path = "/proxy", uri = "file:proxy" },
]
sgx.thread_num = 8
sgx.nonpie_binary = true
sgx.debug = true
sgx.ra_client_spid = "00"
sgx.allowed_files = [ "file:/etc/" ]
sgx.trusted_files = [ "file:proxy", "file:/usr" ]
END
check "an old manifest is refused" fails 65 "removed-key" enclave lint old.manifest
check "each fault with its line" sh -c '
    for place in 1:1:.*removed-key 3:1:.*wrong-value 4:1:.*insecure 6:3:.*untrusted-mount \
        9:1:.*sgx.thread_num 10:1:.*sgx.nonpie 11:1:.*debug 12:1:.*spid 13:23:.*allowed-folder \
        14:37:.*folder-slash; do
        grep -q "^old.manifest:$place" "$0" || { echo "no $place"; exit 1; }
    done' "$SCRATCH/fails.out"
check "and what to say instead" grep -q "Instead say sgx.max_threads" "$SCRATCH/fails.out"
enclave lint --json old.manifest >old.json
same "--json has as many" "$(grep -c '^old.manifest:.*\]$' "$SCRATCH/fails.out")" \
    "$(grep -o '"rule"' old.json | wc -l)"
echo 'sgx.debug = ' >broken.manifest
check "no TOML" fails 65 "broken.manifest:1:13: error: a value is expected" enclave lint broken.manifest

# The script for Gramine: says that there is none, and goes through its steps where there is one.
run=$AIRLOCK_SOURCE_DIR/packaging/gramine/build-and-run
export AIRLOCK
if ! command -v gramine-sgx >/dev/null; then
    check "without Gramine it says so" fails 77 "is not installed; nothing was run" "$run" proxy.yaml
fi
check "no configuration is a usage error" fails 2 "usage" "$run"
mkdir tools
for tool in gramine-manifest gramine-direct; do
    printf '#!/bin/sh\necho "%s $*" >>steps\n[ $# = 1 ] || cp "$1" "$2"\n' $tool >tools/$tool
    chmod +x tools/$tool
done
PATH=$PWD/tools:$PATH "$run" --direct proxy.yaml >run.out 2>&1
same "its steps, with stand-ins for Gramine's programs" \
    "0 gramine-manifest proxy.manifest.template proxy.manifest,gramine-direct proxy" \
    "$? $(paste -sd, steps)"
check "what Gramine gets has no errors" enclave lint proxy.manifest
PATH=$PWD/tools:$PATH check "without SGX nothing is run in it" fails 77 "nothing was run" "$run" proxy.yaml
finish
