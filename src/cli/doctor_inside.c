/* SPDX-License-Identifier: Apache-2.0
 *
 * The probe goes the way of every command: policy, plan, launcher, log. Only its program does not
 * stand in the workspace, where it would have to be put, but comes along as its standard input, a
 * sealed memory file, and is executed from there. What it prints goes into another memory file; it
 * is read when the run has ended, and every check that schema/probes.def lists must have had its
 * turn, because a probe that died is no good news.
 */
#include "cli/doctor_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/doctor_view.h"
#include "codec/text.h"
#include "kernel/run_exec.h"
#include "kernel/workspace.h"
#include "sys/fd.h"
#include "sys/program.h"

enum {
    PROGRAM_BYTES_MAX = 64 * 1024 * 1024,
    REPORT_BYTES_MAX = 1024 * 1024,
    ARGUMENTS_MAX = 160,
    EXIT_FOUND = 1,
};

static const struct {
    const char *name, *title;
} checks[] = {
#define PROBE(function, name, title) {name, title},
#include "probes.def"
#undef PROBE
};
enum { CHECK_COUNT = sizeof checks / sizeof checks[0] };

struct finding {
    bool has_run;
    unsigned count;
    struct builder details; /* one a line, escaped */
};

struct inside {
    const struct doctor_inside *options;
    char workspace[LIMIT_PATH_BYTES];
    const char *argv[ARGUMENTS_MAX + 1];
    size_t argument_count;
    int output; /* the probe's stdout; owned */
    struct finding finding[CHECK_COUNT];
    unsigned total;
};

static status_t open_program(int *ret_fd, struct error *err) {
    char path[LIMIT_PATH_BYTES];
    bool found = false;
    CLEANUP(builder_deinit) struct builder program;
    builder_init(&program, PROGRAM_BYTES_MAX);
    TRY(program_find("airlock-probe", path, &found, err));
    CLEANUP(fd_closep) int fd = found ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        (void)error_set(err, ERROR_JAIL_MISSING, found ? errno : 0,
                        "the program airlock-probe was not found");
        error_hint(err, "Build it with: make build; it stands beside the airlock program.");
        return (status_t){ERROR_JAIL_MISSING};
    }
    TRY(fd_read_to_end(fd, "airlock-probe", &program, err));
    return fd_sealed_memory("airlock-probe", builder_slice(&program), ret_fd, err);
}

static void add_argument(struct inside *inside, const char *name, const char *value) {
    if (inside->argument_count + 2 <= ARGUMENTS_MAX) {
        inside->argv[inside->argument_count++] = name;
        inside->argv[inside->argument_count++] = value;
    }
}

static void set_arguments(struct inside *inside, const char *home) {
    const char *const stages[] = {inside->workspace, home, "/tmp", "/var/tmp", "/dev/shm"};
    inside->argv[inside->argument_count++] = "/proc/self/fd/0";
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
        add_argument(inside, "--stage", stages[i]);
    }
    const char **hidden = inside->options->hidden;
    for (size_t i = 0; hidden != nullptr && hidden[i] != nullptr; i++) {
        add_argument(inside, "--hidden", hidden[i]);
    }
}

/* Its stdout is a file, so there is nothing to move; only the end is waited for. */
static status_t wait_for_end(void *context, const struct run_exec_relay *relay, struct error *err) {
    (void)context;
    const struct run_peer *peer = relay->peer;
    do {
        TRY(peer->receive(peer->context, &relay->result->exit, err));
    } while (relay->result->exit.type != LAUNCHER_EXITED);
    return STATUS_OK;
}

static status_t run_probe(struct inside *inside, struct run_exec_request *request,
                          struct run_exec_result *ret_result, struct error *err) {
    struct run_ahead ahead;
    struct kernel kernel;
    struct launcher_streams streams = {-1, -1, -1};
    TRY(run_ahead_start(request, &ahead, err));
    set_arguments(inside, ahead.environment.home);
    status_t status = open_program(&streams.input, err);
    streams.output = fcntl(inside->output, F_DUPFD_CLOEXEC, 0);
    streams.error = fcntl(inside->output, F_DUPFD_CLOEXEC, 0);
    request->streams = streams;
    if (status_is_ok(status)) {
        status = kernel_open(&kernel, err);
    }
    if (!status_is_ok(status)) {
        fd_closep(&streams.input);
        fd_closep(&streams.output);
        fd_closep(&streams.error);
        run_ahead_deinit(&ahead);
        return status;
    }
    kernel.ask_review = cli_ask_run;
    kernel.ask_context = inside->options->cli;
    status = run_exec(&kernel, &ahead, request, ret_result, err);
    run_close(&ret_result->run);
    kernel_close(&kernel);
    return status;
}

static status_t not_whole(const struct run_exec_result *result, struct error *err) {
    (void)error_set(err, ERROR_JAIL_FAILED, 0, "the probe did not come to its end: exit status %d",
                    result->exit_status);
    error_hint(err, "What it printed is kept in the run's folder; see: airlock runs");
    return (status_t){ERROR_JAIL_FAILED};
}

