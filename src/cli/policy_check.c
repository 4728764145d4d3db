/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock policy check and show: what is wrong with a policy file, and which files are in force.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/policy_commands.h"
#include "codec/text.h"
#include "kernel/workspace.h"
#include "policy/builtin.h"
#include "policy/default.h"
#include "sys/fd.h"

struct check {
    const struct cli *cli;
    struct policy_diagnostics *diagnostics; /* owned */
    struct json *files;                     /* with --json; owned */
    size_t error_count, warning_count;
};

[[gnu::format(printf, 3, 4)]]
static void add_error(struct policy_diagnostics *diagnostics, const struct policy_place *place,
                      const char *format, ...) {
    va_list arguments;
    const struct policy_finding finding = {POLICY_SEVERITY_ERROR, *place, ""};
    va_start(arguments, format);
    policy_diagnostics_add(diagnostics, &finding, format, arguments);
    va_end(arguments);
}

/* What only the compiler finds (globs that cannot be one) as a diagnostic: its message begins with
 * FILE:LINE:COLUMN. */
static void take_compile_error(struct policy_diagnostics *diagnostics, struct slice text,
                               const struct error *failure) {
    size_t prefix = strlen(diagnostics->file);
    struct policy_place place = {1, 1};
    const char *message = failure->message;
    int used = 0;
    if (strncmp(message, diagnostics->file, prefix) == 0 &&
        sscanf(message + prefix, ":%" SCNu32 ":%" SCNu32 ": %n", &place.line, &place.column,
               &used) == 2) {
        message += prefix + (size_t)used;
    }
    diagnostics->text = text;
    add_error(diagnostics, &place, "%s: %s", message, failure->detail);
    policy_diagnostics_end(diagnostics);
}

/* Loads and compiles; everything that is wrong ends up in the diagnostics. */
static status_t load_text(struct check *check, struct slice text, const char *name,
                          size_t *ret_rules, struct error *err) {
    CLEANUP(policy_document_freep) struct policy_document *document = nullptr;
    CLEANUP(policy_rules_freep) struct policy_rules *rules = nullptr;
    struct error failure = {0};
    status_t status = policy_load(text, name, check->diagnostics, &document, &failure);
    if (status_is_ok(status)) {
        const struct policy_layer_source layer = {document, POLICY_LAYER_USER, POLICY_LAYER_FULL};
        status = policy_compile(&layer, 1, &rules, &failure);
        if (status.code == ERROR_POLICY_INVALID) {
            take_compile_error(check->diagnostics, text, &failure);
        }
    }
    if (!status_is_ok(status) && check->diagnostics->error_count == 0) {
        *err = failure; /* memory: it says nothing about the file */
        return status;
    }
    *ret_rules = status_is_ok(status) ? document->rule_count : 0;
    return STATUS_OK;
}

static void print_summary(const struct check *check, const char *name, size_t rules) {
    const struct policy_diagnostics *all = check->diagnostics;
    const char *plain = cli_color(check->cli->color_out, CLI_PLAIN);
    struct builder shown;
    builder_init(&shown, (size_t)4 * LIMIT_PATH_BYTES + 1);
    text_escape(slice_of_string(name), &shown);
    policy_print_diagnostics(check->cli, all);
    if (all->error_count > 0) {
        (void)printf("%sFAIL%s  %s: %zu error%s, %zu warning%s\n",
                     cli_color(check->cli->color_out, CLI_RED), plain, builder_c_string(&shown),
                     all->error_count, all->error_count == 1 ? "" : "s", all->warning_count,
                     all->warning_count == 1 ? "" : "s");
    } else {
        (void)printf("%sOK%s  %s: %zu rule%s, %zu warning%s\n",
                     cli_color(check->cli->color_out, CLI_GREEN), plain, builder_c_string(&shown),
                     rules, rules == 1 ? "" : "s", all->warning_count,
                     all->warning_count == 1 ? "" : "s");
    }
    builder_deinit(&shown);
}

