/* SPDX-License-Identifier: Apache-2.0
 *
 * The read-only look at the host that a plan is built from.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/git_folder.h"
#include "sandbox/plan_format.h"
#include "sys/fd.h"
#include "sys/ids.h"

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
    /* Debian's JDKs are links to their settings there, and without them javac and all cryptography
     * end at once. Those with long support. */
    "/etc/java-11-openjdk",
    "/etc/java-17-openjdk",
    "/etc/java-21-openjdk",
    "/etc/java-25-openjdk",
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

static const struct cache {
    const char *folder;
    const char *covered;
} caches[] = {
#define CACHE(folder, covered) {folder, covered},
#include "caches.def"
#undef CACHE
};

static int open_beneath(int folder, const char *path, uint64_t flags, uint64_t resolve) {
    struct open_how how = {
        .flags = O_PATH | O_CLOEXEC | flags,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve,
    };
    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

/* Nothing of another root lies outside of it, wherever its links lead: the identity of what was
 * found beneath it is compared again when it is mounted, by a path that would follow them. */
static void look(int root, bool is_another, struct plan_host_entry *entry) {
    struct stat status;
    CLEANUP(fd_closep)
    int fd = is_another ? open_beneath(root, entry->path + 1, O_NOFOLLOW, 0) : -1;
    int at = is_another ? fd : root;
    const char *name = is_another ? "" : entry->path + 1;
    entry->kind = PLAN_HOST_NONE;
    if (at < 0 || fstatat(at, name, &status, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0) {
        return;
    }
    if (is_another) {
        entry->dev = status.st_dev;
        entry->ino = status.st_ino;
    }
    if (S_ISREG(status.st_mode)) {
        entry->kind = PLAN_HOST_FILE;
    } else if (S_ISDIR(status.st_mode)) {
        entry->kind = PLAN_HOST_FOLDER;
    } else if (S_ISLNK(status.st_mode)) {
        ssize_t size = readlinkat(at, name, entry->link, sizeof entry->link);
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

/* No link is followed below HOME: one that leads out of a cache could show anything, and one that
 * leads to it could be changed between this look and the mount. */
static int open_below(int home, const char *path) {
    return open_beneath(home, path, 0, RESOLVE_NO_SYMLINKS);
}

static void find_caches(const struct plan_request *request, struct plan_host *host) {
    if (request->template_row->caches == TEMPLATE_CACHES_NONE) {
        return;
    }
    CLEANUP(fd_closep) int home = open(request->home, O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; home >= 0 && i < sizeof caches / sizeof caches[0]; i++) {
        struct stat status;
        CLEANUP(fd_closep) int fd = open_below(home, caches[i].folder);
        if (fd < 0 || fstat(fd, &status) != 0 || !S_ISDIR(status.st_mode)) {
            continue;
        }
        CLEANUP(fd_closep)
        int covered = caches[i].covered[0] == '\0' ? -1 : open_below(fd, caches[i].covered);
        host->cache[host->cache_count++] = (struct plan_host_cache){
            .folder = caches[i].folder,
            .covered = covered >= 0 ? caches[i].covered : "",
            .dev = status.st_dev,
            .ino = status.st_ino,
        };
    }
}

/* What git needs of a work tree or submodule beside the workspace itself. */
static void find_git_folder(const struct plan_request *request, struct plan_host *host) {
    char folder[PATH_MAX];
    struct stat status;
    if (git_folder_find(request->workspace, folder, &status) &&
        strlen(folder) < sizeof host->git_folder && !plan_path_is_below(request->home, folder) &&
        !plan_path_is_below(request->run_folder, folder)) {
        (void)snprintf(host->git_folder, sizeof host->git_folder, "%s", folder);
        host->git_dev = status.st_dev;
        host->git_ino = status.st_ino;
    }
}

void plan_host_read_ground(const struct plan_request *request, struct plan_host *ret_host) {
    memset(ret_host, 0, sizeof *ret_host);
    const char *root_path = request->root != nullptr ? request->root : "/";
    CLEANUP(fd_closep) int root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof host_paths / sizeof host_paths[0]; i++) {
        struct plan_host_entry *entry = &ret_host->entry[ret_host->entry_count++];
        entry->path = host_paths[i];
        look(root, request->root != nullptr, entry);
    }
}

void plan_host_read_run(const struct plan_request *request, struct plan_host *host) {
    find_toolchains(request, host);
    find_caches(request, host);
    find_git_folder(request, host);
}

void plan_choose_host_ids(pid_t pid, struct plan_request *request) {
    enum { HOST_UID_BASE = 2000000 };
    bool is_root = ids_are_all_ours();
    request->host_uid = is_root ? HOST_UID_BASE + (uint32_t)pid : geteuid();
    request->host_gid = is_root ? HOST_UID_BASE + (uint32_t)pid : getegid();
}
