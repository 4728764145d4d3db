/* SPDX-License-Identifier: Apache-2.0
 *
 * Cleans up after commands that died. Only runs marked in runs/.live are looked at, and of them
 * only those whose lock is free: their command is gone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "sandbox/run.h"
#include "sys/fd.h"
#include "sys/file.h"

static void folder_closep(DIR **folder) {
    if (*folder != nullptr) {
        (void)closedir(*folder);
    }
}

/* Takes the lock of a run whose command is gone. -1: it lives, or there is no such run. */
static int run_take_lock(const struct state *state, const char *id) {
    CLEANUP(fd_closep)
    int folder = openat(state->runs_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    CLEANUP(fd_closep) int lock = folder < 0 ? -1 : openat(folder, "lock", O_RDWR | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) != 0) {
        return -1;
    }
    return fd_take(&lock);
}

/* A full disk gets emptied, a workspace on a drive that is away comes back. */
static bool error_may_pass(enum error_code code) {
    return code == ERROR_DISK_FULL || code == ERROR_NO_MEMORY || code == ERROR_WORKSPACE_UNUSABLE;
}

static status_t run_collect_one(const struct state *state, const char *id,
                                const struct run_collector *collector, struct error *err) {
    CLEANUP(fd_closep) int lock = run_take_lock(state, id);
    if (lock < 0) {
        return STATUS_OK;
    }
    CLEANUP(run_close) struct run run = {.fd = -1, .lock_fd = -1};
    bool found = false;
    TRY(run_read(state->runs_fd, id, &run, &found, err));
    if (!found) { /* its command died before the run had a meta file: nothing ran */
        return file_remove_tree(state->runs_fd, id, err);
    }
    run.lock_fd = fd_take(&lock);
    if (run.state == RUN_LIVE) {
        struct stage_summary summary;
        struct error unsealed;
        if (collector->each_dead != nullptr &&
            !status_is_ok(collector->each_dead(collector->context, &run, &unsealed))) {
            return STATUS_OK; /* the mark stays */
        }
        bool is_sealed = status_is_ok(stage_seal(state, &run, &summary, &unsealed));
        if (!is_sealed && error_may_pass(unsealed.code)) {
            return STATUS_OK; /* the mark stays; a later command tries again */
        }
        if (!is_sealed) {
            /* A stage that cannot be read has nothing to apply; it must not stop every command. */
            run.change_count = 0;
            run.stage_digest = (struct digest){0};
        }
        run.state = RUN_LOST;
        TRY(collector->each_lost(collector->context, &run, err));
    }
    return run_save(&run, true, err); /* also removes work, tmp, home and the mark */
}

status_t run_collect(const struct state *state, const struct run_collector *collector,
                     struct error *err) {
    int fd = openat(state->runs_fd, ".live", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return STATUS_OK;
    }
    CLEANUP(folder_closep) DIR *folder = fd < 0 ? nullptr : fdopendir(fd);
    if (folder == nullptr) {
        fd_closep(&fd);
        return error_set(err, ERROR_IO, errno, "cannot list the live runs");
    }
    struct dirent *entry;
    while ((entry = readdir(folder)) != nullptr) {
        if (!id_is_valid(entry->d_name)) {
            continue;
        }
        if (faccessat(state->runs_fd, entry->d_name, F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
            (void)unlinkat(dirfd(folder), entry->d_name, 0);
            continue;
        }
        status_t status = run_collect_one(state, entry->d_name, collector, err);
        if (!status_is_ok(status)) {
            return error_context(err, "cleaning up after run %s", entry->d_name);
        }
    }
    return STATUS_OK;
}

void run_remove(const struct state *state, struct run *run) {
    char mark[ID_TEXT_BYTES + 16];
    struct error ignored;
    ASSERT(run->state == RUN_LIVE && run->lock_fd >= 0);
    (void)snprintf(mark, sizeof mark, ".live/%s", run->id);
    if (status_is_ok(file_remove_tree(state->runs_fd, run->id, &ignored))) {
        (void)unlinkat(state->runs_fd, mark, 0);
    }
    run_close(run);
}
