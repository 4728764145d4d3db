/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/secret.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Puts `size` bytes into a file and reads it as the secret K. */
static status_t read_as_secret(const char *bytes, size_t size, struct secret_list *list) {
    char path[] = "/tmp/airlock-test-secret-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    assert_int_equal(close(fd), 0);
    char option[64];
    struct error err;
    (void)snprintf(option, sizeof option, "K=%s", path);
    *list = (struct secret_list){};
    status_t status = secret_list_read(list, option, &err);
    assert_int_equal(unlink(path), 0);
    return status;
}

static void the_file_is_the_value(void **state) {
    (void)state;
    struct secret_list list;
    assert_true(status_is_ok(read_as_secret("word\n", 5, &list)));
    assert_string_equal(list.entries[0], "K=word");
    assert_null(list.entries[1]);
    secret_list_wipe(&list);
    assert_true(status_is_ok(read_as_secret("two\nlines\n\n", 11, &list)));
    assert_string_equal(list.entries[0], "K=two\nlines\n");
    secret_list_wipe(&list);
    assert_true(status_is_ok(read_as_secret("", 0, &list)));
    assert_string_equal(list.entries[0], "K=");
    secret_list_wipe(&list);
}

static void what_no_variable_can_hold_is_refused(void **state) {
    (void)state;
    struct secret_list list;
    assert_false(status_is_ok(read_as_secret("a\0b", 3, &list)));
    char *long_one = calloc(1, 70000);
    assert_non_null(long_one);
    memset(long_one, 'x', 70000);
    assert_false(status_is_ok(read_as_secret(long_one, 70000, &list)));
    free(long_one);
    struct error err;
    assert_false(status_is_ok(secret_list_read(&list, "K=/nonexistent/file", &err)));
    assert_int_equal(err.code, ERROR_IO);
    assert_int_equal(list.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_is_the_value),
        cmocka_unit_test(what_no_variable_can_hold_is_refused),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
