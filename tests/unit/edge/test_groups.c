/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/ssl.h>

#include "edge/groups.h"

static void an_unknown_code_is_other(void **state) {
    (void)state;
    assert_int_equal(edge_group_of_code(0), EDGE_GROUP_OTHER);
    assert_int_equal(edge_group_of_code(0x4588), EDGE_GROUP_OTHER); /* 4588 is decimal: 0x11ec */
    assert_int_equal(edge_group_of_code(0x6399), EDGE_GROUP_OTHER); /* a draft's */
    assert_false(edge_group_row(EDGE_GROUP_OTHER)->is_post_quantum);
}

static void codes_are_iana_s(void **state) {
    (void)state;
    assert_int_equal(edge_group_of_code(4588), EDGE_GROUP_X25519MLKEM768);
    assert_int_equal(edge_group_of_code(4589), EDGE_GROUP_SECP384R1MLKEM1024);
    assert_int_equal(edge_group_of_code(4587), EDGE_GROUP_SECP256R1MLKEM768);
    assert_int_equal(edge_group_of_code(0x0202), EDGE_GROUP_MLKEM1024);
    assert_int_equal(edge_group_of_code(29), EDGE_GROUP_X25519);
    assert_int_equal(edge_group_of_code(23), EDGE_GROUP_SECP256R1);
}

static void libssl_takes_the_lists_and_required_ones_hold_nothing_classical(void **state) {
    (void)state;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    for (uint8_t pq = EDGE_PQ_REQUIRE; pq <= EDGE_PQ_OFF; pq++) {
        assert_int_equal(SSL_CTX_set1_groups_list(context, edge_group_list((enum edge_pq)pq)), 1);
    }
    SSL_CTX_free(context);
    assert_null(strstr(edge_group_list(EDGE_PQ_REQUIRE), ":X25519:"));
    assert_null(strchr(edge_group_list(EDGE_PQ_REQUIRE), '/'));
    assert_null(strstr(edge_group_list(EDGE_PQ_OFF), "MLKEM"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_code_is_other),
        cmocka_unit_test(codes_are_iana_s),
        cmocka_unit_test(libssl_takes_the_lists_and_required_ones_hold_nothing_classical),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
