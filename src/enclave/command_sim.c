/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "enclave/commands.h"
#include "enclave/options.h"
#include "enclave/report.h"
#include "enclave/sim.h"
#include "sys/fd.h"

/* What Gramine would not even read is not simulated. */
static bool gramine_refuses(enum lint_rule rule) {
    return rule <= LINT_MISSING_KEY;
}

static status_t check(struct slice text, const char *file, struct error *err) {
    static struct lint_report report;
    static_assert(LINT_SYNTAX == 0 && LINT_MISSING_KEY == 5);
    lint_manifest(text, AT_FDCWD, &report);
    for (uint32_t i = 0; i < report.count; i++) {
        const struct lint_finding *finding = &report.findings[i];
        if (gramine_refuses(finding->rule)) {
            return error_set(err, ERROR_MANIFEST, 0, "%s:%u:%u: %s", file, finding->line,
                             finding->column, finding->message);
        }
    }
    return STATUS_OK;
}

/* Relative names are below the manifest's folder, where Gramine is started. */
static status_t enter_folder(const char *file, struct error *err) {
    char folder[LIMIT_PATH_BYTES];
    const char *slash = strrchr(file, '/');
    if (slash == nullptr) {
        return STATUS_OK;
    }
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - file) + 1, file);
    return chdir(folder) == 0 ? STATUS_OK
                              : error_set(err, ERROR_IO, errno, "cannot enter %s", folder);
}

static status_t simulate(const char *file, char **environment, bool as_json, int *ret_status,
                         struct error *err) {
    CLEANUP(builder_deinit) struct builder text;
    CLEANUP(toml_tree_freep) struct toml_tree *tree = nullptr;
    struct manifest manifest = {};
    struct sim_plan plan = {};
    builder_init(&text, LIMIT_MANIFEST_BYTES);
    CLEANUP(fd_closep) int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot open %s", file);
    }
    TRY(fd_read_to_end(fd, file, &text, err));
    TRY(enter_folder(file, err));
    TRY(check(builder_slice(&text), file, err));
    TRY(toml_parse(builder_slice(&text), file, nullptr, &tree, err));
    TRY(manifest_read(toml_root(tree), &manifest, err));
    status_t status = sim_plan_make(&manifest, builder_slice(&text), environment, &plan, err);
    if (status_is_ok(status)) {
        status = sim_run(&plan, as_json, ret_status, err);
    }
    sim_plan_deinit(&plan);
    manifest_deinit(&manifest);
    return status;
}

int command_sim(int argc, char **argv, char **environment) {
    const char *file = nullptr;
    bool as_json = false;
    bool is_help = false;
    struct operands operands;
    struct error err = {};
    int exit_status = 0;
    const struct option_row rows[] = {
        {"manifest", 'm', "FILE", "what to run", .ret_text = &file},
        {"json", '\0', nullptr, "say what it is as one object", .ret_flag = &as_json},
    };
    const struct verb verb = {"sim", "",   "run what a manifest says, without an enclave",
                              0,     rows, sizeof rows / sizeof rows[0]};
    status_t status = options_parse(&verb, argc, argv, &operands, &is_help, &err);
    if (is_help) {
        return 0;
    }
    if (status_is_ok(status) && file == nullptr) {
        status = error_set(&err, ERROR_USAGE, 0, "name a manifest: airlock enclave sim -m FILE");
    }
    if (status_is_ok(status)) {
        status = simulate(file, environment, as_json, &exit_status, &err);
    }
    return status_is_ok(status) ? exit_status : report_error(&err, as_json);
}
