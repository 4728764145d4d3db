/* SPDX-License-Identifier: Apache-2.0
 *
 * Apply: a stage's stack becomes the workspace's content, whole or not at all.
 *
 *   1  lock the workspace against other applies; its lock file names the run from here on
 *   2  check everything (merge_check.c); the caller's intent entry is written
 *   3  runs/<id>/apply.prepared: the list of steps, durable
 *   4  temporaries beside their targets; syncfs
 *   5  apply.prepared -> apply, durable: the commit
 *   6  the steps; syncfs
 *   7  meta of every run of the stack; the caller's outcome entry is written
 *   8  apply removed; the lock file emptied
 *
 * stage_recover() looks at lock files that are not empty. With `apply` it goes on at 6, with
 * apply.prepared only it removes the temporaries and the workspace is as before.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/choices.h"
#include "sandbox/merge_write.h"
#include "sandbox/stage_lock.h"
#include "sys/fd.h"
#include "sys/file.h"

enum { STEPS_BYTES_MAX = 1 << 30 };

static status_t apply_prepare(struct run *run, struct slice list, struct error *err) {
    struct file_write_options options = {.mode = 0600, .durable = true};
    merge_step_begins();
    return file_write_atomic(run->fd, STAGE_STEPS_PREPARED, list, &options, err);
}

static status_t apply_commit(struct run *run, struct error *err) {
    merge_step_begins();
    if (renameat(run->fd, STAGE_STEPS_PREPARED, run->fd, STAGE_STEPS_COMMITTED) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot commit the list of steps");
    }
    return fd_sync(run->fd, "the list of steps", err);
}

/* Everything up to the commit; undone by the caller on failure. */
static status_t apply_write(const struct merge *merge, const struct merge_plan *plan,
                            const struct merge_steps *steps, struct run *run, struct slice list,
                            struct error *err) {
    merge_step_begins();
    TRY(merge_record_parts(merge, err));
    TRY(apply_prepare(run, list, err));
    TRY(merge_write_temporaries(merge, plan, steps, err));
    merge_step_begins();
    TRY(fd_sync_filesystem(merge->workspace_fd, "the workspace", err));
    return apply_commit(run, err);
}

static void apply_undo(const struct merge *merge, const struct merge_steps *steps,
                       struct run *run) {
    merge_steps_remove_temporaries(steps, merge->workspace_fd);
    (void)unlinkat(run->fd, STAGE_STEPS_PREPARED, 0);
}

/* Of these something stays in the stage. */
static size_t apply_part_count(const struct merge *merge, const struct merge_plan *plan) {
    size_t count = 0;
    for (size_t i = 0; i < merge->list.count; i++) {
        count +=
            plan->items[i].verdict == MERGE_VERDICT_APPLY && merge->list.items[i].after_is_part;
    }
    return count;
}

/* The Merkle roots over the touched paths as they are and as they will be. */
static status_t apply_digests(const struct merge *merge, const struct merge_plan *plan,
                              struct apply_result *result, struct error *err) {
    CLEANUP(memory_freep) struct change *touched = calloc(merge->list.count + 1, sizeof *touched);
    if (touched == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot check the stage");
    }
    struct change_list list = {.items = touched};
    for (size_t i = 0; i < merge->list.count; i++) {
        if (plan->items[i].verdict == MERGE_VERDICT_APPLY) {
            touched[list.count] = merge->list.items[i];
            touched[list.count++].after = plan->items[i].current;
        }
    }
    base_record_digest(&list, &result->before);
    list.count = 0;
    for (size_t i = 0; i < merge->list.count; i++) {
        if (plan->items[i].verdict == MERGE_VERDICT_APPLY) {
            touched[list.count++].after = merge->list.items[i].after;
        }
    }
    base_record_digest(&list, &result->after);
    return STATUS_OK;
}

