/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that wait to be written: appended at the end, dropped from the front, never more than a
 * maximum.
 */
#pragma once

#include "base/bytes.h"

struct queue {
    uint8_t *data; /* owned */
    size_t start, end, capacity;
    size_t size_max;
};

void queue_init(struct queue *queue, size_t size_max); /* allocates nothing yet */
void queue_deinit(struct queue *queue);
size_t queue_size(const struct queue *queue);
struct slice queue_slice(const struct queue *queue); /* borrowed until the next call */
/* False, and nothing is appended, when it does not fit or memory runs out. */
bool queue_put(struct queue *queue, struct slice bytes);
/* Room for at least one byte and at most `size_max` behind what is there; nullptr when it is full.
 * What is then read into it counts after queue_added(). */
uint8_t *queue_room(struct queue *queue, size_t *ret_size);
void queue_added(struct queue *queue, size_t size);
void queue_drop(struct queue *queue, size_t size);
