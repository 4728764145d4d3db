/* SPDX-License-Identifier: Apache-2.0
 *
 * Globs: a pattern, a NUL, a path. What takes a folder takes all that is below it, and what matches
 * bytes matches them folded.
 */
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "fuzz.h"
#include "policy/glob.h"

static const char *const SEEDS[][2] = {
    {"src/**/*.[ch]", "src/policy/glob.c"},
    {"!/a/**/b/", "a/x/y/b/z"},
    {"[[:alpha:]_][!a-z]?\\*", "dir/_0x*"},
    {"**/a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/aaaaaaaaaaaaab"},
};

bool fuzz_seed(unsigned number, struct builder *out) {
    if (number >= sizeof SEEDS / sizeof SEEDS[0]) {
        return false;
    }
    builder_text(out, SEEDS[number][0]);
    builder_u8(out, 0);
    builder_text(out, SEEDS[number][1]);
    return true;
}

static uint8_t lower(uint8_t byte) {
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte - 'A' + 'a') : byte;
}

/* Components with something in them, a single slash between. */
static bool is_resolved(struct slice path) {
    bool at_start = true;
    for (size_t i = 0; i < path.size; i++) {
        if (path.data[i] == '/' && at_start) {
            return false;
        }
        at_start = path.data[i] == '/';
    }
    return !at_start;
}

static void check(const struct glob *exact, const struct glob *folded, struct slice path) {
    uint8_t below[LIMIT_PATH_BYTES + 2];
    uint8_t low[LIMIT_PATH_BYTES];
    memcpy(below, path.data, path.size);
    memcpy(below + path.size, "/x", 2);
    for (size_t i = 0; i < path.size; i++) {
        low[i] = lower(path.data[i]);
    }
    if (glob_match(exact, path, true)) {
        ASSERT(glob_match(exact, slice_of(below, path.size + 2), false));
    }
    if (glob_match(exact, path, false)) {
        ASSERT(glob_match(exact, path, true));
        ASSERT(glob_match(folded, slice_of(low, path.size), false));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *end = size > 0 ? memchr(data, '\0', size) : nullptr;
    struct slice pattern = slice_of(data, end != nullptr ? (size_t)(end - data) : size);
    struct slice path = slice_of(nullptr, 0);
    if (end != nullptr) {
        path = slice_of(end + 1, size - pattern.size - 1);
    }
    struct glob exact = {};
    struct glob folded = {};
    const char *problem = glob_compile(pattern, 0, &exact);
    ASSERT((problem == nullptr) == (glob_compile(pattern, GLOB_FOLD, &folded) == nullptr));
    if (problem != nullptr) {
        ASSERT(exact.memory == nullptr);
        return 0;
    }
    ASSERT(exact.parts[exact.part_count - 1].kind == GLOB_PART_DEEP);
    (void)glob_match(&exact, path, false);
    if (path.size <= LIMIT_PATH_BYTES && is_resolved(path)) {
        check(&exact, &folded, path);
    }
    glob_deinit(&exact);
    glob_deinit(&folded);
    return 0;
}
