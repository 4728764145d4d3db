/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/preview.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "kernel/policy_files.h"
#include "sandbox/merge_check.h"
#include "sandbox/run.h"

enum { REASON_BYTES_MAX = 8192 };

static const char *const verdict_texts[PREVIEW_VERDICT_COUNT] = {
    [PREVIEW_ALLOWED] = "allowed", [PREVIEW_REVIEW] = "review",     [PREVIEW_DENIED] = "denied",
    [PREVIEW_REFUSED] = "refused", [PREVIEW_CONFLICT] = "conflict",
};

const char *preview_verdict_text(enum preview_verdict verdict) {
    return verdict_texts[verdict];
}

void preview_deinit(struct preview *preview) {
    for (size_t i = 0; i < preview->count; i++) {
        free(preview->items[i].path);
        free(preview->items[i].reason);
    }
    free(preview->items);
    free(preview->whole_reason);
    *preview = (struct preview){0};
}

static char *escaped_copy(const char *text) {
    CLEANUP(builder_deinit) struct builder shown;
    builder_init(&shown, (size_t)4 * (LIMIT_PATH_BYTES + REASON_BYTES_MAX));
    text_escape(slice_of_string(text), &shown);
    return strdup(builder_c_string(&shown));
}

struct looker {
    const struct policy_in_force *policy; /* the kernel's */
    struct policy_request judged;
    char **reasons; /* owned; by index of the change */
    const struct merge *merge;
};

static void looker_deinit(struct looker *looker) {
    for (size_t i = 0; looker->reasons != nullptr && i < looker->merge->list.count; i++) {
        free(looker->reasons[i]);
    }
    free(looker->reasons);
}

struct policy_request preview_request_of(const struct policy_request *whole,
                                         const struct apply_subject *subject) {
    struct policy_request judged = *whole;
    judged.path = subject->path;
    judged.mode = subject->mode;
    judged.link_target = subject->link_target;
    judged.has_size = S_ISREG(subject->mode);
    judged.size = subject->size;
    return judged;
}

static enum apply_verdict look(void *context, const struct apply_subject *subject,
                               const char **ret_reason) {
    struct looker *looker = context;
    struct policy_decision decision;
    struct policy_request judged = preview_request_of(&looker->judged, subject);
    policy_evaluate(&looker->policy->engine, &judged, &decision);
    if (decision.outcome == POLICY_DENY) {
        *ret_reason = decision.reasons[0];
        return APPLY_REFUSE;
    }
    const struct change *change = change_list_find(&looker->merge->list, subject->path);
    if (decision.outcome == POLICY_REVIEW && change != nullptr) {
        looker->reasons[change - looker->merge->list.items] = escaped_copy(decision.reasons[0]);
    }
    return APPLY_ALLOW;
}

static char change_letter(const struct change *change) {
    if (change->before.kind == ENTRY_NONE) {
        return 'A';
    }
    if (change->after.kind == ENTRY_NONE) {
        return 'D';
    }
    return change->before.kind != change->after.kind ? 'T' : 'M';
}

static enum preview_verdict verdict_of(const struct merge_plan_item *item, const char *review) {
    switch (item->verdict) {
    case MERGE_VERDICT_REFUSED:
        return PREVIEW_REFUSED;
    case MERGE_VERDICT_DENIED:
        return PREVIEW_DENIED;
    case MERGE_VERDICT_CONFLICT:
    case MERGE_VERDICT_BLOCKED:
        return PREVIEW_CONFLICT;
    case MERGE_VERDICT_APPLY:
    case MERGE_VERDICT_DONE:
    case MERGE_VERDICT_UNNAMED:
    case MERGE_VERDICT_BEFORE:
    case MERGE_VERDICT_COUNT:
        break;
    }
    return review != nullptr ? PREVIEW_REVIEW : PREVIEW_ALLOWED;
}

static status_t add_item(struct preview *preview, const struct change *change,
                         const struct merge_plan_item *item, const char *review,
                         struct error *err) {
    struct preview_item *added = &preview->items[preview->count];
    const char *reason = item->verdict == MERGE_VERDICT_REFUSED  ? refusal_text(change->refusal)
                         : item->verdict == MERGE_VERDICT_DENIED ? item->reason
                                                                 : review;
    *added = (struct preview_item){
        .path = escaped_copy(change->path),
        .reason = reason != nullptr ? escaped_copy(reason) : nullptr,
        .verdict = verdict_of(item, review),
        .change = change_letter(change),
    };
    preview->count++;
    preview->counts[added->verdict]++;
    return added->path != nullptr ? STATUS_OK
                                  : error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot list a stage");
}

