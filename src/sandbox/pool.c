/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/pool.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"

/* What every sandbox of a kind has in common. */
struct kind {
    struct plan_request request; /* home and root are owned */
    size_t wanted;
    struct pooled ready[LIMIT_POOL_READY]; /* the oldest first */
    size_t ready_count;
};

struct pool {
    struct clock clock;
    const char *program;
    struct kind *kinds[LIMIT_POOL_KINDS]; /* owned */
    size_t kind_count;
    struct pool_counts counts;
};

void pooled_deinit(struct pooled *pooled) {
    launcher_closep(&pooled->launcher);
    plan_freep(&pooled->ground);
}

status_t pool_new(struct clock clock, const char *program, struct pool **ret_pool,
                  struct error *err) {
    struct pool *pool = calloc(1, sizeof *pool);
    if (pool == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot make a pool of sandboxes");
    }
    pool->clock = clock;
    pool->program = program;
    *ret_pool = pool;
    return STATUS_OK;
}

/* Takes out the i-th; the caller owns it. */
static struct pooled take_out(struct kind *kind, size_t i) {
    struct pooled pooled = kind->ready[i];
    kind->ready_count--;
    memmove(&kind->ready[i], &kind->ready[i + 1], (kind->ready_count - i) * sizeof pooled);
    return pooled;
}

static void let_go(struct kind *kind, size_t i) {
    struct pooled pooled = take_out(kind, i);
    pooled_deinit(&pooled);
}

static void kind_free(struct kind *kind) {
    while (kind->ready_count > 0) {
        let_go(kind, kind->ready_count - 1);
    }
    /* They are ours; a request only borrows. */
    char *home = nullptr;
    char *root = nullptr;
    memcpy(&home, &kind->request.home, sizeof home);
    memcpy(&root, &kind->request.root, sizeof root);
    free(home);
    free(root);
    free(kind);
}

void pool_free(struct pool *pool) {
    if (pool != nullptr) {
        for (size_t i = 0; i < pool->kind_count; i++) {
            kind_free(pool->kinds[i]);
        }
        free(pool);
    }
}

void pool_freep(struct pool **pool) {
    pool_free(*pool);
    *pool = nullptr;
}

static bool texts_equal(const char *a, const char *b) {
    return a == nullptr || b == nullptr ? a == b : strcmp(a, b) == 0;
}

static struct kind *find_kind(const struct pool *pool, const struct plan_request *request) {
    for (size_t i = 0; i < pool->kind_count; i++) {
        const struct plan_request *known = &pool->kinds[i]->request;
        if (known->template_row == request->template_row && known->uid == request->uid &&
            known->gid == request->gid && known->wall_ms_max == request->wall_ms_max &&
            known->ram_bytes == request->ram_bytes && texts_equal(known->home, request->home) &&
            texts_equal(known->root, request->root)) {
            return pool->kinds[i];
        }
    }
    return nullptr;
}

static status_t add_kind(struct pool *pool, const struct plan_request *request,
                         struct kind **ret_kind, struct error *err) {
    if (pool->kind_count == LIMIT_POOL_KINDS) {
        limit_hit(LIMIT_ID_POOL_KINDS);
        return error_set(err, ERROR_LIMIT, 0, "the pool keeps no more than %d kinds of sandboxes",
                         (int)LIMIT_POOL_KINDS);
    }
    struct kind *kind = calloc(1, sizeof *kind);
    char *home = strdup(request->home);
    char *root = request->root == nullptr ? nullptr : strdup(request->root);
    if (kind == nullptr || home == nullptr || (request->root != nullptr && root == nullptr)) {
        free(kind);
        free(home);
        free(root);
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot keep a kind of sandboxes");
    }
    kind->request = (struct plan_request){
        .template_row = request->template_row,
        .home = home,
        .root = root,
        .uid = request->uid,
        .gid = request->gid,
        .wall_ms_max = request->wall_ms_max,
        .ram_bytes = request->ram_bytes,
    };
    pool->kinds[pool->kind_count++] = kind;
    *ret_kind = kind;
    return STATUS_OK;
}

