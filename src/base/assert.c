/* SPDX-License-Identifier: Apache-2.0 */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

[[noreturn]] void assert_failed(const char *expression, const char *file, int line) {
    (void)fprintf(stderr, "airlock: assertion failed at %s:%d: %s\n", file, line, expression);
    abort();
}
