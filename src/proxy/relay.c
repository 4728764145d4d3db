/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sys/fd.h"

enum {
    HELD_BYTES_MAX = 65536,
    LONG_BYTES = 131072, /* a way that moved so much goes through a pipe */
    PIPE_BYTES = 1 << 20,
    STEPS = 16, /* at a time, so that others have their turn */
};

static void way_init(struct relay_way *way, struct stream *from, struct stream *to) {
    *way = (struct relay_way){.from = from, .to = to, .pipe = {-1, -1}};
    queue_init(&way->held, HELD_BYTES_MAX);
}

void relay_init(struct relay *relay, struct stream *client, struct stream *upstream) {
    way_init(&relay->up, client, upstream);
    way_init(&relay->down, upstream, client);
    relay->up_is_open = false;
}

void relay_open_up(struct relay *relay, struct queue *first) {
    size_t size_max = first->size_max;
    queue_deinit(&relay->up.held);
    relay->up.held = *first;
    relay->up.held.size_max = HELD_BYTES_MAX;
    queue_init(first, size_max);
    relay->up_is_open = true;
}

static void way_deinit(struct relay_way *way) {
    queue_deinit(&way->held);
    fd_closep(&way->pipe[0]);
    fd_closep(&way->pipe[1]);
}

void relay_deinit(struct relay *relay) {
    way_deinit(&relay->up);
    way_deinit(&relay->down);
}

/* A pipe for a way that is long; without one (no descriptors left) it goes on copying. */
static void widen(struct relay_way *way) {
    bool in_clear = way->from->tls == nullptr && way->to->tls == nullptr;
    if (!in_clear || way->pipe[0] >= 0 || way->moved < LONG_BYTES ||
        pipe2(way->pipe, O_NONBLOCK | O_CLOEXEC) != 0) {
        return;
    }
    (void)fcntl(way->pipe[1], F_SETPIPE_SZ, PIPE_BYTES); /* a smaller one works too */
}

static enum stream_result splice_out(struct relay_way *way) {
    while (way->piped > 0) {
        ssize_t moved = splice(way->pipe[0], nullptr, way->to->fd, nullptr, way->piped,
                               SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (moved <= 0) {
            return moved < 0 && (errno == EAGAIN || errno == EINTR) ? STREAM_AGAIN : STREAM_BROKEN;
        }
        way->piped -= (size_t)moved;
        way->moved += (uint64_t)moved;
    }
    return STREAM_MOVED;
}

static enum stream_result splice_in(struct relay_way *way) {
    ssize_t moved = splice(way->from->fd, nullptr, way->pipe[1], nullptr, PIPE_BYTES,
                           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (moved > 0) {
        way->piped += (size_t)moved;
        return STREAM_MOVED;
    }
    if (moved == 0) {
        return STREAM_END;
    }
    return errno == EAGAIN || errno == EINTR ? STREAM_AGAIN : STREAM_BROKEN;
}

static enum stream_result way_out(struct relay_way *way) {
    if (way->piped > 0) {
        return splice_out(way);
    }
    size_t before = queue_size(&way->held);
    enum stream_result result = stream_write(way->to, &way->held);
    way->moved += before - queue_size(&way->held);
    return result;
}

static enum stream_result way_in(struct relay_way *way) {
    size_t size;
    return way->pipe[0] >= 0 ? splice_in(way) : stream_read(way->from, &way->held, &size);
}

/* False when the way is broken. */
static bool way_drive(struct relay_way *way) {
    for (int step = 0; step < STEPS && !way->shut; step++) {
        enum stream_result out = way_out(way);
        if (out != STREAM_MOVED) {
            return out == STREAM_AGAIN;
        }
        if (way->ended) {
            stream_shut(way->to);
            way->shut = true;
            return true;
        }
        widen(way);
        enum stream_result in = way_in(way);
        if (in == STREAM_AGAIN || in == STREAM_BROKEN) {
            return in == STREAM_AGAIN;
        }
        way->ended = in == STREAM_END;
    }
    return true;
}

enum relay_result relay_drive(struct relay *relay, uint64_t *ret_up, uint64_t *ret_down) {
    uint64_t up = relay->up.moved;
    uint64_t down = relay->down.moved;
    bool is_whole = (!relay->up_is_open || way_drive(&relay->up)) && way_drive(&relay->down);
    *ret_up = relay->up.moved - up;
    *ret_down = relay->down.moved - down;
    if (!is_whole) {
        return RELAY_BROKEN;
    }
    return relay->up.shut && relay->down.shut ? RELAY_ENDED : RELAY_ON;
}

static void way_interest(const struct relay_way *way, uint32_t *from, uint32_t *to) {
    bool waits = way->piped > 0 || queue_size(&way->held) > 0;
    if (waits && !way->shut) {
        *to |= LOOP_WRITE;
    } else if (!way->ended) {
        *from |= LOOP_READ;
    }
}

void relay_interest(const struct relay *relay, uint32_t *ret_client, uint32_t *ret_upstream) {
    *ret_client = *ret_upstream = 0;
    if (relay->up_is_open) {
        way_interest(&relay->up, ret_client, ret_upstream);
    }
    way_interest(&relay->down, ret_upstream, ret_client);
}
