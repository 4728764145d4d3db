/* SPDX-License-Identifier: Apache-2.0
 *
 * A program that runs for ten milliseconds and ends is served badly by an allocator that keeps its
 * memory small: musl's gave back a page and asked for it again some seventy times in one run, and
 * each time cost the system call, the fault and the zeroing. Here nothing goes back before the
 * end, but for blocks so large that they have a mapping of their own.
 *
 * A block is a header of 8 bytes and what the caller uses; blocks stand one after the other in
 * pieces of a MiB. Their sizes are 64 steps of 16 bytes, then four to a doubling, and a block stays
 * what it was first made for: it is never split or joined, so that freeing is a push on the list
 * of its class, and allocating a pop. The price is memory that one class has too much of and
 * another lacks, at most the sum of each class's highest mark.
 *
 * The header holds the block's size and a seal over size, address, state and a secret. Whoever
 * writes beyond the end of a block breaks the next one's seal, a second free() does not find the
 * seal it looks for, and the links of the lists are hidden by the secret: each ends the program
 * instead of going on with what somebody else wrote.
 */
#include "sys/heap.h"

#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"

enum {
    UNIT = HEAP_ALIGNMENT,
    HEADER_BYTES = 8,
    LINEAR_UNITS = 64,        /* up to here a class for each number of units */
    LINEAR_SHIFT = 6,         /* its logarithm */
    STEPS_SHIFT = 2,          /* of the classes in a doubling */
    FIRST_BYTES = 192 * 1024, /* what a run uses; its pages are had in one call, not by faults */
    PIECE_BYTES = 1024 * 1024,
};

enum state : uint64_t { LIVE = 0x6c697665, FREE = 0x66726565, MAPPED = 0x6d617070 };

struct header {
    uint32_t units; /* of the block, this header among them */
    uint32_t seal;
};
static_assert(sizeof(struct header) == HEADER_BYTES);

static uint32_t seal_of(const struct heap *heap, const struct header *header, enum state state) {
    uint64_t mixed = heap->secret ^ (uint64_t)(uintptr_t)header ^ state;
    mixed = (mixed ^ ((uint64_t)header->units << 32)) * UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 29)) * (heap->secret | 1);
    return (uint32_t)(mixed >> 32);
}

static struct header *header_of(const void *data) {
    ASSERT((uintptr_t)data % HEAP_ALIGNMENT == 0);
    return (struct header *)((uintptr_t)data - HEADER_BYTES);
}

static void *data_of(struct header *header) {
    return header + 1;
}

static size_t usable_of(const struct header *header) {
    return (size_t)header->units * UNIT - HEADER_BYTES;
}

static unsigned class_of(uint32_t units) {
    if (units <= LINEAR_UNITS) {
        return units - 1;
    }
    unsigned shift = 31u - (unsigned)__builtin_clz(units - 1);
    uint32_t step = (units - 1 - (UINT32_C(1) << shift)) >> (shift - STEPS_SHIFT);
    return LINEAR_UNITS + ((shift - LINEAR_SHIFT) << STEPS_SHIFT) + step;
}

/* The units of every block of a class. */
static uint32_t units_of(unsigned class) {
    ASSERT(class < HEAP_CLASS_COUNT);
    if (class < LINEAR_UNITS) {
        return class + 1;
    }
    unsigned above = class - LINEAR_UNITS;
    unsigned shift = LINEAR_SHIFT + (above >> STEPS_SHIFT);
    uint32_t step = UINT32_C(1) << (shift - STEPS_SHIFT);
    return (UINT32_C(1) << shift) + ((above & ((1u << STEPS_SHIFT) - 1)) + 1) * step;
}

/* A free block's first word is the next one, hidden by its own place and the secret. */
static uint64_t hidden(const struct heap *heap, const void *place, uint64_t address) {
    return address ^ heap->secret ^ ((uint64_t)(uintptr_t)place >> 12);
}

static struct header *pop(struct heap *heap, unsigned class) {
    uint64_t first = heap->free[class];
    if (first == 0) {
        return nullptr;
    }
    struct header *header = (struct header *)(uintptr_t)(first ^ heap->secret);
    uint64_t next;
    memcpy(&next, data_of(header), sizeof next);
    next = hidden(heap, header, next);
    ASSERT((uintptr_t)header % UNIT == UNIT - HEADER_BYTES);
    ASSERT(header->units == units_of(class) && header->seal == seal_of(heap, header, FREE));
    heap->free[class] = next == 0 ? 0 : next ^ heap->secret;
    return header;
}

