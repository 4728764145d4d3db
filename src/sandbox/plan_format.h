/* SPDX-License-Identifier: Apache-2.0
 *
 * A plan as bytes and as a decoded view. The launcher trusts nothing of it: it decodes through a
 * bounded cursor and checks every invariant again (plan_check) before it makes anything.
 *
 * Paths travel, not fds: an unprivileged process cannot clone a mount from an O_PATH fd of another
 * mount namespace before Linux 6.15 (docs/adr/0003-plan-paths.md). Where identity matters the
 * operation carries (dev, ino), compared on the fd that is mounted.
 */
#pragma once

#include "sandbox/plan.h"

enum plan_operation_type : uint8_t {
    PLAN_TMPFS,    /* target, mode, size; the first operation is the root "/" */
    PLAN_FOLDER,   /* target, mode */
    PLAN_FILE,     /* target, mode, content */
    PLAN_SYMLINK,  /* target, content = what it says */
    PLAN_BIND,     /* source, target, flags; read-only, nosuid, nodev unless flags say else */
    PLAN_PROC,     /* target: procfs of the sandbox's own pid namespace */
    PLAN_READONLY, /* target, already mounted: a read-only bind over itself */
    PLAN_MASK,     /* target: covered by an empty inode of our own; fine when it is not there */
    PLAN_DEVPTS,   /* target: a devpts of its own */
    PLAN_OVERLAY,  /* source = workspace, target, content = layers; upper and work: run folder */
    PLAN_CACHE,    /* source = target, below HOME; size = its number: caches/upper-N of the run */
    PLAN_SEAL,     /* the last one: the root becomes read-only */
    PLAN_OPERATION_TYPE_COUNT,
};

enum plan_flag : uint32_t {
    PLAN_FLAG_WRITABLE = 1 << 0,
    PLAN_FLAG_DEVICE = 1 << 1,   /* one device node: without nodev */
    PLAN_FLAG_OPTIONAL = 1 << 2, /* skipped when the source is not there */
    PLAN_FLAG_OWNED = 1 << 3,    /* as root: its owner is the payload (an id map) */
    PLAN_FLAG_ALL = (1 << 4) - 1,
};

struct plan_operation {
    enum plan_operation_type type;
    uint32_t flags;
    uint32_t mode;
    uint64_t size;
    uint64_t dev; /* 0, 0: any */
    uint64_t ino;
    const char *source;
    const char *target;
    struct slice content;
};

enum plan_access : uint8_t { PLAN_ACCESS_READ, PLAN_ACCESS_WRITE, PLAN_ACCESS_DEVICE };

/* What the payload may reach below a path, for Landlock. */
struct plan_rule {
    enum plan_access access;
    const char *path;
};

/* Decoded: everything points into the bytes, but for the arrays, which the view owns. */
struct plan_view {
    const char *run_id;
    const char *template_name;
    const char *run_folder;
    const char *workspace;
    const char *working_folder;
    const char *home;
    const char *path;
    struct template_limits limits;
    enum seccomp_profile seccomp;
    uint32_t uid, gid, host_uid, host_gid;
    bool terminal;
    bool wait_all;
    bool listener;
    struct plan_operation *operations;
    uint32_t operation_count;
    struct plan_rule *rules;
    uint32_t rule_count;
    const char **argv; /* nullptr-terminated */
    uint32_t argument_count;
    const char **environment; /* nullptr-terminated */
    uint32_t environment_count;
};

/* Appends the encoded form. */
void plan_encode(const struct plan_view *view, struct builder *builder);
/* Decodes; plan_check() is the caller's next step. Errors: PLAN_INVALID, NO_MEMORY. */
status_t plan_decode(struct slice bytes, struct plan_view *ret_view, struct error *err);
void plan_view_deinit(struct plan_view *view);
/* The invariants. Errors: PLAN_INVALID, and the message says which. */
status_t plan_check(const struct plan_view *view, struct error *err);
/* Those of a ground: nothing writable, nothing of a run. */
status_t plan_check_ground(const struct plan_view *ground, struct error *err);
/* Whether a plan that was checked is the one whose ground was laid: ids, limits and the first
 * operations are the same. PLAN_INVALID. */
status_t plan_check_stands_on(const struct plan_view *plan, const struct plan_view *ground,
                              struct error *err);
/* An absolute path without "..", ".", "//" or a final "/". */
bool plan_path_is_clean(const char *path);
/* `path` is `folder` or below it. */
bool plan_path_is_below(const char *path, const char *folder);

/* What the host has, read before a plan is built, so that building is pure. */
enum plan_host_kind : uint8_t { PLAN_HOST_NONE, PLAN_HOST_FILE, PLAN_HOST_FOLDER, PLAN_HOST_LINK };
struct plan_host_entry {
    const char *path; /* inside, e.g. "/lib64" */
    enum plan_host_kind kind;
    char link[256];
    uint64_t dev, ino; /* of what another root has there; 0 of the host's own */
};
enum { PLAN_HOST_ENTRY_COUNT = 32, PLAN_HOST_TOOLCHAIN_COUNT = 24 };
/* A row of caches.def that is there: a folder, and no link on the way from HOME to it. */
struct plan_host_cache {
    const char *folder;
    const char *covered; /* "" when it is not there */
    uint64_t dev, ino;
};
struct plan_host {
    struct plan_host_entry entry[PLAN_HOST_ENTRY_COUNT];
    uint32_t entry_count;
    /* Rows of toolchains.def that PATH names and that are folders, not links. */
    const char *toolchain[PLAN_HOST_TOOLCHAIN_COUNT];
    uint32_t toolchain_count;
    struct plan_host_cache cache[PLAN_CACHE_COUNT];
    uint32_t cache_count;              /* 0 when the template shows none */
    char git_folder[LIMIT_PATH_BYTES]; /* where a .git that is a file or link leads, or "" */
    uint64_t git_dev, git_ino;         /* its identity when it was looked at; 0: any */
};
/* Looks at what a ground needs, and then at what the rest needs; a thing that cannot be looked at
 * counts as not there, and so does what another root has by way of a link that leaves it. */
void plan_host_read_ground(const struct plan_request *request, struct plan_host *ret_host);
void plan_host_read_run(const struct plan_request *request, struct plan_host *host);
/* plan_build_ground() and plan_build() are these and the looks. */
status_t plan_build_ground_on(const struct plan_request *request, const struct plan_host *host,
                              struct plan **ret_ground, struct error *err);
status_t plan_build_on(const struct plan_request *request, const struct plan_host *host,
                       struct plan **ret_plan, struct error *err);
