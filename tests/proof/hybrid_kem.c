/* SPDX-License-Identifier: Apache-2.0
 *
 * The state machine of crypto/hybrid_kem.c. ML-KEM, X25519, the hashes and memory for secrets are
 * any functions that keep to their headers and may fail at any call. What is proved, for every row
 * and every way in which they fail:
 *
 *   - nothing is hashed into a secret before both halves of this exchange are there, and what is
 *     hashed first are those two;
 *   - the private key is given to each half once at most in its life;
 *   - after each call only that memory for secrets is left which the caller owns; a wiped one is
 *     never touched again;
 *   - outputs are written on success alone.
 */
#include "proof.h"

#include "base/error.h"

static status_t set_error(struct error *err, enum error_code code) {
    err->code = code;
    return (status_t){(int)code};
}

#undef error_set
#define error_set(err, code, os_errno, ...) set_error((err), (code))

#include "crypto/hybrid_kem.c" /* whole, to look at a key from inside */

/* ---- memory for secrets ---- */

struct secret {
    size_t size;
    uint8_t *data;
};

static unsigned live; /* secrets that were made and not wiped */

status_t secret_new(size_t size, struct secret **ret_secret, struct error *err) {
    prove(size >= 1 && size <= SECRET_BYTES_MAX);
    if (nondet_bool()) {
        return error_set(err, ERROR_NO_MEMORY, 0, "");
    }
    struct secret *secret = malloc(sizeof *secret);
    suppose(secret != nullptr);
    secret->size = size;
    /* The scratch as what it is, so that the prover follows its fields. */
    secret->data =
        size == sizeof(struct scratch) ? malloc(sizeof(struct scratch)) : any_block(size);
    live++;
    *ret_secret = secret;
    return STATUS_OK;
}

void secret_free(struct secret *secret) {
    if (secret != nullptr) {
        prove(live > 0);
        live--;
        free(secret->data); /* from here on any access of it is a failed proof */
        free(secret);
    }
}

void secret_freep(struct secret **secret) {
    secret_free(*secret);
    *secret = nullptr;
}

void *secret_data(struct secret *secret) {
    return secret->data;
}

const void *secret_data_const(const struct secret *secret) {
    return secret->data;
}

size_t secret_size(const struct secret *secret) {
    return secret->size;
}

/* ---- the halves, the hashes, and the rest that is called ---- */

static bool has_mlkem, has_x25519; /* of the exchange under way */
static uint8_t mlkem_secret[MLKEM_SECRET_BYTES], x25519_secret[X25519_BYTES];
static unsigned mlkem_opened, x25519_opened; /* times the private key was used */
static bool is_opening;                      /* decapsulating, not encapsulating */
static unsigned combined;

static status_t any_outcome(struct error *err) {
    return nondet_bool() ? STATUS_OK : error_set(err, ERROR_KEYS_FAILED, 0, "");
}

static void fill(uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        bytes[i] = nondet_u8();
    }
}

struct slice slice_of(const void *data, size_t size) {
    return (struct slice){data, size};
}

struct slice slice_of_string(const char *text) {
    return slice_of(text, strlen(text));
}

void libcrypto_start(void) {
}

int RAND_priv_bytes(unsigned char *bytes, int size) {
    fill(bytes, (size_t)size);
    return nondet_bool() ? 1 : 0;
}

const struct mlkem_sizes *mlkem_sizes(enum mlkem_set set) {
    static const struct mlkem_sizes small = {"a", MLKEM_768_PUBLIC_BYTES, MLKEM_768_PRIVATE_BYTES,
                                             MLKEM_768_CIPHERTEXT_BYTES};
    static const struct mlkem_sizes large = {"b", MLKEM_1024_PUBLIC_BYTES, MLKEM_1024_PRIVATE_BYTES,
                                             MLKEM_1024_CIPHERTEXT_BYTES};
    prove(set < MLKEM_SET_COUNT);
    return set == MLKEM_768 ? &small : &large;
}

static bool is_private(enum mlkem_set set, struct slice key) {
    return key.size == MLKEM_SEED_BYTES || key.size == mlkem_sizes(set)->private_bytes;
}

status_t mlkem_public(enum mlkem_set set, struct slice private_key, uint8_t *ret_public,
                      struct error *err) {
    prove(is_private(set, private_key));
    fill(ret_public, mlkem_sizes(set)->public_bytes);
    return any_outcome(err);
}

status_t mlkem_encapsulate(enum mlkem_set set, struct slice public_key,
                           const uint8_t random[static MLKEM_RANDOM_BYTES], uint8_t *ret_ciphertext,
                           uint8_t ret_secret[static MLKEM_SECRET_BYTES], struct error *err) {
    (void)random[MLKEM_RANDOM_BYTES - 1];
    prove(public_key.size == mlkem_sizes(set)->public_bytes && !is_opening);
    fill(ret_ciphertext, mlkem_sizes(set)->ciphertext_bytes);
    fill(ret_secret, MLKEM_SECRET_BYTES);
    memcpy(mlkem_secret, ret_secret, MLKEM_SECRET_BYTES);
    has_mlkem = nondet_bool();
    return has_mlkem ? STATUS_OK : error_set(err, ERROR_KEY_EXCHANGE, 0, "");
}

