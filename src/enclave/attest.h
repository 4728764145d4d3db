/* SPDX-License-Identifier: Apache-2.0
 *
 * What is answered over ALPN airlock-attest/1: one HTTP/1.1 request for each connection, about that
 * very connection. A pure function of the bytes that came.
 *
 *   GET  /attestation/quote?nonce=HEX     200, application/eat+jwt: evidence
 *   POST /attestation/verify?nonce=HEX    200, application/json: what this end thinks of the
 *                                         evidence in the body; it lets no simulation through
 */
#pragma once

#include "enclave/evidence.h"

struct attest_context {
    struct evidence_binding binding; /* without its nonce, which the request has */
    const struct evidence_provider *provider;
    EVP_PKEY *leaf; /* borrowed */
};

enum attest_result : uint8_t {
    ATTEST_MORE,     /* the request is not whole; nothing was written */
    ATTEST_ANSWERED, /* *ret_response is to be sent, then the connection is closed */
};

/* `received` is all that came so far, at most LIMIT_ATTEST_BYTES of it. The response is whole; it
 * has at most LIMIT_ATTEST_BYTES * 2 bytes. */
enum attest_result attest_answer(struct slice received, const struct attest_context *context,
                                 struct builder *ret_response);
