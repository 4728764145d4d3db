/* SPDX-License-Identifier: Apache-2.0
 *
 * The tree. How a table came to be decides what may be added to it later (TOML 1.0, "Table"): one
 * with a header of its own is not opened again, one that dotted keys made is closed to headers, an
 * inline one to everything, and one that only stood in the path of a header may still get its own.
 */
#include "enclave/toml.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "codec/text.h"
#include "enclave/toml_reader.h"

enum origin : uint8_t {
    ORIGIN_VALUE,    /* no table, or an inline one, or a plain array */
    ORIGIN_HEADER,   /* [a.b] */
    ORIGIN_ON_WAY,   /* the a of [a.b] */
    ORIGIN_DOTS,     /* the a of a.b = 1 */
    ORIGIN_ELEMENTS, /* [[a]] */
};

enum { DEPTH_MAX = 16, ARENA_FACTOR = 32 };

struct toml_tree {
    struct arena *arena;
    struct toml_value root;
};

struct builder_of_tree {
    struct toml_reader reader;
    uint32_t nodes;
};

static struct toml_value *member_of(const struct toml_value *table, const char *key) {
    for (struct toml_value *at = table->first; at != nullptr; at = at->next) {
        if (strcmp(at->key, key) == 0) {
            return at;
        }
    }
    return nullptr;
}

/* A new last member or item; nullptr after noting why not. */
static struct toml_value *add(struct builder_of_tree *build, struct toml_value *parent,
                              const struct toml_value *model) {
    struct toml_value *value = arena_alloc(build->reader.arena, sizeof *value);
    if (value == nullptr || ++build->nodes > LIMIT_MANIFEST_NODES) {
        limit_hit(LIMIT_ID_MANIFEST_NODES);
        (void)toml_fail(&build->reader, "there is more in it than a manifest may hold");
        return nullptr;
    }
    *value = *model;
    *(parent->last == nullptr ? &parent->first : &parent->last->next) = value;
    parent->last = value;
    parent->count++;
    return value;
}

static bool read_value(struct builder_of_tree *build, struct toml_value *ret_value, unsigned depth);

static bool read_array(struct builder_of_tree *build, struct toml_value *array, unsigned depth) {
    struct toml_reader *reader = &build->reader;
    array->kind = TOML_ARRAY;
    while (toml_skip_lines(reader) && !toml_take(reader, ']')) {
        struct toml_value item = {.line = reader->line, .column = toml_column(reader)};
        if (!read_value(build, &item, depth + 1) || add(build, array, &item) == nullptr ||
            !toml_skip_lines(reader)) {
            return false;
        }
        if (!toml_take(reader, ',') && toml_peek(reader) != ']') {
            return toml_fail(reader, "a comma or ] is expected here");
        }
    }
    return !reader->failed;
}

static bool read_pair(struct builder_of_tree *build, struct toml_value *table, unsigned depth);

static bool read_inline(struct builder_of_tree *build, struct toml_value *table, unsigned depth) {
    struct toml_reader *reader = &build->reader;
    table->kind = TOML_TABLE;
    toml_skip_blanks(reader);
    if (toml_take(reader, '}')) {
        return true;
    }
    do {
        toml_skip_blanks(reader);
        if (!read_pair(build, table, depth + 1)) {
            return false;
        }
        toml_skip_blanks(reader);
    } while (toml_take(reader, ','));
    return toml_take(reader, '}') ||
           toml_fail(reader, "a comma or } is expected here, on the same line");
}

/* Everything below an inline table is closed with it. */
static void close_table(struct toml_value *table) {
    for (struct toml_value *at = table->first; at != nullptr; at = at->next) {
        if (at->origin == ORIGIN_DOTS) {
            at->origin = ORIGIN_VALUE;
            close_table(at); /* as deep as one key has parts */
        }
    }
}

static bool read_value(struct builder_of_tree *build, struct toml_value *ret_value,
                       unsigned depth) {
    struct toml_reader *reader = &build->reader;
    char first = toml_peek(reader);
    if (depth > DEPTH_MAX) {
        return toml_fail(reader, "more than %d levels", DEPTH_MAX);
    }
    if (first == '"' || first == '\'') {
        ret_value->kind = TOML_TEXT;
        return toml_read_text(reader, &ret_value->text);
    }
    if (toml_take(reader, '[')) {
        return read_array(build, ret_value, depth);
    }
    if (toml_take(reader, '{')) {
        bool is_read = read_inline(build, ret_value, depth);
        close_table(ret_value);
        return is_read;
    }
    return toml_read_word(reader, ret_value);
}

struct path {
    const char *parts[DEPTH_MAX];
    unsigned count;
    uint32_t line, column;
};

