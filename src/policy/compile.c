/* SPDX-License-Identifier: Apache-2.0
 *
 * Two passes over the documents: one counts, one fills arrays of just that size. Rules, conditions,
 * tests, patterns and globs point at each other by number, so nothing moves afterwards.
 */
#include "policy/compile.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "policy/match.h"

/* Tests in the order they are tried: numbers and short text first, the path late. The operation is
 * last, because the index has nearly always answered it. */
static const enum policy_field test_order[] = {
    POLICY_FIELD_PORT,           POLICY_FIELD_SIZE,    POLICY_FIELD_TEMPLATE,
    POLICY_FIELD_TRANSPORT,      POLICY_FIELD_METHOD,  POLICY_FIELD_SESSION_MODE,
    POLICY_FIELD_WORKFLOW_STATE, POLICY_FIELD_CALLER,  POLICY_FIELD_ARGUMENT_DIGEST,
    POLICY_FIELD_CALLER_TAG,     POLICY_FIELD_NETWORK, POLICY_FIELD_HOST,
    POLICY_FIELD_ENGINE,         POLICY_FIELD_IMAGE,   POLICY_FIELD_PATH,
    POLICY_FIELD_OPERATION,
};
static_assert(sizeof test_order / sizeof test_order[0] == POLICY_FIELD_COUNT);

static bool is_present(const struct policy_match *match, enum policy_field field) {
    return (match->present >> field & 1) != 0;
}

static bool is_dropped(const struct policy_layer_source *layer,
                       const struct policy_rule_source *rule) {
    return layer->mode == POLICY_LAYER_RESTRICT && rule->action == POLICY_ACTION_ALLOW;
}

static void count_match(struct policy_rules *rules, const struct policy_match *match) {
    rules->condition_count++;
    for (unsigned field = 0; field < POLICY_FIELD_COUNT; field++) {
        if (!is_present(match, (enum policy_field)field)) {
            continue;
        }
        const struct policy_values *values = &match->fields[field];
        enum policy_field_kind kind = policy_kind_of((enum policy_field)field);
        rules->test_count++;
        rules->pattern_count += (uint32_t)values->count;
        if (kind == POLICY_KIND_PATH) {
            rules->glob_count += 2 * (uint32_t)values->count; /* exact and folded */
        }
        for (size_t i = 0; kind == POLICY_KIND_HOST && i < values->count; i++) {
            rules->text_size += strlen(values->values[i].text);
        }
    }
}

static void count_layer(struct policy_rules *rules, const struct policy_layer_source *layer) {
    for (size_t i = 0; i < layer->document->rule_count; i++) {
        const struct policy_rule_source *rule = &layer->document->rules[i];
        if (is_dropped(layer, rule)) {
            rules->dropped_allow_count++;
            continue;
        }
        rules->rule_count++;
        count_match(rules, &rule->match);
        for (size_t e = 0; e < rule->except_count; e++) {
            count_match(rules, &rule->excepts[e]);
        }
    }
}

/* Array of `count` zeroed elements; never nullptr, so that none is no special case. */
static void *array(size_t count, size_t size) {
    void *memory = calloc(count > 0 ? count : 1, size);
    ASSERT(memory != nullptr);
    return memory;
}

static void allocate(struct policy_rules *rules) {
    rules->rules = array(rules->rule_count, sizeof *rules->rules);
    rules->conditions = array(rules->condition_count, sizeof *rules->conditions);
    rules->tests = array(rules->test_count, sizeof *rules->tests);
    rules->patterns = array(rules->pattern_count, sizeof *rules->patterns);
    rules->globs = array(rules->glob_count, sizeof *rules->globs);
    rules->text = array(rules->text_size, 1);
    rules->rule_count = rules->condition_count = rules->test_count = 0;
    rules->pattern_count = rules->glob_count = 0;
    rules->text_size = 0;
}

static status_t fail_at(const struct policy_value *value, const char *problem, struct error *err) {
    (void)error_set(err, ERROR_POLICY_INVALID, 0, "%s:%u:%u: the path \"%.200s\" cannot be used",
                    value->at.file != nullptr ? value->at.file : "policy", value->at.line,
                    value->at.column, value->text);
    error_detail(err, "%s", problem);
    return (status_t){ERROR_POLICY_INVALID};
}

/* How the values of a match are asked; see match.h. */
struct use {
    bool narrows; /* it holds back */
    bool both;    /* of a review rule: it grants as well */
};

static status_t add_globs(struct policy_rules *rules, struct policy_pattern *pattern,
                          const struct use *use, struct error *err) {
    struct slice text = slice_of_string(pattern->source->text);
    struct glob *glob = &rules->globs[rules->glob_count];
    const char *problem = glob_compile(text, 0, glob);
    if (problem != nullptr) {
        return fail_at(pattern->source, problem, err);
    }
    pattern->glob = rules->glob_count++;
    pattern->folded = POLICY_NO_GLOB;
    pattern->narrows = use->narrows != glob->excludes;
    if (pattern->narrows || use->both) {
        pattern->folded = pattern->glob;
        if (glob->folds) {
            problem = glob_compile(text, GLOB_FOLD, &rules->globs[rules->glob_count]);
            ASSERT(problem == nullptr);
            pattern->folded = rules->glob_count++;
        }
    }
    return STATUS_OK;
}

static void set_text(struct policy_pattern *pattern) {
    pattern->text = slice_of_string(pattern->source->text);
    if (pattern->text.size > 0 && pattern->text.data[pattern->text.size - 1] == '*') {
        pattern->text.size--;
        pattern->open = true;
    }
}

