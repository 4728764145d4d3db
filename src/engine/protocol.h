/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages between airlock and airlock-engine, over the SOCK_SEQPACKET socket that the program
 * finds as fd 3, and the bytes of a container that is to be made. Every request (schema/engine.def)
 * gets one reply; a pull sends PROGRESS before its reply, and a container that was started one
 * EXITED when it has ended.
 */
#pragma once

#include "base/bytes.h"
#include "base/limits.h"
#include "engine/container.h"

enum engine_operation : uint8_t {
#define ENGINE(name, states, fds) ENGINE_##name,
#include "engine.def"
#undef ENGINE
    ENGINE_OPERATION_COUNT,
};

enum engine_state : uint8_t { ENGINE_STATE_NEW, ENGINE_STATE_IDLE, ENGINE_STATE_RUNNING };

enum {
    ENGINE_FD_SOCKET = 3,
    ENGINE_TEXT_BYTES = 512, /* with its NUL */
    ENGINE_NAME_BYTES = 512,
    ENGINE_NUMBERS = 9,
    ENGINE_REQUEST_BYTES = 64 + 2 * LIMIT_PATH_BYTES + ENGINE_NAME_BYTES,
    ENGINE_REPLY_BYTES = 64 + ENGINE_TEXT_BYTES + ENGINE_NAME_BYTES + 8 * ENGINE_NUMBERS,
};

/* Texts are borrowed. What name, text and numbers mean depends on the operation; see client.c. */
struct engine_request {
    enum engine_operation operation;
    uint32_t deadline_ms; /* for the answer; 0: LIMIT_ENGINE_CALL_MS */
    const char *name;     /* of a container, volume or image, or the path of the socket */
    const char *text;     /* less than two paths long */
    int64_t numbers[ENGINE_NUMBERS];
};

enum engine_outcome : uint8_t {
    ENGINE_DONE = 1,
    ENGINE_REFUSED,     /* the engine said no; text is what it said, status its HTTP status */
    ENGINE_MISSING,     /* 404: there is no such thing */
    ENGINE_UNREACHABLE, /* nobody listens, or the connection broke */
    ENGINE_TIMEOUT,
    ENGINE_MALFORMED, /* the answer is no HTTP, no JSON, or not what was asked for */
    ENGINE_TOO_LONG,
    ENGINE_INTERNAL, /* it could not be confined, memory ran out, the request cannot be put */
    ENGINE_OUTCOME_COUNT,
};

enum engine_message_kind : uint8_t {
    ENGINE_KIND_REPLY = 1,
    ENGINE_KIND_PROGRESS, /* numbers[0]: percent */
    ENGINE_KIND_EXITED,   /* numbers: see enum engine_exit_number */
    ENGINE_KIND_COUNT,
};

/* Of EXITED. */
enum engine_exit_number : uint8_t {
    ENGINE_EXIT_STATUS, /* as the engine tells it: 128 + n for signal n, among others */
    ENGINE_EXIT_FLAGS,
    ENGINE_EXIT_WALL_NS,
    ENGINE_EXIT_MEMORY,   /* the most memory a sample saw, in bytes; 0: none came in time */
    ENGINE_EXIT_CPU_USER, /* of the last sample, in ns */
    ENGINE_EXIT_CPU_SYSTEM,
    ENGINE_EXIT_PAUSED_NS, /* not part of the wall time */
};
enum engine_exit_flag : uint8_t {
    ENGINE_EXIT_OOM = 1,
    ENGINE_EXIT_TIMED_OUT = 2,
    ENGINE_EXIT_FLAGS_ALL = 3,
};

struct engine_message {
    enum engine_message_kind kind;
    enum engine_operation operation; /* that a REPLY answers */
    enum engine_outcome outcome;
    uint32_t status; /* HTTP */
    uint32_t os_errno;
    const char *text; /* printable ASCII */
    const char *name; /* printable ASCII */
    int64_t numbers[ENGINE_NUMBERS];
};

/* How many descriptors come with a request. */
size_t engine_fd_count(enum engine_operation operation);
bool engine_is_permitted(enum engine_operation operation, enum engine_state state);

/* False when something does not fit. */
bool engine_request_encode(const struct engine_request *request, struct builder *out);
bool engine_request_decode(struct slice bytes, struct engine_request *ret_request);
bool engine_message_encode(const struct engine_message *message, struct builder *out);
bool engine_message_decode(struct slice bytes, struct engine_message *ret_message);

/* A container as bytes; what is decoded borrows from them, but for the two lists, which
 * engine_container_deinit() frees. */
bool engine_container_encode(const struct engine_container *container, struct builder *out);
bool engine_container_decode(struct slice bytes, struct engine_container *ret_container);
void engine_container_deinit(struct engine_container *container);
