/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

/* prefix + path as git writes it in a diff: plain where it can be, else in double quotes with C
 * escapes, every byte outside of printable ASCII in octal. */
void diff_name(const char *prefix, const char *path, struct builder *out);
/* The form for the --- and +++ lines: a tab follows a name with a space. */
void diff_name_line(const char *prefix, const char *path, struct builder *out);
