# SPDX-License-Identifier: Apache-2.0
"""Holds schema/algorithms.def against src/: algorithms_check.py TREE [--identifiers]. Prints what differs."""
import pathlib
import re
import subprocess
import sys

TREE = pathlib.Path(sys.argv[1])
faults = []
# How a name looks in the code.
NAMES = re.compile(r"\b(MLKEM\d+-X25519|X-Wing|ML-DSA-\d+|ML-KEM-\d+|SLH-DSA-\S+|X25519MLKEM\d+|SecP\d+r1MLKEM\d+|MLKEM\d+|X25519|X448|x25519|secp\d+[rk]1|"
                   r"TLS_[A-Z0-9_]+_SHA\d+|HKDF|ED25519|ED448|AES-\d+-\w+|ChaCha20\S*|SHAKE\d+|SHA[123]?-\d+|P-\d+)\b")
# Names of parts of the algorithms that a row is about, and other spellings.
SAME = {"X25519": ["X25519", "x25519"], "x25519": ["X25519", "x25519"], "P-256": ["secp256r1", "ECDSA-P256-SHA256"], "SHA-256": ["SHA2-256"],
        "P-384": ["ECDSA-P384-SHA384"], "P-521": ["ECDSA-P521-SHA512"]}
CALLS = {"EVP_sha512": "SHA2-512", "EVP_sha3_256": "SHA3-256", "EVP_shake256": "SHAKE256", "EVP_sha256": "SHA2-256", "EVP_EC_gen": "ECDSA-P256-SHA256"}
ALSO = {"EVP_sha256": "ECDSA-P256-SHA256"}  # the digest that is part of a signature
ANY_CALL = re.compile(r"\b(EVP_(?:sha|md|aes|chacha|blake|sm|aria|des|rc|camellia|shake|ripemd|EC_gen|RSA_gen|Q_keygen|PKEY_Q_keygen)\w*)\(")
PRIMITIVES = re.compile(r"#include <(openssl/|sodium/)|sqlite3_key_v2|_MLKEM|\bsha256_(init|update|of)\(|TLS_")
# Hand keys, certificates and libcrypto's start on; they choose no algorithm.
HELPERS = {"src/crypto/libcrypto.c"}
MACROS = {"ALGORITHM": (1, 6), "TLS_GROUP": (1, 5), "TLS_SUITE": (1, 4), "TLS_VERSION": (1, 2)}


def rows():
    text = re.sub(r"/\*.*?\*/", "", (TREE / "schema/algorithms.def").read_text(), flags=re.S)
    for macro, (name, sources) in MACROS.items():
        for body in re.findall(rf"^{macro}\((.*)\)$", text, flags=re.M):
            row = [(a or b).strip() for a, b in re.findall(r'"((?:[^"\\]|\\.)*)"|([^\s,"][^,"]*)', body)]
            yield macro, row[name], row[sources].split(), row


def bare(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)


def check_rows(table):
    for macro, name, sources, _ in table:
        for source in sources:
            path = TREE / source
            if not path.exists():
                faults.append(f"{name}: there is no {source}")
            elif not PRIMITIVES.search(path.read_text()):
                faults.append(f"{name}: {source} uses no cryptography")


def check_code(table):
    where = {}
    for _, name, sources, _ in table:
        where.setdefault(name, set()).update(sources)
    used = set().union(*where.values())
    for path in sorted([*TREE.glob("src/**/*.c"), *TREE.glob("src/**/*.h")]):
        source, text = str(path.relative_to(TREE)), bare(path.read_text())
        in_crypto = re.search(r"#include <(openssl|sodium)/", text) or source in used
        if re.search(r"#include <(openssl/(evp|sha|hmac|kdf)\.h|sodium/crypto_\w+\.h)>", text) and path.suffix == ".c" \
                and source not in used and source not in HELPERS:
            faults.append(f"{source} uses a cryptographic library and is in no row")
        if "SSL_CTX_new(" in text and not any(macro == "TLS_VERSION" and source in sources for macro, _, sources, _ in table):
            faults.append(f"{source} begins TLS, and no row of TLS names it")
        for literal in re.findall(r'"((?:[^"\\\n]|\\.)*)"', text) if in_crypto else []:
            for name in NAMES.findall(literal):
                rows_of = set().union(*(where.get(one, set()) for one in SAME.get(name, [name])))
                if str(path.parent.relative_to(TREE)) not in {one.rpartition("/")[0] for one in rows_of}:
                    faults.append(f"{source} names {name}, and no row of that name is about this folder")
        for call in ANY_CALL.findall(text):
            if source not in where.get(CALLS.get(call), set()) | where.get(ALSO.get(call), set()):
                faults.append(f"{source} calls {call}(), and no row of what that is names it")


def check_groups(table):
    ours = {row[1].lower(): int(row[2], 16) for macro, _, _, row in table if macro == "TLS_GROUP"}
    text = (TREE / "src/edge/groups.c").read_text()
    theirs = {name.lower(): int(code, 16) for code, name in re.findall(r"\{(0x[0-9a-f]{4}), \"([^\"]+)\"", text)}
    if not theirs:
        faults.append("src/edge/groups.c has no rows that can be read")
    for name in sorted(set(ours) ^ set(theirs)):
        faults.append(f"group {name} is in one table only")
    for name in set(ours) & set(theirs):
        if ours[name] != theirs[name]:
            faults.append(f"group {name} has two code points")


def check_identifiers(table):
    plain = lambda text: re.sub(r"[^a-z0-9]", "", text.lower())
    same = {"sha2256": "sha256", "hmacsha256": "hmacwithsha256", "hmacsha512": "hmacwithsha512", "sha2512": "sha512", "rsapss": "rsassapss",
            "ecdsap384sha384": "ecdsawithsha384", "ecdsap521sha512": "ecdsawithsha512",
            "ecdsap256sha256": "ecdsawithsha256", "pbkdf2hmacsha512": "pbkdf2"}
    for _, name, _, row in [one for one in table if one[0] == "ALGORITHM" and one[3][4]]:
        out = subprocess.run(["openssl", "asn1parse", "-genstr", "OID:" + row[4]], capture_output=True, text=True).stdout
        if name == "HKDF-SHA256":  # RFC 8619 has it, libcrypto 3.5 no name for it
            continue
        known = plain(out.rsplit(":", 1)[-1])
        if known != same.get(plain(name), plain(name)):
            faults.append(f"{name}: libcrypto calls {row[4]} {known or 'nothing'}")


table = list(rows())
if "--identifiers" in sys.argv:
    check_identifiers(table)
else:
    check_rows(table)
    check_code(table)
    check_groups(table)
if not table:
    faults.append("the table is empty")
if faults:
    faults.append("add what is missing to schema/algorithms.def: it is what the CBOM of a release is made of")
print("\n".join(faults))
sys.exit(bool(faults))
