/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/statvfs.h>

#include "audit/storage.h"
#include "base/cleanup.h"
#include "kernel/kernel.h"
#include "kernel/policy_files.h"

static const char DEFAULT_TEMPLATE[] = "code-executor";
enum : uint64_t { DISK_BYTES_MIN = 1024 * 1024 * 1024 };

/* The first error is the verdict: what comes later mostly follows from it. */
static void blame(struct doctor *doctor, const struct error *err) {
    if (doctor->verdict.code == ERROR_NONE) {
        doctor->verdict = *err;
    }
}

/* A wall that is missing names its knob; the template that fails without it may not. And a template
 * that runs `true` has not yet written a file. */
static void blame_walls(struct doctor *doctor) {
    for (size_t i = 0; i < doctor->walls.count; i++) {
        const struct wall *wall = &doctor->walls.wall[i];
        if (wall->state == WALL_MISSING) {
            struct error err;
            (void)error_set(&err, wall->code, 0, "the wall '%s' cannot be had: %s", wall->name,
                            wall->level);
            error_hint(&err, "%s", wall->how);
            blame(doctor, &err);
        }
    }
}

/* The level that a sandbox got is the level there is. */
static void add_limits(struct doctor *doctor, const char *level) {
    struct wall *wall = wall_add(&doctor->walls, "limits");
    wall_level(wall, "by %s", level);
    if (strcmp(level, "rlimit") == 0) {
        wall->state = WALL_LESS;
        wall_how(wall, "Memory is sampled. A cgroup limits it exactly: as root with /sys/fs/cgroup "
                       "mounted and writable, or where cgroup v2 is delegated: systemd-run --user "
                       "--scope -p Delegate=yes airlock run ...");
    }
}

/* Asked for by a template of its own, which nobody else sees. */
static void try_disk_rate(struct doctor *doctor, const struct state *state) {
    enum : uint64_t { SOME_RATE = 1024 * 1024 * 1024 };
    struct template_row row = *template_find(DEFAULT_TEMPLATE);
    struct wall_sandbox sandbox;
    struct error err = {};
    row.limits.read_rate_max = row.limits.write_rate_max = SOME_RATE;
    if (!status_is_ok(wall_try_sandbox(state, &row, &sandbox, &err))) {
        return; /* what is wrong stands in another row */
    }
    struct wall *wall = wall_add(&doctor->walls, "disk rate");
    const char *level = sandbox.levels.disk_rate;
    if (strcmp(level, "none") == 0) {
        wall->state = WALL_LESS;
        wall_level(wall, "not held");
        wall_how(wall,
                 "read_rate and write_rate of a template need the io controller: as root with "
                 "blkio below /sys/fs/cgroup, or where cgroup v2 hands io down, and a state "
                 "folder on a disk.");
    } else {
        bool is_2 = strcmp(level, "cgroup-v2") == 0;
        wall_level(wall, "by %s%s", level, is_2 ? "" : ", but for what is written back later");
    }
}

static void try_template(struct doctor *doctor, const struct state *state,
                         const struct template_row *row) {
    struct wall *wall = wall_add(&doctor->templates, row->name);
    struct wall_sandbox sandbox;
    struct error err = {};
    status_t status = wall_try_sandbox(state, row, &sandbox, &err);
    if (status_is_ok(status) && sandbox.exit_status != 0) {
        status = error_set(&err, ERROR_JAIL_FAILED, 0, "the command `true` ended with status %d",
                           sandbox.exit_status);
    }
    if (!status_is_ok(status)) {
        wall_fail(wall, &err);
        if (strcmp(row->name, DEFAULT_TEMPLATE) == 0) {
            blame(doctor, &err);
        }
        return;
    }
    wall_level(wall, "complete, made in %.1f ms", (double)sandbox.setup_ns / 1e6);
    if (strcmp(row->name, DEFAULT_TEMPLATE) == 0) {
        add_limits(doctor, sandbox.levels.limits);
    }
}

static void try_state(struct doctor *doctor, const struct state *state) {
    struct wall *wall = wall_add(&doctor->airlock, "state");
    struct statvfs disk;
    if (fstatvfs(state->fd, &disk) != 0) {
        wall->state = WALL_MISSING;
        wall_level(wall, "%.60s", strerror(errno));
        return;
    }
    uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    wall_level(wall, "%.60s, %" PRIu64 " MiB free", state->path, free_bytes >> 20);
    if (free_bytes < DISK_BYTES_MIN) {
        wall->state = WALL_LESS;
        wall_how(wall, "Less than 1 GiB is free for stages. Clear up: airlock runs prune");
    }
}

