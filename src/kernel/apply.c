/* SPDX-License-Identifier: Apache-2.0
 *
 * stage.apply and stage.discard. Policy is asked for every final path while the stage is checked;
 * what it wants reviewed is collected and put to a person once, before anything is touched.
 */
#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "codec/text.h"
#include "kernel/automatic.h"
#include "kernel/facts.h"
#include "kernel/kernel.h"
#include "kernel/obliged.h"
#include "kernel/policy_files.h"
#include "kernel/preview.h"
#include "kernel/records.h"
#include "kernel/refusal.h"
#include "kernel/review.h"
#include "sys/fd.h"
#include "sys/random.h"

struct application {
    struct kernel *kernel;
    struct run *run;
    const char *operation;
    const struct policy_in_force *policy; /* the kernel's */
    struct policy_request judged;         /* about the whole, which has no path */
    struct policy_decision decision;      /* about that */
    bool by_path;       /* no rule speaks of the whole: each path needs one that grants it */
    bool granted;       /* some path was */
    bool denied;        /* `denial` is set */
    bool review_wanted; /* `review_decision` is set */
    struct policy_decision denial;
    struct policy_decision review_decision;   /* the first */
    struct json *denial_facts, *review_facts; /* owned */
    struct review review;                     /* owned */
    struct obliged obliged;
    struct obliged_refusal refusal; /* what `denial` may point at */
    struct rate_refusal rate;       /* the same */
    struct facts_list facts;        /* owned */
    struct automatic *automatic;    /* nullptr: somebody asked for it */
    int rates_fd;                   /* the lock, while it is held; -1 otherwise */
    char request_id[ID_TEXT_BYTES];
    struct audit_position intent;
    struct audit_position outcome;
    bool admitted;
    bool done; /* every step; what is left is to say so */
};

static const char apply_hint[] =
    "Look at them with airlock diff, then run airlock apply at a terminal and answer y; or name "
    "the other paths: airlock apply RUN PATH...";

static void note_denial(struct application *apply, const struct policy_request *judged,
                        const struct policy_decision *decision) {
    if (!apply->denied) {
        apply->denied = true;
        apply->denial = *decision;
        apply->denial.fact_count = 0; /* they point into the request, which ends */
        apply->denial_facts = facts_of(judged);
    }
}

static void note_review(struct application *apply, const struct policy_request *judged,
                        const char *what, const struct policy_decision *decision) {
    if (!apply->review_wanted) {
        apply->review_wanted = true;
        apply->review_decision = *decision;
        apply->review_decision.fact_count = 0; /* as above */
        apply->review_facts = facts_of(judged);
    }
    review_add(&apply->review, what, decision);
}

/* A path that may be applied, with or without a person. */
static void note_grant(struct application *apply, const struct policy_request *judged,
                       const struct policy_decision *decision) {
    if (apply->by_path && !apply->granted) {
        apply->decision = *decision; /* the entry names a rule that did grant */
        apply->decision.fact_count = 0;
    }
    apply->granted = true;
    obliged_merge(&apply->obliged, decision);
    if (!S_ISDIR(judged->mode)) {
        obliged_add_file(&apply->obliged, judged->size);
    }
}

static enum apply_verdict decide_path(void *context, const struct apply_subject *subject,
                                      const char **ret_reason) {
    struct application *apply = context;
    struct policy_decision decision;
    struct policy_request judged = preview_request_of(&apply->judged, subject);
    policy_evaluate(&apply->policy->engine, &judged, &decision);
    facts_list_add(&apply->facts, &judged, &decision);
    automatic_judge(apply->automatic, subject->path, &decision);
    switch (decision.outcome) {
    case POLICY_REVIEW:
        note_review(apply, &judged, subject->path, &decision);
        [[fallthrough]];
    case POLICY_ALLOW:
        judged.path = judged.link_target = nullptr; /* theirs */
        note_grant(apply, &judged, &decision);
        return APPLY_ALLOW;
    case POLICY_DENY:
        note_denial(apply, &judged, &decision);
        *ret_reason = decision.reasons[0];
        return APPLY_REFUSE;
    }
    ASSERT(!"an outcome of the enum");
    return APPLY_REFUSE;
}

static status_t weigh(void *context, const struct merge *merge, const struct merge_plan *plan,
                      struct error *err) {
    struct application *apply = context;
    return automatic_weigh(apply->automatic, merge, plan, &apply->obliged, err);
}

static struct json *request_fields(const struct application *apply) {
    struct json *fields = json_object_new();
    json_set_text(fields, "caller", apply->kernel->caller);
    json_set_text(fields, "operation", apply->operation);
    json_set_text(fields, "request", apply->request_id);
    json_set_text(fields, "run", apply->run->id);
    record_text(fields, "workspace", apply->run->workspace);
    return fields;
}

