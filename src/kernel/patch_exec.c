/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/patch_exec.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/command.h"
#include "kernel/facts.h"
#include "kernel/plan_file.h"
#include "kernel/rates.h"
#include "kernel/records.h"
#include "kernel/refusal.h"
#include "kernel/review.h"
#include "kernel/workspace.h"
#include "sandbox/plan.h"
#include "sandbox/stage_patch.h"
#include "sys/fd.h"
#include "sys/ids.h"
#include "sys/random.h"

#define OPERATION "stage.patch"

struct patching {
    struct kernel *kernel;
    const struct patch_exec_request *request;
    struct patch_exec_result *result;
    const struct policy_in_force *policy; /* the kernel's */
    struct policy_request judged;
    struct policy_decision decision;
    struct rate_refusal rate;
    const char *reviewer;
    char request_id[ID_TEXT_BYTES];
    char parent[ID_TEXT_BYTES];
    char **layers;             /* owned */
    struct patch patch;        /* owned */
    struct stage_patch *stage; /* owned */
    struct audit_position intent;
    int rates_fd;                /* -1 when not held */
    uint32_t host_uid, host_gid; /* whose the stage is */
    uint64_t started_ns;
};

static void patching_deinit(struct patching *patching) {
    stage_patch_free(patching->stage);
    patch_deinit(&patching->patch);
    free(patching->layers);
    fd_closep(&patching->rates_fd);
}

/* Policy. */

/* A refusal is evidence too. `err` holds it already and stays the answer when the log fails. */
static status_t refuse(const struct patching *patching, struct error *err) {
    struct json *fields = json_object_new();
    json_set_text(fields, "caller", patching->kernel->caller);
    json_set_text(fields, "operation", OPERATION);
    json_set_text(fields, "request", patching->request_id);
    record_text(fields, "workspace", patching->request->workspace);
    json_set(fields, "decision", record_decision(&patching->decision));
    facts_record(fields, &patching->judged, patching->policy);
    struct audit_append append = {.event = AUDIT_EVENT_DECISION, .fields = fields};
    struct error second;
    if (!status_is_ok(audit_log_append(patching->kernel->log, &append, 1, nullptr, &second))) {
        return error_context(err, "and then: %.150s", second.message);
    }
    return (status_t){(int)err->code};
}

static status_t ask(struct patching *patching, struct error *err) {
    CLEANUP(review_deinit) struct review review;
    review_init(&review, "Run it at a terminal and answer y.");
    review_add(&review, patching->request->name, &patching->decision);
    return review_ask(&review, patching->kernel, &patching->reviewer, err);
}

static status_t count_rates(struct patching *patching, struct error *err) {
    const struct policy_obligations *asked = &patching->decision.obligations;
    if (asked->rate_count == 0) {
        return STATUS_OK;
    }
    TRY(rates_lock(&patching->kernel->state, &patching->rates_fd, err));
    TRY(rates_check(patching->kernel, asked->rates, asked->rate_count, patching->judged.now_ms,
                    &patching->rate, err));
    if (patching->rate.is_full) {
        refusal_make(&patching->decision, patching->rate.rule, patching->rate.reason);
    }
    return STATUS_OK;
}

static status_t decide(struct patching *patching, struct error *err) {
    struct kernel *kernel = patching->kernel;
    TRY(kernel_policy(kernel, patching->request->workspace, &patching->policy, err));
    patching->judged = (struct policy_request){
        .operation = OPERATION,
        .caller = kernel->caller,
        .workspace = patching->request->workspace,
        .transport = "cli",
        .at_command_line = true,
        .now_ms = clock_wall_ms(&kernel->clock),
    };
    policy_evaluate(&patching->policy->engine, &patching->judged, &patching->decision);
    if (patching->decision.outcome == POLICY_REVIEW && !status_is_ok(ask(patching, err))) {
        return refuse(patching, err);
    }
    if (patching->decision.outcome != POLICY_DENY) {
        TRY(count_rates(patching, err));
    }
    if (patching->decision.outcome == POLICY_DENY) {
        (void)refusal_error(&patching->decision, OPERATION, err);
        return refuse(patching, err);
    }
    return STATUS_OK;
}

/* The run. */

static status_t stand_on(struct patching *patching, struct error *err) {
    if (patching->request->on == nullptr) {
        return STATUS_OK;
    }
    CLEANUP(run_close) struct run parent = {.fd = -1, .lock_fd = -1};
    TRY(run_find(&patching->kernel->state, patching->request->on, patching->request->workspace,
                 &parent, err));
    if (strcmp(parent.workspace, patching->request->workspace) != 0) {
        return error_set(err, ERROR_USAGE, 0, "run %s belongs to another workspace", parent.id);
    }
    (void)memcpy(patching->parent, parent.id, sizeof patching->parent);
    TRY(run_layers(&patching->kernel->state, &parent, &patching->layers, err));
    struct stat upper; /* all of a stack belong to one */
    if (ids_are_all_ours() && patching->layers[0] != nullptr &&
        stat(patching->layers[0], &upper) == 0) {
        patching->host_uid = upper.st_uid;
        patching->host_gid = upper.st_gid;
    }
    return STATUS_OK;
}

