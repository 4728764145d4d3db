/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "keys/server.h"

/* The whole of a key process: gives up what it does not need, loads its key, answers the requests
 * that come on KEYS_FD_SOCKET, and returns the exit status when that ends. */
int keys_serve(const struct signer_scheme *scheme);
