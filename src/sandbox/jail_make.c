/* SPDX-License-Identifier: Apache-2.0
 *
 * How the launcher makes a sandbox. What a plan will begin with is known long before the plan, and
 * takes most of the time: the namespaces, the cgroup, the uids and the first operations are the
 * ground, laid while the kernel opens its log and decides. The child that laid it waits for the
 * plan. Both are read out of sealed memory and checked as if a stranger had sent them, and the plan
 * must begin with exactly what was laid.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "sandbox/jail.h"
#include "sys/fd.h"
#include "sys/ids.h"

struct jail jail_nothing(int kernel) {
    return (struct jail){
        .kernel = kernel,
        .channel = -1,
        .channel_child = -1,
        .userns = -1,
        .go_read = -1,
        .go_write = -1,
        .exec_read = -1,
        .exec_write = -1,
        .upper = -1,
        .caches = -1,
        .overlay = {.context = -1, .userns = -1},
        .cgroup = {.disk_rate = ""},
        .lock = -1,
        .root = -1,
        .parent = -1,
    };
}

/* The plan must not change after it was checked: its memory has all its seals, or it is refused. */
static status_t map_plan(int fd, struct slice *ret_bytes, struct error *err) {
    int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    struct stat status;
    if (fcntl(fd, F_GET_SEALS) != seals || fstat(fd, &status) != 0 || status.st_size <= 0 ||
        status.st_size > LIMIT_PLAN_BYTES) {
        return error_set(err, ERROR_PLAN_INVALID, 0, "the plan did not come in sealed memory");
    }
    void *data =
        mmap(nullptr, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (data == MAP_FAILED) {
        return error_set(err, ERROR_NO_MEMORY, errno, "cannot read the plan");
    }
    *ret_bytes = slice_of(data, (size_t)status.st_size);
    return STATUS_OK;
}

status_t jail_plan_read(int memory, struct plan_view *ret_view, struct error *err) {
    struct slice bytes;
    TRY(map_plan(memory, &bytes, err));
    return plan_decode(bytes, ret_view, err);
}

status_t jail_order_send(const struct jail *jail, const struct jail_order *order,
                         const struct socket_fds *fds, struct error *err) {
    return socket_send(jail->channel, slice_of(order, sizeof *order), fds, err);
}

status_t jail_order_receive(const struct jail *jail, enum jail_order_kind kind,
                            struct jail_order *ret_order, struct socket_fds *ret_fds,
                            struct error *err) {
    struct jail_order order;
    struct socket_fds fds = {};
    size_t size = 0;
    TRY(socket_receive(jail->channel_child, &order, sizeof order, &size, &fds, err));
    if (size != sizeof order || order.kind != kind) {
        socket_fds_close(&fds);
        return error_set(err, ERROR_JAIL_PROTOCOL, 0, "the launcher is gone or sent another order");
    }
    *ret_order = order;
    *ret_fds = fds;
    return STATUS_OK;
}

static status_t make_channels(struct jail *jail, struct error *err) {
    int pair[2];
    int go[2];
    int exec[2];
    TRY(socket_pair(pair, err));
    if (pipe2(go, O_CLOEXEC) != 0 || pipe2(exec, O_CLOEXEC) != 0) {
        return error_set(err, ERROR_JAIL_FAILED, errno, "cannot make the launcher's pipes");
    }
    jail->channel = pair[0];
    jail->channel_child = pair[1];
    jail->go_read = go[0];
    jail->go_write = go[1];
    jail->exec_read = exec[0];
    jail->exec_write = exec[1];
    return STATUS_OK;
}

/* A payload with an id of its own needs root; root of the machine never gives away its own. */
static status_t check_ids(struct jail *jail, struct error *err) {
    bool is_all_ours = ids_are_all_ours();
    jail->is_root = jail->plan.host_uid != geteuid();
    if (jail->is_root != is_all_ours || (is_all_ours && jail->plan.host_gid == 0)) {
        return error_set(err, ERROR_PLAN_INVALID, 0,
                         "the payload's uid %u does not fit a launcher of uid %u",
                         jail->plan.host_uid, geteuid());
    }
    return STATUS_OK;
}

static status_t clone_init(struct jail *jail, struct error *err) {
    struct clone_args {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } arguments = {
        /* The network namespace takes as long as all others: the payload makes it beside us. */
        .flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                 CLONE_NEWCGROUP,
        .exit_signal = SIGCHLD,
    };
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid < 0) {
        bool is_refused = errno == EPERM || errno == EACCES;
        return error_set(err, is_refused ? ERROR_SANDBOX_USERNS_DENIED : ERROR_SANDBOX_NAMESPACE,
                         errno, "cannot make the namespaces of the sandbox");
    }
    if (pid == 0) {
        jail_init_run(jail);
    }
    jail->init = pid;
    return STATUS_OK;
}

/* Sources on their way to the child, several in a message. */
struct parcel {
    struct jail_order order;
    struct socket_fds fds;
};

static status_t parcel_send(const struct jail *jail, struct parcel *parcel, struct error *err) {
    status_t status = STATUS_OK;
    if (parcel->order.source_count > 0) {
        parcel->order.kind = ORDER_SOURCES;
        status = jail_order_send(jail, &parcel->order, &parcel->fds, err);
        socket_fds_close(&parcel->fds);
        *parcel = (struct parcel){};
    }
    return status;
}

