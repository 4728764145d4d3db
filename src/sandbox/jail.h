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
 *
 * A sandbox is made in two parts. The ground comes first, when nobody has said yet what is to run:
 * namespaces, cgroup, uids, and the operations that every plan of this kind begins with. The plan
 * comes later and begins with the same operations; only its rest is left to do.
 */
#pragma once

#include <sys/types.h>

#include "sandbox/jail_cgroup.h"
#include "sandbox/jail_channel.h"
#include "sandbox/jail_watch.h"
#include "sandbox/plan_format.h"

/* What overlays are made from: those of caches, then that of the workspace. */
struct jail_overlay {
    int context; /* from fsopen(2), with what does not depend on the run; -1: none */
    int layer[PLAN_CACHE_COUNT + LIMIT_STAGE_LAYERS + 1];
    unsigned layer_count;
    int userns; /* the last one made for an id map, and what it maps */
    uint32_t userns_uid, userns_gid;
    bool is_private;                  /* the launcher has a mount namespace of its own */
    int placed[PLAN_CACHE_COUNT + 1]; /* in init: the overlays, as they are mounted */
    unsigned placed_count;
};

struct jail {
    struct plan_view plan; /* the ground, then the plan */
    uint32_t done_count;   /* operations of the plan that the ground had */
    struct jail_cgroup cgroup;
    struct jail_pause pause;
    pid_t init; /* 0: there is none */
    int userns; /* of the sandbox, as root in the launcher; -1 otherwise */
    bool is_root;
    bool samples_memory; /* no cgroup limits it */
    bool samples_cpu;    /* it has a quota, and no cgroup holds it */
    int kernel;          /* socket to the kernel's side */
    int channel;         /* this side's end */
    int channel_child;
    int go_read, go_write;
    int exec_read, exec_write;
    int upper;  /* runs/<id>/upper, to measure it */
    int caches; /* runs/<id>/caches, the same; -1: none */
    int lock;   /* of the run, kept open; -1: none */
    struct jail_overlay overlay;

    /* In the child, while it mounts. */
    int root;                           /* of the sandbox */
    int parent;                         /* the folder it was last in */
    char parent_path[LIMIT_PATH_BYTES]; /* "" when there is none */
    struct jail_order sources;          /* not used up yet */
    struct socket_fds source_fds;
};

uint64_t jail_now_ns(void);

/* jail_mount.c: a bind's source as a detached mount tree with its final flags. *ret_fd = -1 when it
 * is optional and not there. */
status_t jail_source_open(const struct jail *jail, const struct plan_operation *operation,
                          int *ret_fd, struct error *err);
/* The operations of jail->plan from `first` on, up to `end`; the last one of a plan makes the
 * root read-only. In the child. */
status_t jail_mount_some(struct jail *jail, uint32_t first, uint32_t end, struct error *err);
/* jail->root becomes the root of every process here; the host's goes, and with it every mount of
 * the host. */
status_t jail_mount_enter(const struct jail *jail, struct error *err);

/* jail_target.c: where mounts go, below jail->root. All return -1 with errno. */
/* The folder that holds a target's last part, made when it is not there, and that part. The folder
 * stays open for the next target, which mostly lies beside this one; it is borrowed until then. */
int jail_target_parent(struct jail *jail, const char *target, const char **ret_last);
/* Opens what is there already. */
int jail_target_find(struct jail *jail, const char *target);
/* Opens it, making it (a folder, or an empty file) when it is not there. */
int jail_target_open(struct jail *jail, const char *target, bool folder);
/* To be called before something is mounted at a target: that hides what was opened below it. */
void jail_target_cover(struct jail *jail, const char *target);

/* jail_overlay.c */
/* What can be done before the run is known. */
status_t jail_overlay_begin(struct jail *jail, struct error *err);
/* A detached overlay, of the workspace or of a cache. `userns` is that of the sandbox (as root: for
 * the idmap when the workspace belongs to the uid the payload has inside), or -1. Sets jail->upper
 * or jail->caches. What it was made from stays in jail->overlay until jail_overlay_forget(): to let
 * go of a mount makes the kernel wait for all its processors, half a millisecond, so that is done
 * when nobody waits for us. The launcher never does: it is to hear of its payload meanwhile. */
status_t jail_overlay_open(struct jail *jail, const struct plan_operation *operation, int userns,
                           int *ret_fd, struct error *err);
