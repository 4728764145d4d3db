/* SPDX-License-Identifier: Apache-2.0
 *
 * The read-only look at the host that a plan is built from.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/plan_format.h"
#include "sys/fd.h"

static const char *const host_paths[] = {
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/nix",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/ssl/certs",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/locale.alias",
    "/etc/locale.conf",
    "/etc/mime.types",
    "/etc/protocols",
    "/etc/services",
};
static_assert(sizeof host_paths / sizeof host_paths[0] <= PLAN_HOST_ENTRY_COUNT);

static const struct toolchain {
    const char *folder; /* what is bound */
    const char *named;  /* what PATH must name for that */
} toolchains[] = {
#define TOOLCHAIN(folder, named) {folder, named},
#include "toolchains.def"
#undef TOOLCHAIN
};
static_assert(sizeof toolchains / sizeof toolchains[0] <= PLAN_HOST_TOOLCHAIN_COUNT);

static void look(int root, struct plan_host_entry *entry) {
    struct stat status;
    entry->kind = PLAN_HOST_NONE;
    if (fstatat(root, entry->path + 1, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return;
    }
    if (S_ISREG(status.st_mode)) {
        entry->kind = PLAN_HOST_FILE;
    } else if (S_ISDIR(status.st_mode)) {
        entry->kind = PLAN_HOST_FOLDER;
    } else if (S_ISLNK(status.st_mode)) {
        ssize_t size = readlinkat(root, entry->path + 1, entry->link, sizeof entry->link);
        if (size > 0 && (size_t)size < sizeof entry->link) {
            entry->link[size] = '\0';
            entry->kind = PLAN_HOST_LINK;
        }
    }
}

/* Whether PATH has an entry that is HOME/folder or below it. */
static bool path_names(const char *path, const char *home, const char *folder) {
    char wanted[LIMIT_PATH_BYTES];
    int length = snprintf(wanted, sizeof wanted, "%s/%s", home, folder);
    if (length < 0 || (size_t)length >= sizeof wanted) {
        return false;
    }
    const char *part = path;
    while (*part != '\0') {
        size_t size = strcspn(part, ":");
        if (size >= (size_t)length && strncmp(part, wanted, (size_t)length) == 0 &&
            (part[length] == '/' || size == (size_t)length)) {
            return true;
        }
        part += size + (part[size] == ':');
    }
    return false;
}

static void find_toolchains(const struct plan_request *request, struct plan_host *host) {
    for (size_t i = 0; i < sizeof toolchains / sizeof toolchains[0]; i++) {
        if (!path_names(request->path, request->home, toolchains[i].named)) {
            continue;
        }
        char folder[LIMIT_PATH_BYTES];
        struct stat status;
        (void)snprintf(folder, sizeof folder, "%s/%s", request->home, toolchains[i].folder);
        if (lstat(folder, &status) == 0 && S_ISDIR(status.st_mode)) {
            host->toolchain[host->toolchain_count++] = toolchains[i].folder;
        }
    }
}

/* Whether a folder is a git folder. What a .git file names is bound into the sandbox, and the file
 * belongs to the workspace, which may be hostile: without this look it could ask for /run with the
 * sockets of the host, or for HOME. */
static bool is_git_folder(const char *path, struct stat *ret_status) {
    static const struct {
        const char *name;
        mode_t type;
    } parts[] = {{"HEAD", S_IFREG}, {"objects", S_IFDIR}, {"refs", S_IFDIR}};
    CLEANUP(fd_closep) int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, ret_status) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct stat part;
        if (fstatat(fd, parts[i].name, &part, AT_SYMLINK_NOFOLLOW) != 0 ||
            (part.st_mode & S_IFMT) != parts[i].type) {
            return false;
        }
    }
    return true;
}

/* A .git that is a file says "gitdir: PATH" (a work tree or submodule); one that is a link leads to
 * the folder. A work tree's folder is .git/worktrees/NAME: the whole .git above it is needed. */
static void find_git_folder(const struct plan_request *request, struct plan_host *host) {
    char path[LIMIT_PATH_BYTES + 16];
    char target[LIMIT_PATH_BYTES * 2];
    struct stat status;
    (void)snprintf(path, sizeof path, "%s/.git", request->workspace);
    if (lstat(path, &status) != 0 || S_ISDIR(status.st_mode)) {
        return;
    }
    if (S_ISLNK(status.st_mode)) {
        (void)snprintf(target, sizeof target, "%s", path);
    } else {
        CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        char text[LIMIT_PATH_BYTES] = "";
        ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        if (size <= 8 || strncmp(text, "gitdir: ", 8) != 0) {
            return;
        }
        text[strcspn(text, "\n")] = '\0';
        (void)snprintf(target, sizeof target, text[8] == '/' ? "%.0s%s" : "%s/%s",
                       request->workspace, text + 8);
    }
    char *resolved = realpath(target, nullptr);
    if (resolved == nullptr) {
        return;
    }
    char *worktrees = strstr(resolved, "/.git/worktrees/");
    if (worktrees != nullptr) {
        worktrees[5] = '\0';
    }
    if (strlen(resolved) < sizeof host->git_folder && is_git_folder(resolved, &status) &&
        !plan_path_is_below(request->home, resolved) &&
        !plan_path_is_below(request->run_folder, resolved)) {
        (void)snprintf(host->git_folder, sizeof host->git_folder, "%s", resolved);
        host->git_dev = status.st_dev;
        host->git_ino = status.st_ino;
    }
    free(resolved);
}

void plan_host_read(const struct plan_request *request, struct plan_host *ret_host) {
    memset(ret_host, 0, sizeof *ret_host);
    const char *root_path = request->root != nullptr ? request->root : "/";
    CLEANUP(fd_closep) int root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof host_paths / sizeof host_paths[0]; i++) {
        struct plan_host_entry *entry = &ret_host->entry[ret_host->entry_count++];
        entry->path = host_paths[i];
        look(root, entry);
    }
    find_toolchains(request, ret_host);
    find_git_folder(request, ret_host);
}
