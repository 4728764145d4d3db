/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may connect is what the socket's owner and its folder say: the container, which finds it
 * mounted, and nobody else. It takes one connection and is gone, so that the command, which still
 * sees its name, reaches nobody.
 */
#include "engine/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "sys/fd.h"
#include "sys/socket.h"

status_t gate_open(const struct gate_place *place, struct gate *ret_gate, struct error *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* Through the folder's descriptor, for a path may be longer than an address. */
    int size = snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s",
                        place->folder, place->name);
    CLEANUP(fd_closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool is_made = fd >= 0 && (size_t)size < sizeof address.sun_path &&
                   fchmod(fd, S_IRUSR | S_IWUSR) == 0 &&
                   bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    if (is_made && place->uid != geteuid()) {
        is_made =
            fchownat(place->folder, place->name, place->uid, place->gid, AT_SYMLINK_NOFOLLOW) == 0;
    }
    if (!is_made || listen(fd, 1) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot make the socket of a container's gate");
    }
    *ret_gate = (struct gate){.door = fd_take(&fd), .peer = -1};
    return STATUS_OK;
}

void gate_close(struct gate *gate) {
    fd_closep(&gate->door);
    fd_closep(&gate->peer);
}

static status_t broken(const char *what, struct error *err) {
    (void)error_set(err, ERROR_ENGINE_GATE, 0, "the container's command did not begin");
    error_detail(err, "%s", what);
    return (status_t){ERROR_ENGINE_GATE};
}

/* Until `fd` is readable, or the engine has something to say. */
static status_t await(int fd, int engine, bool *ret_is_engine, struct error *err) {
    struct pollfd polls[] = {{.fd = fd, .events = POLLIN}, {.fd = engine, .events = POLLIN}};
    int ready;
    do {
        ready = poll(polls, 2, (int)LIMIT_ENGINE_GATE_MS);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0) {
        limit_hit(LIMIT_ID_ENGINE_GATE_MS);
        return broken("nothing was heard from it in time (limit ENGINE_GATE_MS)", err);
    }
    *ret_is_engine = polls[0].revents == 0;
    return STATUS_OK;
}

static status_t ended_early(struct engine *engine, struct error *err) {
    struct engine_end end;
    TRY(engine_receive(engine, &end, err));
    (void)broken("", err);
    error_detail(err, "the container ended before, with status %d%s", end.status,
                 end.is_oom ? ": out of memory" : "");
    return (status_t){ERROR_ENGINE_GATE};
}

static status_t take_in(struct gate *gate, struct engine *engine, struct error *err) {
    bool is_engine = engine_has_message(engine);
    if (!is_engine) {
        TRY(await(gate->door, engine_fd(engine), &is_engine, err));
    }
    if (is_engine) {
        return ended_early(engine, err);
    }
    gate->peer = accept4(gate->door, nullptr, nullptr, SOCK_CLOEXEC);
    if (gate->peer < 0) {
        return error_set(err, ERROR_IO, errno, "cannot speak to a container's gate");
    }
    fd_closep(&gate->door);
    return STATUS_OK;
}

/* *ret_is_gone: the connection ended without a word. */
static status_t hear(const struct gate *gate, struct gate_reply *ret_reply, bool *ret_is_gone,
                     struct socket_fds *fds, struct error *err) {
    uint8_t bytes[GATE_REPLY_BYTES];
    struct error ignored;
    size_t size = 0;
    bool is_engine = false;
    TRY(await(gate->peer, -1, &is_engine, err));
    if (!status_is_ok(socket_receive(gate->peer, bytes, sizeof bytes, &size, fds, &ignored))) {
        return broken("its gate sent no message of ours", err);
    }
    *ret_is_gone = size == 0;
    if (size > 0 && !gate_reply_decode(slice_of(bytes, size), ret_reply)) {
        if (fds != nullptr) {
            socket_fds_close(fds);
        }
        return broken("its gate sent no message of ours", err);
    }
    return STATUS_OK;
}

static status_t refused(const struct gate_reply *reply, struct error *err) {
    static const char *const WHAT[GATE_STATE_COUNT] = {
        [GATE_NO_LOOPBACK] = "the loopback interface of its network is down",
        [GATE_NO_LISTENER] = "nobody can listen in its network",
        [GATE_NO_LIMITS] = "its cgroup holds neither the memory nor the processes to a limit",
        [GATE_NO_LANDLOCK] = "its kernel or engine lets nobody use Landlock, as strict does",
        [GATE_NO_FILTER] = "its kernel or its engine takes no filter of system calls",
    };
    const char *what = WHAT[reply->state];
    (void)error_set(err, ERROR_ENGINE_GATE, (int)reply->os_errno,
                    "the container's command did not begin");
    error_detail(err, "%s", what != nullptr ? what : "its gate said what it may not");
    return (status_t){ERROR_ENGINE_GATE};
}

/* What is handed out is served like the listener of a native sandbox. */
static bool listens(int fd) {
    int domain = 0;
    int type = 0;
    int accepts = 0;
    socklen_t size = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_INET &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) == 0 && accepts == 1;
}

status_t gate_meet(struct gate *gate, struct engine *engine, const struct gate_setup *setup,
                   int *ret_listener, struct error *err) {
    CLEANUP(builder_deinit) struct builder bytes;
    struct socket_fds fds = {.fd = {-1}};
    struct gate_reply reply = {.state = GATE_READY};
    struct error ignored;
    bool is_gone = false;
    builder_init(&bytes, GATE_SETUP_BYTES);
    if (!gate_setup_encode(setup, &bytes)) {
        return error_set(err, ERROR_INTERNAL, 0, "the setup of a container's gate does not fit");
    }
    TRY(take_in(gate, engine, err));
    if (!status_is_ok(socket_send(gate->peer, builder_slice(&bytes), nullptr, &ignored))) {
        return broken("its gate is gone", err);
    }
    TRY(hear(gate, &reply, &is_gone, &fds, err));
    CLEANUP(fd_closep) int listener = fds.count == 1 ? fd_take(&fds.fd[0]) : -1;
    socket_fds_close(&fds);
    if (is_gone) {
        return broken("its gate is gone", err);
    }
    if (reply.state != GATE_READY) {
        return refused(&reply, err);
    }
    if ((setup->port != 0) != (listener >= 0) || (listener >= 0 && !listens(listener))) {
        return broken("its gate handed out what it may not", err);
    }
    *ret_listener = fd_take(&listener);
    return STATUS_OK;
}

status_t gate_pass(struct gate *gate, enum engine_started *ret_started, struct error *err) {
    struct gate_reply reply;
    struct error ignored;
    bool is_gone = false;
    if (!status_is_ok(
            socket_send(gate->peer, slice_of(&GATE_GO, sizeof GATE_GO), nullptr, &ignored))) {
        return broken("its gate is gone", err);
    }
    TRY(hear(gate, &reply, &is_gone, nullptr, err));
    fd_closep(&gate->peer);
    if (!is_gone && reply.state != GATE_NO_PROGRAM) {
        return refused(&reply, err);
    }
    bool is_missing = !is_gone && (reply.os_errno == ENOENT || reply.os_errno == ENOTDIR);
    *ret_started = is_gone ? ENGINE_STARTED : is_missing ? ENGINE_NOT_FOUND : ENGINE_NOT_EXECUTABLE;
    return STATUS_OK;
}
