/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "enclave/commands.h"
#include "enclave/options.h"
#include "enclave/report.h"
#include "sys/fd.h"

/* The folder that a file stands in: what its relative names are below. */
static int folder_open(const char *file) {
    char folder[LIMIT_PATH_BYTES] = ".";
    const char *slash = strrchr(file, '/');
    size_t size = slash == file ? 1 : slash == nullptr ? 0 : (size_t)(slash - file);
    if (size > 0 && size < sizeof folder) {
        memcpy(folder, file, size);
        folder[size] = '\0';
    }
    return open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static status_t lint_file(const char *file, struct lint_report *report, struct error *err) {
    CLEANUP(builder_deinit) struct builder text;
    builder_init(&text, LIMIT_MANIFEST_BYTES);
    CLEANUP(fd_closep) int fd = open(file, O_RDONLY | O_CLOEXEC);
    CLEANUP(fd_closep) int folder = folder_open(file);
    if (fd < 0 || folder < 0) {
        return error_set(err, ERROR_IO, errno, "cannot open %s", file);
    }
    TRY(fd_read_to_end(fd, file, &text, err));
    lint_manifest(builder_slice(&text), folder, report);
    return STATUS_OK;
}

int command_lint(int argc, char **argv) {
    static struct lint_report report;
    bool as_json = false;
    bool is_help = false;
    struct operands operands;
    struct error err = {};
    const struct option_row rows[] = {
        {.name = "json", .help = "print one object", .ret_flag = &as_json},
    };
    const struct verb verb = {"lint", "FILE", "look for what is wrong with a manifest",
                              1,      rows,   sizeof rows / sizeof rows[0]};
    status_t status = options_parse(&verb, argc, argv, &operands, &is_help, &err);
    if (is_help) {
        return 0;
    }
    if (status_is_ok(status) && operands.count != 1) {
        status = error_set(&err, ERROR_USAGE, 0, "name a manifest: airlock enclave lint FILE");
    }
    if (status_is_ok(status)) {
        status = lint_file(operands.values[0], &report, &err);
    }
    if (!status_is_ok(status)) {
        return report_error(&err, as_json);
    }
    report_lint(&report, operands.values[0], as_json);
    return lint_count(&report, LINT_SEVERITY_ERROR) == 0 ? 0 : error_exit_status(ERROR_MANIFEST);
}