static void push(struct heap *heap, struct header *header) {
    unsigned class = class_of(header->units);
    uint64_t next = heap->free[class] == 0 ? 0 : heap->free[class] ^ heap->secret;
    next = hidden(heap, header, next);
    header->seal = seal_of(heap, header, FREE);
    memcpy(data_of(header), &next, sizeof next);
    heap->free[class] = (uint64_t)(uintptr_t)header ^ heap->secret;
}

static uint8_t *map(size_t size, int flags) {
    void *memory =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    return memory == MAP_FAILED ? nullptr : memory;
}

/* From the unused part, where all is zero still. What a piece has left when it is too small for a
 * block is never used. */
static struct header *carve(struct heap *heap, uint32_t units) {
    size_t size = (size_t)units * UNIT;
    if (heap->left < size) {
        bool is_first = heap->at == nullptr;
        size_t bytes = is_first ? FIRST_BYTES : PIECE_BYTES;
        uint8_t *piece = map(bytes, is_first ? MAP_POPULATE : 0);
        if (piece == nullptr) {
            return nullptr;
        }
        heap->at = piece + UNIT - HEADER_BYTES;
        heap->left = bytes - UNIT;
    }
    struct header *header = (struct header *)heap->at;
    heap->at += size;
    heap->left -= size;
    header->units = units;
    return header;
}

static void *allocate_mapped(struct heap *heap, size_t size) {
    size_t page = 4096;
    if (size > (size_t)UINT32_MAX * UNIT / 2) {
        return nullptr;
    }
    size_t bytes = (size + UNIT + HEADER_BYTES + page - 1) & ~(page - 1);
    uint8_t *memory = map(bytes, 0);
    if (memory == nullptr) {
        return nullptr;
    }
    struct header *header = (struct header *)(memory + UNIT - HEADER_BYTES);
    header->units = (uint32_t)(bytes / UNIT - 1);
    header->seal = seal_of(heap, header, MAPPED);
    return data_of(header);
}

/* *ret_zero: whether all of it is zero. */
static void *allocate(struct heap *heap, size_t size, bool *ret_zero) {
    *ret_zero = true;
    if (size > HEAP_BLOCK_BYTES_MAX - HEADER_BYTES) {
        return allocate_mapped(heap, size);
    }
    unsigned class = class_of((uint32_t)((size + HEADER_BYTES + UNIT - 1) / UNIT));
    struct header *header = pop(heap, class);
    if (header != nullptr) {
        *ret_zero = false;
    } else {
        header = carve(heap, units_of(class));
    }
    if (header == nullptr) {
        return nullptr;
    }
    header->seal = seal_of(heap, header, LIVE);
    return data_of(header);
}

void *heap_allocate(struct heap *heap, size_t size) {
    bool is_zero;
    return allocate(heap, size, &is_zero);
}

void *heap_allocate_zeroed(struct heap *heap, size_t size) {
    bool is_zero;
    void *data = allocate(heap, size, &is_zero);
    return data == nullptr || is_zero ? data : memset(data, 0, size);
}

static bool is_mapped(const struct heap *heap, const struct header *header) {
    if (header->seal == seal_of(heap, header, MAPPED)) {
        return true;
    }
    ASSERT(header->seal == seal_of(heap, header, LIVE));
    return false;
}

void heap_free(struct heap *heap, void *data) {
    if (data == nullptr) {
        return;
    }
    struct header *header = header_of(data);
    if (is_mapped(heap, header)) {
        void *memory = (uint8_t *)header - (UNIT - HEADER_BYTES);
        ASSERT(munmap(memory, ((size_t)header->units + 1) * UNIT) == 0);
    } else {
        push(heap, header);
    }
}

void *heap_resize(struct heap *heap, void *data, size_t size) {
    if (data == nullptr) {
        return heap_allocate(heap, size);
    }
    size_t usable = heap_usable(heap, data);
    if (size <= usable && size >= usable / 4) {
        return data;
    }
    void *moved = heap_allocate(heap, size);
    if (moved != nullptr) {
        memcpy(moved, data, size < usable ? size : usable);
        heap_free(heap, data);
    }
    return moved;
}

size_t heap_usable(const struct heap *heap, const void *data) {
    const struct header *header = header_of(data);
    (void)is_mapped(heap, header);
    return usable_of(header);
}
