/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "base/error.h"

/* Network groups of --net, each once. */
struct network_list {
    char **names; /* owned */
    size_t count;
};

/* Adds "GROUP[,GROUP...]". ERROR_USAGE, ERROR_LIMIT. */
status_t network_list_add(struct network_list *list, const char *text, struct error *err);
void network_list_deinit(struct network_list *list);
