/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/counts.h"
#include "proxy/protocol.h"

static void encode_config(struct builder *out) {
    struct egress_target targets[] = {{"example.org", 443, false, "one", "", ""},
                                      {"127.0.0.1", 8080, true, "two", "GET\nHEAD", "/a*"}};
    struct egress_inject injects[] = {{"example.org", 443, true, "Authorization", "Bearer x"}};
    const struct egress_config config = {7, 8, targets, 2, injects, 1, "/ca"};
    builder_init(out, LIMIT_EGRESS_MESSAGE_BYTES);
    egress_config_encode(&config, out);
    assert_true(builder_is_ok(out));
}

static void a_config_comes_back_as_it_went(void **state) {
    (void)state;
    struct builder out;
    struct egress_config config;
    encode_config(&out);
    assert_true(egress_config_decode(builder_slice(&out), &config));
    assert_int_equal(config.uid, 7);
    assert_int_equal(config.gid, 8);
    assert_int_equal(config.target_count, 2);
    assert_string_equal(config.targets[1].host, "127.0.0.1");
    assert_true(config.targets[1].is_private);
    assert_string_equal(config.targets[1].methods, "GET\nHEAD");
    assert_string_equal(config.targets[1].paths, "/a*");
    assert_int_equal(config.inject_count, 1);
    assert_string_equal(config.injects[0].value, "Bearer x");
    egress_config_deinit(&config);
    builder_deinit(&out);
}

static void part_of_a_config_is_none(void **state) {
    (void)state;
    struct builder out;
    struct egress_config config;
    encode_config(&out);
    for (size_t size = 0; size < out.size; size++) {
        assert_false(egress_config_decode(slice_of(out.data, size), &config));
    }
    builder_u8(&out, 0);
    assert_false(egress_config_decode(builder_slice(&out), &config));
    builder_deinit(&out);
}

static void a_report_tells_what_was_counted(void **state) {
    (void)state;
    static struct counts counts;
    struct builder out;
    struct egress_report report;
    struct count_row *row = counts_row(&counts, "a.example", 443);
    assert_ptr_equal(row, counts_row(&counts, "a.example", 443));
    assert_ptr_not_equal(row, counts_row(&counts, "a.example", 80));
    counts_moved(&counts, row, 10, 20);
    counts_denied(&counts, row, "a reason");
    for (unsigned i = 0; i < LIMIT_EGRESS_HOSTS_SHOWN; i++) {
        counts_denied(&counts, counts_row(&counts, "b.example", (uint16_t)(i + 1)), "another");
    }
    builder_init(&out, LIMIT_EGRESS_MESSAGE_BYTES);
    counts_report(&counts, &out);
    assert_true(egress_report_decode(builder_slice(&out), &report));
    assert_int_equal(report.row_count, LIMIT_EGRESS_HOSTS_SHOWN);
    assert_int_equal(report.rows_dropped, 2);
    assert_int_equal(report.denied, LIMIT_EGRESS_HOSTS_SHOWN + 1);
    assert_int_equal(report.rows[0].bytes_down, 20);
    assert_string_equal(report.rows[0].reason, "a reason");
    assert_int_equal(report.limit_hits[LIMIT_ID_EGRESS_HOSTS_SHOWN], 2);
    for (size_t size = 0; size < out.size; size += 7) {
        struct egress_report none;
        assert_false(egress_report_decode(slice_of(out.data, size), &none));
    }
    egress_report_deinit(&report);
    builder_deinit(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_config_comes_back_as_it_went),
        cmocka_unit_test(part_of_a_config_is_none),
        cmocka_unit_test(a_report_tells_what_was_counted),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
