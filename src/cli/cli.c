/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "cli/cli_internal.h"
#include "codec/json.h"
#include "codec/text.h"

static bool color_is_wanted(int fd) {
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    if (no_color != nullptr && no_color[0] != '\0') {
        return false;
    }
    return isatty(fd) == 1 && term != nullptr && strcmp(term, "dumb") != 0;
}

void cli_init(struct cli *ret_cli, const char *program) {
    *ret_cli = (struct cli){
        .program = program,
        .color_out = color_is_wanted(STDOUT_FILENO),
        .color_err = color_is_wanted(STDERR_FILENO),
    };
}

const char *cli_color(bool enabled, enum cli_color color) {
    static const char *const codes[] = {
        [CLI_PLAIN] = "\033[0m", [CLI_BOLD] = "\033[1m",   [CLI_DIM] = "\033[2m",
        [CLI_RED] = "\033[31m",  [CLI_GREEN] = "\033[32m", [CLI_YELLOW] = "\033[33m",
        [CLI_BLUE] = "\033[34m",
    };
    ASSERT(color < sizeof codes / sizeof codes[0]);
    return enabled ? codes[color] : "";
}

/* The text of an error's second line: its detail, what the system said, or the table's meaning. */
static void error_why(const struct error *err, char *ret_text, size_t size) {
    const char *system = err->os_errno != 0 ? strerrordesc_np(err->os_errno) : nullptr;
    if (err->detail[0] != '\0' && system != nullptr) {
        (void)snprintf(ret_text, size, "%s (%s)", err->detail, system);
    } else if (err->detail[0] != '\0') {
        (void)snprintf(ret_text, size, "%s", err->detail);
    } else {
        (void)snprintf(ret_text, size, "%s", system != nullptr ? system : error_meaning(err->code));
    }
}

static void set_any_text(struct json *object, const char *key, const char *text) {
    if (text_is_utf8(slice_of_string(text))) {
        json_set_text(object, key, text);
        return;
    }
    struct builder escaped;
    builder_init(&escaped, (size_t)4 * ERROR_MESSAGE_BYTES_MAX);
    text_escape(slice_of_string(text), &escaped);
    json_set_text(object, key, builder_c_string(&escaped));
    builder_deinit(&escaped);
}

static void error_print_json(const struct error *err, const char *why) {
    CLEANUP(json_freep) struct json *object = json_object_new();
    struct json *error = json_object_new();
    json_set_text(error, "slug", error_slug(err->code));
    set_any_text(error, "message", err->message);
    set_any_text(error, "why", why);
    set_any_text(error, "hint", error_effective_hint(err));
    json_set_integer(error, "exit_status", error_exit_status(err->code));
    struct json *context = json_array_new();
    for (unsigned i = 0; i < err->context_count; i++) {
        json_append_text(context, err->context[i]);
    }
    json_set(error, "context", context);
    json_set(object, "error", error);
    struct builder text;
    builder_init(&text, (size_t)64 * 1024);
    json_write_canonical(object, &text);
    (void)fprintf(stderr, "%s\n", builder_c_string(&text));
    builder_deinit(&text);
}

int cli_error(const struct cli *cli, const struct error *err) {
    ASSERT(err->code != ERROR_NONE);
    char why[ERROR_DETAIL_BYTES_MAX + 128];
    error_why(err, why, sizeof why);
    (void)fflush(stdout);
    if (cli->json) {
        error_print_json(err, why);
        return error_exit_status(err->code);
    }
    const char *plain = cli_color(cli->color_err, CLI_PLAIN);
    const char *dim = cli_color(cli->color_err, CLI_DIM);
    (void)fprintf(stderr, "%sairlock:%s %s %s[%s]%s\n", cli_color(cli->color_err, CLI_RED), plain,
                  err->message, dim, error_slug(err->code), plain);
    (void)fprintf(stderr, "  %swhy:%s %s\n", dim, plain, why);
    const char *hint = error_effective_hint(err);
    if (hint[0] != '\0') {
        (void)fprintf(stderr, "  %sfix:%s %s\n", dim, plain, hint);
    }
    for (unsigned i = 0; i < err->context_count; i++) {
        (void)fprintf(stderr, "   %sin:%s %s\n", dim, plain, err->context[i]);
    }
    return error_exit_status(err->code);
}

bool cli_begin(struct cli *cli, int *argc, char **argv, const struct cli_form *form,
               int *ret_exit) {
    struct error err;
    if (!status_is_ok(cli_parse(cli, argc, argv, form, &err))) {
        *ret_exit = cli_error(cli, &err);
        return false;
    }
    *ret_exit = 0;
    return !cli->is_answered;
}
