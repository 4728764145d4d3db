/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/workspace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "sys/fd.h"

enum { SHOWN_BYTES_MAX = 300, MOUNTINFO_BYTES_MAX = 16 * 1024 * 1024 };

/* An error about a folder, its name escaped. */
static status_t unusable(struct error *err, int os_errno, const char *what, const char *path) {
    struct builder shown;
    builder_init(&shown, (size_t)4 * LIMIT_PATH_BYTES);
    text_escape(slice_of_string(path), &shown);
    (void)error_set(err, ERROR_WORKSPACE_UNUSABLE, os_errno, "%s: %.*s", what, SHOWN_BYTES_MAX,
                    builder_c_string(&shown));
    builder_deinit(&shown);
    return (status_t){ERROR_WORKSPACE_UNUSABLE};
}

static status_t resolve(const char *path, char ret_path[static LIMIT_PATH_BYTES],
                        struct error *err) {
    CLEANUP(memory_freep) char *resolved = realpath(path, nullptr);
    if (resolved == nullptr) {
        return unusable(err, errno, "cannot open the workspace", path);
    }
    if (strlen(resolved) >= LIMIT_PATH_BYTES) {
        return unusable(err, ENAMETOOLONG, "cannot open the workspace", path);
    }
    struct stat status;
    if (stat(resolved, &status) != 0) {
        return unusable(err, errno, "cannot open the workspace", path);
    }
    if (!S_ISDIR(status.st_mode)) {
        return unusable(err, ENOTDIR, "the workspace is not a folder", path);
    }
    (void)snprintf(ret_path, LIMIT_PATH_BYTES, "%s", resolved);
    return STATUS_OK;
}

static bool folder_has(const char *folder, size_t length, const char *name) {
    char path[LIMIT_PATH_BYTES + 16];
    (void)snprintf(path, sizeof path, "%.*s/%s", (int)length, folder, name);
    return access(path, F_OK) == 0;
}

status_t workspace_find(const char *option_or_null, char ret_path[static LIMIT_PATH_BYTES],
                        struct error *err) {
    if (option_or_null != nullptr) {
        return resolve(option_or_null, ret_path, err);
    }
    char current[LIMIT_PATH_BYTES];
    TRY(resolve(".", current, err));
    size_t length = strlen(current);
    while (length > 1) {
        if (folder_has(current, length, ".airlock") || folder_has(current, length, ".git")) {
            break;
        }
        while (length > 0 && current[length - 1] != '/') {
            length--;
        }
        length -= length > 0 ? 1 : 0;
    }
    (void)snprintf(ret_path, LIMIT_PATH_BYTES, "%.*s", (int)(length > 1 ? length : strlen(current)),
                   current);
    return STATUS_OK;
}

/* Whether `inner` is `outer` or lies below it; both absolute and resolved. */
static bool path_is_within(const char *inner, const char *outer) {
    size_t length = strlen(outer);
    return strncmp(inner, outer, length) == 0 && (inner[length] == '/' || inner[length] == '\0');
}

/* overlayfs refuses these as lower layers, or what it would make of them is not the folder. */
static bool filesystem_is_unsuited(long type, const char **ret_name) {
    enum { EXFAT_MAGIC = 0x2011BAB0, NTFS3_MAGIC = 0x7366746e };
    static const struct {
        long type;
        const char *name;
    } unsuited[] = {
        {MSDOS_SUPER_MAGIC, "vfat"},      {EXFAT_MAGIC, "exfat"},
        {NTFS3_MAGIC, "ntfs3"},           {PROC_SUPER_MAGIC, "proc"},
        {SYSFS_MAGIC, "sysfs"},           {CGROUP_SUPER_MAGIC, "cgroup"},
        {CGROUP2_SUPER_MAGIC, "cgroup2"}, {DEVPTS_SUPER_MAGIC, "devpts"},
        {DEBUGFS_MAGIC, "debugfs"},       {TRACEFS_MAGIC, "tracefs"},
        {SECURITYFS_MAGIC, "securityfs"},
    };
    for (size_t i = 0; i < sizeof unsuited / sizeof unsuited[0]; i++) {
        if (unsuited[i].type == type) {
            *ret_name = unsuited[i].name;
            return true;
        }
    }
    return false;
}