static bool read_path(struct toml_reader *reader, struct path *ret_path) {
    *ret_path = (struct path){.line = reader->line, .column = toml_column(reader)};
    do {
        if (ret_path->count == DEPTH_MAX) {
            return toml_fail(reader, "a key of more than %d parts", DEPTH_MAX);
        }
        toml_skip_blanks(reader);
        if (!toml_read_key(reader, &ret_path->parts[ret_path->count++])) {
            return false;
        }
        toml_skip_blanks(reader);
    } while (toml_take(reader, '.'));
    return true;
}

static struct toml_value *add_table(struct builder_of_tree *build, struct toml_value *parent,
                                    const struct path *path, unsigned part, enum origin origin) {
    const struct toml_value model = {
        .kind = TOML_TABLE,
        .origin = origin,
        .key = path->parts[part],
        .line = path->line,
        .column = path->column,
    };
    return add(build, parent, &model);
}

static bool read_pair(struct builder_of_tree *build, struct toml_value *table, unsigned depth) {
    struct toml_reader *reader = &build->reader;
    struct path path;
    if (!read_path(reader, &path)) {
        return false;
    }
    for (unsigned i = 0; i + 1 < path.count; i++) {
        struct toml_value *next = member_of(table, path.parts[i]);
        if (next != nullptr && next->origin != ORIGIN_DOTS) {
            return toml_fail(reader, "'%s' is something else already, since line %u", path.parts[i],
                             next->line);
        }
        table = next != nullptr ? next : add_table(build, table, &path, i, ORIGIN_DOTS);
        if (table == nullptr) {
            return false;
        }
    }
    const char *key = path.parts[path.count - 1];
    const struct toml_value *same = member_of(table, key);
    if (same != nullptr) {
        return toml_fail(reader, "'%s' stands twice, first in line %u", key, same->line);
    }
    if (!toml_take(reader, '=')) {
        return toml_fail(reader, "= is expected here");
    }
    toml_skip_blanks(reader);
    struct toml_value value = {.key = key, .line = path.line, .column = path.column};
    return read_value(build, &value, depth) && add(build, table, &value) != nullptr;
}

/* The table that the last part of a header stands in. */
static struct toml_value *walk_header(struct builder_of_tree *build, struct toml_value *root,
                                      const struct path *path) {
    struct toml_value *table = root;
    for (unsigned i = 0; i + 1 < path->count && table != nullptr; i++) {
        struct toml_value *next = member_of(table, path->parts[i]);
        if (next == nullptr) {
            table = add_table(build, table, path, i, ORIGIN_ON_WAY);
        } else if (next->origin == ORIGIN_ELEMENTS) {
            table = next->last;
        } else if (next->kind == TOML_TABLE && next->origin != ORIGIN_VALUE) {
            table = next;
        } else {
            (void)toml_fail(&build->reader, "'%s' is something else already, since line %u",
                            path->parts[i], next->line);
            table = nullptr;
        }
    }
    return table;
}

static struct toml_value *open_table(struct builder_of_tree *build, struct toml_value *parent,
                                     const struct path *path) {
    struct toml_value *same = member_of(parent, path->parts[path->count - 1]);
    if (same == nullptr) {
        return add_table(build, parent, path, path->count - 1, ORIGIN_HEADER);
    }
    if (same->origin == ORIGIN_ON_WAY) {
        same->origin = ORIGIN_HEADER;
        return same;
    }
    (void)toml_fail(&build->reader, "'%s' stands twice, first in line %u", same->key, same->line);
    return nullptr;
}

static struct toml_value *open_element(struct builder_of_tree *build, struct toml_value *parent,
                                       const struct path *path) {
    const char *key = path->parts[path->count - 1];
    struct toml_value *array = member_of(parent, key);
    const struct toml_value model = {
        .kind = TOML_ARRAY,
        .origin = ORIGIN_ELEMENTS,
        .key = key,
        .line = path->line,
        .column = path->column,
    };
    const struct toml_value element = {
        .kind = TOML_TABLE,
        .origin = ORIGIN_HEADER,
        .line = path->line,
        .column = path->column,
    };
    if (array == nullptr) {
        array = add(build, parent, &model);
    } else if (array->origin != ORIGIN_ELEMENTS) {
        (void)toml_fail(&build->reader, "'%s' is something else already, since line %u", key,
                        array->line);
        return nullptr;
    }
    return array == nullptr ? nullptr : add(build, array, &element);
}

