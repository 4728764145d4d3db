/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/runs_prune.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/stage_names.h"
#include "codec/json.h"
#include "kernel/kernel.h"
#include "kernel/workspace.h"
#include "sandbox/run.h"
#include "sys/fd.h"

#define WARNED_FILE "stages.warned" /* its time says when the user was told last */

enum { SECOND_MS = 1000, DAY_MS = 86400000 };

/* "90s", "15m", "2h", "14d" in milliseconds; false for anything else. */
static bool parse_age(const char *text, uint64_t *ret_ms) {
    static const struct {
        char unit;
        uint64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', DAY_MS}};
    uint64_t number = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || text[digits] == '\0' || text[digits + 1] != '\0') {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (units[i].unit == text[digits]) {
            *ret_ms = number * units[i].ms;
            return true;
        }
    }
    return false;
}

static uint64_t now_ms(void) {
    struct clock clock = clock_system();
    return clock_wall_ms(&clock);
}

static void format_bytes(uint64_t bytes, char ret[static 16]) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(ret, 16, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

/* Pruning. */

struct pruning {
    struct cli *cli;
    struct kernel *kernel;
    bool dry_run;
    bool with_open;
    struct run *runs; /* owned; those that are meant, newest first */
    size_t count;
    size_t open_count;
    struct json *list; /* owned; for --json */
    uint64_t bytes;
    size_t pruned_count;
};

static void pruning_deinit(struct pruning *pruning) {
    free(pruning->runs);
    json_free(pruning->list);
}

/* Keeps the runs of the workspace that ended long enough ago. */
static status_t pruning_choose(struct pruning *pruning, const char *workspace_or_null,
                               uint64_t age_ms, struct error *err) {
    size_t kept = 0;
    TRY(run_list(&pruning->kernel->state, &pruning->runs, &pruning->count, err));
    uint64_t now = now_ms();
    for (size_t i = 0; i < pruning->count; i++) {
        const struct run *run = &pruning->runs[i];
        bool is_here =
            workspace_or_null == nullptr || strcmp(run->workspace, workspace_or_null) == 0;
        uint64_t ended_ms = run->finished_ms != 0 ? run->finished_ms : run->started_ms;
        if (run->state != RUN_LIVE && is_here && ended_ms + age_ms <= now) {
            pruning->open_count += run_stage_is_open(run);
            pruning->runs[kept++] = *run;
        }
    }
    pruning->count = kept;
    return STATUS_OK;
}

static void pruning_tell(struct pruning *pruning, const struct run *run, uint64_t bytes) {
    char size[16];
    pruning->bytes += bytes;
    pruning->pruned_count++;
    if (pruning->cli->json) {
        struct json *object = json_object_new();
        json_set_text(object, "run", run->id);
        json_set_text(object, "state", run_state_text(run->state));
        json_set_integer(object, "bytes", (int64_t)bytes);
        json_append(pruning->list, object);
        return;
    }
    format_bytes(bytes, size);
    (void)printf("%-8s  %-9s  %s\n", run_short_id(run->id), run_state_text(run->state), size);
}

/* A yes is about every stage, so every one is shown. */
static bool ask_about_open(const struct pruning *pruning) {
    if (pruning->cli->json || isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) {
        return false;
    }
    (void)fprintf(stderr, "open, with changes that were neither applied nor discarded:\n");
    for (size_t i = 0; i < pruning->count; i++) {
        const struct run *run = &pruning->runs[i];
        if (run_stage_is_open(run)) {
            (void)fprintf(stderr, "  %-8s  %" PRIu32 " change%s  %.60s\n", run_short_id(run->id),
                          run->change_count, run->change_count == 1 ? "" : "s", run->command);
        }
    }
    (void)fprintf(stderr, "throw these away? [y/N] ");
    (void)fflush(stderr);
    return cli_answer_is_yes();
}

/* Newest first, so that what stands on another goes before it. */
static status_t discard_open(struct pruning *pruning, struct error *err) {
    for (size_t i = 0; i < pruning->count; i++) {
        if (run_stage_is_open(&pruning->runs[i])) {
            CLEANUP(run_close) struct run run = {.fd = -1, .lock_fd = -1};
            TRY(run_open(&pruning->kernel->state, pruning->runs[i].id, &run, err));
            TRY(kernel_discard(pruning->kernel, &run, err));
            pruning->runs[i].state = RUN_DISCARDED;
            pruning->open_count--;
        }
    }
    return STATUS_OK;
}

static status_t prune_all(struct pruning *pruning, struct error *err) {
    bool agreed = pruning->with_open && pruning->open_count > 0 && !pruning->dry_run &&
                  ask_about_open(pruning);
    uint64_t *bytes = calloc(pruning->count + 1, sizeof *bytes);
    CLEANUP(memory_freep) uint64_t *owned = bytes;
    if (bytes == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot list the runs");
    }
    for (size_t i = 0; i < pruning->count; i++) {
        bytes[i] = run_disk_bytes(&pruning->kernel->state, pruning->runs[i].id, UINT64_MAX);
    }
    if (agreed) {
        TRY(discard_open(pruning, err));
    }
    for (size_t i = 0; i < pruning->count; i++) {
        const struct run *run = &pruning->runs[i];
        if (run_stage_is_open(run) || bytes[i] == 0) {
            continue;
        }
        if (!pruning->dry_run) {
            TRY(run_prune(&pruning->kernel->state, run->id, err));
        }
        pruning_tell(pruning, run, bytes[i]);
    }
    return STATUS_OK;
}

static void print_end(const struct pruning *pruning) {
    char size[16];
    if (pruning->cli->json) {
        CLEANUP(json_freep) struct json *object = json_object_new();
        CLEANUP(builder_deinit) struct builder text;
        builder_init(&text, (size_t)1 << 30);
        json_set_bool(object, "dry_run", pruning->dry_run);
        json_set_integer(object, "bytes", (int64_t)pruning->bytes);
        json_set_integer(object, "open", (int64_t)pruning->open_count);
        json_set(object, "pruned", pruning->list);
        json_write_pretty(object, &text);
        (void)fputs(builder_c_string(&text), stdout);
        return;
    }
    format_bytes(pruning->bytes, size);
    (void)printf("%s %zu run%s, %s\n", pruning->dry_run ? "would clear" : "cleared",
                 pruning->pruned_count, pruning->pruned_count == 1 ? "" : "s", size);
    if (pruning->open_count > 0 && pruning->with_open) {
        (void)printf("%zu open stage%s stay%s; only a yes at a terminal throws them away\n",
                     pruning->open_count, pruning->open_count == 1 ? "" : "s",
                     pruning->open_count == 1 ? "s" : "");
    }
}

static status_t prune(struct cli *cli, struct kernel *kernel,
                      const struct runs_prune_request *request, uint64_t age_ms,
                      struct error *err) {
    char workspace[LIMIT_PATH_BYTES] = "";
    CLEANUP(pruning_deinit)
    struct pruning pruning = {
        .cli = cli,
        .kernel = kernel,
        .dry_run = request->dry_run,
        .with_open = request->older != nullptr,
        .list = json_array_new(),
    };
    if (!request->all) {
        TRY(workspace_find(request->workspace, workspace, err));
    }
    TRY(pruning_choose(&pruning, request->all ? nullptr : workspace, age_ms, err));
    TRY(prune_all(&pruning, err));
    print_end(&pruning);
    pruning.list = cli->json ? nullptr : pruning.list; /* it went with the document */
    return STATUS_OK;
}

status_t runs_prune(struct cli *cli, const struct runs_prune_request *request, struct error *err) {
    struct kernel kernel;
    uint64_t age_ms = 0;
    if (request->older != nullptr && !parse_age(request->older, &age_ms)) {
        status_t status = error_set(err, ERROR_USAGE, 0, "--older takes an age");
        error_hint(err, "Write it as 12h or 14d.");
        return status;
    }
    TRY(kernel_open(&kernel, err));
    status_t status = prune(cli, &kernel, request, age_ms, err);
    kernel_close(&kernel);
    return status;
}

/* Reminding. */

static bool was_told_today(const struct state *state) {
    struct stat there;
    if (fstatat(state->fd, WARNED_FILE, &there, AT_SYMLINK_NOFOLLOW) != 0) {
        return false;
    }
    uint64_t then = (uint64_t)there.st_mtim.tv_sec * SECOND_MS;
    uint64_t now = now_ms();
    return then <= now && now - then < DAY_MS;
}

static void note_told(const struct state *state) {
    CLEANUP(fd_closep)
    int fd = openat(state->fd, WARNED_FILE, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) {
        (void)futimens(fd, nullptr);
    }
}

void runs_warn(const struct cli *cli, const struct state *state) {
    CLEANUP(memory_freep) struct run *runs = nullptr;
    size_t count = 0;
    size_t open = 0;
    size_t old = 0;
    uint64_t bytes = 0;
    struct error ignored;
    if (was_told_today(state) || !status_is_ok(run_list(state, &runs, &count, &ignored))) {
        return;
    }
    note_told(state); /* looked at today, whatever comes of it */
    uint64_t now = now_ms();
    for (size_t i = 0; i < count; i++) {
        if (run_stage_is_open(&runs[i])) {
            open++;
            old += runs[i].finished_ms + (uint64_t)LIMIT_STAGE_WARN_DAYS * DAY_MS < now;
            if (bytes <= (uint64_t)LIMIT_STAGE_WARN_BYTES) {
                bytes += run_disk_bytes(state, runs[i].id, (uint64_t)LIMIT_STAGE_WARN_BYTES);
            }
        }
    }
    bool is_old = limit_past(old > 0, LIMIT_ID_STAGE_WARN_DAYS);
    bool is_much = limit_past(bytes > (uint64_t)LIMIT_STAGE_WARN_BYTES, LIMIT_ID_STAGE_WARN_BYTES);
    if (!is_old && !is_much) {
        return;
    }
    (void)fprintf(stderr, "%sairlock: %zu of %zu open stage%s wait%s since more than %d days%s%s\n",
                  cli_color(cli->color_err, CLI_YELLOW), old, open, open == 1 ? "" : "s",
                  open == 1 ? "s" : "", (int)LIMIT_STAGE_WARN_DAYS,
                  is_much ? ", and they hold more than 10 GiB" : "",
                  cli_color(cli->color_err, CLI_PLAIN));
    (void)fprintf(stderr,
                  "  look at them: airlock runs --all; clear up: airlock runs prune --all "
                  "--older %dd\n",
                  (int)LIMIT_STAGE_WARN_DAYS);
}
