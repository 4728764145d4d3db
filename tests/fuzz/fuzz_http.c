/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTTP response: it is read the same in however many pieces it comes, and nothing is in
 * its body that did not come. The first byte says whether the connection was asked for (bit 0) and
 * how large the pieces are.
 */
#include "base/assert.h"
#include "codec/http.h"
#include "fuzz.h"

bool fuzz_seed(unsigned number, struct builder *out) {
    static const char *const SEEDS[] = {
        "\2HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello",
        "\4HTTP/1.1 409 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nbehind",
        "\7HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nraw bytes",
        "\1HTTP/1.1 200 OK\r\n\r\nraw bytes up to the end",
        "\6HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
        "\10HTTP/1.1 500 X\r\n\r\neverything up to the end",
    };
    if (number >= sizeof SEEDS / sizeof SEEDS[0]) {
        return false;
    }
    builder_text(out, SEEDS[number]);
    return true;
}

struct reading {
    enum http_result result;
    unsigned status;
    size_t taken;
    struct builder body;
};

/* Until it ends; what comes behind that is left. */
static void read_in_pieces(struct slice all, size_t piece, bool hijacked, struct reading *ret) {
    struct http_response response;
    static const struct http_options options = {.head_bytes_max = 16384};
    http_init(&response, &options);
    builder_init(&ret->body, all.size + 1);
    ret->result = HTTP_MORE;
    ret->taken = 0;
    while (ret->taken < all.size && ret->result == HTTP_MORE) {
        size_t left = all.size - ret->taken;
        struct slice bytes = slice_of(all.data + ret->taken, left < piece ? left : piece);
        struct slice part = {};
        do {
            size_t before = bytes.size;
            ret->result = http_feed(&response, hijacked, &bytes, &part);
            ASSERT(bytes.size <= before);
            ret->taken += before - bytes.size;
            if (ret->result == HTTP_BODY) {
                ASSERT(part.size > 0 && part.size <= before);
                builder_bytes(&ret->body, part);
            }
        } while (ret->result == HTTP_BODY);
        ASSERT(ret->result != HTTP_MORE || bytes.size == 0);
    }
    ret->result = ret->result == HTTP_MORE ? http_end(&response) : ret->result;
    ret->status = response.status;
    http_deinit(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    bool hijacked = (data[0] & 1) != 0;
    size_t piece = 1 + (size_t)(data[0] >> 1);
    struct slice all = slice_of(data + 1, size - 1);
    struct reading whole;
    struct reading pieces;
    read_in_pieces(all, all.size, hijacked, &whole);
    read_in_pieces(all, piece, hijacked, &pieces);
    ASSERT(whole.result == pieces.result && whole.result != HTTP_MORE && whole.result != HTTP_BODY);
    if (whole.result == HTTP_WHOLE) {
        ASSERT(whole.status == 101 || (whole.status >= 200 && whole.status <= 599));
        ASSERT(whole.status != 101 || hijacked);
        ASSERT(whole.status == pieces.status && whole.taken == pieces.taken);
        ASSERT(slice_equal(builder_slice(&whole.body), builder_slice(&pieces.body)));
    }
    builder_deinit(&whole.body);
    builder_deinit(&pieces.body);
    return 0;
}
