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
#include "sandbox/plan_format.h"

enum {
    SHARED_MEMORY_BYTES = 64 * 1024 * 1024,
    ROOT_BYTES = 1024 * 1024,
    TEXT_COUNT = 128,
};

struct plan {
    uint8_t *data;
    size_t size;
    struct plan_host *host; /* of a ground: what it was built from, and the plan on it will be */
};

/* The lists under construction, and the paths put together for them. */
struct draft {
    const struct plan_request *request;
    struct plan_operation operations[LIMIT_PLAN_OPERATIONS];
    uint32_t operation_count;
    struct plan_rule rules[16];
    uint32_t rule_count;
    char *text[TEXT_COUNT]; /* owned */
    uint32_t text_count;
    bool failed;
};

static const char *draft_text(struct draft *draft, const char *a, const char *b) {
    if (draft->text_count == TEXT_COUNT) {
        draft->failed = true;
        return "";
    }
    char *text = nullptr;
    if (asprintf(&text, "%s%s", a, b) < 0) {
        draft->failed = true;
        return "";
    }
    draft->text[draft->text_count++] = text;
    return text;
}

static void draft_deinit(struct draft *draft) {
    for (uint32_t i = 0; i < draft->text_count; i++) {
        free(draft->text[i]);
    }
}

static struct plan_operation *draft_add(struct draft *draft, enum plan_operation_type type,
                                        const char *target) {
    ASSERT(draft->operation_count < LIMIT_PLAN_OPERATIONS);
    struct plan_operation *operation = &draft->operations[draft->operation_count++];
    *operation = (struct plan_operation){.type = type, .source = "", .target = target};
    return operation;
}

static void draft_bind(struct draft *draft, const char *source, const char *target,
                       uint32_t flags) {
    struct plan_operation *operation = draft_add(draft, PLAN_BIND, target);
    operation->source = source;
    operation->flags = flags;
}

static void draft_file(struct draft *draft, const char *target, const char *content) {
    struct plan_operation *operation = draft_add(draft, PLAN_FILE, target);
    operation->mode = 0444;
    operation->content = slice_of_string(content);
}

static void draft_symlink(struct draft *draft, const char *target, const char *content) {
    draft_add(draft, PLAN_SYMLINK, target)->content = slice_of_string(content);
}

static void draft_folder(struct draft *draft, const char *target) {
    draft_add(draft, PLAN_FOLDER, target)->mode = 0755;
}

static void draft_rule(struct draft *draft, enum plan_access access, const char *path) {
    ASSERT(draft->rule_count < sizeof draft->rules / sizeof draft->rules[0]);
    draft->rules[draft->rule_count++] = (struct plan_rule){.access = access, .path = path};
}

static void add_host(struct draft *draft, const struct plan_host *host) {
    const char *root = draft->request->root;
    for (uint32_t i = 0; i < host->entry_count; i++) {
        const struct plan_host_entry *entry = &host->entry[i];
        switch (entry->kind) {
        case PLAN_HOST_NONE:
            break;
        case PLAN_HOST_LINK:
            draft_symlink(draft, entry->path, entry->link);
            break;
        case PLAN_HOST_FILE:
        case PLAN_HOST_FOLDER:
            draft_bind(draft, root == nullptr ? entry->path : draft_text(draft, root, entry->path),
                       entry->path, 0);
            break;
        }
        if (entry->kind == PLAN_HOST_FOLDER && strcmp(entry->path, "/nix") == 0) {
            /* A read-only mount does not keep anybody from a socket, and the daemon behind this
             * one fetches and builds with the host's network. */
            draft_add(draft, PLAN_MASK, "/nix/var/nix/daemon-socket");
        }
    }
}

static void add_etc(struct draft *draft) {
    const struct plan_request *request = draft->request;
    char text[3 * LIMIT_PATH_BYTES];
    (void)snprintf(text, sizeof text,
                   "root:x:0:0:root:%s:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
                   request->home);
    if (request->uid != 0) {
        (void)snprintf(text, sizeof text,
                       "root:x:0:0:root:/:/bin/sh\nuser:x:%u:%u:user:%s:/bin/sh\n"
                       "nobody:x:65534:65534:nobody:/:/bin/false\n",
                       request->uid, request->gid, request->home);
    }
    draft_file(draft, "/etc/passwd", draft_text(draft, text, ""));
    (void)snprintf(text, sizeof text, "root:x:0:\n");
    if (request->gid != 0) {
        (void)snprintf(text, sizeof text, "root:x:0:\nuser:x:%u:\n", request->gid);
    }
    draft_file(draft, "/etc/group", draft_text(draft, text, "nogroup:x:65534:\n"));
    draft_file(draft, "/etc/hosts",
               "127.0.0.1 localhost airlock\n::1 localhost ip6-localhost ip6-loopback\n");
    draft_file(draft, "/etc/nsswitch.conf",
               "passwd: files\ngroup: files\nshadow: files\nhosts: files\nnetworks: files\n"
               "protocols: files\nservices: files\n");
    draft_file(draft, "/etc/resolv.conf", "");
    draft_file(draft, "/etc/hostname", "airlock\n");
    /* Fixed, so that it identifies no machine. */
    draft_file(draft, "/etc/machine-id", "61697262616c6c6f636b000000000001\n");
}

static void add_dev(struct draft *draft) {
    static const char *const devices[] = {
        "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty",
    };
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        draft_bind(draft, devices[i], devices[i], PLAN_FLAG_DEVICE);
    }
    draft_symlink(draft, "/dev/fd", "/proc/self/fd");
    draft_symlink(draft, "/dev/stdin", "/proc/self/fd/0");
    draft_symlink(draft, "/dev/stdout", "/proc/self/fd/1");
    draft_symlink(draft, "/dev/stderr", "/proc/self/fd/2");
    draft_symlink(draft, "/dev/ptmx", "pts/ptmx");
    draft_add(draft, PLAN_DEVPTS, "/dev/pts");
    struct plan_operation *shm = draft_add(draft, PLAN_TMPFS, "/dev/shm");
    shm->mode = 01777;
    shm->size = SHARED_MEMORY_BYTES;
}

static void add_proc(struct draft *draft) {
    static const char *const masks[] = {
        "/proc/kcore",      "/proc/keys",          "/proc/kallsyms", "/proc/cmdline",
        "/proc/timer_list", "/proc/sysrq-trigger", "/proc/bus",      "/proc/fs",
        "/proc/irq",        "/proc/scsi",          "/proc/acpi",
    };
    draft_add(draft, PLAN_PROC, "/proc");
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        draft_add(draft, PLAN_MASK, masks[i]);
    }
    draft_add(draft, PLAN_READONLY, "/proc/sys");
    draft_folder(draft, "/run");
}

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
    static const char *const secrets[] = {".ssh",   ".gnupg",  ".aws",
                                          ".netrc", ".npmrc",  ".config",
                                          ".kube",  ".docker", ".git-credentials"};
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

static void add_ground(struct draft *draft, const struct plan_host *host) {
    struct plan_operation *root = draft_add(draft, PLAN_TMPFS, "/");
    root->mode = 0755;
    root->size = ROOT_BYTES;
    add_host(draft, host);
    add_etc(draft);
    add_dev(draft);
    add_proc(draft);
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
    draft->failed = false;
    add_ground(draft, host);
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

struct slice plan_bytes(const struct plan *plan) {
    return slice_of(plan->data, plan->size);
}
