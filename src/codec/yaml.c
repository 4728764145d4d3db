/* SPDX-License-Identifier: Apache-2.0
 *
 * The only file that knows libyaml (docs/adr/0004-libyaml.md). The text is looked over first
 * (yaml_text.c): what libyaml then sees is UTF-8 of printable characters whose lines end in one
 * way, so that its lines are ours. Events become nodes on a stack of bounded depth; nothing
 * recurses.
 *
 * libyaml counts columns in characters, we in bytes, because an excerpt is cut from bytes. A cursor
 * walks along with the events, which come in the order of the text: the whole costs one pass, even
 * when the document is one line of 16 MiB.
 */
#include "codec/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "codec/text.h"
#include "codec/yaml_text.h"

struct yaml_tree {
    struct arena *arena;
    const struct yaml_node *root;
};

/* A container that is still open. */
struct frame {
    struct yaml_node *node;
    struct yaml_node *last;      /* its youngest child */
    const struct yaml_node *key; /* a key that waits for its value */
};

struct reader {
    struct slice text;
    struct yaml_place place; /* walks along with the events */
    struct yaml_fault fault;
    enum error_code code; /* of the fault */
    struct yaml_tree *tree;
    struct frame frames[LIMIT_YAML_DEPTH];
    size_t depth;
    int64_t node_count;
    bool seen_document;
};

void yaml_tree_free(struct yaml_tree *tree) {
    if (tree != nullptr) {
        arena_free(tree->arena);
        free(tree);
    }
}

void yaml_tree_freep(struct yaml_tree **tree) {
    yaml_tree_free(*tree);
    *tree = nullptr;
}

const struct yaml_node *yaml_root(const struct yaml_tree *tree) {
    return tree->root;
}

const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key) {
    if (mapping == nullptr || mapping->kind != YAML_KIND_MAPPING) {
        return nullptr;
    }
    const struct yaml_node *value = mapping->first;
    while (value != nullptr && strcmp(value->key->text, key) != 0) {
        value = value->next;
    }
    return value;
}

