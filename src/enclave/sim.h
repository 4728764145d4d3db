/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs what a manifest says, without an enclave. sim_plan.c decides what is shown and checks every
 * hash, while nothing has been started; sim.c starts the program in namespaces of its own and makes
 * quotes for it; in there sim_root.c builds its root and sim_calls.c takes its calls away.
 *
 * This protects nothing from anybody who is root here. It shows that the manifest holds all the
 * program needs, and that the program needs no more of Linux than Gramine has.
 */
#pragma once

#include "base/error.h"
#include "crypto/hash.h"
#include "enclave/manifest.h"

enum sim_step_kind : uint8_t {
    SIM_COPY,  /* the checked bytes of a trusted file, read-only */
    SIM_BIND,  /* an allowed file of the host */
    SIM_TMPFS, /* an empty folder */
};

struct sim_step {
    enum sim_step_kind kind;
    char *inside;     /* absolute, without ".."; owned */
    const char *host; /* of SIM_BIND; borrowed from the manifest */
    size_t file;      /* of SIM_COPY: index */
};

struct sim_plan {
    struct sim_step *steps; /* in the order of mounting */
    size_t step_count, step_count_max;
    struct builder *files; /* the bytes of trusted files */
    size_t file_count;
    const char *entrypoint, *start_folder;
    const char **argv, **environment; /* end in nullptr; their texts are borrowed or in `kept` */
    char **kept;
    size_t kept_count;
    uint64_t descriptors, stack_bytes, memory_bytes; /* 0: no limit */
    uint32_t uid, gid;
    bool has_resolver_file; /* /etc/resolv.conf is the host's */
    bool may_terminate;     /* SIGTERM is handed on, once */
    bool may_start_processes, may_eventfd, may_flock;
    struct digest measurement; /* of the manifest's text */
};

/* Reads trusted files, relative to the current folder, and compares every hash. Borrows `manifest`
 * and `environment` (as of main). ERROR_ENCLAVE_FILE names the file that is another one;
 * ERROR_MANIFEST for what a simulation cannot do: encrypted mounts, shared memory, trusted folders
 * and files without a hash, arguments from elsewhere. */
status_t sim_plan_make(const struct manifest *manifest, struct slice text, char **environment,
                       struct sim_plan *ret_plan, struct error *err);
void sim_plan_deinit(struct sim_plan *plan);

/* Starts the program and stays until it ends; *ret_status is its exit status, or 128 and the signal
 * that ended it. Says on standard error what it is. */
status_t sim_run(const struct sim_plan *plan, bool as_json, int *ret_status, struct error *err);
