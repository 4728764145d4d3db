/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP responses: what parses whole parses so however it arrived, and its body is no longer than
 * what came.
 */
#include "base/assert.h"
#include "fuzz.h"
#include "witness/response.h"

bool fuzz_seed(unsigned number, struct builder *out) {
    static const char *const SEEDS[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello",
        "HTTP/1.1 409 Conflict\r\nTransfer-Encoding: chunked\r\nContent-Type: "
        "text/x.tlog.size\r\n\r\n3\r\n123\r\n1\r\n\n\r\n0\r\n\r\n",
        "HTTP/1.0 404\r\n\r\nnone of ours",
    };
    if (number >= sizeof SEEDS / sizeof SEEDS[0]) {
        return false;
    }
    builder_text(out, SEEDS[number]);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct response now = {0};
    struct response later = {0};
    struct slice bytes = slice_of(data, size);
    builder_init(&now.body, LIMIT_WITNESS_BYTES);
    builder_init(&later.body, LIMIT_WITNESS_BYTES);
    enum response_result early = response_parse(bytes, false, &now);
    enum response_result last = response_parse(bytes, true, &later);
    ASSERT(last != RESPONSE_MORE);
    ASSERT(now.body.size <= size && later.body.size <= size);
    if (early != RESPONSE_MORE) {
        ASSERT(early == last);
    }
    if (early == RESPONSE_WHOLE) {
        ASSERT(now.status >= 200 && now.status == later.status);
        ASSERT(slice_equal(builder_slice(&now.body), builder_slice(&later.body)));
    }
    builder_deinit(&now.body);
    builder_deinit(&later.body);
    return 0;
}
