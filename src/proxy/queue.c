/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

enum { STEP = 131072 };

void queue_init(struct queue *queue, size_t size_max) {
    *queue = (struct queue){.size_max = size_max};
}

/* A header that was added outside may have been in it. */
static void wipe(struct queue *queue) {
    if (queue->data != nullptr) {
        explicit_bzero(queue->data, queue->capacity);
        free(queue->data);
    }
}

void queue_deinit(struct queue *queue) {
    wipe(queue);
    *queue = (struct queue){};
}

size_t queue_size(const struct queue *queue) {
    return queue->end - queue->start;
}

struct slice queue_slice(const struct queue *queue) {
    return slice_of(queue->data + queue->start, queue_size(queue));
}

/* Makes room for `size` bytes at the end. */
static bool reserve(struct queue *queue, size_t size) {
    size_t held = queue_size(queue);
    if (size > queue->size_max - held) {
        return false;
    }
    if (queue->capacity - queue->end >= size) {
        return true;
    }
    if (queue->start > 0) {
        memmove(queue->data, queue->data + queue->start, held);
        queue->start = 0;
        queue->end = held;
    }
    if (queue->capacity - held < size) {
        size_t capacity = (held + size + STEP - 1) / STEP * STEP;
        capacity = capacity < 2 * queue->capacity ? 2 * queue->capacity : capacity;
        uint8_t *data = malloc(capacity);
        if (data == nullptr) {
            return false;
        }
        if (held > 0) {
            memcpy(data, queue->data, held);
        }
        wipe(queue);
        queue->data = data;
        queue->capacity = capacity;
    }
    return true;
}

bool queue_put(struct queue *queue, struct slice bytes) {
    if (!reserve(queue, bytes.size)) {
        return false;
    }
    if (bytes.size > 0) {
        memcpy(queue->data + queue->end, bytes.data, bytes.size);
        queue->end += bytes.size;
    }
    return true;
}

uint8_t *queue_room(struct queue *queue, size_t *ret_size) {
    size_t left = queue->size_max - queue_size(queue);
    size_t wanted = left < STEP ? left : STEP;
    if (left == 0 || !reserve(queue, wanted)) {
        return nullptr;
    }
    size_t there = queue->capacity - queue->end;
    *ret_size = there < left ? there : left;
    return queue->data + queue->end;
}

void queue_added(struct queue *queue, size_t size) {
    ASSERT(size <= queue->capacity - queue->end);
    queue->end += size;
}

void queue_drop(struct queue *queue, size_t size) {
    ASSERT(size <= queue_size(queue));
    queue->start += size;
    if (queue->start == queue->end) {
        queue->start = queue->end = 0;
    }
}
