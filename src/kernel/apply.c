/* SPDX-License-Identifier: Apache-2.0
 *
 * stage.apply and stage.discard. Policy is asked for every final path while the stage is checked;
 * what it wants reviewed is collected and put to a person once, before anything is touched.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "codec/text.h"
#include "kernel/kernel.h"
#include "kernel/records.h"
#include "sys/random.h"

enum { NAMED_COUNT_MAX = 3 };

struct application {
    struct kernel *kernel;
    struct run *run;
    struct policy_decision decision; /* about the whole */
    struct policy_decision denial;   /* about the first path denied, when `denied` */
    struct policy_decision review;   /* about the first path to be reviewed, when there is one */
    bool denied;
    char request_id[ID_TEXT_BYTES];
    struct kernel_review_item *reviews; /* paths are owned */
    size_t review_count, review_capacity;
    bool review_overflow;
    struct audit_position intent;
    struct audit_position outcome;
    bool admitted;
    bool done; /* every step; what is left is to say so */
};

static void review_add(struct application *apply, const char *path, const char *reason) {
    if (apply->review_count == LIMIT_REVIEW_PATHS) {
        apply->review_overflow = true;
        return;
    }
    if (apply->review_count == apply->review_capacity) {
        apply->review_capacity = apply->review_capacity == 0 ? 16 : 2 * apply->review_capacity;
        apply->reviews =
            reallocarray(apply->reviews, apply->review_capacity, sizeof *apply->reviews);
    }
    struct builder shown;
    builder_init(&shown, (size_t)4 * LIMIT_PATH_BYTES + 1);
    text_escape(slice_of_string(path), &shown);
    char *copy = strdup(builder_c_string(&shown));
    builder_deinit(&shown);
    if (apply->reviews == nullptr || copy == nullptr) {
        abort();
    }
    apply->reviews[apply->review_count++] =
        (struct kernel_review_item){.path = copy, .reason = reason};
}

static enum apply_verdict decide_path(void *context, const char *path, uint32_t mode,
                                      const char *link_target_or_null, const char **ret_reason) {
    struct application *apply = context;
    struct policy_decision decision;
    policy_decide(
        &(struct policy_request){
            .operation = "stage.apply",
            .caller = apply->kernel->caller,
            .path = path,
            .mode = mode,
            .link_target = link_target_or_null,
            .workspace = apply->run->workspace,
            .at_command_line = true,
        },
        &decision);
    switch (decision.outcome) {
    case POLICY_ALLOW:
        return APPLY_ALLOW;
    case POLICY_REVIEW:
        if (apply->review_count == 0) {
            apply->review = decision;
        }
        review_add(apply, path, decision.reasons[0]);
        return APPLY_ALLOW;
    case POLICY_DENY:
        if (!apply->denied) {
            apply->denied = true;
            apply->denial = decision;
        }
        *ret_reason = decision.reasons[0];
        return APPLY_REFUSE;
    }
    ASSERT(!"an outcome of the enum");
    return APPLY_REFUSE;
}

static status_t refuse_overflow(const struct application *apply, struct error *err) {
    limit_hit(LIMIT_ID_REVIEW_PATHS);
    (void)error_set(err, ERROR_POLICY_REVIEW, 0,
                    "a person has to agree to more than %lld paths, too many for one question",
                    (long long)LIMIT_REVIEW_PATHS);
    error_detail(err, "the limit REVIEW_PATHS; the first of them is %.300s",
                 apply->reviews[0].path);
    error_hint(err, "Look at them with airlock diff, then apply them in parts: "
                    "airlock apply RUN PATH...");
    return (status_t){ERROR_POLICY_REVIEW};
}

static status_t refuse_review(const struct application *apply, struct error *err) {
    struct builder names;
    builder_init(&names, ERROR_MESSAGE_BYTES_MAX - 64);
    size_t shown = apply->review_count < NAMED_COUNT_MAX ? apply->review_count : NAMED_COUNT_MAX;
    for (size_t i = 0; i < shown; i++) {
        builder_format(&names, "%s%.100s", i == 0 ? "" : ", ", apply->reviews[i].path);
    }
    if (apply->review_count > shown) {
        builder_format(&names, " and %zu more", apply->review_count - shown);
    }
    (void)error_set(err, ERROR_POLICY_REVIEW, 0, "a person has to agree to: %s",
                    builder_c_string(&names));
    builder_deinit(&names);
    error_detail(err, "%s", apply->reviews[0].reason);
    error_hint(err, "Look at them with airlock diff, then run airlock apply at a terminal and "
                    "answer y; or name the other paths: airlock apply RUN PATH...");
    return (status_t){ERROR_POLICY_REVIEW};
}

