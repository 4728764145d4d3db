/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealing: reading what a run wrote into its upper, once, and turning it into a complete list of
 * changes (sandbox/base_record.h). The cost grows with what changed, never with the workspace.
 *
 * Start of a run: the change time of its own lock file, which comes from the same clock of the
 * kernel as the change times of the workspace's files. A lower file with a later one was changed by
 * somebody else while the run was live, so that nobody knows which content the run saw. The same
 * for one that the run changed in place and that is gone. A file that the run replaced by another
 * bears no mark of the old one; if that was deleted meanwhile, the new one counts as added.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/base_copy.h"
#include "sandbox/stage_view.h"
#include "sys/fd.h"
#include "sys/file.h"

struct folder_todo {
    char *path;  /* owned */
    bool opaque; /* it, or a folder above it, hides what lies below */
};

struct sealer {
    struct stage_view view;
    struct change_list list;
    struct folder_todo *todo; /* folders of the upper still to be read */
    size_t todo_count, todo_capacity;
    int upper_fd;
    uint32_t payload_uid;
    int64_t started_ns;
};

static void sealer_deinit(struct sealer *sealer) {
    stage_view_close(&sealer->view);
    change_list_deinit(&sealer->list);
    for (size_t i = 0; i < sealer->todo_count; i++) {
        free(sealer->todo[i].path);
    }
    free(sealer->todo);
    fd_closep(&sealer->upper_fd);
}

static status_t sealer_push(struct sealer *sealer, const char *path, bool opaque,
                            struct error *err) {
    if (sealer->todo_count == sealer->todo_capacity) {
        size_t capacity = sealer->todo_capacity == 0 ? 64 : sealer->todo_capacity * 2;
        struct folder_todo *todo = reallocarray(sealer->todo, capacity, sizeof *todo);
        if (todo == nullptr) {
            return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot read the stage");
        }
        sealer->todo = todo;
        sealer->todo_capacity = capacity;
    }
    char *copy = strdup(path);
    if (copy == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot read the stage");
    }
    sealer->todo[sealer->todo_count++] = (struct folder_todo){copy, opaque};
    return STATUS_OK;
}

static bool sealer_has_moved(const struct sealer *sealer, const struct entry_state *before,
                             int source_fd) {
    return source_fd == sealer->view.workspace_fd &&
           (before->kind == ENTRY_FILE || before->kind == ENTRY_LINK) &&
           before->ctime_ns > sealer->started_ns;
}

/* Overlayfs marks what it copied up, so the run saw something at this path. Nothing stands there
 * now: either the run moved it here, or somebody deleted the original while the run was live. A
 * deletion moves the folder it happens in, and that is what tells the two apart. */
static status_t sealer_has_lost(const struct sealer *sealer, const char *path, int source_fd,
                                bool *ret_lost, struct error *err) {
    if (source_fd != sealer->view.workspace_fd || !upper_is_copied_up(sealer->upper_fd, path)) {
        return STATUS_OK;
    }
    char folder[LIMIT_PATH_BYTES];
    struct entry_state there = {.kind = ENTRY_NONE};
    (void)snprintf(folder, sizeof folder, "%s", path);
    while (there.kind == ENTRY_NONE) { /* the workspace itself is always there */
        char *slash = strrchr(folder, '/');
        (void)snprintf(slash == nullptr ? folder : slash, 2, "%s", slash == nullptr ? "." : "");
        TRY(entry_look(source_fd, folder, ENTRY_STAT, &there, err));
    }
    *ret_lost = there.ctime_ns > sealer->started_ns;
    return STATUS_OK;
}

/* Lists a path that stood below and is gone, and when it was a folder all that was in it. */
static status_t sealer_delete(struct sealer *sealer, const char *top, struct error *err) {
    CLEANUP(name_list_deinit) struct name_list queue = {0};
    TRY(name_list_add(&queue, top, strlen(top), err));
    while (queue.count > 0) {
        CLEANUP(memory_freep) char *path = queue.names[--queue.count];
        struct change change = {.path = path};
        int source = -1;
        TRY(stage_view_look(&sealer->view, path, ENTRY_CONTENT, &change.before, &source, err));
        if (change.before.kind == ENTRY_NONE) {
            continue;
        }
        change.moved = sealer_has_moved(sealer, &change.before, source);
        TRY(change_list_add(&sealer->list, &change, err));
        if (change.before.kind != ENTRY_FOLDER) {
            continue;
        }
        CLEANUP(name_list_deinit) struct name_list names = {0};
        TRY(stage_view_list(&sealer->view, path, &names, err));
        for (size_t i = 0; i < names.count; i++) {
            char child[LIMIT_PATH_BYTES];
            if (path_join(child, path, names.names[i])) {
                TRY(name_list_add(&queue, child, strlen(child), err));
            }
        }
    }
    return STATUS_OK;
}

