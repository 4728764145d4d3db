/* SPDX-License-Identifier: Apache-2.0
 *
 * One table, HYBRIDS: a row names the ML-KEM set, how a seed becomes the two private keys, and how
 * the two secrets become one. Everything else is the same for all rows.
 *
 * What must hold on every way through this file, and is proved in tests/proof/hybrid_kem.c:
 *
 *   - secrets are combined when both halves are there, of one exchange, and only then;
 *   - a private key is looked at once: the flag is taken first, with an atomic exchange, and the
 * key is wiped on every way out;
 *   - whatever is not handed to the caller is wiped on every way out, and nothing is handed out
 * after a failure.
 *
 * Secrets live in struct secret: a key pair's own, and one page of scratch per exchange. libcrypto
 * has its own copies of private keys on the heap for as long as one call takes, and wipes them.
 * Cleaning up is written out, because the prover does not know CLEANUP().
 */
#include "crypto/hybrid_kem.h"

#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "crypto/hmac.h"
#include "crypto/libcrypto.h"
#include "crypto/sha3.h"

static const char LABEL[] = "airlock/hybrid-kem/v1";
static const uint8_t XWING_LABEL[] = {0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c};

enum {
    SEED_BYTES = MLKEM_SEED_BYTES + X25519_BYTES, /* what a seed becomes: d || z || X25519's key */
    XWING_SEED_BYTES = 32,
    HASHED_BYTES_MAX = 6 * 4 + MLKEM_SECRET_BYTES + X25519_BYTES + 2 * HYBRID_KEM_SHARE_BYTES_MAX,
};

enum half : unsigned { HALF_MLKEM = 1, HALF_X25519 = 2, HALF_BOTH = HALF_MLKEM | HALF_X25519 };

/* One page that is wiped at the end. */
struct scratch {
    uint8_t random[HYBRID_KEM_RANDOM_BYTES];
    uint8_t mlkem_secret[MLKEM_SECRET_BYTES];
    uint8_t x25519_secret[X25519_BYTES];
    struct hmac_key hmac_key;
    struct digest digest;
    uint8_t hashed[HASHED_BYTES_MAX];
};
static_assert(sizeof(struct scratch) <= SECRET_BYTES_MAX);

/* One encapsulation or decapsulation under way. The slices are of public bytes. */
struct exchange {
    const struct hybrid *row;
    struct slice public_share;
    struct slice ciphertext;
    struct secret *scratch;
    unsigned halves; /* enum half: whose secrets lie in the scratch */
};

struct hybrid {
    const char *name;
    enum mlkem_set set;
    uint16_t seed_bytes;
    bool has_expanded;
    /* Makes SEED_BYTES of seed_bytes. */
    status_t (*expand)(const uint8_t *seed, uint8_t *ret_bytes, struct error *err);
    status_t (*combine)(const struct exchange *exchange, struct digest *ret_secret,
                        struct error *err);
};

struct hybrid_kem_key {
    const struct hybrid *row;
    atomic_bool is_used;
    struct secret *private_key; /* ML-KEM's in either form, then X25519's; nullptr once used */
    struct hybrid_kem_share public_share;
};

/* A share is ML-KEM's part, then X25519's 32 bytes. */
static struct slice mlkem_part(struct slice share) {
    ASSERT(share.size > X25519_BYTES);
    return slice_of(share.data, share.size - X25519_BYTES);
}

static const uint8_t *x25519_part(struct slice share) {
    ASSERT(share.size > X25519_BYTES);
    return share.data + share.size - X25519_BYTES;
}

static struct slice share_slice(const struct hybrid_kem_share *share) {
    return slice_of(share->bytes, share->size);
}

static struct slice secret_slice(const struct secret *secret) {
    return slice_of(secret_data_const(secret), secret_size(secret));
}

static status_t refused(const struct hybrid *row, const char *what, struct error *err) {
    return error_set(err, ERROR_KEY_EXCHANGE, 0, "%s: %s", row->name, what);
}

static status_t random_into(void *data, size_t size, struct error *err) {
    libcrypto_start();
    return RAND_priv_bytes(data, (int)size) == 1
               ? STATUS_OK
               : error_set(err, ERROR_KEYS_FAILED, 0, "libcrypto has no random bytes for a key");
}

/* What is hashed is put together in the scratch. */
struct hashed {
    uint8_t *bytes; /* HASHED_BYTES_MAX */
    size_t size;
};

static void hashed_bytes(struct hashed *hashed, struct slice bytes) {
    ASSERT(bytes.size <= HASHED_BYTES_MAX - hashed->size);
    memcpy(hashed->bytes + hashed->size, bytes.data, bytes.size);
    hashed->size += bytes.size;
}