static struct json *request_fields(const struct application *apply, const char *operation) {
    struct json *fields = json_object_new();
    json_set_text(fields, "caller", apply->kernel->caller);
    json_set_text(fields, "operation", operation);
    json_set_text(fields, "request", apply->request_id);
    json_set_text(fields, "run", apply->run->id);
    record_text(fields, "workspace", apply->run->workspace);
    return fields;
}

static struct json *reviewed_paths(const struct application *apply) {
    struct json *paths = json_array_new();
    size_t used = 0;
    for (size_t i = 0; i < apply->review_count; i++) {
        used += strlen(apply->reviews[i].path) + 8;
        if (used > 16384) {
            json_append_text(paths, "...");
            break;
        }
        json_append_text(paths, apply->reviews[i].path);
    }
    return paths;
}

static status_t admit(void *context, uint32_t step_count, const struct digest *digest,
                      struct error *err) {
    struct application *apply = context;
    struct kernel *kernel = apply->kernel;
    if (apply->review_overflow) {
        return refuse_overflow(apply, err);
    }
    if (apply->review_count > 0) {
        bool agreed = kernel->ask_review != nullptr &&
                      kernel->ask_review(kernel->ask_context, apply->reviews, apply->review_count);
        if (!agreed) {
            return refuse_review(apply, err);
        }
    }
    struct json *fields = request_fields(apply, "stage.apply");
    json_set(fields, "decision", record_decision(&apply->decision));
    json_set_integer(fields, "steps", step_count);
    record_digest(fields, "steps_digest", digest);
    if (apply->review_count > 0) {
        json_set(fields, "reviewed", reviewed_paths(apply));
    }
    struct audit_append append = {.event = AUDIT_EVENT_APPLY_STARTED, .fields = fields};
    TRY(audit_log_append(kernel->log, &append, 1, &apply->intent, err));
    apply->admitted = true;
    return STATUS_OK;
}

static void not_carried(void *context, const char *path) {
    const struct application *apply = context;
    if (apply->kernel->not_carried == nullptr) {
        return;
    }
    struct builder shown;
    builder_init(&shown, (size_t)4 * LIMIT_PATH_BYTES + 1);
    text_escape(slice_of_string(path), &shown);
    apply->kernel->not_carried(builder_c_string(&shown));
    builder_deinit(&shown);
}

static status_t append_applied(struct application *apply, const struct apply_result *result,
                               const struct error *failure, struct error *err) {
    struct json *fields = request_fields(apply, "stage.apply");
    json_set_integer(fields, "intent_seq", (int64_t)apply->intent.seq);
    record_digest(fields, "intent_leaf", &apply->intent.leaf);
    json_set_text(fields, "outcome", failure == nullptr ? "applied" : "failed");
    if (failure != nullptr) {
        json_set_text(fields, "error", error_slug(failure->code));
    } else {
        json_set_integer(fields, "applied", result->applied);
        json_set_integer(fields, "skipped", result->skipped);
        record_digest(fields, "before", &result->before);
        record_digest(fields, "after", &result->after);
    }
    struct audit_append append = {.event = AUDIT_EVENT_STAGE_APPLIED, .fields = fields};
    return audit_log_append(apply->kernel->log, &append, 1, &apply->outcome, err);
}

static status_t finished(void *context, const struct apply_result *result, struct error *err) {
    struct application *apply = context;
    apply->done = true;
    return append_applied(apply, result, nullptr, err);
}

