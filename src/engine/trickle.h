/* SPDX-License-Identifier: Apache-2.0
 *
 * A response that is read piece by piece while other things go on.
 */
#pragma once

#include "codec/http.h"

struct trickle {
    int fd; /* owned; -1: it has ended */
    struct http_response response;
    struct builder body; /* what came and was not taken yet */
};

/* Takes the descriptor. */
void trickle_start(struct trickle *trickle, int fd, size_t bytes_max);
void trickle_stop(struct trickle *trickle);
/* One read, of a descriptor that is ready; anything but HTTP_MORE is its end. */
enum http_result trickle_read(struct trickle *trickle);

/* What a container used, of the samples an engine sends: one JSON object a line. */
struct usage {
    int64_t memory_peak;                /* bytes; the most that any sample saw */
    int64_t cpu_user_ns, cpu_system_ns; /* of the last one */
};
/* Takes the whole lines that came. One that is no JSON counts for nothing. */
void usage_take(struct usage *usage, struct trickle *samples);
