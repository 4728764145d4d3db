/* SPDX-License-Identifier: Apache-2.0
 *
 * A witness's response to a POST, parsed whole and strictly (codec/http.h).
 */
#pragma once

#include "base/bytes.h"
#include "base/limits.h"

enum response_result : uint8_t {
    RESPONSE_WHOLE,
    RESPONSE_MORE,      /* a beginning; read more and parse all of it again */
    RESPONSE_MALFORMED, /* no response, or one that could be read in two ways */
    RESPONSE_TOO_LONG,  /* it says, or shows, that it is longer than LIMIT_WITNESS_BYTES */
};

struct response {
    unsigned status; /* 200..599; informational ones are refused: nothing was asked for them */
    bool is_size;    /* Content-Type is text/x.tlog.size */
    struct builder body;
};

/* `at_end`: the server closed the connection, so that no more will come. `body` must be
 * initialised by the caller, who owns it, and is emptied first; only after WHOLE does it count. */
enum response_result response_parse(struct slice bytes, bool at_end, struct response *ret_response);