/* Deletes what stood in a folder below, but for the names that `kept` has (they are looked at by
 * themselves). */
static status_t sealer_delete_inside(struct sealer *sealer, const char *path,
                                     const struct name_list *kept, struct error *err) {
    CLEANUP(name_list_deinit) struct name_list names = {0};
    TRY(stage_view_list(&sealer->view, path, &names, err));
    for (size_t i = 0; i < names.count; i++) {
        char child[LIMIT_PATH_BYTES];
        if (!name_list_has(kept, names.names[i]) && path_join(child, path, names.names[i])) {
            TRY(sealer_delete(sealer, child, err));
        }
    }
    return STATUS_OK;
}

static bool name_is_reserved(const char *path) {
    const char *slash = strrchr(path, '/');
    const char *name = slash == nullptr ? path : slash + 1;
    char id[ID_TEXT_BYTES];
    if (strncmp(name, ".airlock-", 9) != 0 || strlen(name) < 9 + ID_TEXT_BYTES) {
        return false;
    }
    (void)snprintf(id, sizeof id, "%s", name + 9);
    return id_is_valid(id);
}

static enum refusal sealer_refusal(struct sealer *sealer, const char *path,
                                   const struct stat *there) {
    if (name_is_reserved(path)) {
        return REFUSAL_RESERVED_NAME;
    }
    if (S_ISLNK(there->st_mode)) {
        return REFUSAL_NONE;
    }
    if (!S_ISREG(there->st_mode) && !S_ISDIR(there->st_mode)) {
        return S_ISFIFO(there->st_mode)   ? REFUSAL_FIFO
               : S_ISSOCK(there->st_mode) ? REFUSAL_SOCKET
                                          : REFUSAL_DEVICE;
    }
    bool is_folder = S_ISDIR(there->st_mode);
    if (!is_folder && (there->st_mode & 07000) != 0) {
        return REFUSAL_SETUID;
    }
    if (is_folder && strlen(path) + NAME_MAX + 2 >= LIMIT_PATH_BYTES) {
        return REFUSAL_UNREADABLE; /* nothing below it has a path that a system call takes */
    }
    CLEANUP(fd_closep)
    int fd = is_folder ? entry_open_folder(sealer->upper_fd, path, true)
                       : entry_open_file(sealer->upper_fd, path, true);
    if (fd < 0) {
        return REFUSAL_UNREADABLE;
    }
    return upper_has_refused_attribute(fd) ? REFUSAL_ATTRIBUTE : REFUSAL_NONE;
}

static int entry_open_as(enum entry_kind kind, int folder_fd, const char *path, bool force) {
    return kind == ENTRY_FILE ? entry_open_file(folder_fd, path, force)
                              : entry_open_folder(folder_fd, path, force);
}

/* Whether an entry has another access list than what stood there, or than one it inherits. */
static bool sealer_is_relisted(const struct sealer *sealer, const struct change *change,
                               int source_fd) {
    enum entry_kind kind = change->after.kind;
    if (kind != ENTRY_FILE && kind != ENTRY_FOLDER) {
        return false;
    }
    CLEANUP(fd_closep) int fd = entry_open_as(kind, sealer->upper_fd, change->path, true);
    if (fd >= 0 && change->before.kind == kind) {
        CLEANUP(fd_closep) int before = entry_open_as(kind, source_fd, change->path, false);
        return before >= 0 && !upper_has_same_access_lists(fd, before);
    }
    if (fd < 0 || upper_has_same_access_lists(fd, -1)) {
        return false;
    }
    char folder[LIMIT_PATH_BYTES];
    (void)snprintf(folder, sizeof folder, "%s", change->path);
    char *slash = strrchr(folder, '/');
    (void)snprintf(slash == nullptr ? folder : slash, 2, "%s", slash == nullptr ? "." : "");
    CLEANUP(fd_closep) int parent = entry_open_folder(sealer->upper_fd, folder, true);
    return parent < 0 || !upper_has_default_access_list(parent);
}