static status_t create(struct patching *patching, struct error *err) {
    struct kernel *kernel = patching->kernel;
    struct run *run = &patching->result->run;
    const char *const words[] = {"patch", patching->request->name, nullptr};
    TRY(stand_on(patching, err));
    TRY(run_create(&kernel->state, &kernel->clock,
                   &(struct run_create_options){
                       .workspace = patching->request->workspace,
                       .parent = patching->layers != nullptr ? patching->parent : nullptr,
                       .host_uid = patching->host_uid,
                       .host_gid = patching->host_gid,
                   },
                   run, err));
    command_describe(run, words);
    return patching->layers != nullptr
               ? run_layers_check(&kernel->state, run, patching->layers, err)
               : STATUS_OK;
}

static status_t intend(struct patching *patching, struct error *err) {
    struct plan_commitments commitments;
    const char *const words[] = {"patch", patching->request->name, nullptr};
    const char *const none[] = {nullptr};
    struct run *run = &patching->result->run;
    TRY(plan_file_write(run, words, none, patching->request->text, &commitments, err));
    struct audit_append append = {
        .event = AUDIT_EVENT_RUN_STARTED,
        .fields = record_run_started(patching->kernel,
                                     &(struct record_start){
                                         .operation = OPERATION,
                                         .mode = "patch",
                                         .request = patching->request_id,
                                         .run = run->id,
                                         .workspace = patching->request->workspace,
                                         .template_name = "none",
                                         .decision = &patching->decision,
                                         .reviewer = patching->reviewer,
                                         .judged = &patching->judged,
                                         .policy = patching->policy,
                                         .plan = &commitments.plan,
                                         .argv = &commitments.argv,
                                         .parent = run->parent,
                                         .environment = none,
                                     }),
    };
    TRY(audit_log_append(patching->kernel->log, &append, 1, &patching->intent, err));
    fd_closep(&patching->rates_fd);
    run->intent_seq = patching->intent.seq;
    return STATUS_OK;
}

static status_t append_outcome(struct patching *patching, const struct error *failure,
                               struct error *err) {
    struct patch_exec_result *result = patching->result;
    uint64_t now_ns = clock_monotonic_ns(&patching->kernel->clock);
    struct audit_append append = {
        .event = AUDIT_EVENT_RUN_FINISHED,
        .fields = record_run_finished(
            patching->kernel,
            &(struct record_finish){
                .operation = OPERATION,
                .request = patching->request_id,
                .run = result->run.id,
                .intent = &patching->intent,
                .outcome = failure == nullptr ? "patched" : "failed",
                .exit_status = -1,
                .error_slug = failure != nullptr ? error_slug(failure->code) : nullptr,
                .stage = failure == nullptr ? &result->stage : nullptr,
                .duration_us = (now_ns - patching->started_ns) / 1000,
            }),
    };
    TRY(audit_log_append(patching->kernel->log, &append, 1, &result->outcome, err));
    result->run.outcome_seq = result->outcome.seq;
    result->run.finished_ms = clock_wall_ms(&patching->kernel->clock);
    result->run.exit_status = failure == nullptr ? 0 : error_exit_status(failure->code);
    TRY(run_save(&result->run, false, err));
    return kernel_checkpoint(patching->kernel, result->outcome.seq, err);
}

/* Past the intent: whatever happens, there is an outcome. */
static status_t write_stage(struct patching *patching, struct error *err) {
    struct run *run = &patching->result->run;
    struct error failure;
    status_t status = run_save(run, false, &failure);
    if (status_is_ok(status)) {
        status = stage_patch_write(run, patching->stage, &failure);
    }
    if (status_is_ok(status)) {
        status = stage_seal(&patching->kernel->state, run, &patching->result->stage, &failure);
    }
    if (status_is_ok(status)) {
        return append_outcome(patching, nullptr, err);
    }
    struct error second;
    *err = failure;
    run->state = RUN_EMPTY; /* the upper was not put in place, or cannot be read */
    if (!status_is_ok(append_outcome(patching, &failure, &second))) {
        (void)error_context(err, "and then: %.150s", second.message);
    }
    return status;
}

static status_t patch_run(struct patching *patching, struct error *err) {
    struct kernel *kernel = patching->kernel;
    struct workspace_identity identity;
    TRY(patch_parse(patching->request->text, PATCH_WHOLE, &patching->patch, err));
    TRY(decide(patching, err));
    TRY(workspace_check(&kernel->state, patching->request->workspace, &identity, err));
    /* The run first: from its start on, whoever changes what is patched is seen by the seal. */
    status_t status = create(patching, err);
    if (status_is_ok(status)) {
        status = stage_patch_make(&kernel->state, &patching->result->run, &patching->patch,
                                  &patching->stage, err);
    }
    if (status_is_ok(status)) {
        status = intend(patching, err);
    }
    if (!status_is_ok(status)) {
        if (patching->result->run.fd >= 0) {
            run_remove(&kernel->state, &patching->result->run);
        }
        return status;
    }
    return write_stage(patching, err);
}

status_t patch_exec(struct kernel *kernel, const struct patch_exec_request *request,
                    struct patch_exec_result *ret_result, struct error *err) {
    *ret_result = (struct patch_exec_result){.run = {.fd = -1, .lock_fd = -1}};
    CLEANUP(patching_deinit)
    struct patching patching = {
        .kernel = kernel,
        .request = request,
        .result = ret_result,
        .rates_fd = -1,
        .started_ns = clock_monotonic_ns(&kernel->clock),
    };
    struct plan_request ids = {};
    plan_choose_host_ids(getpid(), &ids);
    patching.host_uid = ids.host_uid;
    patching.host_gid = ids.host_gid;
    id_generate(clock_wall_ms(&kernel->clock), patching.request_id);
    return patch_run(&patching, err);
}