bool yaml_is_null(const struct yaml_node *node) {
    return node->kind == YAML_KIND_SCALAR && !node->quoted &&
           (node->size == 0 || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

/* Failure at the reader's place. Always false, for `return refuse(...)`. */
[[gnu::format(printf, 4, 5)]]
static bool refuse(struct reader *reader, enum error_code code, const char *hint,
                   const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    yaml_fault_set(&reader->fault, &reader->place, hint, format, arguments);
    va_end(arguments);
    reader->code = code;
    return false;
}

static bool refuse_memory(struct reader *reader) {
    return refuse(reader, ERROR_NO_MEMORY, "Free some memory and try again.", "memory ran out");
}

static bool refuse_limit(struct reader *reader, enum limit_id id, const char *what) {
    limit_hit(id);
    const struct limit_row *row = limit_row(id);
    return refuse(reader, ERROR_LIMIT, "Split the file; see the limits: airlock explain limit",
                  "%s more than %lld %s", what, (long long)row->value, row->unit);
}

static struct yaml_node *add_node(struct reader *reader, enum yaml_kind kind) {
    if (++reader->node_count > LIMIT_YAML_NODES) {
        (void)refuse_limit(reader, LIMIT_ID_YAML_NODES, "the document has");
        return nullptr;
    }
    struct yaml_node *node = arena_alloc(reader->tree->arena, sizeof *node);
    if (node == nullptr) {
        (void)refuse_memory(reader);
        return nullptr;
    }
    node->kind = kind;
    node->line = reader->place.line;
    node->column = reader->place.column;
    node->text = "";
    return node;
}

/* Puts a node where it belongs: the root, an item, a key or the value of the waiting key. */
static bool place_node(struct reader *reader, struct yaml_node *node) {
    if (reader->depth == 0) {
        reader->tree->root = node;
        return true;
    }
    struct frame *frame = &reader->frames[reader->depth - 1];
    if (frame->node->kind == YAML_KIND_MAPPING && frame->key == nullptr) {
        if (node->kind != YAML_KIND_SCALAR) {
            return refuse(reader, ERROR_BAD_ENCODING, "Write a text in front of the colon.",
                          "a key must be a text");
        }
        frame->key = node;
        return true;
    }
    node->key = TAKE(frame->key);
    if (frame->last == nullptr) {
        frame->node->first = node;
    } else {
        frame->last->next = node;
    }
    frame->last = node;
    frame->node->count++;
    return true;
}

static bool open_container(struct reader *reader, enum yaml_kind kind) {
    if (reader->depth == LIMIT_YAML_DEPTH) {
        return refuse_limit(reader, LIMIT_ID_YAML_DEPTH, "this nests");
    }
    struct yaml_node *node = add_node(reader, kind);
    if (node == nullptr || !place_node(reader, node)) {
        return false;
    }
    reader->frames[reader->depth++] = (struct frame){.node = node};
    return true;
}

static bool add_scalar(struct reader *reader, const yaml_event_t *event) {
    struct slice text = slice_of(event->data.scalar.value, event->data.scalar.length);
    if (text.size > 0 && memchr(text.data, 0, text.size) != nullptr) {
        return refuse(reader, ERROR_BAD_ENCODING, "Take the escape \\0 out of it.",
                      "this text holds a NUL byte");
    }
    if (!text_is_utf8(text)) { /* what "\ud800" makes */
        return refuse(reader, ERROR_BAD_ENCODING,
                      "Write the character itself, or one \\U escape of 8 digits.",
                      "an escape in this text is no character");
    }
    struct yaml_node *node = add_node(reader, YAML_KIND_SCALAR);
    if (node == nullptr) {
        return false;
    }
    node->text = arena_text(reader->tree->arena, text);
    node->size = (uint32_t)text.size;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (node->text == nullptr) {
        return refuse_memory(reader);
    }
    return place_node(reader, node);
}

static bool close_container(struct reader *reader) {
    ASSERT(reader->depth > 0);
    const struct yaml_node *node = reader->frames[--reader->depth].node;
    const struct yaml_node *twice = nullptr;
    if (node->kind != YAML_KIND_MAPPING) {
        return true;
    }
    if (!yaml_keys_find_duplicate(node, &twice)) {
        return refuse_memory(reader);
    }
    if (twice == nullptr) {
        return true;
    }
    reader->place.line = twice->line;
    reader->place.column = twice->column;
    struct builder shown;
    builder_init(&shown, 256);
    text_escape_short(slice_of(twice->text, twice->size), 64, &shown);
    bool ok = refuse(reader, ERROR_BAD_ENCODING, "Remove one of the two, or put both into one.",
                     "the key \"%s\" stands here twice", builder_c_string(&shown));
    builder_deinit(&shown);
    return ok;
}

static bool has_directives(const yaml_event_t *event) {
    return event->data.document_start.version_directive != nullptr ||
           event->data.document_start.tag_directives.start !=
               event->data.document_start.tag_directives.end;
}

static bool start_document(struct reader *reader, const yaml_event_t *event) {
    if (has_directives(event)) {
        return refuse(reader, ERROR_BAD_ENCODING, "Remove the line that begins with %.",
                      "directives are not read here");
    }
    if (reader->seen_document) {
        return refuse(reader, ERROR_BAD_ENCODING, "Put each document into a file of its own.",
                      "a second document begins here");
    }
    reader->seen_document = true;
    return true;
}

static bool check_properties(struct reader *reader, const void *anchor, const void *tag) {
    if (anchor != nullptr) {
        return refuse(reader, ERROR_BAD_ENCODING,
                      "Write the value out where it is used; quote a text that begins with &.",
                      "anchors are not read here");
    }
    if (tag != nullptr) {
        return refuse(reader, ERROR_BAD_ENCODING,
                      "Remove the tag; put a text that begins with ! into quotes.",
                      "tags are not read here");
    }
    return true;
}

static bool take_event(struct reader *reader, const yaml_event_t *event) {
    yaml_place_advance(&reader->place, reader->text, event->start_mark.line,
                       event->start_mark.column);
    switch (event->type) {
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return true;
    case YAML_DOCUMENT_START_EVENT:
        return start_document(reader, event);
    case YAML_ALIAS_EVENT:
        return refuse(reader, ERROR_BAD_ENCODING,
                      "Write the value out; put a text that begins with * into quotes.",
                      "aliases are not read here");
    case YAML_SCALAR_EVENT:
        return check_properties(reader, event->data.scalar.anchor, event->data.scalar.tag) &&
               add_scalar(reader, event);
    case YAML_SEQUENCE_START_EVENT:
        return check_properties(reader, event->data.sequence_start.anchor,
                                event->data.sequence_start.tag) &&
               open_container(reader, YAML_KIND_SEQUENCE);
    case YAML_MAPPING_START_EVENT:
        return check_properties(reader, event->data.mapping_start.anchor,
                                event->data.mapping_start.tag) &&
               open_container(reader, YAML_KIND_MAPPING);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return close_container(reader);
    }
    return false;
}

/* What libyaml could not read. Its message is a constant of its own. */
static bool refuse_syntax(struct reader *reader, const yaml_parser_t *parser) {
    if (parser->error == YAML_MEMORY_ERROR) {
        return refuse_memory(reader);
    }
    reader->place = yaml_place_first();
    yaml_place_advance(&reader->place, reader->text, parser->problem_mark.line,
                       parser->problem_mark.column);
    const char *hint = yaml_syntax_hint(reader->text, &reader->place);
    const char *problem = parser->problem != nullptr ? parser->problem : "the text breaks off";
    return refuse(reader, ERROR_BAD_ENCODING, hint, "this is not YAML: %s%s%s", problem,
                  parser->context != nullptr ? ", " : "",
                  parser->context != nullptr ? parser->context : "");
}

static bool read_events(struct reader *reader, yaml_parser_t *parser) {
    bool ok = true;
    bool done = false;
    while (ok && !done) {
        yaml_event_t event;
        if (yaml_parser_parse(parser, &event) == 0) {
            return refuse_syntax(reader, parser);
        }
        ok = take_event(reader, &event);
        done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    return ok;
}

static bool read_document(struct reader *reader) {
    if (reader->text.size > LIMIT_YAML_BYTES) {
        return refuse_limit(reader, LIMIT_ID_YAML_BYTES, "the document has");
    }
    if (!yaml_text_check(reader->text, &reader->fault)) {
        reader->code = ERROR_BAD_ENCODING;
        return false;
    }
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0) {
        return refuse_memory(reader);
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    const uint8_t *data = reader->text.size > 0 ? reader->text.data : (const uint8_t *)"";
    yaml_parser_set_input_string(&parser, data, reader->text.size);
    bool ok = read_events(reader, &parser);
    yaml_parser_delete(&parser);
    return ok;
}

status_t yaml_parse(struct slice text, const char *file, struct yaml_fault *ret_fault,
                    struct yaml_tree **ret, struct error *err) {
    ASSERT(file != nullptr && ret != nullptr);
    CLEANUP(yaml_tree_freep) struct yaml_tree *tree = calloc(1, sizeof *tree);
    struct reader reader = {.text = text, .place = yaml_place_first(), .tree = tree};
    /* A node and its text in the smallest pieces, and every byte of the document once more. */
    size_t bytes_max =
        (size_t)LIMIT_YAML_NODES * (sizeof(struct yaml_node) + 32) + 2 * (size_t)LIMIT_YAML_BYTES;
    if (tree == nullptr || (tree->arena = arena_new(bytes_max)) == nullptr) {
        (void)refuse_memory(&reader);
    } else if (read_document(&reader)) {
        ASSERT(reader.depth == 0);
        if (tree->root != nullptr && yaml_is_null(tree->root)) {
            tree->root = nullptr;
        }
        *ret = TAKE(tree);
        return STATUS_OK;
    }
    if (ret_fault != nullptr) {
        *ret_fault = reader.fault;
    }
    status_t status = error_set(err, reader.code, 0, "%s:%u:%u: %s", file, reader.fault.line,
                                reader.fault.column, reader.fault.message);
    error_hint(err, "%s", reader.fault.hint);
    return status;
}
