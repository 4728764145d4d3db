/* SPDX-License-Identifier: Apache-2.0
 *
 * What both engines have in common: output, timers, and when an owner is told what.
 */
#include "edge/io.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "edge/io_engine.h"
#include "sys/fd.h"

uint64_t io_fresh_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

void io_clock(struct io *io) {
    io->now_us = io_fresh_us();
}

status_t io_new(enum edge_engine engine, struct io **ret_io,
                char ret_reason[static IO_REASON_BYTES], struct error *err) {
    struct io *io = nullptr;
    (void)snprintf(ret_reason, IO_REASON_BYTES, "the configuration says so");
    if (engine != EDGE_ENGINE_EPOLL) {
        io = io_uring_new(ret_reason);
        if (io == nullptr && engine == EDGE_ENGINE_IO_URING) {
            (void)error_set(err, ERROR_IO, 0, "cannot use io_uring: %s", ret_reason);
            error_hint(err,
                       "Say `engine: auto`, and epoll is used where io_uring is not to be had.");
            return (status_t){ERROR_IO};
        }
    }
    if (io == nullptr) {
        io = io_epoll_new();
    }
    if (io == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, errno, "cannot make an event loop");
    }
    io_clock(io);
    *ret_io = io;
    return STATUS_OK;
}

void io_free(struct io *io) {
    if (io == nullptr) {
        return;
    }
    while (io->spare != nullptr) {
        struct io_block *block = io->spare;
        io->spare = block->next;
        free(block);
    }
    io_pipes_free(io);
    timers_deinit(&io->timers);
    io->engine->free(io);
}

const char *io_name(const struct io *io) {
    return io->engine->name;
}

uint64_t io_now_us(const struct io *io) {
    return io->now_us;
}

uint64_t io_now_ms(const struct io *io) {
    return io->now_us / 1000u;
}

bool io_timer_set(struct io *io, struct timer *timer, uint64_t after_ms) {
    return timers_set(&io->timers, timer, io_now_ms(io) + after_ms);
}

void io_timer_clear(struct io *io, struct timer *timer) {
    timers_clear(&io->timers, timer);
}

static void tell_closed(struct io *io) {
    while (io->closed != nullptr) {
        struct io_stream *stream = io->closed;
        io->closed = stream->next_closed;
        stream->row->closed(stream);
    }
}

bool io_turn(struct io *io) {
    io_flush_dirty(io);
    tell_closed(io);
    io_clock(io);
    int wait_ms = timers_wait_ms(&io->timers, io_now_ms(io));
    if (!io->engine->turn(io, wait_ms)) {
        return false;
    }
    timers_fire(&io->timers, io_now_ms(io));
    tell_closed(io); /* now: whoever waits for the last one to be gone makes no other turn */
    return true;
}

bool io_watch_add(struct io *io, struct io_watch *watch, int fd, uint32_t events) {
    ASSERT(watch->ready != nullptr && fd >= 0);
    watch->fd = fd;
    watch->events = events;
    watch->slot = nullptr;
    if (!io->engine->watch_add(io, watch)) {
        watch->fd = -1;
        return false;
    }
    return true;
}

void io_watch_set(struct io *io, struct io_watch *watch, uint32_t events) {
    if (watch->fd >= 0 && watch->events != events) {
        io->engine->watch_set(io, watch, events);
    }
}

void io_watch_remove(struct io *io, struct io_watch *watch) {
    if (watch->fd >= 0) {
        io->engine->watch_remove(io, watch);
        watch->fd = -1;
        watch->slot = nullptr;
    }
}

bool io_accept_start(struct io *io, struct io_acceptor *acceptor) {
    acceptor->io = io;
    acceptor->again.slot = 0;
    return io->engine->accept_start(io, acceptor);
}

void io_accept_stop(struct io *io, struct io_acceptor *acceptor) {
    io_timer_clear(io, &acceptor->again);
    io->engine->accept_stop(io, acceptor);
}

bool io_accept_move(struct io *io, struct io_acceptor *from, struct io_acceptor *to) {
    to->io = io;
    to->again.slot = 0;
    if (io->engine->accept_move != nullptr && io->engine->accept_move(io, from, to)) {
        return true;
    }
    io_accept_stop(io, from);
    return io_accept_start(io, to);
}

static void begin(struct io_stream *stream, int fd) {
    ASSERT(stream->row != nullptr && fd >= 0);
    *stream = (struct io_stream){.row = stream->row, .fd = fd, .is_open = true};
}

bool io_open(struct io *io, struct io_stream *stream, int fd) {
    begin(stream, fd);
    if (io->engine->open != nullptr && !io->engine->open(io, stream)) {
        stream->fd = -1;
        stream->is_open = false;
        return false;
    }
    return true;
}

bool io_connect(struct io *io, struct io_stream *stream, int fd, const struct sockaddr *address,
                socklen_t size) {
    begin(stream, fd);
    stream->is_connecting = true;
    if (!io->engine->connect(io, stream, address, size)) {
        stream->fd = -1;
        stream->is_open = false;
        return false;
    }
    return true;
}