/* Steps of a plan that may go ahead. */
static status_t apply_admitted(const struct state *state, struct run *run, struct merge *merge,
                               const struct merge_plan *plan, const struct apply_options *options,
                               const struct apply_result *result, struct error *err) {
    CLEANUP(merge_steps_deinit) struct merge_steps steps = {0};
    CLEANUP(builder_deinit) struct builder list;
    (void)snprintf(steps.run_id, sizeof steps.run_id, "%s", run->id);
    (void)snprintf(steps.workspace, sizeof steps.workspace, "%s", run->workspace);
    steps.closes_stage = result->stage_is_closed;
    for (size_t i = 0; steps.closes_stage && i < merge->stack->count; i++) {
        /* Its files go when it is closed, and with them what a live run sees. */
        TRY(run_check_standing(state, &merge->stack->runs[i], true, err));
    }
    TRY(merge_write_steps(merge, plan, &steps, err));
    builder_init(&list, STEPS_BYTES_MAX);
    merge_steps_encode(&steps, &list);
    if (!builder_is_ok(&list)) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot list the steps");
    }
    if (options->admitted != nullptr) {
        struct digest digest;
        sha256_of(builder_slice(&list), &digest);
        TRY(options->admitted(options->context, (uint32_t)steps.count, &digest, err));
    }
    status_t status = apply_write(merge, plan, &steps, run, builder_slice(&list), err);
    if (!status_is_ok(status)) {
        apply_undo(merge, &steps, run);
        return status;
    }
    uint32_t left = 0;
    TRY(stage_finish(state, run, &steps, merge->workspace_fd, &left, err));
    if (left == 0 && options->finished != nullptr) {
        TRY(options->finished(options->context, result, err));
    }
    TRY(stage_forget(run, err));
    if (left > 0) {
        return error_set(err, ERROR_WORKSPACE_MOVED, 0,
                         "%u of %zu steps found the workspace changed while it was written; the "
                         "stage stays open",
                         left, steps.count);
    }
    return STATUS_OK;
}

static status_t apply_locked(const struct state *state, struct run *run,
                             const struct apply_options *options, struct apply_result *ret_result,
                             struct error *err) {
    CLEANUP(merge_close) struct merge merge = {0};
    TRY(merge_open(state, run, &merge, err));
    if (merge.workspace_fd < 0) {
        return error_set(err, ERROR_WORKSPACE_UNUSABLE, 0, "the workspace %s is gone",
                         run->workspace);
    }
    if (options->choices != nullptr) {
        TRY(merge_take_parts(&merge, options->choices, err));
    }
    CLEANUP(merge_plan_deinit) struct merge_plan plan = {0};
    TRY(merge_plan_make(&merge, options, &plan, err));
    if (options->planned != nullptr) {
        TRY(options->planned(options->context, &merge, &plan, err));
    }
    size_t applied = plan.counts[MERGE_VERDICT_APPLY];
    size_t done = plan.counts[MERGE_VERDICT_DONE];
    size_t before = plan.counts[MERGE_VERDICT_BEFORE];
    size_t skipped =
        merge.list.count - applied - done - before - plan.counts[MERGE_VERDICT_UNNAMED];
    if (skipped > 0 && !options->skip_refused) {
        return merge_plan_error(&merge, &plan, err);
    }
    if (applied + done == 0) {
        if (skipped > 0) {
            return merge_plan_error(&merge, &plan, err);
        }
        return error_set(err, ERROR_STAGE_EMPTY, 0, "run %s has nothing there to apply", run->id);
    }
    struct apply_result result = {.applied = (uint32_t)applied, .skipped = (uint32_t)skipped};
    result.parts = (uint32_t)apply_part_count(&merge, &plan);
    result.stage_is_closed = applied + done + before - result.parts == merge.list.count;
    TRY(apply_digests(&merge, &plan, &result, err));
    TRY(apply_admitted(state, run, &merge, &plan, options, &result, err));
    for (size_t i = 0; i < merge.list.count && options->not_carried != nullptr; i++) {
        bool applied_it = plan.items[i].verdict == MERGE_VERDICT_APPLY;
        if (applied_it && merge.list.items[i].is_relisted) {
            options->not_carried(options->context, merge.list.items[i].path);
        }
    }
    *ret_result = result;
    return STATUS_OK;
}

status_t stage_apply(const struct state *state, struct run *run,
                     const struct apply_options *options, struct apply_result *ret_result,
                     struct error *err) {
    struct stage_lock lock;
    TRY(stage_lock_take(state, run, &lock, err));
    status_t status = apply_locked(state, run, options, ret_result, err);
    stage_lock_release(&lock, run);
    if (!status_is_ok(status)) {
        return error_context(err, "applying run %s", run->id);
    }
    return STATUS_OK;
}
