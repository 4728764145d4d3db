/* SPDX-License-Identifier: Apache-2.0
 *
 * Globs as gitignore(5) has them, compiled once, matched over bytes.
 *
 *   *.md        no slash: any component at any depth, and with a folder all that is below it
 *   src/main.c  a slash at the start or in the middle: from the top
 *   build/      a slash at the end: folders only (and all that is below them)
 *   a, b        two stars alone between slashes stand for any number of folders; at the end for all
 *               that is inside
 *   ? [a-z] \*  one byte, one of a class ([!...] none of it, [[:alpha:]] too), the byte itself
 *   !tests/     taken out again
 *
 * Different from a .gitignore file: `#` and spaces at the end are bytes like others, and what git
 * lets never match (an open class, a backslash at the end, an empty component) is an error.
 * A pattern takes out whatever order the list has: exclusion beats inclusion (the caller's part).
 *
 * Matching touches no heap, does not recurse, and takes at most about pattern x path steps: within
 * a component, and among components, only the last star is ever tried again.
 */
#pragma once

#include "base/bytes.h"

enum glob_op_kind : uint8_t { GLOB_OP_BYTE, GLOB_OP_ANY, GLOB_OP_CLASS, GLOB_OP_STAR };

struct glob_op {
    enum glob_op_kind kind;
    uint8_t byte;
    uint16_t class_index;
};

struct glob_class {
    uint8_t bits[32]; /* bit b of byte B: the byte 8 * B + b is in */
};

static inline bool glob_class_has(const struct glob_class *set, uint8_t byte) {
    return (set->bits[byte >> 3] >> (byte & 7) & 1) != 0;
}

enum glob_part_kind : uint8_t {
    GLOB_PART_LITERAL, /* the component is these bytes */
    GLOB_PART_WILD,    /* the component matches these ops */
    GLOB_PART_ANY,     /* one component */
    GLOB_PART_DEEP,    /* any number of components */
};

struct glob_part {
    enum glob_part_kind kind;
    uint32_t first, count; /* LITERAL: of bytes; WILD: of ops */
    uint32_t size_min;     /* of a component that can match */
};

/* Immutable once compiled. The last part is always DEEP: below what matches, everything does. */
struct glob {
    const struct glob_part *parts;
    const struct glob_op *ops;
    const struct glob_class *classes;
    const uint8_t *bytes;
    uint32_t part_count;
    bool excludes;    /* began with `!` */
    bool folder_only; /* ended with `/` */
    bool folds;       /* folding changes it: it has an upper-case letter or a class */
    void *memory;     /* owned; what the pointers point into */
};

enum glob_flag : unsigned {
    GLOB_FOLD = 1, /* to be matched against a folded path: ASCII letters lose their case */
};

/* Compiles. Returns nullptr, or what is wrong as a constant text; then ret_glob is untouched.
 * On success the caller owns ret_glob. */
const char *glob_compile(struct slice pattern, unsigned flags, struct glob *ret_glob);
void glob_deinit(struct glob *glob);

/* `path`: resolved, relative, components separated by single slashes, none at either end.
 * An exclusion answers whether its pattern matches; what that means is the caller's to say. */
bool glob_match(const struct glob *glob, struct slice path, bool is_folder);

/* The bytes every component that a WILD part matches ends with; at most `size`, the last ones.
 * Returns how many. For an index. */
size_t glob_part_suffix(const struct glob *glob, const struct glob_part *part, uint8_t *out,
                        size_t size);
