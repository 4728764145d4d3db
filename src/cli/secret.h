/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "base/error.h"

/* Variables for a run, K=V, the values of --secret among them. Wiped when freed. */
struct secret_list {
    char **entries; /* owned, nullptr-terminated */
    size_t count;
};

/* Adds `entry` as it is (from --env). */
void secret_list_add(struct secret_list *list, const char *entry);
/* Adds --secret K=FILE (the file's content, without one final newline) or K (asked for at the
 * terminal without echo). ERROR_USAGE, ERROR_IO, ERROR_LIMIT. */
status_t secret_list_read(struct secret_list *list, const char *option, struct error *err);
void secret_list_wipe(struct secret_list *list);
