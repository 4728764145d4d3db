/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/kernel.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit/receipt.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "kernel/config.h"
#include "kernel/policy_files.h"
#include "kernel/records.h"
#include "kernel/recover.h"
#include "kernel/retention.h"
#include "kernel/run_container.h"
#include "sandbox/cgroup_sweep.h"

/* What the log says about a run whose command died. */
struct lost_search {
    const char *run;
    char request[ID_TEXT_BYTES];
    char operation[32];
    struct audit_position intent;
    bool started;
    bool finished;
    uint64_t finished_seq;
};

static bool lost_look(void *context, uint64_t seq, struct slice entry) {
    struct lost_search *search = context;
    struct error ignored;
    CLEANUP(json_freep) struct json *object = nullptr;
    if (!status_is_ok(json_parse(entry, "an entry of the log", &object, &ignored))) {
        return true; /* the log's own check reports it */
    }
    const char *run = json_get_text(object, "run");
    const char *type = json_get_text(object, "type");
    if (run == nullptr || type == nullptr || strcmp(run, search->run) != 0) {
        return true;
    }
    if (strcmp(type, audit_event_text(AUDIT_EVENT_RUN_STARTED)) == 0) {
        const char *request = json_get_text(object, "request");
        search->started = true;
        search->intent.seq = seq;
        merkle_leaf(entry, &search->intent.leaf);
        (void)snprintf(search->request, sizeof search->request, "%s",
                       request != nullptr ? request : "");
        const char *operation = json_get_text(object, "operation");
        (void)snprintf(search->operation, sizeof search->operation, "%s",
                       operation != nullptr ? operation : "run.exec");
    }
    if (strcmp(type, audit_event_text(AUDIT_EVENT_RUN_FINISHED)) == 0) {
        search->finished = true;
        search->finished_seq = seq;
    }
    return !search->finished;
}

/* Closes the intent of a run whose command died. A run that died between its outcome entry and its
 * meta has its end in the log already; one that died before its intent has nothing to close. */
static status_t close_lost_run(void *context, struct run *run, struct error *err) {
    struct kernel *kernel = context;
    cgroup_sweep(run->id);
    struct lost_search search = {.run = run->id};
    TRY(audit_log_scan(kernel->log, 0, lost_look, &search, err));
    if (search.finished) {
        run->outcome_seq = search.finished_seq;
        return STATUS_OK;
    }
    if (!search.started) {
        return STATUS_OK;
    }
    run->intent_seq = search.intent.seq;
    struct audit_append append = {
        .event = AUDIT_EVENT_RUN_FINISHED,
        .fields = record_run_finished(kernel,
                                      &(struct record_finish){
                                          .operation = search.operation,
                                          .request = search.request,
                                          .run = run->id,
                                          .intent = &search.intent,
                                          .outcome = "lost",
                                          .exit_status = -1,
                                      }),
    };
    struct audit_position position;
    TRY(audit_log_append(kernel->log, &append, 1, &position, err));
    run->outcome_seq = position.seq;
    return STATUS_OK;
}

static status_t end_dead_run(void *context, struct run *run, struct error *err) {
    (void)context;
    return run_container_collect(run, err);
}

static status_t open_parts(struct kernel *kernel, struct error *err) {
    TRY(audit_log_open(
        &(struct audit_log_options){.state = &kernel->state, .clock = &kernel->clock}, &kernel->log,
        err));
    secret_freep(&kernel->state.log_key); /* it opened the log; no longer than that */
    TRY(stage_recover(&kernel->state, kernel_close_apply, kernel, err));
    const struct run_collector collector = {
        .each_dead = end_dead_run,
        .each_lost = close_lost_run,
        .context = kernel,
    };
    TRY(run_collect(&kernel->state, &collector, err));
    struct error ignored = {0}; /* what is not deleted today is tomorrow */
    (void)!status_is_ok(kernel_retain(kernel, &ignored));
    return STATUS_OK;
}

status_t kernel_open(struct kernel *ret_kernel, struct error *err) {
    ASSERT(ret_kernel != nullptr);
    *ret_kernel = (struct kernel){.clock = clock_system()};
    (void)snprintf(ret_kernel->caller, sizeof ret_kernel->caller, "uid:%u", (unsigned)geteuid());
    TRY(config_state_open(&ret_kernel->state, err));
    status_t status = open_parts(ret_kernel, err);
    if (!status_is_ok(status)) {
        kernel_close(ret_kernel);
    }
    return status;
}

void kernel_close(struct kernel *kernel) {
    kernel_policy_drop(kernel);
    keys_client_stop(kernel->keys);
    kernel->keys = nullptr;
    audit_log_close(kernel->log);
    kernel->log = nullptr;
    state_close(&kernel->state);
}

status_t kernel_keys(struct kernel *kernel, struct keys_client **ret_keys, struct error *err) {
    if (kernel->keys == nullptr) {
        TRY(keys_client_start(&kernel->state, &kernel->keys, err));
    }
    *ret_keys = kernel->keys;
    return STATUS_OK;
}

status_t kernel_checkpoint(struct kernel *kernel, uint64_t seq, struct error *err) {
    struct keys_client *keys;
    struct error first;
    TRY(kernel_keys(kernel, &keys, err));
    if (status_is_ok(receipt_checkpoint(kernel->log, keys, seq, &first))) {
        return STATUS_OK;
    }
    keys_client_stop(kernel->keys);
    kernel->keys = nullptr;
    TRY(kernel_keys(kernel, &keys, err));
    TRY(receipt_checkpoint(kernel->log, keys, seq, err));
    return STATUS_OK;
}
