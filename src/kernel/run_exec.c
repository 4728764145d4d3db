/* SPDX-License-Identifier: Apache-2.0
 *
 * The order is the point of this file. The launcher gets its plan first and builds the sandbox
 * while the intent entry commits; the payload gets its go only when the intent is on disk. Whatever
 * happens after that ends in an outcome entry, because an intent without an outcome is evidence
 * that Airlock itself was killed.
 */
#include "kernel/run_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "codec/text.h"
#include "kernel/command.h"
#include "kernel/egress.h"
#include "kernel/environment.h"
#include "kernel/plan_file.h"
#include "kernel/records.h"
#include "kernel/run_container.h"
#include "kernel/run_control.h"
#include "kernel/run_decide.h"
#include "kernel/workspace.h"
#include "sandbox/cgroup_sweep.h"
#include "sandbox/plan.h"
#include "sandbox/run_caches.h"
#include "sys/fd.h"
#include "sys/ids.h"
#include "sys/random.h"

struct execution {
    struct kernel *kernel;
    const struct run_exec_request *request;
    struct run_exec_result *result;
    struct run_ahead *ahead; /* owned */
    struct run_decision decided;
    struct egress egress;
    struct workspace_identity identity;
    struct plan *plan;              /* owned */
    struct run_container container; /* its engine is nullptr: native */
    char **layers;                  /* owned; nullptr when it stands on nothing */
    char parent[ID_TEXT_BYTES];
    struct launcher_streams streams; /* -1 once closed */
    struct audit_position intent;
    bool intended;     /* the intent is in the log */
    bool levels_known; /* the sandbox was complete */
    bool exited;       /* the payload ran and ended */
    bool sealed;
    bool is_saved; /* the outcome in runs/<id>/meta, or it failed: */
    status_t save;
    struct error save_error;
    uint64_t started_ns;
    struct run_control *control; /* owned; nullptr before the go */
};

static void streams_close(struct launcher_streams *streams) {
    fd_closep(&streams->input);
    fd_closep(&streams->output);
    fd_closep(&streams->error);
}

/* Finds the stages to stand on. A stage keeps the host uid it was written by, so a run on top of it
 * takes the same one: otherwise its layers would belong to nobody inside. */
static status_t stand_on(struct execution *run, struct error *err) {
    if (run->request->on == nullptr) {
        return STATUS_OK;
    }
    struct run parent;
    TRY(run_find(&run->kernel->state, run->request->on, run->request->workspace, &parent, err));
    status_t status = STATUS_OK;
    if (strcmp(parent.workspace, run->request->workspace) != 0) {
        status = error_set(err, ERROR_USAGE, 0, "run %s belongs to another workspace", parent.id);
    }
    if (status_is_ok(status)) {
        status = run_layers(&run->kernel->state, &parent, &run->layers, err);
    }
    struct stat upper;
    if (status_is_ok(status) && ids_are_all_ours() && run->layers != nullptr &&
        run->layers[0] != nullptr && stat(run->layers[0], &upper) == 0 && upper.st_uid != 0) {
        run->ahead->host_uid = upper.st_uid;
        run->ahead->host_gid = upper.st_gid;
        status = run_ahead_again(run->request, run->ahead, err);
    }
    (void)memcpy(run->parent, parent.id, sizeof run->parent);
    run_close(&parent);
    return status;
}

