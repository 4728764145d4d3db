/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/error_report.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "base/names.h"
#include "codec/json.h"
#include "codec/text.h"

enum { REPORT_BYTES_MAX = 64 * 1024 };

static const char *value_of(char *const *environment, const char *name) {
    size_t size = strlen(name);
    for (; *environment != nullptr; environment++) {
        if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=') {
            return *environment + size + 1;
        }
    }
    return nullptr;
}

bool error_report_color(int fd, char *const *environment) {
    const char *no_color = value_of(environment, "NO_COLOR");
    const char *term = value_of(environment, "TERM");
    if (no_color != nullptr && no_color[0] != '\0') {
        return false;
    }
    return isatty(fd) == 1 && term != nullptr && strcmp(term, "dumb") != 0;
}

void error_report_why(const struct error *err, char *ret_text, size_t size) {
    const char *system = err->os_errno != 0 ? names_errno(err->os_errno) : nullptr;
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

static void print_json(const struct error *err, const char *why) {
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
    builder_init(&text, REPORT_BYTES_MAX);
    json_write_canonical(object, &text);
    (void)fprintf(stderr, "%s\n", builder_c_string(&text));
    builder_deinit(&text);
}

int error_report(const struct error_report *how, const struct error *err) {
    ASSERT(err->code != ERROR_NONE);
    char why[ERROR_DETAIL_BYTES_MAX + 128];
    error_report_why(err, why, sizeof why);
    (void)fflush(stdout);
    if (how->json) {
        print_json(err, why);
        return error_exit_status(err->code);
    }
    const char *plain = how->color ? "\033[0m" : "";
    const char *dim = how->color ? "\033[2m" : "";
    const char *red = how->color ? "\033[31m" : "";
    (void)fprintf(stderr, "%sairlock:%s %s %s[%s]%s\n", red, plain, err->message, dim,
                  error_slug(err->code), plain);
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
