/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "edge/config.h"

/* A non-blocking socket bound as the configuration says, and listening where that means something.
 * A Unix path that nobody listens on any more is taken over; whoever may use it, mode 0660.
 * ERROR_IO. */
status_t listen_open(const struct edge_bind *bind, int *ret_fd, struct error *err);
