/* SPDX-License-Identifier: Apache-2.0
 *
 * Drives a fuzz target without libFuzzer: every seed, every truncation of it, every single flipped
 * bit, and bytes of a fixed pseudo-random sequence. A crash or a failed assertion fails the test.
 *
 *   replay               prints TAP
 *   replay --seeds DIR   writes the seeds as files, for libFuzzer to start from
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { SEED_BYTES_MAX = 65536, RANDOM_INPUTS = 2000, RANDOM_BYTES_MAX = 300 };

/* An own copy of exactly this size, so that a sanitizer sees the first byte read past it. */
static void feed(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == nullptr) {
        abort();
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void feed_truncated(struct slice seed) {
    for (size_t size = 0; size < seed.size; size++) {
        feed(seed.data, size);
    }
}

static void feed_flipped(struct slice seed) {
    uint8_t *copy = malloc(seed.size + 1);
    if (copy == nullptr) {
        abort();
    }
    memcpy(copy, seed.data, seed.size);
    for (size_t bit = 0; bit < seed.size * 8; bit++) {
        copy[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        feed(copy, seed.size);
        copy[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    free(copy);
}

/* xorshift: the same bytes in every run. */
static void feed_random(void) {
    uint64_t state = 0x9e3779b97f4a7c15U;
    uint8_t bytes[RANDOM_BYTES_MAX];
    for (int i = 0; i < RANDOM_INPUTS; i++) {
        for (size_t k = 0; k < sizeof bytes; k++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes[k] = (uint8_t)state;
        }
        feed(bytes, (size_t)(state >> 8) % sizeof bytes);
    }
}

static int write_seeds(const char *folder) {
    struct builder seed;
    builder_init(&seed, SEED_BYTES_MAX);
    for (unsigned i = 0; fuzz_seed(i, &seed); i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/seed-%u", folder, i);
        FILE *file = fopen(path, "wb");
        struct slice bytes = builder_slice(&seed);
        if (file == nullptr || fwrite(bytes.data, 1, bytes.size, file) != bytes.size ||
            fclose(file) != 0) {
            perror(path);
            return 1;
        }
        builder_reset(&seed);
    }
    builder_deinit(&seed);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--seeds") == 0) {
        return write_seeds(argv[2]);
    }
    struct builder seed;
    builder_init(&seed, SEED_BYTES_MAX);
    unsigned count = 0;
    while (fuzz_seed(count, &seed)) {
        struct slice bytes = builder_slice(&seed);
        if (bytes.size == 0) {
            printf("not ok %u - seed %u is empty\n", count + 1, count);
            return 1;
        }
        feed(bytes.data, bytes.size);
        feed_truncated(bytes);
        feed_flipped(bytes);
        count++;
        printf("ok %u - seed %u, cut short and with each bit flipped\n", count, count - 1);
        builder_reset(&seed);
    }
    builder_deinit(&seed);
    feed_random();
    printf("ok %u - %d random inputs\n1..%u\n", count + 1, RANDOM_INPUTS, count + 1);
    return 0;
}
