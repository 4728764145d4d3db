/* SPDX-License-Identifier: Apache-2.0
 *
 * Sandboxes made ahead of need, for whoever stays: launchers whose ground is laid and who wait for
 * a plan. A ground holds nothing of a run, so a pooled sandbox serves any workspace; its overlay is
 * bound when the plan comes. Each is used once. One thread.
 */
#pragma once

#include "base/clock.h"
#include "sandbox/launcher.h"
#include "sys/random.h"

struct pool;

/* What a pooled sandbox is: the caller puts these into its plan_request and builds its plan on the
 * ground. pooled_deinit() ends it. */
struct pooled {
    struct launcher *launcher; /* owned */
    struct plan *ground;       /* owned */
    char run_id[ID_TEXT_BYTES];
    uint32_t host_uid, host_gid;
    uint64_t laid_ms; /* monotonic */
};
void pooled_deinit(struct pooled *pooled);

struct pool_counts {
    uint64_t warm; /* taken as they lay ready */
    uint64_t cold; /* taken, but made then, because none of the kind was ready */
    uint64_t aged; /* let go unused: the host may have changed since */
    uint64_t dead; /* ended by themselves, or could not be made */
};

/* `program` is nullptr for our launcher, another for tests; borrowed. */
status_t pool_new(struct clock clock, const char *program, struct pool **ret_pool,
                  struct error *err);
/* Ends what is in it. nullptr is fine. */
void pool_free(struct pool *pool);
void pool_freep(struct pool **pool);

/* Has `count` sandboxes of a kind kept ready, 0 for none any more. Of the request the kind is
 * template_row (borrowed as long as the pool lives), home, root, uid, gid, wall_ms_max and
 * ram_bytes. ERROR_LIMIT past LIMIT_POOL_KINDS or LIMIT_POOL_READY sandboxes in all. */
status_t pool_keep(struct pool *pool, const struct plan_request *kind, size_t count,
                   struct error *err);
/* Lets go of what is too old or dead and starts what is missing; waits for nothing. To be called
 * after takes and about once a second. The error is that of the first that could not be started. */
status_t pool_tend(struct pool *pool, struct error *err);
/* One of the kind, the oldest; made now when none is ready. */
status_t pool_take(struct pool *pool, const struct plan_request *kind, struct pooled *ret_pooled,
                   struct error *err);
struct pool_counts pool_counts(const struct pool *pool);
size_t pool_ready(const struct pool *pool);
