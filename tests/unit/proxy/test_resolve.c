/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/resolve.h"

static void names_in_a_hosts_file(void **state) {
    (void)state;
    static const char TEXT[] = "# 1.1.1.1 one\n127.0.0.1\tlocalhost  here # two\n"
                               "::1 localhost\n 10.0.0.1 db DB.Example\r\nnonsense three\n"
                               "0x7f.1 four\n10.0.0.2 five";
    struct host_address got[LIMIT_EGRESS_ADDRESSES];
    struct slice hosts = SLICE_LITERAL(TEXT);
    assert_int_equal(resolve_in_hosts(hosts, "localhost", got), 2);
    assert_int_equal(got[0].size, 4);
    assert_int_equal(got[1].size, 16);
    assert_int_equal(resolve_in_hosts(hosts, "here", got), 1);
    assert_int_equal(resolve_in_hosts(hosts, "db.example", got), 1);
    assert_int_equal(got[0].bytes[0], 10);
    assert_int_equal(resolve_in_hosts(hosts, "five", got), 1);
    static const char *const NONE[] = {"one", "two", "three", "four",
                                       "#",   "",    "local", "127.0.0.1"};
    for (size_t i = 0; i < sizeof NONE / sizeof NONE[0]; i++) {
        assert_int_equal(resolve_in_hosts(hosts, NONE[i], got), 0);
    }
    assert_int_equal(resolve_in_hosts((struct slice){}, "localhost", got), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_in_a_hosts_file),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
