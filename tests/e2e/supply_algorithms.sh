#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# schema/algorithms.def and the code say the same, both ways: every row names files that are there and
# use cryptography, and every name of an algorithm in the code, every header of a cryptographic library
# and every code point has its row. Object identifiers are asked of libcrypto.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
cd "$AIRLOCK_SOURCE_DIR" || exit 99
look=$AIRLOCK_SOURCE_DIR/tests/e2e/algorithms_check.py

check "rows and code agree" python3 "$look" .
check "every object identifier is known to libcrypto by that name" python3 "$look" . --identifiers

# What the check is for is found.
altered() { # path, python over t, its text: the check on a copy with that change
    rm -rf "$SCRATCH/copy"
    mkdir "$SCRATCH/copy"
    cp -r src schema "$SCRATCH/copy/"
    python3 - "$SCRATCH/copy/$1" "$2" <<'PY'
import sys
t = old = open(sys.argv[1]).read()
exec("t = " + sys.argv[2])
assert t != old
open(sys.argv[1], "w").write(t)
PY
    python3 "$look" "$SCRATCH/copy"
}
refuse "an algorithm without a row" altered src/crypto/mldsa.c 't.replace("ML-DSA-44", "ML-DSA-99")'
refuse "an algorithm that has a row for other files only" altered src/enclave/es256.c 't.replace(chr(34) + "EC" + chr(34), chr(34) + "ML-DSA-65" + chr(34))'
refuse "a row without its file" altered schema/algorithms.def 't.replace("src/crypto/hmac.c", "src/crypto/none.c")'
refuse "a row whose file uses nothing" altered schema/algorithms.def 't.replace("src/crypto/hmac.c", "src/base/bytes.c")'
refuse "a file that uses a library and has no row" altered src/codec/text.c '"#include <openssl/evp.h>\n" + t'
refuse "a group without a row" altered src/edge/groups.c 't.replace("0x0202, \"MLKEM1024\"", "0x0201, \"MLKEM768\"")'
refuse "a group with another code point" altered schema/algorithms.def 't.replace("0x11ec", "0x11ef")'
refuse "a digest asked for without a row" altered src/proxy/certificate.c 't.replace("EVP_sha256()", "EVP_sha1()")'
finish