/* The decision of an intent, with who agreed and the rules that count how often. */
static struct json *decision_object(const struct application *apply, const char *reviewer) {
    struct json *object = record_decision(&apply->decision);
    if (reviewer != nullptr) {
        json_set_text(object, "reviewer", reviewer);
    }
    obliged_record(&apply->obliged, object);
    return object;
}

/* Denies what all decisions together let through. */
static status_t refuse_whole(struct application *apply, const char *rule, const char *reason,
                             struct error *err) {
    struct policy_decision decision = apply->decision;
    if (rule != nullptr) {
        refusal_make(&decision, rule, reason);
    }
    note_denial(apply, &apply->judged, &decision);
    return refusal_error(&decision, apply->operation, err);
}

static status_t check_rates(struct application *apply, struct error *err) {
    const struct obliged *obliged = &apply->obliged;
    if (obliged->rate_count == 0) {
        return STATUS_OK;
    }
    TRY(rates_lock(&apply->kernel->state, &apply->rates_fd, err));
    TRY(rates_check(apply->kernel, obliged->rates, obliged->rate_count, apply->judged.now_ms,
                    &apply->rate, err));
    return apply->rate.is_full ? refuse_whole(apply, apply->rate.rule, apply->rate.reason, err)
                               : STATUS_OK;
}

/* What holds for all paths together, and the person. The lock of the rates is held afterwards. */
static status_t check_whole(struct application *apply, const char **ret_reviewer,
                            struct error *err) {
    if (apply->by_path && !apply->granted) {
        return refuse_whole(apply, nullptr, nullptr, err);
    }
    if (!obliged_fits(&apply->obliged, &apply->refusal)) {
        return refuse_whole(apply, apply->refusal.rule, apply->refusal.reason, err);
    }
    TRY(review_ask(&apply->review, apply->kernel, ret_reviewer, err));
    return check_rates(apply, err);
}

