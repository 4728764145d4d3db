/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/command.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "codec/text.h"

status_t command_check_size(const char *const *texts, const char *what, struct error *err) {
    size_t count = 0;
    size_t bytes = 0;
    for (; texts[count] != nullptr; count++) {
        bytes += strlen(texts[count]) + 5; /* its length and its NUL */
    }
    if (count > (size_t)LIMIT_ARGUMENT_COUNT) {
        limit_hit(LIMIT_ID_ARGUMENT_COUNT);
        status_t status =
            error_set(err, ERROR_LIMIT, 0, "the command has %zu %s; a plan holds %lld", count, what,
                      (long long)LIMIT_ARGUMENT_COUNT);
        error_hint(err, "Pass them in a file, or let xargs(1) inside the run divide them.");
        return status;
    }
    if (bytes > (size_t)LIMIT_PLAN_BYTES / 2) {
        limit_hit(LIMIT_ID_PLAN_BYTES);
        return error_set(err, ERROR_LIMIT, 0, "the command's %s take %zu bytes; a plan holds %lld",
                         what, bytes, (long long)LIMIT_PLAN_BYTES);
    }
    return STATUS_OK;
}

void command_describe(struct run *run, const char *const *argv) {
    struct builder text;
    builder_init(&text, (size_t)64 * 1024);
    for (size_t i = 0; argv[i] != nullptr && text.size < sizeof run->command; i++) {
        builder_text(&text, i == 0 ? "" : " ");
        size_t length = strnlen(argv[i], sizeof run->command);
        text_escape(slice_of(argv[i], length), &text);
    }
    const char *whole = builder_c_string(&text);
    size_t length = strlen(whole);
    size_t kept = length < sizeof run->command ? length : sizeof run->command - 4;
    while (kept < length && kept > 0 && ((unsigned char)whole[kept] & 0xc0) == 0x80) {
        kept--; /* never half a character */
    }
    (void)snprintf(run->command, sizeof run->command, "%.*s%s", (int)kept, whole,
                   kept < length ? "..." : "");
    builder_deinit(&text);
}
