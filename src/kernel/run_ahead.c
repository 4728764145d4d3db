/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/run_ahead.h"

#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/clock.h"
#include "codec/text.h"
#include "kernel/egress.h"
#include "kernel/run_exec.h"
#include "sandbox/plan.h"

extern char **environ;

status_t run_ahead_check_template(const struct template_row *row, size_t network_count,
                                  struct error *err) {
    if (row->network == TEMPLATE_NETWORK_RESTRICTED && network_count == 0) {
        return error_set(err, ERROR_SANDBOX_NO_EGRESS, 0,
                         "the template %s has a restricted network, and no group was named",
                         row->name);
    }
    if (network_count > 0 && row->seccomp == SECCOMP_STRICT) {
        (void)error_set(err, ERROR_SANDBOX_NO_EGRESS, 0,
                        "the template %s permits no sockets, so that no group can be reached",
                        row->name);
        error_hint(err, "Use another one: airlock run --net GROUP --template code-executor -- CMD");
        return (status_t){ERROR_SANDBOX_NO_EGRESS};
    }
    return STATUS_OK;
}

static status_t find_template(const struct run_exec_request *request,
                              const struct template_row **ret_row, struct error *err) {
    const char *name = request->template_name;
    *ret_row = template_find(name);
    if (*ret_row != nullptr) {
        return run_ahead_check_template(*ret_row, request->network_count, err);
    }
    struct builder shown;
    builder_init(&shown, 256);
    text_escape(slice_of_string(name), &shown);
    (void)error_set(err, ERROR_SANDBOX_TEMPLATE, 0, "there is no template named '%s'",
                    builder_c_string(&shown));
    builder_deinit(&shown);
    return (status_t){ERROR_SANDBOX_TEMPLATE};
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
    struct plan_request plan = run_ahead_request(request, ahead);
    TRY(launcher_start(&ahead->launcher, err));
    TRY(plan_build_ground(&plan, &ahead->ground, err));
    return launcher_ground(ahead->launcher, ahead->ground, err);
}

status_t run_ahead_start(const struct run_exec_request *request, struct run_ahead *ret_ahead,
                         struct error *err) {
    struct run_ahead ahead = {.ram_bytes = ram_bytes()};
    struct clock clock = clock_system();
    TRY(find_template(request, &ahead.template_row, err));
    id_generate(clock_wall_ms(&clock), ahead.run_id);
    choose_host_ids(&ahead);
    TRY(environment_build(
        &(struct environment_options){
            .caller = (const char *const *)environ,
            .added = request->environment,
            .run_id = ahead.run_id,
            .network = request->network_count > 0,
            .trust = egress_adds_tls(request),
            .root = geteuid() == 0,
        },
        &ahead.environment, err));
    status_t status = lay_ground(request, &ahead, err);
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
    launcher_closep(&ahead->launcher);
    plan_freep(&ahead->ground);
    environment_wipe(&ahead->environment);
}
