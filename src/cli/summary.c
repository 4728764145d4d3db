/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/summary.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/names.h"
#include "cli/summary_apply.h"
#include "cli/summary_limit.h"
#include "codec/json.h"
#include "kernel/records.h"

enum { SHORT_ID_CHARACTERS = 8 };

/* The last digits of a run's id are random; its first ones are the time. */
static const char *short_id(const struct run *run) {
    return run->id + strlen(run->id) - SHORT_ID_CHARACTERS;
}

static void print_duration(FILE *out, uint64_t us) {
    if (us < 1000) {
        (void)fprintf(out, "%" PRIu64 " µs", us);
    } else if (us < 1000000) {
        (void)fprintf(out, "%.1f ms", (double)us / 1e3);
    } else if (us < 60000000) {
        (void)fprintf(out, "%.2f s", (double)us / 1e6);
    } else {
        (void)fprintf(out, "%" PRIu64 " min %" PRIu64 " s", us / 60000000, us / 1000000 % 60);
    }
}

static void outcome_text(const struct launcher_message *exit, char *ret_text, size_t size) {
    const char *name =
        exit->outcome == LAUNCHER_OUTCOME_SIGNAL ? names_signal(exit->status) : nullptr;
    switch (exit->outcome) {
    case LAUNCHER_OUTCOME_EXIT:
        (void)snprintf(ret_text, size, "exit %d", exit->status);
        return;
    case LAUNCHER_OUTCOME_SIGNAL:
        (void)snprintf(ret_text, size, "killed by SIG%s", name != nullptr ? name : "?");
        return;
    case LAUNCHER_OUTCOME_TIMEOUT:
        (void)snprintf(ret_text, size, "stopped at its time limit");
        return;
    case LAUNCHER_OUTCOME_MEMORY:
        (void)snprintf(ret_text, size, "killed at its memory limit");
        return;
    case LAUNCHER_OUTCOME_DISK:
        (void)snprintf(ret_text, size, "killed at its disk limit");
        return;
    case LAUNCHER_OUTCOME_NOT_FOUND:
        (void)snprintf(ret_text, size, "command not found");
        return;
    case LAUNCHER_OUTCOME_NOT_EXECUTABLE:
        (void)snprintf(ret_text, size, "command not executable");
        return;
    }
}

struct printer {
    FILE *out;
    const char *plain, *bold, *dim, *red, *green, *yellow;
};

static void print_head(const struct printer *p, const struct run_exec_result *result) {
    char outcome[64];
    outcome_text(&result->exit, outcome, sizeof outcome);
    const char *color = result->exit_status == 0 ? p->green : p->red;
    (void)fprintf(p->out, "%sairlock%s  %s%s%s in ", p->bold, p->plain, color, outcome, p->plain);
    print_duration(p->out, result->exit.wall_ns / 1000);
    (void)fprintf(p->out, "  %srun %s%s\n", p->dim, short_id(&result->run), p->plain);
}

static void print_stage(const struct printer *p, const struct stage_summary *stage) {
    uint32_t files = stage->added + stage->modified + stage->deleted;
    (void)fprintf(p->out, "  %sstaged%s   ", p->dim, p->plain);
    if (files + stage->other + stage->refused == 0) {
        (void)fprintf(p->out, "nothing; the workspace is as it was\n");
        return;
    }
    (void)fprintf(p->out, "%s+%u added%s  %s~%u modified%s  %s-%u deleted%s", p->green,
                  stage->added, p->plain, p->yellow, stage->modified, p->plain, p->red,
                  stage->deleted, p->plain);
    if (stage->other > 0) {
        (void)fprintf(p->out, "  %u other", stage->other);
    }
    (void)fprintf(p->out, "\n");
    if (stage->conflicts > 0) {
        (void)fprintf(p->out, "  %sconflict%s %u of them changed in the workspace meanwhile\n",
                      p->yellow, p->plain, stage->conflicts);
    }
    if (stage->refused > 0) {
        (void)fprintf(p->out,
                      "  %srefused%s  %u that no apply will take; airlock diff names them\n",
                      p->yellow, p->plain, stage->refused);
    }
}

static void print_host(const struct printer *p, const struct json *row, bool was_reached) {
    int64_t port = 0;
    int64_t up = 0;
    int64_t down = 0;
    (void)json_get_integer(row, "port", &port);
    (void)json_get_integer(row, "bytes_up", &up);
    (void)json_get_integer(row, "bytes_down", &down);
    if (was_reached) {
        (void)fprintf(p->out,
                      "  %sreached%s  %s:%" PRId64 "  %" PRId64 " bytes up, %" PRId64 " down\n",
                      p->dim, p->plain, json_get_text(row, "host"), port, up, down);
    } else {
        (void)fprintf(p->out, "  %srefused%s  %s:%" PRId64 ": %s\n", p->yellow, p->plain,
                      json_get_text(row, "host"), port, json_get_text(row, "reason"));
    }
}

