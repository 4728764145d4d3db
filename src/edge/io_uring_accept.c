/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring's accepting. One multishot operation brings every client of a socket, whoever's acceptor
 * it belongs to: across a reload it is handed on, because what it brought while it was being
 * cancelled would have nobody to go to.
 */
#include <unistd.h>

#include "edge/io_ring.h"

static void arm_accept(struct io_ring *self, struct io_acceptor *acceptor) {
    struct io_uring_sqe *sqe = io_ring_sqe(self);
    io_uring_prep_multishot_accept(sqe, acceptor->fd, nullptr, nullptr,
                                   SOCK_NONBLOCK | SOCK_CLOEXEC);
    io_ring_mark(sqe, acceptor->slot, KIND_ACCEPT);
    acceptor->slot->is_armed = true;
}

static void accept_again(struct timer *timer) {
    struct io_acceptor *acceptor =
        (struct io_acceptor *)((uint8_t *)timer - offsetof(struct io_acceptor, again));
    arm_accept((struct io_ring *)acceptor->io, acceptor);
}

bool io_ring_accept_start(struct io *io, struct io_acceptor *acceptor) {
    struct io_slot *slot = io_ring_take_slot((struct io_ring *)io);
    if (slot == nullptr) {
        return false;
    }
    slot->acceptor = acceptor;
    acceptor->slot = slot;
    acceptor->again.fire = accept_again;
    arm_accept((struct io_ring *)io, acceptor);
    return true;
}

void io_ring_accept_stop(struct io *io, struct io_acceptor *acceptor) {
    struct io_slot *slot = acceptor->slot;
    if (slot == nullptr) {
        return;
    }
    acceptor->slot = nullptr;
    slot->acceptor = nullptr;
    if (slot->is_armed) {
        io_ring_cancel((struct io_ring *)io, slot, KIND_ACCEPT);
    } else {
        io_ring_free_slot((struct io_ring *)io, slot);
    }
}

/* One whose operation is under way hands it on as it is: a client that was accepted meanwhile would
 * see a reset if it were cancelled. The operation keeps the socket, not the descriptor; one that
 * was only queued is given to the kernel first, because the descriptor may be closed after this. */
bool io_ring_accept_move(struct io *io, struct io_acceptor *from, struct io_acceptor *to) {
    struct io_slot *slot = from->slot;
    if (slot == nullptr || !slot->is_armed || io_uring_submit(&((struct io_ring *)io)->ring) < 0) {
        return false;
    }
    from->slot = nullptr;
    to->slot = slot;
    to->again.fire = accept_again;
    slot->acceptor = to;
    return true;
}

void io_ring_serve_accept(struct io_ring *self, struct io_slot *slot, int result, bool goes_on) {
    struct io_acceptor *acceptor = slot->acceptor;
    slot->is_armed = goes_on;
    if (acceptor == nullptr) {
        if (result >= 0) {
            (void)close(result); /* came while it was being stopped: its client sees a reset */
        }
        if (!goes_on) {
            io_ring_free_slot(self, slot);
        }
        return;
    }
    if (!goes_on && result >= 0) {
        arm_accept(self, acceptor);
    }
    if (result >= 0) {
        acceptor->accepted(acceptor, result);
    } else if (!goes_on) {
        /* As in epoll's engine: without descriptors to spare, later. */
        (void)io_timer_set(&self->base, &acceptor->again, IO_ACCEPT_AGAIN_MS);
        acceptor->failed(acceptor, -result);
    }
}
