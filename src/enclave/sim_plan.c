/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "codec/text.h"
#include "enclave/closure.h"
#include "enclave/sim.h"

enum { FD_LIMIT_DEFAULT = 900, STACK_DEFAULT = 256 * 1024, MEMORY_DEFAULT = 256 * 1024 * 1024 };

#define MEASUREMENT_DOMAIN "airlock/simulation/measurement/1"

static status_t refuse(const struct toml_value *at, const char *what, struct error *err) {
    return error_set(err, ERROR_MANIFEST, 0, "line %u of the manifest: %s",
                     at != nullptr ? at->line : 0, what);
}

static bool has_parent_part(const char *path) {
    for (const char *at = strstr(path, "/.."); at != nullptr; at = strstr(at + 3, "/..")) {
        if (at[3] == '\0' || at[3] == '/') {
            return true;
        }
    }
    return false;
}

static status_t add_step(struct sim_plan *plan, struct sim_step step, const char *inside,
                         const struct toml_value *at, struct error *err) {
    if (inside[0] != '/' || has_parent_part(inside)) {
        return refuse(at, "a path that is not absolute, or has .. in it", err);
    }
    if (plan->step_count == plan->step_count_max) {
        return error_set(err, ERROR_LIMIT, 0, "the manifest shows too many files");
    }
    step.inside = strdup(inside);
    if (step.inside == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "no memory for a plan");
    }
    plan->steps[plan->step_count++] = step;
    return STATUS_OK;
}

/* What of a mount may be opened: trusted files as copies, allowed ones as they are. */
static status_t add_chroot(struct sim_plan *plan, const struct manifest *manifest,
                           const struct manifest_mount *mount, struct error *err) {
    char inside[LIMIT_PATH_BYTES];
    for (uint32_t i = 0; i < manifest->trusted_count; i++) {
        if (manifest_inside(mount, manifest->trusted[i].host, inside, sizeof inside)) {
            const struct sim_step step = {.kind = SIM_COPY, .file = i};
            TRY(add_step(plan, step, inside, mount->at, err));
        }
    }
    for (uint32_t i = 0; i < manifest->allowed_count; i++) {
        const char *host = manifest->allowed[i].host;
        if (host != nullptr && manifest_inside(mount, host, inside, sizeof inside)) {
            const struct sim_step step = {.kind = SIM_BIND, .host = host};
            TRY(add_step(plan, step, inside, mount->at, err));
        }
    }
    return STATUS_OK;
}

static status_t add_mount(struct sim_plan *plan, const struct manifest *manifest,
                          const struct manifest_mount *mount, struct error *err) {
    switch (mount->type) {
    case MANIFEST_TMPFS:
        /* The root is one already. */
        return strcmp(mount->path, "/") == 0 ? STATUS_OK
                                             : add_step(plan, (struct sim_step){.kind = SIM_TMPFS},
                                                        mount->path, mount->at, err);
    case MANIFEST_CHROOT:
        return mount->host == nullptr ? refuse(mount->at, "a mount without a file: URI", err)
                                      : add_chroot(plan, manifest, mount, err);
    case MANIFEST_ENCRYPTED:
        return refuse(mount->at, "an encrypted mount: without an enclave there is no key", err);
    case MANIFEST_SHARED_MEMORY:
        break;
    }
    return refuse(mount->at, "shared memory is not simulated", err);
}

static status_t check_file(const struct manifest_file *file, struct builder *ret_bytes,
                           struct error *err) {
    struct digest wanted;
    struct digest there;
    if (file->host == nullptr || file->is_folder || file->sha256 == nullptr) {
        (void)refuse(file->at, "a trusted file without a hash of its own", err);
        error_hint(err, "Have every file named with its hash: airlock enclave manifest");
        return (status_t){ERROR_MANIFEST};
    }
    if (!text_unhex(slice_of_string(file->sha256), wanted.bytes, DIGEST_BYTES)) {
        return refuse(file->at, "a sha256 that is none", err);
    }
    TRY(closure_read(file->host, ret_bytes, &there, err));
    return digest_equal(&wanted, &there)
               ? STATUS_OK
               : error_set(err, ERROR_ENCLAVE_FILE, 0,
                           "%s is not the file that the manifest trusts", file->host);
}