void jail_overlay_forget(struct jail *jail);
/* In init, last of all: its overlays outlive it by a moment, so that nobody waits for their end. */
void jail_overlay_leave(struct jail *jail);
/* A user namespace that maps one id: inside `uid`, outside `host_uid`. */
status_t jail_userns_open(uint32_t uid, uint32_t gid, const struct plan_view *plan, int *ret_fd,
                          struct error *err);
/* Writes the maps of a user namespace by one of its processes; 0 is the caller itself. */
status_t jail_map_write(pid_t pid, uint32_t uid, uint32_t gid, const struct plan_view *plan,
                        struct error *err);

/* jail_make.c: the launcher's part in making a sandbox. It is left half made when they fail. */
struct jail jail_nothing(int kernel);
/* Decodes and checks a ground (consumes `memory`), starts the child, and lets it lay the ground. */
status_t jail_make_ground(struct jail *jail, int memory, struct error *err);
/* The same for the plan, fds->fd[0], which must stand on the ground; the rest are the streams. All
 * are closed. */
status_t jail_make_rest(struct jail *jail, struct socket_fds *fds, struct error *err);
/* Reads a ground or a plan out of sealed memory. The bytes stay mapped. */
status_t jail_plan_read(int memory, struct plan_view *ret_view, struct error *err);
status_t jail_order_send(const struct jail *jail, const struct jail_order *order,
                         const struct socket_fds *fds, struct error *err);
/* Takes the run's lock out of what came with a plan: the last of 2 or 5. */
void jail_lock_take(struct jail *jail, struct socket_fds *fds);
/* In the child: the next order, which must be of that kind. */
status_t jail_order_receive(const struct jail *jail, enum jail_order_kind kind,
                            struct jail_order *ret_order, struct socket_fds *ret_fds,
                            struct error *err);

/* jail_listener.c: in the child, which is in the network namespace. */
status_t jail_listener_open(const struct jail *jail, struct error *err);

/* jail_init.c: the child. Never returns. */
[[noreturn]] void jail_init_run(struct jail *jail);
/* Sends a report from init or payload to the launcher; fd < 0: none. */
status_t jail_report_send(const struct jail *jail, const struct jail_report *report, int fd,
                          struct error *err);

/* jail_terminal.c: a pty on the sandbox's own devpts: its master goes out, no terminal of the host
 * comes in. In init. */
status_t jail_terminal_open(const struct jail *jail, int *ret_slave, struct error *err);

/* jail_payload.c: becomes the command. Never returns. While init mounts it makes the network
 * namespace, which it sends to init, and gives up what it can. Through `init`, a socket, come the
 * plan with its streams or a pty's slave; the root, when all but the workspace is in it; a word
 * when it is the root of this process; and one when the host's is gone. */
[[noreturn]] void jail_payload_run(struct jail *jail, int init);

/* jail_landlock.c: in two parts, because all but the workspace is in place before that is. Missing
 * Landlock is ERROR_SANDBOX_NO_LANDLOCK. */
struct jail_landlock {
    int ruleset; /* owned */
    int abi;
    uint64_t handled;
    uint64_t withheld; /* from every rule of the plan */
};
/* The rules of what lies outside the workspace, seen from `root`, the sandbox's. */
status_t jail_landlock_begin(const struct plan_view *plan, int root, struct jail_landlock *ret,
                             struct error *err);
/* The others; then they are in force. Closes the ruleset. */
status_t jail_landlock_finish(const struct plan_view *plan, struct jail_landlock *landlock,
                              struct error *err);

/* jail_watch.c */
/* What the stage, HOME and /tmp take on disk. */
uint64_t jail_disk_bytes(const struct jail *jail);
/* Whether the disk is nearly full and lost, since the first call, more than the limit or half of
 * what was free. Cheap. It also sees files that are open and have no name any more, which no walk
 * finds; it cannot tell who took the room, so it only speaks when the host is in danger. *ret_room
 * is what is left until then. */
bool jail_disk_is_short(const struct jail *jail, uint64_t limit_bytes, uint64_t *ret_room);

/* jail_pause.c: the launcher's part. */
/* Freezes a cgroup where there is one; else is_by_init is set and init is to be told. */
void jail_pause_begin(struct jail *jail);
/* Thaws. When init holds the payload it is to be told by the caller. */
void jail_pause_end(struct jail *jail);
/* Time in pauses so far. */
uint64_t jail_pause_ns(const struct jail_pause *pause, uint64_t now_ns);
/* Removes what freezing made. */
void jail_pause_remove(struct jail *jail);
