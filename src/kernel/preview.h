/* SPDX-License-Identifier: Apache-2.0
 *
 * What an apply of a stage would be told, path by path, without doing it: what policy denies, what
 * it wants a person to look at, where the workspace moved. Nothing is written, and no entry is
 * made.
 */
#pragma once

#include "kernel/kernel.h"

enum preview_verdict : uint8_t {
    PREVIEW_ALLOWED,
    PREVIEW_REVIEW,   /* a person has to agree */
    PREVIEW_DENIED,   /* by policy */
    PREVIEW_REFUSED,  /* never applied, whatever policy says */
    PREVIEW_CONFLICT, /* the workspace changed there, or around it */
    PREVIEW_VERDICT_COUNT,
};
const char *preview_verdict_text(enum preview_verdict verdict);

struct preview_item {
    char *path;   /* owned; escaped for showing */
    char *reason; /* owned; of the rule, escaped; nullptr: none */
    enum preview_verdict verdict;
    char change; /* 'A', 'M', 'D', 'T' */
};

struct preview {
    struct preview_item *items; /* owned; what was applied before is left out */
    size_t count;
    size_t counts[PREVIEW_VERDICT_COUNT];
    enum preview_verdict whole; /* what is said of the apply as a whole */
    char *whole_reason;         /* owned; escaped; nullptr: none */
};
void preview_deinit(struct preview *preview);

/* What policy is asked about one path of an apply that `whole` is about; borrows from both. One
 * place says it, so that a preview asks what the apply will. */
struct policy_request preview_request_of(const struct policy_request *whole,
                                         const struct apply_subject *subject);

/* ERROR_POLICY_INVALID for a policy that cannot be used, STAGE_DAMAGED. */
status_t kernel_preview(struct kernel *kernel, const struct run *run, struct preview *ret_preview,
                        struct error *err);

/* The open stages that nothing else open stands on, newest first: those an apply is about. The
 * caller frees *ret_runs; their fds are closed. `workspace_or_null` limits them. */
status_t kernel_open_stages(const struct kernel *kernel, const char *workspace_or_null,
                            struct run **ret_runs, size_t *ret_count, struct error *err);
