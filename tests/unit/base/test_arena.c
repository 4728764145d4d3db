/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void refuses_past_its_maximum(void **state) {
    (void)state;
    struct arena *arena = arena_new(64);
    assert_non_null(arena);
    assert_null(arena_alloc(arena, 65));
    assert_true(arena_is_full(arena));
    assert_non_null(arena_alloc(arena, 64));
    assert_null(arena_alloc(arena, 1));
    arena_free(arena);
}

static void refuses_sizes_that_overflow(void **state) {
    (void)state;
    struct arena *arena = arena_new(SIZE_MAX);
    assert_null(arena_alloc(arena, SIZE_MAX));
    assert_null(arena_array(arena, SIZE_MAX / 2, 3));
    assert_null(arena_text(arena, (struct slice){nullptr, SIZE_MAX}));
    assert_true(arena_is_full(arena));
    arena_free(arena);
    arena_free(nullptr);
}

static void pieces_are_zero_aligned_and_apart(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    struct arena *arena = arena_new(1 << 20);
    unsigned char *pieces[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = 1 + i % 61;
        pieces[i] = arena_alloc(arena, size);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        for (size_t k = 0; k < size; k++) {
            assert_int_equal(pieces[i][k], 0);
        }
        memset(pieces[i], (int)(i & 0xff), size);
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(pieces[i][i % 61], i & 0xff);
    }
    assert_false(arena_is_full(arena));
    arena_free(arena);
}

static void texts_end_with_a_nul(void **state) {
    (void)state;
    struct arena *arena = arena_new(1 << 16);
    const char *text = arena_text(arena, slice_of("abcdef", 3));
    assert_string_equal(text, "abc");
    assert_string_equal(arena_text(arena, (struct slice){nullptr, 0}), "");
    assert_non_null(arena_alloc(arena, 20000)); /* larger than a chunk */
    assert_string_equal(text, "abc");
    arena_freep(&arena);
    assert_null(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_past_its_maximum),
        cmocka_unit_test(refuses_sizes_that_overflow),
        cmocka_unit_test(pieces_are_zero_aligned_and_apart),
        cmocka_unit_test(texts_end_with_a_nul),
    };
    return cmocka_run_group_tests_name("base/arena", tests, nullptr, nullptr);
}
