/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules that do not mean what they say. Every rule gets a key: its match in one spelling, then its
 * action, then its excepts. Sorted by key, rules with the same match stand together, and the ones
 * that say the same stand side by side. Nothing is compared in pairs, so 100,000 rules with one
 * match cost a sort.
 *
 * Texts are UTF-8, in which the bytes 0xfe and 0xff never are: they separate.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/load_internal.h"

enum { END_OF_EXCEPT = 0xfe, END_OF_MATCH = 0xff };

struct keyed {
    const struct policy_rule_source *rule;
    const uint8_t *key;
    size_t match_size; /* of the key, with its END_OF_MATCH */
    size_t size;
};

static int compare_texts(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static bool add_values(const struct policy_values *values, struct builder *out) {
    CLEANUP(memory_freep) const char **texts = calloc(values->count + 1, sizeof(char *));
    if (texts == nullptr) {
        return false;
    }
    for (size_t i = 0; i < values->count; i++) {
        texts[i] = values->values[i].text;
    }
    qsort(texts, values->count, sizeof texts[0], compare_texts);
    for (size_t i = 0; i < values->count; i++) {
        if (i == 0 || strcmp(texts[i - 1], texts[i]) != 0) {
            builder_text(out, texts[i]);
            builder_u8(out, '\0');
        }
    }
    return true;
}

/* A match in its one spelling: fields in the order of the table, values sorted, each once. */
static bool add_match(const struct policy_match *match, struct builder *out) {
    bool ok = true;
    for (unsigned field = 0; field < POLICY_FIELD_COUNT && ok; field++) {
        if ((match->present >> field & 1) != 0) {
            builder_u8(out, (uint8_t)(field + 1));
            ok = add_values(&match->fields[field], out);
            builder_u8(out, END_OF_EXCEPT);
        }
    }
    return ok;
}

static struct policy_place place_of(const struct policy_position *at) {
    return (struct policy_place){at->line, at->column};
}

/* Where a match stands: at its first value, else at its rule. */
static struct policy_place place_of_match(const struct policy_match *match,
                                          const struct policy_rule_source *rule) {
    for (unsigned field = 0; field < POLICY_FIELD_COUNT; field++) {
        if (match->fields[field].count > 0) {
            return place_of(&match->fields[field].values[0].at);
        }
    }
    return place_of(&rule->at);
}

/* Appends the key of a rule, and warns of an except that is its match. */
static bool add_key(struct policy_loader *loader, const struct policy_rule_source *rule,
                    struct builder *out, struct keyed *ret) {
    size_t start = out->size;
    bool ok = add_match(&rule->match, out);
    size_t match_size = out->size - start;
    builder_u8(out, END_OF_MATCH);
    builder_u8(out, rule->action);
    for (size_t i = 0; i < rule->except_count && ok; i++) {
        size_t except = out->size;
        ok = add_match(&rule->excepts[i], out) && builder_is_ok(out);
        if (ok && out->size - except == match_size &&
            memcmp(out->data + start, out->data + except, match_size) == 0) {
            load_warning(loader, place_of_match(&rule->excepts[i], rule),
                         "Take the rule out, or make the except narrower.",
                         "this except is the same as the match: the rule \"%.64s\" never triggers",
                         rule->name);
        }
        builder_u8(out, END_OF_MATCH);
    }
    *ret = (struct keyed){rule, nullptr, match_size + 1, out->size - start};
    return ok && builder_is_ok(out);
}

static int compare_keys(const void *left, const void *right) {
    const struct keyed *a = left;
    const struct keyed *b = right;
    int order = slice_compare(slice_of(a->key, a->size), slice_of(b->key, b->size));
    return order != 0 ? order : (a->rule > b->rule) - (a->rule < b->rule);
}

static bool same_match(const struct keyed *a, const struct keyed *b) {
    return a->match_size == b->match_size && memcmp(a->key, b->key, a->match_size) == 0;
}

static bool same_key(const struct keyed *a, const struct keyed *b) {
    return a->size == b->size && memcmp(a->key, b->key, a->size) == 0;
}

/* One group of rules with the same match. */
static void warn_group(struct policy_loader *loader, const struct keyed *group, size_t count) {
    const struct policy_rule_source *denies = nullptr;
    for (size_t i = 0; i < count && denies == nullptr; i++) {
        const struct policy_rule_source *rule = group[i].rule;
        if (rule->action == POLICY_ACTION_DENY && rule->except_count == 0) {
            denies = rule;
        }
    }
    size_t first = 0;
    for (size_t i = 0; i < count; i++) {
        const struct policy_rule_source *rule = group[i].rule;
        if (!same_key(&group[first], &group[i])) {
            first = i;
        }
        if (denies != nullptr && rule->action != POLICY_ACTION_DENY) {
            load_warning(
                loader, place_of(&rule->at), "Take one of the two out; a deny always wins.",
                "the rule \"%.64s\" is never reached: \"%.64s\" on line %u denies the same",
                rule->name, denies->name, denies->at.line);
        } else if (first != i) {
            load_warning(loader, place_of(&rule->at), "Take one of the two out.",
                         "the rule \"%.64s\" is shadowed: \"%.64s\" on line %u says the same",
                         rule->name, group[first].rule->name, group[first].rule->at.line);
        }
    }
}

static void warn_sorted(struct policy_loader *loader, const struct keyed *keyed, size_t count) {
    size_t start = 0;
    while (start < count) {
        size_t end = start + 1;
        while (end < count && same_match(&keyed[start], &keyed[end])) {
            end++;
        }
        warn_group(loader, keyed + start, end - start);
        start = end;
    }
}

void load_warn(struct policy_loader *loader, const struct policy_document *document) {
    size_t count = document->rule_count;
    CLEANUP(builder_deinit) struct builder keys;
    /* A field has three bytes beside its values, and those are in the file. */
    builder_init(&keys, 8 * (size_t)LIMIT_YAML_BYTES);
    CLEANUP(memory_freep) struct keyed *keyed = calloc(count + 1, sizeof *keyed);
    bool ok = keyed != nullptr;
    for (size_t i = 0; i < count && ok; i++) {
        ok = add_key(loader, &document->rules[i], &keys, &keyed[i]);
    }
    if (!ok) {
        loader->starved = true;
        return;
    }
    const uint8_t *at = keys.data;
    for (size_t i = 0; i < count; i++) {
        keyed[i].key = at;
        at += keyed[i].size;
    }
    qsort(keyed, count, sizeof *keyed, compare_keys);
    warn_sorted(loader, keyed, count);
}
