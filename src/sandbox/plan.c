/* SPDX-License-Identifier: Apache-2.0
 *
 * Builds plans. The order of operations is the order of mounting: what stands inside another thing
 * comes after it, so HOME and /tmp come before a workspace that may lie below them. The ground
 * comes first of all; it is the longer part, and a launcher lays it while the kernel is still
 * deciding.
 */
#include "sandbox/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "sandbox/plan_draft.h"

struct plan {
    uint8_t *data;
    size_t size;
    struct plan_host *host; /* of a ground: what it was built from, and the plan on it will be */
    struct plan_caches caches;
};

static void add_folders(struct draft *draft, const struct plan_host *host) {
    const struct plan_request *request = draft->request;
    const char *tmp = draft_text(draft, request->run_folder, "/tmp");
    draft_bind(draft, tmp, "/tmp", PLAN_FLAG_WRITABLE);
    draft_bind(draft, tmp, "/var/tmp", PLAN_FLAG_WRITABLE);
    if (strcmp(request->workspace, request->home) != 0) {
        draft_bind(draft, draft_text(draft, request->run_folder, "/home"), request->home,
                   PLAN_FLAG_WRITABLE);
    }
    for (uint32_t i = 0; i < host->toolchain_count; i++) {
        const char *folder =
            draft_text(draft, draft_text(draft, request->home, "/"), host->toolchain[i]);
        if (!plan_path_is_below(request->workspace, folder) &&
            !plan_path_is_below(folder, request->workspace)) {
            draft_bind(draft, folder, folder, PLAN_FLAG_OPTIONAL);
        }
    }
}

/* Packages that were fetched before. A cache is written to by all who use it, so it is an overlay,
 * and what is written goes with the run. */
static void add_caches(struct draft *draft, const struct plan_host *host) {
    const struct plan_request *request = draft->request;
    for (uint32_t i = 0; i < host->cache_count; i++) {
        const struct plan_host_cache *cache = &host->cache[i];
        const char *folder =
            draft_text(draft, draft_text(draft, request->home, "/"), cache->folder);
        if (plan_path_is_below(folder, request->workspace) ||
            plan_path_is_below(request->workspace, folder)) {
            continue; /* the workspace shows it */
        }
        struct plan_operation *operation = draft_add(draft, PLAN_CACHE, folder);
        operation->source = folder;
        operation->dev = cache->dev;
        operation->ino = cache->ino;
        operation->size = draft->caches.count;
        draft->caches.folder[draft->caches.count++] = cache->folder;
        if (cache->covered[0] != '\0') {
            draft_add(draft, PLAN_MASK,
                      draft_text(draft, draft_text(draft, folder, "/"), cache->covered));
        }
    }
}

static void add_workspace(struct draft *draft, const struct plan_host *host,
                          struct builder *layers) {
    const struct plan_request *request = draft->request;
    if (host->git_folder[0] != '\0' && !plan_path_is_below(host->git_folder, request->workspace) &&
        !plan_path_is_below(request->workspace, host->git_folder)) {
        draft_bind(draft, host->git_folder, host->git_folder, PLAN_FLAG_OWNED);
        draft->operations[draft->operation_count - 1].dev = host->git_dev;
        draft->operations[draft->operation_count - 1].ino = host->git_ino;
    }
    for (size_t i = 0; request->layers != nullptr && request->layers[i] != nullptr; i++) {
        builder_text(layers, request->layers[i]);
        builder_u8(layers, 0);
    }
    struct plan_operation *overlay = draft_add(draft, PLAN_OVERLAY, request->workspace);
    overlay->source = request->workspace;
    overlay->dev = request->workspace_dev;
    overlay->ino = request->workspace_ino;
    overlay->content = builder_slice(layers);
    /* A workspace that holds HOME would show its secrets. */
    static const char *const secrets[] = {
#define HOME_SECRET(path) path,
#include "home_secrets.def"
#undef HOME_SECRET
    };
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        if (plan_path_is_below(request->home, request->workspace)) {
            draft_add(draft, PLAN_MASK,
                      draft_text(draft, draft_text(draft, request->home, "/"), secrets[i]));
        }
    }
}

