/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes out of a payload's output what would make the user's terminal act on the payload's behalf:
 * clipboard writes (OSC 52), device control strings (DCS), the other string commands (SOS, PM,
 * APC), and requests that make the terminal type an answer into the input (ENQ, DA, DSR, DECRQM,
 * window reports, OSC colour queries). A state machine: sequences may be split over any number of
 * calls.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { TERMINAL_FILTER_HELD_MAX = 256 };

struct terminal_filter {
    uint8_t state;
    uint8_t utf8_left; /* continuation bytes still to come */
    uint8_t utf8_lead; /* the first byte, until the second came; else 0 */
    bool drop;         /* the string under way is dropped */
    bool single_bytes; /* set after init for a terminal without UTF-8: every byte is a character */
    size_t held_size;
    uint8_t held[TERMINAL_FILTER_HELD_MAX]; /* a sequence that is not judged yet */
    uint64_t dropped_count;                 /* sequences taken out */
};

void terminal_filter_init(struct terminal_filter *filter);
/* Room that terminal_filter_feed() may need for `size` bytes. */
size_t terminal_filter_room(size_t size);
/* Writes what may pass to `out`, which has terminal_filter_room(size) bytes; returns its length. */
size_t terminal_filter_feed(struct terminal_filter *filter, const uint8_t *data, size_t size,
                            uint8_t *out);