static status_t make_plan(struct execution *run, struct error *err) {
    const struct run_exec_request *request = run->request;
    const char *const *variables = (const char *const *)run->ahead->environment.entries;
    TRY(command_check_size(request->argv, "arguments", err));
    TRY(command_check_size(variables, "variables", err));
    char folder[LIMIT_PATH_BYTES + 64];
    (void)snprintf(folder, sizeof folder, "%s/runs/%s", run->kernel->state.path,
                   run->result->run.id);
    struct plan_request plan = run_ahead_request(request, run->ahead);
    plan.argv = request->argv;
    plan.environment = variables;
    plan.workspace = request->workspace;
    plan.working_folder = request->working_folder;
    plan.run_folder = folder;
    plan.layers = (const char *const *)run->layers;
    plan.workspace_dev = run->identity.dev;
    plan.workspace_ino = run->identity.ino;
    plan.terminal = request->terminal;
    plan.wait_all = request->wait_all;
    plan.listener = request->network_count > 0;
    plan.trust = builder_slice(&run->egress.trust);
    run->result->limits = plan_limits(&plan);
    TRY(plan_build(&plan, run->ahead->ground, &run->plan, err));
    run->result->caches = plan_caches(run->plan);
    return run_make_caches(&run->result->run, &plan, &run->result->caches, err);
}

static status_t intend(struct execution *run, struct error *err) {
    const struct run_container *container = &run->container;
    bool is_native = run->request->engine == nullptr;
    struct plan_commitments commitments;
    TRY(plan_file_write(
        &run->result->run, run->request->argv, (const char *const *)run->ahead->environment.entries,
        is_native ? plan_bytes(run->plan) : builder_slice(&container->bytes), &commitments, err));
    struct audit_append append = {
        .event = AUDIT_EVENT_RUN_STARTED,
        .fields = record_run_started(
            run->kernel,
            &(struct record_start){
                .request = run->decided.request_id,
                .run = run->result->run.id,
                .workspace = run->request->workspace,
                .template_name = run->ahead->template_row->name,
                .template_digest = run->ahead->template_row->digest,
                .decision = &run->decided.decision,
                .reviewer = run->decided.reviewer,
                .judged = &run->decided.judged,
                .policy = run->decided.policy,
                .plan = &commitments.plan,
                .argv = &commitments.argv,
                .parent = run->layers != nullptr ? run->parent : "",
                .caches = &run->result->caches,
                .environment = (const char *const *)run->ahead->environment.entries,
                .engine = run->decided.judged.engine,
                .image = run->decided.judged.image,
                .image_digest = is_native ? nullptr : container->image.id,
            }),
    };
    TRY(audit_log_append(run->kernel->log, &append, 1, &run->intent, err));
    run_decision_counted(&run->decided);
    run->intended = true;
    run->result->run.intent_seq = run->intent.seq;
    return STATUS_OK;
}

static status_t native_go(struct execution *run, struct run_peer *ret_peer, struct error *err) {
    struct launcher *launcher = run->ahead->launcher;
    bool waits = run->request->network_count > 0; /* for somebody to listen to it */
    if (!waits) {
        TRY(launcher_go_when_ready(launcher, err));
    }
    TRY(launcher_ready(launcher, &run->result->levels, err));
    run->levels_known = true;
    TRY(egress_listen(&run->egress, launcher_take_listener(launcher), err));
    if (waits) {
        TRY(launcher_go(launcher, err));
    }
    *ret_peer = run_peer_native(launcher);
    return STATUS_OK;
}

/* Volume and container are made past the intent: they outlive a command that is killed. */
static status_t container_go(struct execution *run, struct run_peer *ret_peer, struct error *err) {
    const struct run_container_place place = {
        .run = &run->result->run,
        .identity = &run->identity,
        .layers = run->layers,
    };
    TRY(run_container_make(&run->container, &place, err));
    TRY(run_container_start(&run->container, &run->streams, &run->result->levels, err));
    streams_close(&run->streams);
    run->levels_known = true;
    TRY(egress_listen(&run->egress, fd_take(&run->container.listener), err));
    TRY(run_container_go(&run->container, &run->result->exit, err));
    *ret_peer = run_container_peer(&run->container);
    return STATUS_OK;
}

