/* SPDX-License-Identifier: Apache-2.0 */
#include "base/assert.h"
#include "base/limits.h"
#include "proof.h"

/* A failed ASSERT is a failed proof. */
void assert_failed(const char *expression, const char *file, int line) {
    (void)expression;
    (void)file;
    (void)line;
    __CPROVER_assert(false, "an ASSERT holds");
    __CPROVER_assume(false);
}

/* What CBMC's own library leaves out, as the C standard describes it. */
void *memchr(const void *block, int byte, size_t size) {
    const unsigned char *bytes = block;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == (unsigned char)byte) {
            return (void *)&bytes[i];
        }
    }
    return nullptr;
}

size_t strnlen(const char *text, size_t size_max) {
    size_t size = 0;
    while (size < size_max && text[size] != '\0') {
        size++;
    }
    return size;
}

/* Counters are nothing a proof is about. */
void limit_hit(enum limit_id id) {
    (void)id;
}
