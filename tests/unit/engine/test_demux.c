/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/demux.h"

static void frames_split_anywhere(void **state) {
    (void)state;
    static const uint8_t TEXT[] = {1,   0, 0, 0, 0, 0, 0, 2, 'a', 'b', 2, 0, 0, 0, 0, 0, 0, 1,
                                   'c', 1, 0, 0, 0, 0, 0, 0, 0,   0,   0, 0, 0, 0, 0, 0, 1, 'd'};
    for (size_t step = 1; step <= sizeof TEXT; step++) {
        struct demux demux = {0};
        char out[8] = "";
        char errors[8] = "";
        for (size_t at = 0; at < sizeof TEXT; at += step) {
            size_t size = sizeof TEXT - at < step ? sizeof TEXT - at : step;
            struct slice bytes = slice_of(TEXT + at, size);
            while (bytes.size > 0) {
                struct slice piece;
                bool is_error = false;
                assert_true(demux_feed(&demux, &bytes, &piece, &is_error));
                char *target = is_error ? errors : out;
                memcpy(target + strlen(target), piece.data != nullptr ? piece.data : TEXT,
                       piece.size);
            }
        }
        assert_true(demux_is_between(&demux));
        assert_string_equal(out, "abd");
        assert_string_equal(errors, "c");
    }
}

static void what_is_no_frame(void **state) {
    (void)state;
    static const uint8_t TEXTS[][DEMUX_HEADER_BYTES] = {
        {3, 0, 0, 0, 0, 0, 0, 1},
        {1, 1, 0, 0, 0, 0, 0, 1},
        {1, 0, 0, 9, 0, 0, 0, 1},
        "HTTP/1.",
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct demux demux = {0};
        struct slice bytes = slice_of(TEXTS[i], DEMUX_HEADER_BYTES);
        struct slice piece;
        bool is_error;
        assert_false(demux_feed(&demux, &bytes, &piece, &is_error));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_split_anywhere),
        cmocka_unit_test(what_is_no_frame),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
