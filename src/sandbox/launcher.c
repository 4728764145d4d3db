/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/launcher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "sandbox/protocol.h"
#include "sandbox/seccomp.h"
#include "sys/fd.h"
#include "sys/program.h"

struct launcher {
    struct program program;
    enum protocol_state state;
    /* A message that came before READY and waits to be received. */
    struct launcher_message early;
    bool has_early;
    bool has_listener;
    int listener;
};

status_t launcher_start_program(const char *path, struct launcher **ret_launcher,
                                struct error *err) {
    CLEANUP(launcher_closep) struct launcher *launcher = calloc(1, sizeof *launcher);
    if (launcher == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot start the launcher");
    }
    const struct program_options options = {
        .path = path,
        .failed = ERROR_JAIL_FAILED,
        .has_streams = true,
        .has_session = true,
    };
    launcher->program.socket = -1;
    TRY(program_start(&options, &launcher->program, err));
    *ret_launcher = TAKE(launcher);
    return STATUS_OK;
}

status_t launcher_start(struct launcher **ret_launcher, struct error *err) {
    char path[LIMIT_PATH_BYTES];
    TRY(program_require("airlock-jail", ERROR_JAIL_MISSING, path, err));
    return launcher_start_program(path, ret_launcher, err);
}

status_t launcher_ground(struct launcher *launcher, const struct plan *ground, struct error *err) {
    ASSERT(launcher->state == PROTOCOL_STATE_NEW);
    CLEANUP(fd_closep) int memory = -1;
    TRY(fd_sealed_memory("ground", plan_bytes(ground), &memory, err));
    struct protocol_message message = {.type = PROTOCOL_GROUND};
    TRY(protocol_send(launcher->program.socket, &message, memory, err));
    launcher->state = PROTOCOL_STATE_GROUNDING;
    return STATUS_OK;
}

status_t launcher_prepare(struct launcher *launcher, const struct plan *plan,
                          const struct launcher_streams *streams, int run_lock, struct error *err) {
    ASSERT(launcher->state == PROTOCOL_STATE_GROUNDING);
    CLEANUP(fd_closep) int memory = -1;
    TRY(fd_sealed_memory("plan", plan_bytes(plan), &memory, err));
    struct protocol_message message = {.type = PROTOCOL_PREPARE, .version = PROTOCOL_VERSION};
    struct socket_fds fds = {.fd = {memory}, .count = 1};
    if (streams->input >= 0) {
        fds.fd[1] = streams->input;
        fds.fd[2] = streams->output;
        fds.fd[3] = streams->error;
        fds.count = 4;
    }
    if (run_lock >= 0) {
        fds.fd[fds.count++] = run_lock;
    }
    launcher->state = PROTOCOL_STATE_PREPARING;
    status_t status =
        socket_send(launcher->program.socket, slice_of(&message, sizeof message), &fds, err);
    if (!status_is_ok(status) && err->os_errno == EPIPE) {
        return STATUS_OK; /* it failed at the ground; launcher_ready() reads why */
    }
    return status;
}

static status_t receive(struct launcher *launcher, struct protocol_message *message, int *ret_fd,
                        struct error *err) {
    struct socket_fds fds = {};
    bool is_open = false;
    TRY(protocol_receive(launcher->program.socket, PROTOCOL_TO_KERNEL, launcher->state, message,
                         &fds, &is_open, err));
    if (!is_open) {
        launcher->state = PROTOCOL_STATE_ENDED;
        return error_set(err, ERROR_JAIL_FAILED, 0, "airlock-jail ended without a word");
    }
    *ret_fd = fds.count > 0 ? fds.fd[0] : -1;
    if (message->type == PROTOCOL_FAILED) {
        launcher->state = PROTOCOL_STATE_ENDED;
        return protocol_failure_to_error(message, err);
    }
    return STATUS_OK;
}

status_t launcher_ready(struct launcher *launcher, struct sandbox_levels *ret_levels,
                        struct error *err) {
    ASSERT(launcher->state == PROTOCOL_STATE_PREPARING || launcher->state == PROTOCOL_STATE_GOING);
    bool goes_on = launcher->state == PROTOCOL_STATE_GOING;
    struct protocol_message message;
    int fd = -1;
    TRY(receive(launcher, &message, &fd, err));
    if (message.type == PROTOCOL_LISTENER && !launcher->has_listener) {
        launcher->has_listener = true;
        launcher->listener = fd;
        TRY(receive(launcher, &message, &fd, err));
    }
    if (message.type == PROTOCOL_TERMINAL) {
        launcher->early = (struct launcher_message){.type = LAUNCHER_TERMINAL, .fd = fd};
        launcher->has_early = true;
        TRY(receive(launcher, &message, &fd, err));
    }
    if (message.type != PROTOCOL_READY) {
        fd_closep(&fd);
        return error_set(err, ERROR_JAIL_PROTOCOL, 0, "airlock-jail is not ready");
    }
    launcher->state = goes_on ? PROTOCOL_STATE_RUNNING : PROTOCOL_STATE_READY;
    struct sandbox_levels levels = {
        .files = "overlay",
        .namespaces = "full",
        .landlock_abi = message.levels.landlock_abi,
    };
    bool is_strict = message.levels.seccomp == SECCOMP_STRICT;
    (void)snprintf(levels.seccomp, sizeof levels.seccomp, "%s",
                   seccomp_profile_text(is_strict ? SECCOMP_STRICT : SECCOMP_STANDARD));
    (void)snprintf(levels.limits, sizeof levels.limits, "%.*s", (int)sizeof levels.limits - 1,
                   message.levels.limits);
    (void)snprintf(levels.disk_rate, sizeof levels.disk_rate, "%.*s",
                   (int)sizeof levels.disk_rate - 1, message.levels.disk_rate);
    *ret_levels = levels;
    return STATUS_OK;
}