/* A refusal is evidence too. `err` already holds it and stays the answer when the log fails. */
static void record_refusal(const struct application *apply, const char *operation,
                           const struct policy_decision *decision, struct error *err) {
    struct json *fields = request_fields(apply, operation);
    json_set(fields, "decision", record_decision(decision));
    struct audit_append append = {.event = AUDIT_EVENT_DECISION, .fields = fields};
    struct audit_position position;
    struct error second;
    if (!status_is_ok(audit_log_append(apply->kernel->log, &append, 1, &position, &second))) {
        (void)error_context(err, "and then: %.150s", second.message);
    }
}

static status_t decide_whole(struct kernel *kernel, const char *operation,
                             struct policy_decision *ret_decision, struct error *err) {
    policy_decide(&(struct policy_request){.operation = operation,
                                           .caller = kernel->caller,
                                           .at_command_line = true},
                  ret_decision);
    if (ret_decision->outcome == POLICY_ALLOW) {
        return STATUS_OK;
    }
    (void)error_set(err, ERROR_POLICY_DENIED, 0, "%s is refused by the rule %s", operation,
                    ret_decision->rule);
    error_detail(err, "%s", ret_decision->reasons[0]);
    return (status_t){ERROR_POLICY_DENIED};
}

static void application_deinit(struct application *apply) {
    for (size_t i = 0; i < apply->review_count; i++) {
        free((char *)(uintptr_t)apply->reviews[i].path);
    }
    free(apply->reviews);
}

status_t kernel_apply(struct kernel *kernel, struct run *run, const char *const *paths,
                      bool skip_refused, struct apply_result *ret_result, uint64_t *ret_seq,
                      struct error *err) {
    struct application apply = {.kernel = kernel, .run = run};
    id_generate(clock_wall_ms(&kernel->clock), apply.request_id);
    status_t decided = decide_whole(kernel, "stage.apply", &apply.decision, err);
    if (!status_is_ok(decided)) {
        record_refusal(&apply, "stage.apply", &apply.decision, err);
        return decided;
    }
    struct apply_options options = {
        .paths = paths,
        .skip_refused = skip_refused,
        .decide = decide_path,
        .admitted = admit,
        .not_carried = not_carried,
        .finished = finished,
        .context = &apply,
    };
    status_t status = stage_apply(&kernel->state, run, &options, ret_result, err);
    if (status_is_ok(status)) {
        *ret_seq = apply.outcome.seq;
        status = kernel_checkpoint(kernel, apply.outcome.seq, err);
    } else if (apply.admitted && !apply.done) { /* done: the next command owes the outcome */
        struct error second;
        if (!status_is_ok(append_applied(&apply, nullptr, err, &second)) ||
            !status_is_ok(kernel_checkpoint(kernel, apply.outcome.seq, &second))) {
            (void)error_context(err, "and then: %.150s", second.message);
        }
    } else if (!apply.admitted && err->code == ERROR_POLICY_DENIED && apply.denied) {
        record_refusal(&apply, "stage.apply", &apply.denial, err);
    } else if (!apply.admitted && err->code == ERROR_POLICY_REVIEW && apply.review_count > 0) {
        record_refusal(&apply, "stage.apply", &apply.review, err);
    }
    application_deinit(&apply);
    return status;
}

/* Before the effect, as every intent: a discard cut short leaves a stage that can be discarded
 * again, never one that vanished without an entry. */
static status_t admit_discard(void *context, struct error *err) {
    struct application *discard = context;
    struct json *fields = request_fields(discard, "stage.discard");
    json_set(fields, "decision", record_decision(&discard->decision));
    record_digest(fields, "stage_digest", &discard->run->stage_digest);
    struct audit_append append = {.event = AUDIT_EVENT_STAGE_DISCARDED, .fields = fields};
    return audit_log_append(discard->kernel->log, &append, 1, &discard->intent, err);
}

status_t kernel_discard(struct kernel *kernel, struct run *run, struct error *err) {
    struct application discard = {.kernel = kernel, .run = run};
    id_generate(clock_wall_ms(&kernel->clock), discard.request_id);
    status_t decided = decide_whole(kernel, "stage.discard", &discard.decision, err);
    if (!status_is_ok(decided)) {
        record_refusal(&discard, "stage.discard", &discard.decision, err);
        return decided;
    }
    return stage_discard_admitted(&kernel->state, run, admit_discard, &discard, err);
}
