/* SPDX-License-Identifier: Apache-2.0
 *
 * The public keys a release is checked with: a file of PEM blocks (SubjectPublicKeyInfo), as
 * `openssl pkey -pubout` writes them. One Ed25519 and one ML-DSA-65 key, and both must have signed;
 * at most one ECDSA P-256 key, for the Sigstore bundle.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum release_kind : uint8_t {
    RELEASE_KIND_ED25519,
    RELEASE_KIND_MLDSA65,
    RELEASE_KIND_ECDSA,
    RELEASE_KIND_COUNT,
};

enum { RELEASE_KEY_ID_BYTES = 65 }; /* SHA-256 of the key's DER, in hex, with its NUL */

struct release_key; /* a public key */
struct release_keys {
    struct release_key *keys[RELEASE_KIND_COUNT]; /* owned; nullptr: none of the kind */
};

/* `text` is a key file, `what` its name. ERROR_RELEASE_KEY: a key of another kind, a second one of
 * a kind, a private key, or one of the first two kinds missing. */
status_t release_keys_parse(struct slice text, const char *what, struct release_keys *ret_keys,
                            struct error *err);
void release_keys_deinit(struct release_keys *keys);

/* As schema/algorithms.def has it. */
const char *release_kind_name(enum release_kind kind);
/* nullptr when there is no key of the kind. */
const char *release_key_id(const struct release_keys *keys, enum release_kind kind);
/* false without a key of the kind. Ed25519 and ML-DSA-65 sign the message itself, ECDSA its
 * SHA-256, in DER. */
bool release_key_verify(const struct release_keys *keys, enum release_kind kind,
                        struct slice message, struct slice signature);
