/* SPDX-License-Identifier: Apache-2.0
 *
 * Matching. A component is matched by ops, a path by parts; both walks keep one place to return to,
 * the last star, because whatever an earlier star could still give up, the last one can take. So no
 * pair of a place in the pattern and a place in the path is tried twice for one star.
 */
#include "policy/glob.h"

#include <string.h>

static bool op_matches(const struct glob *glob, const struct glob_op *op, uint8_t byte) {
    switch (op->kind) {
    case GLOB_OP_BYTE:
        return op->byte == byte;
    case GLOB_OP_ANY:
        return true;
    case GLOB_OP_CLASS:
        return glob_class_has(&glob->classes[op->class_index], byte);
    case GLOB_OP_STAR:
        return false; /* taken care of by the walk */
    }
    return false;
}

/* Whether the ops [at, stop) match all of `text`. */
static bool component_matches(const struct glob *glob, const struct glob_part *part,
                              struct slice text) {
    size_t at = part->first;
    size_t stop = at + part->count;
    size_t place = 0;
    size_t star = stop + 1; /* behind the last star seen; past stop: none yet */
    size_t star_place = 0;  /* where what follows that star was last tried */
    while (place < text.size) {
        if (at < stop && glob->ops[at].kind == GLOB_OP_STAR) {
            star = ++at;
            star_place = place;
        } else if (at < stop && op_matches(glob, &glob->ops[at], text.data[place])) {
            at++;
            place++;
        } else if (star == stop) {
            return true; /* the last op is a star */
        } else if (star > stop) {
            return false;
        } else {
            at = star;
            place = ++star_place;
        }
    }
    while (at < stop && glob->ops[at].kind == GLOB_OP_STAR) {
        at++;
    }
    return at == stop;
}

static bool part_matches(const struct glob *glob, const struct glob_part *part, struct slice text) {
    if (text.size < part->size_min) {
        return false;
    }
    switch (part->kind) {
    case GLOB_PART_LITERAL:
        return text.size == part->count &&
               memcmp(glob->bytes + part->first, text.data, text.size) == 0;
    case GLOB_PART_WILD:
        return component_matches(glob, part, text);
    case GLOB_PART_ANY:
        return true;
    case GLOB_PART_DEEP:
        return false; /* taken care of by the walk */
    }
    return false;
}

/* The component that begins at `at`; at most path.size. */
static struct slice component_at(struct slice path, size_t at) {
    size_t end = at;
    while (end < path.size && path.data[end] != '/') {
        end++;
    }
    return slice_of(path.data + at, end - at);
}

/* The path without its last component; empty when it has but one. */
static struct slice folder_of(struct slice path) {
    size_t end = path.size;
    while (end > 0 && path.data[end - 1] != '/') {
        end--;
    }
    return slice_of(path.data, end > 0 ? end - 1 : 0);
}

bool glob_match(const struct glob *glob, struct slice path, bool is_folder) {
    if (glob->folder_only && !is_folder) {
        path = folder_of(path); /* whatever stands above a file is a folder */
    }
    if (path.size == 0) {
        return false;
    }
    size_t at = 0; /* of the component to match next; path.size + 1 when none is left */
    size_t part = 0;
    size_t star = glob->part_count; /* behind the last DEEP seen; part_count: none yet */
    size_t star_at = 0;
    while (part < glob->part_count) {
        if (glob->parts[part].kind == GLOB_PART_DEEP) {
            star = ++part;
            star_at = at;
            continue;
        }
        if (at > path.size) {
            return false; /* a star that gives up less leaves even less for the rest */
        }
        struct slice component = component_at(path, at);
        if (part_matches(glob, &glob->parts[part], component)) {
            part++;
            at += component.size + 1;
        } else if (star == glob->part_count) {
            return false;
        } else {
            star_at += component_at(path, star_at).size + 1;
            at = star_at;
            part = star;
        }
    }
    return true; /* the last part is DEEP: it takes what is left */
}

size_t glob_part_suffix(const struct glob *glob, const struct glob_part *part, uint8_t *out,
                        size_t size) {
    if (part->kind != GLOB_PART_WILD) {
        return 0;
    }
    size_t count = 0;
    while (count < size && count < part->count &&
           glob->ops[part->first + part->count - 1 - count].kind == GLOB_OP_BYTE) {
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = glob->ops[part->first + part->count - count + i].byte;
    }
    return count;
}
