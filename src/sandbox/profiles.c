/* SPDX-License-Identifier: Apache-2.0
 *
 * The built-in templates. They are YAML, read while Airlock is built, so that the start of a run
 * reads none.
 */
#include <string.h>

#include "base/assert.h"
#include "sandbox/plan.h"

#include "templates.h"

size_t template_count(void) {
    return sizeof templates / sizeof templates[0];
}

const struct template_row *template_at(size_t index) {
    ASSERT(index < template_count());
    return &templates[index];
}

const struct template_row *template_find(const char *name) {
    for (size_t i = 0; i < template_count(); i++) {
        if (strcmp(templates[i].name, name) == 0) {
            return &templates[i];
        }
    }
    return nullptr;
}