status_t pool_keep(struct pool *pool, const struct plan_request *request, size_t count,
                   struct error *err) {
    size_t wanted = count;
    for (size_t i = 0; i < pool->kind_count; i++) {
        wanted += pool->kinds[i]->wanted;
    }
    struct kind *kind = find_kind(pool, request);
    wanted -= kind == nullptr ? 0 : kind->wanted;
    if (wanted > LIMIT_POOL_READY) {
        limit_hit(LIMIT_ID_POOL_READY);
        return error_set(err, ERROR_LIMIT, 0, "the pool keeps no more than %d sandboxes",
                         (int)LIMIT_POOL_READY);
    }
    if (kind == nullptr) {
        TRY(add_kind(pool, request, &kind, err));
    }
    kind->wanted = count;
    return STATUS_OK;
}

/* The payload's host ids hang on the launcher's process id, which is ours as long as it lives. */
static status_t lay(const struct pool *pool, const struct plan_request *kind,
                    struct pooled *ret_pooled, struct error *err) {
    struct pooled pooled = {.laid_ms = clock_monotonic_ms(&pool->clock)};
    struct plan_request request = *kind;
    id_generate(clock_wall_ms(&pool->clock), pooled.run_id);
    request.run_id = pooled.run_id;
    status_t status = pool->program == nullptr
                          ? launcher_start(&pooled.launcher, err)
                          : launcher_start_program(pool->program, &pooled.launcher, err);
    TRY(status);
    plan_choose_host_ids(launcher_pid(pooled.launcher), &request);
    pooled.host_uid = request.host_uid;
    pooled.host_gid = request.host_gid;
    status = plan_build_ground(&request, &pooled.ground, err);
    if (status_is_ok(status)) {
        status = launcher_ground(pooled.launcher, pooled.ground, err);
    }
    if (!status_is_ok(status)) {
        pooled_deinit(&pooled);
        return status;
    }
    *ret_pooled = pooled;
    return STATUS_OK;
}

/* A launcher says nothing before it has a plan, unless something is wrong. */
static bool is_dead(const struct pooled *pooled) {
    struct pollfd fd = {.fd = launcher_fd(pooled->launcher), .events = POLLIN};
    return poll(&fd, 1, 0) != 0;
}

/* Lets go of the i-th when it is of no use any more. */
static bool drop_useless(struct pool *pool, struct kind *kind, size_t i) {
    uint64_t age_ms = clock_monotonic_ms(&pool->clock) - kind->ready[i].laid_ms;
    bool dead = is_dead(&kind->ready[i]);
    if (!dead && age_ms < LIMIT_POOL_AGE_MS) {
        return false;
    }
    pool->counts.dead += dead ? 1 : 0;
    if (!dead) {
        pool->counts.aged++;
        limit_hit(LIMIT_ID_POOL_AGE_MS);
    }
    let_go(kind, i);
    return true;
}

static status_t tend_kind(struct pool *pool, struct kind *kind, struct error *err) {
    for (size_t i = kind->ready_count; i > 0; i--) {
        if (!drop_useless(pool, kind, i - 1) && kind->ready_count > kind->wanted) {
            let_go(kind, i - 1);
        }
    }
    while (kind->ready_count < kind->wanted) {
        struct pooled *next = &kind->ready[kind->ready_count];
        status_t status = lay(pool, &kind->request, next, err);
        if (!status_is_ok(status)) {
            pool->counts.dead++;
            return status;
        }
        kind->ready_count++;
    }
    return STATUS_OK;
}

status_t pool_tend(struct pool *pool, struct error *err) {
    status_t first = STATUS_OK;
    for (size_t i = 0; i < pool->kind_count; i++) {
        struct error later = {};
        bool is_first = status_is_ok(first);
        status_t status = tend_kind(pool, pool->kinds[i], is_first ? err : &later);
        first = is_first ? status : first;
    }
    return first;
}

status_t pool_take(struct pool *pool, const struct plan_request *request, struct pooled *ret_pooled,
                   struct error *err) {
    struct kind *kind = find_kind(pool, request);
    while (kind != nullptr && kind->ready_count > 0) {
        if (!drop_useless(pool, kind, 0)) {
            *ret_pooled = take_out(kind, 0);
            pool->counts.warm++;
            return STATUS_OK;
        }
    }
    TRY(lay(pool, request, ret_pooled, err));
    pool->counts.cold++;
    return STATUS_OK;
}

struct pool_counts pool_counts(const struct pool *pool) {
    return pool->counts;
}

size_t pool_ready(const struct pool *pool) {
    size_t count = 0;
    for (size_t i = 0; i < pool->kind_count; i++) {
        count += pool->kinds[i]->ready_count;
    }
    return count;
}
