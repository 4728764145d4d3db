/* SPDX-License-Identifier: Apache-2.0 */
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/file.h"

/* Written last when a state folder is made, so its presence says that the folder is whole. */
static const char VERSION_FILE[] = "VERSION";
enum { VERSION_OURS = 1 };

static bool is_absolute(const char *path) {
    return path != nullptr && path[0] == '/';
}

static status_t choose_path(char ret_path[static LIMIT_PATH_BYTES], struct error *err) {
    const char *chosen = getenv("AIRLOCK_STATE_DIR");
    const char *below = "";
    if (chosen == nullptr || chosen[0] == '\0') {
        chosen = getenv("XDG_STATE_HOME");
        below = "/airlock";
        if (!is_absolute(chosen)) { /* the XDG specification: relative ones are ignored */
            bool root = geteuid() == 0;
            chosen = root ? "/var/lib" : getenv("HOME");
            below = root ? "/airlock" : "/.local/state/airlock";
        }
    }
    if (!is_absolute(chosen)) {
        return error_set(err, ERROR_STATE_UNUSABLE, 0,
                         "cannot tell where the state folder is: AIRLOCK_STATE_DIR or HOME must "
                         "be an absolute path");
    }
    int size = snprintf(ret_path, LIMIT_PATH_BYTES, "%s%s", chosen, below);
    if (size < 0 || size >= LIMIT_PATH_BYTES) {
        return error_set(err, ERROR_STATE_UNUSABLE, ENAMETOOLONG, "the state folder's path");
    }
    return STATUS_OK;
}

static status_t refuse(struct error *err, int reason, const char *path) {
    if (reason == EROFS) {
        return error_set(err, ERROR_STATE_READ_ONLY, reason, "cannot write the state folder %s",
                         path);
    }
    return error_set(err, ERROR_STATE_UNUSABLE, reason, "cannot use the state folder %s", path);
}

/* mkdir -p, every new folder 0700. Changes `path` only while it works. */
static status_t make_folders(char *path, struct error *err) {
    for (char *at = path + 1;; at++) {
        if (*at != '/' && *at != '\0') {
            continue;
        }
        char kept = *at;
        *at = '\0';
        int made = mkdir(path, 0700);
        int reason = errno;
        *at = kept;
        if (made != 0 && reason != EEXIST && (kept == '\0' || reason != EROFS)) {
            return refuse(err, reason, path);
        }
        if (kept == '\0') {
            return STATUS_OK;
        }
    }
}

static status_t check_owner(int fd, const char *path, struct error *err) {
    struct stat folder;
    if (fstat(fd, &folder) != 0) {
        return refuse(err, errno, path);
    }
    if (folder.st_uid != geteuid()) {
        return error_set(err, ERROR_STATE_UNUSABLE, 0,
                         "the state folder %s belongs to another user (uid %u)", path,
                         (unsigned)folder.st_uid);
    }
    if ((folder.st_mode & 022) != 0) {
        status_t status = error_set(err, ERROR_STATE_UNUSABLE, 0,
                                    "other users can write the state folder %s", path);
        error_hint(err, "Close it to them: chmod 0700 %s", path);
        return status;
    }
    if (faccessat(fd, ".", W_OK, AT_EACCESS) != 0) {
        return error_set(err, ERROR_STATE_READ_ONLY, errno, "cannot write the state folder %s",
                         path);
    }
    return STATUS_OK;
}

/* SQLite's WAL shares memory between processes, which network filesystems do not offer. */
static status_t check_filesystem(int fd, const char *path, struct error *err) {
    static const struct {
        uint32_t magic;
        const char *name;
    } NETWORK[] = {
        {NFS_SUPER_MAGIC, "NFS"},   {SMB_SUPER_MAGIC, "SMB"}, {CIFS_SUPER_MAGIC, "CIFS"},
        {SMB2_SUPER_MAGIC, "SMB2"}, {V9FS_MAGIC, "9p"},       {CODA_SUPER_MAGIC, "Coda"},
        {AFS_SUPER_MAGIC, "AFS"},   {AFS_FS_MAGIC, "AFS"},    {NCP_SUPER_MAGIC, "NCP"},
        {CEPH_SUPER_MAGIC, "Ceph"},
    };
    struct statfs filesystem;
    if (fstatfs(fd, &filesystem) != 0) {
        return refuse(err, errno, path);
    }
    for (size_t i = 0; i < sizeof NETWORK / sizeof NETWORK[0]; i++) {
        if ((uint32_t)filesystem.f_type == NETWORK[i].magic) {
            return error_set(err, ERROR_STATE_UNUSABLE, 0,
                             "the state folder %s is on a network filesystem (%s)", path,
                             NETWORK[i].name);
        }
    }
    return STATUS_OK;
}

static status_t check_version(int fd, const char *path, bool *ret_found, struct error *err) {
    struct builder text;
    builder_init(&text, 64);
    status_t status = file_read(fd, VERSION_FILE, &text, ret_found, err);
    if (status_is_ok(status) && *ret_found) {
        char *end;
        const char *digits = builder_c_string(&text);
        errno = 0;
        unsigned long version = strtoul(digits, &end, 10);
        if (end == digits || *end != '\n' || version == 0 || errno != 0) {
            status =
                error_set(err, ERROR_STATE_UNUSABLE, 0, "%s/%s is not ours", path, VERSION_FILE);
        } else if (version > VERSION_OURS) {
            status =
                error_set(err, ERROR_STATE_VERSION, 0, "%s has version %lu, this program knows %d",
                          path, version, VERSION_OURS);
        }
    }
    builder_deinit(&text);
    return status;
}

static status_t make_layout(int fd, struct error *err) {
    static const char *const FOLDERS[] = {"keys", "runs", "workspaces"};
    for (size_t i = 0; i < sizeof FOLDERS / sizeof FOLDERS[0]; i++) {
        TRY(file_make_folder(fd, FOLDERS[i], 0700, err));
    }
    return file_write_atomic(fd, VERSION_FILE, SLICE_LITERAL("1\n"),
                             &(struct file_write_options){.mode = 0600, .durable = true}, err);
}

static status_t open_layout(struct state *state, struct error *err) {
    bool found = false;
    TRY(check_owner(state->fd, state->path, err));
    TRY(check_filesystem(state->fd, state->path, err));
    TRY(check_version(state->fd, state->path, &found, err));
    if (!found) {
        TRY(make_layout(state->fd, err));
    }
    TRY(file_open_folder(state->fd, "runs", false, 0700, &state->runs_fd, err));
    return file_open_folder(state->fd, "keys", false, 0700, &state->keys_fd, err);
}

status_t state_open(struct state *ret_state, struct error *err) {
    struct state state = {.fd = -1, .runs_fd = -1, .keys_fd = -1};
    char path[LIMIT_PATH_BYTES];
    TRY(choose_path(path, err));
    state.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (state.fd < 0 && errno == ENOENT) {
        TRY(make_folders(path, err));
        state.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (state.fd < 0) {
        return refuse(err, errno, path);
    }
    status_t status = STATUS_OK;
    if (realpath(path, state.path) == nullptr) {
        status = refuse(err, errno, path);
    }
    if (status_is_ok(status)) {
        status = open_layout(&state, err);
    }
    if (!status_is_ok(status)) {
        state_close(&state);
        return status;
    }
    *ret_state = state;
    return STATUS_OK;
}

void state_close(struct state *state) {
    fd_closep(&state->keys_fd);
    fd_closep(&state->runs_fd);
    fd_closep(&state->fd);
    secret_freep(&state->log_key);
}
