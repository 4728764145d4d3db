/* SPDX-License-Identifier: Apache-2.0
 *
 * malloc(3) and its family out of one heap, in a program that is linked with musl and starts no
 * thread. musl lets a program bring its own, and then refuses aligned_alloc(3), which nothing here
 * calls.
 */
#include <errno.h>
#include <pthread.h>
#include <stdckdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/assert.h"
#include "sys/heap.h"

/* Nothing of ours calls these, so they stand in no header. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

static struct heap *the_heap(void) {
    static struct heap heap;
    if (heap.secret == 0) {
        /* 16 bytes from the kernel; the first eight are the stack protector's. */
        const uint8_t *random = (const uint8_t *)getauxval(AT_RANDOM);
        ASSERT(random != nullptr);
        memcpy(&heap.secret, random + 8, sizeof heap.secret);
        heap.secret |= 1;
    }
    return &heap;
}

static void *given(void *data) {
    if (data == nullptr) {
        errno = ENOMEM;
    }
    return data;
}

void *malloc(size_t size) {
    return given(heap_allocate(the_heap(), size));
}

void *calloc(size_t count, size_t size) {
    size_t all;
    return given(ckd_mul(&all, count, size) ? nullptr : heap_allocate_zeroed(the_heap(), all));
}

void *realloc(void *data, size_t size) {
    return given(heap_resize(the_heap(), data, size));
}

void free(void *data) {
    heap_free(the_heap(), data);
}

size_t malloc_usable_size(void *data) {
    return data == nullptr ? 0 : heap_usable(the_heap(), data);
}

/* The heap is for one thread. SQLite is the only one here that would start another, to sort, and
 * does without. */
int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
                   void *(*start)(void *), void *restrict argument) {
    (void)thread;
    (void)attributes;
    (void)start;
    (void)argument;
    return EAGAIN;
}
