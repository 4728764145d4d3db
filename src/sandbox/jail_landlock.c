/* SPDX-License-Identifier: Apache-2.0
 *
 * The second wall: what the mounts already say, said again to another part of the kernel, plus what
 * mounts cannot say: no abstract socket and no signal leaves the sandbox (ABI 6).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/jail.h"
#include "sys/fd.h"
#include "sys/one_program.h"

#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

enum : uint64_t {
    ACCESS_READ =
        LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
    ACCESS_DEVICE = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                    LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_TRUNCATE |
                    LANDLOCK_ACCESS_FS_IOCTL_DEV,
    /* Everything but device nodes. */
    ACCESS_WRITE = ACCESS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                   LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                   LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                   LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM |
                   LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE,
};

static uint64_t handled_access(int abi) {
    uint64_t handled =
        ACCESS_WRITE | ACCESS_DEVICE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;
    if (abi < 2) {
        handled &= ~(uint64_t)LANDLOCK_ACCESS_FS_REFER;
    }
    if (abi < 3) {
        handled &= ~(uint64_t)LANDLOCK_ACCESS_FS_TRUNCATE;
    }
    if (abi < 5) {
        handled &= ~(uint64_t)LANDLOCK_ACCESS_FS_IOCTL_DEV;
    }
    return handled;
}

static status_t add_rule(const struct jail_landlock *landlock, const struct plan_rule *rule,
                         int root, struct error *err) {
    static const uint64_t access[] = {
        [PLAN_ACCESS_READ] = ACCESS_READ,
        [PLAN_ACCESS_WRITE] = ACCESS_WRITE,
        [PLAN_ACCESS_DEVICE] = ACCESS_DEVICE,
    };
    const char *below = rule->path[1] == '\0' ? "." : rule->path + 1;
    CLEANUP(fd_closep) int fd = openat(root, below, O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr attr = {
        .allowed_access = access[rule->access] & landlock->handled & ~landlock->withheld,
        .parent_fd = fd,
    };
    if (fd < 0 || syscall(SYS_landlock_add_rule, landlock->ruleset, LANDLOCK_RULE_PATH_BENEATH,
                          &attr, 0) != 0) {
        status_t status =
            error_set(err, ERROR_SANDBOX_NO_LANDLOCK, errno, "cannot add a Landlock rule");
        error_detail(err, "%.300s", rule->path);
        return status;
    }
    return STATUS_OK;
}

static status_t add_rules(const struct plan_view *plan, bool of_workspace, int root,
                          const struct jail_landlock *landlock, struct error *err) {
    for (uint32_t i = 0; i < plan->rule_count; i++) {
        const struct plan_rule *rule = &plan->rules[i];
        if (plan_path_is_below(rule->path, plan->workspace) == of_workspace) {
            TRY(add_rule(landlock, rule, root, err));
        }
    }
    return STATUS_OK;
}

status_t jail_landlock_begin(const struct plan_view *plan, int root, struct jail_landlock *ret,
                             struct error *err) {
    int abi =
        (int)syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        return error_set(err, ERROR_SANDBOX_NO_LANDLOCK, errno, "cannot use Landlock");
    }
    struct landlock_ruleset_attr attr = {.handled_access_fs = handled_access(abi)};
    size_t size = sizeof attr.handled_access_fs;
    if (abi >= 6) {
        attr.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
        size = sizeof attr;
    }
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (ruleset < 0) {
        return error_set(err, ERROR_SANDBOX_NO_LANDLOCK, errno, "cannot make a Landlock ruleset");
    }
    /* The strict profile executes the files that sys/one_program.h names, and none else. */
    uint64_t withheld = plan->seccomp == SECCOMP_STRICT ? LANDLOCK_ACCESS_FS_EXECUTE : 0;
    *ret = (struct jail_landlock){ruleset, abi, attr.handled_access_fs, withheld};
    return add_rules(plan, false, root, ret, err);
}

status_t jail_landlock_finish(const struct plan_view *plan, struct jail_landlock *landlock,
                              struct error *err) {
    CLEANUP(fd_closep) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    TRY(add_rules(plan, true, root, landlock, err));
    if (landlock->withheld != 0) {
        if (!one_program_permit(landlock->ruleset, plan->argv[0], plan->path)) {
            return error_set(err, ERROR_SANDBOX_NO_LANDLOCK, errno, "cannot add a Landlock rule");
        }
    }
    if (syscall(SYS_landlock_restrict_self, landlock->ruleset, 0) != 0) {
        return error_set(err, ERROR_SANDBOX_NO_LANDLOCK, errno, "cannot apply Landlock");
    }
    fd_closep(&landlock->ruleset);
    return STATUS_OK;
}