static void add_rules(struct draft *draft) {
    const struct plan_request *request = draft->request;
    draft_rule(draft, PLAN_ACCESS_READ, "/");
    draft_rule(draft, PLAN_ACCESS_WRITE, request->workspace);
    draft_rule(draft, PLAN_ACCESS_WRITE, "/tmp");
    draft_rule(draft, PLAN_ACCESS_WRITE, "/var/tmp");
    draft_rule(draft, PLAN_ACCESS_WRITE, request->home);
    draft_rule(draft, PLAN_ACCESS_WRITE, "/dev/shm");
    draft_rule(draft, PLAN_ACCESS_DEVICE, "/dev");
    draft_rule(draft, PLAN_ACCESS_DEVICE, "/proc");
}

struct template_limits plan_limits(const struct plan_request *request) {
    struct template_limits limits = request->template_row->limits;
    limits.wall_ms_max = request->wall_ms_max != 0 ? request->wall_ms_max : limits.wall_ms_max;
    uint64_t half = request->ram_bytes / 2;
    bool is_less = half != 0 && half < limits.memory_bytes_max;
    limits.memory_bytes_max = is_less ? half : limits.memory_bytes_max;
    return limits;
}

static uint32_t count_of(const char *const *list) {
    const char *const *end = list;
    for (; *end != nullptr; end++) {
    }
    return (uint32_t)(end - list);
}

static struct plan_view view_of(struct draft *draft) {
    const struct plan_request *request = draft->request;
    return (struct plan_view){
        .run_id = request->run_id,
        .template_name = request->template_row->name,
        .run_folder = "",
        .workspace = "",
        .working_folder = "",
        .home = request->home,
        .path = "",
        .limits = plan_limits(request),
        .seccomp = request->template_row->seccomp,
        .uid = request->uid,
        .gid = request->gid,
        .host_uid = request->host_uid,
        .host_gid = request->host_gid,
        .operations = draft->operations,
        .operation_count = draft->operation_count,
        .rules = draft->rules,
        .rule_count = draft->rule_count,
    };
}

static status_t encode(const struct plan_view *view, struct plan **ret_plan, struct error *err) {
    CLEANUP(builder_deinit) struct builder builder;
    builder_init(&builder, LIMIT_PLAN_BYTES);
    plan_encode(view, &builder);
    struct plan *plan = calloc(1, sizeof *plan);
    if (!builder_is_ok(&builder) || plan == nullptr) {
        free(plan);
        return error_set(err, ERROR_LIMIT, 0, "the command and its environment are too long");
    }
    plan->data = builder_take(&builder, &plan->size);
    *ret_plan = plan;
    return STATUS_OK;
}

static status_t encode_ground(struct draft *draft, struct plan **ret_ground, struct error *err) {
    struct plan_view view = view_of(draft);
    TRY(plan_check_ground(&view, err));
    return encode(&view, ret_ground, err);
}

static status_t encode_whole(struct draft *draft, struct plan **ret_plan, struct error *err) {
    const struct plan_request *request = draft->request;
    struct plan_view view = view_of(draft);
    view.run_folder = request->run_folder;
    view.workspace = request->workspace;
    view.working_folder = request->working_folder;
    view.path = request->path;
    view.terminal = request->terminal;
    view.wait_all = request->wait_all;
    view.listener = request->listener;
    view.argument_count = count_of(request->argv);
    view.environment_count = count_of(request->environment);
    memcpy(&view.argv, &request->argv, sizeof view.argv);
    memcpy(&view.environment, &request->environment, sizeof view.environment);
    TRY(plan_check(&view, err));
    return encode(&view, ret_plan, err);
}

