/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

struct error_row {
    const char *slug;
    const char *meaning;
    const char *hint;
    int exit_status;
};

static const struct error_row error_rows[ERROR_CODE_COUNT] = {
    [ERROR_NONE] = {"none", "no error", "", 0},
#define ERROR(name, slug, exit_status, meaning, hint) \
    [ERROR_##name] = {slug, meaning, hint, exit_status},
#include "errors.def"
#undef ERROR
};

static const struct error_row *error_row(enum error_code code) {
    ASSERT(code < ERROR_CODE_COUNT);
    return &error_rows[code];
}

status_t error_set_at(struct error *err, enum error_code code, int os_errno, const char *file,
                      int line, const char *format, ...) {
    ASSERT(err != nullptr);
    ASSERT(code != ERROR_NONE && code < ERROR_CODE_COUNT);
    if (code == ERROR_IO && (os_errno == ENOSPC || os_errno == EDQUOT)) {
        code = ERROR_DISK_FULL;
    }
    *err = (struct error){.code = code, .os_errno = os_errno, .file = file, .line = line};
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    return (status_t){(int)code};
}

void error_hint(struct error *err, const char *format, ...) {
    ASSERT(err != nullptr && err->code != ERROR_NONE);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(err->hint, sizeof err->hint, format, arguments);
    va_end(arguments);
}

void error_detail(struct error *err, const char *format, ...) {
    ASSERT(err != nullptr && err->code != ERROR_NONE);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(err->detail, sizeof err->detail, format, arguments);
    va_end(arguments);
}

status_t error_context(struct error *err, const char *format, ...) {
    ASSERT(err != nullptr && err->code != ERROR_NONE);
    if (err->context_count < ERROR_CONTEXT_COUNT_MAX) {
        char *line = err->context[err->context_count];
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(line, ERROR_CONTEXT_BYTES_MAX, format, arguments);
        va_end(arguments);
        err->context_count++;
    }
    return (status_t){(int)err->code};
}

const char *error_slug(enum error_code code) {
    return error_row(code)->slug;
}

const char *error_meaning(enum error_code code) {
    return error_row(code)->meaning;
}

const char *error_default_hint(enum error_code code) {
    return error_row(code)->hint;
}

int error_exit_status(enum error_code code) {
    return error_row(code)->exit_status;
}

enum error_code error_find_slug(const char *slug) {
    for (unsigned code = ERROR_NONE + 1; code < ERROR_CODE_COUNT; code++) {
        if (strcmp(error_rows[code].slug, slug) == 0) {
            return (enum error_code)code;
        }
    }
    return ERROR_NONE;
}

const char *error_effective_hint(const struct error *err) {
    return err->hint[0] != '\0' ? err->hint : error_default_hint(err->code);
}
