/* SPDX-License-Identifier: Apache-2.0
 *
 * Canonical JSON, recognised without building a value: for whoever must judge a million texts that
 * ought to be canonical already. Says yes to exactly the objects that json_parse() accepts and
 * json_write_canonical() would write back byte for byte.
 */
#pragma once

#include <stdint.h>

#include "base/bytes.h"

/* A member of the outermost object: its name without quotes, as it is written (an escape in it is
 * not undone), and the bytes of its value. Both are borrowed from the text. */
typedef void json_scan_member(void *context, struct slice name, struct slice value);

/* Whether `text` is one canonical object. `member` is called for its members in order; what it was
 * told before a false answer means nothing. nullptr: nobody wants to know. */
bool json_scan_object(struct slice text, json_scan_member *member, void *context);

/* The value of a member as an integer that is not negative, or as the inside of a string that has
 * no escapes; false for any other value. */
bool json_scan_natural(struct slice value, uint64_t *ret);
bool json_scan_text(struct slice value, struct slice *ret);
