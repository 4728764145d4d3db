/* SPDX-License-Identifier: Apache-2.0
 *
 * The two messages between airlock and airlock-witness, both bounded, over the SOCK_SEQPACKET
 * socket that the witness client finds as fd 3. One request, one reply, and it ends.
 */
#pragma once

#include "base/bytes.h"
#include "base/limits.h"

enum {
    WITNESS_FD_SOCKET = 3,
    WITNESS_URL_BYTES = 512, /* with its NUL */
    WITNESS_BODY_BYTES = 32768,
    WITNESS_TEXT_BYTES = 256, /* with its NUL */
    WITNESS_REQUEST_BYTES = 8 + WITNESS_URL_BYTES + LIMIT_PATH_BYTES + 8 + WITNESS_BODY_BYTES,
    WITNESS_REPLY_BYTES = 16 + WITNESS_TEXT_BYTES + 8 + LIMIT_WITNESS_BYTES,
};

/* Texts and slices are borrowed. */
struct witness_request {
    const char *url; /* without /add-checkpoint */
    const char *ca;  /* a file with certificates to trust; "" for the system's */
    struct slice body;
};

enum witness_outcome : uint32_t {
    WITNESS_ANSWERED = 1, /* status, is_size and body hold the response */
    WITNESS_BAD_URL,
    WITNESS_UNKNOWN_HOST, /* neither an address nor in /etc/hosts */
    WITNESS_NO_CA,        /* the certificates to trust cannot be read */
    WITNESS_UNREACHABLE,
    WITNESS_UNTRUSTED, /* TLS failed; text says why */
    WITNESS_TIMEOUT,
    WITNESS_MALFORMED, /* what came is no HTTP response, or is cut short */
    WITNESS_TOO_LONG,
    WITNESS_INTERNAL, /* it could not be confined, or memory ran out */
    WITNESS_OUTCOME_COUNT,
};

struct witness_reply {
    enum witness_outcome outcome;
    uint32_t os_errno;
    uint32_t status;  /* of the response */
    bool is_size;     /* its body is the size the witness has */
    const char *text; /* printable ASCII */
    struct slice body;
};

/* False when something does not fit. */
bool witness_request_encode(const struct witness_request *request, struct builder *out);
bool witness_request_decode(struct slice bytes, struct witness_request *ret_request);
bool witness_reply_encode(const struct witness_reply *reply, struct builder *out);
bool witness_reply_decode(struct slice bytes, struct witness_reply *ret_reply);
