/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/nearest.h"

#include <string.h>

#include "base/assert.h"

enum { WORD_BYTES_MAX = 32 };

static unsigned least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

/* Edits between two short words: insert, delete, replace, swap neighbours (optimal string
 * alignment). */
static unsigned edit_distance(const char *a, size_t a_size, const char *b, size_t b_size) {
    unsigned rows[WORD_BYTES_MAX + 1][WORD_BYTES_MAX + 1];
    for (size_t i = 0; i <= a_size; i++) {
        rows[i][0] = (unsigned)i;
    }
    for (size_t k = 0; k <= b_size; k++) {
        rows[0][k] = (unsigned)k;
    }
    for (size_t i = 1; i <= a_size; i++) {
        for (size_t k = 1; k <= b_size; k++) {
            unsigned edits = least(rows[i - 1][k] + 1, rows[i][k - 1] + 1);
            edits = least(edits, rows[i - 1][k - 1] + (a[i - 1] != b[k - 1]));
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1]) {
                edits = least(edits, rows[i - 2][k - 2] + 1);
            }
            rows[i][k] = edits;
        }
    }
    return rows[a_size][b_size];
}

const char *text_nearest(const char *word, const char *const *words, size_t count) {
    size_t size = strlen(word);
    if (size == 0 || size > WORD_BYTES_MAX) {
        return nullptr;
    }
    const char *nearest = nullptr;
    unsigned fewest = size < 4 ? 2 : size < 8 ? 3 : 4; /* one more than may be wrong */
    for (size_t i = 0; i < count; i++) {
        size_t other = strlen(words[i]);
        ASSERT(other <= WORD_BYTES_MAX);
        unsigned edits = edit_distance(word, size, words[i], other);
        if (edits < fewest) {
            fewest = edits;
            nearest = words[i];
        }
    }
    return nearest;
}
