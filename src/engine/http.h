/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTTP/1.1 response (RFC 9112) as it arrives, piece by piece: what engines send, and nothing
 * that two readers could read in two ways. A state machine without input or output of its own.
 */
#pragma once

#include "base/bytes.h"
#include "base/limits.h"

enum http_result : uint8_t {
    HTTP_MORE,      /* all bytes were taken */
    HTTP_BODY,      /* a piece of the body; go on with the rest of the bytes */
    HTTP_WHOLE,     /* the response has ended; bytes behind it are left */
    HTTP_MALFORMED, /* no response, or one that could be read in two ways */
    HTTP_TOO_LONG,  /* its head is longer than LIMIT_ENGINE_HEAD_BYTES */
};

enum http_phase : uint8_t {
    HTTP_PHASE_HEAD,
    HTTP_PHASE_LENGTH, /* `left` bytes of body */
    HTTP_PHASE_CHUNK_SIZE,
    HTTP_PHASE_CHUNK,     /* `left` bytes of this chunk */
    HTTP_PHASE_CHUNK_END, /* CR LF behind a chunk, and behind the last one */
    HTTP_PHASE_REST,      /* everything up to the end of the connection */
    HTTP_PHASE_DONE,
};

struct http_response {
    struct builder head; /* owned */
    enum http_phase phase;
    unsigned status; /* 0 until the head is whole */
    bool is_last_chunk;
    uint8_t digit_count; /* of a chunk's size, and how much of a line's end has come */
    uint8_t line_end;
    uint64_t left;
};

/* `hijacked` below: the request asked for the connection itself, so that behind the head of a 200
 * or 101 come raw bytes until its end. */
void http_init(struct http_response *response);
void http_deinit(struct http_response *response);
/* Takes bytes from the front of *bytes. With HTTP_BODY *ret_body borrows from them. */
enum http_result http_feed(struct http_response *response, bool hijacked, struct slice *bytes,
                           struct slice *ret_body);
/* The connection has ended: HTTP_WHOLE, or HTTP_MALFORMED when that came too early. */
enum http_result http_end(const struct http_response *response);
