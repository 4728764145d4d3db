/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "sys/fd.h"

static enum stream_result tls_result(struct stream *stream, int result, bool reading) {
    switch (SSL_get_error(stream->tls, result)) {
    case SSL_ERROR_WANT_READ:
        stream->wants_read = !reading;
        return STREAM_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        stream->wants_write = reading;
        return STREAM_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return STREAM_END;
    default:
        return STREAM_BROKEN;
    }
}

static enum stream_result receive(struct stream *stream, uint8_t *room, size_t size,
                                  size_t *ret_size) {
    if (stream->tls != nullptr) {
        ERR_clear_error();
        stream->wants_write = false;
        int result = SSL_read_ex(stream->tls, room, size, ret_size);
        return result == 1 ? STREAM_MOVED : tls_result(stream, result, true);
    }
    ssize_t got = recv(stream->fd, room, size, 0);
    if (got > 0) {
        *ret_size = (size_t)got;
        return STREAM_MOVED;
    }
    if (got == 0) {
        return STREAM_END;
    }
    return errno == EAGAIN || errno == EINTR ? STREAM_AGAIN : STREAM_BROKEN;
}

enum stream_result stream_read(struct stream *stream, struct queue *queue, size_t *ret_size) {
    size_t size = 0;
    *ret_size = 0;
    uint8_t *room = queue_room(queue, &size);
    if (room == nullptr) {
        return STREAM_AGAIN;
    }
    enum stream_result result = receive(stream, room, size, ret_size);
    if (result == STREAM_MOVED) {
        queue_added(queue, *ret_size);
    }
    return result;
}

static enum stream_result transmit(struct stream *stream, struct slice bytes, size_t *ret_size) {
    if (stream->tls != nullptr) {
        ERR_clear_error();
        stream->wants_read = false;
        int result = SSL_write_ex(stream->tls, bytes.data, bytes.size, ret_size);
        return result == 1 ? STREAM_MOVED : tls_result(stream, result, false);
    }
    ssize_t sent = send(stream->fd, bytes.data, bytes.size, MSG_NOSIGNAL);
    if (sent >= 0) {
        *ret_size = (size_t)sent;
        return STREAM_MOVED;
    }
    return errno == EAGAIN || errno == EINTR ? STREAM_AGAIN : STREAM_BROKEN;
}

enum stream_result stream_write(struct stream *stream, struct queue *queue) {
    while (queue_size(queue) > 0) {
        size_t size = 0;
        enum stream_result result = transmit(stream, queue_slice(queue), &size);
        if (result != STREAM_MOVED) {
            return result == STREAM_END ? STREAM_BROKEN : result;
        }
        queue_drop(queue, size);
        stream->written += size;
    }
    return STREAM_MOVED;
}

bool stream_holds(const struct stream *stream) {
    return stream->tls != nullptr && SSL_pending(stream->tls) > 0;
}

void stream_shut(struct stream *stream) {
    if (stream->tls != nullptr) {
        ERR_clear_error();
        (void)SSL_shutdown(stream->tls);
    }
    (void)shutdown(stream->fd, SHUT_WR);
}

void stream_close(struct loop *loop, struct stream *stream, bool reset) {
    loop_remove(loop, &stream->source);
    if (stream->tls != nullptr) {
        SSL_free(stream->tls);
        stream->tls = nullptr;
    }
    if (stream->fd >= 0 && reset) {
        const struct linger now = {.l_onoff = 1};
        (void)setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    fd_closep(&stream->fd);
}
