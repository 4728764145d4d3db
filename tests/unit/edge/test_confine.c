/* SPDX-License-Identifier: Apache-2.0
 *
 * What a confined data plane could still do to the rest of the machine, if it were somebody else's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edge/confine.h"

/* Run by a child that is confined; what it returns is its exit status. */
typedef int child_work(void);

static char inside[] = "/tmp/edge_inside_XXXXXX";
static char outside[] = "/tmp/edge_outside_XXXXXX";
static char file[64];
static pid_t parent;

static int confined(child_work *work) {
    parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        const struct edge_config config = {.file = file};
        struct error err;
        bool is_enforced = false;
        if (!status_is_ok(edge_confine_files(&config, &is_enforced, &err)) ||
            !status_is_ok(edge_confine_calls(&err))) {
            _exit(100);
        }
        _exit(work());
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static bool is_killed(int status) {
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

/* A filter would forbid what a sanitizer does, so there is none then. */
static void need_filter(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip();
#endif
}

static int serve(void) {
    bool is_read = open(file, O_RDONLY | O_CLOEXEC) >= 0;
    return is_read && socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 1;
}

static void it_serves(void **state) {
    (void)state;
    assert_int_equal(confined(serve), 0);
}

static int open_to_all(void) {
    return chmod(outside, 0666);
}

/* Landlock looks on when modes are changed. */
static void nobody_s_files_are_opened_to_others(void **state) {
    (void)state;
    struct stat status;
    need_filter();
    assert_true(is_killed(confined(open_to_all)));
    assert_int_equal(stat(outside, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

static int limit_parent(void) {
    const struct rlimit none = {};
    return prlimit(parent, RLIMIT_CORE, &none, nullptr);
}

static int limit_itself(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_STACK, &limit);
}

static void the_limits_of_others_are_theirs(void **state) {
    (void)state;
    need_filter();
    assert_true(is_killed(confined(limit_parent)));
    assert_int_equal(confined(limit_itself), 0);
}

static int type_for_the_user(void) {
    return ioctl(STDIN_FILENO, TIOCSTI, "x") == -1 && errno == ENOSYS ? 0 : 1;
}

/* It may have been started in somebody's terminal. */
static void nothing_is_typed_in_a_terminal(void **state) {
    (void)state;
    need_filter();
    assert_int_equal(confined(type_for_the_user), 0);
}

static int make(void **state) {
    (void)state;
    int fd = mkstemp(outside);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_non_null(mkdtemp(inside));
    (void)snprintf(file, sizeof file, "%s/proxy.yaml", inside);
    fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return close(fd);
}

static int clear(void **state) {
    (void)state;
    return unlink(outside) | unlink(file) | rmdir(inside);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_serves),
        cmocka_unit_test(nobody_s_files_are_opened_to_others),
        cmocka_unit_test(the_limits_of_others_are_theirs),
        cmocka_unit_test(nothing_is_typed_in_a_terminal),
    };
    return cmocka_run_group_tests(tests, make, clear);
}
