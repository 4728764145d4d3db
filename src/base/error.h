/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors. A function that can fail returns status_t and takes a struct error as its last
 * parameter. The contract: the error is untouched on success and always set on failure. It is set
 * once, where it happens (error_set), gains context on the way up (error_context), is decided on
 * at the top and printed once. What is expected to happen (not found, would block, denied) is a
 * result, not an error.
 *
 * A struct error has a fixed size and owns nothing, so running out of memory can be reported too.
 */
#pragma once

#include <stdint.h>

enum error_code : uint16_t {
    ERROR_NONE = 0,
#define ERROR(name, slug, exit_status, meaning, hint) ERROR_##name,
#include "errors.def"
#undef ERROR
    ERROR_CODE_COUNT,
};

enum {
    ERROR_MESSAGE_BYTES_MAX = 512,
    ERROR_DETAIL_BYTES_MAX = 512,
    ERROR_HINT_BYTES_MAX = 512,
    ERROR_CONTEXT_BYTES_MAX = 192,
    ERROR_CONTEXT_COUNT_MAX = 4,
};

/* 0 is success. A struct, so that an int can neither slip in nor out. */
typedef struct [[nodiscard]] status {
    int code;
} status_t;

#define STATUS_OK ((status_t){0})

struct error {
    enum error_code code;
    int os_errno;                          /* 0 when no system call is to blame */
    char message[ERROR_MESSAGE_BYTES_MAX]; /* what was attempted, lower case, no full stop */
    char detail[ERROR_DETAIL_BYTES_MAX];   /* why, when there is more to say than os_errno says */
    char hint[ERROR_HINT_BYTES_MAX];       /* what to do; the table's hint when empty */
    char context[ERROR_CONTEXT_COUNT_MAX][ERROR_CONTEXT_BYTES_MAX];
    uint8_t context_count;
    const char *file; /* where it was set; a string constant */
    int line;
};

/* Sets an error at its origin and returns the failure status. os_errno: the errno to blame, or 0.
 * ENOSPC and EDQUOT under ERROR_IO become ERROR_DISK_FULL, so that no caller forgets it. */
#define error_set(err, code, os_errno, ...) \
    error_set_at((err), (code), (os_errno), __FILE__, __LINE__, __VA_ARGS__)
#ifdef __clang_analyzer__
/* The analyzer reads one file at a time: tell it that setting an error is never a success. */
#undef error_set
#define error_set(err, code, os_errno, ...)                                          \
    ((void)error_set_at((err), (code), (os_errno), __FILE__, __LINE__, __VA_ARGS__), \
     (status_t){(int)(code)})
#endif

[[gnu::format(printf, 6, 7)]]
status_t error_set_at(struct error *err, enum error_code code, int os_errno, const char *file,
                      int line, const char *format, ...);

/* Replaces the hint / the detail of an error that is set. */
[[gnu::format(printf, 2, 3)]]
void error_hint(struct error *err, const char *format, ...);
[[gnu::format(printf, 2, 3)]]
void error_detail(struct error *err, const char *format, ...);

/* Adds a line of context ("while applying run 41f2") and returns the failure status, so that
 * `return error_context(err, ...)` reads well. Past ERROR_CONTEXT_COUNT_MAX the oldest stay. */
[[gnu::format(printf, 2, 3)]]
status_t error_context(struct error *err, const char *format, ...);

/* The row of the table behind a code. Strings are constants. */
const char *error_slug(enum error_code code);
const char *error_meaning(enum error_code code);
const char *error_default_hint(enum error_code code);
int error_exit_status(enum error_code code);

/* Finds a code by its slug; ERROR_NONE when there is none. */
enum error_code error_find_slug(const char *slug);

/* The error's own hint, or its table row's. Borrowed from err or constant; may be "". */
const char *error_effective_hint(const struct error *err);

static inline bool status_is_ok(status_t status) {
    return status.code == 0;
}

/* Returns from the enclosing function when `call` fails. The only macro that returns. */
#define TRY(call)                         \
    do {                                  \
        status_t try_status_ = (call);    \
        if (!status_is_ok(try_status_)) { \
            return try_status_;           \
        }                                 \
    } while (0)
