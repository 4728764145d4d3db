/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/summary_apply.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "codec/json.h"

enum { REASON_BYTES_MAX = 1 << 17 };

static const char *outcome_text(enum run_apply_outcome outcome) {
    switch (outcome) {
    case RUN_APPLY_DONE:
        return "applied";
    case RUN_APPLY_NOTHING:
        return "nothing";
    case RUN_APPLY_LEFT:
        return "left";
    case RUN_APPLY_FAILED:
        return "failed";
    }
    return "";
}

static void print_reasons(const struct cli *cli, struct run_apply *apply, FILE *out) {
    CLEANUP(builder_deinit) struct builder scratch;
    const char *before = apply->outcome == RUN_APPLY_FAILED ? "failed" : "left";
    builder_init(&scratch, REASON_BYTES_MAX);
    for (size_t i = 0; i < AUTOMATIC_REASON_COUNT; i++) {
        const char *text = automatic_text(&apply->automatic, (enum automatic_reason)i, &scratch);
        if (text[0] != '\0') {
            (void)fprintf(out, "  %s%-9s%s %s\n", cli_color(cli->color_err, CLI_YELLOW), before,
                          cli_color(cli->color_err, CLI_PLAIN), text);
            before = "and";
        }
    }
}

void summary_print_apply(const struct cli *cli, struct run_apply *apply, FILE *out) {
    const char *plain = cli_color(cli->color_err, CLI_PLAIN);
    switch (apply->outcome) {
    case RUN_APPLY_NOTHING:
        return; /* the line about the stage says so */
    case RUN_APPLY_DONE:
        (void)fprintf(out,
                      "  %sapplied%s   %" PRIu32 " change%s by rule %s: %" PRIu64
                      " changed lines in %" PRIu32 " files (entry %" PRIu64 ")\n",
                      cli_color(cli->color_err, CLI_GREEN), plain, apply->result.applied,
                      apply->result.applied == 1 ? "" : "s", apply->rule,
                      apply->automatic.changed_lines, apply->automatic.changed_files, apply->seq);
        return;
    case RUN_APPLY_LEFT:
    case RUN_APPLY_FAILED:
        print_reasons(cli, apply, out);
        return;
    }
}

struct json *summary_apply_json(struct run_apply *apply) {
    CLEANUP(builder_deinit) struct builder scratch;
    struct json *object = json_object_new();
    builder_init(&scratch, REASON_BYTES_MAX);
    json_set_text(object, "outcome", outcome_text(apply->outcome));
    if (apply->outcome == RUN_APPLY_DONE) {
        json_set_integer(object, "applied", apply->result.applied);
        json_set_integer(object, "changed_files", apply->automatic.changed_files);
        json_set_integer(object, "changed_lines", (int64_t)apply->automatic.changed_lines);
        json_set_integer(object, "entry", (int64_t)apply->seq);
        json_set_text(object, "rule", apply->rule);
        return object;
    }
    struct json *reasons = json_array_new();
    for (size_t i = 0; i < AUTOMATIC_REASON_COUNT; i++) {
        const char *text = automatic_text(&apply->automatic, (enum automatic_reason)i, &scratch);
        if (text[0] != '\0') {
            struct json *reason = json_object_new();
            json_set_text(reason, "reason", automatic_reason_slug((enum automatic_reason)i));
            json_set_text(reason, "text", text);
            json_append(reasons, reason);
        }
    }
    json_set(object, "reasons", reasons);
    return object;
}