static status_t check_one(struct check *check, struct slice text, const char *name,
                          struct error *err) {
    size_t rules;
    TRY(load_text(check, text, name, &rules, err));
    check->error_count += check->diagnostics->error_count;
    check->warning_count += check->diagnostics->warning_count;
    if (!check->cli->json) {
        print_summary(check, name, rules);
        return STATUS_OK;
    }
    struct json *file = json_object_new();
    policy_json_text(file, "file", name);
    json_set_bool(file, "valid", check->diagnostics->error_count == 0);
    json_set_integer(file, "rules", (int64_t)rules);
    json_set_integer(file, "errors", (int64_t)check->diagnostics->error_count);
    json_set_integer(file, "warnings", (int64_t)check->diagnostics->warning_count);
    json_set(file, "diagnostics", policy_json_diagnostics(check->diagnostics));
    json_append(check->files, file);
    return STATUS_OK;
}

static status_t check_file(struct check *check, const char *path, struct error *err) {
    CLEANUP(builder_deinit) struct builder text = {};
    TRY(policy_read_file(path, &text, err));
    return check_one(check, builder_slice(&text), path, err);
}

/* Each file that would count here, whether or not the others are in order. */
static status_t check_in_force(struct check *check, const struct policy_options *options,
                               struct error *err) {
    char path[LIMIT_PATH_BYTES];
    char workspace[LIMIT_PATH_BYTES];
    TRY(policy_files_user_path(path, err));
    if (access(path, F_OK) == 0 || errno != ENOENT) {
        TRY(check_file(check, path, err));
    } else {
        TRY(check_one(check, policy_default_text(), POLICY_DEFAULT_FILE, err));
    }
    TRY(workspace_find(options->workspace, workspace, err));
    int size = snprintf(path, sizeof path, "%s/.airlock/policy.yaml", workspace);
    if (size < 0 || (size_t)size >= sizeof path || (access(path, F_OK) != 0 && errno == ENOENT)) {
        return STATUS_OK;
    }
    return check_file(check, path, err);
}

/* Whether they do count: whose files they are, and who else may write them. */
static status_t check_counts(const struct policy_options *options, struct error *err) {
    struct policy_session session = {};
    TRY(policy_session_open(options, nullptr, &session, err));
    policy_session_close(&session);
    return STATUS_OK;
}

status_t policy_check_text(const struct cli *cli, struct slice text, const char *name,
                           bool *ret_valid, struct error *err) {
    CLEANUP(memory_freep)
    struct policy_diagnostics *diagnostics = calloc(1, sizeof *diagnostics);
    CLEANUP(json_freep) struct json *files = json_array_new();
    struct check check = {.cli = cli, .diagnostics = diagnostics, .files = files};
    if (diagnostics == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot check a policy");
    }
    TRY(check_one(&check, text, name, err));
    *ret_valid = check.error_count == 0;
    return STATUS_OK;
}

status_t policy_command_check(const struct cli *cli, const struct policy_options *options,
                              char **operands, int *ret_exit, struct error *err) {
    CLEANUP(memory_freep)
    struct policy_diagnostics *diagnostics = calloc(1, sizeof *diagnostics);
    CLEANUP(json_freep) struct json *answer = json_object_new();
    struct check check = {.cli = cli, .diagnostics = diagnostics, .files = json_array_new()};
    json_set(answer, "files", check.files);
    if (diagnostics == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot check a policy");
    }
    TRY(operands[0] != nullptr ? check_file(&check, operands[0], err)
                               : check_in_force(&check, options, err));
    if (operands[0] == nullptr && check.error_count == 0) {
        TRY(check_counts(options, err));
    }
    *ret_exit = check.error_count > 0;
    if (cli->json) {
        json_set_bool(answer, "valid", check.error_count == 0);
        policy_print_json(TAKE(answer));
    }
    return STATUS_OK;
}

struct show_row {
    const char *layer;
    const struct policy_file *file;
    const char *note; /* plain text */
};

static const char *trust_text(enum policy_trust trust) {
    switch (trust) {
    case POLICY_TRUST_NONE:
        return "no file";
    case POLICY_TRUST_UNTRUSTED:
        return "not trusted";
    case POLICY_TRUST_TRUSTED:
        return "trusted";
    }
    return "";
}

static size_t rule_count(const struct policy_file *file) {
    return file->document == nullptr ? 0 : file->document->rule_count;
}

