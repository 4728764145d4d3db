/* SPDX-License-Identifier: Apache-2.0
 *
 * A container that runs: its streams, its end, its time limit. Served from the one loop of
 * airlock-engine, and from within every call that waits.
 */
#pragma once

#include <poll.h>

#include "engine/call.h"

enum { SESSION_POLLS = 6 };

struct session;

struct session_start {
    const char *name; /* of the container */
    uint64_t wall_ms; /* 0: no limit */
    bool terminal;
    int streams[3]; /* consumed; a terminal's are the first */
};

struct session *session_new(void);
void session_free(struct session *session);
bool session_is_running(const struct session *session);

/* Attaches, starts, and waits for the end; the answer is that of the call which failed, or of the
 * start. */
void session_start(struct program *program, const struct session_start *start,
                   struct answer *ret_answer);
/* The container stands still from now on, or goes on: time between counts against no limit. */
void session_hold(struct session *session, bool is_held);
/* Fills the entries of poll(2), -1 where nothing is to be waited for. */
void session_polls(struct session *session, struct pollfd polls[static SESSION_POLLS]);
void session_serve(struct session *session, const struct pollfd polls[static SESSION_POLLS]);
/* When session_step() has something to do without any descriptor being ready; UINT64_MAX: never. */
uint64_t session_wake_ms(const struct session *session);
/* Puts the calls that are due: ends what ran too long, or whose output nobody reads. True, once,
 * when it has ended; the message is EXITED. */
bool session_step(struct program *program, struct engine_message *ret_message,
                  char ret_text[static ENGINE_TEXT_BYTES]);
