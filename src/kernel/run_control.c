/* SPDX-License-Identifier: Apache-2.0
 *
 * One asker at a time; another waits in the queue of the socket, which is not looked at until the
 * first has its answer. An asker says one thing and gets one answer: for a pause when the launcher
 * says that nothing runs any more. One that connects and says nothing makes way for the next.
 *
 * The socket's path may be longer than an address holds, so it is named by way of /proc/self/fd.
 */
#include "kernel/run_control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "kernel/records.h"
#include "kernel/run_exec.h"
#include "sys/fd.h"
#include "sys/random.h"

/* What the watch is about. */
enum watched : uint8_t { WATCH_LISTENER, WATCH_ASKER };
enum { ENDER_COUNT = 4 };

struct run_control {
    struct kernel *kernel;
    const struct run *run;
    struct run_peer peer;
    int listener;
    int asker;                  /* -1: nobody */
    int ender[ENDER_COUNT];     /* those who wait for the end; -1 past them */
    enum protocol_type waiting; /* what the asker waits for; PROTOCOL_TYPE_COUNT: nothing */
    int poll;
};

static struct sockaddr_un address_in(int folder) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control", folder);
    return address;
}

static bool watch(const struct run_control *control, int fd, enum watched what) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = what};
    return epoll_ctl(control->poll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static status_t listen_in(struct run_control *control, struct error *err) {
    struct sockaddr_un address = address_in(control->run->fd);
    control->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    control->poll = epoll_create1(EPOLL_CLOEXEC);
    if (control->listener < 0 || control->poll < 0 ||
        bind(control->listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(control->listener, 8) != 0 || !watch(control, control->listener, WATCH_LISTENER)) {
        return error_set(err, ERROR_IO, errno, "cannot make the control socket of run %s",
                         control->run->id);
    }
    return STATUS_OK;
}

status_t run_control_open(struct kernel *kernel, const struct run *run, const struct run_peer *peer,
                          struct run_control **ret_control, struct error *err) {
    struct run_control *control = calloc(1, sizeof *control);
    if (control == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot make the control socket");
    }
    *control = (struct run_control){
        .kernel = kernel,
        .run = run,
        .peer = *peer,
        .listener = -1,
        .asker = -1,
        .waiting = PROTOCOL_TYPE_COUNT,
        .poll = -1,
        .ender = {-1, -1, -1, -1},
    };
    status_t status = listen_in(control, err);
    if (!status_is_ok(status)) {
        run_control_close(control);
        return status;
    }
    *ret_control = control;
    return STATUS_OK;
}

int run_control_fd(const struct run_control *control) {
    return control->poll;
}

/* What the asker waits for, and whether the next one is looked at. */
static void set_waiting(struct run_control *control, enum protocol_type ask) {
    bool is_free = ask == PROTOCOL_TYPE_COUNT;
    struct epoll_event event = {.events = is_free ? EPOLLIN : 0, .data.u32 = WATCH_LISTENER};
    (void)epoll_ctl(control->poll, EPOLL_CTL_MOD, control->listener, &event);
    control->waiting = ask;
}

static void dismiss(struct run_control *control) {
    fd_closep(&control->asker); /* which takes it off the watch */
    set_waiting(control, PROTOCOL_TYPE_COUNT);
}

static void answer_with(struct run_control *control, const struct protocol_message *message) {
    struct error ignored = {};
    if (control->asker >= 0) {
        (void)!protocol_send(control->asker, message, -1, &ignored).code;
    }
    set_waiting(control, PROTOCOL_TYPE_COUNT);
}

static void answer(struct run_control *control) {
    answer_with(control, &(struct protocol_message){.type = PROTOCOL_DONE});
}

static void refuse(struct run_control *control, const struct error *reason) {
    struct protocol_message message = protocol_failure_of(reason);
    message.type = PROTOCOL_REFUSED;
    answer_with(control, &message);
}

/* Whether the asker has said what it wants, or is gone. */
static bool has_spoken(const struct run_control *control) {
    struct pollfd one = {.fd = control->asker, .events = POLLIN};
    return control->asker >= 0 && poll(&one, 1, 0) > 0;
}

static bool peer_of(int fd, struct ucred *ret_peer) {
    socklen_t size = sizeof *ret_peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_peer, &size) == 0;
}

/* The uid counts that the asker had when it connected. */
static void greet(struct run_control *control) {
    if (has_spoken(control)) {
        return; /* its turn comes first */
    }
    CLEANUP(fd_closep)
    int fd = accept4(control->listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct ucred peer;
    if (fd < 0 || !peer_of(fd, &peer) || (peer.uid != geteuid() && peer.uid != 0)) {
        return;
    }
    dismiss(control);
    if (watch(control, fd, WATCH_ASKER)) {
        control->asker = fd_take(&fd);
    }
}

/* Who asked for what. */
static status_t record(struct run_control *control, enum protocol_type ask, struct error *err) {
    static const struct {
        const char *operation;
        enum audit_event event;
    } rows[] = {
        [PROTOCOL_ASK_PAUSE] = {"run.pause", AUDIT_EVENT_RUN_PAUSED},
        [PROTOCOL_ASK_RESUME] = {"run.resume", AUDIT_EVENT_RUN_RESUMED},
        [PROTOCOL_ASK_STOP] = {"run.stop", AUDIT_EVENT_RUN_STOPPED},
    };
    struct ucred peer = {};
    char caller[32];
    char request[ID_TEXT_BYTES];
    if (!peer_of(control->asker, &peer)) {
        return error_set(err, ERROR_IO, errno, "cannot tell who asks");
    }
    (void)snprintf(caller, sizeof caller, "uid:%u", peer.uid);
    id_generate(clock_wall_ms(&control->kernel->clock), request);
    struct json *fields = json_object_new();
    json_set_text(fields, "caller", caller);
    json_set_text(fields, "operation", rows[ask].operation);
    json_set_text(fields, "request", request);
    json_set_text(fields, "run", control->run->id);
    json_set_integer(fields, "pid", peer.pid);
    struct audit_append append = {.event = rows[ask].event, .fields = fields};
    struct audit_position position;
    return audit_log_append(control->kernel->log, &append, 1, &position, err);
}

/* Its socket ends with the run, and so it learns of that. */
static void keep_until_end(struct run_control *control) {
    for (unsigned i = 0; i < ENDER_COUNT; i++) {
        if (control->ender[i] < 0) {
            (void)epoll_ctl(control->poll, EPOLL_CTL_DEL, control->asker, nullptr);
            control->ender[i] = fd_take(&control->asker);
            return;
        }
    }
}

/* What an engine refuses is told to who asked, and the run goes on as it did. */
static status_t hold(struct run_control *control, bool is_pause, struct error *err) {
    const struct run_peer *peer = &control->peer;
    bool is_done = false;
    status_t status = peer->hold(peer->context, is_pause, &is_done, err);
    if (!is_done) {
        return status;
    }
    if (!status_is_ok(status)) {
        refuse(control, err);
        return STATUS_OK;
    }
    return run_control_told(control, is_pause ? LAUNCHER_PAUSED : LAUNCHER_RESUMED, err);
}

static status_t carry_out(struct run_control *control, enum protocol_type ask, bool *ret_end,
                          struct error *err) {
    bool is_paused = control->peer.is_held(control->peer.context);
    set_waiting(control, ask);
    if (ask == PROTOCOL_ASK_PAUSE || ask == PROTOCOL_ASK_RESUME) {
        return hold(control, ask == PROTOCOL_ASK_PAUSE, err);
    }
    *ret_end = true;
    answer(control);
    keep_until_end(control);
    return is_paused ? hold(control, false, err) : STATUS_OK;
}

/* What an asker gets wrong is its own affair; the run goes on. */
static status_t listen_to(struct run_control *control, bool *ret_end, struct error *err) {
    struct protocol_message message;
    struct socket_fds fds = {};
    bool is_open = false;
    struct error ignored = {};
    bool is_held = control->peer.is_held(control->peer.context);
    enum protocol_state state = is_held ? PROTOCOL_STATE_PAUSED : PROTOCOL_STATE_RUNNING;
    status_t heard = protocol_receive(control->asker, PROTOCOL_TO_RUN, state, &message, &fds,
                                      &is_open, &ignored);
    if (!status_is_ok(heard) || !is_open || control->waiting != PROTOCOL_TYPE_COUNT) {
        dismiss(control);
        return STATUS_OK;
    }
    struct error reason;
    if (!status_is_ok(record(control, message.type, &reason))) {
        refuse(control, &reason);
        return STATUS_OK;
    }
    return carry_out(control, message.type, ret_end, err);
}

status_t run_control_serve(struct run_control *control, bool *ret_end, struct error *err) {
    struct epoll_event event;
    if (epoll_wait(control->poll, &event, 1, 0) <= 0) {
        return STATUS_OK;
    }
    if (event.data.u32 == WATCH_ASKER) {
        return listen_to(control, ret_end, err);
    }
    greet(control);
    return STATUS_OK;
}

status_t run_control_told(struct run_control *control, enum launcher_message_type type,
                          struct error *err) {
    ASSERT(type == LAUNCHER_PAUSED || type == LAUNCHER_RESUMED);
    bool is_pause = type == LAUNCHER_PAUSED;
    if (is_pause) {
        CLEANUP(fd_closep)
        int mark = openat(control->run->fd, "paused", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (mark < 0) {
            return error_set(err, ERROR_IO, errno, "cannot mark run %s as paused",
                             control->run->id);
        }
    } else {
        (void)unlinkat(control->run->fd, "paused", 0);
    }
    if (control->waiting == (is_pause ? PROTOCOL_ASK_PAUSE : PROTOCOL_ASK_RESUME)) {
        answer(control);
    }
    return STATUS_OK;
}

void run_control_close(struct run_control *control) {
    if (control == nullptr) {
        return;
    }
    (void)unlinkat(control->run->fd, "paused", 0);
    (void)unlinkat(control->run->fd, "control", 0);
    for (unsigned i = 0; i < ENDER_COUNT; i++) {
        fd_closep(&control->ender[i]);
    }
    fd_closep(&control->asker);
    fd_closep(&control->listener);
    fd_closep(&control->poll);
    free(control);
}