static status_t parcel_add(const struct jail *jail, const struct plan_operation *operation,
                           struct parcel *parcel, struct error *err) {
    int fd = -1;
    status_t status = jail_source_open(jail, operation, &fd, err);
    if (!status_is_ok(status)) {
        socket_fds_close(&parcel->fds);
        return status;
    }
    if (fd >= 0) {
        parcel->order.source_mask |= (uint8_t)(1u << parcel->order.source_count);
        parcel->fds.fd[parcel->fds.count++] = fd;
    }
    parcel->order.source_count++;
    return parcel->order.source_count == SOCKET_FD_COUNT_MAX ? parcel_send(jail, parcel, err)
                                                             : STATUS_OK;
}

static status_t send_overlay(struct jail *jail, const struct plan_operation *operation,
                             struct error *err) {
    CLEANUP(fd_closep) int fd = -1;
    TRY(jail_overlay_open(jail, operation, jail->userns, &fd, err));
    bool is_cache = operation->type == PLAN_CACHE;
    struct socket_fds fds = {.fd = {fd, is_cache ? jail->caches : jail->upper}, .count = 2};
    return jail_order_send(jail, &(struct jail_order){.kind = ORDER_OVERLAY}, &fds, err);
}

/* What only root can do, in the order in which the child asks for it: what is bound may lie behind
 * a 0700 folder of root, where the child cannot reach. */
static status_t assist(struct jail *jail, struct error *err) {
    struct parcel parcel = {};
    for (uint32_t i = jail->done_count; i < jail->plan.operation_count; i++) {
        const struct plan_operation *operation = &jail->plan.operations[i];
        if (operation->type == PLAN_BIND) {
            TRY(parcel_add(jail, operation, &parcel, err));
        } else if (operation->type == PLAN_OVERLAY || operation->type == PLAN_CACHE) {
            TRY(parcel_send(jail, &parcel, err));
            TRY(send_overlay(jail, operation, err));
        }
    }
    return parcel_send(jail, &parcel, err);
}

static status_t check_host(struct error *err) {
    struct utsname name;
    unsigned major = 0;
    unsigned minor = 0;
    if (uname(&name) != 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2 || major < 6 ||
        (major == 6 && minor < 1)) {
        return error_set(err, ERROR_SANDBOX_OLD_KERNEL, 0, "cannot make a sandbox on Linux %.64s",
                         name.release);
    }
    return STATUS_OK;
}

status_t jail_make_ground(struct jail *jail, int memory, struct error *err) {
    status_t status = jail_plan_read(memory, &jail->plan, err);
    (void)close(memory);
    TRY(status);
    TRY(check_host(err));
    TRY(plan_check_ground(&jail->plan, err));
    TRY(check_ids(jail, err));
    TRY(make_channels(jail, err));
    jail_cgroup_make(&jail->cgroup, &jail->plan);
    jail->samples_memory = !jail_cgroup_has(&jail->cgroup, JAIL_MEMORY);
    jail->samples_cpu =
        jail->plan.limits.cpu_percent_max != 0 && !jail_cgroup_has(&jail->cgroup, JAIL_CPU);
    TRY(jail_cgroup_step_in(&jail->cgroup, err));
    TRY(clone_init(jail, err));
    TRY(jail_cgroup_step_out(&jail->cgroup, jail->init, err));
    fd_closep(&jail->channel_child);
    fd_closep(&jail->go_read);
    fd_closep(&jail->exec_write);
    if (!jail->is_root) {
        return STATUS_OK;
    }
    TRY(jail_map_write(jail->init, jail->plan.uid, jail->plan.gid, &jail->plan, err));
    TRY(jail_order_send(jail, &(struct jail_order){.kind = ORDER_MAPPED}, nullptr, err));
    TRY(assist(jail, err));
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/ns/user", jail->init);
    jail->userns = open(path, O_RDONLY | O_CLOEXEC);
    return jail_overlay_begin(jail, err);
}

void jail_lock_take(struct jail *jail, struct socket_fds *fds) {
    if (fds->count == 2 || fds->count == 5) {
        jail->lock = fds->fd[--fds->count];
        fds->fd[fds->count] = -1;
    }
}

static status_t send_plan(struct jail *jail, const struct socket_fds *fds, struct error *err) {
    struct plan_view ground = jail->plan;
    struct plan_view plan = {};
    TRY(jail_plan_read(fds->fd[0], &plan, err));
    jail->plan = plan;
    jail->done_count = ground.operation_count;
    status_t status = plan_check(&plan, err);
    if (status_is_ok(status)) {
        status = plan_check_stands_on(&plan, &ground, err);
    }
    struct socket_fds streams = *fds;
    jail_lock_take(jail, &streams);
    if (status_is_ok(status) && streams.count != (plan.terminal ? 1u : 4u)) {
        status = error_set(err, ERROR_JAIL_PROTOCOL, 0, "the plan came without its streams");
    }
    if (status_is_ok(status)) {
        status = jail_order_send(jail, &(struct jail_order){.kind = ORDER_PLAN}, fds, err);
    }
    plan_view_deinit(&ground);
    return status;
}

status_t jail_make_rest(struct jail *jail, struct socket_fds *fds, struct error *err) {
    status_t status = send_plan(jail, fds, err);
    if (status_is_ok(status)) {
        jail_disk_hold(&jail->cgroup, &jail->plan);
    }
    if (jail->lock >= 0) {
        fds->count--; /* stays open */
    }
    socket_fds_close(fds);
    if (status_is_ok(status) && jail->is_root) {
        status = assist(jail, err);
        (void)!chdir("/"); /* what the overlay was made from is kept: see jail_overlay_forget() */
    }
    return status;
}
