/* SPDX-License-Identifier: Apache-2.0
 *
 * A second process of airlock-engine that makes its connections, so that the one which reads what
 * the engine sends can make none.
 */
#pragma once

#include "base/error.h"

struct dialer {
    int fd; /* -1: none */
};

/* Starts it; it connects to `path` and to nothing else, and ends with its caller. False: it could
 * not be started, or the path is too long for a socket. */
bool dialer_start(struct dialer *ret_dialer, const char *path);
/* A new connection, not blocking; -1 with *ret_errno. */
int dialer_connect(const struct dialer *dialer, int *ret_errno);
void dialer_stop(struct dialer *dialer);
