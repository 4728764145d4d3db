/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/plan_draft.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

const char *draft_text(struct draft *draft, const char *a, const char *b) {
    if (draft->text_count == DRAFT_TEXT_COUNT) {
        draft->failed = true;
        return "";
    }
    char *text = nullptr;
    if (asprintf(&text, "%s%s", a, b) < 0) {
        draft->failed = true;
        return "";
    }
    draft->text[draft->text_count++] = text;
    return text;
}

void draft_deinit(struct draft *draft) {
    for (uint32_t i = 0; i < draft->text_count; i++) {
        free(draft->text[i]);
    }
}

struct plan_operation *draft_add(struct draft *draft, enum plan_operation_type type,
                                 const char *target) {
    ASSERT(draft->operation_count < LIMIT_PLAN_OPERATIONS);
    struct plan_operation *operation = &draft->operations[draft->operation_count++];
    *operation = (struct plan_operation){.type = type, .source = "", .target = target};
    return operation;
}

void draft_bind(struct draft *draft, const char *source, const char *target, uint32_t flags) {
    struct plan_operation *operation = draft_add(draft, PLAN_BIND, target);
    operation->source = source;
    operation->flags = flags;
}

void draft_file(struct draft *draft, const char *target, const char *content) {
    struct plan_operation *operation = draft_add(draft, PLAN_FILE, target);
    operation->mode = 0444;
    operation->content = slice_of_string(content);
}

void draft_symlink(struct draft *draft, const char *target, const char *content) {
    draft_add(draft, PLAN_SYMLINK, target)->content = slice_of_string(content);
}

void draft_folder(struct draft *draft, const char *target) {
    draft_add(draft, PLAN_FOLDER, target)->mode = 0755;
}

void draft_rule(struct draft *draft, enum plan_access access, const char *path) {
    ASSERT(draft->rule_count < sizeof draft->rules / sizeof draft->rules[0]);
    draft->rules[draft->rule_count++] = (struct plan_rule){.access = access, .path = path};
}
