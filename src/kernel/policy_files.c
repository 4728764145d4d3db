/* SPDX-License-Identifier: Apache-2.0
 *
 * Two files, one policy. The user's file is theirs, so it may be a link into their dotfiles; what
 * matters is that nobody else can write what it leads to. The workspace's file came with somebody's
 * repository: no link of it is followed, nothing but a regular file is opened, and it only
 * restricts unless its digest is on the list of policy_trust.h.
 *
 * Nothing is skipped silently. A file that is there and cannot be read, or says what cannot be
 * enforced, is an error that stops the request: a policy that falls back to another one is decided
 * by whoever can break the file.
 */
#include "kernel/policy_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "codec/text.h"
#include "kernel/extension.h"
#include "kernel/policy_trust.h"
#include "policy/builtin.h"
#include "policy/default.h"
#include "store/config.h"
#include "sys/fd.h"
#include "sys/file.h"

static const char WORKSPACE_FILE[] = ".airlock/policy.yaml";

status_t policy_files_user_path(char ret_path[static LIMIT_PATH_BYTES], struct error *err) {
    return config_path("policy.yaml", ret_path, err);
}

/* An error about a file of which nothing is read. */
static status_t refuse_file(const char *path, const char *why, int reason, struct error *err) {
    struct builder shown;
    builder_init(&shown, (size_t)4 * LIMIT_PATH_BYTES + 1);
    text_escape_short(slice_of_string(path), 300, &shown);
    (void)error_set(err, ERROR_POLICY_INVALID, reason, "cannot use the policy file %s",
                    builder_c_string(&shown));
    if (why != nullptr) {
        error_detail(err, "%s", why);
    }
    error_hint(err, "Nothing is decided while it is there; look at it with: ls -l %.300s",
               builder_c_string(&shown));
    builder_deinit(&shown);
    return (status_t){ERROR_POLICY_INVALID};
}

/* Whoever can write the file decides what is allowed. */
static status_t check_owner(int fd, const char *path, struct error *err) {
    struct stat file;
    if (fstat(fd, &file) != 0) {
        return refuse_file(path, nullptr, errno, err);
    }
    if (!S_ISREG(file.st_mode)) {
        return refuse_file(path, "it is no regular file", 0, err);
    }
    if (file.st_uid != geteuid() && file.st_uid != 0) {
        (void)refuse_file(path, "it belongs to another user", 0, err);
        error_hint(err, "Make it yours: chown %u %.300s", (unsigned)geteuid(), path);
        return (status_t){(int)err->code};
    }
    if ((file.st_mode & 022) != 0) {
        (void)refuse_file(path, "other users can write it", 0, err);
        error_hint(err, "Close it to them: chmod go-w %.300s", path);
        return (status_t){(int)err->code};
    }
    return STATUS_OK;
}

static status_t read_text(int fd, const char *path, struct builder *text, struct error *err) {
    status_t status = fd_read_to_end(fd, path, text, err);
    if (!status_is_ok(status) && err->code == ERROR_LIMIT) {
        limit_hit(LIMIT_ID_YAML_BYTES);
    }
    return status;
}

/* The user's text; *ret_found is false when there is no such file. */
static status_t read_user(const char *path, struct builder *text, bool *ret_found,
                          struct error *err) {
    /* O_NONBLOCK: a FIFO is refused, not waited for. */
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    *ret_found = fd >= 0;
    if (fd < 0 && errno == ENOENT) {
        struct stat link;
        bool dangles = lstat(path, &link) == 0;
        return dangles ? refuse_file(path, "it is a link that leads nowhere", 0, err) : STATUS_OK;
    }
    if (fd < 0) {
        return refuse_file(path, nullptr, errno, err);
    }
    TRY(check_owner(fd, path, err));
    return read_text(fd, path, text, err);
}

/* Opens the workspace's file: -1 with *ret_missing, or an error. It is looked at before it is
 * opened, because opening a device may do something. */
static status_t open_workspace_file(const char *workspace, const char *path, int *ret_fd,
                                    struct error *err) {
    CLEANUP(fd_closep) int folder = open(workspace, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        /* No workspace, no file; whoever wants to work there says so better. */
        return errno == ENOENT ? STATUS_OK : refuse_file(path, nullptr, errno, err);
    }
    CLEANUP(fd_closep) int seen = file_open_beneath(folder, WORKSPACE_FILE, O_PATH, 0, true);
    if (seen < 0 && errno == ENOENT) {
        return STATUS_OK;
    }
    struct stat file;
    if (seen < 0 || fstat(seen, &file) != 0) {
        return refuse_file(path, errno == ELOOP ? "links are not followed there" : nullptr, errno,
                           err);
    }
    if (!S_ISREG(file.st_mode)) {
        return refuse_file(path, "it is no regular file", 0, err);
    }
    struct stat opened;
    CLEANUP(fd_closep)
    int fd = file_open_beneath(folder, WORKSPACE_FILE, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0, true);
    if (fd < 0 || fstat(fd, &opened) != 0) {
        return refuse_file(path, nullptr, errno, err);
    }
    if (opened.st_dev != file.st_dev || opened.st_ino != file.st_ino) {
        return refuse_file(path, "it was replaced while it was opened; try again", 0, err);
    }
    *ret_fd = fd_take(&fd);
    return STATUS_OK;
}

