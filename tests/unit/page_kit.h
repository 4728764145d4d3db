/* SPDX-License-Identifier: Apache-2.0
 *
 * A page of docs/, for tests that hold it against the code.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Reads docs/NAME as a text; it has to fit. */
static inline void page_read(const char *name, char *ret_page, size_t size) {
    char path[4096];
    const char *root = getenv("AIRLOCK_SOURCE_DIR");
    assert_non_null(root);
    (void)snprintf(path, sizeof path, "%s/docs/%s", root, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t there = fread(ret_page, 1, size - 1, file);
    (void)fclose(file);
    assert_true(there > 0 && there < size - 1);
    ret_page[there] = '\0';
}
