/* SPDX-License-Identifier: Apache-2.0 */
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
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/confine.h"

/* Run by a child that is confined; what it returns is its exit status. */
typedef int child_work(const char *folder);

static char folder[] = "/tmp/confine_XXXXXX";
static char outside[128];

static bool has_landlock(void) {
    return syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 1;
}

static int confined(child_work *work) {
    pid_t child = fork();
    if (child == 0) {
        const struct confine_path path = {folder, true};
        bool is_enforced = false;
        if (!confine_files_to(&path, 1, &is_enforced)) {
            _exit(100);
        }
        _exit(is_enforced == has_landlock() ? work(folder) : 102);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int open_inside(const char *path) {
    char name[160];
    (void)snprintf(name, sizeof name, "%s/there", path);
    return open(name, O_RDONLY) >= 0 ? 0 : errno;
}

static int open_outside(const char *path) {
    (void)path;
    return open(outside, O_RDONLY) >= 0 ? 0 : errno;
}

static int write_inside(const char *path) {
    char name[160];
    (void)snprintf(name, sizeof name, "%s/there", path);
    return open(name, O_WRONLY) >= 0 ? 0 : errno;
}

static int make_inside(const char *path) {
    char name[160];
    (void)snprintf(name, sizeof name, "%s/new", path);
    return open(name, O_WRONLY | O_CREAT, 0600) >= 0 ? 0 : errno;
}

static int run_something(const char *path) {
    (void)path;
    (void)execl("/bin/true", "true", (char *)nullptr);
    return errno;
}

static int bind_inside(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return bind(fd, (struct sockaddr *)&address, sizeof address) == 0 ? unlink(address.sun_path)
                                                                      : errno;
}

static int has_capabilities(const char *path) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
    (void)path;
    if (syscall(SYS_capget, &header, data) != 0) {
        return 101;
    }
    return (data[0].permitted & ~(1u << CAP_NET_BIND_SERVICE)) == 0 && data[1].permitted == 0 &&
                   prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_DUMPABLE) == 0
               ? 0
               : 1;
}

static void what_is_not_named_cannot_be_opened(void **state) {
    (void)state;
    if (!has_landlock()) {
        skip();
    }
    assert_int_equal(confined(open_outside), EACCES);
}

static void what_is_named_is_read_and_nothing_else(void **state) {
    (void)state;
    assert_int_equal(confined(open_inside), 0);
    if (!has_landlock()) {
        skip();
    }
    assert_int_equal(confined(write_inside), EACCES);
    assert_int_equal(confined(make_inside), EACCES);
    assert_int_equal(confined(run_something), EACCES);
}

static void sockets_can_be_made_where_that_is_said(void **state) {
    (void)state;
    assert_int_equal(confined(bind_inside), 0);
}

static void no_capability_but_one_stays(void **state) {
    (void)state;
    assert_int_equal(confined(has_capabilities), 0);
}

static void make_file(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

static int set_up(void **state) {
    char name[160];
    (void)state;
    if (mkdtemp(folder) == nullptr) {
        return -1;
    }
    (void)snprintf(name, sizeof name, "%s/there", folder);
    (void)snprintf(outside, sizeof outside, "%s.outside", folder);
    make_file(name);
    make_file(outside);
    return 0;
}

static int tear_down(void **state) {
    char name[160];
    (void)state;
    (void)snprintf(name, sizeof name, "%s/there", folder);
    return unlink(name) == 0 && unlink(outside) == 0 ? rmdir(folder) : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_named_cannot_be_opened),
        cmocka_unit_test(what_is_named_is_read_and_nothing_else),
        cmocka_unit_test(sockets_can_be_made_where_that_is_said),
        cmocka_unit_test(no_capability_but_one_stays),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
