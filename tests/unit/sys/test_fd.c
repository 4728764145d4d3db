/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/fd.h"

static bool is_null(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

/* In a child that has those closed whose bit is set: whether they are /dev/null afterwards, the
 * others what they were, and the next file is none of the three. */
static bool works(unsigned closed) {
    pid_t child = fork();
    if (child == 0) {
        struct stat before[3], after;
        bool is_right = true;
        for (int fd = 0; fd < 3; fd++) {
            is_right = fstat(fd, &before[fd]) == 0 && is_right;
        }
        for (int fd = 0; fd < 3; fd++) {
            if ((closed & 1u << fd) != 0) {
                (void)close(fd);
            }
        }
        is_right = fd_open_standard() && is_right;
        for (int fd = 0; fd < 3; fd++) {
            is_right =
                is_right && ((closed & 1u << fd) != 0
                                 ? is_null(fd) && fcntl(fd, F_GETFD) == 0
                                 : fstat(fd, &after) == 0 && after.st_ino == before[fd].st_ino);
        }
        _exit(is_right && open("/dev/zero", O_RDONLY | O_CLOEXEC) > 2 ? 0 : 1);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void test_standard(void **state) {
    (void)state;
    for (unsigned closed = 0; closed < 8; closed++) {
        assert_true(works(closed));
    }
}

int main(void) {
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_standard)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
