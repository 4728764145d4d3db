/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/run_ahead.h"

#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "kernel/egress.h"
#include "kernel/run_exec.h"
#include "sandbox/plan.h"

extern char **environ;

status_t run_ahead_check_template(const struct template_row *row, size_t network_count,
                                  struct error *err) {
    bool is_strict = row->seccomp == SECCOMP_STRICT;
    if (row->network == TEMPLATE_NETWORK_RESTRICTED && is_strict) {
        (void)error_set(err, ERROR_SANDBOX_NO_EGRESS, 0,
                        "the template %s is for a client that is handed its connection: it has a "
                        "network and permits no sockets",
                        row->name);
        error_hint(err, "Use another one: airlock run --net GROUP --template integration-test -- "
                        "CMD");
        return (status_t){ERROR_SANDBOX_NO_EGRESS};
    }
    if (row->network == TEMPLATE_NETWORK_RESTRICTED && network_count == 0) {
        return error_set(err, ERROR_SANDBOX_NO_EGRESS, 0,
                         "the template %s has a restricted network, and no group was named",
                         row->name);
    }
    if (network_count > 0 && is_strict) {
        (void)error_set(err, ERROR_SANDBOX_NO_EGRESS, 0,
                        "the template %s permits no sockets, so that no group can be reached",
                        row->name);
        error_hint(err, "Use another one: airlock run --net GROUP --template code-executor -- CMD");
        return (status_t){ERROR_SANDBOX_NO_EGRESS};
    }
    return STATUS_OK;
}

status_t run_ahead_use_template(struct run_ahead *ahead, const char *name, size_t network_count,
                                struct error *err) {
    CLEANUP(template_definition_freep) struct template_definition *own = nullptr;
    const struct template_row *row = nullptr;
    TRY(templates_find(name, &own, &row, err));
    TRY(run_ahead_check_template(row, network_count, err));
    template_definition_freep(&ahead->own_template);
    ahead->own_template = TAKE(own);
    ahead->template_row = row;
    return STATUS_OK;
}

static void choose_host_ids(struct run_ahead *ahead) {
    struct plan_request request = {};
    plan_choose_host_ids(getpid(), &request);
    ahead->host_uid = request.host_uid;
    ahead->host_gid = request.host_gid;
}

static uint64_t ram_bytes(void) {
    struct sysinfo info;
    return sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : 0;
}

struct plan_request run_ahead_request(const struct run_exec_request *request,
                                      const struct run_ahead *ahead) {
    return (struct plan_request){
        .run_id = ahead->run_id,
        .template_row = ahead->template_row,
        .home = ahead->environment.home,
        .path = ahead->environment.path,
        .root = request->root,
        .uid = geteuid(),
        .gid = getegid(),
        .host_uid = ahead->host_uid,
        .host_gid = ahead->host_gid,
        .wall_ms_max = request->wall_ms_max,
        .ram_bytes = ahead->ram_bytes,
    };
}

static status_t lay_ground(const struct run_exec_request *request, struct run_ahead *ahead,
                           struct error *err) {
    if (request->engine != nullptr) {
        return STATUS_OK; /* a container engine lays none */
    }
    struct plan_request plan = run_ahead_request(request, ahead);
    TRY(launcher_start(&ahead->launcher, err));
    TRY(plan_build_ground(&plan, &ahead->ground, err));
    return launcher_ground(ahead->launcher, ahead->ground, err);
}

status_t run_ahead_start(const struct run_exec_request *request, struct run_ahead *ret_ahead,
                         struct error *err) {
    struct run_ahead ahead = {.ram_bytes = ram_bytes()};
    struct clock clock = clock_system();
    TRY(run_ahead_use_template(&ahead, request->template_name, request->network_count, err));
    id_generate(clock_wall_ms(&clock), ahead.run_id);
    choose_host_ids(&ahead);
    status_t status = environment_build(
        &(struct environment_options){
            .caller = (const char *const *)environ,
            .added = request->environment,
            .run_id = ahead.run_id,
            .network = request->network_count > 0,
            .trust = egress_adds_tls(request),
            .root = geteuid() == 0,
            .image = request->engine != nullptr,
        },
        &ahead.environment, err);
    if (status_is_ok(status)) {
        status = lay_ground(request, &ahead, err);
    }
    if (!status_is_ok(status)) {
        run_ahead_deinit(&ahead);
        return status;
    }
    *ret_ahead = ahead;
    return STATUS_OK;
}

status_t run_ahead_again(const struct run_exec_request *request, struct run_ahead *ahead,
                         struct error *err) {
    launcher_closep(&ahead->launcher);
    plan_freep(&ahead->ground);
    return lay_ground(request, ahead, err);
}

void run_ahead_deinit(struct run_ahead *ahead) {
    template_definition_freep(&ahead->own_template);
    launcher_closep(&ahead->launcher);
    plan_freep(&ahead->ground);
    environment_wipe(&ahead->environment);
}