/* With its length before it, four bytes big-endian. */
static void hashed_block(struct hashed *hashed, struct slice bytes) {
    uint8_t size[4] = {0, 0, (uint8_t)(bytes.size >> 8), (uint8_t)bytes.size};
    ASSERT(bytes.size <= UINT16_MAX);
    hashed_bytes(hashed, slice_of(size, sizeof size));
    hashed_bytes(hashed, bytes);
}

/* HKDF-SHA256 (RFC 5869): the label is the salt, everything that was exchanged is the key material,
 * and label and row are the info, of one block. */
static status_t combine_hkdf(const struct exchange *exchange, struct digest *ret_secret,
                             struct error *err) {
    (void)err; /* nothing here can fail */
    struct scratch *scratch = secret_data(exchange->scratch);
    struct hashed material = {.bytes = scratch->hashed};
    hashed_block(&material, slice_of(scratch->mlkem_secret, MLKEM_SECRET_BYTES));
    hashed_block(&material, slice_of(scratch->x25519_secret, X25519_BYTES));
    hashed_block(&material, mlkem_part(exchange->public_share));
    hashed_block(&material, slice_of(x25519_part(exchange->public_share), X25519_BYTES));
    hashed_block(&material, mlkem_part(exchange->ciphertext));
    hashed_block(&material, slice_of(x25519_part(exchange->ciphertext), X25519_BYTES));
    hmac_key_init(&scratch->hmac_key, slice_of_string(LABEL));
    hmac_sha256(&scratch->hmac_key, slice_of(material.bytes, material.size), &scratch->digest);
    hmac_key_init(&scratch->hmac_key, slice_of(scratch->digest.bytes, DIGEST_BYTES));
    struct hashed info = {.bytes = scratch->hashed};
    hashed_block(&info, slice_of_string(LABEL));
    hashed_block(&info, slice_of_string(exchange->row->name));
    hashed_bytes(&info, slice_of("\x01", 1)); /* the number of HKDF's block */
    hmac_sha256(&scratch->hmac_key, slice_of(info.bytes, info.size), ret_secret);
    return STATUS_OK;
}

/* SHA3-256(ssM || ssX || ctX || pkX || label), section 5.3 of the draft: ML-KEM's own secret
 * already depends on its public key and ciphertext. */
static status_t combine_xwing(const struct exchange *exchange, struct digest *ret_secret,
                              struct error *err) {
    struct scratch *scratch = secret_data(exchange->scratch);
    struct hashed hashed = {.bytes = scratch->hashed};
    hashed_bytes(&hashed, slice_of(scratch->mlkem_secret, MLKEM_SECRET_BYTES));
    hashed_bytes(&hashed, slice_of(scratch->x25519_secret, X25519_BYTES));
    hashed_bytes(&hashed, slice_of(x25519_part(exchange->ciphertext), X25519_BYTES));
    hashed_bytes(&hashed, slice_of(x25519_part(exchange->public_share), X25519_BYTES));
    hashed_bytes(&hashed, slice_of(XWING_LABEL, sizeof XWING_LABEL));
    return sha3_256_of(slice_of(hashed.bytes, hashed.size), ret_secret, err);
}

static status_t keep_seed(const uint8_t *seed, uint8_t *ret_bytes, struct error *err) {
    (void)err;
    memcpy(ret_bytes, seed, SEED_BYTES);
    return STATUS_OK;
}

static status_t expand_xwing(const uint8_t *seed, uint8_t *ret_bytes, struct error *err) {
    return shake256_of(slice_of(seed, XWING_SEED_BYTES), ret_bytes, SEED_BYTES, err);
}

static const struct hybrid HYBRIDS[HYBRID_KEM_COUNT] = {
    [HYBRID_KEM_MLKEM1024_X25519] = {"MLKEM1024-X25519", MLKEM_1024, SEED_BYTES, true, keep_seed,
                                     combine_hkdf},
    [HYBRID_KEM_MLKEM768_X25519] = {"MLKEM768-X25519", MLKEM_768, SEED_BYTES, true, keep_seed,
                                    combine_hkdf},
    [HYBRID_KEM_XWING] = {"X-Wing", MLKEM_768, XWING_SEED_BYTES, false, expand_xwing,
                          combine_xwing},
};

static const struct hybrid *row_of(enum hybrid_kem kem) {
    ASSERT(kem < HYBRID_KEM_COUNT);
    return &HYBRIDS[kem];
}

struct hybrid_kem_sizes hybrid_kem_sizes(enum hybrid_kem kem) {
    const struct hybrid *row = row_of(kem);
    const struct mlkem_sizes *mlkem = mlkem_sizes(row->set);
    return (struct hybrid_kem_sizes){
        .name = row->name,
        .public_bytes = (uint16_t)(mlkem->public_bytes + X25519_BYTES),
        .ciphertext_bytes = (uint16_t)(mlkem->ciphertext_bytes + X25519_BYTES),
        .seed_bytes = row->seed_bytes,
        .expanded_bytes =
            row->has_expanded ? (uint16_t)(mlkem->private_bytes + X25519_BYTES) : (uint16_t)0,
    };
}

