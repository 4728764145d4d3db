/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/inject_list.h"
#include "cli/log_view.h"
#include "cli/network_list.h"
#include "cli/run_engine.h"
#include "cli/runs_prune.h"
#include "cli/secret.h"
#include "cli/streams.h"
#include "cli/summary.h"
#include "codec/json.h"
#include "codec/text.h"
#include "kernel/run_apply.h"
#include "kernel/workspace.h"

enum { EXIT_AIRLOCK = 125 };

struct run_options {
    const char *workspace, *template_name, *on, *root, *timeout, *summary_fd, *apply;
    const char **env, **secrets, **nets, **injects;
    struct inject_list added;
    struct network_list networks;
    char *root_resolved; /* owned */
    struct run_engine_options engine;
    bool wait_all, quiet, raw_terminal;
    uint64_t wall_ms;
    int summary_number; /* -1: stderr */
    struct secret_list variables;
};

static const char apply_help[] = "apply the changes after exit 0, where policy permits it";

static const char examples[] =
    "  airlock run -- make test\n"
    "  airlock run --timeout 30s -- npm test\n"
    "  airlock run --on @1 -- sh -c 'cat result.txt'      (stand on the last run's changes)\n"
    "  airlock run --engine podman --image docker.io/library/debian:13 --pull -- make test\n"
    "  airlock run --apply auto -- sh -c 'agent && make test'   (when policy permits: auto_apply)\n"
    "  airlock run --env CI=1 --secret TOKEN=token.txt -- ./publish --dry-run\n"
    "\nexit status: the command's own; 128+n when signal n ended it; 124 at the time limit;\n"
    "125 when Airlock failed or policy refused; 126 not executable; 127 not found\n";

static status_t parse_duration(const char *text, uint64_t *ret_ms, struct error *err) {
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    for (size_t i = 0; text[0] >= '0' && text[0] <= '9' && i < 4; i++) {
        if (strcmp(end, units[i].unit) == 0 && errno == 0 && number > 0 &&
            number <= UINT32_MAX / units[i].ms) {
            *ret_ms = number * units[i].ms;
            return STATUS_OK;
        }
    }
    (void)error_set(err, ERROR_USAGE, 0, "the time limit is not a number with a unit");
    error_hint(err, "Write it like: --timeout 500ms, 30s, 5m or 2h (at most 49 days)");
    return (status_t){ERROR_USAGE};
}

static status_t parse_descriptor(const char *text, int *ret_fd, struct error *err) {
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    bool valid = errno == 0 && end != text && *end == '\0' && number >= 0 && number <= INT_MAX;
    if (!valid || fcntl((int)number, F_GETFD) < 0) {
        (void)error_set(err, ERROR_USAGE, 0, "--summary-fd is not an open file descriptor");
        error_hint(err, "Open it in the shell: airlock run --summary-fd 3 -- CMD 3>summary.json");
        return (status_t){ERROR_USAGE};
    }
    (void)fcntl((int)number, F_SETFD, FD_CLOEXEC);
    *ret_fd = (int)number;
    return STATUS_OK;
}

static status_t parse_root(struct run_options *options, struct error *err) {
    struct stat status;
    options->root_resolved = realpath(options->root, nullptr);
    if (options->root_resolved == nullptr || stat(options->root_resolved, &status) != 0) {
        return error_set(err, ERROR_USAGE, errno, "cannot open the folder given with --root");
    }
    if (!S_ISDIR(status.st_mode)) {
        return error_set(err, ERROR_USAGE, ENOTDIR, "cannot open the folder given with --root");
    }
    options->root = options->root_resolved;
    return STATUS_OK;
}

static status_t parse_apply(const char *text, struct error *err) {
    if (text != nullptr && strcmp(text, "auto") != 0) {
        (void)error_set(err, ERROR_USAGE, 0, "there is no --apply %.40s", text);
        error_hint(err, "Write --apply auto, or leave it out and run airlock apply afterwards.");
        return (status_t){ERROR_USAGE};
    }
    return STATUS_OK;
}

static status_t parse_rest(struct run_options *options, struct error *err) {
    TRY(parse_apply(options->apply, err));
    if (options->root != nullptr) {
        TRY(parse_root(options, err));
    }
    if (options->timeout != nullptr) {
        TRY(parse_duration(options->timeout, &options->wall_ms, err));
    }
    if (options->summary_fd != nullptr) {
        TRY(parse_descriptor(options->summary_fd, &options->summary_number, err));
    }
    for (size_t i = 0; options->env != nullptr && options->env[i] != nullptr; i++) {
        secret_list_add(&options->variables, options->env[i]);
    }
    for (size_t i = 0; options->secrets != nullptr && options->secrets[i] != nullptr; i++) {
        TRY(secret_list_read(&options->variables, options->secrets[i], err));
    }
    for (size_t i = 0; options->nets != nullptr && options->nets[i] != nullptr; i++) {
        TRY(network_list_add(&options->networks, options->nets[i], err));
    }
    for (size_t i = 0; options->injects != nullptr && options->injects[i] != nullptr; i++) {
        TRY(inject_list_add(&options->added, options->injects[i], err));
    }
    return STATUS_OK;
}

