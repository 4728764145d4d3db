/* SPDX-License-Identifier: Apache-2.0
 *
 * The glob matcher (policy/glob.h) on any compiled form and any path: it ends, and reads nothing
 * that is not there. A single name from the top takes exactly the paths that begin with it.
 */
#include "policy/glob.h"
#include "proof.h"

enum { PARTS_HERE = 3, OPS_HERE = 1, BYTES_HERE = 1, PATH_BYTES_HERE = 2 };

struct slice slice_of(const void *data, size_t size) {
    return (struct slice){data, size};
}

/* What glob_compile() promises of a part; `last` of the last one. */
static bool part_is_sound(const struct glob_part *part, bool last) {
    switch (part->kind) {
    case GLOB_PART_LITERAL:
        return !last && part->first <= BYTES_HERE && part->count <= BYTES_HERE - part->first;
    case GLOB_PART_WILD:
        return !last && part->first <= OPS_HERE && part->count <= OPS_HERE - part->first;
    case GLOB_PART_ANY:
        return !last;
    case GLOB_PART_DEEP:
        return true;
    default:
        return false;
    }
}

static bool takes_by_name(const struct glob *glob, struct slice path) {
    uint32_t size = glob->parts[0].count;
    return path.size > 0 && path.size >= size &&
           memcmp(path.data, glob->bytes + glob->parts[0].first, size) == 0 &&
           (path.size == size || path.data[size] == '/');
}

void proof_glob(void) {
    struct glob_part *parts = (struct glob_part *)any_block(PARTS_HERE * sizeof *parts);
    struct glob_op *ops = (struct glob_op *)any_block(OPS_HERE * sizeof *ops);
    struct glob glob = {.parts = parts,
                        .ops = ops,
                        .classes = (struct glob_class *)any_block(sizeof(struct glob_class)),
                        .bytes = any_block(BYTES_HERE),
                        .part_count = nondet_u32(),
                        .folder_only = nondet_bool()};
    suppose(glob.part_count >= 1 && glob.part_count <= PARTS_HERE);
    for (uint32_t i = 0; i < glob.part_count; i++) {
        suppose(part_is_sound(&parts[i], i == glob.part_count - 1));
    }
    suppose(parts[glob.part_count - 1].kind == GLOB_PART_DEEP);
    for (uint32_t i = 0; i < OPS_HERE; i++) {
        suppose(ops[i].kind <= GLOB_OP_STAR && ops[i].class_index == 0);
    }
    struct slice path = any_bytes(PATH_BYTES_HERE);
    bool matches = glob_match(&glob, path, nondet_bool());
    prove(!matches || path.size > 0);
    bool by_name = glob.part_count == 2 && parts[0].kind == GLOB_PART_LITERAL;
    if (by_name && parts[0].count > 0 && parts[0].size_min == parts[0].count && !glob.folder_only &&
        memchr(glob.bytes, '/', BYTES_HERE) == nullptr) {
        prove(matches == takes_by_name(&glob, path));
    }
}