enum hybrid_kem hybrid_kem_find(const char *name) {
    for (unsigned kem = 0; kem < HYBRID_KEM_COUNT; kem++) {
        if (strcmp(HYBRIDS[kem].name, name) == 0) {
            return (enum hybrid_kem)kem;
        }
    }
    return HYBRID_KEM_COUNT;
}

/* One secret of both; the only place that combines. */
static status_t exchange_finish(const struct exchange *exchange, struct secret **ret_secret,
                                struct error *err) {
    ASSERT(exchange->halves == HALF_BOTH);
    struct secret *secret = nullptr;
    static_assert(HYBRID_KEM_SECRET_BYTES == sizeof(struct digest));
    TRY(secret_new(HYBRID_KEM_SECRET_BYTES, &secret, err));
    status_t status = exchange->row->combine(exchange, secret_data(secret), err);
    if (!status_is_ok(status)) {
        secret_free(secret);
        return status;
    }
    *ret_secret = secret;
    return STATUS_OK;
}

/* Both public halves of a private key that is in place. */
static status_t make_public(struct hybrid_kem_key *key, struct error *err) {
    struct slice whole = secret_slice(key->private_key);
    size_t mlkem_bytes = mlkem_sizes(key->row->set)->public_bytes;
    TRY(mlkem_public(key->row->set, mlkem_part(whole), key->public_share.bytes, err));
    TRY(x25519_public(x25519_part(whole), key->public_share.bytes + mlkem_bytes, err));
    key->public_share.size = (uint16_t)(mlkem_bytes + X25519_BYTES);
    return STATUS_OK;
}

static status_t take_private(struct hybrid_kem_key *key, struct slice bytes, bool is_seed,
                             struct error *err) {
    TRY(secret_new(is_seed ? SEED_BYTES : bytes.size, &key->private_key, err));
    if (is_seed) {
        return key->row->expand(bytes.data, secret_data(key->private_key), err);
    }
    memcpy(secret_data(key->private_key), bytes.data, bytes.size);
    return STATUS_OK;
}

status_t hybrid_kem_key_from(enum hybrid_kem kem, const struct secret *bytes,
                             struct hybrid_kem_key **ret_key, struct error *err) {
    bool is_seed = secret_size(bytes) == row_of(kem)->seed_bytes;
    if (!is_seed && secret_size(bytes) != hybrid_kem_sizes(kem).expanded_bytes) {
        return refused(row_of(kem), "a private key of this length is none", err);
    }
    struct hybrid_kem_key *key = calloc(1, sizeof *key);
    if (key == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot hold a key");
    }
    key->row = row_of(kem);
    status_t status = take_private(key, secret_slice(bytes), is_seed, err);
    if (status_is_ok(status)) {
        status = make_public(key, err);
    }
    if (!status_is_ok(status)) {
        hybrid_kem_key_free(key);
        return status;
    }
    *ret_key = key;
    return STATUS_OK;
}

status_t hybrid_kem_keygen(enum hybrid_kem kem, struct hybrid_kem_key **ret_key,
                           struct error *err) {
    struct secret *seed = nullptr;
    TRY(secret_new(hybrid_kem_sizes(kem).seed_bytes, &seed, err));
    status_t status = random_into(secret_data(seed), secret_size(seed), err);
    if (status_is_ok(status)) {
        status = hybrid_kem_key_from(kem, seed, ret_key, err);
    }
    secret_free(seed);
    return status;
}

void hybrid_kem_key_free(struct hybrid_kem_key *key) {
    if (key != nullptr) {
        secret_free(key->private_key); /* wipes */
        free(key);
    }
}

void hybrid_kem_key_freep(struct hybrid_kem_key **key) {
    hybrid_kem_key_free(*key);
    *key = nullptr;
}

void hybrid_kem_key_public(const struct hybrid_kem_key *key, struct hybrid_kem_share *ret_public) {
    *ret_public = key->public_share;
}

/* Both secrets, and both parts of the ciphertext. The randomness is in the scratch. */
static status_t encapsulate_both(struct exchange *exchange, struct hybrid_kem_share *ciphertext,
                                 struct error *err) {
    struct scratch *scratch = secret_data(exchange->scratch);
    const uint8_t *x25519_private = scratch->random + MLKEM_RANDOM_BYTES;
    size_t mlkem_bytes = mlkem_sizes(exchange->row->set)->ciphertext_bytes;
    TRY(mlkem_encapsulate(exchange->row->set, mlkem_part(exchange->public_share), scratch->random,
                          ciphertext->bytes, scratch->mlkem_secret, err));
    exchange->halves |= HALF_MLKEM;
    TRY(x25519_public(x25519_private, ciphertext->bytes + mlkem_bytes, err));
    TRY(x25519_derive(x25519_private, x25519_part(exchange->public_share), scratch->x25519_secret,
                      err));
    exchange->halves |= HALF_X25519;
    ciphertext->size = (uint16_t)(mlkem_bytes + X25519_BYTES);
    exchange->ciphertext = share_slice(ciphertext);
    return STATUS_OK;
}

