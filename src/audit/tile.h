/* SPDX-License-Identifier: Apache-2.0
 *
 * Coordinates of tiles (C2SP tlog-tiles v0.1): which tile files a tree of a given size has, and
 * how they are named. Pure arithmetic; export.c fills the files.
 *
 * A tile of level l holds up to 256 hashes of the tree's level 8 * l: hash i of tile n is the root
 * of the leaves [(256 n + i) 256^l, (256 n + i + 1) 256^l). A bundle of entries is cut as level 0.
 */
#pragma once

#include "base/bytes.h"

enum {
    TILE_HEIGHT = 8, /* levels of the tree in one level of tiles */
    TILE_WIDTH = 256,
    TILE_LEVELS = 8, /* enough for trees of up to 2^63 leaves */
    TILE_PATH_BYTES_MAX = 64,
};

struct tile {
    bool entries; /* a bundle of entries, else hashes of `level` */
    unsigned level;
    uint64_t index;
    unsigned width; /* 1..TILE_WIDTH; less than that: a partial tile, the last of its level */
};

/* How many hashes stand in a level of tiles for a tree of `size` <= 2^63 leaves. 0 for a level
 * past the last. */
uint64_t tile_hash_count(uint64_t size, unsigned level);

/* The tile `index` of a level in which `count` hashes stand; false when it has none such. */
bool tile_find(uint64_t count, uint64_t index, unsigned *ret_width);

/* Appends "tile/<L>/<N>[.p/<W>]" or "tile/entries/<N>[.p/<W>]", at most TILE_PATH_BYTES_MAX bytes:
 * N in groups of three digits, all but the last with an x before them. */
void tile_path(const struct tile *tile, struct builder *out);
