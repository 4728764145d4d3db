/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sandbox/base_record.h"

/* Keeps what stood at a change's path as `name` in the folder base_fd, for showing differences
 * later: texts up to LIMIT_BASE_COPY_BYTES and the targets of links. source_fd holds it at the same
 * path. *ret_copied is set when there is a copy, else left alone. */
status_t base_copy(int source_fd, const struct change *change, int base_fd, const char *name,
                   bool *ret_copied, struct error *err);
