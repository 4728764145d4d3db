/* SPDX-License-Identifier: Apache-2.0
 *
 * `rules`.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "codec/text.h"
#include "policy/load_internal.h"

/* A rule while it is read. */
struct rule_reading {
    struct policy_rule_source *rule;
    const struct yaml_node *name, *match, *action, *constraints; /* nullptr: not there */
};

static void read_name(struct policy_loader *loader, const struct yaml_node *value, void *target) {
    struct rule_reading *reading = target;
    const char *name = load_name(loader, value, "name");
    reading->name = value;
    reading->rule->name = name == nullptr ? "" : name;
}

static void read_match(struct policy_loader *loader, const struct yaml_node *value, void *target) {
    struct rule_reading *reading = target;
    reading->match = value;
    load_match(loader, value, "match", &reading->rule->match);
}

static void read_action(struct policy_loader *loader, const struct yaml_node *value, void *target) {
    static const char *const words[] = {"allow", "deny", "require_review", "pass"};
    static_assert(POLICY_ACTION_ALLOW == 0 && POLICY_ACTION_DENY == 1 &&
                  POLICY_ACTION_REVIEW == 2 && POLICY_ACTION_PASS == 3);
    struct rule_reading *reading = target;
    reading->action = value;
    int word = load_word(loader, value, "action", words, sizeof words / sizeof words[0]);
    if (word >= 0) {
        reading->rule->action = (enum policy_action)word;
    }
}

static void read_except(struct policy_loader *loader, const struct yaml_node *value, void *target) {
    struct rule_reading *reading = target;
    if (value->kind == YAML_KIND_SCALAR) {
        load_error(loader, value, "Write a list: [ { path: \"tests/**\" } ].",
                   "except must be a list of what a match may say");
        return;
    }
    size_t count = load_item_count(value);
    struct policy_match *excepts = load_alloc(loader, count, sizeof *excepts);
    const struct yaml_node *item = load_first_item(value);
    for (size_t i = 0; i < count && !loader->starved; i++, item = item->next) {
        load_match(loader, item, "except", &excepts[i]);
    }
    reading->rule->excepts = excepts;
    reading->rule->except_count = excepts == nullptr ? 0 : count;
}

static void read_constraints(struct policy_loader *loader, const struct yaml_node *value,
                             void *target) {
    struct rule_reading *reading = target;
    reading->constraints = value;
    load_constraints(loader, value, &reading->rule->constraints);
}

static void read_reason(struct policy_loader *loader, const struct yaml_node *value, void *target) {
    struct rule_reading *reading = target;
    if (!load_is_text(loader, value, "reason")) {
        return;
    }
    /* It is shown to whoever is asked to agree, and may have come with somebody's repository. */
    if (!text_is_plain(slice_of(value->text, value->size))) {
        load_error(loader, value, "Write one line of visible characters.",
                   "the reason holds a character that is not seen, or a line break");
        return;
    }
    reading->rule->reason = load_copy(loader, value);
}

/* Whether one of the operations a rule names is this one, or may be. */
static bool is_about(const struct policy_rule_source *rule, const char *operation) {
    const struct policy_values *named = &rule->match.fields[POLICY_FIELD_OPERATION];
    if ((rule->match.present >> POLICY_FIELD_OPERATION & 1) == 0) {
        return true;
    }
    for (size_t i = 0; i < named->count; i++) {
        const char *text = named->values[i].text;
        size_t size = strlen(text);
        bool is_beginning = size > 0 && text[size - 1] == '*';
        if (is_beginning ? strncmp(text, operation, size - 1) == 0 : strcmp(text, operation) == 0) {
            return true;
        }
    }
    return false;
}

/* Nothing is applied by itself because of a rule that does not allow an apply. */
static void check_auto_apply(struct policy_loader *loader, const struct rule_reading *reading) {
    const struct policy_rule_source *rule = reading->rule;
    const struct yaml_node *key =
        reading->constraints != nullptr ? reading->constraints->key : nullptr;
    if (key == nullptr || !rule->constraints.auto_apply.is_permitted) {
        return;
    }
    if (rule->action == POLICY_ACTION_REVIEW) {
        load_error(loader, key, "Take auto_apply out, or let the rule allow.",
                   "auto_apply stands in a rule that wants a person to look");
    } else if (reading->match != nullptr && !is_about(rule, "stage.apply")) {
        load_warning(loader, (struct policy_place){key->line, key->column},
                     "Only operation: stage.apply has something to apply.",
                     "auto_apply changes nothing in a rule that is not about stage.apply");
    }
}