/* [a.b] or [[a.b]]; nullptr after noting why not. */
static struct toml_value *read_header(struct builder_of_tree *build, struct toml_value *root) {
    struct toml_reader *reader = &build->reader;
    struct path path;
    bool is_element = toml_take(reader, '[');
    if (!read_path(reader, &path)) {
        return nullptr;
    }
    if (!toml_take(reader, ']') || (is_element && !toml_take(reader, ']'))) {
        (void)toml_fail(reader, "%s is expected here", is_element ? "]]" : "]");
        return nullptr;
    }
    struct toml_value *parent = walk_header(build, root, &path);
    if (parent == nullptr) {
        return nullptr;
    }
    return is_element ? open_element(build, parent, &path) : open_table(build, parent, &path);
}

static bool read_document(struct builder_of_tree *build, struct toml_value *root) {
    struct toml_reader *reader = &build->reader;
    struct toml_value *table = root;
    while (toml_skip_lines(reader) && reader->at < reader->size) {
        if (toml_take(reader, '[')) {
            table = read_header(build, root);
        } else if (!read_pair(build, table, 1)) {
            table = nullptr;
        }
        if (table == nullptr || !toml_end_line(reader)) {
            return false;
        }
    }
    return !reader->failed;
}

static status_t refuse(const struct toml_fault *fault, const char *file, struct error *err) {
    return error_set(err, ERROR_MANIFEST, 0, "%s:%u:%u: %s", file, fault->line, fault->column,
                     fault->message);
}

status_t toml_parse(struct slice text, const char *file, struct toml_fault *ret_fault,
                    struct toml_tree **ret_tree, struct error *err) {
    struct toml_fault fault = {.line = 1, .column = 1};
    struct toml_fault *noted = ret_fault != nullptr ? ret_fault : &fault;
    *noted = fault;
    if (text.size > LIMIT_MANIFEST_BYTES) {
        limit_hit(LIMIT_ID_MANIFEST_BYTES);
        (void)snprintf(noted->message, sizeof noted->message, "it is too long for a manifest");
        return error_set(err, ERROR_LIMIT, 0, "%s is too long for a manifest", file);
    }
    if (!text_is_utf8(text) || (text.size > 0 && memchr(text.data, '\0', text.size) != nullptr)) {
        (void)snprintf(noted->message, sizeof noted->message, "it is not UTF-8 text");
        return refuse(noted, file, err);
    }
    CLEANUP(toml_tree_freep) struct toml_tree *tree = calloc(1, sizeof *tree);
    if (tree != nullptr) {
        tree->root.origin = ORIGIN_HEADER;
        tree->arena = arena_new((size_t)LIMIT_MANIFEST_BYTES * ARENA_FACTOR);
    }
    if (tree == nullptr || tree->arena == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "no memory to read %s", file);
    }
    struct builder_of_tree build = {
        .reader = {.text = (const char *)text.data,
                   .size = text.size,
                   .line = 1,
                   .arena = tree->arena,
                   .fault = noted},
    };
    if (!read_document(&build, &tree->root)) {
        return refuse(noted, file, err);
    }
    *ret_tree = TAKE(tree);
    return STATUS_OK;
}

void toml_tree_free(struct toml_tree *tree) {
    if (tree != nullptr) {
        arena_free(tree->arena);
        free(tree);
    }
}

void toml_tree_freep(struct toml_tree **tree) {
    toml_tree_free(*tree);
    *tree = nullptr;
}

const struct toml_value *toml_root(const struct toml_tree *tree) {
    return &tree->root;
}

const struct toml_value *toml_get(const struct toml_value *table, const char *key) {
    return table != nullptr && table->kind == TOML_TABLE ? member_of(table, key) : nullptr;
}

const struct toml_value *toml_find(const struct toml_value *root, const char *path) {
    char part[64];
    while (root != nullptr) {
        size_t size = strcspn(path, ".");
        if (size >= sizeof part) {
            return nullptr;
        }
        memcpy(part, path, size);
        part[size] = '\0';
        root = toml_get(root, part);
        if (path[size] == '\0') {
            break;
        }
        path += size + 1;
    }
    return root;
}

const char *toml_find_text(const struct toml_value *root, const char *path) {
    const struct toml_value *value = toml_find(root, path);
    return value != nullptr && value->kind == TOML_TEXT ? value->text : nullptr;
}

bool toml_find_true(const struct toml_value *root, const char *path) {
    const struct toml_value *value = toml_find(root, path);
    return value != nullptr && value->kind == TOML_BOOL && value->integer == 1;
}

const char *toml_kind_text(enum toml_kind kind) {
    static const char *const TEXTS[] = {
        [TOML_TABLE] = "a table",          [TOML_ARRAY] = "an array",     [TOML_TEXT] = "a text",
        [TOML_INTEGER] = "a whole number", [TOML_BOOL] = "true or false",
    };
    return TEXTS[kind];
}
