/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/stage_lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/file.h"

enum { STEPS_BYTES_MAX = 1 << 30 };

/* Finishing. */

status_t stage_finish(const struct state *state, struct run *run, const struct merge_steps *steps,
                      int workspace_fd, uint32_t *ret_left, struct error *err) {
    TRY(merge_steps_execute(steps, workspace_fd, ret_left, err));
    if (*ret_left > 0) {
        merge_steps_remove_temporaries(steps, workspace_fd);
    }
    if (steps->closes_stage && *ret_left == 0) {
        CLEANUP(memory_freep) struct run_stack *stack = calloc(1, sizeof *stack);
        if (stack == nullptr) {
            return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot close the stage");
        }
        TRY(run_stack_read(state, run, stack, err));
        status_t status = STATUS_OK;
        /* The oldest first: as long as one is open the run itself is, and names them all. */
        for (size_t i = stack->count; i-- > 0 && status_is_ok(status);) {
            merge_step_begins();
            status = run_save_closed(state, &stack->runs[i], RUN_APPLIED, err);
        }
        run_stack_close(stack);
        TRY(status);
        run->state = RUN_APPLIED;
    }
    return STATUS_OK;
}

status_t stage_forget(const struct run *run, struct error *err) {
    merge_step_begins();
    if (unlinkat(run->fd, STAGE_STEPS_COMMITTED, 0) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot remove the list of steps");
    }
    return STATUS_OK;
}

/* Recovering one run. */

static status_t recover_read(const struct run *run, const char *name, struct merge_steps *ret_steps,
                             bool *ret_found, struct error *err) {
    CLEANUP(builder_deinit) struct builder bytes;
    builder_init(&bytes, STEPS_BYTES_MAX);
    TRY(file_read(run->fd, name, &bytes, ret_found, err));
    return *ret_found ? merge_steps_decode(builder_slice(&bytes), ret_steps, err) : STATUS_OK;
}

struct recoverer {
    const struct state *state;
    stage_recovered *each; /* nullptr: nobody asks */
    void *context;
};

static status_t recover_tell(const struct recoverer *recoverer, const struct run *run,
                             const struct stage_recovery *recovery, struct error *err) {
    return recoverer->each == nullptr ? STATUS_OK
                                      : recoverer->each(recoverer->context, run, recovery, err);
}

static status_t recover_run(const struct recoverer *recoverer, const char *id, struct error *err) {
    const struct state *state = recoverer->state;
    CLEANUP(run_close) struct run run = {.fd = -1, .lock_fd = -1};
    CLEANUP(merge_steps_deinit) struct merge_steps steps = {0};
    bool found = false;
    bool committed = false;
    TRY(run_read(state->runs_fd, id, &run, &found, err));
    if (!found) {
        return STATUS_OK;
    }
    TRY(recover_read(&run, STAGE_STEPS_COMMITTED, &steps, &committed, err));
    if (!committed) {
        TRY(recover_read(&run, STAGE_STEPS_PREPARED, &steps, &found, err));
        if (!found) { /* died before its list, or after all of it */
            return recover_tell(recoverer, &run, &(struct stage_recovery){0}, err);
        }
    }
    struct stage_recovery recovery = {.is_committed = committed,
                                      .step_count = (uint32_t)steps.count};
    CLEANUP(fd_closep)
    int workspace = open(run.workspace, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (workspace < 0) { /* on a drive that is away: it may come back */
        return error_set(err, ERROR_WORKSPACE_UNUSABLE, errno,
                         "the workspace %s of an apply that was cut short is gone", run.workspace);
    }
    if (!committed) {
        merge_steps_remove_temporaries(&steps, workspace);
        TRY(recover_tell(recoverer, &run, &recovery, err));
        (void)unlinkat(run.fd, STAGE_STEPS_PREPARED, 0);
        return STATUS_OK;
    }
    TRY(stage_finish(state, &run, &steps, workspace, &recovery.left_count, err));
    TRY(recover_tell(recoverer, &run, &recovery, err));
    return stage_forget(&run, err);
}

/* Finishes what the lock file names; the lock is held. */
static status_t recover_lock(const struct recoverer *recoverer, int fd, struct error *err) {
    char id[ID_TEXT_BYTES] = "";
    ssize_t size = pread(fd, id, sizeof id - 1, 0);
    if (size > 0 && id_is_valid(id)) {
        TRY(recover_run(recoverer, id, err));
    }
    if (size > 0 && ftruncate(fd, 0) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot empty the lock of a workspace");
    }
    return STATUS_OK;
}

/* Locks. */

static status_t lock_open(const struct state *state, const char *workspace, int *ret_fd,
                          struct error *err) {
    struct digest digest;
    char name[2 * 16 + sizeof ".lock"];
    CLEANUP(fd_closep) int folder = -1;
    sha256_of(slice_of_string(workspace), &digest);
    for (size_t i = 0; i < 16; i++) {
        (void)snprintf(name + 2 * i, 3, "%02x", digest.bytes[i]);
    }
    memcpy(name + 32, ".lock", sizeof ".lock");
    TRY(file_open_folder(state->fd, "workspaces", true, 0700, &folder, err));
    int fd = openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot open the lock of %s", workspace);
    }
    status_t status = fd_sync(folder, "the folder of the locks", err);
    if (!status_is_ok(status)) {
        fd_closep(&fd);
        return status;
    }
    *ret_fd = fd;
    return STATUS_OK;
}