/* A folder that forbids its owner to look inside is opened up, in the stage only: the list keeps
 * the mode it had. Without this a payload could make a stage that nobody can read but root. */
static status_t sealer_open_up(int fd, const char *path, const struct stat *there,
                               struct error *err) {
    char self[64];
    if (!S_ISDIR(there->st_mode) || (there->st_mode & 0500) == 0500 || geteuid() == 0) {
        return STATUS_OK;
    }
    (void)snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if (chmod(self, (there->st_mode & 07777) | UPPER_FOLDER_MODE) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot open the folder %s in the stage", path);
    }
    return STATUS_OK;
}

/* One entry of the upper that is no whiteout. */
static status_t sealer_entry(struct sealer *sealer, const char *path, const struct stat *there,
                             bool opaque, struct error *err) {
    struct change change = {.refusal = sealer_refusal(sealer, path, there)};
    CLEANUP(memory_freep) char *copy = strdup(path);
    if (copy == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot read the stage");
    }
    change.path = copy;
    int source = -1;
    TRY(stage_view_look(&sealer->view, path, ENTRY_CONTENT, &change.before, &source, err));
    TRY(entry_look(sealer->upper_fd, path,
                   change.refusal == REFUSAL_NONE ? ENTRY_FORCED : ENTRY_STAT, &change.after, err));
    change.after.mode = there->st_mode & 07777;
    change.after.owner_is_payload = change.after.uid == sealer->payload_uid;
    change.moved = sealer_has_moved(sealer, &change.before, source);
    if (change.before.kind == ENTRY_NONE && change.refusal == REFUSAL_NONE) {
        TRY(sealer_has_lost(sealer, path, source, &change.moved, err));
    }
    change.is_relisted =
        change.refusal == REFUSAL_NONE && sealer_is_relisted(sealer, &change, source);
    if (change.refusal != REFUSAL_NONE || change.is_relisted ||
        !entry_is_equal(&change.before, &change.after)) {
        TRY(change_list_add(&sealer->list, &change, err));
    }
    bool was_folder = change.before.kind == ENTRY_FOLDER;
    if (change.after.kind == ENTRY_FOLDER && change.refusal != REFUSAL_UNREADABLE) {
        return sealer_push(sealer, path, opaque, err);
    }
    struct name_list none = {0};
    return was_folder ? sealer_delete_inside(sealer, path, &none, err) : STATUS_OK;
}

static status_t sealer_name(struct sealer *sealer, const struct folder_todo *folder,
                            const char *name, bool xattr_whiteouts, struct error *err) {
    char path[LIMIT_PATH_BYTES];
    struct stat there;
    if (!path_join(path, folder->path, name)) {
        return error_set(err, ERROR_IO, ENAMETOOLONG, "cannot read the stage");
    }
    CLEANUP(fd_closep)
    int fd = file_open_beneath(sealer->upper_fd, path, O_PATH | O_NOFOLLOW, 0, true);
    if (fd < 0 || fstat(fd, &there) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot read %s in the stage", path);
    }
    bool whiteout = upper_is_whiteout(&there) ||
                    (xattr_whiteouts && S_ISREG(there.st_mode) && there.st_size == 0 &&
                     upper_is_xattr_whiteout(sealer->upper_fd, path));
    if (whiteout) {
        return sealer_delete(sealer, path, err);
    }
    TRY(sealer_open_up(fd, path, &there, err));
    return sealer_entry(sealer, path, &there, folder->opaque, err);
}

static status_t sealer_folder(struct sealer *sealer, struct folder_todo *folder,
                              struct error *err) {
    const char *path = folder->path[0] == '\0' ? "." : folder->path;
    CLEANUP(fd_closep) int fd = entry_open_folder(sealer->upper_fd, path, true);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot read the folder %s in the stage", path);
    }
    enum upper_mark mark = upper_mark_of_folder(fd);
    folder->opaque = folder->opaque || mark == UPPER_OPAQUE;
    CLEANUP(name_list_deinit) struct name_list names = {0};
    TRY(name_list_read(fd, path, &names, err));
    for (size_t i = 0; i < names.count; i++) {
        TRY(sealer_name(sealer, folder, names.names[i], mark == UPPER_XWHITEOUTS, err));
    }
    /* A folder that stands where there was none has nothing below it to hide: the list is empty. */
    return folder->opaque ? sealer_delete_inside(sealer, folder->path, &names, err) : STATUS_OK;
}

