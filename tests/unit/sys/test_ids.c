/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/ids.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* In a fresh user namespace nothing is mapped, so nobody there may give ids away. */
static void root_of_a_namespace_of_its_own_has_no_ids_to_give(void **state) {
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(unshare(CLONE_NEWUSER) != 0 ? 77 : ids_are_all_ours());
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_plain_user_has_none(void **state) {
    (void)state;
    if (geteuid() != 0) {
        assert_false(ids_are_all_ours());
        return;
    }
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(setresuid(1000, 1000, 1000) != 0 ? 77 : ids_are_all_ours());
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_of_a_namespace_of_its_own_has_no_ids_to_give),
        cmocka_unit_test(a_plain_user_has_none),
    };
    return cmocka_run_group_tests_name("ids", tests, nullptr, nullptr);
}
