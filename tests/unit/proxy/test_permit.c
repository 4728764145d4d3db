/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/permit.h"

static struct egress_target targets[] = {
    {"a.test", 80, false, "g", "GET\nHEAD", "/x\n/api/*"},
    {"a.test", 80, false, "g", "POST", "/upload"},
    {"b.test", 80, false, "g", "", "/x"},
    {"c.test", 80, false, "g", "", ""},
};
static const struct egress_config config = {.targets = targets, .target_count = 4};

static void methods_and_paths(void **state) {
    (void)state;
    static const struct {
        const char *host, *method, *path;
        bool is_permitted;
    } ROWS[] = {
        {"a.test", "GET", "/x", true},
        {"a.test", "HEAD", "/api/", true},
        {"a.test", "GET", "/api/a/b?q=../", true},
        {"a.test", "POST", "/upload", true},
        {"a.test", "POST", "/x", false},
        {"a.test", "GET", "/upload", false},
        {"a.test", "get", "/x", false},
        {"a.test", "GETX", "/x", false},
        {"a.test", "GE", "/x", false},
        {"a.test", "", "/x", false},
        {"a.test", "GET", "/xy", false},
        {"a.test", "GET", "/", false},
        {"a.test", "GET", "/api", false},
        {"a.test", "GET", "/api/../x", false},
        {"a.test", "GET", "/api/%2E%2e/x", false},
        {"a.test", "GET", "/api/%2Fx", false},
        {"a.test", "GET", "/api/..;/x", false},
        {"a.test", "GET", "/api//x", false},
        {"a.test", "GET", "/api/./x", false},
        {"a.test", "GET", "/api/.", false},
        {"a.test", "GET", "/api/\\x", false},
        {"a.test", "GET", "/api/%252e", false},
        {"b.test", "DELETE", "/x", true},
        {"b.test", "GET", "/y", false},
        {"c.test", "PUT", "/../any;thing", true},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const struct permit_request request = {ROWS[i].host, 80, ROWS[i].method, ROWS[i].path};
        if ((permit_request(&config, &request) == nullptr) != ROWS[i].is_permitted) {
            fail_msg("%s %s %s", ROWS[i].method, ROWS[i].host, ROWS[i].path);
        }
    }
    char path[4096] = "/api/";
    memset(path + 5, 'a', sizeof path - 6);
    const struct permit_request request = {"a.test", 80, "GET", path};
    assert_non_null(permit_request(&config, &request));
}

static void a_tunnel_needs_a_target_without_limits(void **state) {
    (void)state;
    assert_non_null(permit_tunnel(&config, "a.test", 80));
    assert_non_null(permit_tunnel(&config, "b.test", 80));
    assert_null(permit_tunnel(&config, "c.test", 80));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_and_paths),
        cmocka_unit_test(a_tunnel_needs_a_target_without_limits),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
