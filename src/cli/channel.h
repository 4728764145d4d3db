/* SPDX-License-Identifier: Apache-2.0
 *
 * One direction of bytes between two files, through a buffer; streams.c moves three of them.
 */
#pragma once

#include <poll.h>

#include "cli/terminal_filter.h"

enum { CHANNEL_BYTES = 65536 };

/* One direction: bytes go from a file to another through a buffer. */
struct channel {
    int from; /* -1: at its end */
    int to;   /* -1: nobody takes bytes any more */
    size_t begin, end;
    size_t read_max;  /* bytes taken at once */
    bool is_filtered; /* goes to a terminal of the user's */
    struct terminal_filter filter;
    uint8_t buffer[CHANNEL_BYTES];
};

bool channel_is_empty(const struct channel *channel);
bool channel_is_done(const struct channel *channel);
/* poll(2) entries for what it waits for; fd -1, which the kernel skips, for nothing. */
struct pollfd channel_poll_from(const struct channel *channel);
struct pollfd channel_poll_to(const struct channel *channel);
/* Reads into the empty buffer; false at the end of the source. */
bool channel_fill(struct channel *channel);
/* Writes a piece; false when nobody reads any more. */
bool channel_drain(struct channel *channel);