static status_t go(struct execution *run, struct error *err) {
    struct run_peer peer;
    bool is_native = run->request->engine == nullptr;
    TRY(is_native ? native_go(run, &peer, err) : container_go(run, &peer, err));
    if (!is_native && run->result->exit.type == LAUNCHER_EXITED) {
        run->exited = true; /* there was nothing to start */
        run->result->exit_status = record_exit_status(&run->result->exit);
        return STATUS_OK;
    }
    /* The key process warms up beside the payload; earlier it would take the processor from the
     * making of the sandbox. A failure shows when the signature is needed. */
    struct keys_client *warming;
    struct error later;
    (void)!kernel_keys(run->kernel, &warming, &later).code;
    CLEANUP(fd_closep)
    int output =
        openat(run->result->run.fd, "output", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (output < 0) {
        return error_set(err, ERROR_IO, errno, "cannot make the output file of run %s",
                         run->result->run.id);
    }
    TRY(run_control_open(run->kernel, &run->result->run, &peer, &run->control, err));
    TRY(run->request->relay(
        run->request->context,
        &(struct run_exec_relay){
            .peer = &peer,
            .control = run->control,
            .output_fd = output,
            .output_bytes_max = run->ahead->template_row->limits.output_bytes_max,
            .result = run->result,
        },
        err));
    run->exited = true;
    run->result->exit_status = record_exit_status(&run->result->exit);
    return STATUS_OK;
}

/* Everything up to the go, and the run itself. */
static status_t execute(struct execution *run, struct error *err) {
    const struct run_exec_request *request = run->request;
    struct kernel *kernel = run->kernel;
    TRY(run_decide(kernel, request, run->ahead, &run->decided, err));
    if (request->engine != nullptr) {
        TRY(run_container_open(&run->container, kernel, request, run->ahead, err));
    }
    TRY(egress_start(run->decided.policy, request, &run->egress, err));
    TRY(workspace_check(&kernel->state, request->workspace, &run->identity, err));
    TRY(stand_on(run, err));
    TRY(run_create(&kernel->state, &kernel->clock,
                   &(struct run_create_options){
                       .id = run->ahead->run_id,
                       .workspace = request->workspace,
                       .parent = run->layers != nullptr ? run->parent : nullptr,
                       .host_uid = run->ahead->host_uid,
                       .host_gid = run->ahead->host_gid,
                   },
                   &run->result->run, err));
    if (run->layers != nullptr) {
        TRY(run_layers_check(&kernel->state, &run->result->run, run->layers, err));
    }
    command_describe(&run->result->run, request->argv);
    TRY(egress_trust(request, &run->egress, err));
    if (request->engine != nullptr) {
        TRY(run_container_plan(&run->container, builder_slice(&run->egress.trust), err));
    } else {
        TRY(make_plan(run, err));
        TRY(launcher_prepare(run->ahead->launcher, run->plan, &run->streams,
                             run->result->run.lock_fd, err));
        streams_close(&run->streams);
    }
    TRY(intend(run, err));
    TRY(run_save(&run->result->run, false, err));
    return go(run, err);
}

static status_t append_outcome(struct execution *run, const struct error *failure,
                               struct error *err) {
    struct run_exec_result *result = run->result;
    result->duration_us = (clock_monotonic_ns(&run->kernel->clock) - run->started_ns) / 1000;
    struct audit_append append = {
        .event = AUDIT_EVENT_RUN_FINISHED,
        .fields = record_run_finished(
            run->kernel,
            &(struct record_finish){
                .request = run->decided.request_id,
                .run = result->run.id,
                .intent = &run->intent,
                .outcome =
                    failure == nullptr ? record_outcome_text(result->exit.outcome) : "failed",
                .exit_status = run->exited ? result->exit_status : -1,
                .error_slug = failure != nullptr ? error_slug(failure->code) : nullptr,
                .levels = run->levels_known ? &result->levels : nullptr,
                .exit = run->exited ? &result->exit : nullptr,
                .stage = run->sealed ? &result->stage : nullptr,
                .output_bytes = result->output_bytes,
                .output_kept_bytes = result->output_kept_bytes,
                .duration_us = result->duration_us,
                .egress = result->egress,
            }),
    };
    TRY(audit_log_append(run->kernel->log, &append, 1, &result->outcome, err));
    result->run.outcome_seq = result->outcome.seq;
    result->run.finished_ms = clock_wall_ms(&run->kernel->clock);
    result->run.exit_status = run->exited ? result->exit_status : 125;
    return STATUS_OK;
}

static void save_outcome(void *context) {
    struct execution *run = context;
    run->is_saved = true;
    run->save = run_save(&run->result->run, false, &run->save_error);
}

/* Has the outcome signed, and the run's folder cleared up while that goes on. */
static status_t sign_and_save(struct execution *run, struct error *err) {
    struct keys_client *keys;
    status_t started = kernel_keys(run->kernel, &keys, err);
    if (!status_is_ok(started)) {
        save_outcome(run);
        return started;
    }
    keys_client_meanwhile(keys, save_outcome, run);
    status_t status = kernel_checkpoint(run->kernel, run->result->outcome.seq, err);
    if (run->kernel->keys != nullptr) {
        keys_client_finish(run->kernel->keys);
    }
    if (!run->is_saved) {
        save_outcome(run);
    }
    if (status_is_ok(status) && !status_is_ok(run->save)) {
        *err = run->save_error;
        return run->save;
    }
    return status;
}

/* Past the intent: seal what there is, write the outcome, have it signed. */
static status_t conclude(struct execution *run, const struct error *failure, struct error *err) {
    struct run_exec_result *result = run->result;
    if (!run->exited) {
        launcher_closep(
            &run->ahead->launcher);   /* nothing of the sandbox lives when its stage is sealed */
        cgroup_sweep(result->run.id); /* before the run counts as finished: nobody looks again */
    }
    egress_finish(&run->egress);
    result->egress = egress_record(run->request, &run->egress);
    struct error seal_error;
    /* A container that cannot be removed may still write; then the collector seals, later. */
    status_t seal = run_container_end(&run->container, &result->run, &seal_error);
    if (status_is_ok(seal)) {
        seal = stage_seal(&run->kernel->state, &result->run, &result->stage, &seal_error);
    }
    run->sealed = status_is_ok(seal);
    if (!run->sealed && failure == nullptr) {
        failure = &seal_error;
    }
    TRY(append_outcome(run, failure, err));
    TRY(sign_and_save(run, err));
    if (!run->sealed) {
        *err = seal_error;
    }
    return seal;
}

static void execution_deinit(struct execution *run) {
    run_decision_counted(&run->decided);
    run_control_close(run->control);
    run_container_deinit(&run->container);
    launcher_closep(&run->ahead->launcher);
    if (!run->exited && run->result->run.id[0] != '\0') {
        cgroup_sweep(run->result->run.id); /* the launcher may have been killed */
    }
    streams_close(&run->streams);
    egress_deinit(&run->egress);
    run_ahead_deinit(run->ahead);
    plan_free(run->plan);
    free(run->layers);
}

status_t run_exec(struct kernel *kernel, struct run_ahead *ahead,
                  const struct run_exec_request *request, struct run_exec_result *ret_result,
                  struct error *err) {
    ASSERT(request->argv != nullptr && request->argv[0] != nullptr && request->relay != nullptr);
    *ret_result = (struct run_exec_result){.run = {.fd = -1, .lock_fd = -1}};
    struct execution run = {
        .kernel = kernel,
        .request = request,
        .result = ret_result,
        .ahead = ahead,
        .streams = request->streams,
        .decided = {.rates_fd = -1},
        .container = {.gate = {-1, -1}, .listener = -1, .terminal = -1},
        .started_ns = clock_monotonic_ns(&kernel->clock),
    };
    id_generate(clock_wall_ms(&kernel->clock), run.decided.request_id);
    struct error failure;
    status_t status = execute(&run, &failure);
    if (status_is_ok(status)) {
        status = conclude(&run, nullptr, err);
    } else {
        *err = failure;
        struct error second;
        if (run.intended && !status_is_ok(conclude(&run, &failure, &second))) {
            (void)error_context(err, "and then: %.150s", second.message);
        }
    }
    execution_deinit(&run);
    return status;
}
