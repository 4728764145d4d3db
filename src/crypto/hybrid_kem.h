/* SPDX-License-Identifier: Apache-2.0
 *
 * Hybrid key encapsulation: ML-KEM and X25519 at once, so that the shared secret stays secret as
 * long as one of the two holds (docs/adr, "hybrid key encapsulation", has the construction and
 * why).
 *
 *   receiver                                      sender
 *   hybrid_kem_keygen       --- public share -->  hybrid_kem_encapsulate
 *   hybrid_kem_decapsulate  <-- ciphertext -----
 *
 * Both then hold the same 32 bytes. A key pair is used once: the first try to decapsulate, good or
 * bad, uses it up and wipes it. A ciphertext of the right form that was made for another key, or
 * was changed, gives another secret and no error: whoever uses the secret finds out, by a tag.
 *
 * Nobody is authenticated by this. TLS does its own combining inside libssl and does not use it.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/mlkem.h"
#include "crypto/secret.h"
#include "crypto/x25519.h"

enum hybrid_kem : uint8_t {
    HYBRID_KEM_MLKEM1024_X25519,
    HYBRID_KEM_MLKEM768_X25519,
    HYBRID_KEM_XWING, /* draft-connolly-cfrg-xwing-kem; HPKE's KEM 0x647a */
    HYBRID_KEM_COUNT,
};

enum {
    HYBRID_KEM_SECRET_BYTES = 32,
    HYBRID_KEM_SHARE_BYTES_MAX = MLKEM_PUBLIC_BYTES_MAX + X25519_BYTES,
    /* What an encapsulation uses up of randomness: m of ML-KEM, then the X25519 private key. */
    HYBRID_KEM_RANDOM_BYTES = MLKEM_RANDOM_BYTES + X25519_BYTES,
};

struct hybrid_kem_sizes {
    const char *name;
    uint16_t public_bytes;     /* ML-KEM's public key, then X25519's */
    uint16_t ciphertext_bytes; /* ML-KEM's ciphertext, then the X25519 public key made for it */
    uint16_t seed_bytes;       /* from which a key pair is made */
    uint16_t
        expanded_bytes; /* ML-KEM's decapsulation key, then X25519's; 0: there is no such form */
};

/* Constant. */
struct hybrid_kem_sizes hybrid_kem_sizes(enum hybrid_kem kem);
/* HYBRID_KEM_COUNT when no row has this name. */
enum hybrid_kem hybrid_kem_find(const char *name);

/* A public share or a ciphertext. Anybody may see it. */
struct hybrid_kem_share {
    uint16_t size;
    uint8_t bytes[HYBRID_KEM_SHARE_BYTES_MAX];
};

struct hybrid_kem_key; /* a private key that was not used yet, or one that was and is empty */

/* A new key pair from libcrypto's random generator. ERROR_KEYS_FAILED, ERROR_NO_MEMORY, ERROR_LIMIT
 * (no memory can be locked). */
status_t hybrid_kem_keygen(enum hybrid_kem kem, struct hybrid_kem_key **ret_key, struct error *err);
/* From what keygen would have drawn: `bytes` has seed_bytes, or expanded_bytes where the row has
 * that form (checked as FIPS 203, section 7.3, says). For keys that were stored, and for known
 * answers. `bytes` stays the caller's. ERROR_KEY_EXCHANGE when it is no such key. */
status_t hybrid_kem_key_from(enum hybrid_kem kem, const struct secret *bytes,
                             struct hybrid_kem_key **ret_key, struct error *err);
void hybrid_kem_key_free(struct hybrid_kem_key *key); /* wipes; nullptr is fine */
void hybrid_kem_key_freep(struct hybrid_kem_key **key);
void hybrid_kem_key_public(const struct hybrid_kem_key *key, struct hybrid_kem_share *ret_public);

/* A secret for whoever holds the private key of `public_share`, and the ciphertext that brings it
 * there. ERROR_KEY_EXCHANGE when the share is none of this row: its length, a coefficient past the
 * modulus (FIPS 203, section 7.2), an X25519 key of small order. */
status_t hybrid_kem_encapsulate(enum hybrid_kem kem, struct slice public_share,
                                struct hybrid_kem_share *ret_ciphertext, struct secret **ret_secret,
                                struct error *err);
/* The same from HYBRID_KEM_RANDOM_BYTES that are handed in: for known answers. Using them twice
 * gives the secrets away. */
status_t hybrid_kem_encapsulate_from(enum hybrid_kem kem, struct slice public_share,
                                     const struct secret *random,
                                     struct hybrid_kem_share *ret_ciphertext,
                                     struct secret **ret_secret, struct error *err);

/* Uses the key up, whatever comes of it; of two threads one gets an answer. ERROR_KEY_EXCHANGE when
 * the key was used before, for a wrong length and for an X25519 key of small order. */
status_t hybrid_kem_decapsulate(struct hybrid_kem_key *key, struct slice ciphertext,
                                struct secret **ret_secret, struct error *err);