static void try_keys(struct doctor *doctor, struct kernel *kernel, uint64_t size) {
    struct wall *wall = wall_add(&doctor->airlock, "keys");
    struct error err = {};
    struct keys_client *keys;
    status_t status =
        size == 0 ? kernel_keys(kernel, &keys, &err) : kernel_checkpoint(kernel, size - 1, &err);
    if (!status_is_ok(status)) {
        wall_fail(wall, &err);
        blame(doctor, &err);
        return;
    }
    wall_level(wall, "%s", size == 0 ? "airlock-keys starts" : "the log's head is signed");
}

static void try_log(struct doctor *doctor, struct kernel *kernel) {
    struct wall *wall = wall_add(&doctor->airlock, "log");
    struct error err = {};
    struct audit_head head;
    status_t status = kernel_open(kernel, &err);
    bool is_open = status_is_ok(status);
    if (is_open) {
        status = audit_log_head(kernel->log, &head, &err);
    }
    if (!status_is_ok(status)) {
        wall_fail(wall, &err);
        blame(doctor, &err);
    } else {
        wall_level(wall, "%" PRIu64 " entries, consistent%s", head.size,
                   kernel->state.log_key != nullptr ? ", encrypted" : "");
        try_keys(doctor, kernel, head.size);
    }
    if (is_open) {
        kernel_close(kernel);
    }
}

static void try_policy(struct doctor *doctor, const struct state *state, const char *workspace) {
    static const char *const trust[] = {
        [POLICY_TRUST_NONE] = "",
        [POLICY_TRUST_UNTRUSTED] = ", the workspace's may only restrict",
        [POLICY_TRUST_TRUSTED] = ", the workspace's is trusted",
    };
    struct wall *wall = wall_add(&doctor->airlock, "policy");
    struct policy_in_force policy;
    struct error err = {};
    if (!status_is_ok(policy_files_load(state, workspace, &policy, &err))) {
        wall_fail(wall, &err);
        blame(doctor, &err);
        return;
    }
    bool is_default = strcmp(policy.user.path, "default") == 0;
    wall_level(wall, "%s, %zu rules%s", is_default ? "the shipped one" : "the user's",
               policy_rules_count(policy.rules), trust[policy.trust]);
    policy_in_force_deinit(&policy);
}

/* Runs in Airlock's own sandbox need no engine, so nothing here is blamed. */
static void try_engine(struct doctor *doctor, enum engine_kind kind,
                       const struct engine_places *places) {
    struct wall *wall = wall_add(&doctor->airlock, engine_kind_text(kind));
    CLEANUP(engine_closep) struct engine *engine = nullptr;
    struct engine_version version;
    struct error err = {};
    char socket[LIMIT_PATH_BYTES];
    status_t status = engine_socket_find(kind, places, socket, &err);
    if (status_is_ok(status)) {
        const struct engine_options options = {
            .kind = kind, .socket = socket, .state = "", .is_brief = true};
        status = engine_socket_open(&options, &engine, &version, &err);
    }
    bool is_absent = err.code == ERROR_ENGINE_SOCKET || err.code == ERROR_ENGINE_UNSUPPORTED;
    if (is_absent && err.hint[0] == '\0') { /* nobody named a place */
        wall->state = WALL_UNTRIED;
        wall_level(wall, "%.90s", err.message);
    } else if (!status_is_ok(status)) {
        wall_fail(wall, &err);
        wall->state = is_absent ? WALL_UNTRIED : WALL_MISSING;
    } else if (version.is_rootless && !version.has_cgroup_v2) {
        wall->state = WALL_LESS;
        wall_level(wall, "%.24s, rootless, at %.50s", version.version, socket);
        wall_how(wall, "Runs refuse a rootless engine on a machine without cgroups of version 2, "
                       "for it drops the limits of memory and processes. Use the system's engine, "
                       "or Airlock's own: --engine native");
    } else {
        wall_level(wall, "%.24s at %.60s", version.version, socket);
    }
}

void doctor_examine(const char *workspace, const struct engine_places *places,
                    struct doctor *ret_doctor) {
    struct state state;
    struct kernel kernel = {};
    struct error err = {};
    *ret_doctor = (struct doctor){};
    bool has_state = status_is_ok(state_open(&state, &err));
    walls_try(has_state ? &state : nullptr, &ret_doctor->walls);
    blame_walls(ret_doctor);
    if (!has_state) {
        wall_fail(wall_add(&ret_doctor->airlock, "state"), &err);
        blame(ret_doctor, &err);
    }
    for (size_t i = 0; has_state && i < template_count(); i++) {
        try_template(ret_doctor, &state, template_at(i));
    }
    if (has_state) {
        try_disk_rate(ret_doctor, &state);
    }
    if (has_state) {
        try_state(ret_doctor, &state);
        try_log(ret_doctor, &kernel);
        try_policy(ret_doctor, &state, workspace);
        state_close(&state);
    }
    for (unsigned kind = 0; kind < ENGINE_KIND_NAMES; kind++) {
        try_engine(ret_doctor, (enum engine_kind)kind, places);
    }
}