void io_read_start(struct io *io, struct io_stream *stream) {
    if (stream->is_open && !stream->is_reading && !stream->has_ended && !stream->is_broken) {
        stream->is_reading = true;
        io->engine->read_start(io, stream);
    }
}

void io_read_stop(struct io *io, struct io_stream *stream) {
    if (stream->is_open && stream->is_reading) {
        stream->is_reading = false;
        io->engine->read_stop(io, stream);
    }
}

bool io_is_gone(const struct io_stream *stream) {
    struct pollfd one = {.fd = stream->fd};
    uint8_t byte;
    return stream->is_open && poll(&one, 1, 0) == 1 && (one.revents & (POLLERR | POLLHUP)) != 0 &&
           recv(stream->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

bool io_is_sending(const struct io_stream *stream, uint64_t *ret_mark) {
    struct tcp_info info = {};
    socklen_t size = sizeof info;
    bool has_pipe = stream->source != nullptr && stream->source->pipe != nullptr;
    if (stream->fd >= 0) { /* what is no TCP leaves it as it is */
        (void)getsockopt(stream->fd, IPPROTO_TCP, TCP_INFO, &info, &size);
    }
    *ret_mark = info.tcpi_bytes_acked - stream->waiting;
    return stream->waiting > 0 || has_pipe || info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0;
}

static void shut_if_due(struct io_stream *stream) {
    if (stream->is_shut && stream->waiting == 0 && !stream->is_broken && !stream->is_connecting) {
        (void)shutdown(stream->fd, SHUT_WR);
    }
}

void io_sent(struct io *io, struct io_stream *stream, size_t size) {
    io_drop(io, stream, size);
    if (stream->is_finishing && stream->waiting == 0) {
        io_close(io, stream, false);
        return;
    }
    shut_if_due(stream);
    if (stream->was_full && stream->waiting < IO_LOW_WATER) {
        stream->was_full = false;
        if (stream->row->drained != nullptr) {
            stream->row->drained(stream);
        }
    }
    if (stream->source != nullptr && stream->source->is_piping && stream->waiting == 0) {
        io->engine->pipe_resume(io, stream->source);
    }
}

void io_connected(struct io *io, struct io_stream *stream, int error) {
    stream->is_connecting = false;
    stream->is_broken = error != 0;
    stream->row->connected(stream, error);
    if (stream->is_closing || stream->is_broken) {
        return;
    }
    if (stream->waiting > 0) {
        io_mark_dirty(io, stream);
    } else {
        shut_if_due(stream);
    }
}

void io_fail(struct io *io, struct io_stream *stream, int error) {
    if (stream->is_broken || stream->is_closing) {
        return;
    }
    io_read_stop(io, stream);
    stream->is_broken = true;
    stream->has_ended = true;
    stream->row->ended(stream, error);
}

void io_end(struct io_stream *stream) {
    if (!stream->has_ended && !stream->is_closing && !stream->is_finishing) {
        stream->has_ended = true;
        stream->is_reading = false;
        stream->row->ended(stream, 0);
    }
}

void io_flush_dirty(struct io *io) {
    while (io->dirty != nullptr) {
        struct io_stream *stream = io->dirty;
        io->dirty = stream->next;
        stream->is_dirty = false;
        if (!stream->is_closing && !stream->is_broken && !stream->is_connecting &&
            stream->waiting > 0) {
            io->engine->flush(io, stream);
        }
    }
}

void io_shut(struct io *io, struct io_stream *stream) {
    (void)io;
    if (stream->is_open && !stream->is_shut) {
        stream->is_shut = true;
        shut_if_due(stream);
    }
}

void io_finish(struct io *io, struct io_stream *stream) {
    if (!stream->is_open || stream->is_closing) {
        return;
    }
    io_read_stop(io, stream);
    stream->is_finishing = true;
    if (stream->waiting == 0 || stream->is_broken || stream->is_connecting) {
        io_close(io, stream, false);
    }
}

static void unlink_dirty(struct io *io, struct io_stream *stream) {
    for (struct io_stream **at = &io->dirty; stream->is_dirty && *at != nullptr;
         at = &(*at)->next) {
        if (*at == stream) {
            *at = stream->next;
            stream->is_dirty = false;
            return;
        }
    }
}

void io_close(struct io *io, struct io_stream *stream, bool reset) {
    if (!stream->is_open || stream->is_closing) {
        return;
    }
    if (reset && !stream->is_broken) {
        const struct linger now = {.l_onoff = 1};
        (void)setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    unlink_dirty(io, stream);
    io_part(io, stream);
    stream->is_closing = true;
    stream->is_reading = false;
    io->engine->close(io, stream);
}

void io_forget(struct io *io, struct io_stream *stream) {
    io_drop(io, stream, stream->waiting);
    fd_closep(&stream->fd);
    stream->is_open = false;
    stream->next_closed = io->closed;
    io->closed = stream;
}
