/* SPDX-License-Identifier: Apache-2.0
 *
 * Ciphertexts of hybrid key encapsulation, after a byte that chooses the row: one of another length
 * is refused; of those of the right length only the one that was made for the key gives the
 * sender's secret; and the key is used up each time.
 */
#include <string.h>

#include "base/assert.h"
#include "crypto/hash.h"
#include "crypto/hybrid_kem.h"
#include "fuzz.h"

struct row {
    struct hybrid_kem_share ciphertext;
    struct digest secret;
};

static struct hybrid_kem_key *key_of(enum hybrid_kem kem) {
    struct error err;
    struct secret *seed = nullptr;
    struct hybrid_kem_key *key = nullptr;
    ASSERT(status_is_ok(secret_new(hybrid_kem_sizes(kem).seed_bytes, &seed, &err)));
    memset(secret_data(seed), 0x51, secret_size(seed));
    ASSERT(status_is_ok(hybrid_kem_key_from(kem, seed, &key, &err)));
    secret_free(seed);
    return key;
}

static const struct row *row_of(enum hybrid_kem kem) {
    static struct row rows[HYBRID_KEM_COUNT];
    struct row *row = &rows[kem];
    if (row->ciphertext.size == 0) {
        struct error err;
        struct hybrid_kem_share share;
        struct secret *random = nullptr;
        struct secret *secret = nullptr;
        struct hybrid_kem_key *key = key_of(kem);
        hybrid_kem_key_public(key, &share);
        hybrid_kem_key_free(key);
        ASSERT(status_is_ok(secret_new(HYBRID_KEM_RANDOM_BYTES, &random, &err)));
        memset(secret_data(random), 0x15, HYBRID_KEM_RANDOM_BYTES);
        ASSERT(status_is_ok(hybrid_kem_encapsulate_from(kem, slice_of(share.bytes, share.size),
                                                        random, &row->ciphertext, &secret, &err)));
        memcpy(row->secret.bytes, secret_data(secret), DIGEST_BYTES);
        secret_free(secret);
        secret_free(random);
    }
    return row;
}

/* A whole one of a row, and the beginnings of the others: each flipped bit costs a key pair. */
bool fuzz_seed(unsigned number, struct builder *out) {
    if (number >= HYBRID_KEM_COUNT) {
        return false;
    }
    const struct row *row = row_of((enum hybrid_kem)number);
    builder_u8(out, (uint8_t)number);
    builder_bytes(out, slice_of(row->ciphertext.bytes,
                                number == HYBRID_KEM_XWING ? row->ciphertext.size : 40));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    enum hybrid_kem kem = (enum hybrid_kem)(data[0] % HYBRID_KEM_COUNT);
    const struct row *row = row_of(kem);
    struct slice ciphertext = slice_of(data + 1, size - 1);
    struct slice good = slice_of(row->ciphertext.bytes, row->ciphertext.size);
    struct hybrid_kem_key *key = key_of(kem);
    struct secret *secret = nullptr;
    struct secret *again = nullptr;
    struct error err = {};
    bool opened = status_is_ok(hybrid_kem_decapsulate(key, ciphertext, &secret, &err));
    ASSERT(opened == (secret != nullptr));
    ASSERT(opened || err.code == ERROR_KEY_EXCHANGE);
    ASSERT(!opened || ciphertext.size == good.size);
    if (opened) {
        bool is_same = memcmp(secret_data(secret), row->secret.bytes, DIGEST_BYTES) == 0;
        ASSERT(is_same == slice_equal(ciphertext, good));
    }
    ASSERT(!status_is_ok(hybrid_kem_decapsulate(key, good, &again, &err)) && again == nullptr);
    secret_free(secret);
    hybrid_kem_key_free(key);
    return 0;
}