/* A workspace that was named through a link is the folder behind it; the user should know which. */
static void say_resolved(const struct cli *cli, const struct run_options *options,
                         const char *resolved) {
    struct stat status;
    if (options->quiet || cli->json || options->workspace == nullptr ||
        lstat(options->workspace, &status) != 0 || !S_ISLNK(status.st_mode)) {
        return;
    }
    struct builder shown;
    builder_init(&shown, (size_t)4 * LIMIT_PATH_BYTES + 1);
    text_escape(slice_of_string(resolved), &shown);
    (void)fprintf(stderr, "airlock: the workspace is a link; the run works on %s\n",
                  builder_c_string(&shown));
    builder_deinit(&shown);
}

static void working_folder(const char *workspace, char ret_path[static LIMIT_PATH_BYTES]) {
    size_t length = strlen(workspace);
    if (getcwd(ret_path, LIMIT_PATH_BYTES) != nullptr &&
        strncmp(ret_path, workspace, length) == 0 &&
        (ret_path[length] == '/' || ret_path[length] == '\0')) {
        return;
    }
    (void)snprintf(ret_path, LIMIT_PATH_BYTES, "%s", workspace);
}

static void print_summary(const struct cli *cli, const struct run_options *options,
                          const struct run_exec_result *result, struct run_apply *apply) {
    if (options->quiet) {
        return;
    }
    CLEANUP(memory_freep) char *text = nullptr;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == nullptr) {
        return;
    }
    if (cli->json) {
        summary_print_json(result, apply, out);
    } else {
        summary_print(cli, result, apply, out);
    }
    (void)fclose(out);
    int fd = options->summary_number >= 0 ? options->summary_number : STDERR_FILENO;
    for (size_t done = 0; done < size;) {
        ssize_t written = write(fd, text + done, size - done);
        if (written < 0 && errno != EINTR) {
            return; /* nobody reads it; the log has it all */
        }
        done += written > 0 ? (size_t)written : 0;
    }
}

/* With --apply auto the stage may be gone by the time the summary tells of it. */
static void apply_and_tell(const struct cli *cli, const struct run_options *options,
                           struct kernel *kernel, struct run_exec_result *result) {
    if (options->apply == nullptr) {
        print_summary(cli, options, result, nullptr);
        return;
    }
    CLEANUP(run_apply_deinit) struct run_apply applied;
    run_apply(kernel, result, &applied);
    print_summary(cli, options, result, &applied);
}

struct run_start {
    struct cli *cli; /* for who has to be asked */
    struct streams_options streams;
};

/* Launcher and streams first, then the kernel: the launcher lays the ground of the sandbox while
 * the log opens. */
static status_t open_and_run(const struct run_start *start, struct run_exec_request *request,
                             struct kernel *ret_kernel, struct run_exec_result *ret_result,
                             struct error *err) {
    struct run_ahead ahead;
    struct streams *streams;
    TRY(run_ahead_start(request, &ahead, err));
    status_t status = streams_open(&start->streams, &streams, &request->streams, err);
    if (!status_is_ok(status)) {
        run_ahead_deinit(&ahead);
        return status;
    }
    request->relay = streams_relay;
    request->context = streams;
    status = kernel_open(ret_kernel, err);
    if (status_is_ok(status)) {
        ret_kernel->ask_review = cli_ask_run;
        ret_kernel->ask_context = start->cli;
        status = run_exec(ret_kernel, &ahead, request, ret_result, err);
    } else {
        run_ahead_deinit(&ahead);
    }
    streams_close(streams);
    return status;
}