/* Errors of the loader name the place; the hint besides says how to see all of them. */
static status_t point_to_check(struct error *err) {
    if (err->code != ERROR_POLICY_INVALID) {
        return (status_t){(int)err->code};
    }
    char said[ERROR_HINT_BYTES_MAX];
    (void)snprintf(said, sizeof said, "%s", err->hint);
    error_hint(err, "%.380s%sSee all that is wrong with: airlock policy check", said,
               said[0] != '\0' ? " " : "");
    return (status_t){ERROR_POLICY_INVALID};
}

static status_t load_text(struct policy_file *file, struct slice text, const char *name,
                          struct error *err) {
    file->diagnostics = malloc(sizeof *file->diagnostics); /* 48 KiB, set by policy_load() */
    if (file->diagnostics == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot read the policy file %s", name);
    }
    sha256_of(text, &file->digest);
    status_t status = policy_load(text, name, file->diagnostics, &file->document, err);
    return status_is_ok(status) ? STATUS_OK : point_to_check(err);
}

static status_t load_user(struct policy_file *file, struct error *err) {
    CLEANUP(builder_deinit) struct builder text;
    bool found = false;
    builder_init(&text, LIMIT_YAML_BYTES);
    TRY(policy_files_user_path(file->path, err));
    TRY(read_user(file->path, &text, &found, err));
    if (found) {
        return load_text(file, builder_slice(&text), file->path, err);
    }
    (void)snprintf(file->path, sizeof file->path, "default");
    return load_text(file, policy_default_text(), POLICY_DEFAULT_FILE, err);
}

static status_t load_workspace(const struct state *state, const char *workspace,
                               struct policy_in_force *policy, struct error *err) {
    CLEANUP(fd_closep) int fd = -1;
    CLEANUP(builder_deinit) struct builder text;
    struct policy_file *file = &policy->workspace;
    char path[LIMIT_PATH_BYTES + sizeof WORKSPACE_FILE + 1];
    (void)snprintf(path, sizeof path, "%s/%s", workspace, WORKSPACE_FILE);
    builder_init(&text, LIMIT_YAML_BYTES);
    TRY(open_workspace_file(workspace, path, &fd, err));
    if (fd < 0) {
        return STATUS_OK;
    }
    if (strlen(path) >= sizeof file->path) {
        return refuse_file(path, nullptr, ENAMETOOLONG, err);
    }
    (void)snprintf(file->path, sizeof file->path, "%s", path);
    TRY(read_text(fd, path, &text, err));
    TRY(load_text(file, builder_slice(&text), file->path, err));
    bool trusted = false;
    TRY(policy_trust_find(state, workspace, &file->digest, &trusted, err));
    policy->trust = trusted ? POLICY_TRUST_TRUSTED : POLICY_TRUST_UNTRUSTED;
    return STATUS_OK;
}

static void digest_all(struct policy_in_force *policy) {
    struct sha256 hash;
    uint8_t trust = policy->trust;
    sha256_init(&hash);
    sha256_update(&hash, SLICE_LITERAL("airlock policy in force 1\n"));
    sha256_update(&hash, slice_of(policy->user.digest.bytes, DIGEST_BYTES));
    sha256_update(&hash, slice_of(policy->workspace.digest.bytes, DIGEST_BYTES));
    sha256_update(&hash, slice_of(&trust, sizeof trust));
    sha256_final(&hash, &policy->digest);
}

static status_t compile(struct policy_in_force *policy, struct error *err) {
    const struct policy_layer_source layers[] = {
        {policy->user.document, POLICY_LAYER_USER, POLICY_LAYER_FULL},
        {policy->workspace.document, POLICY_LAYER_WORKSPACE,
         policy->trust == POLICY_TRUST_TRUSTED ? POLICY_LAYER_FULL : POLICY_LAYER_RESTRICT},
    };
    size_t count = policy->workspace.document != nullptr ? 2 : 1;
    status_t status = policy_compile(layers, count, &policy->rules, err);
    if (!status_is_ok(status)) {
        return point_to_check(err);
    }
    policy->engine = (struct policy_engine){
        .builtins = policy_builtin_rules,
        .builtin_count = policy_builtin_count,
        .rules = policy->rules,
    };
    digest_all(policy);
    return STATUS_OK;
}

