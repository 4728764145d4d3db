/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/channel.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

bool channel_is_empty(const struct channel *channel) {
    return channel->begin == channel->end;
}

bool channel_is_done(const struct channel *channel) {
    return channel_is_empty(channel) && channel->from < 0;
}

struct pollfd channel_poll_from(const struct channel *channel) {
    bool wanted = channel_is_empty(channel) && channel->to >= 0;
    return (struct pollfd){.fd = wanted ? channel->from : -1, .events = POLLIN};
}

struct pollfd channel_poll_to(const struct channel *channel) {
    return (struct pollfd){.fd = channel_is_empty(channel) ? -1 : channel->to, .events = POLLOUT};
}

/* A pty's master answers EIO then. */
bool channel_fill(struct channel *channel) {
    ssize_t length = read(channel->from, channel->buffer, channel->read_max);
    if (length > 0) {
        channel->begin = 0;
        channel->end = (size_t)length;
        return true;
    }
    return length < 0 && (errno == EAGAIN || errno == EINTR);
}

bool channel_drain(struct channel *channel) {
    size_t size = channel->end - channel->begin;
    size_t piece = size < PIPE_BUF ? size : PIPE_BUF;
    ssize_t written = write(channel->to, channel->buffer + channel->begin, piece);
    if (written >= 0) {
        channel->begin += (size_t)written;
        return true;
    }
    return errno == EAGAIN || errno == EINTR;
}
