/* SPDX-License-Identifier: Apache-2.0
 *
 * A plan under construction: its lists, and the paths put together for them. plan_ground.c adds
 * what needs to know neither workspace nor command, plan.c the rest.
 */
#pragma once

#include "sandbox/plan_format.h"

enum { DRAFT_TEXT_COUNT = 256 };

struct draft {
    const struct plan_request *request;
    struct plan_operation operations[LIMIT_PLAN_OPERATIONS];
    uint32_t operation_count;
    struct plan_rule rules[16];
    uint32_t rule_count;
    char *text[DRAFT_TEXT_COUNT]; /* owned */
    uint32_t text_count;
    struct plan_caches caches;
    bool failed; /* out of memory, or of room for texts */
};

void draft_deinit(struct draft *draft);
/* The two texts as one, which the draft keeps. */
const char *draft_text(struct draft *draft, const char *a, const char *b);
/* Adds an operation to be filled in. */
struct plan_operation *draft_add(struct draft *draft, enum plan_operation_type type,
                                 const char *target);
void draft_bind(struct draft *draft, const char *source, const char *target, uint32_t flags);
void draft_file(struct draft *draft, const char *target, const char *content);
void draft_symlink(struct draft *draft, const char *target, const char *content);
void draft_folder(struct draft *draft, const char *target);
void draft_rule(struct draft *draft, enum plan_access access, const char *path);

/* plan_ground.c: the operations of a ground. */
void draft_add_ground(struct draft *draft, const struct plan_host *host);