/* Everything between the start of an exchange and its wiping. random: nullptr for libcrypto's. */
static status_t encapsulate_in(struct exchange *exchange, const struct secret *random,
                               struct hybrid_kem_share *ret_ciphertext, struct secret **ret_secret,
                               struct error *err) {
    struct scratch *scratch = secret_data(exchange->scratch);
    struct hybrid_kem_share ciphertext = {};
    if (random != nullptr) {
        ASSERT(secret_size(random) == HYBRID_KEM_RANDOM_BYTES);
        memcpy(scratch->random, secret_data_const(random), HYBRID_KEM_RANDOM_BYTES);
    } else {
        TRY(random_into(scratch->random, HYBRID_KEM_RANDOM_BYTES, err));
    }
    TRY(encapsulate_both(exchange, &ciphertext, err));
    TRY(exchange_finish(exchange, ret_secret, err));
    *ret_ciphertext = ciphertext;
    return STATUS_OK;
}

static status_t encapsulate(const struct hybrid *row, struct slice public_share,
                            const struct secret *random, struct hybrid_kem_share *ret_ciphertext,
                            struct secret **ret_secret, struct error *err) {
    if (public_share.size != (size_t)mlkem_sizes(row->set)->public_bytes + X25519_BYTES) {
        return refused(row, "a public share of this length is none", err);
    }
    struct exchange exchange = {.row = row, .public_share = public_share};
    TRY(secret_new(sizeof(struct scratch), &exchange.scratch, err));
    status_t status = encapsulate_in(&exchange, random, ret_ciphertext, ret_secret, err);
    secret_free(exchange.scratch); /* wipes */
    return status;
}

status_t hybrid_kem_encapsulate(enum hybrid_kem kem, struct slice public_share,
                                struct hybrid_kem_share *ret_ciphertext, struct secret **ret_secret,
                                struct error *err) {
    return encapsulate(row_of(kem), public_share, nullptr, ret_ciphertext, ret_secret, err);
}

status_t hybrid_kem_encapsulate_from(enum hybrid_kem kem, struct slice public_share,
                                     const struct secret *random,
                                     struct hybrid_kem_share *ret_ciphertext,
                                     struct secret **ret_secret, struct error *err) {
    ASSERT(random != nullptr);
    return encapsulate(row_of(kem), public_share, random, ret_ciphertext, ret_secret, err);
}

static status_t decapsulate_both(struct exchange *exchange, const struct hybrid_kem_key *key,
                                 struct error *err) {
    struct scratch *scratch = secret_data(exchange->scratch);
    struct slice private_key = secret_slice(key->private_key);
    TRY(mlkem_decapsulate(key->row->set, mlkem_part(private_key), mlkem_part(exchange->ciphertext),
                          scratch->mlkem_secret, err));
    exchange->halves |= HALF_MLKEM;
    TRY(x25519_derive(x25519_part(private_key), x25519_part(exchange->ciphertext),
                      scratch->x25519_secret, err));
    exchange->halves |= HALF_X25519;
    return STATUS_OK;
}

static status_t decapsulate(const struct hybrid_kem_key *key, struct slice ciphertext,
                            struct secret **ret_secret, struct error *err) {
    if (ciphertext.size != (size_t)mlkem_sizes(key->row->set)->ciphertext_bytes + X25519_BYTES) {
        return refused(key->row, "a ciphertext of this length is none", err);
    }
    struct exchange exchange = {
        .row = key->row, .public_share = share_slice(&key->public_share), .ciphertext = ciphertext};
    TRY(secret_new(sizeof(struct scratch), &exchange.scratch, err));
    status_t status = decapsulate_both(&exchange, key, err);
    if (status_is_ok(status)) {
        status = exchange_finish(&exchange, ret_secret, err);
    }
    secret_free(exchange.scratch); /* wipes */
    return status;
}

status_t hybrid_kem_decapsulate(struct hybrid_kem_key *key, struct slice ciphertext,
                                struct secret **ret_secret, struct error *err) {
    if (atomic_exchange(&key->is_used, true)) {
        return refused(key->row, "this key was used before", err);
    }
    status_t status = decapsulate(key, ciphertext, ret_secret, err);
    secret_freep(&key->private_key); /* wipes */
    return status;
}
