/* SPDX-License-Identifier: Apache-2.0
 *
 * A pattern is read twice by the same parser: once to check and count, once to write into one block
 * of memory of just that size.
 */
#include "policy/glob.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"

/* The reader of a pattern. Arrays are nullptr in the first pass. */
struct parser {
    const uint8_t *text;
    size_t size, at;
    bool fold;
    bool folds;
    const char *problem;
    struct glob_part *parts;
    struct glob_op *ops;
    struct glob_class *classes;
    uint8_t *bytes;
    uint32_t part_count, op_count, class_count, byte_count;
};

static uint8_t lower(uint8_t byte) {
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte - 'A' + 'a') : byte;
}

static void class_add(struct glob_class *set, uint8_t first, uint8_t last) {
    for (unsigned byte = first; byte <= last; byte++) {
        set->bits[byte >> 3] |= (uint8_t)(1U << (byte & 7));
    }
}

struct named_class {
    const char *name;
    uint8_t ranges[4][2]; /* a range of 0..0 ends them, but for the first */
};

static const struct named_class named_classes[] = {
    {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
    {"alpha", {{'A', 'Z'}, {'a', 'z'}}},
    {"blank", {{' ', ' '}, {'\t', '\t'}}},
    {"cntrl", {{0, 31}, {127, 127}}},
    {"digit", {{'0', '9'}}},
    {"graph", {{33, 126}}},
    {"lower", {{'a', 'z'}}},
    {"print", {{32, 126}}},
    {"punct", {{33, 47}, {58, 64}, {91, 96}, {123, 126}}},
    {"space", {{'\t', '\r'}, {' ', ' '}}},
    {"upper", {{'A', 'Z'}}},
    {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
};

static void named_add(const struct named_class *named, struct glob_class *set) {
    for (size_t i = 0; i < 4; i++) {
        if (i > 0 && named->ranges[i][1] == 0) {
            return;
        }
        class_add(set, named->ranges[i][0], named->ranges[i][1]);
    }
}

/* At "[:" inside a class. */
static void parse_named(struct parser *parser, struct glob_class *set) {
    size_t start = parser->at + 2;
    size_t end = start;
    while (end < parser->size && parser->text[end] != ':') {
        end++;
    }
    if (end + 1 >= parser->size || parser->text[end + 1] != ']') {
        parser->problem = "[: opens a named class that :] does not close";
        return;
    }
    for (size_t i = 0; i < sizeof named_classes / sizeof named_classes[0]; i++) {
        const char *name = named_classes[i].name;
        if (strlen(name) == end - start && memcmp(name, parser->text + start, end - start) == 0) {
            named_add(&named_classes[i], set);
            parser->at = end + 2;
            return;
        }
    }
    parser->problem = "no named class is called that; there are alnum alpha blank cntrl digit "
                      "graph lower print punct space upper xdigit";
}

/* One byte of a class, its backslash taken off. */
static uint8_t parse_class_byte(struct parser *parser) {
    if (parser->at < parser->size && parser->text[parser->at] == '\\') {
        parser->at++;
    }
    if (parser->at == parser->size) {
        parser->problem = "[ opens a class that ] does not close";
        return 0;
    }
    uint8_t byte = parser->text[parser->at++];
    if (byte == '/') {
        parser->problem = "a class holds a slash, but it stands for one byte of one name";
    }
    return byte;
}

/* One member of a class: a named class, a byte or a range. */
static void parse_class_member(struct parser *parser, struct glob_class *set) {
    const uint8_t *text = parser->text;
    if (parser->at + 1 < parser->size && text[parser->at] == '[' && text[parser->at + 1] == ':') {
        parse_named(parser, set);
        return;
    }
    uint8_t first = parse_class_byte(parser);
    uint8_t last = first;
    if (parser->at + 1 < parser->size && text[parser->at] == '-' && text[parser->at + 1] != ']') {
        parser->at++;
        last = parse_class_byte(parser);
    }
    class_add(set, first, last);
}

static void class_fold(struct glob_class *set) {
    for (unsigned byte = 'A'; byte <= 'Z'; byte++) {
        if (glob_class_has(set, (uint8_t)byte)) {
            class_add(set, lower((uint8_t)byte), lower((uint8_t)byte));
        }
    }
}

static void emit_op(struct parser *parser, struct glob_op op) {
    if (parser->ops != nullptr) {
        parser->ops[parser->op_count] = op;
    }
    parser->op_count++;
}

/* Behind the opening bracket. */
static void parse_class(struct parser *parser) {
    struct glob_class set = {};
    parser->folds = true;
    bool negated = parser->at < parser->size &&
                   (parser->text[parser->at] == '!' || parser->text[parser->at] == '^');
    parser->at += negated ? 1 : 0;
    bool first = true;
    while (parser->problem == nullptr) {
        if (parser->at == parser->size) {
            parser->problem = "[ opens a class that ] does not close";
            return;
        }
        if (parser->text[parser->at] == ']' && !first) {
            break;
        }
        parse_class_member(parser, &set);
        first = false;
    }
    parser->at++;
    if (negated) {
        for (size_t i = 0; i < sizeof set.bits; i++) {
            set.bits[i] = (uint8_t)~set.bits[i];
        }
    }
    if (parser->fold) {
        class_fold(&set);
    }
    if (parser->classes != nullptr) {
        parser->classes[parser->class_count] = set;
    }
    emit_op(parser, (struct glob_op){GLOB_OP_CLASS, 0, (uint16_t)parser->class_count});
    parser->class_count++;
}

/* One op: a byte, `?`, a star (several in a row are one) or a class. */
static void parse_op(struct parser *parser) {
    uint8_t byte = parser->text[parser->at++];
    if (byte == '*') {
        while (parser->at < parser->size && parser->text[parser->at] == '*') {
            parser->at++;
        }
        emit_op(parser, (struct glob_op){.kind = GLOB_OP_STAR});
        return;
    }
    if (byte == '?') {
        emit_op(parser, (struct glob_op){.kind = GLOB_OP_ANY});
        return;
    }
    if (byte == '[') {
        parse_class(parser);
        return;
    }
    if (byte == '\\') {
        if (parser->at == parser->size || parser->text[parser->at] == '/') {
            parser->problem = "a backslash with nothing to escape";
            return;
        }
        byte = parser->text[parser->at++];
    }
    if (byte == '\0') {
        parser->problem = "a NUL byte, which no path holds";
        return;
    }
    parser->folds = parser->folds || lower(byte) != byte;
    emit_op(parser,
            (struct glob_op){.kind = GLOB_OP_BYTE, .byte = parser->fold ? lower(byte) : byte});
}

static void emit_part(struct parser *parser, struct glob_part part) {
    if (parser->parts != nullptr) {
        parser->parts[parser->part_count] = part;
    }
    parser->part_count++;
}

/* Ops that are all bytes become a literal: compared at once, and a key for the index. */
static bool emit_literal(struct parser *parser, uint32_t first_op, uint32_t op_count) {
    if (parser->ops == nullptr) {
        parser->byte_count += op_count; /* room, should it be one */
        return false;
    }
    for (uint32_t i = 0; i < op_count; i++) {
        if (parser->ops[first_op + i].kind != GLOB_OP_BYTE) {
            return false;
        }
    }
    for (uint32_t i = 0; i < op_count; i++) {
        parser->bytes[parser->byte_count + i] = parser->ops[first_op + i].byte;
    }
    emit_part(parser,
              (struct glob_part){GLOB_PART_LITERAL, parser->byte_count, op_count, op_count});
    parser->byte_count += op_count;
    return true;
}

static bool is_dots(const uint8_t *text, size_t size) {
    return (size == 1 && text[0] == '.') || (size == 2 && text[0] == '.' && text[1] == '.');
}

/* One component of the pattern that holds something to match, up to a slash or the end. */
static void parse_component(struct parser *parser) {
    size_t start = parser->at;
    uint32_t first_op = parser->op_count;
    uint32_t stars = 0;
    while (parser->problem == nullptr && parser->at < parser->size &&
           parser->text[parser->at] != '/') {
        stars += parser->text[parser->at] == '*' ? 1 : 0;
        parse_op(parser);
    }
    if (parser->problem != nullptr) {
        return;
    }
    if (parser->at == start) {
        parser->problem = "an empty component, which no path has";
    } else if (is_dots(parser->text + start, parser->at - start)) {
        parser->problem = "a component . or .., which no resolved path has";
    }
    uint32_t count = parser->op_count - first_op;
    if (!emit_literal(parser, first_op, count)) {
        emit_part(parser, (struct glob_part){GLOB_PART_WILD, first_op, count, count - stars});
    }
}

/* Length of a run of two stars or more that is all there is between slashes; 0 when it is not. */
static size_t deep_length(const struct parser *parser) {
    size_t end = parser->at;
    while (end < parser->size && parser->text[end] == '*') {
        end++;
    }
    bool alone = end == parser->size || parser->text[end] == '/';
    return alone && end - parser->at >= 2 ? end - parser->at : 0;
}

static void parse_anchored(struct parser *parser) {
    bool last_is_deep = false;
    for (;;) {
        size_t deep = deep_length(parser);
        parser->at += deep;
        bool last = deep > 0 && parser->at == parser->size;
        if (last) {
            emit_part(parser, (struct glob_part){.kind = GLOB_PART_ANY, .size_min = 0});
        }
        if (deep > 0) {
            emit_part(parser, (struct glob_part){.kind = GLOB_PART_DEEP});
        } else {
            parse_component(parser);
        }
        last_is_deep = deep > 0;
        if (parser->problem != nullptr || parser->at == parser->size) {
            break;
        }
        parser->at++; /* the slash */
    }
    if (!last_is_deep) {
        emit_part(parser, (struct glob_part){.kind = GLOB_PART_DEEP});
    }
}

/* Reads the pattern without its `!` and its last slash. */
static void parse(struct parser *parser) {
    if (memchr(parser->text, '/', parser->size) != nullptr) {
        parser->at += parser->text[0] == '/' ? 1 : 0;
        parse_anchored(parser);
        return;
    }
    emit_part(parser, (struct glob_part){.kind = GLOB_PART_DEEP});
    parse_component(parser);
    emit_part(parser, (struct glob_part){.kind = GLOB_PART_DEEP});
}

/* Room for what the first pass counted, in one block that the glob owns. Widest first, so that
 * every array is aligned. */
static void parser_allocate(struct parser *parser, struct glob *glob) {
    size_t parts = parser->part_count * sizeof *parser->parts;
    size_t ops = parser->op_count * sizeof *parser->ops;
    size_t classes = parser->class_count * sizeof *parser->classes;
    uint8_t *block = malloc(parts + ops + classes + parser->byte_count);
    ASSERT(block != nullptr);
    glob->memory = block;
    parser->parts = (struct glob_part *)block;
    parser->ops = (struct glob_op *)(block + parts);
    parser->classes = (struct glob_class *)(block + parts + ops);
    parser->bytes = block + parts + ops + classes;
}

const char *glob_compile(struct slice pattern, unsigned flags, struct glob *ret_glob) {
    ASSERT(ret_glob != nullptr);
    struct glob glob = {};
    if (pattern.size > LIMIT_POLICY_GLOB_BYTES) {
        limit_hit(LIMIT_ID_POLICY_GLOB_BYTES);
        return "it is longer than any path can be";
    }
    if (pattern.size > 0 && pattern.data[0] == '!') {
        glob.excludes = true;
        pattern = slice_of(pattern.data + 1, pattern.size - 1);
    }
    bool rooted = pattern.size > 1 && pattern.data[0] == '/';
    if (pattern.size > 1 && pattern.data[pattern.size - 1] == '/') {
        glob.folder_only = true;
        pattern.size--;
    }
    if (pattern.size == 0 || (pattern.size == 1 && (rooted || pattern.data[0] == '/'))) {
        return "it names nothing";
    }
    struct parser parser = {
        .text = pattern.data, .size = pattern.size, .fold = (flags & GLOB_FOLD) != 0};
    parse(&parser);
    if (parser.problem != nullptr) {
        return parser.problem;
    }
    glob.folds = parser.folds;
    parser_allocate(&parser, &glob);
    parser.at = parser.part_count = parser.op_count = parser.class_count = parser.byte_count = 0;
    parse(&parser);
    ASSERT(parser.problem == nullptr);
    glob.parts = parser.parts;
    glob.ops = parser.ops;
    glob.classes = parser.classes;
    glob.bytes = parser.bytes;
    glob.part_count = parser.part_count;
    *ret_glob = glob;
    return nullptr;
}

void glob_deinit(struct glob *glob) {
    free(glob->memory);
    *glob = (struct glob){};
}
