/* SPDX-License-Identifier: Apache-2.0
 *
 * What a container is to be. Whatever is not said here is not negotiable and stands in create.c: no
 * capability, no new privileges, no network, a read-only root, limits on everything.
 */
#pragma once

#include <stdint.h>

struct engine_container {
    const char *name;               /* "airlock-" and the run's id */
    const char *image;              /* "sha256:...", resolved before */
    const char *run_id;             /* label airlock.run */
    const char *user;               /* "UID:GID" */
    const char *folder;             /* to start in */
    const char *volume;             /* to be mounted at `target`, read-write */
    const char *target;             /* the workspace's own path */
    const char *gate, *gate_socket; /* of the host; mounted where engine/gate.h says */
    const char *trust;              /* certificates, of the host; "": none */
    const char *trust_target;       /* where to mount them */
    const char *const *argv;        /* nullptr-terminated, at least one */
    const char *const *environment; /* nullptr-terminated K=V */
    uint64_t memory_bytes;          /* all limits are above 0 */
    uint64_t pid_count;
    uint64_t cpu_shares; /* 1,024 is the usual share */
    uint64_t cpu_nano;   /* 10^9 is one processor; 0: as many as there are */
    uint64_t file_bytes; /* of one file */
    uint64_t open_files;
    uint64_t tmp_bytes; /* /tmp, in memory */
    bool terminal;
};
