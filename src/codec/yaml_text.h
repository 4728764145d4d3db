/* SPDX-License-Identifier: Apache-2.0
 *
 * The text under a YAML document: its characters, its lines, and places in it. Inside codec only.
 */
#pragma once

#include <stdarg.h>

#include "codec/yaml.h"

/* A place that only moves forward. */
struct yaml_place {
    size_t offset;         /* in bytes from the start of the text */
    size_t characters;     /* from the start of the line */
    uint32_t line, column; /* from 1; the column in bytes */
};

struct yaml_place yaml_place_first(void);
/* Moves to a line (from 0) and a column in characters (from 0); stays where it is when that lies
 * behind it. `text` is UTF-8 whose lines end in \n. */
void yaml_place_advance(struct yaml_place *place, struct slice text, size_t line, size_t column);

/* false, with the fault set, at the first byte that is no UTF-8 and the first character that a
 * reader would not see or that ends a line in another way than \n and \r\n. */
bool yaml_text_check(struct slice text, struct yaml_fault *ret_fault);

/* The first key that stands for the second time in a mapping; nullptr: none does. false when memory
 * ran out. */
bool yaml_keys_find_duplicate(const struct yaml_node *mapping, const struct yaml_node **ret_key);

/* What may help where libyaml gave up. A constant. */
const char *yaml_syntax_hint(struct slice text, const struct yaml_place *place);

[[gnu::format(printf, 4, 0)]]
void yaml_fault_set(struct yaml_fault *fault, const struct yaml_place *place, const char *hint,
                    const char *format, va_list arguments);
