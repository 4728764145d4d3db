/* SPDX-License-Identifier: Apache-2.0
 *
 * One end of a session: a non-blocking TCP socket, in clear or in TLS.
 */
#pragma once

#include <openssl/types.h>

#include "proxy/loop.h"
#include "proxy/queue.h"

struct stream {
    struct loop_source source; /* its fd while it is in the loop */
    int fd;                    /* owned; -1: none */
    SSL *tls;                  /* owned; nullptr: in clear */
    uint64_t written;          /* bytes, by stream_write() */
    bool wants_write;          /* TLS has to write before it can read on */
    bool wants_read;           /* or the other way around */
};

enum stream_result : uint8_t {
    STREAM_MOVED, /* at least one byte */
    STREAM_AGAIN,
    STREAM_END,
    STREAM_BROKEN,
};

/* Reads what is there behind what the queue holds. AGAIN too when the queue is full. */
enum stream_result stream_read(struct stream *stream, struct queue *queue, size_t *ret_size);
/* Writes what the queue holds; MOVED when it is empty afterwards. */
enum stream_result stream_write(struct stream *stream, struct queue *queue);
/* Whether TLS holds bytes that were received and not read. */
bool stream_holds(const struct stream *stream);
/* No more is written; the other side sees the end. */
void stream_shut(struct stream *stream);
/* Closes it; `reset` aborts the connection. */
void stream_close(struct loop *loop, struct stream *stream, bool reset);
