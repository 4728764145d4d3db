/* SPDX-License-Identifier: Apache-2.0
 *
 * What run.exec does otherwise when a container engine runs the command: kernel/run_exec.c tells
 * the order. The workspace becomes an overlay volume whose upper is the run's own, so that what the
 * command writes is a stage like any other.
 */
#pragma once

#include "engine/engine.h"
#include "engine/gate.h"
#include "kernel/run_exec.h"
#include "kernel/workspace.h"

/* In the run's folder, while the container is there. */
#define RUN_CONTAINER_GATE "gate"
#define RUN_CONTAINER_TRUST "trust.pem"

struct run_container {
    const struct run_exec_request *request; /* borrowed */
    const struct run_ahead *ahead;          /* borrowed */
    const struct run_engine *asked;         /* borrowed */
    struct engine *engine;                  /* owned; nullptr: native */
    const char *state_path;                 /* of the state folder; borrowed */
    bool is_rootless;
    struct engine_image image;
    struct engine_container plan;
    struct builder bytes; /* of the plan, for the log's commitment; owned */
    struct gate gate;
    int listener; /* in its network, once it is at its gate; -1: none, or taken */
    struct slice trust;
    char gate_program[LIMIT_PATH_BYTES], gate_socket[LIMIT_PATH_BYTES + 64];
    char trust_file[LIMIT_PATH_BYTES + 64]; /* "": programs have nothing of ours to trust */
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
/* What the container will be, and its bytes. `trust`: certificates for programs inside, borrowed;
 * empty: none. */
status_t run_container_plan(struct run_container *container, struct slice trust, struct error *err);
struct run_container_place {
    struct run *run;
    const struct workspace_identity *identity;
    char *const *layers; /* to stand on; nullptr: none */
};
/* Makes volume and container. Past this run_container_end() has something to remove. */
status_t run_container_make(struct run_container *container,
                            const struct run_container_place *place, struct error *err);
/* Starts it, up to its gate; the streams are the payload's ends, which stay the caller's.
 * *ret_levels says of its walls what they are, mostly the engine's. */
status_t run_container_start(struct run_container *container,
                             const struct launcher_streams *streams,
                             struct sandbox_levels *ret_levels, struct error *err);
/* The command begins. With `ret_exit->type` LAUNCHER_EXITED there was nothing to start: not found,
 * or not executable. */
status_t run_container_go(struct run_container *container, struct launcher_message *ret_exit,
                          struct error *err);
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