/* The first few hosts of each kind; the entry has all of them. */
static void print_egress(const struct printer *p, const struct json *egress) {
    enum { SHOWN = 8 };
    const struct json *hosts = json_get(egress, "hosts");
    unsigned shown[2] = {};
    if (hosts == nullptr) {
        (void)fprintf(p->out,
                      "  %snetwork%s  the egress proxy died; what was reached is not known\n",
                      p->red, p->plain);
    }
    for (size_t i = 0; i < json_array_count(hosts); i++) {
        const struct json *row = json_array_at(hosts, i);
        for (int reached = 1; reached >= 0; reached--) {
            int64_t count = 0;
            bool is_it =
                json_get_integer(row, reached ? "connections" : "denied", &count) && count > 0;
            if (is_it && shown[reached]++ < SHOWN) {
                print_host(p, row, reached == 1);
            }
        }
    }
    unsigned more =
        (shown[0] > SHOWN ? shown[0] - SHOWN : 0) + (shown[1] > SHOWN ? shown[1] - SHOWN : 0);
    if (more > 0) {
        (void)fprintf(p->out, "  %snetwork%s  %u more hosts: airlock log show\n", p->dim, p->plain,
                      more);
    }
}

static void print_limits(const struct printer *p, const struct run_exec_result *result) {
    struct summary_limit limit = summary_limit_of(result);
    struct summary_limit output = summary_limit_of_output(result);
    if (limit.name != nullptr) {
        (void)fprintf(p->out, "  %slimit%s    %s; %s\n", p->yellow, p->plain, limit.told,
                      limit.hint);
    }
    if (output.name != nullptr) {
        (void)fprintf(
            p->out, "  %soutput%s   the first %" PRIu64 " of %" PRIu64 " bytes are kept; %s\n",
            p->dim, p->plain, result->output_kept_bytes, result->output_bytes, output.hint);
    }
}

static void print_disk_rate(const struct printer *p, const struct sandbox_levels *levels) {
    if (strcmp(levels->disk_rate, "none") == 0) {
        (void)fprintf(p->out,
                      "  %slimit%s    the rate of disk access is not held here: airlock doctor\n",
                      p->yellow, p->plain);
    } else if (levels->disk_rate[0] != '\0') {
        (void)fprintf(p->out, "  %slimit%s    the rate of disk access is held by %s\n", p->dim,
                      p->plain, levels->disk_rate);
    }
}

static void print_caches(const struct printer *p, const struct run_exec_result *result) {
    (void)fprintf(p->out, "  %scaches%s  ", p->dim, p->plain);
    for (size_t i = 0; i < result->caches.count; i++) {
        (void)fprintf(p->out, " ~/%s", result->caches.folder[i]);
    }
    (void)fprintf(p->out, "; what was written there is gone\n");
}

static void print_usage(const struct printer *p, const struct launcher_message *exit) {
    (void)fprintf(p->out, "  %sused%s     cpu ", p->dim, p->plain);
    print_duration(p->out, exit->cpu_user_us + exit->cpu_system_us);
    (void)fprintf(p->out, ", memory %.1f MiB, %u processes, disk %.1f MiB read, %.1f MiB written",
                  (double)exit->memory_peak_bytes / 1048576, exit->pid_count_peak,
                  (double)exit->io_read_bytes / 1048576, (double)exit->io_write_bytes / 1048576);
    if (exit->cpu_throttled_us > 0) {
        (void)fprintf(p->out, ", held back ");
        print_duration(p->out, exit->cpu_throttled_us);
    }
    if (exit->paused_ns > 0) {
        (void)fprintf(p->out, ", paused ");
        print_duration(p->out, exit->paused_ns / 1000);
    }
    (void)fprintf(p->out, "\n");
}