static status_t read_files(struct sim_plan *plan, const struct manifest *manifest,
                           struct error *err) {
    plan->files = calloc(manifest->trusted_count + 1, sizeof *plan->files);
    if (plan->files == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "no memory for a plan");
    }
    for (uint32_t i = 0; i < manifest->trusted_count; i++) {
        builder_init(&plan->files[i], LIMIT_ENCLAVE_FILE_BYTES);
        plan->file_count++;
        TRY(check_file(&manifest->trusted[i], &plan->files[i], err));
    }
    return STATUS_OK;
}

static status_t read_argv(struct sim_plan *plan, const struct manifest *manifest,
                          struct error *err) {
    const struct toml_value *argv = toml_find(manifest->root, "loader.argv");
    size_t count = 0;
    plan->argv = calloc((argv != nullptr ? argv->count : 0) + 2, sizeof *plan->argv);
    if (plan->argv == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "no memory for a plan");
    }
    for (const struct toml_value *at = argv != nullptr ? argv->first : nullptr; at != nullptr;
         at = at->next) {
        plan->argv[count++] = at->text;
    }
    if (count == 0) {
        plan->argv[0] = manifest->entrypoint;
    }
    return STATUS_OK;
}

/* The host's NAME=VALUE; nullptr when it has none. */
static const char *host_variable(char **environment, const char *name) {
    size_t size = strlen(name);
    for (; *environment != nullptr; environment++) {
        if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=') {
            return *environment;
        }
    }
    return nullptr;
}

static status_t read_variable(struct sim_plan *plan, const struct toml_value *variable,
                              char **environment, struct error *err) {
    const char *value =
        variable->kind == TOML_TEXT ? variable->text : toml_find_text(variable, "value");
    struct builder text;
    size_t size = 0;
    if (value == nullptr) {
        const char *passed = host_variable(environment, variable->key);
        if (passed != nullptr) {
            plan->environment[plan->kept_count] = passed;
            plan->kept[plan->kept_count++] = nullptr;
        }
        return STATUS_OK;
    }
    builder_init(&text, LIMIT_MANIFEST_BYTES);
    builder_format(&text, "%s=%s", variable->key, value);
    builder_u8(&text, '\0');
    char *kept = (char *)builder_take(&text, &size);
    builder_deinit(&text);
    if (kept == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "no memory for a plan");
    }
    plan->environment[plan->kept_count] = kept;
    plan->kept[plan->kept_count++] = kept;
    return STATUS_OK;
}

static status_t read_environment(struct sim_plan *plan, const struct manifest *manifest,
                                 char **environment, struct error *err) {
    const struct toml_value *table = toml_find(manifest->root, "loader.env");
    size_t count = table != nullptr ? table->count : 0;
    plan->environment = calloc(count + 1, sizeof *plan->environment);
    plan->kept = calloc(count + 1, sizeof *plan->kept);
    if (plan->environment == nullptr || plan->kept == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "no memory for a plan");
    }
    for (const struct toml_value *at = table != nullptr ? table->first : nullptr; at != nullptr;
         at = at->next) {
        TRY(read_variable(plan, at, environment, err));
    }
    return STATUS_OK;
}

static uint64_t size_of(const struct manifest *manifest, const char *path, uint64_t otherwise) {
    const char *text = toml_find_text(manifest->root, path);
    uint64_t bytes = otherwise;
    (void)(text != nullptr && manifest_size(text, &bytes));
    return bytes;
}

static uint64_t number_of(const struct manifest *manifest, const char *path, uint64_t otherwise) {
    const struct toml_value *value = toml_find(manifest->root, path);
    return value != nullptr && value->kind == TOML_INTEGER && value->integer >= 0
               ? (uint64_t)value->integer
               : otherwise;
}

