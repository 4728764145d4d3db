/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files about runs share beyond sandbox/stage.h.
 */
#pragma once

#include "sandbox/stage.h"

/* Reads runs/<id>/meta. Not found, or without a meta yet, is *ret_found = false. */
status_t run_read(int runs_fd, const char *id, struct run *ret_run, bool *ret_found,
                  struct error *err);

/* A folder of the run's that belongs to the payload. */
status_t run_make_folder(int fd, const char *name, unsigned mode, uint32_t uid, uint32_t gid,
                         struct error *err);

/* It has changes that were neither applied nor discarded, and nothing writes them any more. */
bool run_stage_is_open(const struct run *run);

/* The form of "its last 6 or more hex digits". */
bool run_name_is_suffix(const char *name);

/* A run and the open stages it stands on, newest first. Runs between them without changes are left
 * out; an applied one ends the stack, because what it changed is in the workspace. The first is the
 * run itself whatever its state. Large: keep it off the stack. */
struct run_stack {
    struct run runs[LIMIT_STAGE_STACK + 1];
    size_t count;
};
/* The fds are open; run_stack_close() closes them. */
status_t run_stack_read(const struct state *state, const struct run *run, struct run_stack *ret,
                        struct error *err);
void run_stack_close(struct run_stack *stack);

/* BUSY when a live run, or unless `live_only` one whose stage is open, stands on the stage of
 * `run`. */
status_t run_check_standing(const struct state *state, const struct run *run, bool live_only,
                            struct error *err);

/* Marks a run's stage as applied or discarded, durably, and removes its files. */
status_t run_save_closed(const struct state *state, struct run *run, enum run_state closed,
                         struct error *err);
