/* SPDX-License-Identifier: Apache-2.0
 *
 * Tile coordinates (audit/tile.h): which tiles a level has, for every 64-bit size; and that a
 * tile's path names this tile and no other, for every level, width and kind.
 */
#include "audit/tile.h"
#include "proof.h"

enum { INDEX_MAX_HERE = 4095 }; /* two groups of digits; divisions cost the most */

/* Stands for the builder, which has its own proof. */
static uint8_t written[TILE_PATH_BYTES_MAX];
static size_t written_size;

void builder_u8(struct builder *builder, uint8_t value) {
    (void)builder;
    prove(written_size < sizeof written);
    written[written_size++] = value;
}

void builder_text(struct builder *builder, const char *text) {
    for (size_t i = 0; text[i] != '\0'; i++) {
        builder_u8(builder, (uint8_t)text[i]);
    }
}

void proof_tile_find(void) {
    uint64_t size = nondet_u64();
    unsigned level = nondet_u32();
    uint64_t index = nondet_u64();
    unsigned width = 0;
    uint64_t count = tile_hash_count(size, level);
    prove(level >= TILE_LEVELS || (count << (8 * level)) <= size);
    bool found = tile_find(count, index, &width);
    /* One at its first hash begins it; the last hash of all is in the last one. */
    bool begins = index <= UINT64_MAX / TILE_WIDTH && index * TILE_WIDTH < count;
    prove(found == begins);
    if (found) {
        prove(width >= 1 && width <= TILE_WIDTH);
        prove(width == TILE_WIDTH || index * TILE_WIDTH + width == count);
        prove(width <= count - index * TILE_WIDTH);
    }
}

static size_t at;

static unsigned read_digits(unsigned count) {
    unsigned value = 0;
    for (unsigned i = 0; i < count; i++) {
        uint8_t digit = written[at++];
        prove(digit >= '0' && digit <= '9');
        value = 10 * value + (digit - (unsigned)'0');
    }
    return value;
}

static bool take(char byte) {
    bool is = at < written_size && written[at] == (uint8_t)byte;
    at += is ? 1 : 0;
    return is;
}

/* Reads a path by the rule of the specification. */
static struct tile read_path(size_t size) {
    struct tile tile = {.width = TILE_WIDTH};
    at = 5; /* tile/ */
    tile.entries = take('e');
    if (tile.entries) {
        at += 6; /* ntries */
    } else {
        tile.level = read_digits(1);
    }
    bool more = true;
    for (int group = 0; group < 3 && more; group++) {
        prove(take('/'));
        more = take('x');
        tile.index = tile.index * 1000 + read_digits(3);
    }
    prove(!more);
    if (take('.')) {
        at += 2; /* p/ */
        tile.width = 0;
        for (int digit = 0; digit < 3 && at < size; digit++) {
            tile.width = tile.width * 10 + read_digits(1);
        }
    }
    prove(at == size);
    return tile;
}

void proof_tile_path(void) {
    struct tile tile = {
        .entries = nondet_bool(),
        .level = nondet_u32(),
        .index = nondet_u64(),
        .width = nondet_u32(),
    };
    suppose(tile.level < TILE_LEVELS && (!tile.entries || tile.level == 0));
    suppose(tile.width >= 1 && tile.width <= TILE_WIDTH);
    suppose(tile.index <= INDEX_MAX_HERE);
    struct builder path = {0};
    tile_path(&tile, &path);
    struct tile again = read_path(written_size);
    prove(again.entries == tile.entries && again.level == tile.level);
    prove(again.index == tile.index);
    prove(again.width == tile.width);
}