static struct draft *draft_new(const struct plan_request *request, const struct plan_host *host,
                               struct error *err) {
    struct draft *draft = malloc(sizeof *draft);
    if (draft == nullptr) {
        (void)error_set(err, ERROR_NO_MEMORY, 0, "cannot build a sandbox plan");
        return nullptr;
    }
    draft->request = request; /* the lists are not zeroed: they are long and mostly unused */
    draft->operation_count = 0;
    draft->rule_count = 0;
    draft->text_count = 0;
    draft->caches = (struct plan_caches){};
    draft->failed = false;
    draft_add_ground(draft, host);
    return draft;
}

static status_t draft_finish(struct draft *draft, bool is_ground, struct plan **ret_plan,
                             struct error *err) {
    status_t status;
    if (draft->failed) {
        status = error_set(err, ERROR_NO_MEMORY, 0, "cannot build a sandbox plan");
    } else {
        status = (is_ground ? encode_ground : encode_whole)(draft, ret_plan, err);
    }
    if (status_is_ok(status)) {
        (*ret_plan)->caches = draft->caches;
    }
    draft_deinit(draft);
    free(draft);
    return status;
}

status_t plan_build_ground_on(const struct plan_request *request, const struct plan_host *host,
                              struct plan **ret_ground, struct error *err) {
    struct draft *draft = draft_new(request, host, err);
    return draft != nullptr ? draft_finish(draft, true, ret_ground, err) : (status_t){err->code};
}

status_t plan_build_on(const struct plan_request *request, const struct plan_host *host,
                       struct plan **ret_plan, struct error *err) {
    ASSERT(request->argv != nullptr);
    struct draft *draft = draft_new(request, host, err);
    if (draft == nullptr) {
        return (status_t){ERROR_NO_MEMORY};
    }
    CLEANUP(builder_deinit) struct builder layers;
    builder_init(&layers, (size_t)LIMIT_STAGE_LAYERS * 2 * LIMIT_PATH_BYTES);
    if (request->trust.size > 0) {
        draft_file(draft, PLAN_TRUST_PATH, "");
        draft->operations[draft->operation_count - 1].content = request->trust;
    }
    add_folders(draft, host);
    add_caches(draft, host);
    add_workspace(draft, host, &layers);
    draft_add(draft, PLAN_SEAL, "/");
    add_rules(draft);
    draft->failed = draft->failed || !builder_is_ok(&layers);
    return draft_finish(draft, false, ret_plan, err);
}

status_t plan_build_ground(const struct plan_request *request, struct plan **ret_ground,
                           struct error *err) {
    CLEANUP(memory_freep) struct plan_host *host = calloc(1, sizeof *host);
    if (host == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot build a sandbox plan");
    }
    plan_host_read_ground(request, host);
    struct plan *ground = nullptr;
    TRY(plan_build_ground_on(request, host, &ground, err));
    ground->host = TAKE(host);
    *ret_ground = ground;
    return STATUS_OK;
}

status_t plan_build(const struct plan_request *request, const struct plan *ground,
                    struct plan **ret_plan, struct error *err) {
    ASSERT(ground->host != nullptr);
    CLEANUP(memory_freep) struct plan_host *host = malloc(sizeof *host);
    if (host == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot build a sandbox plan");
    }
    *host = *ground->host;
    plan_host_read_run(request, host);
    return plan_build_on(request, host, ret_plan, err);
}

void plan_free(struct plan *plan) {
    if (plan != nullptr) {
        free(plan->data);
        free(plan->host);
        free(plan);
    }
}

void plan_freep(struct plan **plan) {
    plan_free(*plan);
    *plan = nullptr;
}

struct plan_caches plan_caches(const struct plan *plan) {
    return plan->caches;
}

struct slice plan_bytes(const struct plan *plan) {
    return slice_of(plan->data, plan->size);
}
