/* SPDX-License-Identifier: Apache-2.0
 *
 * The asker's side of run_control.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/run_control.h"
#include "sandbox/cgroup_sweep.h"
#include "sandbox/run.h"
#include "sys/fd.h"

bool run_is_paused(const struct state *state, const struct run *run) {
    char path[ID_TEXT_BYTES + 16];
    (void)snprintf(path, sizeof path, "%s/paused", run->id);
    return run->state == RUN_LIVE && faccessat(state->runs_fd, path, F_OK, 0) == 0;
}

static status_t not_live(const struct run *run, struct error *err) {
    return error_set(err, ERROR_RUN_NOT_LIVE, 0, "run %s does not run any more", run->id);
}

static status_t connect_to(const struct run *run, int *ret_socket, struct error *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control", run->fd);
    CLEANUP(fd_closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot make a socket");
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        if (errno == ECONNREFUSED) {
            /* Its airlock was killed. When its launcher was too, and it stood still, its processes
             * wait in a frozen group for their end. */
            cgroup_sweep(run->id);
            return not_live(run, err);
        }
        return errno == ENOENT ? not_live(run, err)
                               : error_set(err, ERROR_IO, errno, "cannot ask run %s", run->id);
    }
    *ret_socket = fd_take(&fd);
    return STATUS_OK;
}

/* Waits for something to read. A run that is itself stopped never answers. */
static status_t wait_for(int socket, int64_t patience_ms, const struct run *run,
                         struct error *err) {
    struct pollfd one = {.fd = socket, .events = POLLIN};
    int count;
    do {
        count = poll(&one, 1, (int)patience_ms);
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
        return STATUS_OK;
    }
    limit_hit(LIMIT_ID_CONTROL_MS);
    (void)error_set(err, ERROR_BUSY, 0, "run %s does not answer", run->id);
    error_hint(err, "Its airlock may be stopped itself: find it with ps, and continue it with: "
                    "kill -CONT PID");
    return (status_t){ERROR_BUSY};
}

/* Says it and waits for the answer. *ret_is_open = false: the run hung up instead. */
static status_t converse(int socket, const struct run *run, enum protocol_type ask,
                         bool *ret_is_open, struct error *err) {
    struct protocol_message message = {.type = ask};
    struct socket_fds fds = {};
    *ret_is_open = false;
    if (!status_is_ok(protocol_send(socket, &message, -1, err))) {
        return err->os_errno == EPIPE || err->os_errno == ECONNRESET ? STATUS_OK
                                                                     : (status_t){(int)err->code};
    }
    TRY(wait_for(socket, LIMIT_CONTROL_MS, run, err));
    TRY(protocol_receive(socket, PROTOCOL_TO_CLIENT, PROTOCOL_STATE_RUNNING, &message, &fds,
                         ret_is_open, err));
    return *ret_is_open && message.type == PROTOCOL_REFUSED
               ? protocol_failure_to_error(&message, err)
               : STATUS_OK;
}

status_t run_control_ask(const struct run *run, enum protocol_type ask, struct error *err) {
    enum { TRIES_MAX = 100, PAUSE_US = 10000 };
    CLEANUP(fd_closep) int socket = -1;
    bool is_open = false;
    if (run->state != RUN_LIVE) {
        return not_live(run, err);
    }
    /* Hung up on before it was heard: the run has ended, and there is nothing to connect to any
     * more, or another asker came between. */
    for (unsigned i = 0; i < TRIES_MAX && !is_open; i++) {
        fd_closep(&socket);
        (void)usleep(i == 0 ? 0 : PAUSE_US);
        TRY(connect_to(run, &socket, err));
        TRY(converse(socket, run, ask, &is_open, err));
    }
    if (!is_open) {
        return error_set(err, ERROR_BUSY, 0, "run %s is busy with others who ask", run->id);
    }
    if (ask != PROTOCOL_ASK_STOP) {
        return STATUS_OK;
    }
    /* The end of the socket is the end of the run. */
    return wait_for(socket, LIMIT_STOP_GRACE_MS + LIMIT_CONTROL_MS, run, err);
}

status_t run_control_find(const struct state *state, const char *name_or_null,
                          const char *workspace, struct run *ret_run, struct error *err) {
    if (name_or_null != nullptr) {
        return run_find(state, name_or_null, workspace, ret_run, err);
    }
    CLEANUP(memory_freep) struct run *runs = nullptr;
    size_t count = 0;
    const struct run *only = nullptr;
    TRY(run_list(state, &runs, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (runs[i].state != RUN_LIVE || strcmp(runs[i].workspace, workspace) != 0) {
            continue;
        }
        if (only != nullptr) {
            return error_set(err, ERROR_RUN_AMBIGUOUS, 0, "more than one run is live here");
        }
        only = &runs[i];
    }
    return only != nullptr ? run_open(state, only->id, ret_run, err)
                           : error_set(err, ERROR_RUN_NOT_LIVE, 0, "no run is live here");
}
