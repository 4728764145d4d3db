/* SPDX-License-Identifier: Apache-2.0
 *
 * Two streams over one connection: they are taken apart the same in however many pieces they come.
 * The first byte says how large the pieces are.
 */
#include "base/assert.h"
#include "engine/demux.h"
#include "fuzz.h"

bool fuzz_seed(unsigned number, struct builder *out) {
    static const struct slice SEEDS[] = {
        SLICE_LITERAL("\2\1\0\0\0\0\0\0\4out\n\2\0\0\0\0\0\0\4err\n\1\0\0\0\0\0\0\0"),
        SLICE_LITERAL("\0\0\0\0\0\0\0\0\3abc\2\0\0\0\0\0\1\0cut short"),
    };
    if (number >= sizeof SEEDS / sizeof SEEDS[0]) {
        return false;
    }
    builder_bytes(out, SEEDS[number]);
    return true;
}

struct reading {
    bool is_ok, is_between;
    struct builder streams[2];
};

static void read_in_pieces(struct slice all, size_t piece, struct reading *ret) {
    struct demux demux = {};
    builder_init(&ret->streams[0], all.size + 1);
    builder_init(&ret->streams[1], all.size + 1);
    ret->is_ok = true;
    for (size_t at = 0; at < all.size && ret->is_ok; at += piece) {
        struct slice bytes = slice_of(all.data + at, all.size - at < piece ? all.size - at : piece);
        while (bytes.size > 0 && ret->is_ok) {
            struct slice part = {};
            bool is_error = false;
            size_t before = bytes.size;
            ret->is_ok = demux_feed(&demux, &bytes, &part, &is_error);
            ASSERT(!ret->is_ok || (bytes.size < before && part.size <= before - bytes.size));
            if (ret->is_ok) {
                builder_bytes(&ret->streams[is_error], part);
            }
        }
    }
    ret->is_between = demux_is_between(&demux);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    struct slice all = slice_of(data + 1, size - 1);
    struct reading whole;
    struct reading pieces;
    read_in_pieces(all, all.size, &whole);
    read_in_pieces(all, 1 + (size_t)data[0], &pieces);
    ASSERT(whole.is_ok == pieces.is_ok);
    ASSERT(!whole.is_ok || whole.is_between == pieces.is_between);
    for (unsigned i = 0; i < 2; i++) {
        ASSERT(slice_equal(builder_slice(&whole.streams[i]), builder_slice(&pieces.streams[i])));
        builder_deinit(&whole.streams[i]);
        builder_deinit(&pieces.streams[i]);
    }
    return 0;
}
