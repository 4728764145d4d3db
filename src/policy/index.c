/* SPDX-License-Identifier: Apache-2.0
 *
 * From a request to the few rules worth a look. A hash table leads from an operation to a bucket of
 * entries; rules for operations that are not named one by one (`fs.*`, `*`, none at all) are in a
 * bucket of their own that every request walks too. Each entry has a mask of what a request must
 * have (fields, and two hashed bits for each text it must hold), so that walking a thousand entries
 * that do not apply costs about a nanosecond each. A mask may let too much through, never too
 * little; what it lets through is matched in full.
 *
 * A rule that names several paths has an entry for each, side by side, so that each can ask for its
 * own text; the walk looks at a rule once.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "policy/match.h"

enum { SPREAD_MAX = 16 }; /* values that get an entry each; a longer list shares one */

/* An operation that a rule names. */
struct naming {
    struct slice operation;
    uint32_t rule;
};

static void *array(size_t count, size_t size) {
    void *memory = calloc(count > 0 ? count : 1, size);
    ASSERT(memory != nullptr);
    return memory;
}

static const struct policy_test *find_test(const struct policy_rules *rules, uint32_t rule,
                                           enum policy_field field) {
    const struct policy_condition *condition = &rules->conditions[rules->rules[rule].condition];
    for (uint32_t i = 0; i < condition->count; i++) {
        if (rules->tests[condition->first + i].field == field) {
            return &rules->tests[condition->first + i];
        }
    }
    return nullptr;
}

/* The operations of a rule when all are named one by one; nullptr when it is a general rule. */
static const struct policy_test *find_named(const struct policy_rules *rules, uint32_t rule) {
    const struct policy_test *test = find_test(rules, rule, POLICY_FIELD_OPERATION);
    for (uint32_t i = 0; test != nullptr && i < test->count; i++) {
        if (rules->patterns[test->first + i].open) {
            return nullptr;
        }
    }
    return test;
}

/* The bits that a literal component, or the end of one, asks for. */
static void add_part(struct policy_mask *mask, const struct glob *glob, uint32_t number) {
    const struct glob_part *part = &glob->parts[number];
    if (part->kind == GLOB_PART_LITERAL) {
        struct slice text = slice_of(glob->bytes + part->first, part->count);
        policy_mask_add_text(mask, number == 0 ? POLICY_MASK_FIRST : POLICY_MASK_COMPONENT, text);
        return;
    }
    uint8_t suffix[64];
    size_t size = glob_part_suffix(glob, part, suffix, sizeof suffix);
    const uint8_t *dot = size > 0 ? memrchr(suffix, '.', size) : nullptr;
    if (dot != nullptr) {
        size_t start = (size_t)(dot - suffix) + 1;
        policy_mask_add_text(mask, POLICY_MASK_EXTENSION, slice_of(suffix + start, size - start));
    }
}

static void add_pattern(struct policy_mask *mask, const struct policy_rules *rules,
                        enum policy_field field, const struct policy_pattern *pattern) {
    switch (policy_kind_of(field)) {
    case POLICY_KIND_TEXT:
        if (!pattern->open) {
            policy_mask_add_text(mask, field, pattern->text);
        }
        return;
    case POLICY_KIND_HOST:
        if (!pattern->open) {
            policy_mask_add_text(mask, POLICY_MASK_HOST, pattern->text);
        } else if (pattern->text.size > 0 && pattern->text.data[0] == '.') {
            policy_mask_add_domain(mask, pattern->text);
        }
        return;
    case POLICY_KIND_PATH: {
        const struct glob *glob = &rules->globs[pattern->glob];
        for (uint32_t i = 0; i < glob->part_count; i++) {
            add_part(mask, glob, i);
        }
        return;
    }
    case POLICY_KIND_RANGE:
    case POLICY_KIND_TAG:
        return;
    }
}

