/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiled conditions and the request as they see it. Internal to the engine: compile.c and index.c
 * make these, policy.c and explain.c ask them. Nothing here changes after compile.
 *
 * Case. A policy means exact bytes, but a workspace may lie on a filesystem that folds names
 * (path.h). So whatever narrows (the match of a deny rule, the except and the exclusions of an
 * allow rule) holds for the folded form of the path too; whatever widens (the match of an allow
 * rule, the except and the exclusions of a deny rule) only for the exact bytes. A review rule does
 * both: it holds back what others allow, so it is asked like a deny; and it lets through what a
 * person agrees to, which it grants only where it applies when asked like an allow. Folding can
 * turn an allow into a review or a deny, and a review into a deny, never the other way.
 */
#pragma once

#include "policy/glob.h"
#include "policy/path.h"
#include "policy/rule.h"

enum { POLICY_NO_GLOB = UINT32_MAX };

/* A value of a field. */
struct policy_pattern {
    const struct policy_value *source;
    struct slice text;  /* without its star; of a host in lower case */
    uint64_t low, high; /* KIND_RANGE */
    uint32_t glob;      /* KIND_PATH */
    uint32_t folded;    /* the same, folded; POLICY_NO_GLOB: only the exact form counts */
    bool narrows; /* the folded form counts when asked to hold back, not when asked to grant */
    bool open;    /* text ended (of a host: began) with a star */
};

/* A field that has to match. Exclusions of a path stand behind the inclusions. */
struct policy_test {
    enum policy_field field;
    uint32_t first, count; /* patterns */
    uint32_t inclusion_count;
    bool widens; /* NETWORK: all groups have to match when asked to grant, else one is enough */
};

/* A match or an except: all tests have to hold. */
struct policy_condition {
    uint32_t first, count; /* tests, cheapest first */
};

struct policy_compiled_rule {
    const struct policy_rule_source *source;
    struct policy_rule_ref ref;
    uint32_t condition; /* its excepts follow it */
    bool restricted;    /* of a layer that is not trusted: it holds back, it grants nothing */
};

/* What a request must have for a rule to be worth a look: bits 0.. are fields, the rest hashes. */
struct policy_mask {
    uint64_t low, high;
};

/* Candidates for one operation; entries of one rule stand together. */
struct policy_bucket {
    struct slice operation;
    uint32_t first, count; /* entries */
};

struct policy_rules {
    struct policy_compiled_rule *rules;
    struct policy_condition *conditions;
    struct policy_test *tests;
    struct policy_pattern *patterns;
    struct glob *globs;
    char *text; /* hosts in lower case */
    uint32_t rule_count, condition_count, test_count, pattern_count, glob_count;
    size_t text_size;
    size_t dropped_allow_count;
    /* The index. */
    struct policy_mask *masks; /* one for each entry */
    uint32_t *entry_rules;     /* rule of each entry */
    struct policy_bucket *buckets;
    uint32_t *slots; /* hash table over buckets: number + 1, 0 is free */
    uint32_t entry_count, bucket_count, slot_count;
    struct policy_bucket general; /* rules for operations that are not named one by one */
};

/* A request, looked at once. Borrows everything. */
struct policy_view {
    const struct policy_request *request;
    struct slice text[POLICY_FIELD_COUNT]; /* data is nullptr: absent */
    struct slice path, folded;
    const struct policy_path *parsed; /* nullptr without a path */
    struct policy_mask mask;
    bool is_folder;
    bool granting;    /* patterns are asked to grant instead of to hold back */
    uint32_t to_name; /* mask of fields: a rule whose match lacks one of them does not grant this */
    const char *unfit; /* why nothing may be allowed: what cannot be judged; nullptr: it can */
    char folded_text[POLICY_PATH_BYTES_MAX];
    struct policy_path parsed_path;
    char host_text[256];
};

enum policy_field_kind policy_kind_of(enum policy_field field);

/* Fills a view. The view may be uninitialised memory. */
void policy_view_init(struct policy_view *view, const struct policy_request *request);

/* The pattern of a test that holds; nullptr when none does. */
const struct policy_pattern *policy_test_holds(const struct policy_rules *rules,
                                               const struct policy_test *test,
                                               const struct policy_view *view);
/* The first test that fails; nullptr when the condition holds. */
const struct policy_test *policy_condition_failure(const struct policy_rules *rules,
                                                   const struct policy_condition *condition,
                                                   const struct policy_view *view);
/* Fields that a rule of this action would have to name to speak here: what the request asks for
 * beyond an ordinary one (a network, an engine that is not native) is granted only by who says so.
 * A mask; 0: none. */
uint32_t policy_rule_unnamed(const struct policy_compiled_rule *rule,
                             const struct policy_view *view);
/* The match holds and no except does. */
bool policy_rule_applies(const struct policy_rules *rules, const struct policy_compiled_rule *rule,
                         const struct policy_view *view);
/* Of a review rule that applies: whether it also lets through what a person agrees to. The view is
 * as before afterwards. */
bool policy_rule_grants(const struct policy_rules *rules, const struct policy_compiled_rule *rule,
                        struct policy_view *view);

/* Adds the bits of a hash. */
void policy_mask_add_text(struct policy_mask *mask, unsigned kind, struct slice text);
/* Kinds of hashed text besides the numbers of TEXT fields. */
enum policy_mask_kind : unsigned {
    POLICY_MASK_FIRST = 64, /* the first component of a path */
    POLICY_MASK_COMPONENT,
    POLICY_MASK_EXTENSION, /* what follows the last dot of a component */
    POLICY_MASK_HOST,
    POLICY_MASK_DOMAIN, /* what a host ends with, from a dot on */
};
/* Adds the bits of a domain with its leading dot. */
void policy_mask_add_domain(struct policy_mask *mask, struct slice domain);
uint64_t policy_text_hash(unsigned kind, struct slice text);

/* Builds the index over rules that are compiled otherwise. index.c. */
void policy_index_build(struct policy_rules *rules);
void policy_index_deinit(struct policy_rules *rules);

/* Walks the rules that apply: those that name the operation, then the general ones. */
struct policy_walk {
    const struct policy_rules *rules;
    const struct policy_view *view;
    const struct policy_bucket *bucket;
    uint32_t at; /* in the bucket */
    bool general;
};
struct policy_walk policy_walk_start(const struct policy_rules *rules,
                                     const struct policy_view *view);
const struct policy_compiled_rule *policy_walk_next(struct policy_walk *walk);