void summary_print(const struct cli *cli, const struct run_exec_result *result,
                   struct run_apply *apply_or_null, FILE *out) {
    bool color = cli->color_err;
    struct printer p = {
        .out = out,
        .plain = cli_color(color, CLI_PLAIN),
        .bold = cli_color(color, CLI_BOLD),
        .dim = cli_color(color, CLI_DIM),
        .red = cli_color(color, CLI_RED),
        .green = cli_color(color, CLI_GREEN),
        .yellow = cli_color(color, CLI_YELLOW),
    };
    print_head(&p, result);
    print_stage(&p, &result->stage);
    if (result->egress != nullptr) {
        print_egress(&p, result->egress);
    }
    if (result->exit.killed_count > 0) {
        (void)fprintf(out, "  %skilled%s   %u processes that the command left behind\n", p.dim,
                      p.plain, result->exit.killed_count);
    }
    if (result->caches.count > 0) {
        print_caches(&p, result);
    }
    print_limits(&p, result);
    print_disk_rate(&p, &result->levels);
    print_usage(&p, &result->exit);
    (void)fprintf(out,
                  "  %swalls%s    files %s, namespaces %s, landlock %d, seccomp %s, limits %s\n",
                  p.dim, p.plain, result->levels.files, result->levels.namespaces,
                  result->levels.landlock_abi, result->levels.seccomp, result->levels.limits);
    (void)fprintf(out, "  %sreceipt%s  entry %" PRIu64 ", signed: airlock receipt %s\n", p.dim,
                  p.plain, result->outcome.seq, short_id(&result->run));
    if (apply_or_null != nullptr) {
        summary_print_apply(cli, apply_or_null, out);
    }
    if (result->run.state == RUN_OPEN) {
        (void)fprintf(out,
                      "  %snext%s     %sairlock diff%s, then %sairlock apply%s or %sairlock "
                      "discard%s\n",
                      p.dim, p.plain, p.bold, p.plain, p.bold, p.plain, p.bold, p.plain);
    }
}

void summary_print_json(const struct run_exec_result *result, struct run_apply *apply_or_null,
                        FILE *out) {
    CLEANUP(json_freep) struct json *object = json_object_new();
    json_set_text(object, "run", result->run.id);
    json_set_text(object, "state", run_state_text(result->run.state));
    json_set_text(object, "outcome", record_outcome_text(result->exit.outcome));
    json_set_integer(object, "exit", result->exit_status);
    json_set_integer(object, "wall_us", (int64_t)(result->exit.wall_ns / 1000));
    json_set_integer(object, "setup_us", (int64_t)(result->exit.setup_ns / 1000));
    json_set_integer(object, "duration_us", (int64_t)result->duration_us);
    json_set_integer(object, "cpu_user_us", (int64_t)result->exit.cpu_user_us);
    json_set_integer(object, "cpu_system_us", (int64_t)result->exit.cpu_system_us);
    json_set_integer(object, "cpu_throttled_us", (int64_t)result->exit.cpu_throttled_us);
    json_set_integer(object, "memory_peak_bytes", (int64_t)result->exit.memory_peak_bytes);
    json_set_integer(object, "pids_peak", result->exit.pid_count_peak);
    json_set_integer(object, "io_read_bytes", (int64_t)result->exit.io_read_bytes);
    json_set_integer(object, "io_write_bytes", (int64_t)result->exit.io_write_bytes);
    json_set_integer(object, "paused_us", (int64_t)(result->exit.paused_ns / 1000));
    json_set_integer(object, "killed", result->exit.killed_count);
    json_set_integer(object, "output_bytes", (int64_t)result->output_bytes);
    json_set_integer(object, "output_kept_bytes", (int64_t)result->output_kept_bytes);
    struct summary_limit limit = summary_limit_of(result);
    if (limit.name != nullptr) {
        struct json *met = json_object_new();
        json_set_text(met, "name", limit.name);
        json_set_integer(met, "value", (int64_t)limit.value);
        json_set_text(met, "hint", limit.hint);
        json_set(object, "limit", met);
    }
    if (result->caches.count > 0) {
        json_set(object, "caches", record_caches(&result->caches));
    }
    json_set(object, "stage", record_stage(&result->stage));
    json_set(object, "walls", record_levels(&result->levels));
    if (result->egress != nullptr) {
        json_set(object, "egress", json_clone(result->egress));
    }
    if (apply_or_null != nullptr) {
        json_set(object, "apply", summary_apply_json(apply_or_null));
    }
    struct json *receipt = json_object_new();
    json_set_integer(receipt, "seq", (int64_t)result->outcome.seq);
    record_digest(receipt, "leaf", &result->outcome.leaf);
    json_set(object, "receipt", receipt);
    struct builder text;
    builder_init(&text, (size_t)64 * 1024);
    json_write_canonical(object, &text);
    (void)fprintf(out, "%s\n", builder_c_string(&text));
    builder_deinit(&text);
}