/* The fifth field of a mountinfo line: the mount point, with \040 and the like still in it. */
static struct slice mount_point_of(struct slice line) {
    struct cursor cursor = cursor_of(line);
    for (int field = 0; field < 4; field++) {
        (void)cursor_until(&cursor, ' ');
    }
    return cursor_until(&cursor, ' ');
}

/* Writes `path` as mountinfo does: space, tab, newline and backslash in octal. */
static void mountinfo_escape(const char *path, struct builder *out) {
    for (const char *c = path; *c != '\0'; c++) {
        if (*c == ' ' || *c == '\t' || *c == '\n' || *c == '\\') {
            builder_format(out, "\\%03o", (unsigned)(unsigned char)*c);
        } else {
            builder_u8(out, (uint8_t)*c);
        }
    }
}

static status_t refuse_mounts_below(const char *path, struct error *err) {
    CLEANUP(fd_closep) int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot read /proc/self/mountinfo");
    }
    struct builder text;
    struct builder prefix;
    builder_init(&text, MOUNTINFO_BYTES_MAX);
    builder_init(&prefix, (size_t)4 * LIMIT_PATH_BYTES + 2);
    status_t status = fd_read_to_end(fd, "/proc/self/mountinfo", &text, err);
    mountinfo_escape(path, &prefix);
    builder_u8(&prefix, '/');
    struct cursor lines = cursor_of(builder_slice(&text));
    while (status_is_ok(status) && cursor_remaining(&lines) > 0) {
        struct slice line = cursor_until(&lines, '\n');
        struct slice point = mount_point_of(line);
        if (slice_starts_with(point, builder_slice(&prefix))) {
            char shown[LIMIT_PATH_BYTES];
            (void)snprintf(shown, sizeof shown, "%.*s", (int)point.size, (const char *)point.data);
            status = unusable(err, 0, "another filesystem is mounted below the workspace", shown);
            error_hint(err, "Unmount it, or name a folder without mounts with --workspace DIR.");
        }
    }
    builder_deinit(&text);
    builder_deinit(&prefix);
    return status;
}

status_t workspace_check(const struct state *state, const char *path,
                         struct workspace_identity *ret_identity, struct error *err) {
    if (strcmp(path, "/") == 0) {
        return unusable(err, 0, "the root folder is never a workspace", path);
    }
    if (path_is_within(state->path, path)) {
        return unusable(err, 0, "the workspace holds Airlock's state folder", path);
    }
    if (path_is_within(path, state->path)) {
        return unusable(err, 0, "the workspace lies in Airlock's state folder", path);
    }
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    struct stat status;
    struct statfs filesystem;
    if (fd < 0 || fstat(fd, &status) != 0 || fstatfs(fd, &filesystem) != 0) {
        return unusable(err, errno, "cannot open the workspace", path);
    }
    /* Root works for others: apply gives files back to their owners. */
    if (geteuid() != 0 && status.st_uid != geteuid()) {
        return unusable(err, 0, "the workspace belongs to somebody else", path);
    }
    const char *name = "";
    if (filesystem_is_unsuited((long)filesystem.f_type, &name)) {
        TRY(((void)unusable(err, 0, "overlayfs cannot stand on the workspace's filesystem", path),
             error_detail(err, "it is %s", name), (status_t){ERROR_WORKSPACE_UNUSABLE}));
    }
    TRY(refuse_mounts_below(path, err));
    *ret_identity = (struct workspace_identity){.dev = status.st_dev, .ino = status.st_ino};
    return STATUS_OK;
}
