/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"

static const char *const argv_of_plan[] = {"make", "-j2", nullptr};
static const char *const environment_of_plan[] = {"PATH=/usr/bin", "HOME=/home/ada", nullptr};
static const char *const layers_of_plan[] = {"/state/runs/2/upper", "/state/runs/1/upper", nullptr};

struct plan_request request_of_test(void) {
    return (struct plan_request){
        .run_id = "01890a5d-ac96-774b-bcce-b302099a8057",
        .template_row = template_find("code-executor"),
        .argv = argv_of_plan,
        .environment = environment_of_plan,
        .workspace = "/home/ada/project",
        .working_folder = "/home/ada/project/src",
        .home = "/home/ada",
        .path = "/home/ada/.cargo/bin:/usr/bin",
        .run_folder = "/state/runs/3",
        .layers = layers_of_plan,
        .workspace_dev = 42,
        .workspace_ino = 4711,
        .uid = 1000,
        .gid = 1000,
        .host_uid = 1000,
        .host_gid = 1000,
        .ram_bytes = 8ull << 30,
    };
}

struct plan_host *host_of_test(void) {
    struct plan_host *host = calloc(1, sizeof *host);
    host->entry[0] = (struct plan_host_entry){.path = "/usr", .kind = PLAN_HOST_FOLDER};
    host->entry[1] =
        (struct plan_host_entry){.path = "/bin", .kind = PLAN_HOST_LINK, .link = "usr/bin"};
    host->entry[2] = (struct plan_host_entry){.path = "/opt", .kind = PLAN_HOST_NONE};
    host->entry[3] = (struct plan_host_entry){.path = "/etc/ld.so.cache", .kind = PLAN_HOST_FILE};
    host->entry_count = 4;
    host->toolchain[0] = ".cargo/bin";
    host->toolchain_count = 1;
    (void)snprintf(host->git_folder, sizeof host->git_folder, "/srv/git/project/.git");
    return host;
}

struct plan *build(const struct plan_request *request) {
    CLEANUP(memory_freep) struct plan_host *host = host_of_test();
    if (request->template_row->caches == TEMPLATE_CACHES_READ) { /* as plan_host_read_run() does */
        host->cache[0] = (struct plan_host_cache){"go/pkg/mod", "cache/vcs", 42, 13};
        host->cache[1] = (struct plan_host_cache){".npm/_cacache", "", 42, 12};
        host->cache_count = 2;
    }
    struct plan *plan = nullptr;
    struct error err = {};
    if (!status_is_ok(plan_build_on(request, host, &plan, &err))) {
        fail_msg("%s: %s", err.message, err.detail);
    }
    return plan;
}

struct plan_operation *find(struct plan_view *view, enum plan_operation_type type) {
    for (uint32_t i = 1; i < view->operation_count; i++) {
        if (view->operations[i].type == type) {
            return &view->operations[i];
        }
    }
    fail_msg("the plan has no such operation");
    return nullptr;
}