/* The rest, once the user's text is loaded or was not. Leaves nothing behind on failure. */
static status_t load_rest(const struct state *state, const char *workspace, status_t loaded,
                          struct policy_in_force *policy, struct error *err) {
    status_t status = loaded;
    if (status_is_ok(status) && workspace != nullptr) {
        status = load_workspace(state, workspace, policy, err);
    }
    if (status_is_ok(status)) {
        status = compile(policy, err);
    }
    if (!status_is_ok(status)) {
        policy_in_force_deinit(policy);
    }
    return status;
}

status_t policy_files_load(const struct state *state, const char *workspace,
                           struct policy_in_force *ret_policy, struct error *err) {
    ASSERT(ret_policy != nullptr && (state != nullptr || workspace == nullptr));
    *ret_policy = (struct policy_in_force){};
    status_t status = load_user(&ret_policy->user, err);
    return load_rest(state, workspace, status, ret_policy, err);
}

status_t policy_files_load_with(const struct state *state, const char *workspace,
                                struct slice user_text, const char *user_name,
                                struct policy_in_force *ret_policy, struct error *err) {
    ASSERT(ret_policy != nullptr && user_name != nullptr);
    *ret_policy = (struct policy_in_force){};
    struct policy_file *file = &ret_policy->user;
    int size = snprintf(file->path, sizeof file->path, "%s", user_name);
    status_t status =
        size >= (int)sizeof file->path
            ? error_set(err, ERROR_POLICY_INVALID, ENAMETOOLONG, "the path of the policy file")
            : load_text(file, user_text, file->path, err);
    return load_rest(state, workspace, status, ret_policy, err);
}

static void policy_file_deinit(struct policy_file *file) {
    policy_document_free(file->document);
    free(file->diagnostics);
}

void policy_in_force_deinit(struct policy_in_force *policy) {
    extensions_close(policy->extensions);
    policy_rules_free(policy->rules);
    policy_file_deinit(&policy->user);
    policy_file_deinit(&policy->workspace);
    *policy = (struct policy_in_force){};
}

/* A workspace's extensions run only once somebody trusts it, and never out of a folder of its own:
 * trust is in the policy file's bytes, and such a program could change without them. */
static status_t check_theirs(const struct policy_in_force *policy, struct error *err) {
    const struct policy_document *theirs = policy->workspace.document;
    if (theirs == nullptr || theirs->extension_count == 0) {
        return STATUS_OK;
    }
    if (policy->trust != POLICY_TRUST_TRUSTED) {
        (void)refuse_file(policy->workspace.path,
                          "it has extensions, which only run once you trust it", 0, err);
        error_hint(err, "Read it, then trust it with: airlock policy trust");
        return (status_t){ERROR_POLICY_INVALID};
    }
    for (size_t i = 0; i < theirs->extension_count; i++) {
        if (theirs->extensions[i].folder != nullptr) {
            return refuse_file(policy->workspace.path,
                               "only your own policy file may give an extension a folder", 0, err);
        }
    }
    return STATUS_OK;
}

static status_t start_extensions(const struct kernel *kernel, struct policy_in_force *policy,
                                 struct error *err) {
    TRY(check_theirs(policy, err));
    const struct extensions_wanted wanted = {
        .state = &kernel->state,
        .documents = {policy->user.document, policy->workspace.document},
        .clock = kernel->clock,
    };
    TRY(extensions_open(&wanted, &policy->extensions, err));
    policy->engine.extensions =
        extensions_list(policy->extensions, &policy->engine.extension_count);
    return STATUS_OK;
}

status_t kernel_policy(struct kernel *kernel, const char *workspace,
                       const struct policy_in_force **ret_policy, struct error *err) {
    ASSERT(workspace != nullptr);
    if (kernel->policy == nullptr) {
        struct policy_in_force *policy = calloc(1, sizeof *policy);
        if (policy == nullptr) {
            return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot read the policy");
        }
        status_t status = policy_files_load(&kernel->state, workspace, policy, err);
        if (status_is_ok(status)) {
            status = start_extensions(kernel, policy, err);
        }
        if (!status_is_ok(status)) {
            policy_in_force_deinit(policy);
            free(policy);
            return status;
        }
        kernel->policy = policy;
        (void)snprintf(kernel->policy_workspace, sizeof kernel->policy_workspace, "%s", workspace);
    }
    ASSERT(strcmp(kernel->policy_workspace, workspace) == 0);
    *ret_policy = kernel->policy;
    return STATUS_OK;
}

void kernel_policy_drop(struct kernel *kernel) {
    if (kernel->policy != nullptr) {
        policy_in_force_deinit(kernel->policy);
        free(TAKE(kernel->policy));
    }
}
