/* SPDX-License-Identifier: Apache-2.0
 *
 * Changing what counts: another file of the user's, trust in a workspace's file. Intent before
 * effect: the entry is durable before the change is, so that nothing ever counts that the log does
 * not name. A crash between the two leaves the old file, whole, and an entry that announced more
 * than came of it; the next change names the old digest again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "kernel/policy_files.h"
#include "kernel/policy_replay.h"
#include "kernel/policy_trust.h"
#include "kernel/records.h"
#include "policy/default.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/random.h"

static const char LOCK_FILE[] = "policy.lock";

/* What every entry about policy begins with; a person at a terminal has agreed to it. */
static struct json *entry_fields(const struct kernel *kernel, const char *operation,
                                 bool is_agreed) {
    char request[ID_TEXT_BYTES];
    struct json *fields = json_object_new();
    id_generate(clock_wall_ms(&kernel->clock), request);
    json_set_text(fields, "caller", kernel->caller);
    json_set_text(fields, "operation", operation);
    json_set_text(fields, "request", request);
    if (is_agreed) {
        struct json *decision = json_object_new();
        json_set_text(decision, "outcome", policy_outcome_text(POLICY_REVIEW));
        json_set_text(decision, "rule", "builtin.policy-change");
        json_set_text(decision, "reviewer", "terminal");
        json_set(fields, "decision", decision);
    }
    return fields;
}

static status_t append(struct kernel *kernel, enum audit_event event, struct json *consumed,
                       uint64_t *ret_seq, struct error *err) {
    struct audit_append entry = {.event = event, .fields = consumed};
    struct audit_position position;
    TRY(audit_log_append(kernel->log, &entry, 1, &position, err));
    *ret_seq = position.seq;
    return STATUS_OK;
}

/* Trust. */

status_t policy_files_trust(struct kernel *kernel, const char *workspace,
                            const struct digest *digest_or_null, struct error *err) {
    ASSERT(workspace != nullptr);
    char path[LIMIT_PATH_BYTES + 32];
    struct digest digest;
    bool is_trusted = false;
    uint64_t seq;
    TRY(policy_trust_get(&kernel->state, workspace, &digest, &is_trusted, err));
    if (digest_or_null == nullptr && !is_trusted) {
        (void)error_set(err, ERROR_POLICY_MISSING, 0, "no policy file of %.300s is trusted",
                        workspace);
        return (status_t){ERROR_POLICY_MISSING};
    }
    digest = digest_or_null != nullptr ? *digest_or_null : digest;
    (void)snprintf(path, sizeof path, "%s/.airlock/policy.yaml", workspace);
    struct json *fields =
        entry_fields(kernel, digest_or_null != nullptr ? "policy.trust" : "policy.untrust",
                     digest_or_null != nullptr);
    record_text(fields, "path", path);
    record_digest(fields, "digest", &digest);
    TRY(append(kernel, AUDIT_EVENT_POLICY_TRUSTED, fields, &seq, err));
    TRY(policy_trust_set(&kernel->state, workspace, digest_or_null, digest_or_null != nullptr,
                         err));
    kernel_policy_drop(kernel);
    return kernel_checkpoint(kernel, seq, err);
}

/* The user's file. */

/* Where the bytes are: a link of the user's, into their dotfiles for example, stays one. */
static status_t find_target(char ret_path[static LIMIT_PATH_BYTES], struct error *err) {
    char path[LIMIT_PATH_BYTES];
    struct stat there;
    TRY(policy_files_user_path(path, err));
    if (lstat(path, &there) != 0 || !S_ISLNK(there.st_mode)) {
        memcpy(ret_path, path, sizeof path);
        return STATUS_OK;
    }
    char *real = realpath(path, nullptr);
    int size = real == nullptr ? -1 : snprintf(ret_path, LIMIT_PATH_BYTES, "%s", real);
    int reason = errno;
    free(real);
    return size > 0 && size < LIMIT_PATH_BYTES
               ? STATUS_OK
               : error_set(err, ERROR_IO, reason, "cannot follow the link %.300s", path);
}

