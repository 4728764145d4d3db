/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel resolves as much as there is (openat2 with RESOLVE_BENEATH); names behind that are
 * taken as text, which is all they are until somebody makes them.
 */
#include "cli/policy_target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "sys/fd.h"
#include "sys/file.h"

static status_t refuse(const char *given, const char *why, int reason, struct error *err) {
    struct builder shown;
    builder_init(&shown, 512);
    text_escape_short(slice_of_string(given), 300, &shown);
    (void)error_set(err, ERROR_USAGE, reason, "cannot explain the path %s",
                    builder_c_string(&shown));
    if (why != nullptr) {
        error_detail(err, "%s", why);
    }
    error_hint(err, "Name a path in the workspace; another one is meant with: --workspace DIR");
    builder_deinit(&shown);
    return (status_t){ERROR_USAGE};
}

/* What of an absolute path lies below `top`; nullptr when it does not. */
static const char *below(const char *top, const char *path) {
    size_t size = strlen(top);
    if (strncmp(path, top, size) != 0 || (path[size] != '/' && path[size] != '\0')) {
        return nullptr;
    }
    path += size;
    return path + strspn(path, "/");
}

/* The path relative to the workspace, as it was written otherwise. */
static status_t make_relative(const char *workspace, const char *given,
                              char ret_path[static LIMIT_PATH_BYTES], struct error *err) {
    char here[LIMIT_PATH_BYTES];
    const char *front = "";
    if (given[0] == '/') {
        const char *inside = below(workspace, given);
        if (inside == nullptr) {
            return refuse(given, "it lies outside of the workspace", 0, err);
        }
        given = inside;
    } else if (getcwd(here, sizeof here) != nullptr && below(workspace, here) != nullptr) {
        front = below(workspace, here);
    }
    int size =
        snprintf(ret_path, LIMIT_PATH_BYTES, "%s%s%s", front, front[0] == '\0' ? "" : "/", given);
    if (size < 0 || size >= LIMIT_PATH_BYTES) {
        return refuse(given, nullptr, ENAMETOOLONG, err);
    }
    if (size == 0) {
        (void)snprintf(ret_path, LIMIT_PATH_BYTES, ".");
    }
    return STATUS_OK;
}

/* Adds the names of `rest` to the resolved `path`, taking out "." and "..". False when it leaves
 * the top or does not fit. */
static bool clean_onto(char path[static LIMIT_PATH_BYTES], const char *rest) {
    size_t size = strlen(path);
    while (*rest != '\0') {
        size_t length = strcspn(rest, "/");
        if (length == 2 && rest[0] == '.' && rest[1] == '.') {
            if (size == 0) {
                return false;
            }
            const char *slash = memrchr(path, '/', size);
            size = slash == nullptr ? 0 : (size_t)(slash - path);
        } else if (length > 0 && !(length == 1 && rest[0] == '.')) {
            if (size + length + 2 > LIMIT_PATH_BYTES) {
                return false;
            }
            path[size] = '/';
            size += size > 0;
            memcpy(path + size, rest, length);
            size += length;
        }
        path[size] = '\0';
        rest += length + strspn(rest + length, "/");
    }
    return true;
}

/* Where an open descriptor stands, relative to the workspace; "" is the workspace itself. */
static bool descriptor_path(int top_fd, int fd, char ret_path[static LIMIT_PATH_BYTES]) {
    char link[64];
    char top[LIMIT_PATH_BYTES] = "";
    char path[LIMIT_PATH_BYTES] = "";
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", top_fd);
    ssize_t top_size = readlink(link, top, sizeof top - 1);
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    const char *inside = top_size <= 0 || size <= 0 ? nullptr : below(top, path);
    if (inside == nullptr) {
        return false;
    }
    (void)snprintf(ret_path, LIMIT_PATH_BYTES, "%s", inside);
    return true;
}

/* Opens as much of `path` as is there: the fd, and in *ret_rest what is left of the text. */
static int open_deepest(int top_fd, const char *path, bool follow, size_t *ret_rest) {
    char front[LIMIT_PATH_BYTES];
    size_t size = strlen(path);
    memcpy(front, path, size + 1);
    *ret_rest = size;
    int fd = file_open_beneath(top_fd, front, O_PATH | (follow ? 0 : O_NOFOLLOW), 0, false);
    while (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        while (size > 0 && front[size - 1] == '/') {
            size--;
        }
        while (size > 0 && front[size - 1] != '/') {
            size--;
        }
        front[size] = '\0';
        *ret_rest = size;
        fd = file_open_beneath(top_fd, size == 0 ? "." : front, O_PATH | O_DIRECTORY, 0, false);
    }
    return fd;
}

/* What stands at the end of the resolved path, a link that is not followed or leads nowhere too. */
static void look(int folder_fd, const char *name, struct policy_target *target) {
    struct stat there;
    if (fstatat(folder_fd, name, &there, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0) {
        return;
    }
    target->kind = POLICY_TARGET_THERE;
    target->mode = there.st_mode;
    if (S_ISLNK(there.st_mode)) {
        ssize_t size = readlinkat(folder_fd, name, target->link, sizeof target->link - 1);
        target->link[size > 0 ? size : 0] = '\0';
    }
}

static status_t resolve(int top_fd, const char *path, bool follow, struct policy_target *target,
                        struct error *err) {
    size_t rest;
    CLEANUP(fd_closep) int fd = open_deepest(top_fd, path, follow, &rest);
    if (fd < 0) {
        return refuse(path, errno == EXDEV ? "it leads out of the workspace" : nullptr, errno, err);
    }
    if (!descriptor_path(top_fd, fd, target->path)) {
        return refuse(path, "it leads out of the workspace", 0, err);
    }
    const char *left = path + rest;
    if (*left == '\0') {
        look(fd, "", target);
        return STATUS_OK;
    }
    if (!clean_onto(target->path, left)) {
        return refuse(path, "it leads out of the workspace", 0, err);
    }
    size_t length = strcspn(left, "/");
    bool is_last = left[length + strspn(left + length, "/")] == '\0';
    bool is_name = strncmp(left, "..", 2) != 0 && strncmp(left, ".", length) != 0;
    target->kind = is_last && is_name ? POLICY_TARGET_PARENT : POLICY_TARGET_TEXT;
    target->mode = left[strlen(left) - 1] == '/' ? S_IFDIR | 0755 : S_IFREG | 0644;
    if (target->kind == POLICY_TARGET_PARENT && left[length] == '\0') {
        look(fd, left, target);
    }
    return STATUS_OK;
}

status_t policy_target_resolve(const char *workspace, const char *given, bool follow,
                               struct policy_target *ret_target, struct error *err) {
    char path[LIMIT_PATH_BYTES];
    struct policy_target target = {};
    if (given[0] == '\0') {
        return refuse(given, "it is empty", 0, err);
    }
    TRY(make_relative(workspace, given, path, err));
    CLEANUP(fd_closep) int top = open(workspace, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (top < 0) {
        return error_set(err, ERROR_WORKSPACE_UNUSABLE, errno, "cannot open %.400s", workspace);
    }
    TRY(resolve(top, path, follow, &target, err));
    if (target.path[0] == '\0') {
        return refuse(given, "it is the workspace itself; leave it out to ask about the whole", 0,
                      err);
    }
    *ret_target = target;
    return STATUS_OK;
}