status_t mlkem_decapsulate(enum mlkem_set set, struct slice private_key, struct slice ciphertext,
                           uint8_t ret_secret[static MLKEM_SECRET_BYTES], struct error *err) {
    prove(is_private(set, private_key) && ciphertext.size == mlkem_sizes(set)->ciphertext_bytes);
    prove(is_opening && mlkem_opened == 0);
    mlkem_opened++;
    fill(ret_secret, MLKEM_SECRET_BYTES);
    memcpy(mlkem_secret, ret_secret, MLKEM_SECRET_BYTES);
    has_mlkem = nondet_bool();
    return has_mlkem ? STATUS_OK : error_set(err, ERROR_KEY_EXCHANGE, 0, "");
}

status_t x25519_public(const uint8_t private_key[static X25519_BYTES],
                       uint8_t ret_public[static X25519_BYTES], struct error *err) {
    (void)private_key[X25519_BYTES - 1];
    fill(ret_public, X25519_BYTES);
    return any_outcome(err);
}

status_t x25519_derive(const uint8_t private_key[static X25519_BYTES],
                       const uint8_t public_key[static X25519_BYTES],
                       uint8_t ret_secret[static X25519_BYTES], struct error *err) {
    (void)private_key[X25519_BYTES - 1];
    (void)public_key[X25519_BYTES - 1];
    prove(!is_opening || x25519_opened == 0);
    x25519_opened += is_opening ? 1 : 0;
    fill(ret_secret, X25519_BYTES);
    memcpy(x25519_secret, ret_secret, X25519_BYTES);
    has_x25519 = nondet_bool();
    return has_x25519 ? STATUS_OK : error_set(err, ERROR_KEY_EXCHANGE, 0, "");
}

/* Whatever makes the one secret has both, and nothing before them but lengths. */
static void check_combining(struct slice bytes, size_t lengths) {
    prove(has_mlkem && has_x25519);
    prove(bytes.size >= 2 * lengths + MLKEM_SECRET_BYTES + X25519_BYTES);
    prove(memcmp(bytes.data + lengths, mlkem_secret, MLKEM_SECRET_BYTES) == 0);
    prove(memcmp(bytes.data + 2 * lengths + MLKEM_SECRET_BYTES, x25519_secret, X25519_BYTES) == 0);
    combined++;
}

status_t sha3_256_of(struct slice bytes, struct digest *ret_digest, struct error *err) {
    check_combining(bytes, 0);
    ret_digest->bytes[0] = nondet_u8();
    ret_digest->bytes[DIGEST_BYTES - 1] = nondet_u8();
    return any_outcome(err);
}

status_t shake256_of(struct slice bytes, uint8_t *ret_bytes, size_t size, struct error *err) {
    prove(bytes.size == XWING_SEED_BYTES);
    fill(ret_bytes, size);
    return any_outcome(err);
}

/* Of HKDF: 1 is the label's key, which extracts; 2 the key that came out, which expands. */
static unsigned hmac_turn;

void hmac_key_init(struct hmac_key *key, struct slice bytes) {
    key->inner.state[0] = 0;
    hmac_turn++;
    prove(hmac_turn == 1 || bytes.size == DIGEST_BYTES);
}

void hmac_sha256(const struct hmac_key *key, struct slice message, struct digest *ret_tag) {
    (void)key->inner.state[0];
    if (hmac_turn == 1) {
        check_combining(message, 4);
    }
    ret_tag->bytes[0] = nondet_u8();
    ret_tag->bytes[DIGEST_BYTES - 1] = nondet_u8();
}

/* ---- what is proved ---- */

static struct error err;

static void exchange_begins(bool opening) {
    has_mlkem = false;
    has_x25519 = false;
    is_opening = opening;
    combined = 0;
    hmac_turn = 0;
}

/* A key of the row, made in one of three ways, which are told apart by constants: lengths that the
 * prover knows cost it seconds, and those that it does not, minutes. nullptr: it could not be made.
 */
static struct hybrid_kem_key *key_of(enum hybrid_kem kem, size_t size) {
    struct hybrid_kem_key *key = nullptr;
    struct secret kept = {size, size == 0 ? nullptr : any_block(size)};
    status_t status = size == 0 ? hybrid_kem_keygen(kem, &key, &err)
                                : hybrid_kem_key_from(kem, &kept, &key, &err);
    if (!status_is_ok(status)) {
        prove(key == nullptr && live == 0);
        return nullptr;
    }
    prove(key != nullptr && live == 1 && key->private_key != nullptr);
    struct hybrid_kem_share share;
    hybrid_kem_key_public(key, &share);
    prove(share.size == hybrid_kem_sizes(kem).public_bytes);
    return key;
}

