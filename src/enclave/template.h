/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of Jinja, which Gramine's templates are written in, that ours need: {{ NAME }} anywhere,
 * and {% if NAME %} ... {% endif %} on lines of their own, not inside each other. A name that is
 * not known is an error, and so is anything else between such brackets.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

struct template_value {
    const char *name;
    const char *text; /* nullptr: not there, for `if` */
};

struct template_values {
    const struct template_value *rows;
    size_t count;
};

/* Appends the filled-in text. ERROR_MANIFEST names the line. */
status_t template_fill(struct slice template, const struct template_values *values,
                       struct builder *ret_text, struct error *err);
/* The template that comes with Airlock. */
struct slice template_built_in(void);
