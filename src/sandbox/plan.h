/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sandbox will be, as data. The kernel builds a plan (plan_build), checks it (plan_check),
 * records its digest, and hands it to the launcher, which decodes it through a cursor and does
 * exactly what it lists. Pure: no file is touched here except the read-only look at the host that
 * struct plan_host carries in.
 */
#pragma once

#include <sys/types.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"

/* Where programs inside find the egress proxy: 127.0.0.1 and this port. */
enum { PLAN_LISTENER_PORT = 3128 };
#define PLAN_TRUST_PATH "/run/airlock-ca.pem"

enum seccomp_profile : uint8_t { SECCOMP_STANDARD, SECCOMP_STRICT };

/* What a template gives of the network. Restricted: no route either, but a listener that the
 * egress proxy serves from outside. */
enum template_network : uint8_t { TEMPLATE_NETWORK_NONE, TEMPLATE_NETWORK_RESTRICTED };

/* Limits of a template; 0 means none. */
struct template_limits {
    uint64_t memory_bytes_max;
    uint32_t pid_count_max;
    uint32_t cpu_weight;
    uint32_t cpu_percent_max; /* 100 = one processor */
    uint64_t wall_ms_max;
    uint64_t stage_bytes_max;
    uint64_t file_bytes_max;
    uint64_t output_bytes_max; /* kept in runs/<id>/output; streaming goes on past it */
    uint64_t read_rate_max, write_rate_max; /* bytes from and to disk in a second */
};

/* Rows of caches.def. */
enum {
    PLAN_CACHE_COUNT = 0
#define CACHE(folder, covered) +1
#include "caches.def"
#undef CACHE
};
/* Whether the caches of package managers below HOME are shown; see schema/caches.def. */
enum template_caches : uint8_t { TEMPLATE_CACHES_NONE, TEMPLATE_CACHES_READ };

struct template_row {
    const char *name;
    const char *summary;
    enum seccomp_profile seccomp;
    enum template_network network;
    enum template_caches caches;
    struct template_limits limits;
    uint64_t agent_wall_ms_max; /* in place of limits.wall_ms_max where no person asked */
    const char *digest;         /* of the definition: SHA-256 over template_format(), hex */
};

/* The built-in templates, from profiles/templates: code-executor (default), small,
 * integration-test, package-caches, ai-provider, policy-sandbox. nullptr when there is none of the
 * name. A plan's memory_bytes_max is never above half of ram_bytes. */
const struct template_row *template_find(const char *name);
size_t template_count(void);
const struct template_row *template_at(size_t index);

struct plan_request {
    const char *run_id;
    const struct template_row *template_row;
    const char *const *argv;        /* nullptr-terminated; argv[0] is looked up in PATH inside */
    const char *const *environment; /* nullptr-terminated K=V, complete */
    const char *workspace;          /* absolute, resolved; it sits at the same path inside */
    const char *working_folder;     /* absolute; inside the workspace, or the workspace itself */
    const char *home;               /* HOME inside: absolute */
    const char *path;               /* the PATH inside, to find toolchains below HOME */
    const char *root;               /* --root DIR, or nullptr for the host's own */
    const char *run_folder; /* absolute path of runs/<id> on the host: upper, work, tmp, home */
    const char *const
        *layers; /* absolute paths of stages to stand on, newest first; nullptr-terminated */
    uint64_t workspace_dev; /* identity that the launcher verifies after mounting */
    uint64_t workspace_ino;
    uint32_t uid; /* of the caller; the uid seen inside */
    uint32_t gid;
    uint32_t host_uid; /* what it is outside: the caller's own, or 2,000,000 + n for root */
    uint32_t host_gid;
    uint64_t wall_ms_max; /* --timeout, or the template's; 0 none */
    uint64_t ram_bytes;   /* of the host */
    bool terminal;        /* a pty instead of three pipes */
    bool wait_all;
    struct slice trust; /* certificates for programs inside, at PLAN_TRUST_PATH; empty: none */
    bool listener;      /* a way out: a listening socket in its network namespace is handed out */
};

/* Sets host_uid and host_gid. Outside, the payload is the caller, or for root of the machine
 * 2,000,000 + n. n is the id of a process that lives as long as the run: no other run of this
 * machine has it, it needs no lock file, and it is below every kernel's pid_max of 4,194,304, so
 * the range is known. */
void plan_choose_host_ids(pid_t pid, struct plan_request *request);

/* Caches that are shown: paths below HOME, static. Their numbers are those of the folders that take
 * what is written (sandbox/run_caches.h). */
struct plan_caches {
    const char *folder[PLAN_CACHE_COUNT];
    uint32_t count;
};

struct plan; /* built, checked, immutable */

/* Builds a ground: the first operations of a plan, those that need to know neither workspace nor
 * command (root, the host's programs, /etc, /dev, /proc), so that a launcher can have them done
 * before it is told the rest. Looks at the host. Of the request it reads run_id, template_row,
 * home, root, the four ids, wall_ms_max and ram_bytes. */
status_t plan_build_ground(const struct plan_request *request, struct plan **ret_ground,
                           struct error *err);
/* The limits that a plan of this request has: its template's, its own time, and no more than half
 * of the machine's memory. */
struct template_limits plan_limits(const struct plan_request *request);
/* Builds the typed operation list and checks its invariants (plan_check): the root is read-only,
 * nothing host-writable but overlay, tmp and home; no path escapes; every limit set; network own.
 * It begins with the operations of `ground`, which the same request made. */
status_t plan_build(const struct plan_request *request, const struct plan *ground,
                    struct plan **ret_plan, struct error *err);
void plan_free(struct plan *plan);
void plan_freep(struct plan **plan);
struct plan_caches plan_caches(const struct plan *plan);
/* The encoded form: what travels to the launcher and what the plan's digest is over. Borrowed. */
struct slice plan_bytes(const struct plan *plan);