static status_t send_go(const struct launcher *launcher, struct error *err) {
    struct protocol_message message = {.type = PROTOCOL_GO};
    return protocol_send(launcher->program.socket, &message, -1, err);
}

status_t launcher_go(struct launcher *launcher, struct error *err) {
    ASSERT(launcher->state == PROTOCOL_STATE_READY);
    TRY(send_go(launcher, err));
    launcher->state = PROTOCOL_STATE_RUNNING;
    return STATUS_OK;
}

status_t launcher_go_when_ready(struct launcher *launcher, struct error *err) {
    ASSERT(launcher->state == PROTOCOL_STATE_PREPARING);
    status_t status = send_go(launcher, err);
    launcher->state = PROTOCOL_STATE_GOING;
    if (!status_is_ok(status) && err->os_errno == EPIPE) {
        return STATUS_OK; /* it failed before; launcher_ready() reads why */
    }
    return status;
}

int launcher_take_listener(struct launcher *launcher) {
    int fd = launcher->has_listener ? launcher->listener : -1;
    launcher->has_listener = false;
    return fd;
}

pid_t launcher_pid(const struct launcher *launcher) {
    return launcher->program.pid;
}

int launcher_fd(const struct launcher *launcher) {
    return launcher->program.socket;
}

static void copy_usage(const struct protocol_exit *from, struct launcher_message *to) {
    to->killed_count = from->killed_count;
    to->pid_count_peak = from->pid_count_peak;
    to->wall_ns = from->wall_ns;
    to->paused_ns = from->paused_ns;
    to->cpu_user_us = from->cpu_user_us;
    to->cpu_system_us = from->cpu_system_us;
    to->cpu_throttled_us = from->cpu_throttled_us;
    to->memory_peak_bytes = from->memory_peak_bytes;
    to->io_read_bytes = from->io_read_bytes;
    to->io_write_bytes = from->io_write_bytes;
    to->setup_ns = from->setup_ns;
}

status_t launcher_receive(struct launcher *launcher, struct launcher_message *ret_message,
                          struct error *err) {
    if (launcher->has_early) {
        launcher->has_early = false;
        *ret_message = launcher->early;
        return STATUS_OK;
    }
    struct protocol_message message;
    int fd = -1;
    TRY(receive(launcher, &message, &fd, err));
    struct launcher_message out = {.fd = fd};
    if (message.type == PROTOCOL_STARTED) {
        out.type = LAUNCHER_STARTED;
    } else if (message.type == PROTOCOL_STOPPED) {
        out.type = LAUNCHER_STOPPED;
    } else if (message.type == PROTOCOL_PAUSED || message.type == PROTOCOL_RESUMED) {
        bool is_paused = message.type == PROTOCOL_PAUSED;
        out.type = is_paused ? LAUNCHER_PAUSED : LAUNCHER_RESUMED;
        launcher->state = is_paused ? PROTOCOL_STATE_PAUSED : PROTOCOL_STATE_RUNNING;
    } else if (message.type == PROTOCOL_EXITED &&
               message.exit.outcome <= LAUNCHER_OUTCOME_NOT_EXECUTABLE) {
        launcher->state = PROTOCOL_STATE_ENDED;
        out.type = LAUNCHER_EXITED;
        out.outcome = message.exit.outcome;
        out.status = message.exit.status;
        copy_usage(&message.exit, &out);
    } else {
        return error_set(err, ERROR_JAIL_PROTOCOL, 0, "airlock-jail sent an unexpected message");
    }
    *ret_message = out;
    return STATUS_OK;
}

static bool is_running(const struct launcher *launcher) {
    return launcher->state == PROTOCOL_STATE_RUNNING || launcher->state == PROTOCOL_STATE_PAUSED;
}

status_t launcher_signal(struct launcher *launcher, int signal_number, struct error *err) {
    struct protocol_message message = {.type = PROTOCOL_SIGNAL, .signal_number = signal_number};
    if (launcher->state != PROTOCOL_STATE_READY && !is_running(launcher)) {
        return STATUS_OK;
    }
    return protocol_send(launcher->program.socket, &message, -1, err);
}

status_t launcher_pause(struct launcher *launcher, struct error *err) {
    ASSERT(is_running(launcher));
    struct protocol_message message = {.type = PROTOCOL_PAUSE};
    return protocol_send(launcher->program.socket, &message, -1, err);
}

status_t launcher_resume(struct launcher *launcher, struct error *err) {
    ASSERT(is_running(launcher));
    struct protocol_message message = {.type = PROTOCOL_RESUME};
    return protocol_send(launcher->program.socket, &message, -1, err);
}

bool launcher_is_paused(const struct launcher *launcher) {
    return launcher->state == PROTOCOL_STATE_PAUSED;
}

void launcher_close(struct launcher *launcher) {
    if (launcher == nullptr) {
        return;
    }
    if (launcher->has_early) {
        fd_closep(&launcher->early.fd);
    }
    if (launcher->has_listener) {
        fd_closep(&launcher->listener);
    }
    program_end(&launcher->program);
    free(launcher);
}

void launcher_closep(struct launcher **launcher) {
    launcher_close(*launcher);
    *launcher = nullptr;
}
