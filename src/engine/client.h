/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's side of airlock-engine, inside: what client.c and client_error.c share.
 */
#pragma once

#include "engine/engine.h"
#include "engine/protocol.h"
#include "sys/program.h"

#define CLIENT_PROGRAM "airlock-engine"

struct engine {
    enum engine_kind kind;
    char socket[LIMIT_PATH_BYTES];
    struct program program;
    bool is_brief;
    bool has_end; /* EXITED came while a reply was waited for */
    struct engine_message end;
    uint8_t buffer[ENGINE_REPLY_BYTES];
    char end_text[ENGINE_TEXT_BYTES];
};

/* The program itself failed; `what` goes on behind its name. */
status_t client_broken(const char *what, struct error *err);
/* What kept `what` ("make a container") from being done. */
status_t client_unanswered(const struct engine *engine, const struct engine_message *reply,
                           const char *what, struct error *err);
/* What `engine->end` says of a container without an end. */
status_t client_lost(const struct engine *engine, struct error *err);
