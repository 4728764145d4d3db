/* SPDX-License-Identifier: Apache-2.0
 *
 * Output that waits: blocks of the size of a TLS record, taken from a store of the thread and given
 * back when they are sent, so that an idle stream holds none.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "edge/io_engine.h"

enum { SPARE_MAX = 128, ROOM_LEAST = 2048 };

static struct io_block *take_block(struct io *io) {
    struct io_block *block = io->spare;
    if (block != nullptr) {
        io->spare = block->next;
        io->spare_count--;
    } else {
        block = malloc(sizeof *block);
        if (block == nullptr) {
            return nullptr;
        }
    }
    block->next = nullptr;
    block->start = block->end = 0;
    return block;
}

static void give_block(struct io *io, struct io_block *block) {
    if (io->spare_count >= SPARE_MAX) {
        free(block);
        return;
    }
    block->next = io->spare;
    io->spare = block;
    io->spare_count++;
}

void io_mark_dirty(struct io *io, struct io_stream *stream) {
    if (!stream->is_dirty) {
        stream->is_dirty = true;
        stream->next = io->dirty;
        io->dirty = stream;
    }
}

uint8_t *io_send_room(struct io *io, struct io_stream *stream, size_t *ret_size) {
    if (!stream->is_open || stream->is_shut || stream->is_broken) {
        return nullptr;
    }
    if (stream->waiting >= LIMIT_EDGE_OUTPUT_BYTES) {
        limit_hit(LIMIT_ID_EDGE_OUTPUT_BYTES);
        return nullptr;
    }
    struct io_block *block = stream->last;
    if (block == nullptr || IO_BLOCK_BYTES - block->end < ROOM_LEAST) {
        block = take_block(io);
        if (block == nullptr) {
            return nullptr;
        }
        if (stream->last != nullptr) {
            stream->last->next = block;
        } else {
            stream->first = block;
        }
        stream->last = block;
    }
    *ret_size = IO_BLOCK_BYTES - block->end;
    return block->data + block->end;
}

/* An idle stream holds no block. */
static void trim(struct io *io, struct io_stream *stream) {
    struct io_block *last = stream->last;
    if (last->end > last->start || stream->sends) {
        return;
    }
    struct io_block **at = &stream->first;
    struct io_block *before = nullptr;
    while (*at != last) {
        before = *at;
        at = &before->next;
    }
    *at = nullptr;
    stream->last = before;
    give_block(io, last);
}

void io_send_added(struct io *io, struct io_stream *stream, size_t size) {
    ASSERT(stream->last != nullptr && size <= IO_BLOCK_BYTES - stream->last->end);
    stream->last->end += (uint32_t)size;
    stream->waiting += size;
    if (size > 0) {
        io_mark_dirty(io, stream);
    } else {
        trim(io, stream);
    }
}

bool io_send(struct io *io, struct io_stream *stream, struct slice bytes) {
    while (bytes.size > 0) {
        size_t size = 0;
        uint8_t *room = io_send_room(io, stream, &size);
        if (room == nullptr) {
            return false;
        }
        size = bytes.size < size ? bytes.size : size;
        memcpy(room, bytes.data, size);
        io_send_added(io, stream, size);
        bytes = slice_of(bytes.data + size, bytes.size - size);
    }
    return true;
}

bool io_is_full(struct io_stream *stream) {
    stream->was_full = stream->was_full || stream->waiting > IO_HIGH_WATER;
    return stream->was_full;
}

int io_parts(const struct io_stream *stream, struct iovec parts[static IO_PARTS_MAX]) {
    int count = 0;
    for (struct io_block *block = stream->first; block != nullptr && count < IO_PARTS_MAX;
         block = block->next) {
        if (block->end > block->start) {
            parts[count++] = (struct iovec){block->data + block->start, block->end - block->start};
        }
    }
    return count;
}

void io_drop(struct io *io, struct io_stream *stream, size_t size) {
    stream->waiting -= size;
    while (stream->first != nullptr) {
        struct io_block *block = stream->first;
        size_t there = block->end - block->start;
        if (size < there) {
            block->start += (uint32_t)size;
            return;
        }
        size -= there;
        stream->first = block->next;
        stream->last = stream->first == nullptr ? nullptr : stream->last;
        give_block(io, block);
    }
    ASSERT(size == 0);
}
