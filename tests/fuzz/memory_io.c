/* SPDX-License-Identifier: Apache-2.0 */
#include "memory_io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

static struct memory_io *self_of(struct io *io) {
    return (struct memory_io *)io;
}

static struct memory_end *end_of(struct memory_io *self, const struct io_stream *stream) {
    ASSERT(stream == self->client.stream || stream == self->server.stream);
    return stream == self->client.stream ? &self->client : &self->server;
}

static void clear(struct memory_end *end) {
    end->stream = nullptr;
    end->at = end->size = end->in_hand = 0;
    end->room = MEMORY_ENDLESS;
    end->has_end = end->is_end_in_hand = end->refuses = false;
    end->end_error = 0;
}

static bool memory_open(struct io *io, struct io_stream *stream) {
    ASSERT(self_of(io)->client.stream == nullptr);
    self_of(io)->client.stream = stream;
    return true;
}

static bool memory_connect(struct io *io, struct io_stream *stream, const struct sockaddr *address,
                           socklen_t size) {
    struct memory_io *self = self_of(io);
    ASSERT(self->server.stream == nullptr && size > sizeof address->sa_family);
    if (self->refused != 0) {
        errno = self->refused;
        self->refused = 0;
        return false;
    }
    clear(&self->server);
    self->asked(self);
    self->server.stream = stream;
    return true;
}

static void memory_read_start(struct io *io, struct io_stream *stream) {
    end_of(self_of(io), stream)->in_hand = 0;
    end_of(self_of(io), stream)->is_end_in_hand = false;
}

static void memory_read_stop(struct io *io, struct io_stream *stream) {
    struct memory_end *end = end_of(self_of(io), stream);
    end->in_hand = self_of(io)->is_late ? end->size - end->at : 0;
    end->is_end_in_hand = self_of(io)->is_late && end->has_end;
}

/* What waits in the stream, as far as the other end takes it. */
static void take(struct memory_io *self, struct memory_end *end) {
    struct io_stream *stream = end->stream;
    stream->sends = false;
    if (end->refuses) {
        io_fail(&self->base, stream, EPIPE);
        return;
    }
    while (end->room > 0 && stream->waiting > 0 && !stream->is_closing) {
        size_t sent = 0;
        int count = io_parts(stream, stream->parts);
        for (int i = 0; i < count && end->room > 0; i++) {
            size_t size = stream->parts[i].iov_len;
            size = size < end->room ? size : end->room;
            self->took(self, end, slice_of(stream->parts[i].iov_base, size));
            end->room -= end->room == MEMORY_ENDLESS ? 0 : size;
            sent += size;
        }
        ASSERT(sent > 0 && sent <= stream->waiting);
        io_sent(&self->base, stream, sent);
    }
}

static void memory_flush(struct io *io, struct io_stream *stream) {
    struct memory_io *self = self_of(io);
    if (self->is_late) {
        stream->sends = true; /* what waits is the kernel's until it is done */
    } else {
        take(self, end_of(self, stream));
    }
}

static void forget(struct memory_io *self, struct memory_end *end) {
    struct io_stream *stream = end->stream;
    end->stream = nullptr;
    stream->sends = false;
    io_forget(&self->base, stream);
}

static void memory_close(struct io *io, struct io_stream *stream) {
    struct memory_io *self = self_of(io);
    if (!self->is_late) {
        forget(self, end_of(self, stream));
    }
}

/* What was begun in an earlier turn. */
static void settle(struct memory_io *self, struct memory_end *end) {
    struct io_stream *stream = end->stream;
    if (stream == nullptr) {
        return;
    }
    if (stream->is_closing) {
        forget(self, end);
    } else if (stream->waiting > 0 && !stream->is_broken && !stream->is_connecting) {
        take(self, end);
    }
}

static bool memory_turn(struct io *io, int wait_ms) {
    struct memory_io *self = self_of(io);
    (void)wait_ms;
    io->now_us = self->now_us;
    settle(self, &self->client);
    settle(self, &self->server);
    io_flush_dirty(io);
    self->step(self);
    io_flush_dirty(io);
    return true;
}

static void memory_free(struct io *io) {
    (void)io; /* whoever made it has it */
}

static const struct io_engine ENGINE = {
    .name = "memory",
    .turn = memory_turn,
    .open = memory_open,
    .connect = memory_connect,
    .read_start = memory_read_start,
    .read_stop = memory_read_stop,
    .flush = memory_flush,
    .close = memory_close,
    .free = memory_free,
};

void memory_io_init(struct memory_io *self) {
    self->base = (struct io){.engine = &ENGINE, .now_us = self->now_us};
    self->is_late = false;
    self->refused = 0;
    clear(&self->client);
    clear(&self->server);
}

void memory_io_deinit(struct memory_io *self) {
    ASSERT(self->client.stream == nullptr && self->server.stream == nullptr);
    io_free(&self->base);
}

void memory_put(struct memory_end *end, struct slice bytes) {
    size_t room = end->has_end ? 0 : sizeof end->wire - end->size;
    size_t size = bytes.size < room ? bytes.size : room;
    if (size > 0) {
        memcpy(end->wire + end->size, bytes.data, size);
        end->size += size;
    }
}

/* As memory of its own, so that a sanitizer sees who reads past it or keeps it. */
static void hand_over(struct io_stream *stream, struct slice bytes) {
    uint8_t *copy = malloc(bytes.size);
    ASSERT(copy != nullptr);
    memcpy(copy, bytes.data, bytes.size);
    stream->row->received(stream, slice_of(copy, bytes.size));
    free(copy);
}

bool memory_give(struct memory_io *self, struct memory_end *end, size_t max) {
    struct io_stream *stream = end->stream;
    if (stream == nullptr || stream->is_closing || stream->has_ended || stream->is_connecting) {
        return false;
    }
    size_t size = stream->is_reading ? end->size - end->at : end->in_hand;
    size = size < max ? size : max;
    if (size > 0) {
        end->at += size;
        end->in_hand -= size < end->in_hand ? size : end->in_hand;
        hand_over(stream, slice_of(end->wire + end->at - size, size));
        return true;
    }
    if (end->at < end->size || !end->has_end || !(stream->is_reading || end->is_end_in_hand)) {
        return false;
    }
    if (end->end_error != 0) {
        io_fail(&self->base, stream, end->end_error);
    } else {
        io_end(stream);
    }
    return true;
}

bool memory_answer(struct memory_io *self, int error) {
    struct io_stream *stream = self->server.stream;
    if (stream == nullptr || !stream->is_connecting || stream->is_closing) {
        return false;
    }
    io_connected(&self->base, stream, error);
    return true;
}
