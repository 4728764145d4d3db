/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/siphash.h"

#include <string.h>

enum { ROUNDS = 2, FINAL_ROUNDS = 4, WORD = 8 };

static uint64_t turned(uint64_t value, unsigned bits) {
    return value << bits | value >> (64 - bits);
}

static void rounds(uint64_t v[static 4], int count) {
    for (int i = 0; i < count; i++) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = turned(v[1], 13) ^ v[0];
        v[3] = turned(v[3], 16) ^ v[2];
        v[0] = turned(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = turned(v[1], 17) ^ v[2];
        v[3] = turned(v[3], 21) ^ v[0];
        v[2] = turned(v[2], 32);
    }
}

static uint64_t word_of(const uint8_t *data, size_t size) {
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++) {
        word |= (uint64_t)data[i] << (8 * i);
    }
    return word;
}

uint64_t siphash(const struct siphash_key *key, struct slice bytes) {
    /* "somepseudorandomlygeneratedbytes" */
    uint64_t v[4] = {key->k0 ^ UINT64_C(0x736f6d6570736575), key->k1 ^ UINT64_C(0x646f72616e646f6d),
                     key->k0 ^ UINT64_C(0x6c7967656e657261),
                     key->k1 ^ UINT64_C(0x7465646279746573)};
    size_t whole = bytes.size - bytes.size % WORD;
    for (size_t at = 0; at < whole; at += WORD) {
        uint64_t word = word_of(bytes.data + at, WORD);
        v[3] ^= word;
        rounds(v, ROUNDS);
        v[0] ^= word;
    }
    uint64_t last = word_of(bytes.data + whole, bytes.size % WORD) | (uint64_t)bytes.size << 56;
    v[3] ^= last;
    rounds(v, ROUNDS);
    v[0] ^= last;
    v[2] ^= 0xff;
    rounds(v, FINAL_ROUNDS);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
