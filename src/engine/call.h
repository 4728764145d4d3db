/* SPDX-License-Identifier: Apache-2.0
 *
 * One request to an engine and its answer, on a connection of its own.
 */
#pragma once

#include "codec/http.h"
#include "engine/dialer.h"
#include "engine/protocol.h"

struct session;

struct program {
    int socket; /* to airlock */
    struct dialer dialer;
    struct session *session; /* owned; served while a call waits */
    bool is_orphan;          /* airlock is gone; what is left is to clear up */
};

struct call {
    const char *method;
    const char *path;  /* with its query, encoded */
    struct slice body; /* JSON; empty: none */
    uint32_t deadline_ms;
    /* Given the pieces of the body of a success instead of the answer; false ends the call as
     * malformed. nullptr: the answer has it all. */
    bool (*sink)(void *context, struct slice piece);
    void *context;
};

/* How responses of engines are read. */
extern const struct http_options CALL_RESPONSES;

struct answer {
    enum engine_outcome outcome;
    unsigned status;
    int os_errno;
    struct builder body; /* owned */
};

void answer_init(struct answer *answer);
void answer_deinit(struct answer *answer);
/* Puts the request and waits for the whole answer. REFUSED and MISSING are statuses from 400 on. A
 * call ends early, as UNREACHABLE, when airlock itself is gone. */
void call_put(struct program *program, const struct call *call, struct answer *ret_answer);
/* The first half of it: a connection on which the request was sent; -1 with *ret_answer. */
int call_send(struct program *program, const struct call *call, bool hijacks,
              struct answer *ret_answer);
/* Asks for the connection itself: what it carries begins with the bytes that are left in `buffer`.
 * -1 with *ret_answer. */
struct hijack {
    uint8_t *buffer;
    size_t capacity;
    struct slice rest;
};
int call_hijack(struct program *program, const struct call *call, struct hijack *hijack,
                struct answer *ret_answer);

/* What an engine says about a refusal, printable. */
void answer_text(const struct answer *answer, char ret_text[static ENGINE_TEXT_BYTES]);
/* Printable ASCII; other bytes become '?', and what is too long is cut. */
void text_printable(struct slice bytes, char *ret_text, size_t size);
/* Everything but letters, digits and -._~ as %XX; '/' and ':' stay. */
void text_percent(const char *text, struct builder *out);
uint64_t call_now_ms(void);