static void check_complete(struct policy_loader *loader, const struct yaml_node *node,
                           const struct rule_reading *reading) {
    if (reading->name == nullptr) {
        load_error(loader, node, "Give it one that no other rule of the file has: name: ...",
                   "this rule has no name");
    }
    if (reading->match == nullptr) {
        load_error(loader, node, "Say what it is about: match: { operation: ... }",
                   "this rule has no match");
    }
    if (reading->action == nullptr) {
        load_error(loader, node, "Give it one of: allow, deny, require_review, pass.",
                   "this rule has no action");
        return;
    }
    enum policy_action action = reading->rule->action;
    if (reading->constraints != nullptr &&
        (action == POLICY_ACTION_DENY || action == POLICY_ACTION_PASS)) {
        const struct yaml_node *key = reading->constraints->key;
        load_warning(loader, (struct policy_place){key->line, key->column},
                     "To deny only some requests, name them in match.",
                     "constraints change nothing in a rule that does not allow or review");
    }
}

static void read_rule(struct policy_loader *loader, const struct yaml_node *node,
                      struct policy_rule_source *rule) {
    static const struct load_key keys[] = {
        {"name", read_name},
        {"match", read_match},
        {"action", read_action},
        {"except", read_except},
        {"constraints", read_constraints},
        {"reason", read_reason},
        {},
    };
    *rule = (struct policy_rule_source){
        .name = "",
        .constraints = {.file_bytes_max = UINT64_MAX,
                        .total_bytes_max = UINT64_MAX,
                        .files_max = UINT32_MAX},
        .at = load_position(loader, node),
    };
    struct rule_reading reading = {.rule = rule};
    if (load_mapping(loader, node, "a rule", keys, &reading)) {
        check_complete(loader, node, &reading);
        check_auto_apply(loader, &reading);
    }
    if (reading.name != nullptr) {
        rule->at = load_position(loader, reading.name);
    }
}

static int compare_names(const void *left, const void *right) {
    const struct policy_rule_source *a = *(const struct policy_rule_source *const *)left;
    const struct policy_rule_source *b = *(const struct policy_rule_source *const *)right;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : (a > b) - (a < b); /* rules stand in one array */
}

/* Sorting, not a hash table: nobody can choose names that make it slow. */
static void check_names(struct policy_loader *loader, const struct policy_rule_source *rules,
                        size_t count) {
    CLEANUP(memory_freep)
    const struct policy_rule_source **sorted = calloc(count, sizeof(struct policy_rule_source *));
    if (sorted == nullptr) {
        loader->starved = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &rules[i];
    }
    qsort(sorted, count, sizeof sorted[0], compare_names);
    for (size_t i = 1; i < count; i++) {
        const struct policy_rule_source *rule = sorted[i];
        if (rule->name[0] == '\0' || strcmp(sorted[i - 1]->name, rule->name) != 0) {
            continue;
        }
        const struct yaml_node at = {.line = rule->at.line, .column = rule->at.column};
        load_error(loader, &at, "Decisions name the rule behind them: give each a name of its own.",
                   "the name \"%.64s\" is taken by the rule on line %u", rule->name,
                   sorted[i - 1]->at.line);
    }
}

void load_rules(struct policy_loader *loader, const struct yaml_node *node,
                struct policy_document *document) {
    if (yaml_is_null(node)) {
        return; /* `rules:` with nothing below it is an empty list */
    }
    if (node->kind != YAML_KIND_SEQUENCE) {
        load_error(loader, node, "Begin each rule with \"- name: ...\".", "rules must be a list");
        return;
    }
    if (node->count > LIMIT_POLICY_RULES) {
        load_limit(loader, node, LIMIT_ID_POLICY_RULES, "this file has");
        return;
    }
    struct policy_rule_source *rules = load_alloc(loader, node->count, sizeof *rules);
    size_t count = 0;
    for (const struct yaml_node *item = node->first; item != nullptr && !loader->starved;
         item = item->next) {
        read_rule(loader, item, &rules[count++]);
    }
    if (!loader->starved && count > 0) {
        check_names(loader, rules, count);
    }
    document->rules = rules;
    document->rule_count = count;
}
