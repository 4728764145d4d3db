/* SPDX-License-Identifier: Apache-2.0
 *
 * The values a rule compares with: fields of `match` and `except`.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "codec/units.h"
#include "policy/glob.h"
#include "policy/load_internal.h"
#include "policy/match.h"

enum { PORT_MAX = 65535, DIGEST_CHARACTERS = 64 };

static const char *const field_texts[POLICY_FIELD_COUNT] = {
#define POLICY_FIELD(name, text, kind, meaning) text,
#include "policy_fields.def"
#undef POLICY_FIELD
};

const char *policy_field_text(enum policy_field field) {
    ASSERT(field < POLICY_FIELD_COUNT);
    return field_texts[field];
}

static void check_text(struct policy_loader *loader, const struct yaml_node *node) {
    const char *star = strchr(node->text, '*');
    if (star != nullptr && star[1] != '\0') {
        load_error(loader, node, "A star may stand at the end only, as in \"fs.*\".",
                   "\"%s\" has a star that is not at its end", load_show(node).text);
    }
}

static void check_digest(struct policy_loader *loader, const struct yaml_node *node) {
    static const char prefix[] = "sha256:";
    size_t start = sizeof prefix - 1;
    if (strncmp(node->text, prefix, start) != 0 || node->size != start + DIGEST_CHARACTERS ||
        strspn(node->text + start, "0123456789abcdef") != DIGEST_CHARACTERS) {
        load_error(loader, node, "Write sha256: and 64 lower-case hex digits.",
                   "\"%s\" is no digest", load_show(node).text);
    }
}

/* Names, addresses, and "*." in front of a name. */
static bool is_host(const char *text, size_t size) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    if (size == 1 && text[0] == '*') {
        return true;
    }
    if (size > 2 && text[0] == '*' && text[1] == '.') {
        text += 2;
        size -= 2;
    }
    if (size > 2 && text[0] == '[' && text[size - 1] == ']') {
        return strspn(text + 1, "0123456789abcdefABCDEF:.") == size - 2;
    }
    return size > 0 && strspn(text, letters) >= size;
}

static void check_host(struct policy_loader *loader, const struct yaml_node *node) {
    if (!is_host(node->text, node->size) &&
        strspn(node->text, "0123456789abcdefABCDEF:.") != node->size) {
        load_error(loader, node,
                   "Write a name, an address, or \"*.example.org\" for any name below it.",
                   "\"%s\" is no host", load_show(node).text);
    }
}

static void check_glob(struct policy_loader *loader, const struct yaml_node *node) {
    struct glob glob;
    const char *problem = glob_compile(slice_of(node->text, node->size), 0, &glob);
    if (problem == nullptr) {
        glob_deinit(&glob);
        return;
    }
    load_error(loader, node,
               "A path is written as in a .gitignore file, relative to the workspace.",
               "the path \"%s\" cannot be used: %s", load_show(node).text, problem);
}

static void read_range(struct policy_loader *loader, const struct yaml_node *node,
                       enum policy_field field, struct policy_value *value) {
    const char *name = policy_field_text(field);
    enum units_result result =
        units_parse_range(slice_of(node->text, node->size), &value->low, &value->high);
    if (result != UNITS_OK) {
        load_error(loader, node,
                   field == POLICY_FIELD_PORT
                       ? "Write a number or a range: 80, 8000..8099, 1024.."
                       : "Write bytes, KiB MiB GiB or KB MB GB, or a range: ..100KiB, 1MiB..",
                   "the %s \"%s\" %s", name, load_show(node).text, units_result_text(result));
        return;
    }
    bool open = value->high == UINT64_MAX;
    if (field == POLICY_FIELD_PORT &&
        (value->low > PORT_MAX || (!open && value->high > PORT_MAX))) {
        load_error(loader, node, "A port is at most 65535.", "the port \"%s\" is too large",
                   load_show(node).text);
    }
}

static void check_value(struct policy_loader *loader, const struct yaml_node *node,
                        enum policy_field field, struct policy_value *value) {
    switch (policy_kind_of(field)) {
    case POLICY_KIND_TEXT:
    case POLICY_KIND_TAG:
        if (field == POLICY_FIELD_ARGUMENT_DIGEST) {
            check_digest(loader, node);
        } else {
            check_text(loader, node);
        }
        return;
    case POLICY_KIND_PATH:
        check_glob(loader, node);
        return;
    case POLICY_KIND_HOST:
        check_host(loader, node);
        return;
    case POLICY_KIND_RANGE:
        read_range(loader, node, field, value);
        return;
    }
}

