/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTTP/1.1 response (RFC 9112) as it arrives, piece by piece: what the servers of engines and
 * witnesses send, and nothing that two readers could read in two ways. A state machine without
 * input or output of its own. Why not a library: docs/adr/0014-one-response-parser.md.
 */
#pragma once

#include "base/bytes.h"

enum http_result : uint8_t {
    HTTP_MORE,      /* all bytes were taken */
    HTTP_BODY,      /* a piece of the body; go on with the rest of the bytes */
    HTTP_WHOLE,     /* the response has ended; bytes behind it are left */
    HTTP_MALFORMED, /* no response, or one that could be read in two ways */
    HTTP_TOO_LONG,  /* its head is longer than head_bytes_max */
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

struct http_options {
    size_t head_bytes_max;
    bool takes_old; /* HTTP/1.0 too */
    /* Each field of the head, without the space around its value; false: the response is malformed.
     * nullptr: nobody wants to know. */
    bool (*field)(void *context, struct slice name, struct slice value);
    void *context;
};

struct http_response {
    const struct http_options *options; /* borrowed */
    struct builder head;                /* owned */
    enum http_phase phase;
    unsigned status; /* 0 until the head is whole; 101 when it was hijacked, or 200..599 */
    bool is_last_chunk;
    uint8_t digit_count; /* of a chunk's size, and how much of a line's end has come */
    uint8_t line_end;
    uint64_t left; /* at least: a length without measure is cut */
};

/* `hijacked` below: the request asked for the connection itself, so that behind the head of a 200
 * or 101 come raw bytes until its end. */
void http_init(struct http_response *response, const struct http_options *options);
void http_deinit(struct http_response *response);
/* Takes bytes from the front of *bytes. With HTTP_BODY *ret_body borrows from them. */
enum http_result http_feed(struct http_response *response, bool hijacked, struct slice *bytes,
                           struct slice *ret_body);
/* The connection has ended: HTTP_WHOLE, or HTTP_MALFORMED when that came too early. */
enum http_result http_end(const struct http_response *response);

/* Whether the bytes are this word, which is in lower case, in any case. */
bool http_is_word(struct slice bytes, const char *lower_case);