static bool read_check(struct inside *inside, const char *name, size_t *ret_index) {
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        if (strcmp(checks[i].name, name) == 0) {
            inside->finding[i].has_run = true;
            *ret_index = i;
            return true;
        }
    }
    return false;
}

/* The lines of src/probe/probe.h; false: another form, or not all of them. */
static bool read_report(struct inside *inside, char *text) {
    size_t index = CHECK_COUNT;
    unsigned long ended = 0;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != nullptr;) {
        if (strncmp(line, "check ", 6) == 0) {
            if (!read_check(inside, line + 6, &index)) {
                return false;
            }
        } else if (strncmp(line, "found ", 6) == 0 && index < CHECK_COUNT) {
            struct finding *finding = &inside->finding[index];
            text_escape(slice_of_string(line + 6), &finding->details);
            builder_u8(&finding->details, '\n');
            finding->count++;
        } else if (strncmp(line, "more ", 5) == 0 && index < CHECK_COUNT) {
            inside->finding[index].count += (unsigned)strtoul(line + 5, nullptr, 10);
        } else if (strncmp(line, "end ", 4) == 0) {
            ended = strtoul(line + 4, nullptr, 10);
        }
    }
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        inside->total += inside->finding[i].count;
        if (!inside->finding[i].has_run) {
            return false;
        }
    }
    return ended == CHECK_COUNT;
}

static status_t probe_inside(struct inside *inside, struct error *err) {
    const struct doctor_inside *options = inside->options;
    struct run_exec_result result = {.run = {.fd = -1, .lock_fd = -1}};
    TRY(workspace_find(options->workspace, inside->workspace, err));
    inside->output = memfd_create("report", MFD_CLOEXEC);
    if (inside->output < 0) {
        return error_set(err, ERROR_IO, errno, "cannot make a memory file for the report");
    }
    struct run_exec_request request = {
        .workspace = inside->workspace,
        .working_folder = inside->workspace,
        .template_name =
            options->template_name != nullptr ? options->template_name : "code-executor",
        .template_open = options->template_name == nullptr,
        .argv = inside->argv,
        .relay = wait_for_end,
    };
    TRY(run_probe(inside, &request, &result, err));
    CLEANUP(builder_deinit) struct builder text;
    builder_init(&text, REPORT_BYTES_MAX);
    if (lseek(inside->output, 0, SEEK_SET) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot read the report");
    }
    TRY(fd_read_to_end(inside->output, "the report", &text, err));
    builder_u8(&text, '\0');
    bool is_whole = builder_is_ok(&text) && read_report(inside, (char *)text.data);
    bool is_known = result.exit_status == 0 || result.exit_status == EXIT_FOUND;
    return is_whole && is_known ? STATUS_OK : not_whole(&result, err);
}

static void print_table(const struct inside *inside) {
    const struct cli *cli = inside->options->cli;
    doctor_print_heading(cli, "tried from within a sealed run");
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        const struct finding *finding = &inside->finding[i];
        doctor_print_row(cli, &(struct doctor_row){
                                  .name = checks[i].name,
                                  .mark = finding->count == 0 ? "ok" : "no",
                                  .color = finding->count == 0 ? CLI_GREEN : CLI_RED,
                                  .text = checks[i].title,
                              });
        struct cursor lines = cursor_of(builder_slice(&finding->details));
        while (cursor_remaining(&lines) > 0) {
            struct slice line = cursor_until(&lines, '\n');
            doctor_print_detail(line);
        }
    }
    if (inside->total == 0) {
        (void)printf("nothing was found in %d checks\n", CHECK_COUNT);
    } else {
        (void)printf("%u findings\n", inside->total);
    }
}

static void print_json(const struct inside *inside) {
    CLEANUP(json_freep) struct json *object = json_object_new();
    struct json *all = json_array_new();
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        const struct finding *finding = &inside->finding[i];
        struct json *row = json_object_new();
        struct json *details = json_array_new();
        struct cursor lines = cursor_of(builder_slice(&finding->details));
        while (cursor_remaining(&lines) > 0) {
            json_append(details, json_text_new(cursor_until(&lines, '\n')));
        }
        json_set_text(row, "name", checks[i].name);
        json_set_text(row, "title", checks[i].title);
        json_set_integer(row, "count", finding->count);
        json_set(row, "found", details);
        json_append(all, row);
    }
    json_set(object, "checks", all);
    json_set_integer(object, "findings", inside->total);
    doctor_print_json(object);
}

int doctor_inside_run(const struct doctor_inside *options) {
    struct inside inside = {.options = options, .output = -1};
    struct error err = {};
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        builder_init(&inside.finding[i].details, REPORT_BYTES_MAX);
    }
    status_t status = probe_inside(&inside, &err);
    if (status_is_ok(status) && options->cli->json) {
        print_json(&inside);
    } else if (status_is_ok(status)) {
        print_table(&inside);
    }
    fd_closep(&inside.output);
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        builder_deinit(&inside.finding[i].details);
    }
    if (!status_is_ok(status)) {
        return cli_error(options->cli, &err);
    }
    return inside.total == 0 ? 0 : EXIT_FOUND;
}
