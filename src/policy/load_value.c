/* SPDX-License-Identifier: Apache-2.0
 *
 * What every part of the loader reads with: diagnostics, memory, mappings by table, words, names.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "codec/nearest.h"
#include "codec/text.h"
#include "policy/load_internal.h"

enum { KEY_COUNT_MAX = 32 };

void load_error(struct policy_loader *loader, const struct yaml_node *at, const char *hint,
                const char *format, ...) {
    const struct policy_finding finding = {POLICY_SEVERITY_ERROR, {at->line, at->column}, hint};
    va_list arguments;
    va_start(arguments, format);
    policy_diagnostics_add(loader->diagnostics, &finding, format, arguments);
    va_end(arguments);
}

void load_warning(struct policy_loader *loader, struct policy_place at, const char *hint,
                  const char *format, ...) {
    const struct policy_finding finding = {POLICY_SEVERITY_WARNING, at, hint};
    va_list arguments;
    va_start(arguments, format);
    policy_diagnostics_add(loader->diagnostics, &finding, format, arguments);
    va_end(arguments);
}

void load_limit(struct policy_loader *loader, const struct yaml_node *at, enum limit_id id,
                const char *what) {
    limit_hit(id);
    const struct limit_row *row = limit_row(id);
    char hint[256];
    (void)snprintf(hint, sizeof hint, "The limit: %s. See: airlock explain limit", row->reason);
    load_error(loader, at, hint, "%s more than %lld %s", what, (long long)row->value, row->unit);
}

struct load_shown load_show(const struct yaml_node *scalar) {
    struct load_shown shown;
    struct builder out;
    builder_init(&out, 2 * sizeof shown.text);
    text_escape_short(slice_of(scalar->text, scalar->size), 64, &out);
    (void)snprintf(shown.text, sizeof shown.text, "%s", builder_c_string(&out));
    builder_deinit(&out);
    return shown;
}

void *load_alloc(struct policy_loader *loader, size_t count, size_t size) {
    void *memory = arena_array(loader->arena, count, size);
    loader->starved = loader->starved || memory == nullptr;
    return memory;
}

const char *load_copy(struct policy_loader *loader, const struct yaml_node *scalar) {
    const char *copy = arena_text(loader->arena, slice_of(scalar->text, scalar->size));
    loader->starved = loader->starved || copy == nullptr;
    return copy;
}

struct policy_position load_position(const struct policy_loader *loader,
                                     const struct yaml_node *node) {
    return (struct policy_position){loader->file, node->line, node->column};
}

/* "a, b, c" */
static void list_words(const char *const *words, size_t count, struct builder *out) {
    for (size_t i = 0; i < count; i++) {
        builder_format(out, "%s%s", i == 0 ? "" : ", ", words[i]);
    }
}

/* A word that is none of those there are. */
static void refuse_word(struct policy_loader *loader, const struct yaml_node *node,
                        const char *message, const char *const *words, size_t count) {
    const char *nearest = text_nearest(node->text, words, count);
    struct builder hint;
    builder_init(&hint, 512);
    if (nearest != nullptr) {
        builder_format(&hint, "Did you mean \"%s\"?", nearest);
    } else {
        builder_text(&hint, "There is: ");
        list_words(words, count, &hint);
        builder_text(&hint, ".");
    }
    load_error(loader, node, builder_c_string(&hint), "%s", message);
    builder_deinit(&hint);
}

static const struct load_key *find_key(const struct load_key *keys, const char *name) {
    while (keys->name != nullptr && strcmp(keys->name, name) != 0) {
        keys++;
    }
    return keys->name == nullptr ? nullptr : keys;
}

static void refuse_key(struct policy_loader *loader, const struct yaml_node *key, const char *what,
                       const struct load_key *keys) {
    const char *names[KEY_COUNT_MAX];
    size_t count = 0;
    for (; keys[count].name != nullptr; count++) {
        ASSERT(count < KEY_COUNT_MAX);
        names[count] = keys[count].name;
    }
    char message[192];
    (void)snprintf(message, sizeof message, "there is no key \"%s\" in %s", load_show(key).text,
                   what);
    refuse_word(loader, key, message, names, count);
}

bool load_mapping(struct policy_loader *loader, const struct yaml_node *node, const char *what,
                  const struct load_key *keys, void *target) {
    if (node->kind != YAML_KIND_MAPPING) {
        load_error(loader, node, "Write it as key: value, or { key: value, ... }.",
                   "%s must be a mapping of keys", what);
        return false;
    }
    for (const struct yaml_node *value = node->first; value != nullptr; value = value->next) {
        const struct load_key *key = find_key(keys, value->key->text);
        if (key == nullptr) {
            refuse_key(loader, value->key, what, keys);
        } else {
            key->read(loader, value, target);
        }
    }
    return true;
}

bool load_is_text(struct policy_loader *loader, const struct yaml_node *node, const char *what) {
    if (node->kind != YAML_KIND_SCALAR) {
        load_error(loader, node, "Write one value here.", "%s must be a text, not a %s", what,
                   node->kind == YAML_KIND_MAPPING ? "mapping" : "list");
        return false;
    }
    if (yaml_is_null(node) || node->size == 0) {
        load_error(loader, node->key != nullptr ? node->key : node,
                   "Give it a value, or take it out.", "%s has no value", what);
        return false;
    }
    if (node->size > LIMIT_POLICY_TEXT_BYTES) {
        load_limit(loader, node, LIMIT_ID_POLICY_TEXT_BYTES, "this text has");
        return false;
    }
    return true;
}

static bool is_name(const char *text) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return text[strspn(text, letters)] == '\0';
}

const char *load_name(struct policy_loader *loader, const struct yaml_node *node,
                      const char *what) {
    if (!load_is_text(loader, node, what)) {
        return nullptr;
    }
    if (!is_name(node->text)) {
        load_error(loader, node, "A name has letters, digits, dots, dashes and underscores.",
                   "%s \"%s\" is no name", what, load_show(node).text);
        return nullptr;
    }
    if (node->size > LIMIT_POLICY_NAME_BYTES) {
        load_limit(loader, node, LIMIT_ID_POLICY_NAME_BYTES, "this name has");
        return nullptr;
    }
    return load_copy(loader, node);
}

int load_word(struct policy_loader *loader, const struct yaml_node *node, const char *what,
              const char *const *words, size_t count) {
    if (!load_is_text(loader, node, what)) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(node->text, words[i]) == 0) {
            return (int)i;
        }
    }
    char message[192];
    (void)snprintf(message, sizeof message, "there is no %s \"%s\"", what, load_show(node).text);
    refuse_word(loader, node, message, words, count);
    return -1;
}

size_t load_item_count(const struct yaml_node *node) {
    return node->kind == YAML_KIND_SEQUENCE ? node->count : 1;
}

const struct yaml_node *load_first_item(const struct yaml_node *node) {
    return node->kind == YAML_KIND_SEQUENCE ? node->first : node;
}
