/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/tile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_path(const struct tile *tile, const char *expected) {
    struct builder path;
    builder_init(&path, TILE_PATH_BYTES_MAX + 1);
    tile_path(tile, &path);
    assert_string_equal(builder_c_string(&path), expected);
    builder_deinit(&path);
}

static void paths_are_those_of_the_specification(void **state) {
    (void)state;
    assert_path(&(struct tile){.index = 0, .width = 256}, "tile/0/000");
    assert_path(&(struct tile){.index = 1234067, .width = 256}, "tile/0/x001/x234/067");
    assert_path(&(struct tile){.level = 2, .index = 0, .width = 1}, "tile/2/000.p/1");
    assert_path(&(struct tile){.entries = true, .index = 999, .width = 256}, "tile/entries/999");
    assert_path(&(struct tile){.entries = true, .index = 1000, .width = 255},
                "tile/entries/x001/000.p/255");
    assert_path(&(struct tile){.level = 1, .index = 1000000, .width = 10},
                "tile/1/x001/x000/000.p/10");
    assert_path(&(struct tile){.level = 7, .index = UINT64_MAX, .width = 100},
                "tile/7/x018/x446/x744/x073/x709/x551/615.p/100");
}

struct level {
    unsigned level;
    uint64_t full;
    unsigned partial; /* 0: none */
};

static void assert_level(uint64_t size, const struct level *expected) {
    unsigned width = 0;
    uint64_t count = tile_hash_count(size, expected->level);
    for (uint64_t index = 0; index < expected->full; index++) {
        assert_true(tile_find(count, index, &width));
        assert_int_equal(width, 256);
    }
    bool partial = tile_find(count, expected->full, &width);
    assert_int_equal(partial, expected->partial > 0);
    if (partial) {
        assert_int_equal(width, expected->partial);
        assert_false(tile_find(count, expected->full + 1, &width));
    }
}

static void a_tree_of_70000_has_the_tiles_of_the_specification(void **state) {
    (void)state;
    assert_level(70000, &(struct level){0, 273, 112});
    assert_level(70000, &(struct level){1, 1, 17});
    assert_level(70000, &(struct level){2, 0, 1});
    assert_level(70000, &(struct level){3, 0, 0});
}

static void edges_of_levels(void **state) {
    (void)state;
    assert_level(0, &(struct level){0, 0, 0});
    assert_level(1, &(struct level){0, 0, 1});
    assert_level(255, &(struct level){1, 0, 0});
    assert_level(256, &(struct level){0, 1, 0});
    assert_level(256, &(struct level){1, 0, 1});
    assert_level(65536, &(struct level){1, 1, 0});
    assert_int_equal(tile_hash_count(UINT64_C(1) << 63, 7), 128);
    assert_int_equal(tile_hash_count(UINT64_MAX, 8), 0);
    assert_int_equal(tile_hash_count(UINT64_MAX, 1000), 0);
    unsigned width = 0;
    assert_true(tile_find(UINT64_MAX, UINT64_MAX / 256, &width));
    assert_int_equal(width, 255);
    assert_false(tile_find(UINT64_MAX, UINT64_MAX / 256 + 1, &width));
    assert_false(tile_find(UINT64_MAX, UINT64_MAX, &width));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_those_of_the_specification),
        cmocka_unit_test(a_tree_of_70000_has_the_tiles_of_the_specification),
        cmocka_unit_test(edges_of_levels),
    };
    return cmocka_run_group_tests_name("tiles", tests, nullptr, nullptr);
}