/* The test whose values get an entry each: the path, or what has most values. */
static const struct policy_test *find_spread(const struct policy_rules *rules, uint32_t rule) {
    const struct policy_condition *condition = &rules->conditions[rules->rules[rule].condition];
    const struct policy_test *best = nullptr;
    for (uint32_t i = 0; i < condition->count; i++) {
        const struct policy_test *test = &rules->tests[condition->first + i];
        bool fits = test->inclusion_count > 1 && test->inclusion_count <= SPREAD_MAX &&
                    test->field != POLICY_FIELD_OPERATION;
        if (fits &&
            (best == nullptr || test->field == POLICY_FIELD_PATH ||
             (best->field != POLICY_FIELD_PATH && test->inclusion_count > best->inclusion_count))) {
            best = test;
        }
    }
    return best;
}

/* What every request that a rule applies to has. Returns false when a field of it has no value, so
 * that it applies to none. */
static bool make_mask(const struct policy_rules *rules, uint32_t rule, struct policy_mask *ret) {
    const struct policy_condition *condition = &rules->conditions[rules->rules[rule].condition];
    *ret = (struct policy_mask){};
    for (uint32_t i = 0; i < condition->count; i++) {
        const struct policy_test *test = &rules->tests[condition->first + i];
        if (test->inclusion_count == 0) {
            return false;
        }
        ret->low |= UINT64_C(1) << test->field;
        if (test->inclusion_count == 1 && test->field != POLICY_FIELD_OPERATION) {
            add_pattern(ret, rules, test->field, &rules->patterns[test->first]);
        }
    }
    return true;
}

/* Entries of a rule; written when the arrays are there, counted in any case. */
static void add_entries(struct policy_rules *rules, uint32_t rule) {
    struct policy_mask mask;
    if (!make_mask(rules, rule, &mask)) {
        return;
    }
    const struct policy_test *spread = find_spread(rules, rule);
    uint32_t count = spread != nullptr ? spread->inclusion_count : 1;
    for (uint32_t i = 0; i < count; i++) {
        if (rules->masks != nullptr) {
            struct policy_mask entry = mask;
            if (spread != nullptr) {
                add_pattern(&entry, rules, spread->field, &rules->patterns[spread->first + i]);
            }
            rules->masks[rules->entry_count] = entry;
            rules->entry_rules[rules->entry_count] = rule;
        }
        rules->entry_count++;
    }
}

static int naming_compare(const void *left, const void *right) {
    const struct naming *a = left;
    const struct naming *b = right;
    int order = slice_compare(a->operation, b->operation);
    return order != 0 ? order : (a->rule > b->rule) - (a->rule < b->rule);
}

/* All operations that are named, sorted, each rule once. The caller frees. */
static struct naming *collect(const struct policy_rules *rules, size_t *ret_count) {
    size_t count = 0;
    for (uint32_t rule = 0; rule < rules->rule_count; rule++) {
        const struct policy_test *test = find_named(rules, rule);
        count += test != nullptr ? test->count : 0;
    }
    struct naming *namings = array(count, sizeof *namings);
    size_t used = 0;
    for (uint32_t rule = 0; rule < rules->rule_count; rule++) {
        const struct policy_test *test = find_named(rules, rule);
        for (uint32_t i = 0; test != nullptr && i < test->count; i++) {
            namings[used++] = (struct naming){rules->patterns[test->first + i].text, rule};
        }
    }
    ASSERT(used == count);
    qsort(namings, count, sizeof *namings, naming_compare);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || naming_compare(&namings[kept - 1], &namings[i]) != 0) {
            namings[kept++] = namings[i];
        }
    }
    *ret_count = kept;
    return namings;
}

/* Makes buckets and entries. Run twice: the first time only counts. */
static void fill(struct policy_rules *rules, const struct naming *namings, size_t count) {
    rules->entry_count = rules->bucket_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || slice_compare(namings[i - 1].operation, namings[i].operation) != 0) {
            if (rules->buckets != nullptr) {
                rules->buckets[rules->bucket_count] =
                    (struct policy_bucket){namings[i].operation, rules->entry_count, 0};
            }
            rules->bucket_count++;
        }
        add_entries(rules, namings[i].rule);
        if (rules->buckets != nullptr) {
            struct policy_bucket *bucket = &rules->buckets[rules->bucket_count - 1];
            bucket->count = rules->entry_count - bucket->first;
        }
    }
    rules->general = (struct policy_bucket){.first = rules->entry_count};
    for (uint32_t rule = 0; rule < rules->rule_count; rule++) {
        if (find_named(rules, rule) == nullptr) {
            add_entries(rules, rule);
        }
    }
    rules->general.count = rules->entry_count - rules->general.first;
}

