/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "cli/log_view.h"
#include "cli/policy_commands.h"
#include "codec/text.h"
#include "kernel/workspace.h"

enum { SHOWN_BYTES_MAX = 4 * LIMIT_PATH_BYTES + 64, JSON_BYTES_MAX = 64 << 20 };

status_t policy_read_file(const char *path, struct builder *ret_text, struct error *err) {
    builder_init(ret_text, (size_t)LIMIT_YAML_BYTES);
    return log_read_file(path, ret_text, err);
}

static status_t load(const struct policy_options *options, const char *file,
                     struct policy_session *session, struct error *err) {
    CLEANUP(builder_deinit) struct builder text = {};
    TRY(workspace_find(options->workspace, session->workspace, err));
    if (file == nullptr) {
        return policy_files_load(&session->state, session->workspace, &session->policy, err);
    }
    TRY(policy_read_file(file, &text, err));
    return policy_files_load_with(&session->state, session->workspace, builder_slice(&text), file,
                                  &session->policy, err);
}

status_t policy_session_open(const struct policy_options *options, const char *file,
                             struct policy_session *ret_session, struct error *err) {
    TRY(state_open(&ret_session->state, err));
    status_t status = load(options, file, ret_session, err);
    if (!status_is_ok(status)) {
        state_close(&ret_session->state);
    }
    return status;
}

void policy_session_close(struct policy_session *session) {
    policy_in_force_deinit(&session->policy);
    state_close(&session->state);
}

void policy_show_place(const struct policy_rule_ref *rule, struct builder *out) {
    if (rule->file != nullptr) {
        text_escape(slice_of_string(rule->file), out);
        builder_format(out, ":%u", rule->line);
        return;
    }
    builder_text(out, rule->layer == POLICY_LAYER_NONE ? "no rule" : "built in");
}

enum cli_color policy_outcome_color(enum policy_outcome outcome) {
    switch (outcome) {
    case POLICY_ALLOW:
        return CLI_GREEN;
    case POLICY_DENY:
        return CLI_RED;
    case POLICY_REVIEW:
        return CLI_YELLOW;
    }
    ASSERT(!"an outcome of the enum");
    return CLI_PLAIN;
}

void policy_json_text(struct json *object, const char *key, const char *any_bytes) {
    struct builder text;
    builder_init(&text, SHOWN_BYTES_MAX);
    text_escape_short(slice_of_string(any_bytes), SHOWN_BYTES_MAX - 1, &text);
    json_set_text(object, key, builder_c_string(&text));
    builder_deinit(&text);
}

void policy_json_rule(struct json *object, const struct policy_rule_ref *rule) {
    policy_json_text(object, "rule", rule->name);
    json_set_text(object, "layer", policy_layer_text(rule->layer));
    if (rule->file != nullptr) {
        policy_json_text(object, "file", rule->file);
        json_set_integer(object, "line", rule->line);
    }
}

void policy_print_json(struct json *consumed) {
    CLEANUP(json_freep) struct json *value = consumed;
    struct builder text;
    builder_init(&text, JSON_BYTES_MAX);
    json_write_canonical(value, &text);
    (void)puts(builder_c_string(&text));
    builder_deinit(&text);
}

static void add_diagnostics(struct json *array, const struct policy_diagnostic *all, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct json *object = json_object_new();
        json_set_text(object, "severity",
                      all[i].severity == POLICY_SEVERITY_ERROR ? "error" : "warning");
        json_set_integer(object, "line", all[i].line);
        json_set_integer(object, "column", all[i].column);
        policy_json_text(object, "message", all[i].message);
        policy_json_text(object, "hint", all[i].hint);
        json_append(array, object);
    }
}

struct json *policy_json_diagnostics(const struct policy_diagnostics *diagnostics) {
    struct json *array = json_array_new();
    add_diagnostics(array, diagnostics->errors, diagnostics->errors_kept);
    add_diagnostics(array, diagnostics->warnings, diagnostics->warnings_kept);
    return array;
}

/* One line of policy_diagnostics_format(): the place bold, its kind in colour, the caret too. */
static void print_line(const char *line, size_t length) {
    static const struct {
        const char *mark;
        enum cli_color color;
    } KINDS[] = {{": error: ", CLI_RED}, {": warning: ", CLI_YELLOW}};
    const char *plain = cli_color(true, CLI_PLAIN);
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        const char *mark = memmem(line, length, KINDS[i].mark, strlen(KINDS[i].mark));
        if (mark != nullptr && line[0] != ' ') {
            int place = (int)(mark - line);
            int kind = (int)strlen(KINDS[i].mark) - 3;
            (void)printf("%s%.*s:%s %s%.*s%s%.*s\n", cli_color(true, CLI_BOLD), place, line, plain,
                         cli_color(true, KINDS[i].color), kind, mark + 2, plain,
                         (int)length - place - kind - 2, mark + 2 + kind);
            return;
        }
    }
    bool is_caret = length > 7 && memcmp(line, "      |", 7) == 0;
    bool is_hint = length > 7 && memcmp(line, "  hint:", 7) == 0;
    enum cli_color color = is_caret || is_hint ? CLI_DIM : CLI_PLAIN;
    (void)printf("%s%.*s%s\n", is_caret ? cli_color(true, CLI_GREEN) : cli_color(true, color),
                 (int)length, line, plain);
}

void policy_print_diagnostics(const struct cli *cli, const struct policy_diagnostics *diagnostics) {
    struct builder text;
    builder_init(&text, (size_t)1 << 20);
    policy_diagnostics_format(diagnostics, &text);
    const char *line = builder_c_string(&text);
    while (*line != '\0') {
        size_t length = strcspn(line, "\n");
        if (cli->color_out) {
            print_line(line, length);
        } else {
            (void)printf("%.*s\n", (int)length, line);
        }
        line += length + (line[length] == '\n');
    }
    builder_deinit(&text);
}
