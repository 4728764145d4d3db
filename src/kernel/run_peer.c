/* SPDX-License-Identifier: Apache-2.0
 *
 * Whoever runs the payload, as the relay of its streams sees it: the launcher, or an engine.
 */
#include <signal.h>

#include "kernel/run_container.h"
#include "sys/fd.h"

static status_t native_receive(void *context, struct launcher_message *ret_message,
                               struct error *err) {
    return launcher_receive(context, ret_message, err);
}

static status_t native_signal(void *context, int signal_number, struct error *err) {
    return launcher_signal(context, signal_number, err);
}

struct run_peer run_peer_native(struct launcher *launcher) {
    return (struct run_peer){
        .fd = launcher_fd(launcher),
        .context = launcher,
        .receive = native_receive,
        .signal = native_signal,
    };
}

/* An engine tells 128 + n both of a command that signal n ended and of one that says so itself; it
 * counts as the signal when we sent that one. */
static void fill_outcome(const struct run_container *container, const struct engine_end *end,
                         struct launcher_message *ret) {
    ret->status = end->status;
    ret->outcome = LAUNCHER_OUTCOME_EXIT;
    if (end->is_timeout) {
        ret->outcome = LAUNCHER_OUTCOME_TIMEOUT;
    } else if (end->is_oom) {
        ret->outcome = LAUNCHER_OUTCOME_MEMORY;
    } else if (container->sent_signal != 0 && end->status == 128 + container->sent_signal) {
        ret->outcome = LAUNCHER_OUTCOME_SIGNAL;
        ret->status = container->sent_signal;
    }
}

static status_t peer_receive(void *context, struct launcher_message *ret, struct error *err) {
    struct run_container *container = context;
    if (container->terminal >= 0) {
        *ret = (struct launcher_message){
            .type = LAUNCHER_TERMINAL,
            .fd = fd_take(&container->terminal),
        };
        return STATUS_OK;
    }
    struct engine_end end;
    TRY(engine_receive(container->engine, &end, err));
    *ret = (struct launcher_message){
        .type = LAUNCHER_EXITED,
        .fd = -1,
        .wall_ns = end.wall_ns,
        .cpu_user_us = end.cpu_user_us,
        .cpu_system_us = end.cpu_system_us,
        .memory_peak_bytes = end.memory_peak_bytes,
    };
    fill_outcome(container, &end, ret);
    return STATUS_OK;
}

/* The first process of a container ignores what it has no handler for, so that the third Ctrl-C
 * ends it. */
static status_t peer_signal(void *context, int number, struct error *err) {
    enum { INTERRUPTS_MAX = 3 };
    struct run_container *container = context;
    switch (number) {
    case SIGSTOP:
        return engine_pause(container->engine, container->name, err);
    case SIGCONT:
        return engine_resume(container->engine, container->name, err);
    case SIGINT:
    case SIGQUIT:
        container->interrupt_count++;
        number = container->interrupt_count >= INTERRUPTS_MAX ? SIGKILL : number;
        break;
    default:
        break;
    }
    container->sent_signal = number;
    return engine_kill(container->engine, container->name, number, err);
}

static bool peer_is_pending(void *context) {
    const struct run_container *container = context;
    return container->terminal >= 0 || engine_has_message(container->engine);
}

static void peer_resize(void *context, unsigned rows, unsigned columns) {
    struct run_container *container = context;
    struct error ignored; /* the terminal keeps the size it had */
    (void)!engine_resize(container->engine, container->name, rows, columns, &ignored).code;
}

struct run_peer run_container_peer(struct run_container *container) {
    return (struct run_peer){
        .fd = engine_fd(container->engine),
        .context = container,
        .receive = peer_receive,
        .signal = peer_signal,
        .is_pending = peer_is_pending,
        .resize = peer_resize,
    };
}
