/* SPDX-License-Identifier: Apache-2.0
 *
 * Making a ring, restricting it, and finding out whether it works here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "edge/io_ring.h"
#include "sys/fd.h"

enum { ENTRIES = 512, COMPLETIONS = 4096, PAGE = 4096 };

static const struct {
    unsigned count; /* a power of two */
    unsigned bytes;
} POOLS[IO_POOL_COUNT] = {
    [IO_POOL_MANY] = {256, 16 << 10},
    [IO_POOL_LARGE] = {32, 64 << 10},
};

unsigned io_ring_buffer_bytes(unsigned pool) {
    return POOLS[pool].bytes;
}

void io_ring_give_buffer(struct io_ring *self, unsigned pool, unsigned number) {
    struct io_pool *one = &self->pools[pool];
    io_uring_buf_ring_add(one->ring, one->memory + (size_t)number * POOLS[pool].bytes,
                          POOLS[pool].bytes, (unsigned short)number,
                          io_uring_buf_ring_mask(POOLS[pool].count), 0);
    io_uring_buf_ring_advance(one->ring, 1);
}

struct io_slot *io_ring_take_slot(struct io_ring *self) {
    struct io_slot *slot = calloc(1, sizeof *slot);
    if (slot == nullptr) {
        return nullptr;
    }
    slot->next = self->slots;
    if (self->slots != nullptr) {
        self->slots->before = slot;
    }
    self->slots = slot;
    return slot;
}

void io_ring_free_slot(struct io_ring *self, struct io_slot *slot) {
    if (slot->before != nullptr) {
        slot->before->next = slot->next;
    } else {
        self->slots = slot->next;
    }
    if (slot->next != nullptr) {
        slot->next->before = slot->before;
    }
    free(slot);
}

void io_ring_free(struct io_ring *self) {
    for (int i = 0; i < IO_POOL_COUNT; i++) {
        if (self->pools[i].ring != nullptr) {
            (void)io_uring_free_buf_ring(&self->ring, self->pools[i].ring, POOLS[i].count, i);
        }
    }
    io_uring_queue_exit(&self->ring);
    while (self->slots != nullptr) {
        io_ring_free_slot(self, self->slots);
    }
    for (int i = 0; i < IO_POOL_COUNT; i++) {
        free(self->pools[i].memory);
    }
    free(self);
}

static int restrict_ring(struct io_uring *ring) {
    static const uint8_t OPERATIONS[] = {
        IORING_OP_RECV,   IORING_OP_SEND,     IORING_OP_SENDMSG,      IORING_OP_CONNECT,
        IORING_OP_ACCEPT, IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL,
    };
    enum { COUNT = sizeof OPERATIONS };
    struct io_uring_restriction rows[COUNT + 1] = {};
    for (unsigned i = 0; i < COUNT; i++) {
        rows[i].opcode = IORING_RESTRICTION_SQE_OP;
        rows[i].sqe_op = OPERATIONS[i];
    }
    rows[COUNT].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    rows[COUNT].sqe_flags = IOSQE_BUFFER_SELECT;
    return io_uring_register_restrictions(ring, rows, COUNT + 1);
}

/* 0, or an errno below it. */
static int make_pools(struct io_ring *self) {
    for (int i = 0; i < IO_POOL_COUNT; i++) {
        struct io_pool *pool = &self->pools[i];
        int failed = -ENOMEM;
        pool->memory = aligned_alloc(PAGE, (size_t)POOLS[i].count * POOLS[i].bytes);
        pool->ring = io_uring_setup_buf_ring(&self->ring, POOLS[i].count, i, 0, &failed);
        if (pool->memory == nullptr || pool->ring == nullptr) {
            return pool->ring == nullptr ? failed : -ENOMEM;
        }
        for (unsigned number = 0; number < POOLS[i].count; number++) {
            io_ring_give_buffer(self, (unsigned)i, number);
        }
    }
    return 0;
}

static struct io_ring *make_ring(char ret_reason[static IO_REASON_BYTES]) {
    struct io_ring *self = calloc(1, sizeof *self);
    if (self == nullptr) {
        (void)snprintf(ret_reason, IO_REASON_BYTES, "memory ran out");
        return nullptr;
    }
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
                 IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL,
        .cq_entries = COMPLETIONS,
    };
    int failed = io_uring_queue_init_params(ENTRIES, &self->ring, &params);
    if (failed != 0) {
        (void)snprintf(ret_reason, IO_REASON_BYTES, "io_uring_setup: %s", strerror(-failed));
        free(self);
        return nullptr;
    }
    self->base.engine = &IO_URING_ENGINE;
    failed = make_pools(self);
    failed = failed == 0 ? restrict_ring(&self->ring) : failed;
    if (failed != 0) {
        (void)snprintf(ret_reason, IO_REASON_BYTES, "io_uring_register: %s", strerror(-failed));
        io_ring_free(self);
        return nullptr;
    }
    return self;
}

/* One byte through a socket, by the operations and features that are used: a kernel may know the
 * ring and not these. */
static bool try_ring(char ret_reason[static IO_REASON_BYTES]) {
    int pair[2] = {-1, -1};
    struct io_ring *self = make_ring(ret_reason);
    bool is_good = false;
    if (self != nullptr && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 &&
        io_uring_enable_rings(&self->ring) == 0 && write(pair[1], "x", 1) == 1) {
        struct __kernel_timespec time = {.tv_sec = 1};
        struct io_stream stream = {.fd = pair[0]};
        struct io_uring_cqe *cqe = nullptr;
        io_ring_arm_receive(self, &stream);
        int result = io_uring_submit_and_wait_timeout(&self->ring, &cqe, 1, &time, nullptr);
        is_good = result >= 0 && cqe != nullptr && cqe->res == 1 &&
                  (cqe->flags & (IORING_CQE_F_BUFFER | IORING_CQE_F_MORE)) ==
                      (IORING_CQE_F_BUFFER | IORING_CQE_F_MORE);
        (void)snprintf(ret_reason, IO_REASON_BYTES,
                       is_good ? "a multishot receive worked" : "a multishot receive failed: %s",
                       strerror(cqe != nullptr ? -cqe->res : -result));
    }
    fd_closep(&pair[0]);
    fd_closep(&pair[1]);
    if (self != nullptr) {
        io_ring_free(self);
    }
    return is_good;
}

struct io *io_uring_new(char ret_reason[static IO_REASON_BYTES]) {
    struct io_ring *self = try_ring(ret_reason) ? make_ring(ret_reason) : nullptr;
    return self != nullptr ? &self->base : nullptr;
}
