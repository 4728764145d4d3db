/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock-jail from within. Three processes of one program:
 *
 *   launcher   outside; talks to the kernel, keeps limits and time, never reads what a payload
 * wrote init       pid 1 of the sandbox; mounts, starts the payload, reaps, samples disk and memory
 *   payload    becomes the command, after it gave up everything it can
 *
 * They share one SEQPACKET channel of fixed-size reports (upwards) and orders (downwards), a go
 * pipe that the payload waits on, and an exec pipe that closes when the command was exec'd.
 */
#pragma once

#include <sys/types.h>

#include "sandbox/plan_format.h"
#include "sandbox/protocol.h"

enum jail_report_kind : uint8_t {
    REPORT_FAILED,
    REPORT_TERMINAL, /* with the pty's master */
    REPORT_READY,    /* from the payload: it waits for go */
    REPORT_EXECUTING,
    REPORT_STOPPED,
    REPORT_MEMORY, /* a limit was passed; init ends everything */
    REPORT_DISK,
    REPORT_ENDED,
};

struct jail_report {
    enum jail_report_kind kind;
    bool by_signal;
    int32_t status;
    int32_t landlock_abi;
    uint32_t killed_count;
    uint64_t time_ns; /* monotonic */
    uint64_t cpu_user_us;
    uint64_t cpu_system_us;
    uint64_t memory_peak_bytes;
    struct protocol_failure failure;
};

enum jail_order_kind : uint8_t {
    ORDER_MAPPED,  /* the maps of the user namespace are written */
    ORDER_OVERLAY, /* with the overlay, made by the launcher because it is root */
    ORDER_SIGNAL,
};

struct jail_order {
    enum jail_order_kind kind;
    int32_t signal_number;
};

struct jail {
    struct plan_view plan;
    bool is_root;
    bool samples_memory; /* no cgroup limits it */
    int kernel;          /* socket to the kernel's side */
    int channel;         /* this side's end */
    int channel_child;
    int go_read, go_write;
    int exec_read, exec_write;
    int stream[3]; /* -1 with a terminal */
    int upper;     /* runs/<id>/upper, to measure it */
    int *source;   /* one per operation; -1 where the child opens it itself */
};

uint64_t jail_now_ns(void);

/* jail_mount.c: a bind's source as a detached mount tree with its final flags. *ret_fd = -1 when it
 * is optional and not there. */
status_t jail_source_open(const struct jail *jail, const struct plan_operation *operation,
                          int *ret_fd, struct error *err);
/* All operations of the plan, then pivot_root. In the child. */
status_t jail_mount_all(struct jail *jail, struct error *err);

/* jail_overlay.c: a detached overlay. `userns` is that of the sandbox (as root: for the idmap when
 * the workspace belongs to the uid the payload has inside), or -1. Sets jail->upper. */
status_t jail_overlay_open(struct jail *jail, const struct plan_operation *operation, int userns,
                           int *ret_fd, struct error *err);
/* A user namespace that maps one id: inside `uid`, outside `host_uid`. */
status_t jail_userns_open(uint32_t uid, uint32_t gid, const struct plan_view *plan, int *ret_fd,
                          struct error *err);
/* Writes the maps of a user namespace by one of its processes; 0 is the caller itself. */
status_t jail_map_write(pid_t pid, uint32_t uid, uint32_t gid, const struct plan_view *plan,
                        struct error *err);

/* jail_init.c: the child. Never returns. */
[[noreturn]] void jail_init_run(struct jail *jail);
/* Sends a report from init or payload to the launcher; fd < 0: none. */
status_t jail_report_send(const struct jail *jail, const struct jail_report *report, int fd,
                          struct error *err);

/* jail_payload.c: becomes the command. Never returns. `terminal` is the pty's slave or -1. */
[[noreturn]] void jail_payload_run(struct jail *jail, int terminal);

/* jail_landlock.c: the ABI that was applied. Missing Landlock is ERROR_SANDBOX_NO_LANDLOCK. */
status_t jail_landlock_apply(const struct plan_view *plan, int *ret_abi, struct error *err);

/* jail_watch.c */
/* What the stage, HOME and /tmp take on disk. */
uint64_t jail_disk_bytes(const struct jail *jail);
/* Whether the disk is nearly full and lost, since the first call, more than the limit or half of
 * what was free. Cheap. It also sees files that are open and have no name any more, which no walk
 * finds; it cannot tell who took the room, so it only speaks when the host is in danger. */
bool jail_disk_is_short(const struct jail *jail, uint64_t limit_bytes);
/* Whether all processes of the sandbox together hold more, shared memory counted once; or whether
 * the host is nearly out of memory and lost that much since the first call. */
bool jail_memory_is_over(uint64_t limit_bytes);

/* jail_cgroup.c */
struct jail_cgroup {
    const char *level; /* "cgroup-v2", "cgroup-v1" or "rlimit" */
    char memory[512];  /* folders, or "" */
    char pids[512];
    char own_memory[512]; /* version 1: where the launcher itself is */
    char own_pids[512];
    bool launcher_is_inside;
};
/* Makes the cgroups with the plan's limits; none that can be had is level "rlimit". */
void jail_cgroup_make(struct jail_cgroup *cgroup, const struct plan_view *plan);
/* Around the clone. Version 1: the launcher steps in, its child is born there, and it steps out
 * again. Version 2: the child is moved. */
status_t jail_cgroup_step_in(struct jail_cgroup *cgroup, struct error *err);
status_t jail_cgroup_step_out(struct jail_cgroup *cgroup, pid_t pid, struct error *err);
/* Whether the kernel killed for memory, and the peak (0: unknown). */
bool jail_cgroup_was_oom(const struct jail_cgroup *cgroup, uint64_t *ret_peak_bytes);
void jail_cgroup_remove(struct jail_cgroup *cgroup);
