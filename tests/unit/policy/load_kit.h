/* SPDX-License-Identifier: Apache-2.0
 *
 * What tests of the loader share: a file in, what a person would see of it out.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/load.h"

/* Loads, and gives what a person would see; the document is thrown away. */
static inline enum error_code load_and_show(const char *text, char *ret_shown, size_t size) {
    static struct policy_diagnostics diagnostics;
    struct policy_document *document = nullptr;
    struct error err = {};
    struct builder out;
    builder_init(&out, 1 << 16);
    bool ok = status_is_ok(
        policy_load(slice_of_string(text), "policy.yaml", &diagnostics, &document, &err));
    assert_int_equal(ok, document != nullptr);
    assert_int_equal(ok, diagnostics.error_count == 0);
    policy_diagnostics_format(&diagnostics, &out);
    (void)snprintf(ret_shown, size, "%s", builder_c_string(&out));
    builder_deinit(&out);
    policy_document_free(document);
    return ok ? ERROR_NONE : err.code;
}

static inline void shows(const char *text, const char *expected) {
    char shown[1 << 14];
    (void)load_and_show(text, shown, sizeof shown);
    if (strcmp(shown, expected) != 0) {
        print_error("----\n%s---- gives\n%s---- not\n%s", text, shown, expected);
    }
    assert_string_equal(shown, expected);
}
