/* SPDX-License-Identifier: Apache-2.0
 *
 * A key that stands twice in one mapping. Small mappings, which almost all are, are compared in
 * pairs; larger ones are sorted. No hash table: nobody can choose keys that make it slow.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "codec/yaml_text.h"

enum { KEYS_COMPARED_IN_PAIRS = 8 };

static int compare_keys(const void *left, const void *right) {
    const struct yaml_node *a = *(const struct yaml_node *const *)left;
    const struct yaml_node *b = *(const struct yaml_node *const *)right;
    int order = strcmp(a->text, b->text);
    if (order != 0) {
        return order;
    }
    if (a->line != b->line) {
        return a->line < b->line ? -1 : 1;
    }
    return (a->column > b->column) - (a->column < b->column);
}

static bool stands_before(const struct yaml_node *a, const struct yaml_node *b) {
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

static const struct yaml_node *find_duplicate_in_pairs(const struct yaml_node *mapping) {
    for (const struct yaml_node *late = mapping->first; late != nullptr; late = late->next) {
        for (const struct yaml_node *early = mapping->first; early != late; early = early->next) {
            if (strcmp(early->key->text, late->key->text) == 0) {
                return late->key;
            }
        }
    }
    return nullptr;
}

/* false when memory ran out. */
static bool find_duplicate_sorted(const struct yaml_node *mapping, const struct yaml_node **ret) {
    CLEANUP(memory_freep)
    const struct yaml_node **keys = calloc(mapping->count, sizeof(struct yaml_node *));
    if (keys == nullptr) {
        return false;
    }
    size_t count = 0;
    for (const struct yaml_node *value = mapping->first; value != nullptr; value = value->next) {
        keys[count++] = value->key;
    }
    qsort(keys, count, sizeof keys[0], compare_keys);
    *ret = nullptr;
    for (size_t i = 1; i < count; i++) {
        if (strcmp(keys[i - 1]->text, keys[i]->text) == 0 &&
            (*ret == nullptr || stands_before(keys[i], *ret))) {
            *ret = keys[i];
        }
    }
    return true;
}

bool yaml_keys_find_duplicate(const struct yaml_node *mapping, const struct yaml_node **ret_key) {
    if (mapping->count > KEYS_COMPARED_IN_PAIRS) {
        return find_duplicate_sorted(mapping, ret_key);
    }
    *ret_key = find_duplicate_in_pairs(mapping);
    return true;
}
