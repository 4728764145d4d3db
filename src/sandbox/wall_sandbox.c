/* SPDX-License-Identifier: Apache-2.0
 *
 * The last word: a complete sandbox, as a run makes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/wall.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/ids.h"

enum { DOCTOR_UID = 2000000 };

static status_t make_folders(int folder, struct error *err) {
    static const char *const names[] = {"workspace", "run",     "run/upper",
                                        "run/work",  "run/tmp", "run/home"};
    bool is_root = ids_are_all_ours();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        TRY(file_make_folder(folder, names[i], 0755, err));
        if (i > 1 && is_root && fchownat(folder, names[i], DOCTOR_UID, DOCTOR_UID, 0) != 0) {
            return error_set(err, ERROR_IO, errno, "cannot give a folder to the payload");
        }
    }
    return STATUS_OK;
}

static status_t wait_for_end(struct launcher *launcher, struct wall_sandbox *ret_sandbox,
                             struct error *err) {
    struct launcher_message message = {};
    do {
        TRY(launcher_receive(launcher, &message, err));
    } while (message.type != LAUNCHER_EXITED);
    ret_sandbox->setup_ns = message.setup_ns;
    bool is_fine = message.outcome == LAUNCHER_OUTCOME_EXIT;
    ret_sandbox->exit_status = is_fine ? message.status : 128;
    return STATUS_OK;
}

static status_t run_sandbox(const struct plan_request *request, struct wall_sandbox *ret_sandbox,
                            struct error *err) {
    CLEANUP(fd_closep) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    CLEANUP(launcher_closep) struct launcher *launcher = nullptr;
    CLEANUP(plan_freep) struct plan *ground = nullptr;
    CLEANUP(plan_freep) struct plan *plan = nullptr;
    TRY(plan_build_ground(request, &ground, err));
    TRY(plan_build(request, ground, &plan, err));
    TRY(launcher_start(&launcher, err));
    TRY(launcher_ground(launcher, ground, err));
    struct launcher_streams streams = {null, null, null};
    TRY(launcher_prepare(launcher, plan, &streams, -1, err));
    TRY(launcher_ready(launcher, &ret_sandbox->levels, err));
    TRY(launcher_go(launcher, err));
    return wait_for_end(launcher, ret_sandbox, err);
}

static status_t run_in(const struct state *state, const char *name, const struct template_row *row,
                       struct wall_sandbox *ret_sandbox, struct error *err) {
    char workspace[LIMIT_PATH_BYTES];
    char run_folder[LIMIT_PATH_BYTES];
    (void)snprintf(workspace, sizeof workspace, "%.4000s/%s/workspace", state->path, name);
    (void)snprintf(run_folder, sizeof run_folder, "%.4000s/%s/run", state->path, name);
    bool is_root = ids_are_all_ours();
    const char *argv[] = {"true", nullptr};
    const char *environment[] = {"PATH=/usr/bin:/bin", nullptr};
    struct sysinfo info;
    struct plan_request request = {
        .run_id = name,
        .template_row = row,
        .argv = argv,
        .environment = environment,
        .workspace = workspace,
        .working_folder = workspace,
        .home = "/home/user",
        .path = "/usr/bin:/bin",
        .run_folder = run_folder,
        .uid = geteuid(),
        .gid = getegid(),
        .host_uid = is_root ? DOCTOR_UID : geteuid(),
        .host_gid = is_root ? DOCTOR_UID : getegid(),
        .ram_bytes = sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : 0,
    };
    return run_sandbox(&request, ret_sandbox, err);
}

status_t wall_try_sandbox(const struct state *state, const struct template_row *row,
                          struct wall_sandbox *ret_sandbox, struct error *err) {
    char name[32];
    int folder = -1;
    *ret_sandbox = (struct wall_sandbox){};
    (void)snprintf(name, sizeof name, "doctor-%d", getpid());
    status_t status = file_open_folder(state->fd, name, true, 0700, &folder, err);
    if (status_is_ok(status)) {
        status = make_folders(folder, err);
    }
    fd_closep(&folder);
    if (status_is_ok(status)) {
        status = run_in(state, name, row, ret_sandbox, err);
    }
    struct error ignored = {};
    (void)!status_is_ok(file_remove_tree(state->fd, name, &ignored));
    return status;
}
