/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's side of airlock-witness: one program for one request.
 */
#pragma once

#include "base/error.h"
#include "witness/protocol.h"

/* Starts airlock-witness (found beside the running program, or in AIRLOCK's libexec folder), asks,
 * and waits for it to end. The reply borrows from `buffer`, WITNESS_REPLY_BYTES long. Whatever the
 * witness did is a reply; an error is ours: WITNESS_MISSING, WITNESS_FAILED. */
status_t witness_ask(const struct witness_request *request, uint8_t *buffer,
                     struct witness_reply *ret_reply, struct error *err);
