/* SPDX-License-Identifier: Apache-2.0
 *
 * The form in which engines send two streams over one connection: frames of one byte that names the
 * stream (0 and 1 standard output, 2 standard error), three zero bytes, a big-endian u32 length,
 * and so many bytes. A state machine: frames may be split anywhere.
 */
#pragma once

#include "base/bytes.h"

enum { DEMUX_HEADER_BYTES = 8 };

struct demux {
    uint8_t header[DEMUX_HEADER_BYTES];
    uint8_t have;  /* bytes of the header */
    uint32_t left; /* bytes of the frame */
};

/* Takes bytes from the front of *bytes until there is a piece of one stream, which borrows from
 * them, or none are left (an empty piece). False: it is not of this form. */
bool demux_feed(struct demux *demux, struct slice *bytes, struct slice *ret_piece,
                bool *ret_is_error);
/* The end may come now. */
bool demux_is_between(const struct demux *demux);
