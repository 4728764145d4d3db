/* SPDX-License-Identifier: Apache-2.0
 *
 * Headers of --inject, which are added outside of the sandbox.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "proxy/protocol.h"

struct inject_list {
    struct egress_inject *rows; /* owned, with their texts */
    size_t count;
};

/* Adds "[http://]HOST[:PORT]: NAME: VALUE". In the value ${VAR} stands for a variable of our own
 * environment; a value that begins with @ is read from that file, without one final newline.
 * ERROR_USAGE, ERROR_IO, ERROR_LIMIT; a value is never shown. */
status_t inject_list_add(struct inject_list *list, const char *option, struct error *err);
void inject_list_wipe(struct inject_list *list);