static status_t run(struct cli *cli, const struct run_options *options, const char *const *argv,
                    int *ret_exit, struct error *err) {
    char workspace[LIMIT_PATH_BYTES];
    char folder[LIMIT_PATH_BYTES];
    struct kernel kernel = {};
    struct run_exec_result result = {.run = {.fd = -1, .lock_fd = -1}};
    struct run_engine_view view;
    bool is_native = true;
    TRY(run_engine_find(cli, &options->engine, &view, &is_native, err));
    TRY(workspace_find(options->workspace, workspace, err));
    say_resolved(cli, options, workspace);
    working_folder(workspace, folder);
    bool terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
    struct run_exec_request request = {
        .workspace = workspace,
        .working_folder = folder,
        .template_name =
            options->template_name != nullptr ? options->template_name : "code-executor",
        .template_open = options->template_name == nullptr,
        .on = options->on,
        .root = options->root,
        .engine = is_native ? nullptr : &view.engine,
        .argv = argv,
        .environment = (const char *const *)options->variables.entries,
        .networks = (const char *const *)options->networks.names,
        .network_count = options->networks.count,
        .injects = options->added.rows,
        .inject_count = options->added.count,
        .ca_file = getenv("SSL_CERT_FILE"),
        .wall_ms_max = options->wall_ms,
        .terminal = terminal,
        .wait_all = options->wait_all,
    };
    struct run_start start = {
        .cli = cli,
        .streams = {.terminal = terminal, .raw_terminal = options->raw_terminal},
    };
    status_t status = open_and_run(&start, &request, &kernel, &result, err);
    run_engine_end(&view);
    if (status_is_ok(status)) {
        apply_and_tell(cli, options, &kernel, &result);
        if (!options->quiet && !cli->json) {
            runs_warn(cli, &kernel.state);
            log_warn_storage(kernel.log);
        }
        *ret_exit = result.exit_status;
    }
    run_close(&result.run);
    json_free(result.egress);
    if (kernel.log != nullptr) {
        kernel_close(&kernel);
    }
    return status;
}

static void run_options_deinit(struct run_options *options) {
    secret_list_wipe(&options->variables);
    free(options->root_resolved);
    free(options->env);
    free(options->secrets);
    free(options->nets);
    free(options->injects);
    inject_list_wipe(&options->added);
    network_list_deinit(&options->networks);
}

static status_t no_command(struct error *err) {
    (void)error_set(err, ERROR_USAGE, 0, "run needs a command");
    error_hint(err, "Write it after two dashes: airlock run -- make test");
    return (status_t){ERROR_USAGE};
}

int cli_run(struct cli *cli, int argc, char **argv) {
    struct run_options options = {.summary_number = -1};
    const struct cli_option rows[] = {
        {.name = "workspace",
         .letter = 'w',
         .value = &options.workspace,
         .argument = "DIR",
         .help = "the folder to work on (default: the git top, or here)"},
        {.name = "template",
         .letter = 't',
         .value = &options.template_name,
         .argument = "NAME",
         .help = "limits and walls (airlock doctor --templates; default: as policy asks)"},
        {.name = "on",
         .value = &options.on,
         .argument = "RUN",
         .help = "stand on the staged changes of an earlier run"},
        {.name = "root",
         .value = &options.root,
         .argument = "DIR",
         .help = "an unpacked distribution instead of this system's files"},
        {.name = "engine",
         .value = &options.engine.name,
         .argument = "NAME",
         .help = "what runs the command: native (default), podman or docker"},
        {.name = "image",
         .value = &options.engine.image,
         .argument = "IMAGE",
         .help = "the container image it runs in"},
        {.name = "pull", .flag = &options.engine.pull, .help = "have a missing image fetched"},
        {.name = "engine-socket",
         .value = &options.engine.socket,
         .argument = "PATH",
         .help = "where the engine listens (default: the usual places)"},
        {.name = "env",
         .letter = 'e',
         .list = &options.env,
         .argument = "K[=V]",
         .help = "set a variable, or pass one through"},
        {.name = "secret",
         .list = &options.secrets,
         .argument = "K[=FILE]",
         .help = "set a variable from a file, or ask for it"},
        {.name = "inject", .list = &options.injects, .argument = "RULE", .help = "add a header"},
        {.name = "net", .list = &options.nets, .argument = "GROUP", .help = "reach its hosts"},
        {.name = "apply", .value = &options.apply, .argument = "auto", .help = apply_help},
        {.name = "timeout",
         .value = &options.timeout,
         .argument = "TIME",
         .help = "end the command after 500ms, 30s, 5m, 2h"},
        {.name = "wait-all",
         .flag = &options.wait_all,
         .help = "wait for processes that the command leaves behind"},
        {.name = "quiet", .letter = 'q', .flag = &options.quiet, .help = "no summary"},
        {.name = "summary-fd",
         .value = &options.summary_fd,
         .argument = "N",
         .help = "write the summary there instead of stderr"},
        {.name = "raw-terminal",
         .flag = &options.raw_terminal,
         .help = "do not filter what the command sends to the terminal"},
    };
    struct error err;
    int exit_status = 0;
    struct cli_form form = CLI_FORM(rows, examples);
    form.stop_at_operand = true;
    status_t status = cli_parse(cli, &argc, argv, &form, &err);
    if (status_is_ok(status) && cli->is_answered) {
        return 0;
    }
    if (status_is_ok(status)) {
        status = argc == 0 ? no_command(&err) : parse_rest(&options, &err);
    }
    if (status_is_ok(status)) {
        status = run(cli, &options, (const char *const *)(argv + 1), &exit_status, &err);
    }
    if (!status_is_ok(status)) {
        (void)cli_error(cli, &err);
        exit_status = EXIT_AIRLOCK;
    }
    run_options_deinit(&options);
    return exit_status;
}