/* Twice with a ciphertext of this length. */
static void open_twice(enum hybrid_kem kem, struct hybrid_kem_key *key, size_t size) {
    bool fits = size == hybrid_kem_sizes(kem).ciphertext_bytes;
    for (unsigned turn = 0; turn < 2; turn++) {
        struct secret *secret = nullptr;
        exchange_begins(true);
        bool done = status_is_ok(
            hybrid_kem_decapsulate(key, slice_of(any_block(size), size), &secret, &err));
        prove(key->private_key == nullptr); /* wiped, whatever came of it */
        prove(done == (secret != nullptr));
        prove(!done || (fits && turn == 0 && combined == 1 && has_mlkem && has_x25519));
        prove(!done || secret_size(secret) == HYBRID_KEM_SECRET_BYTES);
        prove(live == (done ? 1 : 0));
        secret_free(secret);
    }
    hybrid_kem_key_free(key);
    prove(live == 0);
}

/* Of a key that nobody used, too. */
static void open_any(enum hybrid_kem kem, size_t key_size, size_t size) {
    struct hybrid_kem_key *key = key_of(kem, key_size);
    if (key == nullptr) {
        return;
    }
    if (nondet_bool()) {
        open_twice(kem, key, size);
    } else {
        hybrid_kem_key_free(key);
        prove(live == 0);
    }
}

static void seal_any(enum hybrid_kem kem, size_t size, bool is_handed) {
    struct slice share = slice_of(any_block(size), size);
    struct hybrid_kem_share ciphertext = {.size = UINT16_MAX};
    struct secret *secret = nullptr;
    struct secret random = {HYBRID_KEM_RANDOM_BYTES, any_block(HYBRID_KEM_RANDOM_BYTES)};
    exchange_begins(false);
    status_t status =
        is_handed ? hybrid_kem_encapsulate_from(kem, share, &random, &ciphertext, &secret, &err)
                  : hybrid_kem_encapsulate(kem, share, &ciphertext, &secret, &err);
    if (!status_is_ok(status)) {
        prove(secret == nullptr && live == 0 && ciphertext.size == UINT16_MAX);
        return;
    }
    prove(size == hybrid_kem_sizes(kem).public_bytes);
    prove(ciphertext.size == hybrid_kem_sizes(kem).ciphertext_bytes);
    prove(combined == 1 && has_mlkem && has_x25519);
    prove(live == 1 && secret_size(secret) == HYBRID_KEM_SECRET_BYTES);
    secret_free(secret);
    prove(live == 0);
}

void proof_hybrid_kem_open_hkdf(void) {
    open_any(HYBRID_KEM_MLKEM1024_X25519, SEED_BYTES, MLKEM_1024_CIPHERTEXT_BYTES + X25519_BYTES);
}

void proof_hybrid_kem_open_expanded(void) {
    open_any(HYBRID_KEM_MLKEM768_X25519, MLKEM_768_PRIVATE_BYTES + X25519_BYTES,
             MLKEM_768_CIPHERTEXT_BYTES + X25519_BYTES);
}

void proof_hybrid_kem_open_xwing(void) {
    open_any(HYBRID_KEM_XWING, 0, MLKEM_768_CIPHERTEXT_BYTES + X25519_BYTES);
}

/* Every other length: of keys, shares and ciphertexts. */
void proof_hybrid_kem_lengths(void) {
    struct hybrid_kem_key *key = key_of(HYBRID_KEM_MLKEM768_X25519, SEED_BYTES);
    if (key != nullptr) {
        size_t size = nondet_size();
        suppose(size != MLKEM_768_CIPHERTEXT_BYTES + X25519_BYTES);
        suppose(size <= 2 * HYBRID_KEM_SHARE_BYTES_MAX);
        open_twice(HYBRID_KEM_MLKEM768_X25519, key, size);
    }
    size_t size = nondet_size();
    struct secret kept = {size, nullptr};
    suppose(size >= 1 && size != XWING_SEED_BYTES);
    prove(!status_is_ok(hybrid_kem_key_from(HYBRID_KEM_XWING, &kept, &key, &err)) && live == 0);
    size = nondet_size();
    suppose(size != MLKEM_768_PUBLIC_BYTES + X25519_BYTES);
    suppose(size <= 2 * HYBRID_KEM_SHARE_BYTES_MAX);
    seal_any(HYBRID_KEM_XWING, size, nondet_bool());
}

void proof_hybrid_kem_seal_hkdf(void) {
    seal_any(HYBRID_KEM_MLKEM1024_X25519, MLKEM_1024_PUBLIC_BYTES + X25519_BYTES, false);
}

void proof_hybrid_kem_seal_xwing(void) {
    seal_any(HYBRID_KEM_XWING, MLKEM_768_PUBLIC_BYTES + X25519_BYTES, true);
}
