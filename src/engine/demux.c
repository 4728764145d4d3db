/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/demux.h"

static bool header_is_valid(const uint8_t *header) {
    return header[0] <= 2 && header[1] == 0 && header[2] == 0 && header[3] == 0;
}

bool demux_feed(struct demux *demux, struct slice *bytes, struct slice *ret_piece,
                bool *ret_is_error) {
    *ret_piece = (struct slice){0};
    while (bytes->size > 0 && demux->left == 0) {
        demux->header[demux->have++] = bytes->data[0];
        *bytes = slice_of(bytes->data + 1, bytes->size - 1);
        if (demux->have == DEMUX_HEADER_BYTES) {
            struct cursor cursor = cursor_of(slice_of(demux->header + 4, 4));
            uint32_t high = cursor_u16_be(&cursor);
            demux->have = 0;
            demux->left = high << 16 | cursor_u16_be(&cursor);
            if (!header_is_valid(demux->header)) {
                return false;
            }
        }
    }
    if (bytes->size > 0) {
        size_t size = demux->left < bytes->size ? demux->left : bytes->size;
        *ret_piece = slice_of(bytes->data, size);
        *ret_is_error = demux->header[0] == 2;
        *bytes = slice_of(bytes->data + size, bytes->size - size);
        demux->left -= (uint32_t)size;
    }
    return true;
}

bool demux_is_between(const struct demux *demux) {
    return demux->have == 0 && demux->left == 0;
}
