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

static status_t native_hold(void *context, bool is_pause, bool *ret_is_done, struct error *err) {
    *ret_is_done = false;
    return is_pause ? launcher_pause(context, err) : launcher_resume(context, err);
}

static bool native_is_held(const void *context) {
    return launcher_is_paused(context);
}

struct run_peer run_peer_native(struct launcher *launcher) {
    return (struct run_peer){
        .fd = launcher_fd(launcher),
        .context = launcher,
        .receive = native_receive,
        .signal = native_signal,
        .hold = native_hold,
        .is_held = native_is_held,
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
        .paused_ns = end.paused_ns,
        .cpu_user_us = end.cpu_user_us,
        .cpu_system_us = end.cpu_system_us,
        .memory_peak_bytes = end.memory_peak_bytes,
    };
    fill_outcome(container, &end, ret);
    return STATUS_OK;
}

/* The engine is believed only when it says that the container stands still. */
static status_t hold_still(struct run_container *container, struct error *err) {
    struct engine_status state;
    TRY(engine_pause(container->engine, container->name, err));
    TRY(engine_inspect(container->engine, container->name, &state, err));
    return state.is_paused ? STATUS_OK
                           : error_set(err, ERROR_RUN_NOT_LIVE, 0,
                                       "the container does not stand still: it is %s",
                                       state.is_found ? state.status : "gone");
}

/* Two may want it to stand still, a terminal and an asker; it goes on when neither does. */
static status_t apply_hold(struct run_container *container, struct error *err) {
    bool is_wanted = container->is_held || container->is_suspended;
    if (is_wanted != container->is_still) {
        TRY(is_wanted ? hold_still(container, err)
                      : engine_resume(container->engine, container->name, err));
        container->is_still = is_wanted;
    }
    return STATUS_OK;
}

static status_t set_hold(struct run_container *container, bool *hold, bool value,
                         struct error *err) {
    bool before = *hold;
    *hold = value;
    status_t status = apply_hold(container, err);
    *hold = status_is_ok(status) ? value : before;
    return status;
}

static status_t peer_hold(void *context, bool is_pause, bool *ret_is_done, struct error *err) {
    struct run_container *container = context;
    *ret_is_done = true;
    return set_hold(container, &container->is_held, is_pause, err);
}

static bool peer_is_held(const void *context) {
    const struct run_container *container = context;
    return container->is_held;
}

/* The first process of a container ignores what it has no handler for, so that the third Ctrl-C
 * ends it. */
static status_t peer_signal(void *context, int number, struct error *err) {
    enum { INTERRUPTS_MAX = 3 };
    struct run_container *container = context;
    switch (number) {
    case SIGSTOP:
        return set_hold(container, &container->is_suspended, true, err);
    case SIGCONT:
        return set_hold(container, &container->is_suspended, false, err);
    case SIGINT:
    case SIGQUIT:
        container->interrupt_count++;
        number = container->interrupt_count >= INTERRUPTS_MAX ? SIGKILL : number;
        break;
    default:
        break;
    }
    /* What stands still hears no signal. */
    container->is_held = container->is_suspended = false;
    TRY(apply_hold(container, err));
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
        .hold = peer_hold,
        .is_held = peer_is_held,
        .is_pending = peer_is_pending,
        .resize = peer_resize,
    };
}
