/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* A connected, blocking socket to a host (a name, or an address without brackets), each read and
 * write of which ends after LIMIT_ATTEST_MS. -1: *ret_why says why not, a constant. */
int dial_host(const char *host, uint16_t port, const char **ret_why);