status_t stage_lock_take(const struct state *state, const struct run *run,
                         struct stage_lock *ret_lock, struct error *err) {
    CLEANUP(fd_closep) int fd = -1;
    TRY(lock_open(state, run->workspace, &fd, err));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return error_set(err, ERROR_BUSY, errno, "another command applies changes to %s",
                         run->workspace);
    }
    TRY(recover_lock(&(struct recoverer){.state = state}, fd, err));
    TRY(fd_write_all(fd, slice_of_string(run->id), "the lock of a workspace", err));
    /* Durable before any list of steps is: without the name nobody would look for the list. */
    TRY(fd_sync(fd, "the lock of a workspace", err));
    ret_lock->fd = fd_take(&fd);
    return STATUS_OK;
}

status_t stage_lock_hold(const struct state *state, const char *workspace, int *ret_fd,
                         struct error *err) {
    CLEANUP(fd_closep) int fd = -1;
    TRY(lock_open(state, workspace, &fd, err));
    if (flock(fd, LOCK_SH | LOCK_NB) != 0) {
        return error_set(err, ERROR_BUSY, errno, "another command applies changes to %s",
                         workspace);
    }
    *ret_fd = fd_take(&fd);
    return STATUS_OK;
}

void stage_lock_release(struct stage_lock *lock, const struct run *run) {
    bool finished = faccessat(run->fd, STAGE_STEPS_COMMITTED, F_OK, 0) != 0 &&
                    faccessat(run->fd, STAGE_STEPS_PREPARED, F_OK, 0) != 0;
    /* A name that stays behind costs the next command one look. */
    if (finished && ftruncate(lock->fd, 0) == 0) {
        (void)lseek(lock->fd, 0, SEEK_SET);
    }
    fd_closep(&lock->fd);
}

static void folder_closep(DIR **folder) {
    if (*folder != nullptr) {
        (void)closedir(*folder);
    }
}

status_t stage_recover(const struct state *state, stage_recovered *each, void *context,
                       struct error *err) {
    const struct recoverer recoverer = {state, each, context};
    int copy = openat(state->fd, "workspaces", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0 && errno == ENOENT) {
        return STATUS_OK;
    }
    CLEANUP(folder_closep) DIR *folder = copy < 0 ? nullptr : fdopendir(copy);
    if (folder == nullptr) {
        fd_closep(&copy);
        return error_set(err, ERROR_IO, errno, "cannot list the locks of the workspaces");
    }
    struct dirent *entry;
    while ((entry = readdir(folder)) != nullptr) {
        struct stat there;
        if (fstatat(dirfd(folder), entry->d_name, &there, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(there.st_mode) || there.st_size == 0) {
            continue;
        }
        CLEANUP(fd_closep) int fd = openat(dirfd(folder), entry->d_name, O_RDWR | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
            /* What cannot be finished stops the applies to that workspace (stage_lock_take() tries
             * again and says why), not every command. */
            struct error unfinished;
            status_t status = recover_lock(&recoverer, fd, &unfinished);
            (void)status;
        }
    }
    return STATUS_OK;
}