static void fill_slots(struct policy_rules *rules) {
    rules->slot_count = 8;
    while (rules->slot_count < 2 * rules->bucket_count) {
        rules->slot_count *= 2;
    }
    rules->slots = array(rules->slot_count, sizeof *rules->slots);
    for (uint32_t i = 0; i < rules->bucket_count; i++) {
        uint64_t hash = policy_text_hash(POLICY_FIELD_OPERATION, rules->buckets[i].operation);
        uint32_t slot = (uint32_t)hash & (rules->slot_count - 1);
        while (rules->slots[slot] != 0) {
            slot = (slot + 1) & (rules->slot_count - 1);
        }
        rules->slots[slot] = i + 1;
    }
}

void policy_index_build(struct policy_rules *rules) {
    size_t count = 0;
    struct naming *namings = collect(rules, &count);
    fill(rules, namings, count);
    rules->masks = array(rules->entry_count, sizeof *rules->masks);
    rules->entry_rules = array(rules->entry_count, sizeof *rules->entry_rules);
    rules->buckets = array(rules->bucket_count, sizeof *rules->buckets);
    fill(rules, namings, count);
    free(namings);
    fill_slots(rules);
}

void policy_index_deinit(struct policy_rules *rules) {
    free(rules->masks);
    free(rules->entry_rules);
    free(rules->buckets);
    free(rules->slots);
}

static const struct policy_bucket *find_bucket(const struct policy_rules *rules,
                                               struct slice operation) {
    uint64_t hash = policy_text_hash(POLICY_FIELD_OPERATION, operation);
    uint32_t slot = (uint32_t)hash & (rules->slot_count - 1);
    while (rules->slots[slot] != 0) {
        const struct policy_bucket *bucket = &rules->buckets[rules->slots[slot] - 1];
        if (slice_equal(bucket->operation, operation)) {
            return bucket;
        }
        slot = (slot + 1) & (rules->slot_count - 1);
    }
    return nullptr;
}

struct policy_walk policy_walk_start(const struct policy_rules *rules,
                                     const struct policy_view *view) {
    const struct policy_bucket *bucket = find_bucket(rules, view->text[POLICY_FIELD_OPERATION]);
    return (struct policy_walk){
        .rules = rules,
        .view = view,
        .bucket = bucket != nullptr ? bucket : &rules->general,
        .general = bucket == nullptr,
    };
}

/* Number of the next entry, from `at` on, that the mask lets through; `stop` when there is none. */
static uint32_t next_candidate(const struct policy_walk *walk, uint32_t at, uint32_t stop) {
    const struct policy_mask *masks = walk->rules->masks;
    uint64_t low = ~walk->view->mask.low;
    uint64_t high = ~walk->view->mask.high;
    while (at < stop && ((masks[at].low & low) | (masks[at].high & high)) != 0) {
        at++;
    }
    return at;
}

/* The next rule of this bucket that applies, or nullptr. */
static const struct policy_compiled_rule *walk_bucket(struct policy_walk *walk) {
    const struct policy_rules *rules = walk->rules;
    uint32_t stop = walk->bucket->first + walk->bucket->count;
    uint32_t at = walk->bucket->first + walk->at;
    const struct policy_compiled_rule *found = nullptr;
    while (found == nullptr && (at = next_candidate(walk, at, stop)) < stop) {
        uint32_t number = rules->entry_rules[at];
        do {
            at++; /* past the other entries of this rule */
        } while (at < stop && rules->entry_rules[at] == number);
        if (policy_rule_applies(rules, &rules->rules[number], walk->view)) {
            found = &rules->rules[number];
        }
    }
    walk->at = at - walk->bucket->first;
    return found;
}

const struct policy_compiled_rule *policy_walk_next(struct policy_walk *walk) {
    const struct policy_compiled_rule *rule = walk_bucket(walk);
    if (rule == nullptr && !walk->general) {
        walk->general = true;
        walk->bucket = &walk->rules->general;
        walk->at = 0;
        rule = walk_bucket(walk);
    }
    return rule;
}
