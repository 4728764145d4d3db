/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's side of airlock-jail, the static launcher and the only process that makes
 * sandboxes. One launcher serves one run here. Order: start, ground, prepare, (the intent entry
 * commits), ready, go, messages until LAUNCHER_EXITED, close. Closing the launcher at any moment
 * kills the sandbox and everything in it.
 */
#pragma once

#include <stdint.h>

#include "sandbox/plan.h"
#include "sys/socket.h"

struct launcher;

/* The level each wall reached. */
struct sandbox_levels {
    char files[16];      /* "overlay" */
    char namespaces[16]; /* "full" */
    int landlock_abi;    /* 1.. */
    char seccomp[16];    /* "standard" */
    char limits[32];     /* "cgroup-v2", "cgroup-v1", "cgroup-hybrid", "rlimit" */
    char disk_rate[16];  /* "": nobody asked; "cgroup-v2", "cgroup-v1", "none" */
};

enum launcher_message_type : uint8_t {
    LAUNCHER_TERMINAL, /* the pty's master is in `fd`; the receiver owns it */
    LAUNCHER_STARTED,  /* the payload was exec'd */
    LAUNCHER_STOPPED,  /* the payload stopped itself (job control) */
    LAUNCHER_PAUSED,   /* nothing of the payload runs any more */
    LAUNCHER_RESUMED,
    LAUNCHER_EXITED, /* the last message */
};

enum launcher_outcome : uint8_t {
    LAUNCHER_OUTCOME_EXIT,   /* status = exit status */
    LAUNCHER_OUTCOME_SIGNAL, /* status = signal number */
    LAUNCHER_OUTCOME_TIMEOUT,
    LAUNCHER_OUTCOME_MEMORY,         /* killed at its memory limit */
    LAUNCHER_OUTCOME_DISK,           /* killed at its stage limit */
    LAUNCHER_OUTCOME_NOT_FOUND,      /* 127 */
    LAUNCHER_OUTCOME_NOT_EXECUTABLE, /* 126 */
};

struct launcher_message {
    enum launcher_message_type type;
    int fd;
    enum launcher_outcome outcome;
    int status;
    uint32_t killed_count;   /* processes left over and killed when the main one ended */
    uint32_t pid_count_peak; /* threads too; where nothing counts them, as often as was looked */
    uint64_t wall_ns;        /* first instruction to end, without pauses */
    uint64_t paused_ns;
    uint64_t cpu_user_us;
    uint64_t cpu_system_us;
    uint64_t cpu_throttled_us; /* kept from running by the quota of the processors */
    uint64_t memory_peak_bytes;
    uint64_t io_read_bytes; /* from disk and to it, as the kernel charges processes */
    uint64_t io_write_bytes;
    uint64_t setup_ns; /* request to first instruction, for the bench */
};

/* Streams of the payload: the launcher gets copies. With plan.terminal they are -1. */
struct launcher_streams {
    int input;
    int output;
    int error;
};

status_t launcher_start(struct launcher **ret_launcher, struct error *err);
/* The same with a program that is not where ours are: for benches. */
status_t launcher_start_program(const char *path, struct launcher **ret_launcher,
                                struct error *err);
/* Has it begin with the part that needs neither workspace nor command; returns at once. What fails
 * there is the error of launcher_ready(). */
status_t launcher_ground(struct launcher *launcher, const struct plan *ground, struct error *err);
/* The plan must stand on that ground. `run_lock`, or -1, is an open file that carries the lock of
 * the run: the sandbox keeps it open as long as it lives, so that nobody takes a run for dead whose
 * payload is not. */
status_t launcher_prepare(struct launcher *launcher, const struct plan *plan,
                          const struct launcher_streams *streams, int run_lock, struct error *err);
/* Waits until the sandbox is complete but for its go. A wall that cannot be had is its error. */
status_t launcher_ready(struct launcher *launcher, struct sandbox_levels *ret_levels,
                        struct error *err);
/* The listening socket of a plan that has one, once the launcher is ready; the caller owns it. -1:
 * there is none, or it was taken. */
int launcher_take_listener(struct launcher *launcher);
status_t launcher_go(struct launcher *launcher, struct error *err);
/* Instead of launcher_go(), and before launcher_ready(): the command starts the moment its sandbox
 * is complete, and nobody has to be woken in between. */
status_t launcher_go_when_ready(struct launcher *launcher, struct error *err);
/* Of airlock-jail, which lives as long as the sandbox. */
pid_t launcher_pid(const struct launcher *launcher);
int launcher_fd(const struct launcher *launcher); /* readable when a message waits; borrowed */
status_t launcher_receive(struct launcher *launcher, struct launcher_message *ret_message,
                          struct error *err);
/* Sends a signal to the payload's process group; SIGKILL ends the whole sandbox. */
status_t launcher_signal(struct launcher *launcher, int signal_number, struct error *err);
/* Has the whole sandbox stand still, or go on. LAUNCHER_PAUSED or LAUNCHER_RESUMED tells when that
 * is so; asked twice it tells twice. Time in a pause does not count against the wall time. */
status_t launcher_pause(struct launcher *launcher, struct error *err);
status_t launcher_resume(struct launcher *launcher, struct error *err);
bool launcher_is_paused(const struct launcher *launcher);
void launcher_close(struct launcher *launcher);
void launcher_closep(struct launcher **launcher);
