/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/review_text.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/stage_names.h"
#include "codec/text.h"

enum { SHOWN_PATHS_MAX = 10000 };

static void add_age(uint64_t ms, struct builder *out) {
    static const struct {
        uint64_t ms;
        char unit;
    } units[] = {{86400000, 'd'}, {3600000, 'h'}, {60000, 'm'}, {1000, 's'}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (ms >= units[i].ms || i == 3) {
            builder_format(out, "%3" PRIu64 "%c", ms / units[i].ms, units[i].unit);
            return;
        }
    }
}

void review_text_row(const struct run *run, struct builder *out) {
    struct clock clock = clock_system();
    uint64_t now_ms = clock_wall_ms(&clock);
    builder_format(out, "%s  ", run_short_id(run->id));
    add_age(now_ms > run->started_ms ? now_ms - run->started_ms : 0, out);
    builder_format(out, "  %4" PRIu32 " change%s  ", run->change_count,
                   run->change_count == 1 ? " " : "s");
    text_escape(slice_of_string(run->workspace), out);
    builder_text(out, "  ");
    builder_text(out, run->command); /* escaped when it was written */
}

static enum cli_color color_of(enum preview_verdict verdict) {
    switch (verdict) {
    case PREVIEW_ALLOWED:
        return CLI_PLAIN;
    case PREVIEW_REVIEW:
        return CLI_YELLOW;
    case PREVIEW_DENIED:
    case PREVIEW_REFUSED:
    case PREVIEW_CONFLICT:
        return CLI_RED;
    case PREVIEW_VERDICT_COUNT:
        break;
    }
    return CLI_PLAIN;
}

static void print_path(const struct cli *cli, const struct preview_item *item, FILE *out) {
    bool color = cli->color_out;
    (void)fprintf(out, "  %c %s%-8s%s  %s", item->change, cli_color(color, color_of(item->verdict)),
                  preview_verdict_text(item->verdict), cli_color(color, CLI_PLAIN), item->path);
    if (item->reason != nullptr) {
        (void)fprintf(out, "  %s%s%s", cli_color(color, CLI_DIM), item->reason,
                      cli_color(color, CLI_PLAIN));
    }
    (void)fputc('\n', out);
}

void review_text_paths(const struct cli *cli, const struct preview *preview, FILE *out) {
    if (preview->whole != PREVIEW_ALLOWED) {
        (void)fprintf(out, "  %sall of it: %s%s  %s\n",
                      cli_color(cli->color_out, color_of(preview->whole)),
                      preview_verdict_text(preview->whole), cli_color(cli->color_out, CLI_PLAIN),
                      preview->whole_reason != nullptr ? preview->whole_reason : "");
    }
    /* What needs a look first. */
    size_t shown = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < preview->count && shown < SHOWN_PATHS_MAX; i++) {
            if ((preview->items[i].verdict == PREVIEW_ALLOWED) == (pass == 1)) {
                print_path(cli, &preview->items[i], out);
                shown++;
            }
        }
    }
    if (shown < preview->count) {
        (void)fprintf(out, "  and %zu more\n", preview->count - shown);
    }
}

static void print_failure(const struct error *err, FILE *out) {
    CLEANUP(builder_deinit) struct builder shown;
    builder_init(&shown, (size_t)8 * ERROR_MESSAGE_BYTES_MAX);
    text_escape(slice_of_string(err->message), &shown);
    (void)fprintf(out, "  cannot be judged: %s [%s]\n", builder_c_string(&shown),
                  error_slug(err->code));
}

void review_text_stage(const struct cli *cli, struct kernel *kernel, const struct run *run,
                       FILE *out) {
    CLEANUP(preview_deinit) struct preview preview = {0};
    CLEANUP(run_close) struct run opened = {.fd = -1, .lock_fd = -1};
    struct error err;
    status_t status = run_open(&kernel->state, run->id, &opened, &err);
    if (status_is_ok(status)) {
        status = kernel_preview(kernel, &opened, &preview, &err);
    }
    if (status_is_ok(status)) {
        review_text_paths(cli, &preview, out);
        (void)fputc('\n', out);
        struct diff_options options = {.color = cli->color_out, .for_terminal = true};
        status = stage_diff(&kernel->state, &opened, &options, out, &err);
    }
    if (!status_is_ok(status)) {
        print_failure(&err, out);
    }
}

struct json *review_text_json(const struct run *run, const struct preview *preview,
                              const struct error *failure) {
    struct json *object = json_object_new();
    struct json *paths = json_array_new();
    CLEANUP(builder_deinit) struct builder workspace;
    builder_init(&workspace, (size_t)4 * LIMIT_PATH_BYTES + 1);
    text_escape(slice_of_string(run->workspace), &workspace);
    json_set_text(object, "run", run->id);
    json_set_text(object, "workspace", builder_c_string(&workspace));
    json_set_text(object, "command", run->command);
    json_set_integer(object, "started_ms", (int64_t)run->started_ms);
    if (failure != nullptr) {
        json_set_text(object, "error", error_slug(failure->code));
    } else {
        json_set_text(object, "whole", preview_verdict_text(preview->whole));
    }
    for (size_t i = 0; i < preview->count; i++) {
        const struct preview_item *item = &preview->items[i];
        char change[2] = {item->change, '\0'};
        struct json *path = json_object_new();
        json_set_text(path, "path", item->path);
        json_set_text(path, "change", change);
        json_set_text(path, "verdict", preview_verdict_text(item->verdict));
        if (item->reason != nullptr) {
            json_set_text(path, "reason", item->reason);
        }
        json_append(paths, path);
    }
    json_set(object, "paths", paths);
    return object;
}
