/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/server.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "proxy/session.h"
#include "sys/fd.h"
#include "sys/socket.h"

static struct egress *of_listener(struct loop_source *source) {
    return (struct egress *)((char *)source - offsetof(struct egress, listener));
}

static void on_listener(struct loop_source *source, uint32_t events) {
    (void)events;
    struct egress *egress = of_listener(source);
    if (egress->session_count >= LIMIT_EGRESS_CONNECTIONS) {
        /* They wait in the backlog, which is the sandbox's own. */
        limit_hit(LIMIT_ID_EGRESS_CONNECTIONS);
        loop_set(egress->loop, &egress->listener, 0);
        return;
    }
    int fd = accept4(egress->listener_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        (void)session_start(egress, fd);
    } else if (egress->session_count > 0 && (errno == EMFILE || errno == ENFILE)) {
        /* Until one of them ends: to be told of it all the time would take all of our time. */
        loop_set(egress->loop, &egress->listener, 0);
    }
}

void egress_accept_again(struct egress *egress) {
    if (egress->listener_fd >= 0 && egress->session_count < LIMIT_EGRESS_CONNECTIONS) {
        loop_set(egress->loop, &egress->listener, LOOP_READ);
    }
}

static void send_report(struct egress *egress) {
    CLEANUP(builder_deinit) struct builder message;
    struct error ignored;
    builder_init(&message, LIMIT_EGRESS_MESSAGE_BYTES);
    counts_report(&egress->counts, &message);
    if (builder_is_ok(&message)) {
        (void)socket_send(EGRESS_FD_SOCKET, builder_slice(&message), nullptr, &ignored).code;
    }
}

static void end_sessions(struct egress *egress) {
    fd_closep(&egress->listener_fd);
    loop_remove(egress->loop, &egress->listener);
    while (egress->sessions != nullptr) {
        session_free(egress->sessions);
    }
}

static bool take_listener(struct egress *egress, struct socket_fds *fds) {
    if (fds->count != 1 || egress->listener_fd >= 0 || !fd_set_nonblocking(fds->fd[0], true)) {
        return false;
    }
    egress->listener_fd = fd_take(&fds->fd[0]);
    return loop_add(egress->loop, &egress->listener, egress->listener_fd, LOOP_READ);
}

static void on_control(struct loop_source *source, uint32_t events) {
    (void)events;
    struct egress *egress = (struct egress *)((char *)source - offsetof(struct egress, control));
    uint8_t type = 0;
    size_t size = 0;
    struct socket_fds fds = {};
    struct error ignored;
    bool received =
        status_is_ok(socket_receive(EGRESS_FD_SOCKET, &type, sizeof type, &size, &fds, &ignored));
    if (received && size == 1 && type == EGRESS_LISTEN && take_listener(egress, &fds)) {
        return;
    }
    if (received) {
        socket_fds_close(&fds);
    }
    egress->is_over = true;
    if (received && size == 1 && type == EGRESS_END) {
        end_sessions(egress);
        send_report(egress);
    }
}

void egress_serve(struct egress *egress) {
    egress->control = (struct loop_source){.fd = -1, .ready = on_control};
    egress->listener = (struct loop_source){.fd = -1, .ready = on_listener};
    egress->listener_fd = -1;
    if (!loop_add(egress->loop, &egress->control, EGRESS_FD_SOCKET, LOOP_READ)) {
        return;
    }
    while (!egress->is_over && loop_turn(egress->loop)) {
    }
    end_sessions(egress);
}