static void read_limits(struct sim_plan *plan, const struct manifest *manifest) {
    const struct toml_value *root = manifest->root;
    const char *start = toml_find_text(root, "fs.start_dir");
    plan->start_folder = start != nullptr ? start : "/";
    plan->descriptors = number_of(manifest, "sys.fds.limit", FD_LIMIT_DEFAULT);
    plan->stack_bytes = size_of(manifest, "sys.stack.size", STACK_DEFAULT);
    plan->memory_bytes =
        toml_find_true(root, "sgx.edmm_enable") && toml_find(root, "sgx.enclave_size") == nullptr
            ? 0
            : size_of(manifest, "sgx.enclave_size", MEMORY_DEFAULT);
    plan->uid = (uint32_t)number_of(manifest, "loader.uid", 0);
    plan->gid = (uint32_t)number_of(manifest, "loader.gid", 0);
    plan->has_resolver_file = toml_find_true(root, "sys.enable_extra_runtime_domain_names_conf");
    plan->may_terminate = toml_find_true(root, "sys.enable_sigterm_injection");
    plan->may_start_processes = !toml_find_true(root, "sys.disallow_subprocesses");
    plan->may_eventfd = toml_find_true(root, "sys.insecure__allow_eventfd");
    plan->may_flock = toml_find_true(root, "sys.experimental__enable_flock");
}

/* What would have to come from elsewhere. */
static status_t check_sources(const struct manifest *manifest, struct error *err) {
    static const char *const KEYS[] = {
        "loader.argv_src_file",
        "loader.env_src_file",
        "loader.insecure__use_cmdline_argv",
        "loader.insecure__use_host_env",
    };
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        const struct toml_value *at = toml_find(manifest->root, KEYS[i]);
        if (at != nullptr && !(at->kind == TOML_BOOL && at->integer == 0)) {
            return refuse(at, "arguments and environment are taken from the manifest alone", err);
        }
    }
    return manifest->entrypoint[0] == '/' ? STATUS_OK
                                          : refuse(toml_find(manifest->root, "libos.entrypoint"),
                                                   "libos.entrypoint is no absolute path", err);
}

static void measure(struct slice text, struct digest *ret_measurement) {
    struct sha256 hash;
    sha256_init(&hash);
    sha256_update(&hash, slice_of(MEASUREMENT_DOMAIN, sizeof MEASUREMENT_DOMAIN)); /* its NUL too */
    sha256_update(&hash, text);
    sha256_final(&hash, ret_measurement);
}

static status_t fill(struct sim_plan *plan, const struct manifest *manifest, char **environment,
                     struct error *err) {
    TRY(check_sources(manifest, err));
    TRY(read_files(plan, manifest, err));
    plan->step_count_max =
        ((size_t)manifest->trusted_count + manifest->allowed_count + 1) * 4 + manifest->mount_count;
    plan->steps = calloc(plan->step_count_max, sizeof *plan->steps);
    if (plan->steps == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "no memory for a plan");
    }
    for (uint32_t i = 0; i < manifest->mount_count; i++) {
        TRY(add_mount(plan, manifest, &manifest->mounts[i], err));
    }
    read_limits(plan, manifest);
    plan->entrypoint = manifest->entrypoint;
    TRY(read_argv(plan, manifest, err));
    return read_environment(plan, manifest, environment, err);
}

status_t sim_plan_make(const struct manifest *manifest, struct slice text, char **environment,
                       struct sim_plan *ret_plan, struct error *err) {
    struct sim_plan plan = {};
    measure(text, &plan.measurement);
    status_t status = fill(&plan, manifest, environment, err);
    if (!status_is_ok(status)) {
        sim_plan_deinit(&plan);
        return status;
    }
    *ret_plan = plan;
    return STATUS_OK;
}

void sim_plan_deinit(struct sim_plan *plan) {
    for (size_t i = 0; i < plan->step_count; i++) {
        free(plan->steps[i].inside);
    }
    for (size_t i = 0; i < plan->file_count; i++) {
        builder_deinit(&plan->files[i]);
    }
    for (size_t i = 0; i < plan->kept_count; i++) {
        free(plan->kept[i]);
    }
    free(plan->steps);
    free(plan->files);
    free(plan->kept);
    free(plan->argv);
    free(plan->environment);
    *plan = (struct sim_plan){};
}
