/* SPDX-License-Identifier: Apache-2.0
 *
 * The invariants of a plan. They run twice: in the kernel, so that a mistake is seen where it is
 * made, and in the launcher, which must not believe the kernel.
 */
#include <string.h>

#include "sandbox/plan_format.h"

static const char *const home_secrets[] = {
#define HOME_SECRET(path) path,
#include "home_secrets.def"
#undef HOME_SECRET
};
static const char *const caches[] = {
#define CACHE(folder, covered) folder,
#include "caches.def"
#undef CACHE
};

bool plan_path_is_clean(const char *path) {
    size_t length = strlen(path);
    if (path[0] != '/' || length >= LIMIT_PATH_BYTES) {
        return false;
    }
    if (length == 1) {
        return true;
    }
    const char *part = path + 1;
    for (;;) {
        size_t size = strcspn(part, "/");
        if (size == 0 || (size == 1 && part[0] == '.') ||
            (size == 2 && part[0] == '.' && part[1] == '.')) {
            return false;
        }
        if (part[size] == '\0') {
            return true;
        }
        part += size + 1;
    }
}

bool plan_path_is_below(const char *path, const char *folder) {
    size_t length = strlen(folder);
    if (length == 1) {
        return true;
    }
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static status_t refuse(struct error *err, const char *what, const char *detail) {
    status_t status = error_set(err, ERROR_PLAN_INVALID, 0, "%s", what);
    error_detail(err, "%.400s", detail);
    return status;
}

/* The part of a path after HOME and a slash; nullptr when it is not below HOME. */
static const char *below_home(const struct plan_view *view, const char *path) {
    if (!plan_path_is_below(path, view->home) || strcmp(path, view->home) == 0) {
        return nullptr;
    }
    return path + strlen(view->home) + (view->home[1] == '\0' ? 0 : 1);
}

/* What tells who the user is, or a folder that holds such a thing. */
static bool path_is_secret(const struct plan_view *view, const char *path) {
    const char *rest = below_home(view, path);
    for (size_t i = 0; rest != nullptr && i < sizeof home_secrets / sizeof home_secrets[0]; i++) {
        if (plan_path_is_below(rest, home_secrets[i]) ||
            plan_path_is_below(home_secrets[i], rest)) {
            return true;
        }
    }
    return false;
}

static bool path_is_cache(const struct plan_view *view, const char *path) {
    const char *rest = below_home(view, path);
    for (size_t i = 0; rest != nullptr && i < sizeof caches / sizeof caches[0]; i++) {
        if (strcmp(rest, caches[i]) == 0) {
            return true;
        }
    }
    return false;
}

static status_t check_cache(const struct plan_view *view, const struct plan_operation *operation,
                            struct error *err) {
    const char *target = operation->target;
    if (!path_is_cache(view, target) || strcmp(operation->source, target) != 0) {
        return refuse(err, "no cache of a package manager is kept there", target);
    }
    if (operation->size >= PLAN_CACHE_COUNT || operation->content.size != 0) {
        return refuse(err, "a cache has no number of its own", target);
    }
    if (operation->ino == 0) {
        return refuse(err, "a cache is not known by its identity", target);
    }
    if (plan_path_is_below(target, view->workspace) ||
        plan_path_is_below(view->workspace, target) ||
        plan_path_is_below(view->run_folder, target) ||
        plan_path_is_below(target, view->run_folder)) {
        return refuse(err, "a cache and the workspace or the run's folder overlap", target);
    }
    return STATUS_OK;
}

static status_t check_writable_bind(const struct plan_view *view,
                                    const struct plan_operation *operation, struct error *err) {
    const char *target = operation->target;
    if (strcmp(target, "/tmp") != 0 && strcmp(target, "/var/tmp") != 0 &&
        strcmp(target, view->home) != 0) {
        return refuse(err, "only /tmp, /var/tmp and HOME may be writable", target);
    }
    if (!plan_path_is_below(operation->source, view->run_folder) ||
        strcmp(operation->source, view->run_folder) == 0) {
        return refuse(err, "a writable folder must lie in the run's own folder", operation->source);
    }
    return STATUS_OK;
}

static status_t check_bind(const struct plan_view *view, const struct plan_operation *operation,
                           struct error *err) {
    if (!plan_path_is_clean(operation->source)) {
        return refuse(err, "a source is not an absolute, clean path", operation->source);
    }
    if ((operation->flags & PLAN_FLAG_WRITABLE) != 0) {
        return check_writable_bind(view, operation, err);
    }
    if ((operation->flags & PLAN_FLAG_DEVICE) != 0) {
        return plan_path_is_below(operation->target, "/dev") &&
                       strcmp(operation->source, operation->target) == 0
                   ? STATUS_OK
                   : refuse(err, "a device stands outside of /dev", operation->target);
    }
    if (strcmp(operation->source, "/") == 0 || strcmp(operation->target, "/") == 0) {
        return refuse(err, "the host's root itself is never bound", operation->target);
    }
    if (path_is_secret(view, operation->source)) {
        return refuse(err, "a folder of secrets is never bound", operation->source);
    }
    /* Read-only does not keep a payload from connecting to a socket. */
    static const char *const live[] = {"/run", "/var/run", "/proc", "/sys", "/dev"};
    for (size_t i = 0; i < sizeof live / sizeof live[0]; i++) {
        if (plan_path_is_below(operation->source, live[i])) {
            return refuse(err, "what is the host's own at run time is never bound",
                          operation->source);
        }
    }
    if (strcmp(operation->source, view->home) == 0) {
        return refuse(err, "HOME itself is never bound", operation->source);
    }
    return STATUS_OK;
}

static status_t check_layers(const struct plan_operation *operation, struct error *err) {
    struct slice rest = operation->content;
    unsigned count = 0;
    while (rest.size > 0) {
        const uint8_t *end = memchr(rest.data, '\0', rest.size);
        if (end == nullptr || !plan_path_is_clean((const char *)rest.data)) {
            return refuse(err, "a layer is not an absolute, clean path", operation->target);
        }
        size_t used = (size_t)(end - rest.data) + 1;
        rest = slice_of(rest.data + used, rest.size - used);
        count++;
    }
    if (limit_past(count > LIMIT_STAGE_LAYERS, LIMIT_ID_STAGE_LAYERS)) {
        return refuse(err, "the stage stands on more layers than it may", operation->target);
    }
    return STATUS_OK;
}

static status_t check_operation(const struct plan_view *view,
                                const struct plan_operation *operation, struct error *err) {
    if (!plan_path_is_clean(operation->target)) {
        return refuse(err, "a target is not an absolute, clean path", operation->target);
    }
    /* Only a folder may be sticky; nothing here makes setuid files. */
    uint32_t modes = operation->type == PLAN_FILE ? 0777 : 01777;
    if ((operation->flags & ~(uint32_t)PLAN_FLAG_ALL) != 0 || (operation->mode & ~modes) != 0) {
        return refuse(err, "an operation has flags or a mode it may not have", operation->target);
    }
    switch (operation->type) {
    case PLAN_BIND:
        return check_bind(view, operation, err);
    case PLAN_OVERLAY:
        if (strcmp(operation->target, view->workspace) != 0 ||
            !plan_path_is_clean(operation->source)) {
            return refuse(err, "the overlay is not the workspace", operation->target);
        }
        return check_layers(operation, err);
    case PLAN_CACHE:
        return check_cache(view, operation, err);
    case PLAN_SYMLINK:
        return operation->content.size > 0 && operation->content.size < LIMIT_PATH_BYTES
                   ? STATUS_OK
                   : refuse(err, "a symbolic link leads nowhere", operation->target);
    case PLAN_TMPFS:
    case PLAN_FOLDER:
    case PLAN_FILE:
    case PLAN_PROC:
    case PLAN_READONLY:
    case PLAN_MASK:
    case PLAN_DEVPTS:
    case PLAN_SEAL:
    case PLAN_OPERATION_TYPE_COUNT:
        return STATUS_OK;
    }
    return STATUS_OK;
}

/* Each operation by itself, how many there are of each kind, and the root they begin with. */
static status_t count_operations(const struct plan_view *view,
                                 unsigned counts[static PLAN_OPERATION_TYPE_COUNT],
                                 struct error *err) {
    for (uint32_t i = 0; i < view->operation_count; i++) {
        TRY(check_operation(view, &view->operations[i], err));
        counts[view->operations[i].type]++;
    }
    if (view->operation_count < 2 || view->operations[0].type != PLAN_TMPFS ||
        strcmp(view->operations[0].target, "/") != 0) {
        return refuse(err, "a plan begins with a root of its own", "");
    }
    if (counts[PLAN_PROC] > 1 || counts[PLAN_DEVPTS] > 1) {
        return refuse(err, "a plan has one procfs and one devpts", "");
    }
    uint64_t numbers = 0;
    for (uint32_t i = 0; i < view->operation_count; i++) {
        const struct plan_operation *operation = &view->operations[i];
        uint64_t number = operation->type == PLAN_CACHE ? 1ull << operation->size : 0;
        if ((numbers & number) != 0) {
            return refuse(err, "two caches have one number", operation->target);
        }
        numbers |= number;
    }
    return STATUS_OK;
}

static status_t check_operations(const struct plan_view *view, struct error *err) {
    unsigned counts[PLAN_OPERATION_TYPE_COUNT] = {};
    TRY(count_operations(view, counts, err));
    if (view->operations[view->operation_count - 1].type != PLAN_SEAL || counts[PLAN_SEAL] != 1) {
        return refuse(err, "a plan ends with a read-only root", "");
    }
    if (counts[PLAN_OVERLAY] != 1) {
        return refuse(err, "a plan has one overlay", "");
    }
    return STATUS_OK;
}

static status_t check_rules(const struct plan_view *view, struct error *err) {
    for (uint32_t i = 0; i < view->rule_count; i++) {
        const struct plan_rule *rule = &view->rules[i];
        if (!plan_path_is_clean(rule->path)) {
            return refuse(err, "a rule's path is not absolute and clean", rule->path);
        }
        if (rule->access == PLAN_ACCESS_READ) {
            continue;
        }
        bool known = strcmp(rule->path, view->workspace) == 0 ||
                     strcmp(rule->path, view->home) == 0 || strcmp(rule->path, "/tmp") == 0 ||
                     strcmp(rule->path, "/var/tmp") == 0 || strcmp(rule->path, "/proc") == 0 ||
                     plan_path_is_below(rule->path, "/dev");
        if (!known) {
            return refuse(err, "a rule lets the payload write where it may not", rule->path);
        }
    }
    return view->rule_count > 0 ? STATUS_OK : refuse(err, "a plan has Landlock rules", "");
}

static status_t check_limits(const struct plan_view *view, struct error *err) {
    const struct template_limits *limits = &view->limits;
    if (limits->memory_bytes_max == 0 || limits->pid_count_max == 0 ||
        limits->stage_bytes_max == 0 || limits->file_bytes_max == 0) {
        return refuse(err, "memory, processes, stage and file size must have limits", "");
    }
    if (limits->memory_bytes_max > INT64_MAX || limits->stage_bytes_max > INT64_MAX ||
        limits->file_bytes_max > INT64_MAX || limits->read_rate_max > INT64_MAX ||
        limits->write_rate_max > INT64_MAX || limits->wall_ms_max > INT64_MAX / 1000000) {
        return refuse(err, "a limit is out of range", "");
    }
    return STATUS_OK;
}

/* Root that maps itself to itself is root of a user namespace; the launcher knows whether this one
 * is, and refuses the machine's. */
static status_t check_identity(const struct plan_view *view, struct error *err) {
    if (view->seccomp != SECCOMP_STANDARD && view->seccomp != SECCOMP_STRICT) {
        return refuse(err, "the plan names no seccomp profile", "");
    }
    bool maps_itself = view->uid == view->host_uid && view->gid == view->host_gid;
    if ((view->host_uid == 0 || view->host_gid == 0) && !(maps_itself && view->uid == 0)) {
        return refuse(err, "a payload never has the host's uid or gid 0", "");
    }
    if (strchr(view->run_id, '/') != nullptr || view->run_id[0] == '\0' || view->run_id[0] == '.' ||
        strlen(view->run_id) > 64) {
        return refuse(err, "the run's id cannot be a file's name", view->run_id);
    }
    return check_limits(view, err);
}

static status_t check_folders(const struct plan_view *view, struct error *err) {
    const char *paths[] = {view->run_folder, view->workspace, view->working_folder, view->home};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (!plan_path_is_clean(paths[i]) || paths[i][1] == '\0') {
            return refuse(err, "a folder of the plan is not an absolute, clean path", paths[i]);
        }
    }
    if (!plan_path_is_below(view->working_folder, view->workspace)) {
        return refuse(err, "the working folder lies outside of the workspace",
                      view->working_folder);
    }
    if (plan_path_is_below(view->run_folder, view->workspace)) {
        return refuse(err, "the workspace contains the run's own folder", view->run_folder);
    }
    return STATUS_OK;
}

