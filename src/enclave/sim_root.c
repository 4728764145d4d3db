/* SPDX-License-Identifier: Apache-2.0
 *
 * The root that the program sees: a tmpfs of its own with what the plan shows, four devices and the
 * place where Gramine has its attestation, read-only but for what a manifest makes writable. What
 * is bound from the host is opened before the old root is left; after that, every path is inside.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "enclave/provider.h"
#include "enclave/sim_inside.h"
#include "sys/fd.h"

enum { BIND_MAX = 64, RESOLVER_BYTES_MAX = 65536, BACKLOG = 64 };

static const char *const DEVICES[] = {"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"};
enum { DEVICE_COUNT = sizeof DEVICES / sizeof DEVICES[0] };

struct sources {
    int devices[DEVICE_COUNT];
    int binds[BIND_MAX];
    size_t bind_count;
    struct builder resolver;
};

static status_t fail(const char *what, struct error *err) {
    return error_set(err, ERROR_SANDBOX_MOUNT, errno, "cannot show %s to the program", what);
}

/* A copy of the mount behind a path, nowhere yet. */
static int tree_open(const char *path) {
    return open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
}

static bool is_taken_over(struct slice line) {
    static const char *const WORDS[] = {"nameserver ", "search ", "options "};
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        if (slice_starts_with(line, slice_of_string(WORDS[i]))) {
            return true;
        }
    }
    return false;
}

/* The lines of the host's resolv.conf that Gramine takes over. */
static void resolver_read(struct builder *ret_text) {
    struct builder text;
    struct error ignored;
    builder_init(&text, RESOLVER_BYTES_MAX);
    CLEANUP(fd_closep) int fd = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && status_is_ok(fd_read_to_end(fd, "/etc/resolv.conf", &text, &ignored))) {
        struct cursor cursor = cursor_of(builder_slice(&text));
        struct slice line = cursor_until(&cursor, '\n');
        for (; cursor_is_ok(&cursor); line = cursor_until(&cursor, '\n')) {
            if (is_taken_over(line)) {
                builder_bytes(ret_text, line);
                builder_u8(ret_text, '\n');
            }
        }
    }
    builder_deinit(&text);
}

static status_t sources_open(const struct sim_plan *plan, struct sources *sources,
                             struct error *err) {
    for (size_t i = 0; i < DEVICE_COUNT; i++) {
        sources->devices[i] = tree_open(DEVICES[i]);
        if (sources->devices[i] < 0) {
            return fail(DEVICES[i], err);
        }
    }
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct sim_step *step = &plan->steps[i];
        if (step->kind != SIM_BIND) {
            continue;
        }
        if (sources->bind_count == BIND_MAX) {
            return error_set(err, ERROR_LIMIT, 0, "the manifest allows more than %d files",
                             BIND_MAX);
        }
        int fd = tree_open(step->host);
        if (fd < 0) {
            return fail(step->host, err);
        }
        sources->binds[sources->bind_count++] = fd;
    }
    if (plan->has_resolver_file) {
        resolver_read(&sources->resolver);
    }
    return STATUS_OK;
}

/* An empty tmpfs instead of everything. */
static status_t root_replace(struct error *err) {
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0 ||
        chdir("/tmp") != 0 || syscall(SYS_pivot_root, ".", ".") != 0 ||
        umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) {
        return fail("a root of its own", err);
    }
    return STATUS_OK;
}

/* The folders above a path. */
static status_t folders_make(const char *path, struct error *err) {
    char folder[LIMIT_PATH_BYTES];
    for (const char *at = strchr(path + 1, '/'); at != nullptr; at = strchr(at + 1, '/')) {
        size_t size = (size_t)(at - path);
        if (size >= sizeof folder) {
            return error_set(err, ERROR_LIMIT, 0, "a path inside is too long");
        }
        memcpy(folder, path, size);
        folder[size] = '\0';
        if (mkdir(folder, 0755) != 0 && errno != EEXIST) {
            return fail(folder, err);
        }
    }
    return STATUS_OK;
}

static status_t file_put(const char *path, struct slice bytes, unsigned mode, struct error *err) {
    TRY(folders_make(path, err));
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return fail(path, err);
    }
    TRY(fd_write_all(fd, bytes, path, err));
    return fchmod(fd, mode) == 0 ? STATUS_OK : fail(path, err);
}

/* Puts a mount where there is a file or folder for it. */
static status_t tree_put(int tree, const char *path, struct error *err) {
    struct stat status;
    if (fstat(tree, &status) != 0) {
        return fail(path, err);
    }
    if (S_ISDIR(status.st_mode)) {
        TRY(folders_make(path, err));
        if (mkdir(path, 0755) != 0 && errno != EEXIST) {
            return fail(path, err);
        }
    } else {
        TRY(file_put(path, slice_of(nullptr, 0), 0644, err));
    }
    return move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) == 0 ? STATUS_OK
                                                                              : fail(path, err);
}

static status_t tmpfs_put(const struct sim_plan *plan, const char *path, struct error *err) {
    char options[64];
    TRY(folders_make(path, err));
    (void)snprintf(options, sizeof options, "mode=1777,size=%llu",
                   (unsigned long long)(plan->memory_bytes > 0 ? plan->memory_bytes : 1ull << 30));
    if ((mkdir(path, 0755) != 0 && errno != EEXIST) ||
        mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) != 0) {
        return fail(path, err);
    }
    return STATUS_OK;
}

static status_t steps_do(const struct sim_plan *plan, const struct sources *sources,
                         struct error *err) {
    size_t bound = 0;
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct sim_step *step = &plan->steps[i];
        switch (step->kind) {
        case SIM_COPY:
            TRY(file_put(step->inside, builder_slice(&plan->files[step->file]), 0555, err));
            break;
        case SIM_BIND:
            TRY(tree_put(sources->binds[bound++], step->inside, err));
            break;
        case SIM_TMPFS:
            TRY(tmpfs_put(plan, step->inside, err));
            break;
        }
    }
    return STATUS_OK;
}

static status_t devices_put(const struct sources *sources, int listener, struct error *err) {
    const struct sockaddr_un address = {
        .sun_family = AF_UNIX,
        .sun_path = PROVIDER_FOLDER "/" PROVIDER_SIMULATION,
    };
    for (size_t i = 0; i < DEVICE_COUNT; i++) {
        TRY(tree_put(sources->devices[i], DEVICES[i], err));
    }
    TRY(file_put(PROVIDER_FOLDER "/attestation_type", SLICE_LITERAL(PROVIDER_SIMULATION), 0444,
                 err));
    if (bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, BACKLOG) != 0) {
        return fail(address.sun_path, err);
    }
    return STATUS_OK;
}

status_t sim_root_enter(const struct sim_plan *plan, int listener, struct error *err) {
    struct sources sources = {};
    builder_init(&sources.resolver, RESOLVER_BYTES_MAX);
    TRY(sources_open(plan, &sources, err));
    TRY(root_replace(err));
    TRY(steps_do(plan, &sources, err));
    TRY(devices_put(&sources, listener, err));
    if (plan->has_resolver_file) {
        TRY(file_put("/etc/resolv.conf", builder_slice(&sources.resolver), 0444, err));
    }
    builder_deinit(&sources.resolver);
    if (mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV,
              nullptr) != 0) {
        return fail("a root that is read-only", err);
    }
    return chdir(plan->start_folder) == 0 ? STATUS_OK : fail(plan->start_folder, err);
}
