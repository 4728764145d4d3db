/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/tile.h"

#include "base/assert.h"

enum {
    GROUP = 1000,
    GROUP_COUNT_MAX = 7, /* 2^64 - 1 has 20 digits */
};

uint64_t tile_hash_count(uint64_t size, unsigned level) {
    return level < TILE_LEVELS ? size >> (TILE_HEIGHT * level) : 0;
}

bool tile_find(uint64_t count, uint64_t index, unsigned *ret_width) {
    if (index >= count / TILE_WIDTH + (count % TILE_WIDTH != 0)) {
        return false;
    }
    uint64_t left = count - index * TILE_WIDTH;
    *ret_width = left < TILE_WIDTH ? (unsigned)left : TILE_WIDTH;
    return true;
}

static void put_digit(struct builder *out, unsigned digit) {
    ASSERT(digit < 10);
    builder_u8(out, (uint8_t)('0' + digit));
}

static void put_group(struct builder *out, unsigned group) {
    put_digit(out, group / 100);
    put_digit(out, group / 10 % 10);
    put_digit(out, group % 10);
}

static void put_width(struct builder *out, unsigned width) {
    if (width >= 100) {
        put_digit(out, width / 100);
    }
    if (width >= 10) {
        put_digit(out, width / 10 % 10);
    }
    put_digit(out, width % 10);
}

void tile_path(const struct tile *tile, struct builder *out) {
    unsigned groups[GROUP_COUNT_MAX];
    unsigned count = 0;
    ASSERT(tile->width >= 1 && tile->width <= TILE_WIDTH && tile->level < TILE_LEVELS);
    uint64_t index = tile->index;
    do {
        groups[count++] = (unsigned)(index % GROUP);
        index /= GROUP;
    } while (index > 0);
    builder_text(out, "tile/");
    if (tile->entries) {
        builder_text(out, "entries");
    } else {
        put_digit(out, tile->level);
    }
    while (count > 0) {
        count--;
        builder_text(out, count > 0 ? "/x" : "/");
        put_group(out, groups[count]);
    }
    if (tile->width < TILE_WIDTH) {
        builder_text(out, ".p/");
        put_width(out, tile->width);
    }
}
