/* SPDX-License-Identifier: Apache-2.0
 *
 * The gate: what a container runs first, in place of its command. airlock-gate, a static program of
 * ours that is mounted into the container together with one socket, connects to that socket, opens
 * the listener for the egress proxy in the container's own network namespace and hands it out,
 * waits for its go, puts Airlock's filter of system calls on itself and becomes the command. So no
 * byte of the image runs before the way out is served, whatever engine it is and whoever runs it,
 * and every process of the command has the filter that a native sandbox has. The engine's own
 * profile stays on; as a profile for the engine, ours would have replaced it, and what its form
 * cannot say (an argument that is none of four values, a null pointer) would have been lost.
 *
 *   gate: (connects)   airlock: SETUP   gate: READY with the listener, or why not
 *   airlock: GO        gate: end of the connection (it is the command now), or why not
 *
 * The gate knows nothing of policy and can widen nothing: the filter only takes away.
 */
#pragma once

#include <linux/filter.h>

#include "base/bytes.h"
#include "base/error.h"
#include "engine/engine.h"

#define GATE_PROGRAM "airlock-gate"
#define GATE_PATH "/run/airlock-gate"
#define GATE_SOCKET_PATH "/run/airlock-gate.socket"

enum {
    GATE_LINES_MAX = 1024,
    GATE_SETUP_BYTES = 48 + 8 * GATE_LINES_MAX,
    GATE_REPLY_BYTES = 16,
};

struct gate_setup {
    uint16_t port; /* of 127.0.0.1, to listen at; 0: none */
    /* What the cgroup has to hold, found out by reading it; 0: nobody asks. */
    uint64_t memory_bytes, pid_count;
    bool one_program; /* nothing is to be executed but the command and what starts it */
    uint32_t line_count;
    struct sock_filter lines[GATE_LINES_MAX];
};

enum gate_state : uint8_t {
    GATE_READY = 1,
    GATE_NO_LOOPBACK, /* lo is down: nothing in the container could reach the listener */
    GATE_NO_LISTENER,
    GATE_NO_FILTER,
    GATE_NO_LIMITS,   /* the cgroup does not hold them */
    GATE_NO_LANDLOCK, /* which `one_program` takes */
    GATE_NO_PROGRAM,  /* the command is not there, or cannot be executed */
    GATE_STATE_COUNT,
};

struct gate_reply {
    enum gate_state state;
    uint32_t os_errno;
};

/* The messages as bytes; false when they do not fit, or are none. */
bool gate_setup_encode(const struct gate_setup *setup, struct builder *out);
bool gate_setup_decode(struct slice bytes, struct gate_setup *ret_setup);
bool gate_reply_encode(const struct gate_reply *reply, struct builder *out);
bool gate_reply_decode(struct slice bytes, struct gate_reply *ret_reply);
extern const uint8_t GATE_GO;

/* What the go comes to besides an error. */
enum engine_started : uint8_t {
    ENGINE_STARTED,
    ENGINE_NOT_FOUND,      /* the image has no such program */
    ENGINE_NOT_EXECUTABLE, /* it cannot be executed */
};

/* Whether the cgroup (version 2) whose files stand in `folder` holds a process tree to these. */
bool gate_limits_hold(const char *folder, uint64_t memory_bytes, uint64_t pid_count);

/* Airlock's side. */
struct gate {
    int door; /* listens; -1 once the gate has come */
    int peer; /* the gate; -1: it has not come, or is the command */
};
/* Makes the socket `name` in the folder, for one connection by this user. ERROR_IO. */
struct gate_place {
    int folder;
    const char *name;
    uint32_t uid, gid; /* whose the socket is to be */
};
status_t gate_open(const struct gate_place *place, struct gate *ret_gate, struct error *err);
/* After the container's start: waits for the gate, tells it what to do and waits until it has. With
 * setup->port != 0 *ret_listener is the caller's; else it is -1. ENGINE_GATE when the container
 * ends before, is silent for LIMIT_ENGINE_GATE_MS, or sends what it may not; ENGINE_LOST. */
status_t gate_meet(struct gate *gate, struct engine *engine, const struct gate_setup *setup,
                   int *ret_listener, struct error *err);
/* The command begins. ENGINE_GATE. */
status_t gate_pass(struct gate *gate, enum engine_started *ret_started, struct error *err);
void gate_close(struct gate *gate);