status_t policy_files_user_digest(struct digest *ret_digest, struct error *err) {
    char path[LIMIT_PATH_BYTES];
    CLEANUP(builder_deinit) struct builder text;
    builder_init(&text, LIMIT_YAML_BYTES);
    TRY(policy_files_user_path(path, err));
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT) {
        return error_set(err, ERROR_IO, errno, "cannot open %.300s", path);
    }
    if (fd >= 0) {
        TRY(fd_read_to_end(fd, path, &text, err));
    }
    sha256_of(fd >= 0 ? builder_slice(&text) : policy_default_text(), ret_digest);
    return STATUS_OK;
}

/* Opens the folder of `path`, making those that are not there, and leaves its name in *ret_name. */
static status_t open_folder(const char *path, int *ret_fd, const char **ret_name,
                            struct error *err) {
    char folder[LIMIT_PATH_BYTES];
    (void)snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strchr(folder + 1, '/'); slash != nullptr; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
            return error_set(err, ERROR_IO, errno, "cannot create the folder %.300s", folder);
        }
        *slash = '/';
    }
    char *last = strrchr(folder, '/');
    *ret_name = path + (last - folder) + 1;
    *last = '\0';
    return file_open_folder(AT_FDCWD, folder, false, 0, ret_fd, err);
}

static struct json *update_fields(const struct kernel *kernel, const struct policy_update *update,
                                  const char *path) {
    struct digest digest;
    struct json *fields = entry_fields(kernel, "policy.update", true);
    sha256_of(update->text, &digest);
    record_text(fields, "path", path);
    record_digest(fields, "old_digest", &update->old_digest);
    record_digest(fields, "new_digest", &digest);
    json_set_integer(fields, "replayed", (int64_t)update->replay->decisions);
    json_set(fields, "changed", policy_replay_changed(update->replay));
    json_set_integer(fields, "breaking", (int64_t)update->replay->breaking_count);
    return fields;
}

/* Held from the comparison with the old file to the rename. */
static status_t lock_update(const struct state *state, int *ret_fd, struct error *err) {
    CLEANUP(fd_closep)
    int fd = file_open_beneath(state->fd, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, true);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot open %.300s/%s", state->path, LOCK_FILE);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return error_set(err, ERROR_BUSY, errno, "another command changes the policy");
    }
    *ret_fd = fd_take(&fd);
    return STATUS_OK;
}

static status_t check_unchanged(const struct policy_update *update, struct error *err) {
    struct digest digest;
    TRY(policy_files_user_digest(&digest, err));
    if (digest_equal(&digest, &update->old_digest)) {
        return STATUS_OK;
    }
    (void)error_set(err, ERROR_BUSY, 0, "the policy in force was changed meanwhile");
    error_hint(err, "Look at it (airlock policy show), then run the command again.");
    return (status_t){ERROR_BUSY};
}

static status_t swap(struct kernel *kernel, const struct policy_update *update, const char *path,
                     uint64_t *ret_seq, struct error *err) {
    CLEANUP(fd_closep) int folder = -1;
    const char *name = "";
    char temporary[LIMIT_PATH_BYTES + 32];
    const struct file_write_options options = {.mode = 0600, .durable = true};
    TRY(open_folder(path, &folder, &name, err));
    (void)snprintf(temporary, sizeof temporary, ".%s.new-%d", name, (int)getpid());
    TRY(file_write_atomic(folder, temporary, update->text, &options, err));
    status_t status = append(kernel, AUDIT_EVENT_POLICY_UPDATED,
                             update_fields(kernel, update, path), ret_seq, err);
    if (status_is_ok(status) && renameat(folder, temporary, folder, name) != 0) {
        status = error_set(err, ERROR_IO, errno, "cannot replace %.300s", path);
    }
    if (!status_is_ok(status)) {
        (void)unlinkat(folder, temporary, 0);
        return status;
    }
    return fd_sync(folder, path, err);
}

status_t policy_files_update(struct kernel *kernel, const struct policy_update *update,
                             struct error *err) {
    ASSERT(update->replay != nullptr);
    char path[LIMIT_PATH_BYTES];
    CLEANUP(fd_closep) int lock = -1;
    uint64_t seq;
    TRY(find_target(path, err));
    TRY(lock_update(&kernel->state, &lock, err));
    TRY(check_unchanged(update, err));
    TRY(swap(kernel, update, path, &seq, err));
    kernel_policy_drop(kernel);
    return kernel_checkpoint(kernel, seq, err);
}