static void judge_whole(struct looker *looker, struct preview *preview) {
    struct policy_decision decision;
    policy_evaluate(&looker->policy->engine, &looker->judged, &decision);
    bool silent = decision.outcome == POLICY_DENY &&
                  decision.deciders[0].layer == POLICY_LAYER_NONE; /* paths may be granted */
    if (decision.outcome == POLICY_REVIEW || (decision.outcome == POLICY_DENY && !silent)) {
        preview->whole = decision.outcome == POLICY_DENY ? PREVIEW_DENIED : PREVIEW_REVIEW;
        preview->whole_reason = escaped_copy(decision.reasons[0]);
    }
}

static status_t preview_fill(struct kernel *kernel, const struct run *run, struct preview *preview,
                             struct error *err) {
    CLEANUP(merge_close) struct merge merge = {0};
    CLEANUP(merge_plan_deinit) struct merge_plan plan = {0};
    CLEANUP(looker_deinit)
    struct looker looker = {
        .merge = &merge,
        .judged = {.operation = "stage.apply",
                   .caller = kernel->caller,
                   .workspace = run->workspace,
                   .transport = "cli",
                   .at_command_line = true,
                   .now_ms = clock_wall_ms(&kernel->clock)},
    };
    TRY(kernel_policy(kernel, run->workspace, &looker.policy, err));
    judge_whole(&looker, preview);
    TRY(merge_open(&kernel->state, run, &merge, err));
    if (merge.workspace_fd < 0) {
        return error_set(err, ERROR_WORKSPACE_UNUSABLE, 0, "the workspace is gone");
    }
    looker.reasons = calloc(merge.list.count + 1, sizeof *looker.reasons);
    preview->items = calloc(merge.list.count + 1, sizeof *preview->items);
    if (looker.reasons == nullptr || preview->items == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot list a stage");
    }
    struct apply_options options = {.decide = look, .context = &looker};
    TRY(merge_plan_make(&merge, &options, &plan, err));
    for (size_t i = 0; i < merge.list.count; i++) {
        if (plan.items[i].verdict != MERGE_VERDICT_DONE) {
            TRY(add_item(preview, &merge.list.items[i], &plan.items[i], looker.reasons[i], err));
        }
    }
    return STATUS_OK;
}

status_t kernel_preview(struct kernel *kernel, const struct run *run, struct preview *ret_preview,
                        struct error *err) {
    struct preview preview = {0};
    if (strcmp(kernel->policy_workspace, run->workspace) != 0) {
        kernel_policy_drop(kernel); /* each workspace has its own */
    }
    status_t status = preview_fill(kernel, run, &preview, err);
    if (!status_is_ok(status)) {
        preview_deinit(&preview);
        return status;
    }
    *ret_preview = preview;
    return STATUS_OK;
}

/* Whether something open stands on runs[index], directly or not. */
static bool is_stood_on(const struct run *runs, size_t count, size_t index) {
    for (size_t i = 0; i < count; i++) {
        if (!run_stage_is_open(&runs[i]) && runs[i].state != RUN_LIVE) {
            continue;
        }
        const char *parent = runs[i].parent;
        for (size_t depth = 0; depth < count && parent[0] != '\0'; depth++) {
            if (strcmp(parent, runs[index].id) == 0) {
                return true;
            }
            const char *next = "";
            for (size_t k = 0; k < count; k++) {
                next = strcmp(runs[k].id, parent) == 0 ? runs[k].parent : next;
            }
            parent = next;
        }
    }
    return false;
}

status_t kernel_open_stages(const struct kernel *kernel, const char *workspace_or_null,
                            struct run **ret_runs, size_t *ret_count, struct error *err) {
    CLEANUP(memory_freep) struct run *runs = nullptr;
    size_t count = 0;
    size_t kept = 0;
    TRY(run_list(&kernel->state, &runs, &count, err));
    CLEANUP(memory_freep) struct run *open = calloc(count + 1, sizeof *open);
    if (open == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot list the stages");
    }
    for (size_t i = 0; i < count; i++) {
        bool here =
            workspace_or_null == nullptr || strcmp(runs[i].workspace, workspace_or_null) == 0;
        if (here && run_stage_is_open(&runs[i]) && !is_stood_on(runs, count, i)) {
            open[kept++] = runs[i];
        }
    }
    *ret_runs = TAKE(open);
    *ret_count = kept;
    return STATUS_OK;
}