static void show_row(const struct cli *cli, const struct show_row *row) {
    struct builder text;
    builder_init(&text, (size_t)4 * LIMIT_PATH_BYTES + 256);
    text_hex(slice_of(row->file->digest.bytes, 6), &text);
    (void)printf(
        "%-9s  %6zu  %-12s  %s%-11s%s  ", row->layer, rule_count(row->file),
        row->file->document == nullptr ? "" : builder_c_string(&text),
        cli_color(cli->color_out, strcmp(row->note, "not trusted") == 0 ? CLI_YELLOW : CLI_PLAIN),
        row->note, cli_color(cli->color_out, CLI_PLAIN));
    builder_reset(&text);
    text_escape(slice_of_string(row->file->path[0] != '\0' ? row->file->path : "-"), &text);
    (void)printf("%s\n", builder_c_string(&text));
    builder_deinit(&text);
}

static struct json *json_file(const struct policy_file *file) {
    struct json *object = json_object_new();
    struct builder hex;
    builder_init(&hex, (size_t)2 * DIGEST_BYTES + 1);
    text_hex(slice_of(file->digest.bytes, DIGEST_BYTES), &hex);
    policy_json_text(object, "path", file->path);
    json_set_integer(object, "rules", (int64_t)rule_count(file));
    if (file->document != nullptr) {
        json_set_text(object, "digest", builder_c_string(&hex));
        json_set_integer(object, "warnings", (int64_t)file->diagnostics->warning_count);
    }
    builder_deinit(&hex);
    return object;
}

static void show_json(const struct policy_session *session, const char *digest) {
    const struct policy_in_force *policy = &session->policy;
    struct json *object = json_object_new();
    json_set(object, "user", json_file(&policy->user));
    struct json *workspace = json_file(&policy->workspace);
    json_set_text(workspace, "trust", trust_text(policy->trust));
    json_set_integer(workspace, "allows_dropped", (int64_t)policy_rules_dropped(policy->rules));
    json_set(object, "workspace", workspace);
    json_set_integer(object, "builtin_rules", (int64_t)policy->engine.builtin_count);
    json_set_text(object, "digest", digest);
    policy_print_json(object);
}

static void show_table(const struct cli *cli, const struct policy_session *session,
                       const char *digest) {
    const struct policy_in_force *policy = &session->policy;
    const char *bold = cli_color(cli->color_out, CLI_BOLD);
    const char *plain = cli_color(cli->color_out, CLI_PLAIN);
    (void)printf("%s%-9s  %6s  %-12s  %-11s  %s%s\n", bold, "LAYER", "RULES", "SHA-256", "TRUST",
                 "FILE", plain);
    (void)printf("%-9s  %6zu  %-12s  %-11s  %s\n", "built in", policy->engine.builtin_count, "",
                 "always", "-");
    const struct show_row user = {"user", &policy->user, "yours"};
    const struct show_row workspace = {"workspace", &policy->workspace, trust_text(policy->trust)};
    show_row(cli, &user);
    show_row(cli, &workspace);
    (void)printf("in force   %s\n", digest);
    size_t dropped = policy_rules_dropped(policy->rules);
    if (dropped > 0) {
        (void)printf("%zu rule%s of the workspace's file allow%s nothing until you trust it: "
                     "airlock policy trust\n",
                     dropped, dropped == 1 ? "" : "s", dropped == 1 ? "s" : "");
    }
}

status_t policy_command_show(const struct cli *cli, const struct policy_options *options,
                             [[maybe_unused]] char **operands, [[maybe_unused]] int *ret_exit,
                             struct error *err) {
    struct policy_session session = {};
    struct builder digest;
    TRY(policy_session_open(options, options->policy, &session, err));
    builder_init(&digest, (size_t)2 * DIGEST_BYTES + 1);
    text_hex(slice_of(session.policy.digest.bytes, DIGEST_BYTES), &digest);
    if (cli->json) {
        show_json(&session, builder_c_string(&digest));
    } else {
        show_table(cli, &session, builder_c_string(&digest));
    }
    builder_deinit(&digest);
    policy_session_close(&session);
    return STATUS_OK;
}
