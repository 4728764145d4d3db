/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock log report: what an auditor hands in.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/report.h"
#include "base/cleanup.h"
#include "cli/log_commands.h"
#include "codec/text.h"

struct figure {
    const char *key;
    const char *label;
    uint64_t value;
};

enum { FIGURES_MAX = 20, LISTS = 6 };

struct list {
    const char *key;
    const char *title;
    const struct audit_tally *tally;
};

/* Every figure and every list, once for the table and once for --json. */
struct layout {
    struct figure figures[FIGURES_MAX];
    size_t figure_count;
    struct list lists[LISTS];
};

static void layout_of(const struct audit_report *report, struct layout *ret_layout) {
    const struct figure figures[] = {
        {"entries", "entries", report->entries},
        {"entries_without_bytes", "entries deleted by retention before", report->gone},
        {"allowed", "decisions: allowed", report->allowed},
        {"denied", "decisions: denied", report->denied},
        {"reviewed", "decisions: review demanded", report->reviewed},
        {"reviewed_paths", "paths a person said yes to", report->reviewed_paths},
        {"applies", "merges (applies)", report->applies},
        {"applies_failed", "merges that failed", report->failed_applies},
        {"steps_applied", "steps merged into workspaces", report->applied_steps},
        {"steps_skipped", "steps skipped", report->skipped_steps},
        {"discards", "stages discarded", report->discards},
        {"stage_bytes", "bytes staged", report->stage_bytes},
        {"output_bytes", "bytes of output", report->output_bytes},
        {"cpu_us", "processor time, us", report->cpu_us},
        {"policy_changes", "changes of policy", report->policy_changes},
        {"dropped", "operational entries dropped", report->dropped},
    };
    static_assert(sizeof figures / sizeof figures[0] <= FIGURES_MAX);
    const struct list lists[LISTS] = {
        {"rules", "DECISIONS BY RULE", &report->rules},
        {"runs", "RUNS BY OUTCOME", &report->outcomes},
        {"hosts", "HOSTS", &report->hosts},
        {"callers", "CALLERS", &report->callers},
        {"operations", "OPERATIONS", &report->operations},
        {"types", "ENTRIES BY TYPE", &report->types},
    };
    memcpy(ret_layout->figures, figures, sizeof figures);
    memcpy(ret_layout->lists, lists, sizeof lists);
    ret_layout->figure_count = sizeof figures / sizeof figures[0];
}

static struct json *tally_json(const struct audit_tally *tally, bool is_rules) {
    struct json *rows = json_array_new();
    for (size_t i = 0; i < tally->count; i++) {
        struct json *row = json_object_new();
        json_set_text(row, "name", tally->rows[i].name);
        json_set_integer(row, "count", (int64_t)tally->rows[i].count);
        if (is_rules) {
            json_set_integer(row, "denied", (int64_t)tally->rows[i].denied);
            json_set_integer(row, "reviewed", (int64_t)tally->rows[i].reviewed);
        }
        json_append(rows, row);
    }
    return rows;
}

static void print_json(const struct audit_report *report, const struct layout *layout) {
    CLEANUP(json_freep) struct json *object = json_object_new();
    struct builder text;
    for (size_t i = 0; i < layout->figure_count; i++) {
        json_set_integer(object, layout->figures[i].key, (int64_t)layout->figures[i].value);
    }
    for (size_t i = 0; i < LISTS; i++) {
        const struct audit_tally *tally = layout->lists[i].tally;
        json_set(object, layout->lists[i].key, tally_json(tally, tally == &report->rules));
    }
    json_set_integer(object, "first_ms", (int64_t)report->first_ms);
    json_set_integer(object, "last_ms", (int64_t)report->last_ms);
    json_set_integer(object, "first_seq", (int64_t)report->first_seq);
    json_set_integer(object, "last_seq", (int64_t)report->last_seq);
    builder_init(&text, (size_t)LIMIT_RECEIPT_BYTES * 4);
    json_write_canonical(object, &text);
    builder_u8(&text, '\n');
    log_print(&text);
    builder_deinit(&text);
}

static void print_tally(const struct cli *cli, const struct list *list, bool is_rules) {
    struct builder name;
    if (list->tally->count == 0) {
        return;
    }
    (void)printf("\n%s%-44s %10s%s%s\n", cli_color(cli->color_out, CLI_BOLD), list->title, "COUNT",
                 is_rules ? "     DENIED     REVIEW" : "", cli_color(cli->color_out, CLI_PLAIN));
    builder_init(&name, (size_t)4 * AUDIT_TALLY_NAME_BYTES + 1);
    for (size_t i = 0; i < list->tally->count; i++) {
        const struct audit_tally_row *row = &list->tally->rows[i];
        builder_reset(&name);
        text_escape(slice_of_string(row->name), &name);
        (void)printf("%-44s %10" PRIu64, builder_c_string(&name), row->count);
        if (is_rules) {
            (void)printf(" %10" PRIu64 " %10" PRIu64, row->denied, row->reviewed);
        }
        (void)printf("\n");
    }
    builder_deinit(&name);
}

static void print_table(const struct cli *cli, const struct audit_report *report,
                        const struct layout *layout) {
    char first[LOG_TIME_BYTES];
    char last[LOG_TIME_BYTES];
    log_format_time((int64_t)report->first_ms, first);
    log_format_time((int64_t)report->last_ms, last);
    (void)printf("entries %" PRIu64 " to %" PRIu64 ", %s to %s UTC\n\n", report->first_seq,
                 report->last_seq, first, last);
    for (size_t i = 0; i < layout->figure_count; i++) {
        (void)printf("%-44s %10" PRIu64 "\n", layout->figures[i].label, layout->figures[i].value);
    }
    for (size_t i = 0; i < LISTS; i++) {
        print_tally(cli, &layout->lists[i], layout->lists[i].tally == &report->rules);
    }
}

status_t log_report(const struct cli *cli, struct log_session *session,
                    const struct log_request *request, [[maybe_unused]] const char *operand,
                    struct error *err) {
    struct layout layout;
    CLEANUP(memory_freep) struct audit_report *report = malloc(sizeof *report);
    if (report == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot make a report");
    }
    log_warn_storage(session->log);
    TRY(audit_report_make(session->log, request->since_ms, request->until_ms, report, err));
    layout_of(report, &layout);
    if (cli->json) {
        print_json(report, &layout);
    } else if (report->entries == 0) {
        (void)fprintf(stderr, "no entries\n");
    } else {
        print_table(cli, report, &layout);
    }
    return STATUS_OK;
}