static void set_host(struct policy_rules *rules, struct policy_pattern *pattern) {
    const char *text = pattern->source->text;
    pattern->open = text[0] == '*';
    text += pattern->open ? 1 : 0;
    size_t size = strlen(text);
    size -= size > 0 && text[size - 1] == '.' ? 1 : 0;
    char *out = rules->text + rules->text_size;
    for (size_t i = 0; i < size; i++) {
        out[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);
    }
    rules->text_size += size;
    pattern->text = slice_of(out, size);
}

static status_t add_pattern(struct policy_rules *rules, enum policy_field field,
                            const struct policy_value *value, const struct use *use,
                            struct error *err) {
    struct policy_pattern *pattern = &rules->patterns[rules->pattern_count++];
    *pattern = (struct policy_pattern){.source = value, .low = value->low, .high = value->high};
    switch (policy_kind_of(field)) {
    case POLICY_KIND_TEXT:
    case POLICY_KIND_TAG:
        set_text(pattern);
        break;
    case POLICY_KIND_HOST:
        set_host(rules, pattern);
        break;
    case POLICY_KIND_PATH:
        return add_globs(rules, pattern, use, err);
    case POLICY_KIND_RANGE:
        break;
    }
    return STATUS_OK;
}

/* Inclusions first, then exclusions, so that a test is two plain walks. */
static void sort_patterns(struct policy_rules *rules, struct policy_test *test) {
    struct policy_pattern *patterns = rules->patterns + test->first;
    test->inclusion_count = test->count;
    if (test->field != POLICY_FIELD_PATH) {
        return;
    }
    test->inclusion_count = 0;
    for (uint32_t i = 0; i < test->count; i++) {
        if (!rules->globs[patterns[i].glob].excludes) {
            struct policy_pattern moved = patterns[i];
            patterns[i] = patterns[test->inclusion_count];
            patterns[test->inclusion_count++] = moved;
        }
    }
}

static status_t add_test(struct policy_rules *rules, enum policy_field field,
                         const struct policy_values *values, const struct use *use,
                         struct error *err) {
    struct policy_test *test = &rules->tests[rules->test_count++];
    *test = (struct policy_test){
        .field = field,
        .first = rules->pattern_count,
        .count = (uint32_t)values->count,
        .widens = !use->narrows,
    };
    for (size_t i = 0; i < values->count; i++) {
        TRY(add_pattern(rules, field, &values->values[i], use, err));
    }
    sort_patterns(rules, test);
    if (test->count > 0 && test->inclusion_count == 0) {
        return fail_at(&values->values[0],
                       "every path of the list is taken out with !, so it names none; put what it "
                       "is about in front, \"**\" for everything",
                       err);
    }
    return STATUS_OK;
}

static status_t add_condition(struct policy_rules *rules, const struct policy_match *match,
                              const struct use *use, struct error *err) {
    struct policy_condition *condition = &rules->conditions[rules->condition_count++];
    condition->first = rules->test_count;
    for (size_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        enum policy_field field = test_order[i];
        if (is_present(match, field)) {
            TRY(add_test(rules, field, &match->fields[field], use, err));
        }
    }
    condition->count = rules->test_count - condition->first;
    return STATUS_OK;
}

static status_t add_rule(struct policy_rules *rules, const struct policy_layer_source *layer,
                         const struct policy_rule_source *source, struct error *err) {
    struct use use = {.both = source->action == POLICY_ACTION_REVIEW};
    use.narrows = use.both || source->action == POLICY_ACTION_DENY;
    struct policy_compiled_rule *rule = &rules->rules[rules->rule_count++];
    *rule = (struct policy_compiled_rule){
        .source = source,
        .ref = {source->name, source->at.file, source->at.line, layer->layer},
        .condition = rules->condition_count,
        .restricted = layer->mode == POLICY_LAYER_RESTRICT,
    };
    TRY(add_condition(rules, &source->match, &use, err));
    use.narrows = !use.narrows;
    for (size_t i = 0; i < source->except_count; i++) {
        TRY(add_condition(rules, &source->excepts[i], &use, err));
    }
    return STATUS_OK;
}

status_t policy_compile(const struct policy_layer_source *layers, size_t layer_count,
                        struct policy_rules **ret_rules, struct error *err) {
    CLEANUP(policy_rules_freep) struct policy_rules *rules = array(1, sizeof *rules);
    for (size_t i = 0; i < layer_count; i++) {
        count_layer(rules, &layers[i]);
    }
    allocate(rules);
    for (size_t i = 0; i < layer_count; i++) {
        const struct policy_document *document = layers[i].document;
        for (size_t r = 0; r < document->rule_count; r++) {
            if (!is_dropped(&layers[i], &document->rules[r])) {
                TRY(add_rule(rules, &layers[i], &document->rules[r], err));
            }
        }
    }
    policy_index_build(rules);
    *ret_rules = TAKE(rules);
    return STATUS_OK;
}

void policy_rules_free(struct policy_rules *rules) {
    if (rules == nullptr) {
        return;
    }
    for (uint32_t i = 0; rules->globs != nullptr && i < rules->glob_count; i++) {
        glob_deinit(&rules->globs[i]);
    }
    policy_index_deinit(rules);
    free(rules->rules);
    free(rules->conditions);
    free(rules->tests);
    free(rules->patterns);
    free(rules->globs);
    free(rules->text);
    free(rules);
}

void policy_rules_freep(struct policy_rules **rules) {
    policy_rules_free(*rules);
}

size_t policy_rules_count(const struct policy_rules *rules) {
    return rules->rule_count;
}

size_t policy_rules_dropped(const struct policy_rules *rules) {
    return rules->dropped_allow_count;
}