static status_t admit(void *context, uint32_t step_count, const struct digest *digest,
                      struct error *err) {
    struct application *apply = context;
    struct digest facts_digest;
    const char *reviewer = nullptr;
    TRY(check_whole(apply, &reviewer, err));
    TRY(facts_list_save(&apply->facts, apply->run, &facts_digest, err));
    struct json *fields = request_fields(apply);
    json_set(fields, "decision", decision_object(apply, reviewer));
    facts_record(fields, apply->by_path ? nullptr : &apply->judged, apply->policy);
    record_digest(fields, "facts_digest", &facts_digest);
    json_set_integer(fields, "steps", step_count);
    record_digest(fields, "steps_digest", digest);
    automatic_record(apply->automatic, fields);
    if (apply->review.count > 0) {
        json_set(fields, "reviewed", review_paths(&apply->review));
    }
    struct audit_append append = {.event = AUDIT_EVENT_APPLY_STARTED, .fields = fields};
    TRY(audit_log_append(apply->kernel->log, &append, 1, &apply->intent, err));
    fd_closep(&apply->rates_fd);
    apply->admitted = true;
    if (apply->automatic != nullptr) {
        apply->automatic->is_admitted = true;
    }
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
    struct json *fields = request_fields(apply);
    json_set_integer(fields, "intent_seq", (int64_t)apply->intent.seq);
    record_digest(fields, "intent_leaf", &apply->intent.leaf);
    json_set_text(fields, "outcome", failure == nullptr ? "applied" : "failed");
    automatic_record(apply->automatic, fields);
    if (failure != nullptr) {
        json_set_text(fields, "error", error_slug(failure->code));
    } else {
        json_set_integer(fields, "applied", result->applied);
        json_set_integer(fields, "skipped", result->skipped);
        if (result->parts > 0) {
            json_set_integer(fields, "parts", result->parts);
        }
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
static void record_refusal(struct application *apply, const struct policy_decision *decision,
                           struct json *consumed_facts, struct error *err) {
    struct json *fields = request_fields(apply);
    json_set(fields, "decision", record_decision(decision));
    json_set(fields, "facts", consumed_facts);
    facts_record(fields, nullptr, apply->policy);
    refusal_record(apply->kernel->log, fields, err);
}

/* Only what was decided, and only before anything was done. */
static void record_any_refusal(struct application *apply, struct error *err) {
    if (err->code == ERROR_POLICY_DENIED && apply->denied) {
        record_refusal(apply, &apply->denial, TAKE(apply->denial_facts), err);
    } else if (err->code == ERROR_POLICY_REVIEW && apply->review_wanted) {
        record_refusal(apply, &apply->review_decision, TAKE(apply->review_facts), err);
    }
}

static void application_init(struct application *apply, struct kernel *kernel, struct run *run,
                             const char *operation) {
    *apply = (struct application){
        .kernel = kernel,
        .run = run,
        .operation = operation,
        .judged =
            {
                .operation = operation,
                .caller = kernel->caller,
                .workspace = run->workspace,
                .transport = "cli",
                .at_command_line = true,
                .now_ms = clock_wall_ms(&kernel->clock),
            },
        .rates_fd = -1,
    };
    id_generate(apply->judged.now_ms, apply->request_id);
    review_init(&apply->review, apply_hint);
    obliged_init(&apply->obliged);
    facts_list_init(&apply->facts);
}

static void application_deinit(struct application *apply) {
    fd_closep(&apply->rates_fd);
    facts_list_deinit(&apply->facts);
    review_deinit(&apply->review);
    json_free(apply->denial_facts);
    json_free(apply->review_facts);
}

/* Asks about the whole. An apply that no rule speaks of as a whole may still be granted path by
 * path; one that a rule denies is over. */
static status_t decide_whole(struct application *apply, bool paths_follow, struct error *err) {
    TRY(kernel_policy(apply->kernel, apply->run->workspace, &apply->policy, err));
    policy_evaluate(&apply->policy->engine, &apply->judged, &apply->decision);
    automatic_judge(apply->automatic, nullptr, &apply->decision);
    switch (apply->decision.outcome) {
    case POLICY_REVIEW:
        note_review(apply, &apply->judged, "all of it", &apply->decision);
        [[fallthrough]];
    case POLICY_ALLOW:
        obliged_merge(&apply->obliged, &apply->decision);
        return STATUS_OK;
    case POLICY_DENY:
        apply->by_path = paths_follow && apply->decision.deciders[0].layer == POLICY_LAYER_NONE;
        return apply->by_path ? STATUS_OK : refuse_whole(apply, nullptr, nullptr, err);
    }
    ASSERT(!"an outcome of the enum");
    return error_set(err, ERROR_INTERNAL, 0, "policy gave no outcome");
}

static status_t apply_decided(struct application *apply, const struct apply_options *options,
                              struct apply_result *ret_result, uint64_t *ret_seq,
                              struct error *err) {
    struct kernel *kernel = apply->kernel;
    status_t status = stage_apply(&kernel->state, apply->run, options, ret_result, err);
    if (status_is_ok(status)) {
        *ret_seq = apply->outcome.seq;
        return kernel_checkpoint(kernel, apply->outcome.seq, err);
    }
    if (apply->admitted && !apply->done) { /* done: the next command owes the outcome */
        struct error second;
        if (!status_is_ok(append_applied(apply, nullptr, err, &second)) ||
            !status_is_ok(kernel_checkpoint(kernel, apply->outcome.seq, &second))) {
            (void)error_context(err, "and then: %.150s", second.message);
        }
    }
    return status;
}

status_t kernel_apply(struct kernel *kernel, struct run *run,
                      const struct kernel_apply_options *wanted, struct apply_result *ret_result,
                      uint64_t *ret_seq, struct error *err) {
    CLEANUP(application_deinit) struct application apply;
    application_init(&apply, kernel, run, "stage.apply");
    apply.automatic = wanted->automatic;
    apply.review.many_hint =
        "Look at them with airlock diff, then apply them in parts: airlock apply RUN PATH...";
    struct apply_options options = {
        .paths = wanted->paths,
        .choices = wanted->choices,
        .skip_refused = wanted->skip_refused,
        .decide = decide_path,
        .planned = wanted->automatic != nullptr ? weigh : nullptr,
        .admitted = admit,
        .not_carried = not_carried,
        .finished = finished,
        .context = &apply,
    };
    status_t status = decide_whole(&apply, true, err);
    if (status_is_ok(status)) {
        status = apply_decided(&apply, &options, ret_result, ret_seq, err);
    }
    if (!status_is_ok(status) && !apply.admitted && apply.automatic == nullptr) {
        record_any_refusal(&apply, err);
    }
    return status;
}

/* Before the effect, as every intent: a discard cut short leaves a stage that can be discarded
 * again, never one that vanished without an entry. */
static status_t admit_discard(void *context, struct error *err) {
    struct application *discard = context;
    const char *reviewer = nullptr;
    TRY(check_whole(discard, &reviewer, err));
    struct json *fields = request_fields(discard);
    json_set(fields, "decision", decision_object(discard, reviewer));
    facts_record(fields, &discard->judged, discard->policy);
    record_digest(fields, "stage_digest", &discard->run->stage_digest);
    struct audit_append append = {.event = AUDIT_EVENT_STAGE_DISCARDED, .fields = fields};
    TRY(audit_log_append(discard->kernel->log, &append, 1, &discard->intent, err));
    fd_closep(&discard->rates_fd);
    discard->admitted = true;
    return STATUS_OK;
}

status_t kernel_discard(struct kernel *kernel, struct run *run, struct error *err) {
    CLEANUP(application_deinit) struct application discard;
    application_init(&discard, kernel, run, "stage.discard");
    discard.review.hint = "Run airlock discard at a terminal and answer y.";
    status_t status = decide_whole(&discard, false, err);
    if (status_is_ok(status)) {
        status = stage_discard(&kernel->state, run, admit_discard, &discard, err);
    }
    if (!status_is_ok(status) && !discard.admitted) {
        record_any_refusal(&discard, err);
    }
    return status;
}