status_t plan_check(const struct plan_view *view, struct error *err) {
    TRY(check_identity(view, err));
    TRY(check_folders(view, err));
    if (view->argument_count == 0 || view->argv[0][0] == '\0') {
        return refuse(err, "the plan has no command", "");
    }
    for (uint32_t i = 0; i < view->environment_count; i++) {
        const char *equals = strchr(view->environment[i], '=');
        if (equals == nullptr || equals == view->environment[i]) {
            return refuse(err, "a variable of the environment has no name", "");
        }
    }
    TRY(check_operations(view, err));
    return check_rules(view, err);
}

status_t plan_check_ground(const struct plan_view *ground, struct error *err) {
    TRY(check_identity(ground, err));
    if (!plan_path_is_clean(ground->home) || ground->home[1] == '\0') {
        return refuse(err, "a folder of the plan is not an absolute, clean path", ground->home);
    }
    if (ground->run_folder[0] != '\0' || ground->workspace[0] != '\0' ||
        ground->argument_count != 0 || ground->environment_count != 0 || ground->rule_count != 0) {
        return refuse(err, "a ground holds something of a run", "");
    }
    unsigned counts[PLAN_OPERATION_TYPE_COUNT] = {};
    TRY(count_operations(ground, counts, err));
    if (counts[PLAN_OVERLAY] != 0 || counts[PLAN_CACHE] != 0 || counts[PLAN_SEAL] != 0) {
        return refuse(err, "a ground holds something of a run", "");
    }
    for (uint32_t i = 0; i < ground->operation_count; i++) {
        if ((ground->operations[i].flags & (PLAN_FLAG_WRITABLE | PLAN_FLAG_OWNED)) != 0) {
            return refuse(err, "a ground holds something writable", ground->operations[i].target);
        }
    }
    return STATUS_OK;
}

