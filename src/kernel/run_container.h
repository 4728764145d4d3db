/* SPDX-License-Identifier: Apache-2.0
 *
 * What run.exec does otherwise when a container engine runs the command: kernel/run_exec.c tells
 * the order. The workspace becomes an overlay volume whose upper is the run's own, so that what the
 * command writes is a stage like any other.
 */
#pragma once

#include "engine/engine.h"
#include "kernel/run_exec.h"
#include "kernel/workspace.h"

struct run_container {
    const struct run_exec_request *request; /* borrowed */
    const struct run_ahead *ahead;          /* borrowed */
    const struct run_engine *asked;         /* borrowed */
    struct engine *engine;                  /* owned; nullptr: native */
    struct engine_image image;
    struct engine_container plan;
    struct builder bytes; /* of the plan, for the log's commitment; owned */
    char name[16 + ID_TEXT_BYTES];
    char user[32];
    char label[24];
    bool is_held, is_suspended; /* who wants it to stand still: an asker, a terminal */
    bool is_still;              /* it does */
    int terminal;               /* our end of it; -1: none, or told */
    int sent_signal;
    unsigned interrupt_count;
};

/* Finds the engine and the image, fetching it when that was asked for. Policy has agreed. */
status_t run_container_open(struct run_container *container, const struct kernel *kernel,
                            const struct run_exec_request *request, const struct run_ahead *ahead,
                            struct error *err);
/* What the container will be, and its bytes. */
status_t run_container_plan(struct run_container *container, struct error *err);
struct run_container_place {
    struct run *run;
    const char *state_path; /* of the state folder */
    const struct workspace_identity *identity;
    char *const *layers; /* to stand on; nullptr: none */
};
/* Makes volume and container. Past this run_container_end() has something to remove. */
status_t run_container_make(struct run_container *container,
                            const struct run_container_place *place, struct error *err);
/* Starts it; the streams are the payload's ends, which stay the caller's. With `ret_exit->type`
 * LAUNCHER_EXITED there was nothing to start: not found, or not executable. */
status_t run_container_go(struct run_container *container, const struct launcher_streams *streams,
                          struct launcher_message *ret_exit, struct error *err);
/* What is said of its walls: they are the engine's. */
void run_container_levels(const struct run_container *container, struct sandbox_levels *ret);
struct run_peer run_peer_native(struct launcher *launcher);
struct run_peer run_container_peer(struct run_container *container);
/* Removes what run_container_make() made. Until it succeeds nobody may seal the stage. */
status_t run_container_end(struct run_container *container, struct run *run, struct error *err);
void run_container_deinit(struct run_container *container);

/* Writes runs/<id>/engine, before anything is made. */
status_t run_container_record(const struct run_container *container, const struct run *run,
                              struct error *err);
/* For the collector: removes what a run whose command is dead left behind. */
status_t run_container_collect(struct run *run, struct error *err);