static status_t sealer_scan(struct sealer *sealer, struct error *err) {
    TRY(sealer_push(sealer, "", false, err));
    while (sealer->todo_count > 0) {
        struct folder_todo folder = sealer->todo[--sealer->todo_count];
        status_t status = sealer_folder(sealer, &folder, err);
        free(folder.path);
        TRY(status);
    }
    change_list_sort(&sealer->list);
    return STATUS_OK;
}

static status_t sealer_copy_base(struct sealer *sealer, const struct run *run, struct error *err) {
    TRY(file_remove_tree(run->fd, "base", err)); /* of a seal that was cut short */
    if (sealer->list.count == 0) {
        return STATUS_OK; /* most runs change nothing, and the record of that is its absence */
    }
    CLEANUP(fd_closep) int base = -1;
    TRY(file_open_folder(run->fd, "base", true, 0700, &base, err));
    for (size_t i = 0; i < sealer->list.count; i++) {
        struct change *change = &sealer->list.items[i];
        struct entry_state there;
        int source = -1;
        char name[24];
        change->number = (uint32_t)i;
        (void)snprintf(name, sizeof name, "%zu", i);
        TRY(stage_view_look(&sealer->view, change->path, ENTRY_STAT, &there, &source, err));
        TRY(base_copy(source, change, base, name, &change->has_copy, err));
    }
    return base_record_write(run, &sealer->list, err);
}

static void summary_count(const struct change *change, struct stage_summary *summary) {
    bool was_file = change->before.kind == ENTRY_FILE;
    bool is_file = change->after.kind == ENTRY_FILE;
    bool same_content =
        was_file && is_file && digest_equal(&change->before.digest, &change->after.digest);
    summary->refused += change->refusal != REFUSAL_NONE;
    summary->conflicts += change->moved;
    summary->bytes += is_file ? change->after.size : 0;
    if (was_file && is_file && !same_content) {
        summary->modified++;
    } else if (!was_file && is_file) {
        summary->added++;
    } else if (was_file && !is_file) {
        summary->deleted++;
    } else {
        summary->other++;
    }
}

static status_t sealer_open(struct sealer *sealer, const struct state *state, const struct run *run,
                            struct error *err) {
    struct stat upper;
    struct stat lock;
    TRY(file_open_folder(run->fd, "upper", false, 0, &sealer->upper_fd, err));
    if (fstat(sealer->upper_fd, &upper) != 0 || fstatat(run->fd, "lock", &lock, 0) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot read the stage");
    }
    sealer->payload_uid = upper.st_uid;
    sealer->started_ns = lock.st_ctim.tv_sec * 1000000000 + lock.st_ctim.tv_nsec;
    return stage_view_open(state, run, &sealer->view, err);
}

static status_t sealer_run(struct sealer *sealer, const struct state *state, const struct run *run,
                           struct error *err) {
    TRY(sealer_open(sealer, state, run, err));
    TRY(sealer_scan(sealer, err));
    TRY(sealer_copy_base(sealer, run, err));
    /* What the log is about to name outlives a loss of power. */
    return sealer->list.count == 0 ? STATUS_OK
                                   : fd_sync_filesystem(sealer->upper_fd, "the stage", err);
}

status_t stage_seal(const struct state *state, struct run *run, struct stage_summary *ret_summary,
                    struct error *err) {
    CLEANUP(memory_freep) struct sealer *sealer = calloc(1, sizeof *sealer);
    if (sealer == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot seal the stage");
    }
    sealer->upper_fd = -1;
    sealer->view.workspace_fd = -1;
    for (size_t i = 0; i < LIMIT_STAGE_STACK; i++) {
        sealer->view.upper_fds[i] = -1;
    }
    status_t status = sealer_run(sealer, state, run, err);
    if (!status_is_ok(status)) {
        sealer_deinit(sealer);
        return error_context(err, "sealing the stage of run %s", run->id);
    }
    struct stage_summary summary = {0};
    for (size_t i = 0; i < sealer->list.count; i++) {
        summary_count(&sealer->list.items[i], &summary);
    }
    base_record_digest(&sealer->list, &summary.digest);
    run->stage_digest = summary.digest;
    run->change_count = (uint32_t)sealer->list.count;
    run->state = sealer->list.count > 0 ? RUN_OPEN : RUN_EMPTY;
    sealer_deinit(sealer);
    *ret_summary = summary;
    return STATUS_OK;
}