static bool limits_equal(const struct template_limits *a, const struct template_limits *b) {
    return a->memory_bytes_max == b->memory_bytes_max && a->pid_count_max == b->pid_count_max &&
           a->cpu_weight == b->cpu_weight && a->cpu_percent_max == b->cpu_percent_max &&
           a->wall_ms_max == b->wall_ms_max && a->stage_bytes_max == b->stage_bytes_max &&
           a->file_bytes_max == b->file_bytes_max && a->output_bytes_max == b->output_bytes_max &&
           a->read_rate_max == b->read_rate_max && a->write_rate_max == b->write_rate_max;
}

static bool operation_equals(const struct plan_operation *a, const struct plan_operation *b) {
    return a->type == b->type && a->flags == b->flags && a->mode == b->mode && a->size == b->size &&
           a->dev == b->dev && a->ino == b->ino && strcmp(a->source, b->source) == 0 &&
           strcmp(a->target, b->target) == 0 && slice_equal(a->content, b->content);
}

status_t plan_check_stands_on(const struct plan_view *plan, const struct plan_view *ground,
                              struct error *err) {
    bool same = plan->uid == ground->uid && plan->gid == ground->gid &&
                plan->host_uid == ground->host_uid && plan->host_gid == ground->host_gid &&
                plan->seccomp == ground->seccomp && limits_equal(&plan->limits, &ground->limits) &&
                strcmp(plan->run_id, ground->run_id) == 0 &&
                strcmp(plan->home, ground->home) == 0 &&
                plan->operation_count > ground->operation_count;
    for (uint32_t i = 0; same && i < ground->operation_count; i++) {
        same = operation_equals(&plan->operations[i], &ground->operations[i]);
    }
    return same ? STATUS_OK : refuse(err, "the plan is not the one whose ground was laid", "");
}
