/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/doctor_templates.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/doctor_view.h"
#include "codec/text.h"
#include "kernel/templates.h"
#include "sandbox/seccomp.h"

struct list {
    const struct cli *cli;
    struct json *all;
    bool some_wrong;
};

enum { CELL_BYTES = 24 };

static void bytes_text(uint64_t bytes, char ret[static CELL_BYTES]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    unsigned unit = 0;
    while (unit < 3 && bytes >= 1024) {
        bytes /= 1024;
        unit++;
    }
    (void)snprintf(ret, CELL_BYTES, "%" PRIu64 " %s", bytes, units[unit]);
}

static void print_row(const struct template_row *row) {
    char memory[CELL_BYTES];
    char stage[CELL_BYTES];
    char cpu[CELL_BYTES] = "-";
    char time[CELL_BYTES] = "-";
    bytes_text(row->limits.memory_bytes_max, memory);
    bytes_text(row->limits.stage_bytes_max, stage);
    if (row->limits.cpu_percent_max != 0) {
        (void)snprintf(cpu, sizeof cpu, "%u.%02u", row->limits.cpu_percent_max / 100,
                       row->limits.cpu_percent_max % 100);
    }
    if (row->limits.wall_ms_max != 0) {
        (void)snprintf(time, sizeof time, "%" PRIu64 " s", row->limits.wall_ms_max / 1000);
    }
    (void)printf("%-16s %8s %6u %5s %6s %8s  %-8s  %-10s  %-6s  %s\n", row->name, memory,
                 row->limits.pid_count_max, cpu, time, stage, seccomp_profile_text(row->seccomp),
                 row->network == TEMPLATE_NETWORK_NONE ? "none" : "restricted",
                 row->caches == TEMPLATE_CACHES_NONE ? "none" : "read", row->summary);
}

static void add_row(struct json *all, const struct template_row *row, const char *origin) {
    struct json *object = json_object_new();
    json_set_text(object, "name", row->name);
    json_set_text(object, "origin", origin);
    json_set_text(object, "summary", row->summary);
    json_set_text(object, "digest", row->digest);
    json_set_text(object, "seccomp", seccomp_profile_text(row->seccomp));
    json_set_text(object, "network", row->network == TEMPLATE_NETWORK_NONE ? "none" : "restricted");
    json_set_text(object, "caches", row->caches == TEMPLATE_CACHES_NONE ? "none" : "read");
    json_set_integer(object, "memory_bytes_max", (int64_t)row->limits.memory_bytes_max);
    json_set_integer(object, "pid_count_max", row->limits.pid_count_max);
    json_set_integer(object, "cpu_percent_max", row->limits.cpu_percent_max);
    json_set_integer(object, "cpu_weight", row->limits.cpu_weight);
    json_set_integer(object, "wall_ms_max", (int64_t)row->limits.wall_ms_max);
    json_set_integer(object, "agent_wall_ms_max", (int64_t)row->agent_wall_ms_max);
    json_set_integer(object, "stage_bytes_max", (int64_t)row->limits.stage_bytes_max);
    json_set_integer(object, "file_bytes_max", (int64_t)row->limits.file_bytes_max);
    json_set_integer(object, "output_bytes_max", (int64_t)row->limits.output_bytes_max);
    json_set_integer(object, "read_rate_max", (int64_t)row->limits.read_rate_max);
    json_set_integer(object, "write_rate_max", (int64_t)row->limits.write_rate_max);
    json_append(all, object);
}

static void show(struct list *list, const struct template_row *row, const char *origin) {
    if (list->cli->json) {
        add_row(list->all, row, origin);
    } else {
        print_row(row);
    }
}

static void show_own(void *context, const char *name, const struct template_row *row,
                     const struct error *wrong) {
    struct list *list = context;
    if (row != nullptr) {
        show(list, row, "user");
        return;
    }
    list->some_wrong = true;
    CLEANUP(builder_deinit) struct builder shown;
    builder_init(&shown, 4096);
    text_escape(slice_of_string(name), &shown);
    if (list->cli->json) {
        struct json *object = json_object_new();
        json_set_text(object, "name", builder_c_string(&shown));
        json_set_text(object, "origin", "user");
        json_set_text(object, "error", wrong->message);
        json_append(list->all, object);
    } else {
        (void)printf("%-16s cannot be used: %s\n", builder_c_string(&shown), wrong->message);
    }
}

int doctor_templates(const struct cli *cli) {
    CLEANUP(json_freep) struct json *all = json_array_new();
    struct list list = {.cli = cli, .all = all};
    if (!cli->json) {
        (void)printf("%-16s %8s %6s %5s %6s %8s  %-8s  %-10s  %-6s  %s\n", "template", "memory",
                     "procs", "cpu", "time", "stage", "seccomp", "network", "caches", "for");
    }
    for (size_t i = 0; i < template_count(); i++) {
        show(&list, template_at(i), "airlock");
    }
    templates_each_own(show_own, &list);
    if (cli->json) {
        doctor_print_json(all);
    }
    return list.some_wrong ? error_exit_status(ERROR_TEMPLATE_INVALID) : 0;
}