/* A glob has a limit of its own, which is named before the one of any text. */
static bool is_value(struct policy_loader *loader, const struct yaml_node *node,
                     enum policy_field field) {
    if (policy_kind_of(field) == POLICY_KIND_PATH && node->kind == YAML_KIND_SCALAR &&
        node->size > LIMIT_POLICY_GLOB_BYTES) {
        load_limit(loader, node, LIMIT_ID_POLICY_GLOB_BYTES, "this glob has");
        return false;
    }
    if (policy_kind_of(field) == POLICY_KIND_PATH && node->kind == YAML_KIND_SCALAR &&
        node->size > LIMIT_POLICY_TEXT_BYTES) {
        return true;
    }
    return load_is_text(loader, node, policy_field_text(field));
}

static bool excludes(const struct yaml_node *node) {
    return node->kind == YAML_KIND_SCALAR && node->text[0] == '!';
}

/* Only taking out leaves nothing to take it out of. */
static void check_inclusion(struct policy_loader *loader, const struct yaml_node *node,
                            enum policy_field field) {
    const struct yaml_node *item = load_first_item(node);
    if (policy_kind_of(field) != POLICY_KIND_PATH || item == nullptr) {
        return;
    }
    for (const struct yaml_node *at = item; at != nullptr;
         at = node->kind == YAML_KIND_SEQUENCE ? at->next : nullptr) {
        if (!excludes(at)) {
            return;
        }
    }
    load_error(loader, item, "Put \"**\" in front of it to take it out of everything.",
               "this list only takes paths out");
}

static bool start_values(struct policy_loader *loader, const struct yaml_node *node,
                         struct policy_values *ret_values, struct policy_value **ret) {
    size_t count = load_item_count(node);
    if (count > LIMIT_POLICY_VALUES) {
        load_limit(loader, node, LIMIT_ID_POLICY_VALUES, "this list has");
        return false;
    }
    *ret = load_alloc(loader, count, sizeof **ret);
    ret_values->values = *ret;
    ret_values->count = *ret == nullptr ? 0 : count;
    return *ret != nullptr;
}

void load_values(struct policy_loader *loader, const struct yaml_node *node,
                 enum policy_field field, struct policy_values *ret_values) {
    struct policy_value *values = nullptr;
    if (node->kind == YAML_KIND_MAPPING) {
        load_error(loader, node, "Write one value, or a list: [a, b].",
                   "%s must be a text or a list of texts", policy_field_text(field));
        return;
    }
    if (!start_values(loader, node, ret_values, &values)) {
        return;
    }
    const struct yaml_node *item = load_first_item(node);
    for (size_t i = 0; i < ret_values->count && !loader->starved; i++, item = item->next) {
        values[i] = (struct policy_value){
            .text = "", .high = UINT64_MAX, .at = load_position(loader, item)};
        if (is_value(loader, item, field)) {
            values[i].text = load_copy(loader, item);
            check_value(loader, item, field, &values[i]);
        }
    }
    check_inclusion(loader, node, field);
}

/* ret_match and the name it has in messages. */
struct match_target {
    struct policy_match *match;
    const char *what;
};

static enum policy_field field_of(const struct yaml_node *key) {
    unsigned field = 0;
    while (strcmp(field_texts[field], key->text) != 0) {
        field++;
        ASSERT(field < POLICY_FIELD_COUNT);
    }
    return (enum policy_field)field;
}

static void read_field(struct policy_loader *loader, const struct yaml_node *value, void *target) {
    struct match_target *match = target;
    enum policy_field field = field_of(value->key);
    match->match->present |= 1U << field;
    if (value->kind == YAML_KIND_SEQUENCE && value->count == 0) {
        load_warning(loader, (struct policy_place){value->line, value->column},
                     "Take the key out to match every value, or name some.",
                     "an empty list of %s matches nothing", policy_field_text(field));
    }
    load_values(loader, value, field, &match->match->fields[field]);
}

void load_match(struct policy_loader *loader, const struct yaml_node *node, const char *what,
                struct policy_match *ret_match) {
    static const struct load_key keys[] = {
#define POLICY_FIELD(name, text, kind, meaning) {text, read_field},
#include "policy_fields.def"
#undef POLICY_FIELD
        {},
    };
    struct match_target target = {ret_match, what};
    if (load_mapping(loader, node, what, keys, &target) && node->count == 0) {
        load_error(loader, node, "To match everything, write operation: \"*\".",
                   "%s names no field", what);
    }
}
